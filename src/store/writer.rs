//! The one connection to the state file: what is written through it, and what a restart reads.

use super::error::StoreError;
use super::event::Streaks;
use super::names::Names;
use super::packed::{self, PackedError};
use super::pending::Pending;
use super::summed::Summed;
use super::tail::Tail;
use crate::config::value::ModelName;
use crate::journal::Entry;
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) names: Names,
    pub(super) streaks: Streaks,
    /// The next row's number: never one that was used before, also where the rows have left the
    /// journal, as a checkpoint and the tail speak of them by number.
    pub(super) next_row: i64,
    /// What that row will be, so far: it is in the tail meanwhile.
    pub(super) pending: Pending,
    /// None where nothing is written.
    pub(super) tail: Option<Tail>,
    /// Up to this row, no power cut takes anything from the journal.
    pub(super) kept: i64,
    /// The file's own number.
    pub(super) lineage: Option<i64>,
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
    /// Reads what a restart goes on from; `tail` is where the tail lies, if there may be one. What it holds
    /// beyond the journal is pending.
    pub(super) fn new(connection: Connection, tail: Option<&Path>) -> Result<(Self, Recovered), StoreError> {
        let doing = || StoreError::sqlite("read the checkpoint");
        let names = Names::load(&connection).map_err(doing())?;
        let one = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).optional().map_err(doing());
        let checkpointed = one("SELECT coalesce(max(upto), 0) FROM checkpoint")?.unwrap_or(0);
        let last_row = one("SELECT coalesce(max(id), 0) FROM journal")?.unwrap_or(0);
        let lineage = one("SELECT id FROM lineage")?;
        let next_row = last_row.max(checkpointed).saturating_add(1);
        let (tail, parts) = tail.zip(lineage).map(|(path, lineage)| Tail::find(path, lineage)).unzip();
        let mut writer = Self {
            connection,
            names,
            streaks: Streaks::default(),
            next_row,
            pending: Pending::default(),
            tail,
            kept: 0,
            lineage,
            checkpointed,
            summed: None,
        };
        let mut recovered = writer.recover().map_err(doing())?;
        recovered.tail.extend(writer.take_in(parts.unwrap_or_default()));
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

    /// Saves what is known of each model after everything written so far.
    pub(super) fn checkpoint(&mut self, states: &HashMap<ModelName, String>) -> Result<(), StoreError> {
        let numbered: Vec<(u32, &String)> =
            states.iter().map(|(name, state)| (self.names.number(name), state)).collect();
        self.transact("write the checkpoint", &[], |tx, upto| {
            numbered.iter().try_for_each(|(number, state)| {
                tx.prepare_cached(
                    "INSERT OR REPLACE INTO checkpoint (model, upto, body) VALUES (?1, ?2, ?3)",
                )?
                .execute((number, upto, state))
                .map(drop)
            })
        })?;
        if !states.is_empty() {
            self.checkpointed = self.next_row - 1;
        }
        Ok(())
    }
}

/// Tells of a journal's row that can't be read; it is left out, as nothing can be made of it.
pub(super) fn damaged(row: i64, why: &PackedError) {
    tracing::warn!("row {row} of the journal is damaged and left out: {why}");
}
