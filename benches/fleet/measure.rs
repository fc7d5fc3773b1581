//! Looks at a process while it works, in slices of time of which the median counts.

use crate::process::{Cpu, Memory, written};
use crate::sandbox::Arrival;
use crate::tally;
use anyhow::Result;
use chrono::{DateTime, Utc};
use std::time::Duration;
use warmd::clock;

/// Slices of a measurement.
pub(crate) const SLICES: usize = 5;

/// What was seen.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The end of each slice, and CPU since the one before; the first is the beginning.
    marks: Vec<(DateTime<Utc>, Duration)>,
    pub(crate) memory: Memory,
    /// Bytes to storage meanwhile.
    pub(crate) written: u64,
}

impl Watched {
    /// Watches for so long.
    pub(crate) fn watch(pid: u32, lasts: Duration) -> Result<Self> {
        let written_before = written(pid)?;
        let mut cpu = Cpu::of(pid)?;
        let mut marks = vec![(clock::now(), Duration::ZERO)];
        for _ in 0..SLICES {
            std::thread::sleep(lasts / SLICES as u32);
            let now = Cpu::of(pid)?;
            marks.push((clock::now(), now.since(&cpu)));
            cpu = now;
        }
        Ok(Self { marks, memory: Memory::of(pid)?, written: written(pid)?.saturating_sub(written_before) })
    }

    pub(crate) fn from(&self) -> DateTime<Utc> {
        self.marks.first().map_or(DateTime::UNIX_EPOCH, |(at, _)| *at)
    }

    pub(crate) fn until(&self) -> DateTime<Utc> {
        self.marks.last().map_or(DateTime::UNIX_EPOCH, |(at, _)| *at)
    }

    /// CPU for each of what came: the median of the slices, in microseconds.
    pub(crate) fn cpu_each(&self, came: impl Fn(DateTime<Utc>, DateTime<Utc>) -> usize) -> f64 {
        let each = self.marks.windows(2).filter_map(|pair| {
            let [(from, _), (until, cpu)] = pair else { return None };
            let came = came(*from, *until);
            (came > 0).then(|| cpu.as_secs_f64() * 1e6 / came as f64)
        });
        median(each.collect())
    }

    /// As above, for what came to the sandbox.
    pub(crate) fn cpu_each_arrival(&self, arrivals: &[Arrival]) -> f64 {
        self.cpu_each(|from, until| tally::came(arrivals, from, until))
    }
}

/// The one in the middle; nothing of nothing.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
