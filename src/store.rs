//! SQLite: what outlives the process.
//!
//! Owns the state file: the journal of the last hours; sums by hour and by day of what came before; what is
//! known of each model, as of a checkpoint; events; notes that others keep. Beside it lies the tail, a plain
//! file of what came since the journal's last row: once a second, entries are written there, or, with all that
//! is in it, into the journal, where something has to be in the tables at once. A thread of its own holds the
//! connection, so that nothing that decides ever waits for a disk. Refuses a file that isn't warmd's, or that
//! another daemon has.

mod aside;
mod calendar;
mod error;
mod event;
mod file;
mod fold;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod health;
mod hourly;
mod keeper;
mod names;
mod owner;
mod packed;
mod pending;
mod place;
mod queue;
mod report;
mod schema;
mod setback;
mod summary;
mod summed;
mod tail;
mod thread;
mod writer;

pub use error::StoreError;
pub use event::{Event, EventKind};
pub use health::Health;
pub use hourly::{HourSum, Hourly};
pub use report::{IntervalSum, Intervals, Summaries};
pub use summary::{SpentTimes, Summary};
pub use writer::Recovered;

use crate::config::value::ModelName;
use crate::journal::Entry;
use chrono::{DateTime, Utc};
use keeper::Keeper;
use queue::Queue;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;
use thread::Command;
use tokio::sync::{oneshot, watch};

/// How long a person waits for the disk.
const PATIENCE: Duration = Duration::from_secs(15);

/// The state file, open. To drop it writes what waits, once, and closes the file, which then holds all.
#[derive(Debug)]
pub struct Store {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    /// Never told anything; its sender goes with the thread.
    alive: watch::Receiver<()>,
}

/// What [`Store::fold`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded {
    /// Rows of the journal that became hours.
    pub folded: u64,
    /// Hours that became days.
    pub rolled: u64,
    /// Intervals, events and models that were dropped.
    pub dropped: u64,
}

impl Store {
    /// Opens the state file, made anew (folder 0700, files 0600) where there is none, and reads what
    /// a restart goes on from. Blocks; another daemon is kept out until the store is dropped. A damaged
    /// file is set aside; where the disk is at fault, entries wait in memory until it isn't.
    pub fn open(path: &Path, retention: Duration) -> Result<(Self, Recovered), StoreError> {
        let queue = Arc::new(Queue::default());
        let (keeper, recovered) = Keeper::open(path, retention, Arc::clone(&queue))?;
        let (living, alive) = watch::channel(());
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let _living = living;
                keeper.run();
            })
            .map_err(StoreError::io("start a thread for", path))?;
        Ok((Self { queue, thread: Some(thread), alive }, recovered))
    }

    /// Adds an entry; it is in the file, or its tail, within a second. Never waits, never fails: see
    /// [`Self::health`].
    pub fn append(&self, entry: Entry) {
        self.queue.append([entry]);
    }

    /// Adds entries that belong together: after a crash all of them are there, or none.
    pub fn append_all(&self, entries: impl IntoIterator<Item = Entry>) {
        self.queue.append(entries);
    }

    /// Notes down under a name, or takes out what was; the latest counts. In the file within a second, as
    /// entries are; what a restart goes on from has it.
    pub fn note(&self, notes: impl IntoIterator<Item = (String, Option<String>)>) {
        self.queue.note(notes);
    }

    /// Looks whether the file at `path` is the one that it was when this was asked last, and has the thread see to
    /// it where it isn't: by itself it does so when it writes, and it may have nothing to write for hours.
    pub fn look(store: &Arc<Self>, path: PathBuf) -> impl FnMut() + use<> {
        let (store, mut before) = (Arc::downgrade(store), place::there(&path));
        move || {
            let now = place::there(&path);
            if (now.is_none() || now != before)
                && let Some(store) = store.upgrade()
            {
                // The thread tells what it finds.
                drop(store.flush());
            }
            before = now;
        }
    }

    /// Writes what was appended so far.
    pub fn flush(&self) -> Asked<()> {
        self.ask(Command::Flush)
    }

    /// Saves what is known of each model after the entries appended so far. A restart goes on from
    /// the latest checkpoint, so each that has had entries since the one before must be in it; one
    /// that isn't keeps what was last saved of it, until the retention.
    pub fn checkpoint(&self, states: HashMap<ModelName, String>) -> Asked<()> {
        self.ask(|reply| Command::Checkpoint(states, reply))
    }

    /// Sums up what is older than two or three hours by the hour, and than a week by the day, and
    /// drops what is older than the retention: what the journal holds beyond the latest checkpoint
    /// stays. In small steps, between which the journal is written.
    pub async fn fold(&self, now: DateTime<Utc>) -> Result<Folded, StoreError> {
        let mut done = Folded::default();
        loop {
            let step = self.ask(|reply| Command::Fold(now, reply)).await?;
            done.folded += step.folded;
            done.rolled += step.rolled;
            done.dropped += step.dropped;
            if step.last {
                return Ok(done);
            }
        }
    }

    /// Takes back what was told as spent beyond `now`, by a clock that was ahead and was set back.
    pub fn set_back(&self, now: DateTime<Utc>) -> Asked<()> {
        self.ask(|reply| Command::SetBack(now, reply))
    }

    /// The sums of every model from `since` on, whatever was appended up to now included.
    pub fn summaries(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> Asked<Summaries> {
        self.ask(|reply| Command::Summaries { model: None, since, now, reply })
    }

    /// As [`Self::summaries`], of one model.
    pub fn summary(&self, model: ModelName, since: DateTime<Utc>, now: DateTime<Utc>) -> Asked<Summaries> {
        self.ask(|reply| Command::Summaries { model: Some(model), since, now, reply })
    }

    /// What happened to one model from `since` on, by the hour or the day, whatever was appended up to now
    /// included.
    pub fn intervals(&self, model: ModelName, since: DateTime<Utc>, now: DateTime<Utc>) -> Asked<Intervals> {
        self.ask(|reply| Command::Intervals { model, since, now, reply })
    }

    /// How every model's active hours were spent from `since` on, by the hour or the day, whatever was
    /// appended up to now included.
    pub fn hourly(&self, since: DateTime<Utc>, now: DateTime<Utc>) -> Asked<Hourly> {
        self.ask(|reply| Command::Hourly { since, now, reply })
    }

    /// The latest `limit` events since then, latest first; of one model, or of all.
    pub fn events(&self, model: Option<ModelName>, since: DateTime<Utc>, limit: usize) -> Asked<Vec<Event>> {
        self.ask(|reply| Command::Events { model, since, limit, reply })
    }

    /// Whether the file is another than at the start, and wants a checkpoint of all that is known;
    /// told once.
    pub fn wants_checkpoint(&self) -> bool {
        self.queue.wants_checkpoint()
    }

    /// Whether all is written, and nothing wanted.
    pub fn is_settled(&self) -> bool {
        self.queue.is_settled()
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        self.queue.health()
    }

    /// Comes back when the store's thread has ended, which it never does on purpose while the store
    /// is open: nothing is kept from then on.
    pub async fn ended(&self) {
        let mut alive = self.alive.clone();
        while alive.changed().await.is_ok() {}
    }

    fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command) -> Asked<T> {
        let (reply, answer) = oneshot::channel();
        Asked { refused: self.queue.command(command(reply)).err(), answer }
    }
}

/// What the store was asked, to be awaited. It is asked when the call is made, not when it is
/// awaited: what is appended after the call is no part of it.
#[derive(Debug)]
#[must_use = "the answer has to be awaited"]
pub struct Asked<T> {
    refused: Option<StoreError>,
    answer: oneshot::Receiver<Result<T, StoreError>>,
}

impl<T> Asked<T> {
    /// The answer, for whom a person waits: an error where the disk keeps it back for too long.
    pub async fn in_time(self) -> Result<T, StoreError> {
        tokio::time::timeout(PATIENCE, self).await.unwrap_or(Err(StoreError::Silent))
    }
}

impl<T> Future for Asked<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(refused) = self.refused.take() {
            return Poll::Ready(Err(refused));
        }
        Pin::new(&mut self.answer).poll(context).map(|answer| answer.unwrap_or(Err(StoreError::Stopped)))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's thread panicked");
        }
    }
}
