//! What the tail spares: the bytes that a heartbeat costs, at the pace of the daemon.

use super::*;
use crate::config::value::ModelName;
use crate::heartbeat::{Certainty, Evidence};

/// What this thread has handed to the system to be written, and how much of files' pages that has dirtied.
fn written() -> (u64, u64) {
    let io = fs::read_to_string("/proc/thread-self/io").unwrap();
    let figure =
        |name: &str| io.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().parse().unwrap();
    (figure("wchar:"), figure("write_bytes:"))
}

/// A fleet's heartbeats, each with the stretch that it vouches for.
struct Fleet {
    models: i64,
    interval: i64,
    /// The next: it is due that many µs after the start.
    due: i64,
    chance: u64,
}

impl Fleet {
    /// Those of the next `micros`.
    fn beats(&mut self, until: i64) -> Vec<Entry> {
        let mut entries = Vec::new();
        while self.due < until {
            self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let some = |upto: u64| Duration::from_micros((self.chance >> 33) % upto);
            let due = at(0) + TimeDelta::microseconds(self.due);
            let (predict, wait) = (Duration::from_millis(200) + some(200_000), some(60_000));
            let total = predict + wait + some(20_000);
            let done = due + some(2000) + total;
            let heartbeat = Heartbeat {
                due_at: due,
                sent_at: due + some(2000),
                done_at: done,
                outcome: Outcome::Warm,
                evidence: Some(Evidence::QueueWait),
                certainty: Certainty::FULL,
                total: Some(total),
                wait: Some(wait),
                predict: Some(predict),
                error: None,
                rejection: None,
            };
            let number = self.due * self.models / self.interval % self.models;
            let model: ModelName = format!("model-{number}").parse().unwrap();
            let before = done - TimeDelta::microseconds(self.interval) + some(100_000);
            let spent = What::Spent { from: before, to: done, how: Spent::Warm };
            let what = What::Heartbeat { heartbeat, in_hours: true };
            entries.push(Entry { model: model.clone(), at: done, what });
            entries.push(Entry { model, at: done, what: spent });
            self.due += self.interval / self.models;
        }
        entries
    }
}

/// At the pace of the store's thread, with its syncs, a checkpoint and a fold each hour.
fn bytes_a_heartbeat(models: i64, interval: i64, seconds: i64) -> (u64, u64) {
    // Beside the program: a temporary folder may be no disk, and its pages count for nothing.
    let program = std::env::current_exe().unwrap();
    let folder = Folder(TempDir::new_in(program.parent().unwrap()).unwrap());
    let mut writer = folder.open().0;
    let (write, sync, crowded, hour) = (750_000, 10_000_000, 2_000_000, 3_600_000_000_i64);
    let mut fleet = Fleet { models, interval: interval * 1_000_000, due: 0, chance: 1 };
    put(&mut writer, &fleet.beats(interval * 1_000_000));
    writer.sync().unwrap();
    let (first, before) = (fleet.due, written());
    let (mut synced, mut saved) = (first, first);
    for now in (first + write..=first + seconds * 1_000_000).step_by(write as usize) {
        put(&mut writer, &fleet.beats(now));
        if now - synced >= if writer.is_crowded() { crowded } else { sync } {
            writer.sync().unwrap();
            synced = now;
        }
        if now - saved >= hour {
            let state = |number| (format!("model-{number}").parse().unwrap(), "x".repeat(800));
            writer.checkpoint(&(0..models).map(state).collect()).unwrap();
            let calendar = Calendar::new(at(now / 1_000_000), Duration::from_hours(90 * 24));
            while !writer.fold(&calendar).unwrap().last {}
            saved = now;
        }
    }
    let (after, beats) = (written(), ((fleet.due - first) * models / fleet.interval) as u64);
    ((after.0 - before.0) / beats, (after.1 - before.1) / beats)
}

#[test]
fn a_heartbeat_takes_less_than_200_bytes_however_many_there_are() {
    // The first is long enough for the journal to be folded, which holds the last two hours.
    let fleets = [(300, 30, 5 * 3600), (3000, 30, 600), (1000, 1, 60), (90, 30, 1800), (30, 30, 1800)];
    for (models, interval, seconds) in fleets {
        let (bytes, pages) = bytes_a_heartbeat(models, interval, seconds);
        println!(
            "measured: {} a second: {bytes} B a heartbeat written, {pages} B of pages",
            models / interval
        );
        assert!(bytes < 200, "{} a second: {bytes} B", models / interval);
        // Of fewer, each sync has the disk keep a page that is mostly empty.
        assert!(pages < 200 || models / interval < 10, "{} a second: {pages} B of pages", models / interval);
    }
}
