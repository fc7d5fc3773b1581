//! What the log and the service manager are told.

use crate::heartbeat::Outcome;
use crate::journal::{Entry, State, What};
use std::fmt::Write;

/// One entry as a line of the log: heartbeats at debug, what a person wants to know above.
pub(super) fn log(entry: &Entry) {
    let model = entry.model.as_str();
    match &entry.what {
        What::Heartbeat { heartbeat, in_hours } => {
            let seconds = |part: Option<std::time::Duration>| part.map(|part| part.as_secs_f64());
            let outcome = heartbeat.outcome.name();
            let (total, wait) = (seconds(heartbeat.total), seconds(heartbeat.wait));
            let error = heartbeat.error.as_deref();
            match heartbeat.outcome {
                Outcome::Warm | Outcome::Busy | Outcome::Skipped => {
                    tracing::debug!(model, outcome, total, wait, error, "heartbeat");
                }
                Outcome::Cold => tracing::info!(model, total, wait, in_hours, "cold boot"),
                Outcome::Failed
                | Outcome::Rejected
                | Outcome::RateLimited
                | Outcome::TimedOut
                | Outcome::Unreachable => {
                    tracing::warn!(model, outcome, error, "heartbeat brought no answer");
                }
            }
        }
        What::Boot { took } => {
            tracing::debug!(model, took = took.map(|took| took.as_secs_f64()), "boot seen");
        }
        // The first state of a model that was never seen before is no change.
        What::State { from, to, .. } if from == to => {}
        What::State { from, to, reason } => {
            let (from, to) = (name(*from), name(*to));
            tracing::info!(model, from, to, reason = reason.as_deref(), "state changed");
        }
        What::Paused { until } => {
            tracing::info!(model, until = until.map(|until| until.to_rfc3339()), "paused");
        }
        What::Resumed => tracing::info!(model, "resumed"),
        What::Aimed { at } => tracing::info!(model, at, "kept warm from now on"),
        What::Spent { .. } | What::Setup(_) | What::Tracked => {}
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
            let _ = write!(line, "{separator}{count} {}", name(state));
            separator = ", ";
        }
    }
    if config_error {
        line.push_str("; the changed configuration is not valid, the one before it runs");
    }
    line
}

fn name(state: State) -> &'static str {
    match state {
        State::Disabled => "disabled",
        State::Paused => "paused",
        State::Idle => "idle",
        State::Blocked => "blocked",
        State::Failing => "failing",
        State::Booting => "booting",
        State::Warm => "warm",
        State::Cold => "cold",
        State::Unknown => "unknown",
    }
}
