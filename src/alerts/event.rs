//! What is told: one event, as a receiver gets it. Its serialised form is documented in `docs/alerts.md`:
//! new fields may come, none goes without a new `version`.

use super::incident::Incident;
use crate::config::Target;
use crate::config::alert::{AlertName, Condition};
use crate::heartbeat::Heartbeat;
use crate::journal::State;
use crate::quote;
use crate::status::{LastHeartbeat, rfc3339};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The version of the shape below.
pub const VERSION: u32 = 1;

/// How much of what others say is told, in characters.
const REASON_LIMIT: usize = 500;

/// One event of one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`VERSION`].
    pub version: u32,
    /// The same whenever it is sent again, and no other event's.
    pub id: String,
    /// When it was decided.
    #[serde(with = "rfc3339")]
    pub at: DateTime<Utc>,
    /// Whose.
    pub alert: AlertName,
    /// What it tells.
    pub event: Kind,
    /// The model's name; null where it is about none.
    pub model: Option<String>,
    /// `replicate`, `deployment` or `cog`.
    pub kind: Option<String>,
    /// The model's reference as written.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The model's state.
    pub state: Option<State>,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// Since when what it tells of has lasted; of a recovery, when that had begun.
    #[serde(with = "rfc3339::option")]
    pub since: Option<DateTime<Utc>>,
    /// How many heartbeats in a row; of a recovery, how many there had been.
    pub count: u32,
    /// How often it has been told before.
    pub repeat: u32,
    /// What a recovery ends.
    pub recovered_from: Option<Condition>,
    /// The heartbeat that it came of; of a recovery, the one that ended it.
    pub heartbeat: Option<LastHeartbeat>,
    /// The machine that warmd runs on.
    pub host: String,
    /// All of it in a sentence.
    pub text: String,
}

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// See [`Condition::Cold`].
    Cold,
    /// See [`Condition::Failing`].
    Failing,
    /// See [`Condition::Blocked`].
    Blocked,
    /// See [`Condition::ConfigError`].
    ConfigError,
    /// One of these has ended.
    Recovered,
    /// Nothing has happened: somebody tries the way.
    Test,
}

/// What an event tells of its model.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it is kept warm at.
    pub target: &'a Target,
    /// Its state.
    pub state: State,
}

impl From<Condition> for Kind {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Cold => Self::Cold,
            Condition::Failing => Self::Failing,
            Condition::Blocked => Self::Blocked,
            Condition::ConfigError => Self::ConfigError,
        }
    }
}

impl Kind {
    /// The contract's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Failing => "failing",
            Self::Blocked => "blocked",
            Self::ConfigError => "config_error",
            Self::Recovered => "recovered",
            Self::Test => "test",
        }
    }
}

impl Event {
    /// That it has come, or still is; `repeat` is how often this was told before.
    pub(super) fn of(
        incident: &Incident,
        alert: &AlertName,
        subject: Option<Subject<'_>>,
        repeat: u32,
        (host, now): (&str, DateTime<Utc>),
    ) -> Self {
        let event = Kind::from(incident.condition);
        let id = id(alert, event.name(), incident, repeat);
        Self::new(incident, alert, subject, (event, repeat), (host, now), id)
    }

    /// That it is over.
    pub(super) fn recovery(
        incident: &Incident,
        alert: &AlertName,
        subject: Option<Subject<'_>>,
        (host, now): (&str, DateTime<Utc>),
    ) -> Self {
        let ended = format!("recovered-{}", incident.condition.name());
        let id = id(alert, &ended, incident, 0);
        let event = Self::new(incident, alert, subject, (Kind::Recovered, 0), (host, now), id);
        Self { recovered_from: Some(incident.condition), reason: None, ..event }
    }

    /// That somebody tries the way to `alert`.
    pub fn test(alert: &AlertName, host: &str, now: DateTime<Utc>) -> Self {
        Self {
            version: VERSION,
            id: format!("{alert}/test/-/{}/0", now.timestamp_millis()),
            at: now,
            alert: alert.clone(),
            event: Kind::Test,
            model: None,
            kind: None,
            reference: None,
            state: None,
            reason: None,
            since: None,
            count: 0,
            repeat: 0,
            recovered_from: None,
            heartbeat: None,
            host: host.to_owned(),
            text: format!("warmd on {host}: this is a test of the alert {alert}; nothing has happened"),
        }
    }

    fn new(
        incident: &Incident,
        alert: &AlertName,
        subject: Option<Subject<'_>>,
        (event, repeat): (Kind, u32),
        (host, now): (&str, DateTime<Utc>),
        id: String,
    ) -> Self {
        let told = sentence(incident, event, repeat, now);
        Self {
            version: VERSION,
            id,
            at: now,
            alert: alert.clone(),
            event,
            model: incident.model.as_ref().map(ToString::to_string),
            kind: subject.map(|subject| subject.target.kind().to_owned()),
            reference: subject.map(|subject| subject.target.to_string()),
            state: subject.map(|subject| subject.state),
            reason: incident.reason.as_deref().map(bounded),
            since: Some(incident.since),
            count: incident.count,
            repeat,
            recovered_from: None,
            heartbeat: incident.heartbeat.as_ref().map(heartbeat),
            host: host.to_owned(),
            text: format!("warmd on {host}: {told}"),
        }
    }
}

/// Made of what is told alone, so that what is decided once more after a crash is the same event.
fn id(alert: &AlertName, event: &str, incident: &Incident, repeat: u32) -> String {
    let model = incident.model.as_ref().map_or("-", |model| model.as_str());
    format!("{alert}/{event}/{model}/{}/{repeat}", incident.since.timestamp_millis())
}

fn sentence(incident: &Incident, event: Kind, repeat: u32, now: DateTime<Utc>) -> String {
    let model = incident.model.as_ref().map_or("", |model| model.as_str());
    let still = if repeat > 0 { "still " } else { "" };
    let reason =
        incident.reason.as_deref().map(|reason| format!(": {}", bounded(reason))).unwrap_or_default();
    match event {
        Kind::Cold => {
            let row = match incident.count {
                0 | 1 => String::new(),
                count => {
                    format!(", {count} cold heartbeats since {} UTC", incident.since.format("%H:%M"))
                }
            };
            // Not that it is cold: what found it so has just booted it.
            let was = if repeat > 0 { "is still" } else { "was" };
            format!("{model} {was} found cold within its active hours{reason}{row}")
        }
        Kind::Failing => format!("{model} is {still}failing{reason}"),
        Kind::Blocked => format!("{model} is {still}blocked{reason}"),
        Kind::ConfigError => {
            format!("the changed configuration is {still}refused, the one before it runs{reason}")
        }
        Kind::Recovered => {
            let took = words((now - incident.since).num_seconds().max(0));
            let failed = incident.heartbeat.as_ref().is_some_and(Heartbeat::ran_and_failed);
            let again =
                if failed { "runs predictions again, though the last one failed" } else { "answers again" };
            match incident.condition {
                Condition::Cold => format!("{model} is warm again, after {took}"),
                Condition::Failing => format!("{model} {again}, after {took} of failing"),
                Condition::Blocked => format!("{model} {again}, after {took} of being blocked"),
                Condition::ConfigError => format!("the configuration is accepted again, after {took}"),
            }
        }
        Kind::Test => String::new(),
    }
}

/// What others say, in one line that has an end.
fn bounded(text: &str) -> String {
    quote::start(text, REASON_LIMIT)
}

fn heartbeat(heartbeat: &Heartbeat) -> LastHeartbeat {
    let told = LastHeartbeat::from(heartbeat);
    LastHeartbeat { error: told.error.as_deref().map(bounded), ..told }
}

fn words(seconds: i64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
