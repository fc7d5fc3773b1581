//! Whether models in trouble delay the others: those that hang to their time-out, and those that answer with a
//! megabyte or more.

use crate::daemon::Warmd;
use crate::sandbox::StandIn;
use crate::tally::Tally;
use crate::way::{Setting, Trouble};
use anyhow::{Result, ensure};
use std::time::Duration;
use warmd::clock;

/// Until the models in trouble have all hung for once to their time-out.
const WARM_UP: Duration = Duration::from_secs(15);

/// Until what is due at the end has come.
const LATE: Duration = Duration::from_millis(500);

/// The lags of the models that are not in trouble, without the others' trouble and with it.
#[derive(Debug)]
pub(crate) struct Fairness {
    pub(crate) setting: Setting,
    pub(crate) without: Tally,
    pub(crate) with: Tally,
}

impl Fairness {
    pub(crate) fn measure(setting: &Setting, lasts: Duration) -> Result<Self> {
        let lags = |troubled| {
            let setting = Setting { troubled, ..*setting };
            let mut sandbox = StandIn::start(&setting)?;
            let warmd = Warmd::start(&setting, &sandbox)?;
            warmd.ready()?;
            std::thread::sleep(WARM_UP);
            let from = clock::now();
            std::thread::sleep(lasts);
            let until = clock::now();
            std::thread::sleep(LATE);
            let well = |number| Trouble::of(number).is_none();
            let tally = Tally::of(&setting, well, &sandbox.arrivals()?, from, until)?;
            for number in 0..setting.models {
                let expected = match Trouble::of(number).filter(|_| troubled) {
                    None => "warm",
                    Some(Trouble::Hangs) => "timed_out",
                    Some(Trouble::Large(_)) => "failed",
                };
                ensure!(warmd.count(number, expected)? > 0, "model {number} never was {expected}");
            }
            Ok(tally)
        };
        Ok(Self { setting: *setting, without: lags(false)?, with: lags(true)? })
    }
}
