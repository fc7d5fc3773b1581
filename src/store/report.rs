//! The sums over a span: intervals as far as they reach, the journal beyond.

use super::calendar::{Calendar, DAY, Folded, HOUR};
use super::fold;
use super::packed::{self, SECOND, Sum};
use super::summary::{COLUMNS, Interval, Summary};
use super::writer::{Writer, damaged};
use crate::config::value::ModelName;
use crate::journal::Entry;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};
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

/// What happened to one model, by the hour or the day that it is kept in.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervals {
    /// As [`Summaries::since`].
    pub since: DateTime<Utc>,
    /// In the order of time; one in which nothing happened isn't there.
    pub intervals: Vec<IntervalSum>,
}

/// What happened to a model within an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalSum {
    /// Its beginning, or that of the span.
    pub start: DateTime<Utc>,
    /// Its end, or now.
    pub end: DateTime<Utc>,
    /// All of it.
    pub sum: Summary,
}

impl Writer {
    /// Of one model; `unsaved` entries, which the file lacks, are counted too.
    pub(super) fn intervals(
        &mut self,
        model: &ModelName,
        since: DateTime<Utc>,
        calendar: &Calendar,
        unsaved: &[Entry],
    ) -> rusqlite::Result<Intervals> {
        let own = unsaved.iter().filter(|entry| entry.model == *model);
        let numbered: Vec<_> = own.map(|entry| (self.names.seen(&entry.model, entry.at), entry)).collect();
        let since = calendar.since(since, self.folded(calendar)?);
        let time = |at: i64| DateTime::from_timestamp(at, 0).unwrap_or(DateTime::UNIX_EPOCH);
        let Some(number) = self.names.find(model) else {
            return Ok(Intervals { since: time(since), intervals: Vec::new() });
        };
        // What a wrong clock has told of time to come is no part of it.
        let span = since.saturating_mul(SECOND)..calendar.now.saturating_add(HOUR).saturating_mul(SECOND);
        let mut sums: HashMap<Interval, Summary> = HashMap::new();
        self.each_row(since, &packed::pack(numbered), |row| {
            for (model, at, sum) in row.sums().filter(|(model, ..)| *model == number) {
                fold::add(&mut sums, calendar, &span, model, at, sum);
            }
        })?;
        let mut parts: BTreeMap<(i64, i64), Vec<Summary>> = BTreeMap::new();
        for ((_, width, start), sum) in sums {
            parts.entry((start, width)).or_default().push(sum);
        }
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS}, width, start FROM interval
             WHERE model = ?1 AND width IN ({HOUR}, {DAY}) AND start >= ?2"
        ))?;
        let mut rows = query.query((number, since))?;
        while let Some(row) = rows.next()? {
            parts.entry((row.get("start")?, row.get("width")?)).or_default().push(Summary::read(row)?);
        }
        let interval = |((start, width), parts): ((i64, i64), Vec<Summary>)| IntervalSum {
            start: time(start.max(since)),
            end: time(start.saturating_add(width).min(calendar.now.max(start))),
            sum: Summary::merged(&parts),
        };
        Ok(Intervals { since: time(since), intervals: parts.into_iter().map(interval).collect() })
    }

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
        let (unsaved, from) = (packed::pack(numbered), since.saturating_mul(SECOND));
        let mut sums = match model {
            None => self.summed(since)?.clone(),
            Some(name) => {
                let number = self.names.find(name);
                let mut sums = HashMap::new();
                self.each_kept(since, i64::MIN, |row| add(&mut sums, row, from))?;
                sums.retain(|model, _| Some(*model) == number);
                self.add_intervals(since, number.as_slice(), &mut sums)?;
                sums
            }
        };
        self.each_own(&unsaved, |row| add(&mut sums, row, from));
        let named = sums.into_iter().filter_map(|(number, sum)| Some((self.names.name(number)?, sum)));
        let models = named.filter(|(name, _)| model.is_none_or(|model| model == name)).collect();
        let since = DateTime::from_timestamp(since, 0).unwrap_or(DateTime::UNIX_EPOCH);
        Ok(Summaries { since, models })
    }

    /// Each row of the journal that reaches beyond `since`, what the tail holds, and the row that isn't
    /// there yet.
    pub(super) fn each_row(
        &self,
        since: i64,
        unsaved: &[u8],
        mut take: impl FnMut(&packed::Row<'_>),
    ) -> rusqlite::Result<()> {
        self.each_kept(since, i64::MIN, &mut take)?;
        self.each_own(unsaved, take);
        Ok(())
    }

    /// What the tail holds, and the row that isn't there yet.
    fn each_own(&self, unsaved: &[u8], mut take: impl FnMut(&packed::Row<'_>)) {
        for own in [self.pending.body(), unsaved] {
            // Of what this process has packed itself nothing is damaged.
            if let Ok(row) = packed::unpack(own) {
                take(&row);
            }
        }
    }

    /// Each row of the journal behind the row `after` that reaches beyond `since`; tells which was the last.
    pub(super) fn each_kept(
        &self,
        since: i64,
        after: i64,
        mut take: impl FnMut(&packed::Row<'_>),
    ) -> rusqlite::Result<i64> {
        let mut query = self
            .connection
            .prepare_cached("SELECT id, body FROM journal WHERE id > ?1 AND until >= ?2 ORDER BY id")?;
        let mut rows = query.query((after, since))?;
        let mut last = after;
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            match packed::unpack(row.get_ref(1)?.as_blob()?) {
                Ok(body) => take(&body),
                Err(e) => damaged(last, &e),
            }
        }
        Ok(last)
    }

    /// Up to where hours and days reach. What bears a later date than now, as the clock was set
    /// back since, does not count: else one wrong clock would spoil the resolution for good.
    pub(super) fn folded(&self, calendar: &Calendar) -> rusqlite::Result<Folded> {
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

/// Adds a row's entries to the sums by model, from `from` (µs since 1970) on.
pub(super) fn add(sums: &mut HashMap<u32, Summary>, row: &packed::Row<'_>, from: i64) {
    for (model, at, sum) in row.sums() {
        match sum {
            Sum::Spent { from: start, to, how } => {
                let start = start.max(from);
                if start < to {
                    sums.entry(model).or_default().spent.add(how, micros(start, to));
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

/// From one time to another, in µs since 1970; nothing where the other is earlier.
pub(super) fn micros(from: i64, to: i64) -> Duration {
    Duration::from_micros(if from < to { to.abs_diff(from) } else { 0 })
}
