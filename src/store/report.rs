//! The sums over a span: intervals as far as they reach, the journal beyond.

use super::calendar::{Calendar, DAY, Folded, HOUR};
use super::packed::{self, Sum};
use super::summary::{COLUMNS, Summary};
use super::writer::{Writer, damaged};
use crate::config::value::ModelName;
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
    /// Of all models, or of one.
    pub(super) fn summaries(
        &self,
        model: Option<&ModelName>,
        since: DateTime<Utc>,
        calendar: &Calendar,
    ) -> rusqlite::Result<Summaries> {
        let since = calendar.since(since, self.folded(calendar)?);
        let mut parts: HashMap<u32, Vec<Summary>> = HashMap::new();
        let wanted: Vec<u32> = match model {
            Some(name) => self.names.find(name).into_iter().collect(),
            None => self.names.numbers().collect(),
        };
        for (number, summary) in self.journal(since)? {
            if model.is_none() || wanted.contains(&number) {
                parts.entry(number).or_default().push(summary);
            }
        }
        let mut query = self.file.connection.prepare_cached(&format!(
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

    /// The sums of what is still in the journal, from `since` (seconds since 1970) on.
    fn journal(&self, since: i64) -> rusqlite::Result<HashMap<u32, Summary>> {
        let from = i128::from(since) * 1_000_000_000;
        let mut sums: HashMap<u32, Summary> = HashMap::new();
        let mut query = self
            .file
            .connection
            .prepare_cached("SELECT id, body FROM journal WHERE until >= ?1 ORDER BY id")?;
        let mut rows = query.query([since])?;
        while let Some(row) = rows.next()? {
            let body = match packed::unpack(row.get_ref(1)?.as_blob()?) {
                Ok(body) => body,
                Err(e) => {
                    damaged(row.get(0)?, &e);
                    continue;
                }
            };
            for (model, at, sum) in body.sums() {
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
        Ok(sums)
    }

    /// Up to where hours and days reach. What bears a later date than now, as the clock was set
    /// back since, does not count: else one wrong clock would spoil the resolution for good.
    fn folded(&self, calendar: &Calendar) -> rusqlite::Result<Folded> {
        let mut query = self
            .file
            .connection
            .prepare_cached("SELECT max(start) FROM interval WHERE width = ?1 AND start <= ?2")?;
        let mut until = |width: i64| -> rusqlite::Result<i64> {
            let start: Option<i64> = query.query_row((width, calendar.now), |row| row.get(0))?;
            Ok(start.map_or(i64::MIN, |start| start + width))
        };
        Ok(Folded { hours_until: until(HOUR)?, days_until: until(DAY)? })
    }
}

/// A difference of two times, in ns, as a duration.
pub(super) fn nanos(ns: i128) -> Duration {
    Duration::from_nanos(u64::try_from(ns).unwrap_or(if ns < 0 { 0 } else { u64::MAX }))
}
