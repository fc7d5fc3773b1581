//! A daemon killed at any moment: it loses at most the last second, and nothing is there twice.
//!
//! The test starts itself as a child, which appends numbered entries, takes checkpoints and folds
//! without a pause, and is killed; the parent then looks into the file.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use chrono::{DateTime, TimeDelta, Utc};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use warmd::clock;
use warmd::config::value::ModelName;
use warmd::heartbeat::{Heartbeat, Outcome};
use warmd::journal::{Entry, What};
use warmd::store::{Recovered, Store};

const RETENTION: Duration = Duration::from_hours(90 * 24);
/// Set in the child: the state file.
const STATE: &str = "WARMD_TEST_KILLED_STATE";
/// Set in the child: after how many entries it takes a checkpoint.
const CHECKPOINT: &str = "WARMD_TEST_KILLED_CHECKPOINT";
/// Set in the child: how many µs it waits after each entry.
const WAIT: &str = "WARMD_TEST_KILLED_WAIT";
/// What a kill may cost (a second), and what a busy machine adds to it.
const LAST: Duration = Duration::from_millis(1000 + 1500);

fn model() -> ModelName {
    "llama".parse().unwrap()
}

/// The instant of an entry: a second each, long ago enough to be folded at once.
fn at(number: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_600_000 + i64::try_from(number).unwrap(), 0).unwrap()
}

fn numbered(number: u64) -> Entry {
    let heartbeat =
        Heartbeat { total: Some(Duration::from_micros(number)), ..Heartbeat::at(at(number), Outcome::Warm) };
    Entry { model: model(), at: at(number), what: What::Heartbeat { heartbeat, in_hours: true } }
}

/// The last number in the file, if all up to it are there, once, in order.
fn last(recovered: &Recovered) -> u64 {
    let known: u64 = recovered.checkpoints.get(&model()).map_or(0, |state| state.parse().unwrap());
    let last = known + recovered.tail.len() as u64;
    let expected: Vec<Entry> = (known + 1..=last).map(numbered).collect();
    assert_eq!(recovered.tail, expected, "after the checkpoint at {known}");
    last
}

/// The child; of itself, with nothing to do, it passes.
#[test]
fn child() {
    let Some(path) = std::env::var_os(STATE) else { return };
    let (store, recovered) = Store::open(Path::new(&path), RETENTION).unwrap();
    let checkpoint: u64 = std::env::var(CHECKPOINT).unwrap().parse().unwrap();
    let wait = Duration::from_micros(std::env::var(WAIT).unwrap().parse().unwrap());
    let mut number = last(&recovered);
    let mut out = std::io::stdout().lock();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    loop {
        number += 1;
        store.append(numbered(number));
        writeln!(out, "n {number}").unwrap();
        out.flush().unwrap();
        thread::sleep(wait);
        if number.is_multiple_of(checkpoint) {
            runtime.block_on(store.checkpoint([(model(), number.to_string())].into())).unwrap();
        }
        if number.is_multiple_of(checkpoint * 3) {
            runtime.block_on(store.fold(at(number) + TimeDelta::hours(4))).unwrap();
        }
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn start(path: &Path, checkpoint: u64, wait: u64) -> Running {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(STATE, path)
        .env(CHECKPOINT, checkpoint.to_string())
        .env(WAIT, wait.to_string())
        .stdout(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

#[test]
fn a_kill_costs_at_most_the_last_second_and_doubles_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("warmd.db");
    let (mut before, mut tails) = (0, 0);
    for round in 0..12_u32 {
        // Busy rounds, in which a kill meets a checkpoint or a fold; quiet ones, in which only the
        // pace of the writes decides what is in the file: the journal, or the tail where they are small.
        let (checkpoint, wait) = [(100, 500), (1_000_000, 500), (1_000_000, 4000)][round as usize % 3];
        let mut child = start(&path, checkpoint, wait);
        let out = BufReader::new(child.0.stdout.take().unwrap());
        let (tell, told) = mpsc::channel();
        let reader = thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some(number) = line.strip_prefix("n ").and_then(|n| n.parse::<u64>().ok()) {
                    let _ = tell.send((number, clock::instant()));
                }
            }
        });
        let mut numbers: Vec<(u64, Instant)> = vec![told.recv_timeout(Duration::from_mins(1)).unwrap()];
        // Any moment: from before the first write to well after some folds.
        let moment =
            100 + u64::from(clock::now().timestamp_subsec_micros()) % 900 + u64::from(round % 4) * 1000;
        thread::sleep(Duration::from_millis(moment));
        let killed = clock::instant();
        drop(child);
        reader.join().unwrap();
        numbers.extend(told.try_iter());
        let printed = numbers[numbers.len() - 1].0;
        let safe =
            numbers.iter().rev().find(|(_, at)| *at + LAST <= killed).map_or(before, |(number, _)| *number);

        let tail = std::fs::metadata(path.with_file_name("warmd.db-tail")).is_ok();
        let (store, recovered) = Store::open(&path, RETENTION).unwrap();
        let kept = last(&recovered);
        tails += usize::from(tail);
        // The last append may have been on its way to the pipe.
        assert!(
            (safe..=printed + 1).contains(&kept),
            "round {round}: {safe} safe, {printed} printed, {kept} kept"
        );
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let told = store.summaries(at(0), at(kept) + TimeDelta::hours(4)).await.unwrap();
            let llama = told.models.get(&model()).cloned().unwrap_or_default();
            assert_eq!((llama.count(Outcome::Warm), llama.warm.count()), (kept, kept), "round {round}");
        });
        before = kept;
    }
    assert!(before > 0 && tails > 0, "nothing was ever written, or never into a tail");
}
