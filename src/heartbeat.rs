//! One heartbeat: what is asked of a provider, what was observed, and what is kept of it.
//!
//! The types here are the seam between the providers, which observe, and everything behind them,
//! which judges. Nothing here does I/O.

use crate::config::Model;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;
use std::time::Duration;

/// What the engine asks of a provider.
#[derive(Debug, Clone)]
pub struct Order {
    /// The model, as checked.
    pub model: Arc<Model>,
    /// The wait beyond which this model's answer counts as cold; one that has waited for longer than
    /// this for a model to be up is reported as booting.
    pub cold_after: Duration,
    /// The setups (Cog's `setup.started_at`) already known of this model, so that a new one can
    /// be told from an old one while the heartbeat runs.
    pub known_setups: Vec<DateTime<Utc>>,
    /// Whether it is sent right after an answer, to see how long this model's warm answers take.
    pub calibrates: bool,
}

/// What a provider says while a heartbeat is still in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Sent, nothing known yet.
    Sent,
    /// It waits for a boot: Cog says STARTING or holds its health check for longer than `cold_after`,
    /// Replicate says `starting` for longer than that.
    Booting,
    /// The model is up and runs the prediction, however long that takes.
    Running,
}

/// What a provider saw of one heartbeat. Facts alone: [`crate::classify`] judges them.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// When the first byte was about to be sent.
    pub sent_at: DateTime<Utc>,
    /// When the last byte of the answer that carried the result had come.
    pub done_at: DateTime<Utc>,
    /// What a user would have waited: first byte sent, health check included, to the last byte of
    /// the result; where a Replicate prediction had to be polled, the provider's
    /// `completed_at − created_at`.
    pub total: Duration,
    /// How it ended.
    pub answer: Answer,
    /// What may tell cold from warm.
    pub signs: Signs,
    /// What the provider said of the account's limits.
    pub limits: Limits,
}

/// What a provider said of an account's limits while a heartbeat ran; empty for Cog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// How many creates this heartbeat sent.
    pub creates: u32,
    /// `ratelimit-remaining` of the last create's reply.
    pub remaining: Option<u32>,
    /// `ratelimit-reset` of the last create's reply: time from then on.
    pub reset_in: Option<Duration>,
    /// When a 429 allows the next create: its `Retry-After` header, else the body's `retry_after`,
    /// else the `~Ns` of its text; time from `done_at` on.
    pub retry_after: Option<Duration>,
}

/// How a heartbeat ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The model ran and answered (or, with `probe = "health"`, its health check said READY).
    Succeeded,
    /// It is up, and all its slots are taken by others.
    Busy,
    /// The model ran and failed, or its setup did.
    Failed(String),
    /// A person must act.
    Rejected(Rejection, String),
    /// The account's limit refused it (429).
    RateLimited(String),
    /// It did not end within `timeout`.
    TimedOut(String),
    /// DNS, connection, TLS, 5xx, nonsense.
    Unreachable(String),
}

/// Why a person must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// 401: the token. On Replicate it blocks the whole account.
    Token,
    /// 402: the credit. It blocks the whole account.
    Credit,
    /// 404, 403: the model's name or address, or no right to it.
    Model,
    /// 422, or no input can be made: the input.
    Input,
}

/// What may tell a cold answer from a warm one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signs {
    /// Replicate: `started_at − created_at`, clamped at 0.
    pub queue_wait: Option<Duration>,
    /// The provider's own predict time.
    pub predict: Option<Duration>,
    /// A boot was met under way: Cog's health check said STARTING at least once during this
    /// heartbeat; a prediction on Replicate was still `starting` when its time ran out.
    pub met_starting: bool,
    /// Cog: from the first byte sent until the model was ready to take the prediction, where that
    /// took longer than a plain round trip: a boot followed, a proxy that held the request or
    /// answered 502, 503 or 504 meanwhile, a health check held for over a second.
    pub held: Option<Duration>,
    /// Cog: the setup that answered, where the health check tells one.
    pub setup: Option<Setup>,
}

/// A boot as Cog's health check tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Changes with every process.
    pub started_at: DateTime<Utc>,
    /// None while it runs.
    pub completed_at: Option<DateTime<Utc>>,
}

/// Which verdict a heartbeat ended in. The names are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered, and did not have to wait for a boot.
    Warm,
    /// It answered, and had to wait for a boot itself.
    Cold,
    /// All slots were taken, so it is up; no latency.
    Busy,
    /// The model ran and failed.
    Failed,
    /// 401, 402, 404, 422, or no input could be made.
    Rejected,
    /// 429, or held by the account's pace past its next due.
    RateLimited,
    /// It did not end within `timeout`.
    TimedOut,
    /// DNS, connection, TLS, 5xx, nonsense.
    Unreachable,
    /// One was still in flight when it was due.
    Skipped,
    /// It was sent right after an answer, to show the judge of cold and warm what a warm one takes. Whatever came of
    /// it: it is no verdict on the model.
    Calibration,
}

impl Outcome {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Warm,
        Self::Cold,
        Self::Busy,
        Self::Failed,
        Self::Rejected,
        Self::RateLimited,
        Self::TimedOut,
        Self::Unreachable,
        Self::Skipped,
        Self::Calibration,
    ];

    /// The contract's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::Skipped => "skipped",
            Self::Calibration => "calibration",
        }
    }

    /// Whether it shows that the model is up: warm, cold or busy.
    pub const fn answered(self) -> bool {
        matches!(self, Self::Warm | Self::Cold | Self::Busy)
    }
}

/// What a verdict of cold or warm rests on. The names are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Cog tells its setup: decides both ways.
    SetupTime,
    /// Replicate: `started_at − created_at`, by probability or against a fixed `cold_after`.
    QueueWait,
    /// Neither is known: the same of total − predict.
    Latency,
    /// Sent right after an answer: it should be warm for that reason.
    Calibrated,
}

/// The probability that a heartbeat's own outcome is the true one, from 0.5 to 1, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Certainty(u16);

impl Certainty {
    /// Of what was observed, or decided by a rule.
    pub const FULL: Self = Self(1000);

    /// To the nearest thousandth; what is less than even is even.
    pub fn of(probability: f64) -> Self {
        Self((probability.clamp(0.5, 1.0) * 1000.0).round() as u16)
    }

    /// From thousandths; none of those that no outcome has.
    pub const fn from_thousandths(thousandths: u64) -> Option<Self> {
        match thousandths {
            500..=1000 => Some(Self(thousandths as u16)),
            _ => None,
        }
    }

    /// In thousandths.
    pub const fn thousandths(self) -> u16 {
        self.0
    }

    /// As a number from 0.5 to 1.
    pub fn probability(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

impl Default for Certainty {
    fn default() -> Self {
        Self::FULL
    }
}

impl Serialize for Certainty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.probability())
    }
}

impl<'de> Deserialize<'de> for Certainty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::of)
    }
}

/// A finished heartbeat, judged: what is kept, and what `last` and `beat` show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The instant on the model's grid (or of the opening, the start, the `beat`) it was due at.
    pub due_at: DateTime<Utc>,
    /// When the first byte was about to be sent.
    pub sent_at: DateTime<Utc>,
    /// When the result had come.
    pub done_at: DateTime<Utc>,
    /// The verdict.
    pub outcome: Outcome,
    /// What tells cold from warm; none where no prediction ran.
    pub evidence: Option<Evidence>,
    /// How certain the outcome is.
    #[serde(default)]
    pub certainty: Certainty,
    /// Set where the model answered with a prediction.
    pub total: Option<Duration>,
    /// The wait in the queue and for the boot.
    pub wait: Option<Duration>,
    /// The provider's own predict time. A failed heartbeat has one only where its prediction ran.
    pub predict: Option<Duration>,
    /// Why it brought no answer, in a sentence.
    pub error: Option<String>,
    /// Which hands are needed; set where the outcome is `rejected`.
    pub rejection: Option<Rejection>,
}

impl Heartbeat {
    /// One that was due, sent and done at the same instant, of which no more is known than how it ended.
    pub const fn at(instant: DateTime<Utc>, outcome: Outcome) -> Self {
        Self {
            due_at: instant,
            sent_at: instant,
            done_at: instant,
            outcome,
            evidence: None,
            certainty: Certainty::FULL,
            total: None,
            wait: None,
            predict: None,
            error: None,
            rejection: None,
        }
    }

    /// Whether its prediction ran and failed. Only a model that is up can do that.
    pub const fn ran_and_failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed) && self.predict.is_some()
    }

    /// Whether it shows that the model is up: it answered, or its prediction ran and failed.
    pub const fn shows_model_up(&self) -> bool {
        self.outcome.answered() || self.ran_and_failed()
    }

    /// How late its end was seen: a prediction that is polled ends between two looks. Zero where it has no total.
    pub fn seen_late(&self) -> Duration {
        let took = (self.done_at - self.sent_at).to_std().unwrap_or_default();
        self.total.map_or(Duration::ZERO, |total| took.saturating_sub(total))
    }

    /// Whether it was sent, or its due skipped or dropped.
    pub fn was_sent(&self) -> bool {
        let never = matches!(self.outcome, Outcome::Skipped | Outcome::RateLimited);
        !(never && self.sent_at == self.due_at)
    }
}
