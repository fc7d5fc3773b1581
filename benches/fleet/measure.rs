//! Looks at a process while it works, in slices of time of which the median counts.

use crate::process::{Cpu, Memory};
use crate::sandbox::Arrival;
use crate::tally;
use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use std::time::Duration;
use warmd::clock;

/// Slices of a measurement.
pub(crate) const SLICES: usize = 5;

/// How far from the wanted pace a measurement may be: where the edges of its span fall.
const OFF_PACE: f64 = 0.05;

/// What was seen.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The end of each slice, and CPU since the one before; the first is the beginning.
    marks: Vec<(DateTime<Utc>, Duration)>,
    pub(crate) memory: Memory,
}

impl Watched {
    /// Watches for so long.
    pub(crate) fn watch(pid: u32, lasts: Duration) -> Result<Self> {
        let mut cpu = Cpu::of(pid)?;
        let mut marks = vec![(clock::now(), Duration::ZERO)];
        for _ in 0..SLICES {
            std::thread::sleep(lasts / SLICES as u32);
            let now = Cpu::of(pid)?;
            marks.push((clock::now(), now.since(&cpu)));
            cpu = now;
        }
        Ok(Self { marks, memory: Memory::of(pid)? })
    }

    pub(crate) fn from(&self) -> DateTime<Utc> {
        self.marks.first().map_or(DateTime::UNIX_EPOCH, |(at, _)| *at)
    }

    pub(crate) fn until(&self) -> DateTime<Utc> {
        self.marks.last().map_or(DateTime::UNIX_EPOCH, |(at, _)| *at)
    }

    /// An error unless about as many came to the sandbox as so many a second are: what one costs depends on the pace.
    fn kept_pace(&self, whose: &str, arrivals: &[Arrival], a_second: f64) -> Result<()> {
        let wanted = a_second * (self.until() - self.from()).as_seconds_f64();
        let came = tally::came(arrivals, self.from(), self.until());
        ensure!((came as f64 / wanted - 1.0).abs() < OFF_PACE, "{whose} sent {came}, not {wanted:.0}");
        Ok(())
    }

    /// CPU for each of what came to the sandbox, slice by slice, in microseconds.
    fn cpu_each(&self, arrivals: &[Arrival]) -> Vec<f64> {
        let slices = self.marks.windows(2).map(|pair| match pair {
            [(from, _), (until, cpu)] => {
                cpu.as_secs_f64() * 1e6 / tally::came(arrivals, *from, *until) as f64
            }
            _ => f64::NAN,
        });
        slices.collect()
    }
}

/// CPU of two that work at the same time on the same core, so that whatever else the machine does meets both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside {
    /// Of the daemon, in microseconds a heartbeat; of the other, for each of its own. Medians of the slices.
    pub(crate) warmd: f64,
    pub(crate) other: f64,
    /// The median of the slices' ratios.
    pub(crate) ratio: f64,
}

impl Beside {
    /// Watches both for so long.
    pub(crate) fn watch(warmd: u32, other: u32, lasts: Duration) -> Result<(Watched, Watched)> {
        std::thread::scope(|scope| {
            let warmd = scope.spawn(move || Watched::watch(warmd, lasts));
            let other = Watched::watch(other, lasts)?;
            Ok((warmd.join().map_err(|_| anyhow::anyhow!("the watch panicked"))??, other))
        })
    }

    /// What came of each to its sandbox, where so many heartbeats were to come a second.
    pub(crate) fn of(
        warmd: (&Watched, &[Arrival]),
        other: (&Watched, &[Arrival]),
        a_second: f64,
    ) -> Result<Self> {
        warmd.0.kept_pace("warmd", warmd.1, a_second)?;
        other.0.kept_pace("what ran beside it", other.1, a_second)?;
        let (warmd, other) = (warmd.0.cpu_each(warmd.1), other.0.cpu_each(other.1));
        let ratios = warmd.iter().zip(&other).map(|(warmd, other)| warmd / other).collect();
        Ok(Self { warmd: median(warmd), other: median(other), ratio: median(ratios) })
    }
}

/// The one in the middle; nothing of nothing.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
