//! What happened, entry by entry, in the order in which it happened.
//!
//! The journal is the one truth: what is known of a model ([`crate::state`]) is a fold over its
//! entries, live and at a restart alike, and the report is their sum. Nothing here does I/O.

use crate::config::value::ModelName;
use crate::heartbeat::{Heartbeat, Setup};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Something that happened to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// To which.
    pub model: ModelName,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub what: What,
}

/// What happened.
///
/// Stored in a compact binary form in which a variant is its position: new ones are added at the
/// end, none is taken away without a new version of the store's schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// A heartbeat ended, or its due was skipped or dropped (`sent_at = due_at` then).
    Heartbeat {
        /// The heartbeat, judged.
        heartbeat: Heartbeat,
        /// Whether it was sent within active hours (not in the lead-in, not by hand outside them).
        in_hours: bool,
    },
    /// A boot was seen.
    Boot {
        /// The provider's own duration, else the wait that was measured; none where neither is known.
        took: Option<Duration>,
    },
    /// A stretch of active hours has passed; `from..to` lies wholly within them.
    Spent {
        /// Its beginning.
        from: DateTime<Utc>,
        /// Its end, exclusive.
        to: DateTime<Utc>,
        /// How.
        how: Spent,
    },
    /// A setup answered.
    Setup(Setup),
    /// Held by hand.
    Paused {
        /// Until then; none for without an end.
        until: Option<DateTime<Utc>>,
    },
    /// Freed by hand, or the pause ran out.
    Resumed,
    /// The model's reference or URL is a new one: what was learned of the old one goes.
    Aimed {
        /// `config::Target` as written, its kind before it: `cog http://…`.
        at: String,
    },
    /// Its state changed.
    State {
        /// What it was.
        from: State,
        /// What it is.
        to: State,
        /// Why, where there is a reason.
        reason: Option<String>,
    },
    /// From this instant on its active hours are accounted for (first seen, or back in the file).
    Tracked,
}

/// How a stretch of active hours was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spent {
    /// A heartbeat found the model warm or busy at its end.
    Warm,
    /// A heartbeat found it cold.
    Cold,
    /// No answer vouches for it.
    Unknown,
}

/// The states of a model, in the order in which they are tried: the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// `enabled = false`.
    Disabled,
    /// Held by `warmctl pause`.
    Paused,
    /// Outside its hours and lead-in.
    Idle,
    /// A person must act.
    Blocked,
    /// The last three or more brought no answer, or the last ten all failed.
    Failing,
    /// A heartbeat waits for a boot.
    Booting,
    /// The last answer is fresh.
    Warm,
    /// The last attempt brought no answer.
    Cold,
    /// None yet.
    Unknown,
}

impl State {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 9] = [
        Self::Disabled,
        Self::Paused,
        Self::Idle,
        Self::Blocked,
        Self::Failing,
        Self::Booting,
        Self::Warm,
        Self::Cold,
        Self::Unknown,
    ];

    /// The contract's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Paused => "paused",
            Self::Idle => "idle",
            Self::Blocked => "blocked",
            Self::Failing => "failing",
            Self::Booting => "booting",
            Self::Warm => "warm",
            Self::Cold => "cold",
            Self::Unknown => "unknown",
        }
    }
}
