//! The Snapshot: the one type that socket, `listen` and tables are made from.
//!
//! Its serialised form is the contract of `warmctl status --json`: times are RFC 3339 in UTC,
//! durations seconds as numbers, what is empty is null. New keys may come; none goes without a new
//! `version`.

pub mod assemble;
pub mod delivery;
pub mod history;
pub mod intervals;
mod notes;

use crate::heartbeat::{Certainty, Evidence, Heartbeat, Outcome};
pub use crate::journal::State;
pub use crate::latency::{BootStatus, Percentiles};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the shape below.
pub const VERSION: u32 = 1;

/// What `GET /v1/status` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`VERSION`].
    pub version: u32,
    /// When it was taken.
    #[serde(with = "rfc3339")]
    pub at: DateTime<Utc>,
    /// From when on hours, counts, latency and boot are summed up.
    #[serde(with = "rfc3339")]
    pub since: DateTime<Utc>,
    /// The daemon itself.
    pub daemon: DaemonStatus,
    /// A model each, in the file's order.
    pub models: Vec<ModelStatus>,
}

/// The daemon itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// The program's version.
    pub version: String,
    /// When this process started.
    #[serde(with = "rfc3339")]
    pub started_at: DateTime<Utc>,
    /// Where the zones come from, and their version: `system 2026f`, `built-in 2025b`.
    pub tzdata: String,
    /// The path of `warm.toml`.
    pub config: String,
    /// When the running configuration was read.
    #[serde(with = "rfc3339")]
    pub config_loaded_at: DateTime<Utc>,
    /// Why the file as it is now is not the one that runs.
    pub config_error: Option<String>,
    /// What else the user should know about the daemon.
    #[serde(default)]
    pub notes: Vec<String>,
    /// An alert each, in the file's order.
    #[serde(default)]
    pub alerts: Vec<AlertStatus>,
}

/// One alert; what is counted begins at nought when the process starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertStatus {
    /// Its name in `warm.toml`.
    pub name: String,
    /// Where it leads: scheme and host, or the program.
    pub to: String,
    /// Events that arrived.
    pub sent: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
    /// Events that were given up.
    pub dropped: u64,
    /// How many of them since one arrived, or a test did.
    #[serde(default)]
    pub dropped_since_sent: u64,
    /// Events that are to be sent yet.
    pub waiting: u64,
    /// When the last one arrived.
    #[serde(with = "rfc3339::option")]
    pub last_sent_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed; null where it did not.
    pub last_error: Option<String>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelStatus {
    /// Its name in `warm.toml`.
    pub name: String,
    /// `replicate`, `deployment` or `cog`.
    pub kind: String,
    /// The reference as written.
    #[serde(rename = "ref")]
    pub reference: String,
    /// See [`State`].
    pub state: State,
    /// Since when.
    #[serde(with = "rfc3339")]
    pub state_since: DateTime<Utc>,
    /// Why, in a sentence, wherever the state isn't warm or idle.
    pub reason: Option<String>,
    /// Until when it is paused; null where it is not, or without an end.
    #[serde(with = "rfc3339::option")]
    pub paused_until: Option<DateTime<Utc>>,
    /// The window around now, or the next.
    pub window: WindowStatus,
    /// Seconds.
    pub interval: f64,
    /// Seconds: the boundary in force.
    pub cold_after: f64,
    /// Seconds: the lead in force.
    pub lead: f64,
    /// When the next heartbeat is due; null where none is to come.
    #[serde(with = "rfc3339::option")]
    pub next_at: Option<DateTime<Utc>>,
    /// The last one that finished.
    pub last: Option<LastHeartbeat>,
    /// How active hours were spent.
    pub hours: HoursSpent,
    /// Heartbeats by outcome; every outcome has its key.
    pub counts: BTreeMap<Outcome, u64>,
    /// Of answers, in seconds.
    pub latency: Latencies,
    /// Every boot seen, in seconds.
    pub boot: Option<BootStatus>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Open now, and the edges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowStatus {
    /// Whether now lies within active hours.
    pub open: bool,
    /// Where it is open, its opening; else the next.
    #[serde(with = "rfc3339::option")]
    pub opens_at: Option<DateTime<Utc>>,
    /// Where it is open, its closing; else the next window's.
    #[serde(with = "rfc3339::option")]
    pub closes_at: Option<DateTime<Utc>>,
}

/// A heartbeat as `last` and `beat` show it; durations in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastHeartbeat {
    /// When it was due.
    #[serde(with = "rfc3339")]
    pub due_at: DateTime<Utc>,
    /// When it was sent.
    #[serde(with = "rfc3339")]
    pub sent_at: DateTime<Utc>,
    /// Its verdict.
    pub outcome: Outcome,
    /// What that rests on.
    pub evidence: Option<Evidence>,
    /// The probability that the outcome is the true one, from 0.5 to 1.
    #[serde(default)]
    pub certainty: Certainty,
    /// What a user would have waited.
    pub total: Option<f64>,
    /// The queue and boot share of it.
    pub wait: Option<f64>,
    /// The provider's own predict time.
    pub predict: Option<f64>,
    /// Why it brought no answer.
    pub error: Option<String>,
}

/// Seconds of active hours within the span; `open = warm + cold + unknown`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HoursSpent {
    /// All of them.
    pub open: f64,
    /// Vouched for by a heartbeat that found the model warm or busy.
    pub warm: f64,
    /// Up to the end of a heartbeat that found it cold.
    pub cold: f64,
    /// What no answer vouches for.
    pub unknown: f64,
    /// Cold heartbeats within active hours; the lead-in's not.
    pub cold_heartbeats: u64,
}

/// Latency of answers, warm and cold told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// Of warm answers.
    pub warm: Option<Percentiles>,
    /// Of cold ones.
    pub cold: Option<Percentiles>,
}

impl From<&Heartbeat> for LastHeartbeat {
    fn from(h: &Heartbeat) -> Self {
        let seconds = |d: std::time::Duration| d.as_secs_f64();
        Self {
            due_at: h.due_at,
            sent_at: h.sent_at,
            outcome: h.outcome,
            evidence: h.evidence,
            certainty: h.certainty,
            total: h.total.map(seconds),
            wait: h.wait.map(seconds),
            predict: h.predict.map(seconds),
            error: h.error.clone(),
        }
    }
}

/// RFC 3339 in UTC with a `Z`, to the millisecond.
pub fn rfc3339_millis(t: DateTime<Utc>) -> String {
    t.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(crate) mod rfc3339 {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(t: &DateTime<Utc>, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&super::rfc3339_millis(*t))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<DateTime<Utc>, D::Error> {
        DateTime::<Utc>::deserialize(d)
    }

    pub(crate) mod option {
        use super::{DateTime, Deserialize, Deserializer, Serializer, Utc};

        #[expect(clippy::ref_option, reason = "serde's `with` asks for this signature")]
        pub(crate) fn serialize<S: Serializer>(t: &Option<DateTime<Utc>>, s: S) -> Result<S::Ok, S::Error> {
            match t {
                Some(t) => super::serialize(t, s),
                None => s.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            d: D,
        ) -> Result<Option<DateTime<Utc>>, D::Error> {
            Option::<DateTime<Utc>>::deserialize(d)
        }
    }
}
