//! What the kernel tells of a process, and the core that it is kept on.

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command};
use std::time::Duration;

/// What `/proc/PID/stat` counts in; 100 a second on every Linux that is built as usual.
const TICK: Duration = Duration::from_millis(10);

/// The two cores that the measurement is spread over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Core {
    /// Of the sandbox, and of what drives a peer.
    Others,
    /// Of what is measured.
    Measured,
}

/// A child that is ended with its owner.
#[derive(Debug)]
pub(crate) struct Owned(pub(crate) Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Core {
    fn allowed() -> Option<(CpuSet, Vec<usize>)> {
        let all = sched_getaffinity(None).ok()?;
        let cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
        Some((all, cores))
    }

    /// Its number; none where there are no two to choose from.
    fn number(self) -> Option<usize> {
        let (_, cores) = Self::allowed().filter(|(_, cores)| cores.len() > 1)?;
        match self {
            Self::Others => cores.first().copied(),
            Self::Measured => cores.last().copied(),
        }
    }

    /// Starts a program that stays on this core from its first instruction on: a child has the affinity
    /// of the thread that starts it.
    pub(crate) fn start(self, command: &mut Command) -> Result<Owned> {
        let program = command.get_program().to_string_lossy().into_owned();
        let (before, number) = (Self::allowed(), self.number());
        if let Some(number) = number {
            let mut one = CpuSet::new();
            one.set(number);
            sched_setaffinity(None, &one)?;
        }
        let child = command.spawn();
        if let (Some((all, _)), Some(_)) = (before, number) {
            sched_setaffinity(None, &all)?;
        }
        Ok(Owned(child.with_context(|| format!("can't start {program}"))?))
    }
}

/// Whether each has a core of its own.
pub(crate) fn has_two_cores() -> bool {
    Core::Measured.number().is_some()
}

/// CPU time of a process so far, by its threads.
#[derive(Debug, Clone)]
pub(crate) struct Cpu {
    /// Of each thread that lives, to the nanosecond.
    threads: BTreeMap<u32, u64>,
    /// Of all that ever lived, to the tick.
    ticks: u64,
}

impl Cpu {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            // One that ends meanwhile is in `ticks`.
            let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
            let ran = text.split(' ').next().and_then(|ran| ran.parse().ok());
            let thread = entry.file_name().to_string_lossy().parse();
            if let (Ok(thread), Some(ran)) = (thread, ran) {
                threads.insert(thread, ran);
            }
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // What comes before is the name in brackets, which may hold anything.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let field =
            |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
        Ok(Self { threads, ticks: field(11) + field(12) })
    }

    /// What was taken since. To the nanosecond where all threads of then still live, else to the tick.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let ticks = TICK * u32::try_from(self.ticks.saturating_sub(before.ticks)).unwrap_or_default();
        if before.threads.keys().any(|thread| !self.threads.contains_key(thread)) {
            return ticks;
        }
        let sum = |threads: &BTreeMap<u32, u64>| threads.values().sum::<u64>();
        Duration::from_nanos(sum(&self.threads).saturating_sub(sum(&before.threads)))
    }
}

/// CPU time of children that have ended and were waited for, their own children's included.
pub(crate) fn ended_children() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).unwrap_or_default();
    Ok(TICK * (field(13) + field(14)))
}

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    /// What of it are pages of files: the program and its libraries, which the system can drop and read again.
    pub(crate) program: u64,
    pub(crate) peak: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Ok(Self { now: told(&text, "VmRSS:"), program: told(&text, "RssFile:"), peak: told(&text, "VmHWM:") })
    }
}

/// How often each thread of a process has been let run.
#[derive(Debug, Clone)]
pub(crate) struct Wakes(BTreeMap<u32, u64>);

impl Wakes {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
            let entry = entry?;
            // One that ends meanwhile counts no more.
            let Ok(text) = fs::read_to_string(entry.path().join("status")) else { continue };
            if let Ok(thread) = entry.file_name().to_string_lossy().parse() {
                threads.insert(thread, told(&text, "voluntary_ctxt_switches:"));
            }
        }
        Ok(Self(threads))
    }

    /// How often those were that live now, since.
    pub(crate) fn since(&self, before: &Self) -> u64 {
        let of_before = |thread| before.0.get(thread).copied().unwrap_or_default();
        self.0.iter().map(|(thread, wakes)| wakes.saturating_sub(of_before(thread))).sum()
    }
}

/// Bytes that a process had written to storage, whole pages of the cache as they became dirty. None where this
/// may not be asked: of a process that nobody may look into, as the daemon is, root alone is told.
pub(crate) fn written(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    Some(told(&text, "write_bytes:"))
}

fn told(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}
