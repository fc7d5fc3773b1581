//! That what is kept for the next report is what the file holds, whatever happened to that.

use super::super::calendar::Calendar;
use super::super::file::{self, beside};
use super::super::packed;
use super::super::queue::Notes;
use crate::config::value::ModelName;
use crate::heartbeat::{Heartbeat, Outcome};
use crate::journal::{Entry, Spent, What};
use crate::latency::Distribution;
use crate::store::writer::Writer;
use crate::store::{Summary, summary::COLUMNS};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

const RETENTION: Duration = Duration::from_hours(30 * 24);

/// What may happen between two reports.
#[derive(Debug, Clone)]
enum Step {
    Write(Vec<Entry>),
    /// Appended, but not written yet when the report is asked for.
    Unsaved(Vec<Entry>),
    Fold(i64),
    SetBack(i64),
    /// Another program spoils this row, counted from the latest.
    SpoilRow(i64),
    SpoilHistogram,
    /// So many hours are asked for from now on.
    Ask(i64),
    /// The clock goes on, or back.
    Clock(i64),
}

fn now() -> DateTime<Utc> {
    "2026-11-20T19:11:37.5Z".parse().unwrap()
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    let how = prop::sample::select(vec![Spent::Warm, Spent::Cold, Spent::Unknown]);
    let back = prop_oneof![0..3 * 3600_i64, 0..3 * 3600_i64, 0..9 * 86_400_i64];
    let entry = (0..3, back, 0..3, outcome, how, 1..60_000_i64).prop_map(
        |(number, back, kind, outcome, how, millis)| {
            let at = now() - TimeDelta::seconds(back);
            let took = Some(Duration::from_millis(millis.unsigned_abs()));
            let heartbeat = Heartbeat { total: took, ..Heartbeat::at(at, outcome) };
            let what = match kind {
                0 => What::Heartbeat { heartbeat, in_hours: true },
                1 => What::Boot { took },
                _ => What::Spent { from: at - TimeDelta::milliseconds(100 * millis), to: at, how },
            };
            Entry { model: format!("model-{number}").parse().unwrap(), at, what }
        },
    );
    prop::collection::vec(entry, 1..12)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => entries().prop_map(Step::Write),
        1 => entries().prop_map(Step::Unsaved),
        1 => (0..10 * 86_400_i64).prop_map(Step::Fold),
        1 => (0..12 * 3600_i64).prop_map(Step::SetBack),
        1 => (0..4_i64).prop_map(Step::SpoilRow),
        1 => Just(Step::SpoilHistogram),
        1 => prop::sample::select(vec![1, 24, 24, 200, 2000]).prop_map(Step::Ask),
        1 => (-7200..7200_i64).prop_map(Step::Clock),
    ]
}

/// The report as it is made from all that the file and its tail hold, part by part.
fn plainly(file: &Connection, writer: &Writer, since: i64, unsaved: &[Entry]) -> HashMap<ModelName, Summary> {
    let mut sums: HashMap<u32, Vec<Summary>> = HashMap::new();
    let mut query = file.prepare("SELECT body FROM journal WHERE until >= ?1").unwrap();
    let mut bodies: Vec<Vec<u8>> =
        query.query_map([since], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    bodies.push(writer.pending.body().to_vec());
    bodies.push(packed::pack(unsaved.iter().map(|e| (writer.names.find(&e.model).unwrap(), e))));
    for row in bodies.iter().filter_map(|body| packed::unpack(body).ok()) {
        let mut added = HashMap::new();
        super::super::report::add(&mut added, &row, since * crate::store::packed::SECOND);
        for (model, sum) in added {
            sums.entry(model).or_default().push(sum);
        }
    }
    let mut query =
        file.prepare(&format!("SELECT {COLUMNS}, model FROM interval WHERE start >= ?1")).unwrap();
    let mut rows = query.query([since]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        sums.entry(row.get("model").unwrap()).or_default().push(Summary::read(row).unwrap());
    }
    let merged = |of: fn(&Summary) -> &Distribution, parts: &[Summary]| {
        parts.iter().fold(Distribution::default(), |mut sum, part| {
            sum.merge(of(part));
            sum
        })
    };
    let whole = |parts: &[Summary]| Summary {
        counts: std::array::from_fn(|at| parts.iter().map(|part| part.counts[at]).sum()),
        warm: merged(|sum| &sum.warm, parts),
        cold: merged(|sum| &sum.cold, parts),
        boot: merged(|sum| &sum.boot, parts),
        boots: parts.iter().map(|part| part.boots).sum(),
        spent: crate::store::SpentTimes {
            warm: parts.iter().map(|part| part.spent.warm).sum(),
            cold: parts.iter().map(|part| part.spent.cold).sum(),
            unknown: parts.iter().map(|part| part.spent.unknown).sum(),
        },
        cold_in_hours: parts.iter().map(|part| part.cold_in_hours).sum(),
    };
    sums.iter().filter_map(|(model, parts)| Some((writer.names.name(*model)?, whole(parts)))).collect()
}

fn open(path: &Path) -> Writer {
    Writer::new(file::open(path).unwrap(), Some(&beside(path, "-tail"))).unwrap().0
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_report_is_what_the_file_holds(steps in prop::collection::vec(step(), 1..24)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("warmd.db");
        let mut writer = open(&path);
        let other = Connection::open(&path).unwrap();
        let (mut clock, mut hours) = (now(), 24);
        for step in steps {
            let mut unsaved = Vec::new();
            match &step {
                Step::Write(entries) => {
                    writer.write(entries, &Notes::new()).unwrap();
                }
                Step::Unsaved(entries) => unsaved.clone_from(entries),
                Step::Fold(back) => {
                    let states = (0..3).map(|n| (format!("model-{n}").parse().unwrap(), String::new()));
                    writer.checkpoint(&states.collect()).unwrap();
                    let calendar = Calendar::new(clock - TimeDelta::seconds(*back), RETENTION);
                    while !writer.fold(&calendar).unwrap().last {}
                }
                Step::SetBack(back) => writer.set_back(clock - TimeDelta::seconds(*back)).unwrap(),
                Step::SpoilRow(back) => drop(
                    other
                        .execute(
                            "UPDATE journal SET body = x'0907' WHERE id = (SELECT max(id) FROM journal) - ?1",
                            [back],
                        )
                        .unwrap(),
                ),
                Step::SpoilHistogram => drop(
                    other.execute("UPDATE interval SET warm_times = substr(warm_times, 3)", []).unwrap(),
                ),
                Step::Ask(other) => hours = *other,
                Step::Clock(by) => clock += TimeDelta::seconds(*by),
            }
            let calendar = Calendar::new(clock, RETENTION);
            let since = clock - TimeDelta::hours(hours);
            for _ in 0..2 {
                let told = writer.summaries(None, since, &calendar, &unsaved).unwrap();
                let kept = plainly(&other, &writer, told.since.timestamp(), &unsaved);
                prop_assert_eq!(&told.models, &kept, "after {:?}", step);
                for (name, sum) in &kept {
                    let told = writer.summaries(Some(name), since, &calendar, &unsaved).unwrap();
                    prop_assert_eq!(told.models.get(name), Some(sum));
                }
            }
        }
    }
}

#[test]
fn what_was_summed_up_is_not_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = open(&folder.path().join("warmd.db"));
    let heartbeats = |writer: &mut Writer| {
        let told =
            writer.summaries(None, now() - TimeDelta::hours(24), &Calendar::new(now(), RETENTION), &[]);
        told.unwrap().models.values().map(|sum| sum.counts.iter().sum::<u64>()).sum::<u64>()
    };
    let entry = |seconds| {
        let at = now() - TimeDelta::seconds(seconds);
        let heartbeat = Heartbeat::at(at, Outcome::Skipped);
        [Entry { model: "m".parse().unwrap(), at, what: What::Heartbeat { heartbeat, in_hours: true } }]
    };
    writer.write(&entry(60), &Notes::new()).unwrap();
    assert_eq!(heartbeats(&mut writer), 1);
    // Not by another program, nor by the store: it would not be noticed, and is what tells.
    writer.connection.execute("DELETE FROM journal", []).unwrap();
    writer.write(&entry(30), &Notes::new()).unwrap();
    assert_eq!(heartbeats(&mut writer), 2);
    writer.fold(&Calendar::new(now(), RETENTION)).unwrap();
    assert_eq!(heartbeats(&mut writer), 1);
}
