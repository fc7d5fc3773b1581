//! What is in the tail and not in the journal yet: how it gets from the one into the other.
//!
//! It is held in memory too, as the body of the row that it will be, so that reports and the next
//! transaction need no file for it. It is settled, all at once, with whatever has to be in the tables
//! at once (new models, events, notes, a checkpoint), and when the tail is full. What is large by itself goes
//! the same way: to write it to the tail first would write it three times.

use super::error::StoreError;
use super::event::NewEvent;
use super::packed::{self, Mark, Packer};
use super::queue::Notes;
use super::tail::Part;
use super::writer::{Writer, damaged};
use crate::journal::Entry;
use rusqlite::{Transaction, TransactionBehavior};

/// The most entries in one row, beyond those of the tail; a row is what is read and folded at once.
const ROW: usize = 4096;
/// What takes more bytes than this goes into the journal at once: the whole pages of a transaction of its own
/// cost less then than to write it once more.
const LARGE: usize = 16 << 10;

/// The journal's next row, so far.
#[derive(Debug)]
pub(super) struct Pending {
    packer: Packer,
    until: i64,
    /// Not all of it is in the tail, or nothing may follow it there: the next write settles it.
    owed: bool,
}

impl Default for Pending {
    fn default() -> Self {
        Self { packer: Packer::default(), until: i64::MIN, owed: false }
    }
}

impl Pending {
    fn push(&mut self, entries: &[(u32, &Entry)]) {
        for (model, entry) in entries {
            self.packer.push(*model, entry);
            self.until = self.until.max(packed::until(entry));
        }
    }

    fn mark(&self) -> (Mark, i64) {
        (self.packer.mark(), self.until)
    }

    fn back_to(&mut self, (mark, until): (Mark, i64)) {
        self.packer.back_to(mark);
        self.until = until;
    }

    /// Empty where nothing is pending.
    pub(super) fn body(&self) -> &[u8] {
        self.packer.body()
    }
}

impl Writer {
    /// Writes entries, the events among them, and notes: into the tail, where that may be.
    pub(super) fn write(&mut self, entries: &[Entry], notes: &Notes) -> Result<(), StoreError> {
        let numbered: Vec<(u32, &Entry)> =
            entries.iter().map(|entry| (self.names.seen(&entry.model, entry.at), entry)).collect();
        let (events, streaks) = self.streaks.judge(&numbered);
        let plain = notes.is_empty() && events.is_empty() && !self.names.has_new();
        if !(plain && self.append(&numbered)) {
            self.settle_with(&numbered, &events, notes)?;
        }
        self.streaks = streaks;
        Ok(())
    }

    /// Adds entries to the tail; false where they have to be settled.
    fn append(&mut self, entries: &[(u32, &Entry)]) -> bool {
        let Some(tail) = &mut self.tail else { return false };
        if !tail.is_in_place() {
            tail.lost();
            self.pending.owed = !self.pending.body().is_empty();
        }
        if self.pending.owed {
            return false;
        }
        let mark = self.pending.mark();
        self.pending.push(entries);
        let part = self.pending.packer.since(mark.0);
        if part.len() <= LARGE && tail.has_room(part.len(), self.kept) {
            match tail.append(self.next_row, part, self.kept) {
                Ok(()) => return true,
                Err(error) => tail.failed(&error),
            }
        }
        self.pending.back_to(mark);
        false
    }

    /// Puts entries into the journal, behind those that are pending, and what goes with them.
    fn settle_with(
        &mut self,
        entries: &[(u32, &Entry)],
        events: &[NewEvent],
        notes: &Notes,
    ) -> Result<(), StoreError> {
        let (first, more) = entries.split_at(entries.len().min(ROW));
        let mark = self.pending.mark();
        self.pending.push(first);
        let more: Vec<Pending> = more
            .chunks(ROW)
            .map(|part| {
                let mut row = Pending::default();
                row.push(part);
                row
            })
            .collect();
        let settled = self.transact("write the journal", &more, |tx, _| {
            events.iter().try_for_each(|event| event.save(tx))?;
            note(tx, notes)
        });
        if settled.is_err() {
            self.pending.back_to(mark);
        }
        settled
    }

    /// Puts what is pending into the journal.
    pub(super) fn settle(&mut self) -> Result<(), StoreError> {
        if self.pending.body().is_empty() {
            return Ok(());
        }
        self.transact("write the journal", &[], |_, _| Ok(()))
    }

    /// One transaction: what is pending becomes a row of the journal, `more` rows follow, and `with` does the
    /// rest, and is told the last row.
    pub(super) fn transact(
        &mut self,
        what: &'static str,
        more: &[Pending],
        with: impl FnOnce(&Transaction<'_>, i64) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let doing = || StoreError::sqlite(what);
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(doing())?;
        self.names.save(&tx).map_err(doing())?;
        let mut row = self.next_row;
        for pending in [&self.pending].into_iter().chain(more).filter(|row| !row.body().is_empty()) {
            tx.prepare_cached("INSERT INTO journal (id, until, body) VALUES (?1, ?2, ?3)")
                .and_then(|mut insert| insert.execute((row, pending.until, pending.body())))
                .map_err(doing())?;
            row += 1;
        }
        with(&tx, row - 1).map_err(doing())?;
        tx.commit().map_err(doing())?;
        self.next_row = row;
        self.names.saved();
        self.pending = Pending::default();
        Ok(())
    }

    /// Takes in what a tail holds that the journal lacks, in the order of its rows; what it can't be, as the
    /// rows between are missing, or its models are unknown, is left out. All of it becomes one row.
    pub(super) fn take_in(&mut self, parts: Vec<Part>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (row, body) in parts {
            // Of a row that is in the journal already, or was and has left it, nothing is counted twice.
            let next = self.next_row + i64::from(self.pending.owed);
            if row < next {
                continue;
            }
            if row > next {
                self.disbelieve_tail("it goes on from a later state than the state file's");
                break;
            }
            match packed::unpack(&body) {
                Ok(read) if read.models().all(|number| self.names.name(number).is_some()) => {
                    let own: Vec<Entry> = read.entries(|number| self.names.name(number)).collect();
                    self.next_row = row;
                    self.owe(&own);
                    entries.extend(own);
                }
                Ok(_) => {
                    self.disbelieve_tail("it tells of models that the state file doesn't know");
                    break;
                }
                Err(error) => damaged(row, &error),
            }
        }
        entries
    }

    /// Has the next write put these into the journal, too.
    pub(super) fn owe(&mut self, entries: &[Entry]) {
        let numbered: Vec<(u32, &Entry)> =
            entries.iter().map(|entry| (self.names.seen(&entry.model, entry.at), entry)).collect();
        self.pending.push(&numbered);
        self.pending.owed |= !entries.is_empty();
    }

    /// What is pending, as entries.
    pub(super) fn pending_entries(&self) -> Vec<Entry> {
        let row = packed::unpack(self.pending.body());
        row.map(|row| row.entries(|number| self.names.name(number)).collect()).unwrap_or_default()
    }

    fn disbelieve_tail(&mut self, why: &str) {
        if let Some(tail) = &mut self.tail {
            tail.disbelieve(why);
        }
    }

    /// Whether the tail takes no more until the disk keeps what was settled.
    pub(super) fn is_crowded(&self) -> bool {
        let settled = self.pending.body().is_empty();
        settled && self.tail.as_ref().is_some_and(|tail| !tail.has_room(LARGE, self.kept))
    }

    /// Has the disk keep what was written, by moving it from the log into the file; and the tail.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        let (log, moved): (i64, i64) = self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))
            .map_err(StoreError::sqlite("move the log into the tables"))?;
        if log == moved {
            self.kept = self.next_row - 1;
        }
        let Some(tail) = &mut self.tail else { return Ok(()) };
        let synced = tail.sync();
        if synced.is_err() {
            // What it has of it is anyone's guess.
            tail.forget();
            self.pending.owed = !self.pending.body().is_empty();
        }
        synced
    }

    /// Settles what is pending, and leaves no tail behind: the state file alone is all there is.
    pub(super) fn finish(&mut self) -> Result<(), StoreError> {
        self.settle()?;
        self.sync()?;
        if self.kept == self.next_row - 1
            && let Some(tail) = &mut self.tail
        {
            tail.remove();
        }
        Ok(())
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

#[cfg(test)]
mod tests;
