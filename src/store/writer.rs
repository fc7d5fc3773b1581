//! The store's thread: it owns the one connection to the state file, writes what was appended, and
//! carries out commands between two writes.

use super::calendar::Calendar;
use super::error::StoreError;
use super::event::{Event, Streaks};
use super::file::StateFile;
use super::fold::Step;
use super::names::Names;
use super::packed::{self, PackedError};
use super::queue::Queue;
use super::report::Summaries;
use crate::clock;
use crate::config::value::ModelName;
use crate::journal::Entry;
use chrono::{DateTime, Utc};
use rusqlite::TransactionBehavior;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// At most one write in this time: under a second, so that a killed process has lost no more than
/// the last second, the write's own time included.
const PACE: Duration = Duration::from_millis(900);
/// How long it waits at most, after a write that failed, before it tries again.
const RETRY: Duration = Duration::from_secs(30);
/// The most entries in one row; a row is what is read and folded at once.
const ROW: usize = 4096;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What can be asked of the thread. Whatever was appended before it is written first.
#[derive(Debug)]
pub(super) enum Command {
    Flush(Reply<()>),
    Checkpoint(HashMap<ModelName, String>, Reply<()>),
    Fold(DateTime<Utc>, Reply<Step>),
    Summaries { model: Option<ModelName>, since: DateTime<Utc>, now: DateTime<Utc>, reply: Reply<Summaries> },
    Events { model: Option<ModelName>, since: DateTime<Utc>, limit: usize, reply: Reply<Vec<Event>> },
}

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) file: StateFile,
    pub(super) names: Names,
    pub(super) retention: Duration,
    streaks: Streaks,
    /// The next row's number: never one that was used before, also where the rows have left the
    /// journal, as a checkpoint speaks of them by number.
    next_row: i64,
    /// Up to this row, the latest checkpoint knows of.
    pub(super) checkpointed: i64,
}

/// What a state file holds that a restart goes on from.
#[derive(Debug, Default)]
pub struct Recovered {
    /// What was last saved of each model ever seen within the retention, also of those that are
    /// no longer configured.
    pub checkpoints: HashMap<ModelName, String>,
    /// What happened since, in order.
    pub tail: Vec<Entry>,
}

impl Writer {
    pub(super) fn new(file: StateFile, retention: Duration) -> Result<(Self, Recovered), StoreError> {
        let doing = || StoreError::sqlite("read the checkpoint");
        let connection = &file.connection;
        let names = Names::load(connection).map_err(doing())?;
        let one = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(doing());
        let checkpointed = one("SELECT coalesce(max(upto), 0) FROM checkpoint")?;
        let last_row = one("SELECT coalesce(max(id), 0) FROM journal")?;
        let next_row = last_row.max(checkpointed).saturating_add(1);
        let writer = Self { file, names, retention, streaks: Streaks::default(), next_row, checkpointed };
        let recovered = writer.recover().map_err(doing())?;
        Ok((writer, recovered))
    }

    fn recover(&self) -> rusqlite::Result<Recovered> {
        let mut recovered = Recovered::default();
        let mut query = self.file.connection.prepare("SELECT model, body FROM checkpoint")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(name) = self.names.name(row.get(0)?) {
                recovered.checkpoints.insert(name, row.get(1)?);
            }
        }
        let mut query =
            self.file.connection.prepare("SELECT id, body FROM journal WHERE id > ?1 ORDER BY id")?;
        let mut rows = query.query([self.checkpointed])?;
        while let Some(row) = rows.next()? {
            match packed::unpack(row.get_ref(1)?.as_blob()?) {
                Ok(entries) => recovered.tail.extend(entries.entries(|number| self.names.name(number))),
                Err(e) => damaged(row.get(0)?, &e),
            }
        }
        Ok(recovered)
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Arc<Queue>) {
        let _stopped = StopAtEnd(queue);
        let mut due = clock::instant();
        let mut retry = PACE;
        loop {
            let work = queue.take(due);
            let mut written = Ok(());
            if !work.entries.is_empty() {
                due = clock::instant() + PACE;
                written = self.write(&work.entries);
                match &written {
                    Ok(()) => {
                        retry = PACE;
                        queue.written();
                    }
                    Err(e) => {
                        tracing::warn!(
                            "the journal can't be written, {} entries wait; trying again: {e}",
                            work.entries.len()
                        );
                        retry = (retry * 2).min(RETRY);
                        due = clock::instant() + retry;
                        queue.put_back(work.entries, e);
                    }
                }
            }
            if let Some(command) = work.command {
                self.obey(*command, written);
            } else if work.last {
                return;
            }
        }
    }

    /// Carries out a command; `written` tells of the entries before it. Whoever asked may have
    /// gone: an answer that nobody takes is dropped.
    fn obey(&mut self, command: Command, written: Result<(), StoreError>) {
        match command {
            Command::Flush(reply) => drop(reply.send(written)),
            Command::Checkpoint(states, reply) => {
                drop(reply.send(written.and_then(|()| self.checkpoint(&states))));
            }
            Command::Fold(now, reply) => {
                let step = self.fold(&Calendar::new(now, self.retention));
                drop(reply.send(step.map_err(StoreError::sqlite("fold the journal"))));
            }
            Command::Summaries { model, since, now, reply } => {
                let calendar = Calendar::new(now, self.retention);
                let summaries = self.summaries(model.as_ref(), since, &calendar);
                drop(reply.send(summaries.map_err(StoreError::sqlite("read the history"))));
            }
            Command::Events { model, since, limit, reply } => {
                let events = self.events(model.as_ref(), since, limit);
                drop(reply.send(events.map_err(StoreError::sqlite("read the events"))));
            }
        }
    }

    /// Writes entries, and the events among them, in one transaction.
    fn write(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        let doing = || StoreError::sqlite("write the journal");
        let numbered: Vec<(u32, &Entry)> =
            entries.iter().map(|entry| (self.names.seen(&entry.model, entry.at), entry)).collect();
        let tx =
            self.file.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(doing())?;
        self.names.save(&tx).map_err(doing())?;
        let mut row = self.next_row;
        for part in numbered.chunks(ROW) {
            let until = part.iter().map(|(_, entry)| packed::until(entry)).max().unwrap_or_default();
            let body = packed::pack(part.iter().copied());
            tx.prepare_cached("INSERT INTO journal (id, until, body) VALUES (?1, ?2, ?3)")
                .and_then(|mut insert| insert.execute((row, until, body)))
                .map_err(doing())?;
            row += 1;
        }
        let streaks = self.streaks.record(&tx, &numbered).map_err(doing())?;
        tx.commit().map_err(doing())?;
        self.next_row = row;
        self.names.saved();
        self.streaks = streaks;
        Ok(())
    }

    /// Saves what is known of each model after everything written so far.
    fn checkpoint(&mut self, states: &HashMap<ModelName, String>) -> Result<(), StoreError> {
        let doing = || StoreError::sqlite("write the checkpoint");
        let upto = self.next_row - 1;
        let numbered: Vec<(u32, &String)> =
            states.iter().map(|(name, state)| (self.names.number(name), state)).collect();
        let tx =
            self.file.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(doing())?;
        self.names.save(&tx).map_err(doing())?;
        for (number, state) in numbered {
            tx.prepare_cached("INSERT OR REPLACE INTO checkpoint (model, upto, body) VALUES (?1, ?2, ?3)")
                .and_then(|mut insert| insert.execute((number, upto, state)))
                .map_err(doing())?;
        }
        tx.commit().map_err(doing())?;
        self.names.saved();
        if !states.is_empty() {
            self.checkpointed = upto;
        }
        Ok(())
    }
}

/// Tells of a journal's row that can't be read; it is left out, as nothing can be made of it.
pub(super) fn damaged(row: i64, why: &PackedError) {
    tracing::warn!("row {row} of the journal is damaged and left out: {why}");
}

/// Says that the thread has ended, however it did.
struct StopAtEnd<'a>(&'a Arc<Queue>);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}
