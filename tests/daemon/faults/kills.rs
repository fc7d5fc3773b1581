//! Killed at any moment, under load: nothing that was saved is lost, nothing is counted twice.
//!
//! At each start the daemon's wall clock is set to just before the minute at which the journal is folded, an
//! hour after the last: so kills meet starts, heartbeats, writes, checkpoints and folds. After each, the
//! state file is read as it was left, and held against what the sandbox has seen.

use crate::sandboxed::Replicate;
use crate::support::{Home, PATIENCE, Warmd, wait_until};
use crate::wall::Wall;
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use warmd::clock::{self, Stopwatch};
use warmd::heartbeat::Outcome;
use warmd::sandbox::{Conduct, ModelSettings, PredictionTruth, Rate, Settings, Spread};
use warmd::state::Known;
use warmd::store::{Store, Summary};

/// How many models there are, each beaten once a second.
const MODELS: usize = 12;
/// How many kills, unless `$WARMD_KILLS` says otherwise.
const KILLS: usize = 50;
const RETENTION: Duration = Duration::from_hours(90 * 24);
/// What a kill may cost: the last second, and what was in flight then; in seconds.
const LAST: f64 = 1.0 + 0.25;
/// How much longer things take, at most, than the machine holds up a thread that wants to run.
const HELD_UP: f64 = 5.0;

fn name(number: usize) -> String {
    format!("model-{number:02}")
}

fn sandbox() -> Replicate {
    let conduct = Conduct {
        idle_timeout: Duration::from_mins(10),
        boot: Spread::millis(10, 50),
        wait: Spread::millis(1, 5),
        predict: Spread::millis(5, 30),
        ..Conduct::default()
    };
    let models = (0..MODELS).map(|number| ModelSettings::new("acme", &name(number), conduct.clone()));
    let (creates, calls) = (Rate::per_minute(100_000), Rate::per_minute(100_000));
    Replicate::start(Settings { models: models.collect(), creates, calls, ..Settings::default() })
}

/// What the state file holds, read from a copy of it.
struct Kept {
    sums: BTreeMap<String, Summary>,
    paused: bool,
}

impl Kept {
    fn read(home: &Home, now: DateTime<Utc>) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for name in ["warmd.db", "warmd.db-wal", "warmd.db-tail"] {
            if home.path(name).exists() {
                fs::copy(home.path(name), copy.path().join(name)).unwrap();
            }
        }
        let path = copy.path().join("warmd.db");
        check(&path);
        let (store, recovered) = Store::open(&path, RETENTION).unwrap();
        assert!(store.health().notes().is_empty(), "{:?}", store.health());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sums = runtime.block_on(store.summaries(now - RETENTION, now)).unwrap().models;
        let first = recovered.checkpoints.get(name(0).as_str());
        let mut known: Known = first.map(|known| serde_json::from_str(known).unwrap()).unwrap_or_default();
        recovered
            .tail
            .iter()
            .filter(|entry| entry.model.as_str() == name(0))
            .for_each(|entry| known.apply(entry));
        let sums = sums.into_iter().map(|(name, sum)| (name.as_str().to_owned(), sum)).collect();
        Self { sums, paused: known.pause.is_some() }
    }

    fn answered(&self, model: &str) -> usize {
        let answers = [Outcome::Warm, Outcome::Cold, Outcome::Busy, Outcome::Failed, Outcome::Calibration];
        let sum = self.sums.get(model);
        sum.map_or(0, |sum| answers.map(|outcome| sum.count(outcome) as usize).iter().sum())
    }

    /// The longest time that is accounted for of any model.
    fn hours(&self) -> Duration {
        let spent = self.sums.values().map(|sum| sum.spent.warm + sum.spent.cold + sum.spent.unknown);
        spent.max().unwrap_or_default()
    }
}

/// SQLite opens it, and finds nothing wrong with it.
fn check(file: &Path) {
    if file.exists() {
        let file = rusqlite::Connection::open(file).unwrap();
        let said: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(said, "ok");
    }
}

/// What the sandbox has seen, as much of it as is new.
#[derive(Default)]
struct Seen(usize);

impl Seen {
    /// When each model's predictions since the last look were created, by a daemon that was started then.
    fn look(
        &mut self,
        replicate: &Replicate,
        started: DateTime<Utc>,
    ) -> BTreeMap<String, Vec<DateTime<Utc>>> {
        let truth = replicate.sandbox().truth().predictions;
        let mut new: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
        for PredictionTruth { model, created_at, .. } in
            truth[self.0..].iter().filter(|one| one.created_at >= started)
        {
            new.entry(model.strip_prefix("acme/").unwrap().to_owned()).or_default().push(*created_at);
        }
        self.0 = truth.len();
        new
    }
}

/// How long the machine holds up a thread that wants to run: what a test may blame on it.
struct HeldUp {
    micros: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl HeldUp {
    fn watch() -> Self {
        let (micros, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (longest, stopped) = (micros.clone(), stop.clone());
        let nap = Duration::from_millis(5);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let watch = Stopwatch::start();
                thread::sleep(nap);
                let late = watch.elapsed().saturating_sub(nap);
                longest.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            }
        });
        Self { micros, stop, thread: Some(thread) }
    }

    /// The longest since it was last asked for, in seconds.
    fn longest(&self) -> f64 {
        self.micros.swap(0, Ordering::Relaxed) as f64 / 1e6
    }
}

impl Drop for HeldUp {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Numbers by chance, other ones in each run.
struct Chance(u64);

impl Chance {
    /// Between 0 and 1.
    fn draw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A daemon by that clock, which folds its journal although the clock was set a moment ago.
fn spawn(home: &Home, wall: &Wall) -> Warmd {
    let mut command = wall.warmd(home);
    command.env("WARMD_BELIEVE_CLOCK", "yes");
    Warmd::spawn(command)
}

/// Whether the daemon answers with its status.
fn answers(home: &Home) -> bool {
    let Ok(mut socket) = UnixStream::connect(home.path("warmd.sock")) else { return false };
    let mut answer = String::new();
    let asked = socket.write_all(b"GET /v1/status HTTP/1.1\r\nhost: warmd\r\nconnection: close\r\n\r\n");
    asked.is_ok() && socket.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// `min / median / max`.
fn figures(mut seconds: Vec<f64>) -> String {
    seconds.sort_by(f64::total_cmp);
    let (first, last) = (seconds[0], seconds[seconds.len() - 1]);
    format!("{first:.3} / {:.3} / {last:.3} s of {}", seconds[seconds.len() / 2], seconds.len())
}

/// The next time that is two minutes past an hour, which is when the journal is folded.
fn next_fold(now: DateTime<Utc>) -> DateTime<Utc> {
    let hour = now.with_minute(2).unwrap().with_second(0).unwrap().with_nanosecond(0).unwrap();
    hour + TimeDelta::hours(1)
}

#[test]
fn a_kill_at_any_moment_costs_the_last_second_and_doubles_nothing() {
    let kills = std::env::var("WARMD_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let replicate = sandbox();
    let config = replicate.config(MODELS, "1s");
    let home = Home::at_trace(&config.replace("[replicate]\n", "[replicate]\ncreates_per_minute = 100000\n"));
    let wall = Wall::at(&home, "2026-01-05T00:02:00Z");
    let mut chance = Chance(clock::now().timestamp_micros() as u64);
    let (held_up, mut seen, mut counted) = (HeldUp::watch(), Seen::default(), BTreeMap::new());
    let (mut to_answer, mut to_beat, mut folds, mut lost, mut oldest) =
        (Vec::new(), Vec::new(), 0, 0, 0.0_f64);
    let (mut began, mut paused) = (None, false);
    for round in 0..kills {
        wall.set(
            &(next_fold(wall.now()) - TimeDelta::milliseconds((900.0 * chance.draw()) as i64)).to_rfc3339(),
        );
        began.get_or_insert(wall.now());
        let (exec, watch) = (clock::now(), Stopwatch::start());
        let warmd = spawn(&home, &wall);
        // The first is left alone until it is well under way.
        let live = match chance.draw() {
            _ if round == 0 => 2.0,
            early if early < 0.6 => chance.draw() * 0.8,
            _ => 0.8 + chance.draw() * 1.8,
        };
        let over = || watch.elapsed().as_secs_f64() >= live;
        while !over() && !answers(&home) {
            thread::sleep(Duration::from_millis(2));
        }
        if !over() {
            to_answer.push(watch.elapsed().as_secs_f64());
            let verb = if paused { "resume" } else { "pause" };
            if chance.draw() < 0.3 && home.ctl(&[verb, &name(0)]).status.success() {
                paused = !paused;
            } else {
                home.ctl(&["beat", &name(1 + (chance.draw() * (MODELS - 1) as f64) as usize)]);
            }
        }
        while !over() {
            thread::sleep(Duration::from_millis(2));
        }
        folds += usize::from(
            warmd.log().iter().any(|line| line.contains("Folded { folded: ") && !line.contains("folded: 0,")),
        );
        warmd.signal("-KILL");
        let killed = clock::now();
        warmd.kill();
        let wall_now = wall.now();
        let kept = Kept::read(&home, wall_now);
        let new = seen.look(&replicate, exec);
        to_beat.extend(new.values().flatten().min().map(|first| (*first - exec).as_seconds_f64()));
        let allowed = LAST + HELD_UP * held_up.longest();
        for number in 0..MODELS {
            let name = name(number);
            let (created, before) =
                (new.get(&name).map_or(&[][..], Vec::as_slice), counted.get(&name).copied().unwrap_or(0));
            let now = kept.answered(&name);
            assert!(
                (before..=before + created.len()).contains(&now),
                "round {round}: {name}: {now} are counted, of {before} before and {} since",
                created.len()
            );
            let missing = before + created.len() - now;
            if missing > 0 {
                // Entries are saved in their order: the last ones are missing.
                let age = (killed - created[created.len() - missing]).as_seconds_f64();
                assert!(age <= allowed, "round {round}: {name}: one of {age:.2} s before the kill is lost");
                (lost, oldest) = (lost + missing, oldest.max(age));
            }
            counted.insert(name, now);
        }
        assert_eq!(kept.paused, paused, "round {round}: what a person decided outlives the kill");
        let passed = (wall_now - began.unwrap()).to_std().unwrap();
        assert!(kept.hours() <= passed, "round {round}: {:?} of {passed:?} are accounted for", kept.hours());
    }
    // What is there in the end is what a report tells, to the last heartbeat.
    let (exec, warmd) = (clock::now(), spawn(&home, &wall));
    wait_until("it answers", PATIENCE, || answers(&home));
    assert!(home.ctl(&["pause", "--all"]).status.success());
    wait_until("each heartbeat since the last kill is counted once", PATIENCE, || {
        let (new, models) =
            (Seen(seen.0).look(&replicate, exec), home.json(&["status", "--since", "90d"])["models"].clone());
        models.as_array().unwrap().iter().all(|model| {
            let name = model["name"].as_str().unwrap();
            let counts = ["warm", "cold", "busy", "failed", "calibration"]
                .map(|outcome| model["counts"][outcome].as_u64().unwrap());
            counts.iter().sum::<u64>() as usize == counted[name] + new.get(name).map_or(0, Vec::len)
        })
    });
    let passed = (wall.now() - began.unwrap()).as_seconds_f64();
    let open = home.json(&["status", "--since", "90d"])["models"][0]["hours"]["open"].as_f64().unwrap();
    assert!((passed - 10.0..=passed).contains(&open), "{open} s of {passed} s are accounted for");
    assert!(warmd.stop().success());
    println!(
        "measured: {kills} kills, {folds} folds, {} heartbeats, {lost} lost by the kills, the oldest {oldest:.2} s before \
         its kill\nmeasured: kills: from exec to the status: {}\nmeasured: kills: from exec to the first heartbeat: {}",
        seen.0,
        figures(to_answer),
        figures(to_beat)
    );
    assert!(folds > 0 || kills < 20 || !cfg!(debug_assertions), "no kill had a chance to meet a fold");
}
