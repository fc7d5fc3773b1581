//! Events: what people ask for later one by one, kept beside the sums until `retention`.
//!
//! Owns which entries are events: cold boots, the first failure of each streak, changes of state,
//! and what hands or the file did.

use super::writer::Writer;
use crate::config::value::ModelName;
use crate::heartbeat::{Heartbeat, Outcome};
use crate::journal::{Entry, What};
use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Something that happened to a model, worth asking for later.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// To which.
    pub model: ModelName,
    /// What.
    pub kind: EventKind,
    /// What more there is to say, by kind; durations in seconds.
    pub detail: Value,
}

/// What kinds of events there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A heartbeat was cold: `total`, `wait`, `in_hours`.
    Cold,
    /// A boot was seen: `took`.
    Boot,
    /// The first of a row of heartbeats without an answer: `outcome`, `error`.
    Failure,
    /// The state changed: `from`, `to`, `reason`.
    State,
    /// Held by hand: `until`.
    Paused,
    /// Freed.
    Resumed,
    /// The reference or URL is a new one: `at`.
    Aimed,
}

impl EventKind {
    const ALL: [Self; 7] =
        [Self::Cold, Self::Boot, Self::Failure, Self::State, Self::Paused, Self::Resumed, Self::Aimed];

    /// Its name, in the file and for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Boot => "boot",
            Self::Failure => "failure",
            Self::State => "state",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Aimed => "aimed",
        }
    }
}

/// An event, as it is written.
#[derive(Debug)]
pub(super) struct NewEvent {
    at_ms: i64,
    model: u32,
    kind: EventKind,
    detail: Value,
}

/// Which models are in the middle of a streak of failures. Starts empty with the process: the
/// first failure after a restart is told again.
#[derive(Debug, Clone, Default)]
pub(super) struct Streaks(HashMap<u32, bool>);

impl Streaks {
    /// The events among `entries`, and how the streaks stand once those are written.
    pub(super) fn judge(&self, entries: &[(u32, &Entry)]) -> (Vec<NewEvent>, Self) {
        let (mut events, mut after) = (Vec::new(), self.clone());
        for (model, entry) in entries {
            if let Some((kind, detail)) = after.event(*model, entry) {
                events.push(NewEvent { at_ms: entry.at.timestamp_millis(), model: *model, kind, detail });
            }
        }
        (events, after)
    }

    fn event(&mut self, model: u32, entry: &Entry) -> Option<(EventKind, Value)> {
        match &entry.what {
            What::Heartbeat { heartbeat, in_hours } => self.heartbeat(model, heartbeat, *in_hours),
            What::Boot { took } => {
                Some((EventKind::Boot, json!({ "took": took.map(|took| took.as_secs_f64()) })))
            }
            // The first state of a model that was never seen before is no change.
            What::State { from, to, .. } if from == to => None,
            What::State { from, to, reason } => {
                Some((EventKind::State, json!({ "from": from, "to": to, "reason": reason })))
            }
            What::Paused { until } => {
                let until = until.map(|until| until.to_rfc3339_opts(SecondsFormat::Millis, true));
                Some((EventKind::Paused, json!({ "until": until })))
            }
            What::Resumed => Some((EventKind::Resumed, json!({}))),
            What::Aimed { at } => Some((EventKind::Aimed, json!({ "at": at }))),
            What::Spent { .. } | What::Setup(_) | What::Tracked => None,
        }
    }

    fn heartbeat(&mut self, model: u32, heartbeat: &Heartbeat, in_hours: bool) -> Option<(EventKind, Value)> {
        let seconds = |d: Option<std::time::Duration>| d.map(|d| d.as_secs_f64());
        match heartbeat.outcome {
            Outcome::Warm | Outcome::Busy => {
                self.0.remove(&model);
                None
            }
            Outcome::Cold => {
                self.0.remove(&model);
                let (total, wait) = (seconds(heartbeat.total), seconds(heartbeat.wait));
                Some((
                    EventKind::Cold,
                    json!({
                        "total": total, "wait": wait, "in_hours": in_hours, "certainty": heartbeat.certainty,
                    }),
                ))
            }
            Outcome::Failed | Outcome::Rejected | Outcome::TimedOut | Outcome::Unreachable => {
                let first = self.0.insert(model, true).is_none();
                let detail = json!({ "outcome": heartbeat.outcome, "error": heartbeat.error });
                first.then_some((EventKind::Failure, detail))
            }
            Outcome::RateLimited | Outcome::Skipped | Outcome::Calibration => None,
        }
    }
}

impl NewEvent {
    pub(super) fn save(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        tx.prepare_cached("INSERT INTO event (at_ms, model, kind, detail) VALUES (?1, ?2, ?3, ?4)")?
            .execute((self.at_ms, self.model, self.kind.name(), self.detail.to_string()))
            .map(drop)
    }
}

impl Writer {
    /// The latest `limit` events since then, latest first.
    pub(super) fn events(
        &self,
        model: Option<&ModelName>,
        since: DateTime<Utc>,
        limit: usize,
    ) -> rusqlite::Result<Vec<Event>> {
        let number = model.map(|name| self.names.find(name));
        if number == Some(None) {
            return Ok(Vec::new());
        }
        let mut query = self.connection.prepare_cached(
            "SELECT at_ms, model, kind, detail FROM event
             WHERE at_ms >= ?1 AND (?2 IS NULL OR model = ?2) ORDER BY id DESC LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = query.query((since.timestamp_millis(), number.flatten(), limit))?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            let kind = row.get_ref(2)?.as_str()?;
            let kind = EventKind::ALL.into_iter().find(|known| known.name() == kind);
            let (at, model) = (DateTime::from_timestamp_millis(row.get(0)?), self.names.name(row.get(1)?));
            let detail = serde_json::from_str(row.get_ref(3)?.as_str()?).ok();
            if let (Some(at), Some(model), Some(kind), Some(detail)) = (at, model, kind, detail) {
                events.push(Event { at, model, kind, detail });
            }
        }
        Ok(events)
    }
}
