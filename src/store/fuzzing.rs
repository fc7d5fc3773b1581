//! The state file's blobs: whatever they hold, they are read, or refused, and nothing else.

use super::calendar::Calendar;
use super::fold;
use super::packed::{self, Row, SECOND};
use super::report;
use super::summary::{COLUMNS, Interval, Summary};
use super::tail;
use crate::config::value::ModelName;
use crate::journal::Entry;
use crate::latency::Distribution;
use chrono::DateTime;
use rusqlite::Connection;
use std::collections::HashMap;
use std::time::Duration;

/// When it is read, in seconds since 1970.
const NOW: i64 = 1_795_000_000;

/// Whose tails it is given.
const LINEAGE: i64 = 0;

/// What becomes of entries on their way to the report: they come back as they were, and are summed up.
pub(crate) fn kept(entries: &[Entry]) -> Summary {
    let body = packed::pack(entries.iter().map(|entry| (1, entry)));
    let row = packed::unpack(&body).expect("what was packed can be read");
    let back: Vec<Entry> = row.entries(|_| entries.first().map(|entry| entry.model.clone())).collect();
    assert_eq!(back.len(), entries.len(), "an entry was lost: {entries:?}");
    summed(&row).remove(&1).unwrap_or_default()
}

/// A row of the journal; its entries.
pub(crate) fn journal(body: &[u8]) -> Vec<Entry> {
    let Ok(row) = packed::unpack(body) else { return Vec::new() };
    let name = |number: u32| format!("model-{number}").parse::<ModelName>().ok();
    let entries: Vec<Entry> = row.entries(name).collect();
    let _ = entries.iter().map(packed::until).max();
    let again = packed::pack(entries.iter().map(|entry| (1, entry)));
    let same = packed::unpack(&again).expect("what was packed can be read");
    assert_eq!(same.entries(|_| name(1)).count(), entries.len());
    let _ = summed(&row);
    entries
}

/// A tail: whatever is believed of it is there again once it is written anew.
pub(crate) fn tail(bytes: &[u8]) {
    let Ok(found) = tail::parts(bytes, LINEAGE) else { return };
    let mut rows = found.parts.iter().map(|(row, _)| row);
    let first = rows.next();
    rows.fold(first, |before, row| {
        assert!(before < Some(row), "rows come in their order, each once");
        Some(row)
    });
    let again = tail::bytes(&found.parts, LINEAGE);
    assert_eq!(tail::parts(&again, LINEAGE).expect("what was written can be read").parts, found.parts);
    for (_, body) in &found.parts {
        journal(body);
    }
}

/// Folded, and as the report has it.
fn summed(row: &Row<'_>) -> HashMap<u32, Summary> {
    let now = DateTime::from_timestamp(NOW, 0).unwrap_or_default();
    let calendar = Calendar::new(now, Duration::from_hours(90 * 24));
    let span = calendar.oldest().saturating_mul(SECOND)..calendar.minutes_from.saturating_mul(SECOND);
    let mut folded: HashMap<Interval, Summary> = HashMap::new();
    for (model, at, sum) in row.sums() {
        fold::add(&mut folded, &calendar, &span, model, at, sum);
    }
    let parts: Vec<Summary> = folded.into_values().collect();
    told(&Summary::merged(&parts));
    let mut sums = HashMap::new();
    report::add(&mut sums, row, calendar.minutes_from.saturating_mul(SECOND));
    sums.values().for_each(told);
    sums
}

fn told(sum: &Summary) {
    let _ =
        (sum.warm.percentiles(), sum.cold.percentiles(), sum.boot.boot_status(sum.boots), sum.spent.open());
}

/// A histogram.
pub(crate) fn histogram(bytes: &[u8]) {
    let Ok(times) = Distribution::from_bytes(bytes) else { return };
    let Some(told) = times.percentiles() else { return };
    assert!(
        told.min <= told.p50 && told.p50 <= told.p90 && told.p90 <= told.p99 && told.p99 <= told.max,
        "{told:?}"
    );
    let mut twice = times.clone();
    twice.merge(&times);
    twice.record(Duration::from_millis(400));
    let count = twice.count();
    assert!(count > times.count() || count >= u64::from(u32::MAX), "{count}");
    let back = Distribution::from_bytes(&twice.to_bytes()).expect("what was written can be read");
    assert_eq!(back.percentiles(), twice.percentiles());
}

/// A row of sums: ten outcomes, cold ones within hours, boots, three times spent, three histograms.
pub(crate) fn sums(bytes: &[u8]) {
    thread_local! {
        static FILE: Connection = {
            let file = Connection::open_in_memory().expect("a database in memory");
            for step in super::schema::MIGRATIONS {
                file.execute_batch(step).expect("the tables");
            }
            file
        };
    }
    let (numbers, blob) = bytes.split_at(bytes.len().min(15 * 8));
    let mut numbers = numbers.chunks_exact(8).map(|n| i64::from_le_bytes(n.try_into().unwrap_or_default()));
    let mut number = || numbers.next().unwrap_or_default();
    FILE.with(|file| {
        let marks = vec!["?"; 18].join(", ");
        let insert =
            format!("INSERT INTO interval (model, width, start, {COLUMNS}) VALUES (1, 3600, 0, {marks})");
        let mut insert = file.prepare_cached(&insert).expect("a statement");
        for at in 1..=15 {
            insert.raw_bind_parameter(at, number()).expect("a number");
        }
        for at in 16..=18 {
            insert.raw_bind_parameter(at, blob).expect("bytes");
        }
        insert.raw_execute().expect("a row");
        let mut query = file.prepare_cached(&format!("SELECT {COLUMNS} FROM interval")).expect("a query");
        let sum = query.query_row([], Summary::read).expect("a row");
        sum.save_into(file, (1, 3600, 0)).expect("added to itself");
        let twice = query.query_row([], Summary::read).expect("a row");
        told(&twice);
        assert!(twice.boots >= sum.boots.min(i64::MAX.unsigned_abs()), "boots were lost");
        file.execute("DELETE FROM interval", []).expect("an empty table");
    });
}
