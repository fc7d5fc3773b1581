//! What a process takes, looked up in `/proc` again and again, and whether it stays so.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;
use warmd::config::value::format_duration;

/// Of a leak of 50 bytes a heartbeat, 12 MB would lie between the two stretches compared.
const GROWTH: f64 = 0.1;
const GROWTH_KIB: f64 = 1024.0;

/// One look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    at: Duration,
    heartbeats: u64,
    rss_kib: u64,
    anonymous_kib: u64,
    peak_kib: u64,
    threads: u64,
    descriptors: u64,
    cpu_ms: u64,
    state_kib: u64,
    log_kib: u64,
}

/// One figure of a look.
type Figure = fn(&Sample) -> u64;

/// All of them, each written down at once.
pub(super) struct Samples {
    file: File,
    all: Vec<Sample>,
}

impl Sample {
    pub(super) fn of(pid: u32, state: &Path, at: Duration, heartbeats: u64) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let told = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let kib = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len() / 1024);
        Self {
            at,
            heartbeats,
            rss_kib: told("VmRSS:"),
            anonymous_kib: told("RssAnon:"),
            peak_kib: told("VmHWM:"),
            threads: told("Threads:"),
            // Of a process that nobody may trace, only root sees how many; others, for how many there is room.
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))
                .map_or_else(|_| told("FDSize:"), |open| open.count() as u64),
            cpu_ms: cpu_ms(pid),
            state_kib: kib(state),
            log_kib: kib(&state.with_file_name("warmd.db-wal")),
        }
    }
}

/// User and system time; a tick is 10 ms on every Linux.
fn cpu_ms(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // What comes before is the name in brackets, which may hold anything.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}

impl Samples {
    pub(super) fn new(path: &Path) -> Self {
        let mut file = File::create(path).unwrap();
        let columns =
            "seconds,heartbeats,rss_kib,anonymous_kib,peak_kib,threads,descriptors,cpu_ms,state_kib,wal_kib";
        writeln!(file, "{columns}").unwrap();
        Self { file, all: Vec::new() }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        let Sample { at, heartbeats, rss_kib, anonymous_kib, peak_kib, threads, descriptors, .. } = sample;
        let Sample { cpu_ms, state_kib, log_kib, .. } = sample;
        let seconds = at.as_secs_f64();
        writeln!(
            self.file,
            "{seconds:.1},{heartbeats},{rss_kib},{anonymous_kib},{peak_kib},{threads},{descriptors},{cpu_ms},\
             {state_kib},{log_kib}"
        )
        .unwrap();
        self.all.push(sample);
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// When the last one was taken.
    pub(super) fn passed(&self) -> Duration {
        self.all.last().map_or(Duration::ZERO, |sample| sample.at)
    }

    pub(super) fn lasted(&self) -> String {
        format_duration(Duration::from_secs(self.passed().as_secs()))
    }

    /// The median over one sixth of the time, the first being 0.
    fn median(&self, sixth: usize, of: Figure) -> f64 {
        let count = self.all.len();
        let mut part: Vec<u64> =
            self.all[count * sixth / 6..count * (sixth + 1) / 6].iter().map(of).collect();
        part.sort_unstable();
        part.get(part.len() / 2).copied().unwrap_or_default() as f64
    }

    /// A line a sixth, for people.
    pub(super) fn told(&self) -> String {
        let mut text =
            "sixth   heartbeats   RSS KiB  of it anonymous  threads  descriptors  CPU ms/heartbeat  state KiB  WAL KiB\n"
                .to_owned();
        for sixth in 0..6 {
            let median = |of| self.median(sixth, of);
            let part = &self.all[self.len() * sixth / 6..self.len() * (sixth + 1) / 6];
            let (Some(first), Some(last)) = (part.first(), part.last()) else { continue };
            let beaten = last.heartbeats.saturating_sub(first.heartbeats).max(1);
            let cpu = last.cpu_ms.saturating_sub(first.cpu_ms) as f64 / beaten as f64;
            writeln!(
                text,
                "{:>5} {:>12} {:>9} {:>16} {:>8} {:>12} {:>17.2} {:>10} {:>8}",
                sixth + 1,
                last.heartbeats,
                median(|sample| sample.rss_kib),
                median(|sample| sample.anonymous_kib),
                median(|sample| sample.threads),
                median(|sample| sample.descriptors),
                cpu,
                median(|sample| sample.state_kib),
                median(|sample| sample.log_kib),
            )
            .unwrap();
        }
        let peak = self.all.last().map_or(0, |sample| sample.peak_kib);
        write!(text, "at most {peak} KiB").unwrap();
        text
    }

    /// What it takes at the end is what it took once it had begun.
    pub(super) fn assert_flat(&self) {
        let memory: [(&str, Figure); 2] =
            [("RSS", |sample| sample.rss_kib), ("anonymous memory", |sample| sample.anonymous_kib)];
        for (what, of) in memory {
            let (early, late) = (self.median(1, of), self.median(5, of));
            assert!(late < early * (1.0 + GROWTH) + GROWTH_KIB, "{what} grows: from {early} to {late} KiB");
        }
        let counts: [(&str, Figure); 2] =
            [("threads", |sample| sample.threads), ("descriptors", |sample| sample.descriptors)];
        for (what, of) in counts {
            let (early, late) = (self.median(1, of), self.median(5, of));
            assert!(late <= early + 10.0, "{what} grow: from {early} to {late}");
        }
    }
}
