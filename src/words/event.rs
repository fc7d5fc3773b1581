//! What there is to say about something that happened.

use super::{Clocks, clock, measured, model};
use crate::heartbeat::Outcome;
use crate::status::State;
use crate::status::history::PastEvent;
use crate::store::EventKind;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What happened.
pub(crate) fn told(event: &PastEvent, local: Clocks<'_>) -> String {
    let seconds = |key: &str| get::<f64>(event, key).map(measured);
    match event.event {
        EventKind::Cold => {
            let waited =
                seconds("wait").map(|wait| format!(", waited {wait} for its boot")).unwrap_or_default();
            let outside =
                if get::<bool>(event, "in_hours") == Some(false) { ", outside its hours" } else { "" };
            format!("cold{waited}{outside}")
        }
        EventKind::Boot => {
            let took = seconds("took").map(|took| format!(" of {took}")).unwrap_or_default();
            format!("a boot{took}")
        }
        EventKind::Failure => {
            let outcome = model::outcome(get(event, "outcome").unwrap_or(Outcome::Failed));
            let error = get::<String>(event, "error").map(|error| format!(": {error}")).unwrap_or_default();
            format!("{outcome}{error}")
        }
        EventKind::State => {
            let state = |key| get(event, key).unwrap_or(State::Unknown).name();
            let reason = get::<String>(event, "reason").map(|why| format!(": {why}")).unwrap_or_default();
            format!("{} → {}{reason}", state("from"), state("to"))
        }
        EventKind::Paused => {
            let until = get::<DateTime<Utc>>(event, "until");
            let until = until.map(|until| clock(local(until), local(event.at)));
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            format!("paused{until}")
        }
        EventKind::Resumed => "resumed".to_owned(),
        EventKind::Aimed => {
            let target = get::<String>(event, "target").unwrap_or_default();
            format!("its target is {target} now")
        }
    }
}

/// What is told of it under a key; none where that is null, or of another type.
pub(crate) fn get<T: DeserializeOwned>(event: &PastEvent, key: &str) -> Option<T> {
    serde_json::from_value(event.detail.get(key).filter(|value| **value != Value::Null)?.clone()).ok()
}
