//! What is decided for each heartbeat, without any I/O, and what a report is made by.
//!
//! `cargo bench --bench decisions`; `-- --help` tells of its options.

use chrono::{DateTime, TimeDelta, Utc};
use divan::{Bencher, black_box};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use warmd::config::env::Env;
use warmd::config::{self, Config, Model};
use warmd::heartbeat::{Answer, Limits, Observation, Order, Signs};
use warmd::hours::zone::Zones;
use warmd::journal::{Entry, State};
use warmd::latency::Distribution;
use warmd::provider::Facts;
use warmd::schedule::{self, Cursor};
use warmd::state::{Known, Live, digest};
use warmd::status::Snapshot;
use warmd::status::assemble::{LiveModel, LiveStatus, assemble};
use warmd::store::{SpentTimes, Summaries, Summary};

/// Active hours, in a zone that moves its clocks and in one that doesn't.
#[derive(Debug, Clone, Copy)]
enum Hours {
    Always,
    WeekdaysInUtc,
    WeekdaysInNewYork,
    /// Closed for a year: so far away is the edge to find.
    NextYearInNewYork,
}

const ALL: [Hours; 4] =
    [Hours::Always, Hours::WeekdaysInUtc, Hours::WeekdaysInNewYork, Hours::NextYearInNewYork];

impl Hours {
    /// As a model has them in `warm.toml`.
    fn toml(self) -> &'static str {
        match self {
            Self::Always => "active = [\"always\"]",
            Self::WeekdaysInUtc => "active = [\"weekdays 08:00-20:00\"]\ntimezone = \"UTC\"",
            Self::WeekdaysInNewYork => "active = [\"weekdays 08:00-20:00\"]\ntimezone = \"America/New_York\"",
            Self::NextYearInNewYork => {
                "active = [\"daily 08:00-20:00\"]\nclosed = [\"2026-11-21..2027-11-20\"]\n\
                 timezone = \"America/New_York\""
            }
        }
    }
}

/// A Saturday's afternoon.
const NOW: &str = "2026-11-21T15:04:05Z";

fn main() {
    divan::main();
}

/// What a model does next.
#[divan::bench(args = ALL)]
fn plan(bencher: Bencher<'_, '_>, hours: Hours) {
    let (model, known, now) = warm(hours);
    let (live, cursor) = (Live::default(), Cursor { dealt: now, wanted: None });
    bencher.bench_local(|| schedule::plan(&model, &known, &live, &cursor, black_box(now)));
}

/// The edges of the stretch of hours around an instant.
#[divan::bench(args = ALL)]
fn next_edge(bencher: Bencher<'_, '_>, hours: Hours) {
    let (model, _, now) = warm(hours);
    bencher.bench_local(|| model.hours.at(black_box(now)));
}

/// An answer, judged, with all that it adds to the journal.
#[divan::bench]
fn classify(bencher: Bencher<'_, '_>) {
    let (model, known, now) = warm(Hours::Always);
    bencher.bench_local(|| answered(&model, &known, black_box(now)));
}

/// The same, taken into what is known of the model.
#[divan::bench]
fn apply(bencher: Bencher<'_, '_>) {
    let (model, mut known, now) = warm(Hours::Always);
    let entries = answered(&model, &known, now);
    bencher.bench_local(|| entries.iter().for_each(|entry| known.apply(black_box(entry))));
}

/// A latency, into its histogram.
#[divan::bench]
fn record(bencher: Bencher<'_, '_>) {
    let mut latencies = distribution(100);
    bencher.bench_local(|| latencies.record(black_box(Duration::from_millis(431))));
}

/// The sums of an hour at an interval of 30 s, read from the bytes in which they are kept.
#[divan::bench]
fn read_an_hour(bencher: Bencher<'_, '_>) {
    let bytes = distribution(120).to_bytes();
    bencher.bench_local(|| Distribution::from_bytes(black_box(&bytes)));
}

/// The Snapshot of a thousand models.
#[divan::bench]
fn snapshot_of_1000(bencher: Bencher<'_, '_>) {
    let (live, sums) = a_thousand();
    bencher.bench_local(|| assemble(black_box(&live), &sums));
}

/// Its JSON.
#[divan::bench]
fn json_of_1000(bencher: Bencher<'_, '_>) {
    let (live, sums) = a_thousand();
    let snapshot: Snapshot = assemble(&live, &sums);
    bencher.bench_local(|| serde_json::to_string(black_box(&snapshot)));
}

/// A configuration of so many models, which all have these hours.
fn configuration(models: usize, hours: Hours) -> Arc<Config> {
    let mut text = "[replicate]\ntoken_env = \"T\"\n\n".to_owned();
    for number in 0..models {
        // Writing to a String can't fail.
        let _ =
            write!(text, "[models.m{number:04}]\nreplicate = \"acme/m{number:04}\"\n{}\n\n", hours.toml());
    }
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let path = folder.path().join("warm.toml");
    fs::write(&path, text).expect("it can be written to");
    let loaded = config::load(&path, &Env::process(), &Zones::system());
    Arc::new(loaded.unwrap_or_else(|problems| panic!("{}", problems.render(false, 100))).config)
}

/// A model that is warm.
fn warm(hours: Hours) -> (Arc<Model>, Known, DateTime<Utc>) {
    let model = configuration(1, hours).models[0].clone();
    let (now, mut known) = (now(), Known::default());
    for minute in (1..60).rev() {
        for entry in answered(&model, &known, now - TimeDelta::minutes(minute)) {
            known.apply(&entry);
        }
    }
    (model, known, now)
}

fn now() -> DateTime<Utc> {
    NOW.parse().expect("it is a time")
}

/// A warm answer to what was due then.
fn answered(model: &Arc<Model>, known: &Known, due: DateTime<Utc>) -> Vec<Entry> {
    let order = Order {
        model: model.clone(),
        cold_after: known.cold_after(model),
        known_setups: Vec::new(),
        calibrates: false,
    };
    let total = Duration::from_millis(431);
    let seen = Observation {
        sent_at: due,
        done_at: due + TimeDelta::milliseconds(431),
        total,
        answer: Answer::Succeeded,
        signs: Signs {
            queue_wait: Some(Duration::from_millis(12)),
            predict: Some(Duration::from_millis(300)),
            ..Signs::default()
        },
        limits: Limits::default(),
    };
    digest::digest(known, model, &order, due, &seen)
}

fn distribution(count: u64) -> Distribution {
    let mut distribution = Distribution::default();
    (0..count).for_each(|one| distribution.record(Duration::from_millis(300 + one * 7 % 500)));
    distribution
}

/// A thousand warm models, with a day of answers.
fn a_thousand() -> (LiveStatus, Summaries) {
    let config = configuration(1_000, Hours::Always);
    let (_, known, at) = warm(Hours::Always);
    let live_model = |model: &Arc<Model>| LiveModel {
        model: model.clone(),
        known: known.clone().into(),
        state: (State::Warm, at, None),
        next_at: Some(at),
        facts: Facts::default(),
    };
    let models = config.models.iter().map(live_model).collect();
    let day = Duration::from_hours(24);
    let sum = || Summary {
        counts: [2_880, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        warm: distribution(2_880),
        spent: SpentTimes { warm: day, ..SpentTimes::default() },
        ..Summary::default()
    };
    let sums: HashMap<_, _> = config.models.iter().map(|model| (model.name.clone(), sum())).collect();
    let live = LiveStatus {
        at,
        started_at: at - day,
        tzdata: "2026b".to_owned(),
        config,
        config_loaded_at: at - day,
        config_error: None,
        notes: Vec::new(),
        alerts: Vec::new(),
        saved: true,
        models,
    };
    (live, Summaries { since: at - day, models: sums })
}
