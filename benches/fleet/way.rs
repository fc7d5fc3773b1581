//! A setting: how many models, how often, and which way they are asked.

use std::fmt;
use std::time::Duration;
use warmd::config::value::format_duration;

/// Which provider, and so which calls a heartbeat makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Provider {
    /// A create that waits for the result, and a GET for its times.
    Replicate,
    /// The health check and a prediction, each model on a server of its own.
    Cog,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Setting {
    pub(crate) provider: Provider,
    pub(crate) tls: bool,
    pub(crate) models: usize,
    pub(crate) interval: Duration,
    /// Whether some models hang, and some answer with a megabyte.
    pub(crate) troubled: bool,
    /// Whether all are outside of their hours.
    pub(crate) idle: bool,
}

/// What is wrong with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Its predictions hang to their time-out.
    Hangs,
    /// Its answers have so many bytes.
    Large(usize),
}

impl Trouble {
    /// That of a model: one in twenty hangs, and one in a hundred has large answers. Spread over half of the
    /// accounts, beside models that are well; what is large lies on both sides of what warmd reads apart from the
    /// heartbeats, a MiB.
    pub(crate) fn of(number: usize) -> Option<Self> {
        match (number % 20, number % 100) {
            (3, _) => Some(Self::Hangs),
            (_, 47) => Some(Self::Large(if number % 200 == 47 { 1_000_000 } else { 1_200_000 })),
            _ => None,
        }
    }
}

impl Setting {
    /// The name of a model in `warm.toml`, and behind `acme/` on Replicate.
    pub(crate) fn name(number: usize) -> String {
        format!("m{number:05}")
    }

    /// How many heartbeats there are a second.
    pub(crate) fn a_second(&self) -> f64 {
        self.models as f64 / self.interval.as_secs_f64()
    }

    pub(crate) fn way(&self) -> &'static str {
        match (self.provider, self.tls) {
            (Provider::Replicate, false) => "Replicate, HTTP",
            (Provider::Replicate, true) => "Replicate, HTTPS",
            (Provider::Cog, false) => "Cog, HTTP",
            (Provider::Cog, true) => "Cog, HTTPS",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} models every {}, {}", self.models, format_duration(self.interval), self.way())
    }
}
