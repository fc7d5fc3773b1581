//! Refusals of a model, and whether they may pass by themselves.

use crate::heartbeat::Rejection;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A refusal that has come so often in a row does not pass by itself.
const LASTING_REFUSAL: u32 = 3;

/// Refusals within this long of the first one count as one, however short the interval is: a proxy
/// refuses for some seconds while a container is replaced.
const ONE_REFUSAL: TimeDelta = TimeDelta::seconds(10);

/// A refusal: a person must act, unless it passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// What was refused.
    pub rejection: Rejection,
    /// In a sentence.
    pub error: String,
    /// When it was last found so.
    pub at: DateTime<Utc>,
}

/// Refusals without an answer in between.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Refusals {
    /// When the first one came.
    pub since: DateTime<Utc>,
    /// How many there were; those of the first seconds count as one.
    pub times: u32,
}

impl Refusals {
    /// Whether they have come too often to pass by themselves.
    pub const fn are_lasting(&self) -> bool {
        self.times >= LASTING_REFUSAL
    }

    /// With one more, at `now`.
    pub(super) fn after(before: Option<Self>, now: DateTime<Utc>) -> Self {
        // One in the future is from before the clock was set back.
        match before.filter(|before| before.since <= now) {
            Some(before) if now - before.since < ONE_REFUSAL => before,
            Some(before) => Self { times: before.times.saturating_add(1), ..before },
            None => Self { since: now, times: before.map_or(1, |before| before.times) },
        }
    }
}
