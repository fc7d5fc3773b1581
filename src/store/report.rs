//! The sums over a span: intervals as far as they reach, the journal beyond.

use super::calendar::{Calendar, DAY, Folded, HOUR};
use super::packed::{self, Sum};
use super::summary::{COLUMNS, Summary};
use super::writer::{Writer, damaged};
use crate::config::value::ModelName;
use crate::journal::Entry;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::time::Duration;

/// What happened within a span.
#[derive(Debug, Clone, PartialEq)]
pub struct Summaries {
    /// Where the span begins: as asked, rounded outward to what is kept, and clipped to the
    /// retention.
    pub since: DateTime<Utc>,
    /// By model; one of which nothing is kept within the span isn't there.
    pub models: HashMap<ModelName, Summary>,
}

impl Writer {
    /// Of all models, or of one; `unsaved` entries, which the file lacks, are counted too.
    pub(super) fn summaries(
        &mut self,
        model: Option<&ModelName>,
        since: DateTime<Utc>,
        calendar: &Calendar,
        unsaved: &[Entry],
    ) -> rusqlite::Result<Summaries> {
        let numbered: Vec<_> =
            unsaved.iter().map(|entry| (self.names.seen(&entry.model, entry.at), entry)).collect();
        let since = calendar.since(since, self.folded(calendar)?);
        let mut parts: HashMap<u32, Vec<Summary>> = HashMap::new();
        let wanted: Vec<u32> = match model {
            Some(name) => self.names.find(name).into_iter().collect(),
            None => self.names.numbers().collect(),
        };
        for (number, summary) in self.journal(since, &packed::pack(numbered))? {
            if model.is_none() || wanted.contains(&number) {
                parts.entry(number).or_default().push(summary);
            }
        }
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM interval WHERE model = ?1 AND width IN ({HOUR}, {DAY}) AND start >= ?2"
        ))?;
        let mut models = HashMap::new();
        for number in wanted {
            let mut parts = parts.remove(&number).unwrap_or_default();
            let mut rows = query.query((number, since))?;
            while let Some(row) = rows.next()? {
                parts.push(Summary::read(row)?);
            }
            if let Some(name) = self.names.name(number)
                && !parts.is_empty()
            {
                models.insert(name, Summary::merged(&parts));
            }
        }
        let since = DateTime::from_timestamp(since, 0).unwrap_or(DateTime::UNIX_EPOCH);
        Ok(Summaries { since, models })
    }

    /// The sums of what is still in the journal, and of one row that isn't there yet, from `since`
    /// (seconds since 1970) on.
    fn journal(&self, since: i64, unsaved: &[u8]) -> rusqlite::Result<HashMap<u32, Summary>> {
        let from = i128::from(since) * 1_000_000_000;
        let mut sums: HashMap<u32, Summary> = HashMap::new();
        let mut query =
            self.connection.prepare_cached("SELECT id, body FROM journal WHERE until >= ?1 ORDER BY id")?;
        let mut rows = query.query([since])?;
        while let Some(row) = rows.next()? {
            match packed::unpack(row.get_ref(1)?.as_blob()?) {
                Ok(body) => add(&mut sums, &body, from),
                Err(e) => damaged(row.get(0)?, &e),
            }
        }
        // Of what this process has packed itself nothing is damaged.
        if let Ok(row) = packed::unpack(unsaved) {
            add(&mut sums, &row, from);
        }
        Ok(sums)
    }

    /// Up to where hours and days reach. What bears a later date than now, as the clock was set
    /// back since, does not count: else one wrong clock would spoil the resolution for good.
    fn folded(&self, calendar: &Calendar) -> rusqlite::Result<Folded> {
        let mut query = self
            .connection
            .prepare_cached("SELECT max(start) FROM interval WHERE width = ?1 AND start <= ?2")?;
        let mut until = |width: i64| -> rusqlite::Result<i64> {
            let start: Option<i64> = query.query_row((width, calendar.now), |row| row.get(0))?;
            Ok(start.map_or(i64::MIN, |start| start + width))
        };
        Ok(Folded { hours_until: until(HOUR)?, days_until: until(DAY)? })
    }
}

/// Adds a row's entries to the sums by model, from `from` (ns since 1970) on.
pub(super) fn add(sums: &mut HashMap<u32, Summary>, row: &packed::Row<'_>, from: i128) {
    for (model, at, sum) in row.sums() {
        match sum {
            Sum::Spent { from: start, to, how } => {
                let start = start.max(from);
                if start < to {
                    sums.entry(model).or_default().spent.add(how, nanos(to - start));
                }
            }
            Sum::Heartbeat { .. } | Sum::Boot { .. } => {
                if at >= from {
                    sums.entry(model).or_default().add(sum);
                }
            }
        }
    }
}

/// A difference of two times, in ns, as a duration.
pub(super) fn nanos(ns: i128) -> Duration {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(if ns < 0 { 0 } else { u64::MAX }))
}
