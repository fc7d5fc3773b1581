//! Measuring one setting: the daemon alone, then with the bare loop at work beside it, then with a peer.

use crate::bare;
use crate::daemon::{Counted, Warmd};
use crate::measure::{Beside, Watched};
use crate::peers;
use crate::process::{Core, Memory, written};
use crate::sandbox::{Arrival, StandIn};
use crate::tally::Tally;
use crate::way::Setting;
use anyhow::{Context as _, Result};
use chrono::TimeDelta;
use std::time::Duration;
use warmd::clock;

/// What is not measured: a start, and the first heartbeats, which look models up.
const WARM_UP: Duration = Duration::from_secs(2);

/// Until what is due at the end of the measurement has come.
const LATE: Duration = Duration::from_millis(500);

/// Within it, a first heartbeat has come.
const FIRST: Duration = Duration::from_millis(700);

/// Starts of `warmctl status`.
const LOOKS: usize = 9;

/// One row of the tables.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) setting: Setting,
    /// While nothing else was measured: its lags are told.
    pub(crate) tally: Tally,
    /// From then on to the end, what is measured beside it included: what was lost and doubled is told.
    pub(crate) whole: Tally,
    /// What came in all, the warm-up included, as the sandbox and as the daemon counted.
    pub(crate) came: u64,
    pub(crate) counted: Counted,
    /// CPU beside the bare loop; beside `blackbox_exporter`, where that is installed and asked for.
    pub(crate) bare: Beside,
    pub(crate) blackbox: Option<Beside>,
    /// CPU of a heartbeat by curl, in microseconds, as above.
    pub(crate) curl: Option<f64>,
    pub(crate) memory: Memory,
    /// Bytes a heartbeat; the first where that is told.
    pub(crate) written: Option<f64>,
    pub(crate) grown: f64,
    /// From exec to the sandbox.
    pub(crate) first: Duration,
    /// Of `warmctl status`.
    pub(crate) look: Duration,
}

impl Row {
    pub(crate) fn measure(setting: &Setting, lasts: Duration, with_peers: bool) -> Result<Self> {
        let mut sandbox = StandIn::start(setting)?;
        let warmd = Warmd::start(setting, &sandbox)?;
        warmd.ready()?;
        std::thread::sleep(setting.interval + WARM_UP);
        let size = warmd.state_size();
        let written_before = written(warmd.pid());
        let watched = Watched::watch(warmd.pid(), lasts)?;
        std::thread::sleep(LATE);
        let looks = warmd.times(&["status"], LOOKS)?;
        let bare = beside_bare(setting, &warmd, lasts)?;
        let blackbox = if with_peers { beside_blackbox(setting, &warmd, lasts)? } else { None };
        let until = clock::now();
        let grown = warmd.state_size().saturating_sub(size);
        let written = written_before.zip(written(warmd.pid())).map(|(before, now)| now - before);
        let counted = warmd.counted()?;
        let arrivals = sandbox.arrivals()?;
        let tally = |until| Tally::of(setting, |_| true, &arrivals, watched.from(), until);
        let (tally, whole) = (tally(watched.until())?, tally(until - LATE)?);
        let first = first(&warmd, &arrivals)?;
        drop(warmd);
        let each = |bytes: u64| bytes as f64 / whole.came.max(1) as f64;
        let of_warmd = |(warmd, other, others): (Watched, Watched, Vec<Arrival>)| {
            Beside::of((&warmd, &arrivals), (&other, &others), setting.a_second())
        };
        Ok(Self {
            setting: *setting,
            came: arrivals.len() as u64,
            counted,
            bare: of_warmd(bare)?,
            blackbox: blackbox.map(of_warmd).transpose()?,
            curl: if with_peers { peers::curl(setting)? } else { None },
            memory: watched.memory,
            written: written.map(each),
            grown: each(grown),
            first,
            look: looks[LOOKS / 2],
            tally,
            whole,
        })
    }

    /// None lost, none doubled, none counted otherwise than it was.
    pub(crate) fn is_exact(&self) -> bool {
        self.whole.lost == 0 && self.whole.doubled == 0 && self.is_counted()
    }

    /// The daemon counted what came, each as answered.
    pub(crate) fn is_counted(&self) -> bool {
        (self.counted.answered, self.counted.otherwise) == (self.came, 0)
    }
}

/// The daemon, with the bare loop beside it that makes as many calls at the same pace; and when those came.
fn beside_bare(
    setting: &Setting,
    warmd: &Warmd,
    lasts: Duration,
) -> Result<(Watched, Watched, Vec<Arrival>)> {
    let mut sandbox = StandIn::start(setting)?;
    let mut bare = bare::start(setting, &sandbox, None, Core::Measured)?;
    std::thread::sleep(setting.interval + WARM_UP);
    let (of_warmd, of_bare) = Beside::watch(warmd.pid(), bare.0.id(), lasts)?;
    anyhow::ensure!(bare.0.try_wait()?.is_none(), "the bare loop ended");
    Ok((of_warmd, of_bare, sandbox.arrivals()?))
}

/// As above, with `blackbox_exporter`.
fn beside_blackbox(
    setting: &Setting,
    warmd: &Warmd,
    lasts: Duration,
) -> Result<Option<(Watched, Watched, Vec<Arrival>)>> {
    let Some(mut probing) = peers::blackbox(setting)? else { return Ok(None) };
    std::thread::sleep(setting.interval + WARM_UP);
    let (of_warmd, of_probes) = Beside::watch(warmd.pid(), probing.exporter.0.id(), lasts)?;
    probing.is_driven()?;
    Ok(Some((of_warmd, of_probes, probing.sandbox.arrivals()?)))
}

/// From exec to the first heartbeat at the sandbox: the median of several starts.
pub(crate) fn first_heartbeat(setting: &Setting, starts: usize) -> Result<Duration> {
    let mut took = Vec::new();
    for _ in 0..starts {
        let mut sandbox = StandIn::start(setting)?;
        let warmd = Warmd::start(setting, &sandbox)?;
        std::thread::sleep(FIRST);
        took.push(first(&warmd, &sandbox.arrivals()?)?);
    }
    took.sort_unstable();
    Ok(took.get(starts / 2).copied().unwrap_or_default())
}

pub(crate) fn first(warmd: &Warmd, arrivals: &[Arrival]) -> Result<Duration> {
    let first = arrivals.iter().map(|(_, at)| *at).min();
    let first = first.with_context(|| format!("no heartbeat came; {:?}", warmd.log()))?;
    Ok(TimeDelta::microseconds(first - warmd.begun.timestamp_micros()).to_std()?)
}
