//! What the log and the service manager are told.

use crate::heartbeat::{Heartbeat, Outcome};
use crate::journal::{Entry, State, What};
use chrono::SecondsFormat;
use std::fmt::Write;
use std::time::Duration;

/// The fields of events that their messages tell too: for programs alone.
pub(super) const TOLD: [&str; 13] = [
    "model", "outcome", "total", "wait", "error", "from", "to", "reason", "at", "alert", "event", "id", "why",
];

/// One entry as a line of the log: heartbeats at debug, what a person wants to know above. The message
/// tells all of it, since the journal shows nothing else; the fields are for programs.
pub(super) fn log(entry: &Entry) {
    let model = entry.model.as_str();
    match &entry.what {
        What::Heartbeat { heartbeat, in_hours } => log_heartbeat(model, heartbeat, *in_hours),
        What::Boot { took: Some(took) } => {
            tracing::debug!(
                model,
                took = took.as_secs_f64(),
                "{model}: a boot of {:.1} s was seen",
                took.as_secs_f64()
            );
        }
        What::Boot { took: None } => tracing::debug!(model, "{model}: a boot was seen"),
        // The first state of a model that was never seen before is no change.
        What::State { from, to, .. } if from == to => {}
        What::State { from, to, reason } => {
            let (from, to) = (from.name(), to.name());
            let because = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            tracing::info!(model, from, to, reason, "{model}: {from} → {to}{because}");
        }
        What::Paused { until: Some(until) } => {
            let at = until.to_rfc3339_opts(SecondsFormat::Secs, true);
            tracing::info!(model, at, "{model}: paused until {at}");
        }
        What::Paused { until: None } => tracing::info!(model, "{model}: paused"),
        What::Resumed => tracing::info!(model, "{model}: resumed"),
        What::Aimed { at } => tracing::info!(model, at, "{model}: its target is {at} now"),
        What::Spent { .. } | What::Setup(_) | What::Tracked => {}
    }
}

fn log_heartbeat(model: &str, heartbeat: &Heartbeat, in_hours: bool) {
    let seconds = |part: Option<Duration>| part.map(|part| part.as_secs_f64());
    let (outcome, error) = (heartbeat.outcome.name(), heartbeat.error.as_deref());
    let (total, wait) = (seconds(heartbeat.total), seconds(heartbeat.wait));
    match heartbeat.outcome {
        Outcome::Warm | Outcome::Busy | Outcome::Skipped | Outcome::Calibration => {
            let took = total.map(|total| format!(" in {total:.3} s")).unwrap_or_default();
            tracing::debug!(model, outcome, total, wait, error, "{model}: heartbeat {outcome}{took}");
        }
        Outcome::Cold => {
            let waited = wait.unwrap_or_default();
            let place = if in_hours { "" } else { ", outside its hours" };
            tracing::info!(
                model,
                outcome,
                total,
                wait,
                in_hours,
                "{model}: cold, waited {waited:.1} s for its boot{place}"
            );
        }
        Outcome::Failed
        | Outcome::Rejected
        | Outcome::RateLimited
        | Outcome::TimedOut
        | Outcome::Unreachable => {
            let why = error.unwrap_or("no reason given");
            tracing::warn!(model, outcome, error, "{model}: heartbeat {}: {why}", outcome.replace('_', " "));
        }
    }
}

/// A line on all models for the service manager: `5 models: 3 warm, 1 idle, 1 failing`.
pub(super) fn headline(states: impl Iterator<Item = State>, config_error: bool) -> String {
    let order = [
        State::Warm,
        State::Booting,
        State::Cold,
        State::Failing,
        State::Blocked,
        State::Unknown,
        State::Idle,
        State::Paused,
        State::Disabled,
    ];
    let states: Vec<State> = states.collect();
    let mut line = match states.len() {
        1 => "1 model".to_owned(),
        count => format!("{count} models"),
    };
    let mut separator = ": ";
    for state in order {
        let count = states.iter().filter(|other| **other == state).count();
        if count > 0 {
            // Writing to a String can't fail.
            let _ = write!(line, "{separator}{count} {}", state.name());
            separator = ", ";
        }
    }
    if config_error {
        line.push_str("; the changed configuration is not valid, the one before it runs");
    }
    line
}
