//! What the sandbox saw, held against the grid: which heartbeats were due, and which came when.
//!
//! A lag here is from the due to the sandbox's own stamp. It so includes the way to the sandbox (and the
//! health check, which a Cog server is asked before), and so is no shorter than the daemon's own `sent −
//! due`. It is taken there for it costs the daemon nothing, and the daemon can't be wrong about it.

use crate::sandbox::Arrival;
use crate::way::Setting;
use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::time::Duration;
use warmd::config::value::ModelName;
use warmd::schedule::grid;

/// What became of the heartbeats that were due in a span.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) due: usize,
    /// Those that came, the doubled ones as one.
    pub(crate) came: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    /// In order.
    pub(crate) lags: Vec<Duration>,
}

impl Tally {
    /// Of what was due of these models from `from` on and before `until`.
    pub(crate) fn of(
        setting: &Setting,
        models: impl Fn(usize) -> bool,
        arrivals: &[Arrival],
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Self> {
        let step = TimeDelta::from_std(setting.interval)?;
        let names: Vec<ModelName> =
            (0..setting.models).map(|number| Ok(Setting::name(number).parse()?)).collect::<Result<_>>()?;
        let mut seen: HashMap<(usize, i64), usize> = HashMap::new();
        for (number, name) in names.iter().enumerate().filter(|(number, _)| models(*number)) {
            let mut due = grid::after(name, setting.interval, from - TimeDelta::milliseconds(1));
            while due < until {
                seen.insert((number, due.timestamp_micros()), 0);
                due += step;
            }
        }
        let mut tally = Self { due: seen.len(), ..Self::default() };
        for (number, micros) in arrivals {
            let (Some(name), Some(at)) = (names.get(*number), DateTime::from_timestamp_micros(*micros))
            else {
                continue;
            };
            let due = grid::at_or_before(name, setting.interval, at);
            if let Some(times) = seen.get_mut(&(*number, due.timestamp_micros())) {
                *times += 1;
                tally.lags.push((at - due).to_std()?);
            }
        }
        tally.came = seen.values().filter(|times| **times > 0).count();
        tally.lost = seen.values().filter(|times| **times == 0).count();
        tally.doubled = seen.values().filter(|times| **times > 1).count();
        tally.lags.sort_unstable();
        Ok(tally)
    }

    pub(crate) fn lag(&self, quantile: f64) -> Duration {
        let at = (quantile * self.lags.len() as f64).ceil() as usize;
        self.lags.get(at.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// How many came in a span.
pub(crate) fn came(arrivals: &[Arrival], from: DateTime<Utc>, until: DateTime<Utc>) -> usize {
    let span = from.timestamp_micros()..until.timestamp_micros();
    arrivals.iter().filter(|(_, at)| span.contains(at)).count()
}
