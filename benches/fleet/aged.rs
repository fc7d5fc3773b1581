//! The daemon on a history of months: what that takes on the disk, at the start, and to be asked.

use crate::daemon::{self, Warmd};
use crate::history::{self, INTERVAL};
use crate::process::Memory;
use crate::row;
use crate::sandbox::StandIn;
use crate::way::{Provider, Setting};
use anyhow::Result;
use std::fs;
use std::time::Duration;
use warmd::clock::Stopwatch;

/// Within it, a first heartbeat has come.
const FIRST: Duration = Duration::from_secs(5);

/// Times that each verb is asked.
const LOOKS: usize = 5;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Aged {
    pub(crate) models: usize,
    pub(crate) days: u32,
    /// Of the state file, in bytes.
    pub(crate) size: u64,
    /// From exec to the first heartbeat at the sandbox, and until `warmctl status` has its answer.
    pub(crate) first: Duration,
    pub(crate) answers: Duration,
    /// Medians of whole processes: `status`, `status --since 7d`, and of all that is kept, each asked after
    /// another one, so that nothing is known of it.
    pub(crate) looks: [Duration; 3],
    /// As the first of them, asked again.
    pub(crate) again: Duration,
    pub(crate) memory: Memory,
}

impl Aged {
    pub(crate) fn measure(models: usize, days: u32) -> Result<Self> {
        let setting = Setting {
            provider: Provider::Replicate,
            tls: false,
            models,
            interval: INTERVAL,
            troubled: false,
            idle: false,
        };
        let folder = daemon::folder()?;
        let path = daemon::state(folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(history::make(&path, models, days))?;
        let size = fs::metadata(&path)?.len();
        let mut sandbox = StandIn::start(&setting)?;
        let watch = Stopwatch::start();
        let warmd = Warmd::start_in(folder, &setting, &sandbox)?;
        warmd.ready()?;
        let answers = watch.elapsed();
        std::thread::sleep(FIRST);
        let first = row::first(&warmd, &sandbox.arrivals()?)?;
        let all = format!("{days}d");
        let looks = [&["status"][..], &["status", "--since", "7d"], &["status", "--since", &all]];
        let mut times = [(); 3].map(|()| Vec::new());
        for _ in 0..LOOKS {
            for (verb, times) in looks.iter().zip(&mut times) {
                times.extend(warmd.times(verb, 1)?);
            }
        }
        let looks = times.map(|mut times| {
            times.sort_unstable();
            times[LOOKS / 2]
        });
        warmd.times(&["status"], 1)?;
        let again = warmd.times(&["status"], LOOKS)?[LOOKS / 2];
        Ok(Self { models, days, size, first, answers, looks, again, memory: Memory::of(warmd.pid())? })
    }
}
