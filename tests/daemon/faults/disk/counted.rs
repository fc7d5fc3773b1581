//! What is counted, held against what the sandbox has seen.

use crate::sandboxed::Replicate;
use crate::support::{Home, PATIENCE, Warmd, wait_until};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::process::Command;
use std::thread;
use std::time::Duration;
use warmd::sandbox::{Conduct, Spread};

/// Answers at once, and stays up.
pub(super) fn quick() -> Conduct {
    Conduct {
        idle_timeout: Duration::from_mins(10),
        boot: Spread::millis(10, 20),
        wait: Spread::millis(1, 3),
        predict: Spread::millis(5, 20),
        ..Conduct::default()
    }
}

/// Does the same for each, side by side.
pub(super) fn each<T: Copy + Send>(of: &[T], test: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        let tests: Vec<_> = of.iter().map(|one| (*one, &test)).collect();
        for (one, test) in tests {
            scope.spawn(move || test(one));
        }
    });
}

/// What the status says of the daemon itself.
pub(super) fn notes(home: &Home) -> Vec<String> {
    let notes = home.status()["daemon"]["notes"].clone();
    notes.as_array().unwrap().iter().map(|note| note.as_str().unwrap().to_owned()).collect()
}

pub(super) fn noted(home: &Home, words: &[&str]) -> bool {
    notes(home).iter().any(|note| words.iter().all(|word| note.contains(word)))
}

/// Waits until a note of the daemon's has all these words.
pub(super) fn wait_for_note(home: &Home, words: &[&str]) {
    wait_until(&format!("a note with {words:?}"), PATIENCE, || noted(home, words));
}

pub(super) fn answered(model: &Value) -> u64 {
    let outcomes = ["warm", "cold", "busy", "failed", "calibration"];
    outcomes.iter().map(|outcome| model["counts"][*outcome].as_u64().unwrap()).sum()
}

pub(super) fn counts(status: &Value) -> Vec<u64> {
    status["models"].as_array().unwrap().iter().map(answered).collect()
}

/// Waits until each model has had so many answers more than it has now.
pub(super) fn wait_for_more(home: &Home, more: u64) {
    let before = counts(&home.status());
    wait_until("more heartbeats are counted", PATIENCE, || {
        counts(&home.status()).iter().zip(&before).all(|(now, before)| *now >= before + more)
    });
}

/// How many predictions the sandbox has had of each model: what there is to be counted.
pub(super) fn truly(replicate: &Replicate, models: usize) -> Vec<u64> {
    let truth = replicate.sandbox().truth();
    let of =
        |number| truth.predictions.iter().filter(move |one| one.model == format!("acme/model-{number:02}"));
    (0..models).map(|number| of(number).count() as u64).collect()
}

/// With no heartbeat to come any more, each that there was is counted, and none twice.
pub(super) fn all_are_counted_once(home: &Home, replicate: &Replicate, models: usize) {
    assert!(home.ctl(&["pause", "--all"]).status.success());
    wait_until("each heartbeat is counted once", PATIENCE, || {
        counts(&home.status()) == truly(replicate, models)
    });
}

/// The same, after a kill and a restart.
pub(super) fn and_all_are_saved(home: &Home, replicate: &Replicate, warmd: Warmd, start: impl Fn() -> Warmd) {
    let models = counts(&home.status()).len();
    all_are_counted_once(home, replicate, models);
    warmd.kill();
    let warmd = start();
    assert_eq!((notes(home).len(), counts(&home.status())), (0, truly(replicate, models)));
    assert!(warmd.stop().success());
}

/// The longest that the sandbox had to wait for the next heartbeat of any of its models, from then on.
pub(super) fn longest_gap(replicate: &Replicate, models: usize, since: DateTime<Utc>) -> f64 {
    let truth = replicate.sandbox().truth();
    let longest = |number| {
        let of = truth.predictions.iter().filter(|one| one.model == format!("acme/model-{number:02}"));
        let created: Vec<_> = of.map(|one| one.created_at).filter(|at| *at >= since).collect();
        let gaps = created.windows(2).map(|two| (two[1] - two[0]).as_seconds_f64());
        gaps.fold(0.0, f64::max)
    };
    (0..models).map(longest).fold(0.0, f64::max)
}

/// Starts a daemon, and waits until it answers.
pub(super) fn answering(home: &Home, command: Command) -> Warmd {
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status", "--json"]).status.success());
    warmd
}
