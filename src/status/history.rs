//! What happened, one by one: what `GET /v1/events` answers.
//!
//! Its serialised form is that of `warmctl history --json`, by the same rules as the Snapshot's.

use super::{VERSION, rfc3339};
use crate::config::value::ModelName;
use crate::store::{Event, EventKind};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What happened to the models within a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// [`VERSION`].
    pub version: u32,
    /// When it was asked for.
    #[serde(with = "rfc3339")]
    pub at: DateTime<Utc>,
    /// From when on.
    #[serde(with = "rfc3339")]
    pub since: DateTime<Utc>,
    /// Whether there are older ones within the span, left out.
    pub more: bool,
    /// The latest ones, in the order in which they happened.
    pub events: Vec<PastEvent>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastEvent {
    /// When.
    #[serde(with = "rfc3339")]
    pub at: DateTime<Utc>,
    /// To which model.
    pub model: ModelName,
    /// What: see [`EventKind`].
    pub event: EventKind,
    /// What more there is to say; by kind, see there. Durations in seconds.
    #[serde(flatten)]
    pub detail: Map<String, Value>,
}

impl History {
    /// That of these events, the latest first, of which no more than `limit` are told.
    pub fn of(mut events: Vec<Event>, since: DateTime<Utc>, limit: usize, at: DateTime<Utc>) -> Self {
        let more = events.len() > limit;
        events.truncate(limit);
        let events = events.into_iter().rev().map(PastEvent::from).collect();
        Self { version: VERSION, at, since, more, events }
    }
}

impl From<Event> for PastEvent {
    fn from(event: Event) -> Self {
        let mut detail = if let Value::Object(detail) = event.detail { detail } else { Map::new() };
        // When it happened is told already; this is what it was aimed at.
        if let Some(target) = detail.remove("at") {
            detail.insert("target".to_owned(), target);
        }
        Self { at: event.at, model: event.model, event: event.kind, detail }
    }
}
