//! What waits for the store's thread: entries to be written, and commands, in their order; and notes, of which
//! the latest of each name counts.
//!
//! Owns the bounds. An append never waits and never fails; where the file can't be written for
//! long, entries wait here, and beyond the bound the oldest plain heartbeats are dropped first,
//! counted, and told in [`Health`].

use super::error::StoreError;
use super::health::Health;
use super::thread::Command;
use crate::clock;
use crate::journal::{Entry, What};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The most entries that wait: some 20 MB; half an hour of 1,000 models at an interval of 30 s.
const ENTRIES: usize = 65_536;
/// So many have room whatever came last.
const ROOM: usize = 64;
/// The most commands that wait.
const COMMANDS: usize = 256;

/// What the thread does next.
#[derive(Debug)]
pub(super) struct Work {
    /// To be written first.
    pub(super) entries: Vec<Entry>,
    /// To be written with them.
    pub(super) notes: Notes,
    /// Then to be carried out; it was given after those entries.
    pub(super) command: Option<Box<Command>>,
    /// Nothing more will come.
    pub(super) last: bool,
}

/// Notes by their names; none for one that is taken out. Bounded by the names that whoever keeps them has.
pub(super) type Notes = BTreeMap<String, Option<String>>;

#[derive(Debug)]
enum Item {
    Entry(Entry),
    Command(Box<Command>),
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    items: VecDeque<Item>,
    notes: Notes,
    entries: usize,
    commands: usize,
    /// Entries that the thread has taken and not written yet.
    in_hand: usize,
    /// It is at work with what it took last.
    at_work: bool,
    closing: bool,
    /// The file is another than at the start, and knows nothing yet of what is known.
    wants_checkpoint: bool,
    health: Health,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds entries that belong together: they are written in one transaction.
    pub(super) fn append(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut waiting = self.waiting();
        let asleep = !waiting.writes();
        for entry in entries {
            if waiting.health.stopped {
                waiting.health.dropped += 1;
                continue;
            }
            if waiting.entries + waiting.in_hand >= ENTRIES {
                waiting.shed();
            }
            waiting.entries += 1;
            waiting.items.push_back(Item::Entry(entry));
        }
        self.wake_to_write(waiting, asleep);
    }

    /// Notes down, or takes out; of one name the latest counts.
    pub(super) fn note(&self, notes: impl IntoIterator<Item = (String, Option<String>)>) {
        let mut waiting = self.waiting();
        let asleep = !waiting.writes();
        if !waiting.health.stopped {
            waiting.notes.extend(notes);
        }
        self.wake_to_write(waiting, asleep);
    }

    /// Wakes the thread where there was nothing to write before: else it wakes by itself, when a write is due.
    fn wake_to_write(&self, waiting: MutexGuard<'_, Waiting>, asleep: bool) {
        let writes = waiting.writes();
        drop(waiting);
        if asleep && writes {
            self.wake.notify_one();
        }
    }

    pub(super) fn command(&self, command: Command) -> Result<(), StoreError> {
        let mut waiting = self.waiting();
        if waiting.health.stopped {
            return Err(StoreError::Stopped);
        }
        if waiting.commands >= COMMANDS {
            return Err(StoreError::Busy);
        }
        waiting.commands += 1;
        waiting.items.push_back(Item::Command(Box::new(command)));
        drop(waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits until there is a command, or something to write and `due` has come, or the end.
    pub(super) fn take(&self, due: Instant) -> Work {
        let mut waiting = self.waiting();
        loop {
            let wait = due.saturating_duration_since(clock::instant());
            let writes = waiting.writes();
            let ready = waiting.commands > 0 || waiting.closing || (writes && wait.is_zero());
            if ready {
                return waiting.take();
            }
            waiting = if writes {
                self.wake.wait_timeout(waiting, wait).unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner)
            };
        }
    }

    /// What was taken is in the file; tells since when it couldn't be written, if it couldn't.
    pub(super) fn written(&self) -> Option<DateTime<Utc>> {
        let mut waiting = self.waiting();
        waiting.in_hand = 0;
        waiting.health.failing = None;
        waiting.health.failing_since.take()
    }

    /// What was taken couldn't be written; true where that is news.
    pub(super) fn failing(&self, why: &str) -> bool {
        let mut waiting = self.waiting();
        let news = waiting.health.failing.as_deref() != Some(why);
        waiting.health.failing = Some(why.to_owned());
        waiting.health.failing_since.get_or_insert_with(clock::now);
        news
    }

    /// What was taken and couldn't be written goes back to the front.
    pub(super) fn put_back(&self, entries: Vec<Entry>, notes: Notes) {
        let mut waiting = self.waiting();
        waiting.at_work = false;
        let newer = std::mem::replace(&mut waiting.notes, notes);
        waiting.notes.extend(newer);
        waiting.in_hand = 0;
        waiting.entries += entries.len();
        waiting.items.reserve(entries.len());
        entries.into_iter().rev().for_each(|entry| waiting.items.push_front(Item::Entry(entry)));
    }

    /// What has befallen the file.
    pub(super) fn befell(&self, incident: String) {
        self.waiting().health.befell(incident);
    }

    /// Why what is written is gone when this process ends, if it is; true where that is news.
    pub(super) fn adrift(&self, why: Option<String>) -> bool {
        let mut waiting = self.waiting();
        let news = waiting.health.adrift != why;
        waiting.health.adrift = why;
        news
    }

    /// A checkpoint is wanted.
    pub(super) fn want_checkpoint(&self) {
        self.waiting().wants_checkpoint = true;
    }

    /// Whether a checkpoint is wanted; told once.
    pub(super) fn wants_checkpoint(&self) -> bool {
        std::mem::take(&mut self.waiting().wants_checkpoint)
    }

    /// Whether nothing is to be written or wanted.
    pub(super) fn is_settled(&self) -> bool {
        let waiting = self.waiting();
        !waiting.writes() && !waiting.at_work && !waiting.wants_checkpoint
    }

    pub(super) fn health(&self) -> Health {
        let waiting = self.waiting();
        Health { pending: waiting.entries + waiting.in_hand, ..waiting.health.clone() }
    }

    /// Nothing more will come.
    pub(super) fn close(&self) {
        self.waiting().closing = true;
        self.wake.notify_one();
    }

    /// Nothing more will be taken: whoever waits for an answer gets none.
    pub(super) fn stop(&self) {
        let mut waiting = self.waiting();
        waiting.health.stopped = true;
        waiting.health.dropped += (waiting.entries + waiting.in_hand) as u64;
        waiting.notes.clear();
        let abandoned = std::mem::take(&mut waiting.items);
        (waiting.entries, waiting.commands, waiting.in_hand) = (0, 0, 0);
        drop(waiting);
        drop(abandoned);
    }
}

impl Waiting {
    /// Whether there is something to write.
    fn writes(&self) -> bool {
        self.entries > 0 || !self.notes.is_empty()
    }

    /// The entries in front of the first command, and that command.
    fn take(&mut self) -> Work {
        let mut entries = Vec::new();
        let mut command = None;
        while let Some(item) = self.items.pop_front() {
            match item {
                Item::Entry(entry) => entries.push(entry),
                Item::Command(first) => {
                    command = Some(first);
                    break;
                }
            }
        }
        // What a burst took is given back, once there is less: not where as many come each time.
        if self.items.capacity() > 2 * entries.len().max(ROOM) {
            self.items.shrink_to(entries.len().max(ROOM));
        }
        self.entries -= entries.len();
        self.in_hand = entries.len();
        self.commands -= usize::from(command.is_some());
        self.at_work = true;
        let notes = std::mem::take(&mut self.notes);
        Work { entries, notes, last: self.closing && command.is_none(), command }
    }

    /// Drops an eighth of the bound at once, so that the search is paid for seldom: the oldest
    /// plain heartbeats, else the oldest of all. Commands stay.
    fn shed(&mut self) {
        let plain = |item: &Item| matches!(item, Item::Entry(Entry { what: What::Heartbeat { .. }, .. }));
        let any = |item: &Item| matches!(item, Item::Entry(_));
        let mut left = ENTRIES / 8;
        let before = self.entries;
        for droppable in [plain as fn(&Item) -> bool, any] {
            if self.entries == before {
                self.items.retain(|item| {
                    let drop = left > 0 && droppable(item);
                    left -= usize::from(drop);
                    self.entries -= usize::from(drop);
                    !drop
                });
            }
        }
        let dropped = before - self.entries;
        self.health.dropped += dropped as u64;
        tracing::error!("{dropped} entries were dropped: the state file can't be written, and too many wait");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::{Heartbeat, Outcome};
    use tokio::sync::oneshot;

    fn at(number: usize) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::try_from(number).unwrap(), 0).unwrap()
    }

    fn entry(number: usize, what: What) -> Entry {
        Entry { model: "llama".parse().unwrap(), at: at(number), what }
    }

    fn plain(number: usize) -> Entry {
        let heartbeat = Heartbeat::at(at(number), Outcome::Warm);
        entry(number, What::Heartbeat { heartbeat, in_hours: true })
    }

    fn flush() -> Command {
        Command::Flush(oneshot::channel().0)
    }

    #[test]
    fn what_comes_out_is_in_order_and_a_command_ends_it() {
        let queue = Queue::default();
        queue.append([plain(1), plain(2)]);
        queue.command(flush()).unwrap();
        queue.append([plain(3)]);
        let first = queue.take(clock::instant());
        assert_eq!(first.entries, [plain(1), plain(2)]);
        assert!(first.command.is_some() && !first.last);
        // What could not be written comes before what came later.
        assert!(queue.failing("no room") && !queue.failing("no room"));
        queue.put_back(first.entries, Notes::new());
        queue.close();
        let second = queue.take(clock::instant());
        assert_eq!(second.entries, [plain(1), plain(2), plain(3)]);
        assert!(second.command.is_none() && second.last);
        assert_eq!((queue.health().pending, queue.health().failing.is_some()), (3, true));
        assert!(queue.written().is_some() && queue.written().is_none());
        assert_eq!(queue.health(), Health::default());
    }

    #[test]
    fn of_each_name_the_latest_note_is_written() {
        let queue = Queue::default();
        let note = |name: &str, body: Option<&str>| (name.to_owned(), body.map(str::to_owned));
        queue.note([note("a", Some("1")), note("b", Some("1"))]);
        queue.note([note("a", None)]);
        let taken = queue.take(clock::instant());
        assert_eq!(taken.notes, Notes::from([note("a", None), note("b", Some("1"))]));
        // What came while the disk refused it is newer than what is put back.
        queue.note([note("b", Some("2"))]);
        queue.put_back(Vec::new(), taken.notes);
        assert_eq!(queue.take(clock::instant()).notes, Notes::from([note("a", None), note("b", Some("2"))]));
    }

    #[test]
    fn beyond_the_bound_plain_heartbeats_go_first_and_are_counted() {
        let queue = Queue::default();
        queue.append([entry(0, What::Tracked)]);
        queue.append((1..ENTRIES + 10).map(plain));
        queue.append([entry(ENTRIES + 10, What::Resumed)]);
        let health = queue.health();
        assert_eq!(health.dropped as usize, ENTRIES / 8);
        assert_eq!(health.pending + health.dropped as usize, ENTRIES + 11);
        assert!(health.notes()[0].contains("8192 entries were dropped"));
        let entries = queue.take(clock::instant()).entries;
        assert_eq!(entries[0].what, What::Tracked);
        assert_eq!(entries[1], plain(ENTRIES / 8 + 1));
        assert_eq!(entries[entries.len() - 1].what, What::Resumed);
    }

    #[test]
    fn where_nothing_is_plain_the_oldest_go_and_what_is_in_hand_counts() {
        let queue = Queue::default();
        queue.append((0..ENTRIES).map(|n| entry(n, What::Tracked)));
        let in_hand = queue.take(clock::instant()).entries;
        queue.append([entry(ENTRIES, What::Tracked)]);
        assert_eq!((queue.health().pending, queue.health().dropped), (ENTRIES + 1, 0));
        queue.put_back(in_hand, Notes::new());
        queue.append([entry(ENTRIES + 1, What::Tracked)]);
        assert_eq!(queue.health().dropped as usize, ENTRIES / 8);
        assert_eq!(queue.take(clock::instant()).entries[0].at, at(ENTRIES / 8));
    }

    #[test]
    fn room_for_a_burst_is_given_back_and_room_for_what_comes_each_time_is_not() {
        let queue = Queue::default();
        let room = |entries: usize| {
            queue.append((0..entries).map(plain));
            queue.take(clock::instant());
            queue.waiting().items.capacity()
        };
        assert!(room(4_000) >= 4_000);
        assert!(room(700) < 1_000);
        let usual = room(700);
        assert_eq!([room(700), room(600), room(700)], [usual; 3]);
        assert!(room(1) < 200);
    }

    #[test]
    fn commands_are_bounded_and_refused_after_the_end() {
        let queue = Queue::default();
        for _ in 0..COMMANDS {
            queue.command(flush()).unwrap();
        }
        assert!(matches!(queue.command(flush()), Err(StoreError::Busy)));
        queue.append([plain(1)]);
        queue.stop();
        assert!(matches!(queue.command(flush()), Err(StoreError::Stopped)));
        queue.append([plain(2)]);
        let health = queue.health();
        assert_eq!((health.pending, health.dropped, health.stopped), (0, 2, true));
    }
}
