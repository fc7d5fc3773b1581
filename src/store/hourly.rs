//! How the hours of every model were spent: what the page draws a strip of, without the distributions.

use super::calendar::{Calendar, DAY, HOUR};
use super::fold;
use super::packed::{self, SECOND, Sum};
use super::report::{IntervalSum, Intervals};
use super::summary::{Interval, SpentTimes, Summary};
use super::writer::Writer;
use crate::config::value::ModelName;
use crate::heartbeat::Outcome;
use crate::journal::{Entry, Spent};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What the hours of a span were like.
#[derive(Debug, Clone, PartialEq)]
pub struct Hourly {
    /// As [`super::Summaries::since`].
    pub since: DateTime<Utc>,
    /// By model, in the order of time; an hour in which nothing happened isn't there.
    pub models: HashMap<ModelName, Vec<HourSum>>,
}

/// What an hour was like, or the day that it has become part of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HourSum {
    /// Its beginning.
    pub start: DateTime<Utc>,
    /// Its end.
    pub end: DateTime<Utc>,
    /// How active hours within it were spent.
    pub spent: SpentTimes,
    /// Cold heartbeats within active hours.
    pub cold_in_hours: u64,
    /// All boots that were seen.
    pub boots: u64,
}

impl Hourly {
    /// Adds what nothing has accounted for yet: unknown so far.
    pub fn add_unknown(&mut self, model: &ModelName, pieces: &[(DateTime<Utc>, DateTime<Utc>)]) {
        let hours = by_the_hour(pieces, self.since);
        if hours.is_empty() {
            return;
        }
        let sums = self.models.entry(model.clone()).or_default();
        for (start, unknown) in hours {
            let covers = |sum: &HourSum| (sum.start..sum.end).contains(&start);
            let at = sums.iter().rposition(covers).unwrap_or_else(|| {
                let end = start + TimeDelta::seconds(HOUR);
                let (spent, at) = (SpentTimes::default(), sums.partition_point(|sum| sum.start < start));
                sums.insert(at, HourSum { start, end, spent, cold_in_hours: 0, boots: 0 });
                at
            });
            sums[at].spent.add(Spent::Unknown, unknown);
        }
    }
}

impl Intervals {
    /// Adds what nothing has accounted for yet, up to `now`: unknown so far.
    pub fn add_unknown(&mut self, pieces: &[(DateTime<Utc>, DateTime<Utc>)], now: DateTime<Utc>) {
        for (start, unknown) in by_the_hour(pieces, self.since) {
            let (since, sums) = (self.since, &mut self.intervals);
            let end = start + TimeDelta::seconds(HOUR);
            let covers =
                |sum: &IntervalSum| (sum.start..sum.end).contains(&start.max(sum.start)) && sum.start < end;
            let at = sums.iter().rposition(covers).unwrap_or_else(|| {
                let (start, at) = (start.max(since), sums.partition_point(|sum| sum.start < start));
                sums.insert(at, IntervalSum { start, end: end.min(now), sum: Summary::default() });
                at
            });
            sums[at].sum.spent.add(Spent::Unknown, unknown);
        }
    }
}

/// How much of each hour lies within these, from `since` on; by the hour's beginning.
fn by_the_hour(
    pieces: &[(DateTime<Utc>, DateTime<Utc>)],
    since: DateTime<Utc>,
) -> BTreeMap<DateTime<Utc>, Duration> {
    let mut hours = BTreeMap::new();
    for (from, to) in pieces {
        let mut from = (*from).max(since);
        while from < *to {
            let start = time(from.timestamp() - from.timestamp().rem_euclid(HOUR));
            let end = (start + TimeDelta::seconds(HOUR)).min(*to);
            *hours.entry(start).or_default() += (end - from).to_std().unwrap_or_default();
            from = end;
        }
    }
    hours
}

impl Writer {
    /// Of all models; `unsaved` entries, which the file lacks, are counted too.
    pub(super) fn hourly(
        &mut self,
        since: DateTime<Utc>,
        calendar: &Calendar,
        unsaved: &[Entry],
    ) -> rusqlite::Result<Hourly> {
        let numbered: Vec<_> =
            unsaved.iter().map(|entry| (self.names.seen(&entry.model, entry.at), entry)).collect();
        let since = calendar.since(since, self.folded(calendar)?);
        // What a wrong clock has told of time to come is no part of it.
        let span = since.saturating_mul(SECOND)..calendar.now.saturating_add(HOUR).saturating_mul(SECOND);
        let mut sums: HashMap<Interval, Summary> = HashMap::new();
        self.each_row(since, &packed::pack(numbered), |row| {
            for (model, at, sum) in row.sums().filter(|(.., sum)| tells(sum)) {
                fold::add(&mut sums, calendar, &span, model, at, sum);
            }
        })?;
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT width, start, spent_warm_ns, spent_cold_ns, spent_unknown_ns, cold_in_hours, boots
             FROM interval WHERE model = ?1 AND width IN ({HOUR}, {DAY}) AND start >= ?2"
        ))?;
        let mut hours: HashMap<u32, Vec<HourSum>> = HashMap::new();
        for model in self.names.numbers() {
            let mut rows = query.query((model, since))?;
            while let Some(row) = rows.next()? {
                let whole = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
                let ns = |at: usize| whole(at).map(Duration::from_nanos);
                let spent = SpentTimes { warm: ns(2)?, cold: ns(3)?, unknown: ns(4)? };
                let hour = HourSum::new(row.get(0)?, row.get(1)?);
                let hour = HourSum { spent, cold_in_hours: whole(5)?, boots: whole(6)?, ..hour };
                hours.entry(model).or_default().push(hour);
            }
        }
        for ((model, width, start), sum) in sums {
            hours.entry(model).or_default().push(HourSum {
                spent: sum.spent,
                cold_in_hours: sum.cold_in_hours,
                boots: sum.boots,
                ..HourSum::new(width, start)
            });
        }
        let mut models: HashMap<ModelName, Vec<HourSum>> = HashMap::new();
        for (model, mut hours) in hours {
            let Some(name) = self.names.name(model) else { continue };
            // In the file they lie by their widths; and of an hour that it has, the journal may tell more.
            hours.sort_by_key(|hour| (hour.start, hour.end));
            hours.dedup_by(|other, hour| hour.absorb(other));
            models.insert(name, hours);
        }
        Ok(Hourly { since: time(since), models })
    }
}

/// Whether it adds to an hour: of heartbeats the cold ones alone do.
fn tells(sum: &Sum) -> bool {
    match sum {
        Sum::Heartbeat { outcome, .. } => *outcome == Outcome::Cold,
        Sum::Boot { .. } | Sum::Spent { .. } => true,
    }
}

impl HourSum {
    /// One in which nothing happened.
    fn new(width: i64, start: i64) -> Self {
        let end = time(start.saturating_add(width));
        Self { start: time(start), end, spent: SpentTimes::default(), cold_in_hours: 0, boots: 0 }
    }

    /// Adds what another tells of the same hour; whether it was of the same.
    fn absorb(&mut self, other: &Self) -> bool {
        let same = (self.start, self.end) == (other.start, other.end);
        if same {
            self.spent.add(Spent::Warm, other.spent.warm);
            self.spent.add(Spent::Cold, other.spent.cold);
            self.spent.add(Spent::Unknown, other.spent.unknown);
            self.cold_in_hours = self.cold_in_hours.saturating_add(other.cold_in_hours);
            self.boots = self.boots.saturating_add(other.boots);
        }
        same
    }
}

fn time(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(at, 0).unwrap_or(DateTime::UNIX_EPOCH)
}
