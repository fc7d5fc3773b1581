//! What becomes of the tail: after kills, power cuts, and whatever is done to its file.

mod bytes;

use super::*;
use crate::heartbeat::{Heartbeat, Outcome};
use crate::journal::{Spent, What};
use crate::store::calendar::Calendar;
use crate::store::file::{self, beside};
use crate::store::tail::ROOM;
use chrono::{DateTime, TimeDelta, Utc};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_660_000 + second, 0).unwrap()
}

fn beat_of(model: &str, number: i64, outcome: Outcome) -> Entry {
    let heartbeat =
        Heartbeat { total: Some(Duration::from_millis(400)), ..Heartbeat::at(at(number), outcome) };
    Entry {
        model: model.parse().unwrap(),
        at: at(number),
        what: What::Heartbeat { heartbeat, in_hours: true },
    }
}

fn beat(number: i64) -> Entry {
    beat_of("llama", number, Outcome::Warm)
}

fn beats(numbers: impl IntoIterator<Item = i64>) -> Vec<Entry> {
    numbers.into_iter().map(beat).collect()
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("warmd.db")
    }

    fn tail(&self) -> PathBuf {
        beside(&self.path(), file::TAIL)
    }

    fn open(&self) -> (Writer, Vec<Entry>) {
        let (writer, recovered) = Writer::new(file::open(&self.path()).unwrap(), Some(&self.tail())).unwrap();
        (writer, recovered.tail)
    }

    /// With a model that is known: the first entry is in the journal.
    fn begun(&self) -> Writer {
        let mut writer = self.open().0;
        put(&mut writer, &[beat(0)]);
        assert_eq!((rows(&writer), self.tail().exists()), (1, false));
        writer
    }

    /// What a kill would leave now: the files as they are.
    fn killed(&self) -> Self {
        let copy = Self::new();
        for file in fs::read_dir(self.0.path()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.0.path().join(file.file_name())).unwrap();
        }
        copy
    }

    /// What a start finds now.
    fn found(&self) -> Vec<Entry> {
        let (mut writer, found) = self.open();
        let told = count(&mut writer);
        assert_eq!(told, found.len() as u64, "the report counts each once");
        writer.settle().unwrap();
        assert_eq!(count(&mut writer), told);
        drop(writer);
        assert_eq!(self.open().1, found, "and so does the next start");
        found
    }
}

fn put(writer: &mut Writer, entries: &[Entry]) {
    writer.write(entries, &Notes::new()).unwrap();
}

fn rows(writer: &Writer) -> i64 {
    writer.connection.query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap()
}

/// The heartbeats that a report counts.
fn count(writer: &mut Writer) -> u64 {
    let calendar = Calendar::new(at(600), Duration::from_hours(90 * 24));
    let told = writer.summaries(None, at(-60), &calendar, &[]).unwrap();
    told.models.values().map(|sum| Outcome::ALL.iter().map(|one| sum.count(*one)).sum::<u64>()).sum()
}

#[test]
fn plain_entries_are_in_the_tail_alone_and_a_kill_leaves_them() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    for number in 1..=3 {
        put(&mut writer, &beats([number]));
        assert_eq!((rows(&writer), count(&mut writer)), (1, number as u64 + 1));
        assert_eq!(folder.killed().found(), beats(0..=number));
    }
    // The report of entries that could not be written counts them too, once.
    let calendar = Calendar::new(at(600), Duration::from_hours(90 * 24));
    let unsaved = writer.summaries(None, at(-60), &calendar, &beats([4])).unwrap();
    assert_eq!(unsaved.models.values().next().unwrap().count(Outcome::Warm), 5);
}

#[test]
fn a_clean_end_leaves_the_state_file_alone() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &beats([1]));
    assert!(folder.tail().exists());
    writer.finish().unwrap();
    assert_eq!((rows(&writer), folder.tail().exists()), (2, false));
    drop(writer);
    assert_eq!(folder.found(), beats(0..=1));
}

#[test]
fn what_must_be_in_the_tables_settles_all_at_once() {
    let failed = beat_of("llama", 2, Outcome::Failed);
    let note = Notes::from([("a".to_owned(), Some("b".to_owned()))]);
    let cases = [
        (vec![beat_of("whisper", 2, Outcome::Warm)], Notes::new()),
        (vec![beat_of("llama", 2, Outcome::Cold)], Notes::new()),
        (vec![failed.clone()], Notes::new()),
        (Vec::new(), note),
    ];
    for (entries, notes) in cases {
        let folder = Folder::new();
        let mut writer = folder.begun();
        put(&mut writer, &beats([1]));
        writer.write(&entries, &notes).unwrap();
        assert_eq!((rows(&writer), writer.pending.body().len()), (2, 0), "{entries:?}");
        let all = [beats(0..=1), entries].concat();
        assert_eq!(folder.killed().found(), all);
        fs::remove_file(folder.tail()).unwrap();
        assert_eq!(folder.killed().found(), all);
    }
    // The second failure of a row is no event; that a new hour has begun must be in no table at once.
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &[failed]);
    put(&mut writer, &[beat_of("llama", 3, Outcome::Failed), beat(7200)]);
    assert_eq!(rows(&writer), 2);
    let seen = |writer: &Writer| -> i64 {
        writer.connection.query_row("SELECT seen FROM model", [], |row| row.get(0)).unwrap()
    };
    let before = seen(&writer);
    writer.settle().unwrap();
    assert_eq!(seen(&writer), before + 7200);
}

#[test]
fn what_is_large_goes_into_the_journal_at_once_in_rows_of_a_bounded_size() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &beats([1]));
    let end = 2 + 2 * i64::try_from(ROW).unwrap();
    put(&mut writer, &beats(2..end));
    assert_eq!((rows(&writer), writer.pending.body().len()), (3, 0));
    assert_eq!(folder.killed().found(), beats(0..end));
}

/// Writes until the tail is settled, and says up to which number.
fn fill(writer: &mut Writer, from: i64) -> i64 {
    let before = rows(writer);
    let mut number = from;
    while rows(writer) == before {
        put(writer, &beats(number..number + 200));
        number += 200;
    }
    number
}

#[test]
fn a_full_tail_is_settled_and_begun_anew_once_the_disk_keeps_that() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    let first = fill(&mut writer, 1);
    assert!(first > 4000 && writer.is_crowded());
    let size = fs::metadata(folder.tail()).unwrap().len();
    assert!((ROOM - 2 * LARGE as u64..=ROOM).contains(&size), "{size} B");
    // Until it does, there is no room in it; what it holds stays.
    let before = fs::read(folder.tail()).unwrap();
    let next = first + 200;
    put(&mut writer, &beats(first..next));
    assert_eq!((rows(&writer), fs::read(folder.tail()).unwrap() == before), (3, true));
    writer.sync().unwrap();
    assert!(!writer.is_crowded());
    put(&mut writer, &beats(next..next + 200));
    assert_eq!((rows(&writer), fs::metadata(folder.tail()).unwrap().len()), (3, size));
    // What is left in it of before is not believed.
    assert_eq!(folder.killed().found(), beats(0..next + 200));
    let second = fill(&mut writer, next + 200);
    assert_eq!(folder.killed().found(), beats(0..second));
    assert!(fs::metadata(folder.tail()).unwrap().len() <= ROOM);
}

#[test]
fn a_crash_between_the_settling_and_the_next_record_doubles_nothing() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &beats([1, 2]));
    let tail = fs::read(folder.tail()).unwrap();
    writer.settle().unwrap();
    writer.sync().unwrap();
    assert_eq!(fs::read(folder.tail()).unwrap(), tail, "it is still there");
    assert_eq!(folder.killed().found(), beats(0..=2));
    // Also where a checkpoint has taken the rows' place, and they are folded.
    writer.checkpoint(&[("llama".parse().unwrap(), "{}".to_owned())].into()).unwrap();
    while !writer.fold(&Calendar::new(at(4 * 3600), Duration::from_hours(24))).unwrap().last {}
    assert_eq!(rows(&writer), 0);
    let killed = folder.killed();
    let (mut after, recovered) = killed.open();
    assert_eq!((recovered.len(), rows(&after)), (0, 0));
    // The numbers of rows go on, and the tail with them.
    put(&mut after, &beats([3]));
    assert_eq!(killed.killed().open().1, beats([3]));
}

#[test]
fn a_checkpoint_knows_of_what_is_pending() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &beats([1]));
    writer.checkpoint(&[("llama".parse().unwrap(), "{}".to_owned())].into()).unwrap();
    put(&mut writer, &beats([2]));
    assert_eq!(folder.killed().open().1, beats([2]));
    assert_eq!(count(&mut folder.killed().open().0), 3);
}

#[test]
fn a_power_cut_that_takes_rows_from_the_journal_leaves_them_in_the_tail() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &beats([1, 2]));
    // The disk keeps the tables as they are now, and the tail as it is in the end.
    let cut = folder.killed();
    put(&mut writer, &[beat_of("llama", 3, Outcome::Cold)]);
    put(&mut writer, &beats([4]));
    put(&mut writer, &beats([5]));
    fs::copy(folder.tail(), cut.tail()).unwrap();
    let again = cut.killed();
    assert_eq!(cut.found(), beats([0, 1, 2, 4, 5]), "an event is never in the tail");
    // The row after that has a number that no record bears.
    let (mut writer, _) = again.open();
    assert_eq!(writer.pending_entries(), beats([1, 2, 4, 5]));
    put(&mut writer, &beats([6]));
    assert_eq!(rows(&writer), 2, "what was recovered is settled with the next write");
    put(&mut writer, &beats([7]));
    assert_eq!(again.killed().found(), beats([0, 1, 2, 4, 5, 6, 7]));
}

#[test]
fn a_tail_of_a_later_state_or_of_another_file_is_left_out() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &beats([1]));
    let (older, other) = (folder.killed(), Folder::new());
    drop(other.begun());
    fs::remove_file(older.tail()).unwrap();
    put(&mut writer, &[beat_of("llama", 2, Outcome::Cold)]);
    put(&mut writer, &beats([3]));
    for (folder_then, what) in [(&older, "older"), (&other, "other")] {
        fs::copy(folder.killed().tail(), folder_then.tail()).unwrap();
        if what == "older" {
            // The older file's own row is not in this tail.
            writer.sync().unwrap();
            put(&mut writer, &[beat_of("llama", 4, Outcome::Cold)]);
            writer.sync().unwrap();
            put(&mut writer, &beats([5]));
            fs::copy(folder.tail(), folder_then.tail()).unwrap();
        }
        let (mut after, recovered) = folder_then.open();
        assert_eq!(recovered, beats([0]), "{what}");
        put(&mut after, &beats([6]));
        put(&mut after, &beats([7]));
        assert_eq!(folder_then.killed().found(), beats([0, 6, 7]), "{what}");
    }
}

#[test]
fn a_model_that_the_file_does_not_know_is_not_believed() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &beats([1]));
    writer.connection.execute("DELETE FROM model", []).unwrap();
    let (after, recovered) = folder.killed().open();
    assert_eq!((recovered.len(), after.pending.body().len()), (0, 0));
}

#[test]
fn a_tail_that_is_deleted_or_replaced_under_the_daemon_costs_nothing() {
    for replaced in [false, true] {
        let folder = Folder::new();
        let mut writer = folder.begun();
        put(&mut writer, &beats([1]));
        if replaced {
            fs::write(folder.0.path().join("new"), "of somebody else").unwrap();
            fs::rename(folder.0.path().join("new"), folder.tail()).unwrap();
        } else {
            fs::remove_file(folder.tail()).unwrap();
        }
        put(&mut writer, &beats([2]));
        assert_eq!((rows(&writer), folder.killed().found()), (2, beats(0..=2)));
        put(&mut writer, &beats([3]));
        assert_eq!((rows(&writer), folder.killed().found()), (2, beats(0..=3)));
    }
}

#[test]
fn where_no_tail_can_be_written_the_state_file_takes_it() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    fs::create_dir(folder.tail()).unwrap();
    for number in 1..=2 {
        put(&mut writer, &beats([number]));
        assert_eq!(rows(&writer), number + 1);
    }
    fs::remove_dir(folder.tail()).unwrap();
    put(&mut writer, &beats([3]));
    assert_eq!((rows(&writer), folder.killed().found()), (3, beats(0..=3)));
}

#[test]
fn what_no_transaction_takes_stays_pending_and_is_not_there_twice() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    put(&mut writer, &beats([1]));
    let other = rusqlite::Connection::open(folder.path()).unwrap();
    other.execute("INSERT INTO journal (id, until, body) VALUES (2, 0, x'')", []).unwrap();
    let cold = beat_of("llama", 2, Outcome::Cold);
    writer.write(std::slice::from_ref(&cold), &Notes::new()).unwrap_err();
    assert_eq!((count(&mut writer), writer.pending_entries()), (2, beats([1])));
    other.execute("DELETE FROM journal WHERE id = 2", []).unwrap();
    put(&mut writer, std::slice::from_ref(&cold));
    assert_eq!(folder.killed().found(), [beats(0..=1), vec![cold]].concat());
}

#[test]
fn a_clock_that_is_set_back_takes_back_what_is_pending_too() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    let spent = What::Spent { from: at(0), to: at(30), how: Spent::Warm };
    put(&mut writer, &[beat(30), Entry { what: spent, ..beat(30) }]);
    writer.set_back(at(10)).unwrap();
    let calendar = Calendar::new(at(10), Duration::from_hours(24));
    let told = writer.summaries(None, at(-60), &calendar, &[]).unwrap();
    assert_eq!(told.models.values().next().unwrap().spent.warm, Duration::from_secs(10));
}

#[test]
fn a_model_that_is_pending_alone_is_not_forgotten() {
    let folder = Folder::new();
    let mut writer = folder.begun();
    writer.checkpoint(&[("whisper".parse().unwrap(), "{}".to_owned())].into()).unwrap();
    let later = at(90 * 86_400);
    put(&mut writer, &[Entry { at: later, ..beat(1) }]);
    writer.connection.execute("DELETE FROM event", []).unwrap();
    let calendar = Calendar::new(later + TimeDelta::hours(1), Duration::from_hours(24));
    while !writer.fold(&calendar).unwrap().last {}
    assert_eq!(writer.names.find(&"llama".parse().unwrap()), Some(1));
    assert_eq!(folder.killed().open().1, [Entry { at: later, ..beat(1) }]);
}
