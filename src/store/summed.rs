//! What was summed up for a report, kept for the next one.
//!
//! Whoever watches asks for the same span again and again, and what has changed since is what was written to the
//! journal. So the sums of the latest span that was asked for stay in memory (half a KB a model, and half a KB more of
//! what came last), and rows that came after them are added when they are asked for again. Whatever else changes the
//! file drops them; so does each round of folding, once an hour: nothing is kept for long after the last one has asked.

use super::calendar::{DAY, HOUR};
use super::packed::SECOND;
use super::report;
use super::summary::{COLUMNS, Summary, Total};
use super::writer::Writer;
use std::collections::HashMap;

/// The sums of every model from an instant on, as of a row of the journal.
#[derive(Debug)]
pub(super) struct Summed {
    /// That instant, in seconds since 1970.
    since: i64,
    /// That row.
    upto: i64,
    /// SQLite's mark of the file as others have left it.
    version: i64,
    /// By number; one of which there is nothing isn't there.
    models: HashMap<u32, Summary>,
}

impl Writer {
    /// The sums of all models from `since` (seconds since 1970) on, by number, as far as the file has them.
    pub(super) fn summed(&mut self, since: i64) -> rusqlite::Result<&HashMap<u32, Summary>> {
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        let known = self.summed.take().filter(|known| known.since == since && known.version == version);
        let anew = known.is_none();
        let mut summed =
            known.unwrap_or_else(|| Summed { since, upto: i64::MIN, version, models: HashMap::new() });
        let from = since.saturating_mul(SECOND);
        summed.upto = self.each_kept(since, summed.upto, |row| report::add(&mut summed.models, row, from))?;
        if anew {
            let numbers: Vec<u32> = self.names.numbers().collect();
            self.add_intervals(since, &numbers, &mut summed.models)?;
        }
        summed.models.values_mut().for_each(Summary::compact);
        Ok(&self.summed.insert(summed).models)
    }

    /// Forgets them: what they were made from is about to change.
    pub(super) fn forget_summed(&mut self) {
        self.summed = None;
    }

    /// Adds the hours and days of these models.
    pub(super) fn add_intervals(
        &self,
        since: i64,
        numbers: &[u32],
        sums: &mut HashMap<u32, Summary>,
    ) -> rusqlite::Result<()> {
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM interval WHERE model = ?1 AND width IN ({HOUR}, {DAY}) AND start >= ?2"
        ))?;
        let mut total = Total::new();
        for number in numbers {
            let mut rows = query.query((number, since))?;
            while let Some(row) = rows.next()? {
                total.add_row(row)?;
            }
            if let Some(known) = sums.get(number) {
                total.add(known);
            }
            if let Some(sum) = total.close() {
                sums.insert(*number, sum);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
