//! The store's thread: it writes what was appended, and carries out commands between two writes.
//!
//! Owns the pace of the writes. What can't be written goes back into the queue, and is tried again.

use super::calendar::Calendar;
use super::error::StoreError;
use super::event::Event;
use super::fold::Step;
use super::health::minute;
use super::hourly::Hourly;
use super::keeper::Keeper;
use super::queue::{Notes, Queue};
use super::report::{Intervals, Summaries};
use super::writer::Writer;
use crate::clock::{self, Stopwatch};
use crate::config::value::ModelName;
use crate::drill;
use crate::journal::Entry;
use crate::quote;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// At most one write in this time: under a second, so that a killed process has lost no more than
/// the last second, the write's own time included.
const PACE: Duration = Duration::from_millis(750);
/// How long it waits at most, after a write that failed, before it tries again.
const RETRY: Duration = Duration::from_secs(30);
/// How often the disk is told to keep what was written, if anything was: what a power cut may cost.
const SYNC: Duration = Duration::from_secs(10);
/// The same, where the tail waits for it to be begun anew.
const CROWDED: Duration = Duration::from_secs(2);
/// A write that takes longer is told, once in a while: the disk is slow.
const SLOW: Duration = Duration::from_secs(3);
const WHILE: Duration = Duration::from_hours(1);

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What can be asked of the thread. Whatever was appended before it is written first.
#[derive(Debug)]
pub(super) enum Command {
    Flush(Reply<()>),
    Checkpoint(HashMap<ModelName, String>, Reply<()>),
    Fold(DateTime<Utc>, Reply<Step>),
    SetBack(DateTime<Utc>, Reply<()>),
    Summaries { model: Option<ModelName>, since: DateTime<Utc>, now: DateTime<Utc>, reply: Reply<Summaries> },
    Intervals { model: ModelName, since: DateTime<Utc>, now: DateTime<Utc>, reply: Reply<Intervals> },
    Hourly { since: DateTime<Utc>, now: DateTime<Utc>, reply: Reply<Hourly> },
    Events { model: Option<ModelName>, since: DateTime<Utc>, limit: usize, reply: Reply<Vec<Event>> },
}

impl Keeper {
    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let queue = Arc::clone(&self.queue);
        let _stopped = StopAtEnd(&queue);
        self.running = true;
        let mut due = clock::instant();
        let mut retry = PACE;
        loop {
            let work = queue.take(due);
            let mut written = Ok(());
            if !work.entries.is_empty() || !work.notes.is_empty() {
                drill::panic_in("store's thread");
                due = clock::instant() + PACE;
                written = self.write(&work.entries, &work.notes);
                match &written {
                    Ok(()) => {
                        retry = PACE;
                        self.written();
                    }
                    Err(error) => {
                        retry = (retry * 2).min(RETRY);
                        due = clock::instant() + retry;
                        self.failed(error, work.entries.len());
                    }
                }
            }
            let (unsaved, notes) = match &written {
                Ok(()) => (Vec::new(), Notes::new()),
                Err(_) => (work.entries, work.notes),
            };
            if let Some(command) = work.command {
                self.obey(*command, written, &unsaved);
            }
            queue.put_back(unsaved, notes);
            if work.last {
                return self.finish();
            }
        }
    }

    /// Carries out a command; `written` tells of the entries before it. Whoever asked may have
    /// gone: an answer that nobody takes is dropped.
    fn obey(&mut self, command: Command, written: Result<(), StoreError>, unsaved: &[Entry]) {
        match command {
            Command::Flush(reply) => {
                self.look_after_the_place();
                if written.is_ok() {
                    self.sync();
                }
                drop(reply.send(written));
            }
            Command::Checkpoint(states, reply) => {
                self.look_after_the_place();
                let saved = written.and_then(|()| self.with(|writer| writer.checkpoint(&states)));
                self.unknowing = saved.is_err();
                drop(reply.send(saved));
            }
            Command::Fold(now, reply) => {
                let calendar = Calendar::new(now, self.retention);
                let folded = self
                    .with(|writer| writer.fold(&calendar).map_err(StoreError::sqlite("fold the journal")));
                drop(reply.send(folded));
            }
            Command::SetBack(now, reply) => {
                // What is not written yet could not be taken back.
                let set_back = written.and_then(|()| self.with(|writer| writer.set_back(now)));
                drop(reply.send(set_back));
            }
            Command::Summaries { model, since, now, reply } => {
                let calendar = Calendar::new(now, self.retention);
                let summaries = self.read(|writer| {
                    let summaries = writer.summaries(model.as_ref(), since, &calendar, unsaved);
                    summaries.map_err(StoreError::sqlite("read the history"))
                });
                drop(reply.send(summaries));
            }
            Command::Intervals { model, since, now, reply } => {
                let calendar = Calendar::new(now, self.retention);
                let intervals = self.read(|writer| {
                    let intervals = writer.intervals(&model, since, &calendar, unsaved);
                    intervals.map_err(StoreError::sqlite("read the history"))
                });
                drop(reply.send(intervals));
            }
            Command::Hourly { since, now, reply } => {
                let calendar = Calendar::new(now, self.retention);
                let hourly = self.read(|writer| {
                    let hourly = writer.hourly(since, &calendar, unsaved);
                    hourly.map_err(StoreError::sqlite("read the history"))
                });
                drop(reply.send(hourly));
            }
            Command::Events { model, since, limit, reply } => {
                let events = self.read(|writer| {
                    let events = writer.events(model.as_ref(), since, limit);
                    events.map_err(StoreError::sqlite("read the events"))
                });
                drop(reply.send(events));
            }
        }
    }

    fn write(&mut self, entries: &[Entry], notes: &Notes) -> Result<(), StoreError> {
        self.look_after_the_place();
        let watch = Stopwatch::start();
        let written = self.with(|writer| writer.write(entries, notes));
        if watch.elapsed() > SLOW && self.told_slow.is_none_or(|told| told.elapsed() > WHILE) {
            self.told_slow = Some(Stopwatch::start());
            tracing::warn!(
                "to write to {} took {:.1} s: its disk is slow; heartbeats don't wait for it",
                quote::path(&self.path),
                watch.elapsed().as_secs_f64()
            );
        }
        written
    }

    fn written(&mut self) {
        if let Some(since) = self.queue.written() {
            tracing::info!(
                "{} can be written again; what waited since {} is saved",
                quote::path(&self.path),
                minute(since)
            );
        }
        if std::mem::take(&mut self.unknowing) {
            self.queue.want_checkpoint();
        }
        let sync = if self.is_crowded() { CROWDED } else { SYNC };
        if self.synced.elapsed() >= sync {
            self.sync();
        }
    }

    /// Has the disk keep what was written. That it can't be moved from the log into the file by now
    /// is no harm.
    fn sync(&mut self) {
        self.synced = Stopwatch::start();
        if let Err(error) = self.with(Writer::sync) {
            tracing::debug!("the log can't be moved into the state file now: {error}");
        }
    }
}

/// Says that the thread has ended, however it did.
struct StopAtEnd<'a>(&'a Arc<Queue>);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
