//! A setting: how many models, how often, and which way they are asked.

use std::fmt;
use std::ops::Range;
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

impl Setting {
    /// The name of a model in `warm.toml`, and behind `acme/` on Replicate.
    pub(crate) fn name(number: usize) -> String {
        format!("m{number:05}")
    }

    /// Of models in trouble: one in twenty, which hang.
    pub(crate) fn hanging(&self) -> Range<usize> {
        0..self.models / 20
    }

    /// Of models in trouble: one in a hundred, whose answers are large.
    pub(crate) fn large(&self) -> Range<usize> {
        self.models / 20..self.models / 20 + self.models / 100
    }

    /// The models that never are in trouble.
    pub(crate) fn well(&self) -> Range<usize> {
        self.large().end..self.models
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
