//! The sum of a model's entries over a span: what the report is made from, and what an interval
//! keeps once its entries have left the journal.

use super::packed::Sum;
use crate::heartbeat::Outcome;
use crate::journal::Spent;
use crate::latency::Distribution;
use rusqlite::{Connection, Row};
use std::time::Duration;

/// What happened to a model within a span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Heartbeats by outcome, in the order of [`Outcome::ALL`].
    pub counts: [u64; 9],
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
                self.counts[outcome as usize] += 1;
                match (outcome, total) {
                    (Outcome::Warm, Some(total)) => self.warm.record(total),
                    (Outcome::Cold, Some(total)) => self.cold.record(total),
                    _ => {}
                }
                self.cold_in_hours += u64::from(in_hours && outcome == Outcome::Cold);
            }
            Sum::Boot { took } => {
                self.boots += 1;
                if let Some(took) = took {
                    self.boot.record(took);
                }
            }
            Sum::Spent { .. } => {}
        }
    }

    /// All of them in one.
    pub(super) fn merged(parts: &[Self]) -> Self {
        let mut whole = Self {
            warm: Distribution::merged(parts.iter().map(|p| &p.warm)),
            cold: Distribution::merged(parts.iter().map(|p| &p.cold)),
            boot: Distribution::merged(parts.iter().map(|p| &p.boot)),
            ..Self::default()
        };
        for part in parts {
            whole
                .counts
                .iter_mut()
                .zip(part.counts)
                .for_each(|(sum, count)| *sum = sum.saturating_add(count));
            whole.boots = whole.boots.saturating_add(part.boots);
            whole.cold_in_hours = whole.cold_in_hours.saturating_add(part.cold_in_hours);
            whole.spent.add(Spent::Warm, part.spent.warm);
            whole.spent.add(Spent::Cold, part.spent.cold);
            whole.spent.add(Spent::Unknown, part.spent.unknown);
        }
        whole
    }

    /// From a row of [`COLUMNS`]. A histogram that can't be read is left out, and logged: a damaged
    /// one must not take the report with it.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let whole = |i: usize| row.get::<_, i64>(i).map(i64::unsigned_abs);
        let times = |i: usize| -> rusqlite::Result<Distribution> {
            let bytes = row.get_ref(i)?.as_blob_or_null()?.unwrap_or_default();
            Ok(Distribution::from_bytes(bytes).unwrap_or_else(|e| {
                tracing::warn!("a histogram in the state file is damaged and left out: {e}");
                Distribution::default()
            }))
        };
        let mut counts = [0; 9];
        for (i, count) in counts.iter_mut().enumerate() {
            *count = whole(i)?;
        }
        Ok(Self {
            counts,
            cold_in_hours: whole(9)?,
            boots: whole(10)?,
            spent: SpentTimes {
                warm: Duration::from_nanos(whole(11)?),
                cold: Duration::from_nanos(whole(12)?),
                unknown: Duration::from_nanos(whole(13)?),
            },
            warm: times(14)?,
            cold: times(15)?,
            boot: times(16)?,
        })
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
             VALUES (?18, ?19, ?20, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)"
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

/// What tells an interval: its model, its width in seconds, its start.
pub(super) type Interval = (u32, i64, i64);

/// A summary's columns in the table `interval`, in the order in which [`Summary::read`] takes them.
pub(super) const COLUMNS: &str = "warm, cold, busy, failed, rejected, rate_limited, timed_out, unreachable, \
     skipped, cold_in_hours, boots, spent_warm_ns, spent_cold_ns, spent_unknown_ns, warm_times, cold_times, \
     boot_times";
