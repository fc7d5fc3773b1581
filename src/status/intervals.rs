//! What happened to one model, by the hour and the day: what `GET /v1/models/{name}/intervals` answers.
//!
//! Its serialised form is that of `warmctl export --format json`, by the same rules as the Snapshot's; the
//! figures of an interval are named as the Snapshot's are.

use super::assemble::counts;
use super::{BootStatus, HoursSpent, Latencies, VERSION, rfc3339};
use crate::config::value::ModelName;
use crate::heartbeat::Outcome;
use crate::store;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// What happened to one model within a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// [`VERSION`].
    pub version: u32,
    /// When it was asked for.
    #[serde(with = "rfc3339")]
    pub at: DateTime<Utc>,
    /// From when on: as asked, rounded outward to what is kept.
    #[serde(with = "rfc3339")]
    pub since: DateTime<Utc>,
    /// To which model.
    pub model: ModelName,
    /// By the hour, and by the day where that is longer ago; in the order of time. One in which nothing
    /// happened isn't there.
    pub intervals: Vec<IntervalStatus>,
}

/// What happened within an hour, or a day, of UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IntervalStatus {
    /// Its beginning, or the span's.
    #[serde(with = "rfc3339")]
    pub start: DateTime<Utc>,
    /// Its end, or when it was asked for.
    #[serde(with = "rfc3339")]
    pub end: DateTime<Utc>,
    /// How active hours were spent, as far as a heartbeat has accounted for them.
    pub hours: HoursSpent,
    /// Heartbeats by outcome; every outcome has its key.
    pub counts: BTreeMap<Outcome, u64>,
    /// Of answers, in seconds.
    pub latency: Latencies,
    /// Every boot seen, in seconds.
    pub boot: Option<BootStatus>,
    /// The whole distributions.
    pub histograms: Histograms,
}

/// `HdrHistogram`s in the compressed encoding of version 2, in base64; of microseconds. Null where nothing was
/// counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histograms {
    /// Of warm answers.
    pub warm: Option<String>,
    /// Of cold ones.
    pub cold: Option<String>,
    /// Of boots whose duration is known.
    pub boot: Option<String>,
}

impl Intervals {
    /// Those of `model` that the store has summed up.
    pub fn of(model: ModelName, kept: &store::Intervals, at: DateTime<Utc>) -> Self {
        let intervals = kept.intervals.iter().map(IntervalStatus::from).collect();
        Self { version: VERSION, at, since: kept.since, model, intervals }
    }
}

impl From<&store::IntervalSum> for IntervalStatus {
    fn from(interval: &store::IntervalSum) -> Self {
        let sum = &interval.sum;
        Self {
            start: interval.start,
            end: interval.end,
            hours: HoursSpent::of(sum, Duration::ZERO),
            counts: counts(sum),
            latency: Latencies::of(sum),
            boot: sum.boot.boot_status(sum.boots),
            histograms: Histograms {
                warm: sum.warm.to_base64(),
                cold: sum.cold.to_base64(),
                boot: sum.boot.to_base64(),
            },
        }
    }
}
