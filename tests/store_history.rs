//! What the store tells of the past: sums, their span, folding, events, retention.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;
use tempfile::TempDir;
use warmd::config::value::ModelName;
use warmd::heartbeat::{Heartbeat, Outcome};
use warmd::journal::{Entry, Spent, What};
use warmd::latency::Distribution;
use warmd::status::State;
use warmd::store::EventKind::{self, Boot, Cold, Failure};
use warmd::store::{Event, Folded, Recovered, Store, Summaries, Summary};

const DAY: Duration = Duration::from_hours(24);

struct Open {
    store: Store,
    recovered: Recovered,
    folder: TempDir,
    retention: Duration,
}

impl Open {
    fn new(retention: Duration) -> Self {
        Self::on(TempDir::new().unwrap(), retention)
    }

    fn on(folder: TempDir, retention: Duration) -> Self {
        let (store, recovered) = Store::open(&folder.path().join("warmd.db"), retention).unwrap();
        Self { store, recovered, folder, retention }
    }

    fn restart(self) -> Self {
        drop(self.store);
        Self::on(self.folder, self.retention)
    }

    /// Asserts that the store tells the sums of these entries, whatever the span.
    async fn told_is(&self, entries: &[Entry]) {
        for since in SINCES {
            let told = self.store.summaries(ago(since), now()).await.unwrap();
            assert_eq!(told.models, expected(entries, told.since), "since {since} s ago: {}", told.since);
            let one = self.store.summary(model("model-1"), ago(since), now()).await.unwrap();
            assert_eq!(one.models.get(&model("model-1")), told.models.get(&model("model-1")));
            assert!(one.models.len() <= 1 && one.since == told.since);
            self.hours_are_of(&told, since).await;
        }
    }

    /// Asserts that hour by hour it is the same as in all.
    async fn hours_are_of(&self, told: &Summaries, since: i64) {
        let hourly = self.store.hourly(ago(since), now()).await.unwrap();
        assert_eq!(hourly.since, told.since);
        for (name, whole) in &told.models {
            let hours = hourly.models.get(name).map_or(&[][..], Vec::as_slice);
            assert!(hours.windows(2).all(|two| two[0].start <= two[1].start), "{hours:?}");
            let mut sum = Summary::default();
            for hour in hours {
                assert!(hour.end > told.since, "{hour:?}");
                sum.spent.warm += hour.spent.warm;
                sum.spent.cold += hour.spent.cold;
                sum.spent.unknown += hour.spent.unknown;
                sum.cold_in_hours += hour.cold_in_hours;
                sum.boots += hour.boots;
            }
            let told = (whole.spent, whole.cold_in_hours, whole.boots);
            assert_eq!((sum.spent, sum.cold_in_hours, sum.boots), told, "{name} since {since} s ago");
        }
    }

    async fn checkpoint(&self, names: &[&str]) {
        let states = names.iter().map(|name| (model(name), format!("{{\"of\":\"{name}\"}}"))).collect();
        self.store.checkpoint(states).await.unwrap();
    }
}

fn model(name: &str) -> ModelName {
    name.parse().unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    time("2026-11-20T19:11:37.5Z")
}

fn ago(seconds: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(seconds)
}

fn heartbeat(name: &str, at: DateTime<Utc>, outcome: Outcome, millis: u64) -> Entry {
    let total = matches!(outcome, Outcome::Warm | Outcome::Cold).then(|| Duration::from_millis(millis));
    let heartbeat = Heartbeat {
        total,
        error: outcome.answered().then(|| "refused".to_owned()),
        ..Heartbeat::at(at, outcome)
    };
    Entry { model: model(name), at, what: What::Heartbeat { heartbeat, in_hours: true } }
}

fn spent(name: &str, from: DateTime<Utc>, to: DateTime<Utc>, how: Spent) -> Entry {
    Entry { model: model(name), at: to, what: What::Spent { from, to, how } }
}

/// What the store must tell, summed up the plain way.
fn expected(entries: &[Entry], since: DateTime<Utc>) -> HashMap<ModelName, Summary> {
    let mut models: HashMap<ModelName, Summary> = HashMap::new();
    for Entry { model, at, what } in entries {
        let reaches = if let What::Spent { to, .. } = what { *to > since } else { *at >= since };
        if !reaches || *what == What::Tracked {
            continue;
        }
        let summary = models.entry(model.clone()).or_default();
        if let What::Spent { from, to, how } = what {
            let time = (*to - (*from).max(since)).to_std().unwrap();
            match how {
                Spent::Warm => summary.spent.warm += time,
                Spent::Cold => summary.spent.cold += time,
                Spent::Unknown => summary.spent.unknown += time,
            }
        }
        if let What::Boot { took } = what {
            summary.boots += 1;
            if let Some(took) = took {
                summary.boot.record(*took);
            }
        }
        if let What::Heartbeat { heartbeat, in_hours } = what {
            summary.counts[Outcome::ALL.iter().position(|o| *o == heartbeat.outcome).unwrap()] += 1;
            let cold = heartbeat.outcome == Outcome::Cold;
            if let Some(total) = heartbeat.total {
                if cold { &mut summary.cold } else { &mut summary.warm }.record(total);
            }
            summary.cold_in_hours += u64::from(*in_hours && cold);
        }
    }
    models
}

#[derive(Debug, Clone)]
enum Made {
    Heartbeat((Outcome, u64)),
    Boot(Option<u64>),
    Spent((i64, Spent)),
    Tracked,
}

/// Entries over the last hundred days, denser towards now.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let back = prop_oneof![0..4 * 3600_i64, 0..9 * 86_400_i64, 0..100 * 86_400_i64];
    let hows = prop::sample::select(vec![Spent::Warm, Spent::Cold, Spent::Unknown]);
    let made = prop_oneof![
        (prop::sample::select(Outcome::ALL.to_vec()), 1..60_000_u64).prop_map(Made::Heartbeat),
        prop::option::of(1..60_000_u64).prop_map(Made::Boot),
        (1..3 * 86_400_000_i64, hows).prop_map(Made::Spent),
        Just(Made::Tracked),
    ];
    let entry = (0..3, back, 0..1_000_000_i64, made).prop_map(|(number, back, micros, made)| {
        let at = ago(back) - TimeDelta::microseconds(micros);
        let name = format!("model-{number}");
        let what = match made {
            Made::Heartbeat((outcome, millis)) => return heartbeat(&name, at, outcome, millis),
            Made::Spent((millis, how)) => return spent(&name, at - TimeDelta::milliseconds(millis), at, how),
            Made::Boot(millis) => What::Boot { took: millis.map(Duration::from_millis) },
            Made::Tracked => What::Tracked,
        };
        Entry { model: model(&name), at, what }
    });
    prop::collection::vec(entry, 1..200)
}

const SINCES: [i64; 7] = [600, 5000, 8000, 86_400, 6 * 86_400, 30 * 86_400, 200 * 86_400];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The sums are those of the entries, before, between and after folds; to fold again does
    /// nothing.
    #[test]
    fn sums_are_true_before_and_after_folding(
        entries in entries(),
        rows in 1..40_usize,
        retention in prop::sample::select(vec![1, 6, 8, 90, 1000_u32]),
        folds in prop::collection::vec(0..100_i64, 3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let open = Open::new(DAY * retention);
            let known = |upto: usize| &entries[..upto];
            // In parts, with folds on earlier days between them: hours and days are added to.
            let mut folds_on = folds.iter().copied();
            let mut written = 0;
            for part in entries.chunks(entries.len().div_ceil(3)) {
                for row in part.chunks(rows) {
                    open.store.append_all(row.to_vec());
                    open.store.flush().await.unwrap();
                }
                written += part.len();
                open.checkpoint(&["model-0", "model-1", "model-2"]).await;
                open.told_is(known(written)).await;
                if let Some(days) = folds_on.next() {
                    open.store.fold(ago(days * 86_400)).await.unwrap();
                    open.told_is(known(written)).await;
                }
            }
            open.store.fold(now()).await.unwrap();
            open.told_is(&entries).await;
            prop_assert_eq!(open.store.fold(now()).await.unwrap(), Folded::default());
            open.told_is(&entries).await;
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn pending_entries_are_in_the_sums() {
    let open = Open::new(90 * DAY);
    open.store.append(heartbeat("llama", ago(1), Outcome::Warm, 400));
    open.store.append(heartbeat("llama", ago(0), Outcome::Cold, 9000));
    let told = open.store.summaries(ago(60), now()).await.unwrap();
    let llama = &told.models[&model("llama")];
    assert_eq!((llama.count(Outcome::Warm), llama.count(Outcome::Cold), llama.cold_in_hours), (1, 1, 1));
    assert!((llama.cold.percentiles().unwrap().max - 9.0).abs() < 1e-9);
    assert_eq!(told.since, time("2026-11-20T19:10:00Z"));
}

#[tokio::test]
async fn since_becomes_what_is_kept() {
    let open = Open::new(30 * DAY);
    for (asked, became) in [
        (time("2026-11-20T18:11:37Z"), time("2026-11-20T18:11:00Z")),
        (time("2026-11-19T19:11:37Z"), time("2026-11-19T19:00:00Z")),
        (time("2026-11-10T19:11:37Z"), time("2026-11-10T00:00:00Z")),
        (time("2020-01-01T00:00:00Z"), time("2026-10-21T00:00:00Z")),
    ] {
        assert_eq!(open.store.summaries(asked, now()).await.unwrap().since, became, "{asked}");
    }
}

#[tokio::test]
async fn the_journal_beyond_the_checkpoint_is_never_folded() {
    let open = Open::new(90 * DAY);
    let old = |minute: i64| heartbeat("llama", ago(86_400 - minute * 60), Outcome::Warm, 400);
    open.store.append_all((0..5).map(old));
    open.checkpoint(&["llama"]).await;
    open.store.append_all((5..8).map(old));
    open.store.flush().await.unwrap();
    assert_eq!(open.store.fold(now()).await.unwrap().folded, 1);
    let open = open.restart();
    assert_eq!(open.recovered.tail, (5..8).map(old).collect::<Vec<_>>());
    open.checkpoint(&["llama"]).await;
    assert_eq!(open.store.fold(now()).await.unwrap().folded, 1);
    // All rows are gone: new ones must still come after the checkpoint.
    let open = open.restart();
    open.store.append(old(8));
    let open = open.restart();
    assert_eq!(open.recovered.tail, [old(8)]);
    let told = open.store.summaries(ago(2 * 86_400), now()).await.unwrap();
    assert_eq!(told.models[&model("llama")].count(Outcome::Warm), 9);
}

#[tokio::test]
async fn a_checkpoint_knows_the_entries_before_it_and_no_others() {
    let open = Open::new(90 * DAY);
    let numbered = |n: i64| heartbeat("llama", ago(100 - n), Outcome::Busy, 0);
    open.store.append(numbered(1));
    // Its place in the order is that of the call, not of the await.
    let saving = open.store.checkpoint([(model("llama"), "{}".to_owned())].into());
    open.store.append(numbered(2));
    saving.await.unwrap();
    let open = open.restart();
    assert_eq!(open.recovered.tail, [numbered(2)]);
}

#[tokio::test]
async fn sums_hold_what_came_before_the_call_and_nothing_that_came_after() {
    let open = Open::new(90 * DAY);
    open.store.append(spent("llama", ago(60), ago(30), Spent::Warm));
    let asked = open.store.summaries(ago(3600), now());
    open.store.append(spent("llama", ago(30), ago(0), Spent::Warm));
    let told = asked.await.unwrap();
    assert_eq!(told.models[&model("llama")].spent.warm, Duration::from_secs(30));
}

#[tokio::test]
async fn what_is_too_old_is_dropped_and_the_rest_stays() {
    let open = Open::new(10 * DAY);
    let days_ago = |days: i64| ago(days * 86_400);
    for days in [30, 20, 5, 0] {
        open.store.append(heartbeat("kept", days_ago(days), Outcome::Cold, 9000));
    }
    open.store.append(heartbeat("gone", days_ago(30), Outcome::Cold, 9000));
    open.checkpoint(&["kept", "gone"]).await;
    // A later checkpoint without it: it has left the file.
    open.store.append(heartbeat("kept", days_ago(0), Outcome::Warm, 400));
    open.checkpoint(&["kept"]).await;
    open.store.fold(now()).await.unwrap();
    let told = open.store.summaries(days_ago(1000), now()).await.unwrap();
    assert_eq!(told.models.len(), 1);
    assert_eq!(told.models[&model("kept")].count(Outcome::Cold), 2);
    assert_eq!(open.store.events(None, days_ago(1000), 10).await.unwrap().len(), 2);
    let open = open.restart();
    assert_eq!(open.recovered.checkpoints.keys().collect::<Vec<_>>(), [&model("kept")]);
    // A name that was forgotten may come back.
    open.store.append(heartbeat("gone", now(), Outcome::Warm, 400));
    let told = open.store.summaries(days_ago(1), now()).await.unwrap();
    assert_eq!(told.models[&model("gone")].count(Outcome::Warm), 1);
}

#[tokio::test]
async fn the_latest_checkpoint_outlives_the_retention() {
    let open = Open::new(DAY);
    open.store.append(heartbeat("paused", ago(90 * 86_400), Outcome::Warm, 400));
    open.checkpoint(&["paused"]).await;
    open.store.fold(now()).await.unwrap();
    assert!(open.restart().recovered.checkpoints.contains_key(&model("paused")));
}

#[tokio::test]
async fn a_stretch_is_shared_out_over_hours_and_days() {
    let open = Open::new(90 * DAY);
    open.store.append(spent("llama", ago(12 * 86_400), ago(2 * 86_400), Spent::Unknown));
    open.checkpoint(&["llama"]).await;
    open.store.fold(now()).await.unwrap();
    for (since, expected) in [(300_000, "2026-11-17T07:00:00Z"), (9 * 86_400, "2026-11-11T00:00:00Z")] {
        let told = open.store.summaries(ago(since), now()).await.unwrap();
        assert_eq!(told.since, time(expected));
        let spent = told.models[&model("llama")].spent;
        assert_eq!(spent.unknown, (ago(2 * 86_400) - told.since).to_std().unwrap());
        assert_eq!(spent.open(), spent.unknown);
    }
}

/// A step that fails at its very end, as a killed process would leave it, has changed nothing.
#[tokio::test]
async fn a_step_of_a_fold_is_done_whole_or_not_at_all() {
    for table in ["journal", "interval"] {
        let open = Open::new(90 * DAY);
        let hours_ago = |hours: i64| ago(hours * 3600);
        for hours in (3..400).rev() {
            open.store.append(heartbeat("llama", hours_ago(hours), Outcome::Cold, 9000));
            open.store.flush().await.unwrap();
        }
        open.checkpoint(&["llama"]).await;
        // As seen ten days ago: what is to become days now is hours by then.
        open.store.fold(hours_ago(240)).await.unwrap();
        let before = open.store.summaries(hours_ago(1000), now()).await.unwrap();
        let state = rusqlite::Connection::open(open.folder.path().join("warmd.db")).unwrap();
        let refuse = "BEGIN SELECT raise(ABORT, 'refused'); END";
        state.execute_batch(&format!("CREATE TRIGGER refuse BEFORE DELETE ON {table} {refuse}")).unwrap();
        let error = open.store.fold(now()).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        assert_eq!(open.store.summaries(hours_ago(1000), now()).await.unwrap(), before, "{table}");
        state.execute_batch("DROP TRIGGER refuse").unwrap();
        open.store.fold(now()).await.unwrap();
        assert_eq!(open.store.summaries(hours_ago(1000), now()).await.unwrap(), before, "{table}");
    }
}

#[tokio::test]
async fn a_fold_gives_the_space_back() {
    let open = Open::new(90 * DAY);
    let aimed =
        |n| Entry { model: model("llama"), at: ago(86_400 + n), what: What::Aimed { at: "x".repeat(1000) } };
    for part in 0..3 {
        open.store.append_all((0..4000_i64).map(|n| aimed(part * 4000 + n)));
        open.store.flush().await.unwrap();
    }
    open.checkpoint(&["llama"]).await;
    let path = open.folder.path().join("warmd.db");
    let state = rusqlite::Connection::open(&path).unwrap();
    let pragma = |name| state.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let before = pragma("page_count");
    // Without the events, one an entry: what is free then is the journal's.
    state.execute("DELETE FROM event", []).unwrap();
    open.store.fold(now()).await.unwrap();
    let (pages, free) = (pragma("page_count"), pragma("freelist_count"));
    assert!(
        free <= 256.max(before / 4) && pages < before / 4,
        "{before} pages, then {pages}, {free} of them free"
    );
}

#[tokio::test]
async fn events_tell_cold_boots_first_failures_and_changes_of_state() {
    let open = Open::new(90 * DAY);
    let s = |n: i64| ago(100 - n);
    let state = What::State { from: State::Warm, to: State::Failing, reason: Some("refused".into()) };
    open.store.append_all([
        heartbeat("llama", s(1), Outcome::Warm, 400),
        heartbeat("llama", s(2), Outcome::Unreachable, 0),
        heartbeat("whisper", s(3), Outcome::TimedOut, 0),
        heartbeat("llama", s(4), Outcome::Unreachable, 0),
        Entry { model: model("llama"), at: s(5), what: state },
        heartbeat("llama", s(6), Outcome::Cold, 9000),
        Entry { model: model("llama"), at: s(6), what: What::Boot { took: Some(Duration::from_secs(8)) } },
        heartbeat("llama", s(7), Outcome::Failed, 0),
        heartbeat("llama", s(8), Outcome::RateLimited, 0),
    ]);
    let kinds = |events: &[Event]| events.iter().map(|e| e.kind).collect::<Vec<_>>();
    let all = open.store.events(None, s(0), 100).await.unwrap();
    assert_eq!(kinds(&all), [Failure, Boot, Cold, EventKind::State, Failure, Failure]);
    assert_eq!(all[2].detail["total"], 9.0);
    assert_eq!(all[3].detail, serde_json::json!({"from": "warm", "to": "failing", "reason": "refused"}));
    assert_eq!((&all[4].model, all[4].at.timestamp()), (&model("whisper"), s(3).timestamp()));
    let llama = open.store.events(Some(model("llama")), s(5), 2).await.unwrap();
    assert_eq!(kinds(&llama), [Failure, Boot]);
    assert!(open.store.events(Some(model("nobody")), s(0), 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn percentiles_are_within_one_percent_of_the_raw_times_after_folding() {
    let open = Open::new(90 * DAY);
    let mut raw: Vec<u64> = (0..3000_u64).map(|i| 300 + (i * 7919) % 1777).collect();
    for (i, millis) in raw.iter().enumerate() {
        let at = ago(i64::try_from(i).unwrap() * 30);
        open.store.append(heartbeat("llama", at, Outcome::Warm, *millis));
    }
    open.checkpoint(&["llama"]).await;
    open.store.fold(now()).await.unwrap();
    let told = open.store.summaries(ago(200_000), now()).await.unwrap();
    let told = told.models[&model("llama")].warm.percentiles().unwrap();
    raw.sort_unstable();
    let exact = |percent: usize| raw[(raw.len() * percent).div_ceil(100) - 1] as f64 / 1e3;
    for (told, exact) in [(told.p50, exact(50)), (told.p90, exact(90)), (told.p99, exact(99))] {
        assert!((told - exact).abs() <= exact / 100.0, "{told} told, {exact} exact");
    }
    assert_eq!((told.count, told.min, told.max), (3000, exact(1).min(0.3), exact(100)));
    assert!(Distribution::default().percentiles().is_none());
}

#[tokio::test]
async fn what_was_spent_ahead_is_taken_back_and_what_was_sent_is_not() {
    let ahead = |seconds: i64| now() + TimeDelta::seconds(seconds);
    // By a clock three hours ahead: up to there unknown, then warm for ten seconds.
    let three = 3 * 3600;
    let entries = [
        spent("model-1", ago(20), ago(5), Spent::Warm),
        spent("model-1", ago(5), ahead(three), Spent::Unknown),
        heartbeat("model-1", ahead(three + 10), Outcome::Warm, 300),
        spent("model-1", ahead(three), ahead(three + 10), Spent::Warm),
    ];
    let right = [
        spent("model-1", ago(20), ago(5), Spent::Warm),
        spent("model-1", ago(5), now(), Spent::Unknown),
        heartbeat("model-1", ahead(three + 10), Outcome::Warm, 300),
    ];
    let open = Open::new(90 * DAY);
    open.store.append_all(entries.clone());
    open.store.set_back(now()).await.unwrap();
    let told = open.store.summaries(ago(3600), now()).await.unwrap();
    assert_eq!(told.models, expected(&right, told.since));
    let open = open.restart();
    let told = open.store.summaries(ago(3600), now()).await.unwrap();
    assert_eq!(told.models, expected(&right, told.since), "after a restart");
    // Told again when it has come, it is there once.
    open.store.append(spent("model-1", now(), ahead(60), Spent::Warm));
    let told = open.store.summaries(ago(3600), ahead(60)).await.unwrap();
    assert_eq!(told.models[&model("model-1")].spent.open(), Duration::from_secs(80));

    // Where all of it has left the journal by that clock: of the hour that is now, no more than has passed.
    let open = Open::new(90 * DAY);
    open.store.append_all(entries);
    open.checkpoint(&["model-1"]).await;
    assert!(open.store.fold(ahead(3 * three)).await.unwrap().folded > 0);
    open.store.set_back(now()).await.unwrap();
    let told = open.store.summaries(ago(3600), now()).await.unwrap();
    let told = &told.models[&model("model-1")];
    assert_eq!((told.count(Outcome::Warm), told.spent.warm), (1, Duration::from_secs(15)));
    let passed = (now() - time("2026-11-20T19:00:00Z")).to_std().unwrap();
    assert!(told.spent.open() <= passed, "{:?} of {passed:?}", told.spent);
}
