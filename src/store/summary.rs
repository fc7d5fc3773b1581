//! The sum of a model's entries over a span: what the report is made from, and what an interval
//! keeps once its entries have left the journal.

use super::packed::Sum;
use crate::heartbeat::Outcome;
use crate::journal::Spent;
use crate::latency::{Distribution, LatencyError, Open};
use rusqlite::{Connection, Row};
use std::time::Duration;

/// How many outcomes there are.
const OUTCOMES: usize = Outcome::ALL.len();

/// What happened to a model within a span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Heartbeats by outcome, in the order of [`Outcome::ALL`].
    pub counts: [u64; OUTCOMES],
    /// `total` of those that were warm.
    pub warm: Distribution,
    /// `total` of those that were cold.
    pub cold: Distribution,
    /// Boots whose duration is known.
    pub boot: Distribution,
    /// All boots that were seen.
    pub boots: u64,
    /// How active hours were spent.
    pub spent: SpentTimes,
    /// Cold heartbeats within active hours.
    pub cold_in_hours: u64,
}

/// Active hours, by how they were spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpentTimes {
    /// Up to a heartbeat that found the model warm or busy.
    pub warm: Duration,
    /// Up to the end of one that was cold.
    pub cold: Duration,
    /// No answer vouches for it.
    pub unknown: Duration,
}

impl SpentTimes {
    /// All of them.
    pub fn open(&self) -> Duration {
        self.warm.saturating_add(self.cold).saturating_add(self.unknown)
    }

    pub(crate) fn add(&mut self, how: Spent, time: Duration) {
        let kind = match how {
            Spent::Warm => &mut self.warm,
            Spent::Cold => &mut self.cold,
            Spent::Unknown => &mut self.unknown,
        };
        *kind = kind.saturating_add(time);
    }
}

impl Summary {
    /// How many heartbeats ended so.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.counts[outcome as usize]
    }

    /// Adds an entry, except for a stretch's time: [`SpentTimes::add`], piece by piece.
    pub(super) fn add(&mut self, sum: Sum) {
        match sum {
            Sum::Heartbeat { outcome, in_hours, total } => {
                let count = &mut self.counts[outcome as usize];
                *count = count.saturating_add(1);
                match (outcome, total) {
                    (Outcome::Warm, Some(total)) => self.warm.record(total),
                    (Outcome::Cold, Some(total)) => self.cold.record(total),
                    _ => {}
                }
                let cold_in_hours = in_hours && outcome == Outcome::Cold;
                self.cold_in_hours = self.cold_in_hours.saturating_add(cold_in_hours.into());
            }
            Sum::Boot { took } => {
                self.boots = self.boots.saturating_add(1);
                if let Some(took) = took {
                    self.boot.record(took);
                }
            }
            Sum::Spent { .. } => {}
        }
    }

    /// Makes it small, to be kept.
    pub(super) fn compact(&mut self) {
        for times in [&mut self.warm, &mut self.cold, &mut self.boot] {
            times.compact();
        }
    }

    /// All of them in one.
    pub(super) fn merged(parts: &[Self]) -> Self {
        let mut total = Total::new();
        for part in parts {
            total.add(part);
        }
        total.close().unwrap_or_default()
    }

    /// From a row of [`COLUMNS`]. A histogram that can't be read is left out, and logged: a damaged
    /// one must not take the report with it.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut summary = Self::figures(row)?;
        let times = [&mut summary.warm, &mut summary.cold, &mut summary.boot];
        for (column, times) in TIMES.zip(times) {
            match Distribution::from_bytes(blob(row, column)?) {
                Ok(read) => *times = read,
                Err(error) => left_out(&error),
            }
        }
        Ok(summary)
    }

    /// What is told in such a row beside the histograms.
    fn figures(row: &Row<'_>) -> rusqlite::Result<Self> {
        let whole = |i: usize| row.get::<_, i64>(i).map(i64::unsigned_abs);
        let mut counts = [0; OUTCOMES];
        for (i, count) in counts.iter_mut().enumerate() {
            *count = whole(i)?;
        }
        Ok(Self {
            counts,
            cold_in_hours: whole(10)?,
            boots: whole(11)?,
            spent: SpentTimes {
                warm: Duration::from_nanos(whole(12)?),
                cold: Duration::from_nanos(whole(13)?),
                unknown: Duration::from_nanos(whole(14)?),
            },
            ..Self::default()
        })
    }

    /// Adds all but the histograms.
    fn add_figures(&mut self, other: &Self) {
        let sum = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        self.counts.iter_mut().zip(other.counts).for_each(|(own, count)| sum(own, count));
        sum(&mut self.boots, other.boots);
        sum(&mut self.cold_in_hours, other.cold_in_hours);
        self.spent.add(Spent::Warm, other.spent.warm);
        self.spent.add(Spent::Cold, other.spent.cold);
        self.spent.add(Spent::Unknown, other.spent.unknown);
    }

    /// Adds it to the interval of that model, width and start, in the caller's transaction.
    pub(super) fn save_into(&self, tx: &Connection, key: Interval) -> rusqlite::Result<()> {
        let (model, width, start) = key;
        let known = {
            let mut query = tx.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM interval WHERE model = ?1 AND width = ?2 AND start = ?3"
            ))?;
            let mut rows = query.query((model, width, start))?;
            rows.next()?.map(Self::read).transpose()?
        };
        let merged = known.map(|known| Self::merged(&[known, self.clone()]));
        let whole = merged.as_ref().unwrap_or(self);
        let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let ns = |d: Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
        let times = |d: &Distribution| Some(d.to_bytes()).filter(|bytes| !bytes.is_empty());
        let mut save = tx.prepare_cached(&format!(
            "INSERT OR REPLACE INTO interval (model, width, start, {COLUMNS})
             VALUES (?19, ?20, ?21, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                     ?18)"
        ))?;
        let mut at = 0;
        for value in whole.counts.into_iter().chain([whole.cold_in_hours, whole.boots]) {
            at += 1;
            save.raw_bind_parameter(at, int(value))?;
        }
        for value in [whole.spent.warm, whole.spent.cold, whole.spent.unknown] {
            at += 1;
            save.raw_bind_parameter(at, ns(value))?;
        }
        for value in [&whole.warm, &whole.cold, &whole.boot] {
            at += 1;
            save.raw_bind_parameter(at, times(value))?;
        }
        for value in [i64::from(model), width, start] {
            at += 1;
            save.raw_bind_parameter(at, value)?;
        }
        save.raw_execute().map(drop)
    }
}

/// Summaries being added up. To be used for one model after the other: their histograms are 40 KB while open.
#[derive(Debug)]
pub(super) struct Total {
    figures: Summary,
    /// In the order of [`TIMES`].
    times: [Open; 3],
    /// Nothing was added yet.
    empty: bool,
}

impl Total {
    pub(super) fn new() -> Self {
        Self { figures: Summary::default(), times: [Open::new(), Open::new(), Open::new()], empty: true }
    }

    pub(super) fn add(&mut self, part: &Summary) {
        self.figures.add_figures(part);
        for (open, times) in self.times.iter_mut().zip([&part.warm, &part.cold, &part.boot]) {
            open.add(times);
        }
        self.empty = false;
    }

    /// Adds a row of [`COLUMNS`], as [`Summary::read`] reads it.
    pub(super) fn add_row(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        self.figures.add_figures(&Summary::figures(row)?);
        for (column, open) in TIMES.zip(&mut self.times) {
            open.add_bytes(blob(row, column)?).unwrap_or_else(|error| left_out(&error));
        }
        self.empty = false;
        Ok(())
    }

    /// The sum, where anything was added; it is empty again after.
    pub(super) fn close(&mut self) -> Option<Summary> {
        let [warm, cold, boot] = self.times.each_mut().map(Open::close);
        let figures = std::mem::take(&mut self.figures);
        (!std::mem::replace(&mut self.empty, true)).then_some(Summary { warm, cold, boot, ..figures })
    }
}

fn blob<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r [u8]> {
    Ok(row.get_ref(column)?.as_blob_or_null()?.unwrap_or_default())
}

fn left_out(why: &LatencyError) {
    tracing::warn!("a histogram in the state file is damaged and left out: {why}");
}

/// What tells an interval: its model, its width in seconds, its start.
pub(super) type Interval = (u32, i64, i64);

/// A summary's columns in the table `interval`, in the order in which [`Summary::read`] takes them.
pub(super) const COLUMNS: &str = "warm, cold, busy, failed, rejected, rate_limited, timed_out, unreachable, \
     skipped, calibration, cold_in_hours, boots, spent_warm_ns, spent_cold_ns, spent_unknown_ns, warm_times, \
     cold_times, boot_times";

/// The histograms among them: warm, cold, boots.
const TIMES: std::ops::Range<usize> = 15..18;
