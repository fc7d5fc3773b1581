//! The daemon while all models are outside of their hours.

use crate::daemon::Warmd;
use crate::process::{Cpu, Wakes};
use crate::sandbox::StandIn;
use crate::way::Setting;
use anyhow::Result;
use std::time::Duration;

/// What its start takes, the threads included that read files at it and end ten seconds later; and what is measured.
const WARM_UP: Duration = Duration::from_secs(20);
const MINUTE: Duration = Duration::from_mins(1);

/// What a minute of it takes.
#[derive(Debug)]
pub(crate) struct Idle {
    /// How often any of its threads was woken that lived at the end; the three looks a minute that a drive may hold
    /// have each a thread that does not.
    pub(crate) wakes: u64,
    pub(crate) cpu: Duration,
}

impl Idle {
    pub(crate) fn measure(setting: &Setting) -> Result<Self> {
        let setting = Setting { idle: true, ..*setting };
        let sandbox = StandIn::start(&setting)?;
        let warmd = Warmd::start(&setting, &sandbox)?;
        warmd.ready()?;
        std::thread::sleep(WARM_UP);
        let before = (Wakes::of(warmd.pid())?, Cpu::of(warmd.pid())?);
        std::thread::sleep(MINUTE);
        let cpu = Cpu::of(warmd.pid())?.since(&before.1);
        Ok(Self { wakes: Wakes::of(warmd.pid())?.since(&before.0), cpu })
    }
}
