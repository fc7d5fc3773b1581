//! The one connection to the state file: what is written through it, and what a restart reads.

use super::error::StoreError;
use super::event::Streaks;
use super::names::Names;
use super::packed::{self, PackedError};
use super::queue::Notes;
use super::summed::Summed;
use crate::config::value::ModelName;
use crate::journal::Entry;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::{BTreeMap, HashMap};

/// The most entries in one row; a row is what is read and folded at once.
const ROW: usize = 4096;

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) names: Names,
    streaks: Streaks,
    /// The next row's number: never one that was used before, also where the rows have left the
    /// journal, as a checkpoint speaks of them by number.
    next_row: i64,
    /// Up to this row, the latest checkpoint knows of.
    pub(super) checkpointed: i64,
    /// What the latest report was made from.
    pub(super) summed: Option<Summed>,
}

/// What a state file holds that a restart goes on from.
#[derive(Debug, Default)]
pub struct Recovered {
    /// What was last saved of each model ever seen within the retention, also of those that are
    /// no longer configured.
    pub checkpoints: HashMap<ModelName, String>,
    /// What happened since, in order.
    pub tail: Vec<Entry>,
    /// What was noted down last under each name.
    pub notes: BTreeMap<String, String>,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> Result<(Self, Recovered), StoreError> {
        let doing = || StoreError::sqlite("read the checkpoint");
        let names = Names::load(&connection).map_err(doing())?;
        let one = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(doing());
        let checkpointed = one("SELECT coalesce(max(upto), 0) FROM checkpoint")?;
        let last_row = one("SELECT coalesce(max(id), 0) FROM journal")?;
        let next_row = last_row.max(checkpointed).saturating_add(1);
        let streaks = Streaks::default();
        let writer = Self { connection, names, streaks, next_row, checkpointed, summed: None };
        let recovered = writer.recover().map_err(doing())?;
        Ok((writer, recovered))
    }

    fn recover(&self) -> rusqlite::Result<Recovered> {
        let mut recovered = Recovered::default();
        let mut query = self.connection.prepare("SELECT model, body FROM checkpoint")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(name) = self.names.name(row.get(0)?) {
                recovered.checkpoints.insert(name, row.get(1)?);
            }
        }
        let mut query = self.connection.prepare("SELECT id, body FROM journal WHERE id > ?1 ORDER BY id")?;
        let mut rows = query.query([self.checkpointed])?;
        while let Some(row) = rows.next()? {
            match packed::unpack(row.get_ref(1)?.as_blob()?) {
                Ok(entries) => recovered.tail.extend(entries.entries(|number| self.names.name(number))),
                Err(e) => damaged(row.get(0)?, &e),
            }
        }
        let mut query = self.connection.prepare("SELECT name, body FROM note")?;
        let notes = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        recovered.notes = notes.collect::<rusqlite::Result<_>>()?;
        Ok(recovered)
    }

    /// Writes entries, the events among them, and notes, in one transaction.
    pub(super) fn write(&mut self, entries: &[Entry], notes: &Notes) -> Result<(), StoreError> {
        let doing = || StoreError::sqlite("write the journal");
        let numbered: Vec<(u32, &Entry)> =
            entries.iter().map(|entry| (self.names.seen(&entry.model, entry.at), entry)).collect();
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(doing())?;
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
        note(&tx, notes).map_err(doing())?;
        tx.commit().map_err(doing())?;
        self.next_row = row;
        self.names.saved();
        self.streaks = streaks;
        Ok(())
    }

    /// Saves what is known of each model after everything written so far.
    pub(super) fn checkpoint(&mut self, states: &HashMap<ModelName, String>) -> Result<(), StoreError> {
        let doing = || StoreError::sqlite("write the checkpoint");
        let upto = self.next_row - 1;
        let numbered: Vec<(u32, &String)> =
            states.iter().map(|(name, state)| (self.names.number(name), state)).collect();
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(doing())?;
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

    /// Has the disk keep what was written, by moving it from the log into the file.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
            .map_err(StoreError::sqlite("move the log into the tables"))
    }
}

fn note(tx: &Transaction<'_>, notes: &Notes) -> rusqlite::Result<()> {
    for (name, body) in notes {
        match body {
            Some(body) => tx
                .prepare_cached("INSERT OR REPLACE INTO note (name, body) VALUES (?1, ?2)")?
                .execute((name, body))?,
            None => tx.prepare_cached("DELETE FROM note WHERE name = ?1")?.execute([name])?,
        };
    }
    Ok(())
}

/// Tells of a journal's row that can't be read; it is left out, as nothing can be made of it.
pub(super) fn damaged(row: i64, why: &PackedError) {
    tracing::warn!("row {row} of the journal is damaged and left out: {why}");
}
