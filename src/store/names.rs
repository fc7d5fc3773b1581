//! Models as small numbers: a name is written once, rows bear its number.

use super::calendar::HOUR;
use crate::config::value::ModelName;
use chrono::{DateTime, Utc};
use rusqlite::{Connection, Transaction};
use std::collections::{BTreeSet, HashMap};

/// The table `model`, in memory; at most as many as were ever configured within `retention`.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_name: HashMap<ModelName, u32>,
    by_number: HashMap<u32, Model>,
    /// Numbers whose row has yet to be written: they stay here until a transaction is through.
    unsaved: BTreeSet<u32>,
    /// A number among those is new: nobody but this process knows whose it is.
    new: bool,
    next: u32,
}

#[derive(Debug)]
struct Model {
    name: ModelName,
    /// The last hour that has an entry.
    seen: i64,
}

impl Names {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut names = Self { next: 1, ..Self::default() };
        let mut query = connection.prepare("SELECT id, name, seen FROM model")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (number, seen): (u32, i64) = (row.get(0)?, row.get(2)?);
            names.next = names.next.max(number.saturating_add(1));
            // A name that can't be one is another's work, and nothing of it is shown.
            let Ok(name) = row.get_ref(1)?.as_str()?.parse::<ModelName>() else { continue };
            names.by_name.insert(name.clone(), number);
            names.by_number.insert(number, Model { name, seen });
        }
        Ok(names)
    }

    /// The number of a model; a new one where it has none.
    pub(super) fn number(&mut self, name: &ModelName) -> u32 {
        if let Some(number) = self.find(name) {
            return number;
        }
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.by_name.insert(name.clone(), number);
        self.by_number.insert(number, Model { name: name.clone(), seen: 0 });
        self.unsaved.insert(number);
        self.new = true;
        number
    }

    /// As [`Self::number`], of a model of which there is an entry at `at`.
    pub(super) fn seen(&mut self, name: &ModelName, at: DateTime<Utc>) -> u32 {
        let hour = at.timestamp().saturating_sub(at.timestamp().rem_euclid(HOUR));
        let number = self.number(name);
        if let Some(model) = self.by_number.get_mut(&number)
            && model.seen < hour
        {
            model.seen = hour;
            self.unsaved.insert(number);
        }
        number
    }

    /// The number of a model that may have none.
    pub(super) fn find(&self, name: &ModelName) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name(&self, number: u32) -> Option<ModelName> {
        self.by_number.get(&number).map(|model| model.name.clone())
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.by_number.keys().copied()
    }

    /// Whether there is a number that must be saved before anything on the disk bears it.
    pub(super) fn has_new(&self) -> bool {
        self.new
    }

    /// Writes what is new; call [`Self::saved`] once the transaction is through.
    pub(super) fn save(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let mut upsert = tx.prepare_cached(
            "INSERT INTO model (id, name, seen) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET seen = ?3",
        )?;
        for number in &self.unsaved {
            if let Some(model) = self.by_number.get(number) {
                upsert.execute((number, model.name.as_str(), model.seen))?;
            }
        }
        Ok(())
    }

    pub(super) fn saved(&mut self) {
        self.unsaved.clear();
        self.new = false;
    }

    /// Forgets one of which nothing is kept any more.
    pub(super) fn forget(&mut self, number: u32) {
        if let Some(model) = self.by_number.remove(&number) {
            self.by_name.remove(&model.name);
        }
        self.unsaved.remove(&number);
    }
}
