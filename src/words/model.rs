//! What there is to say about a model.

use super::{Clocks, between, clock, count, measured, share, span};
use crate::heartbeat::Outcome;
use crate::status::{HoursSpent, ModelStatus, State, WindowStatus};
use chrono::{DateTime, Utc};

/// The word for an outcome.
pub(crate) const fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Warm => "warm",
        Outcome::Cold => "cold",
        Outcome::Busy => "busy",
        Outcome::Failed => "failed",
        Outcome::Rejected => "rejected",
        Outcome::RateLimited => "rate limited",
        Outcome::TimedOut => "timed out",
        Outcome::Unreachable => "unreachable",
        Outcome::Skipped => "skipped",
        Outcome::Calibration => "calibration",
    }
}

/// What it does next: `in 12 s`, `opens Mon 08:00`; nothing where it is disabled, or nothing is to come.
pub(crate) fn next(model: &ModelStatus, at: DateTime<Utc>, local: Clocks<'_>) -> Option<String> {
    let told = |t: DateTime<Utc>| clock(local(t), local(at));
    match model.state {
        State::Disabled => None,
        State::Paused => Some(match model.paused_until {
            Some(until) => format!("resumes {}", told(until)),
            None => "until resumed".to_owned(),
        }),
        State::Idle => Some(match model.window.opens_at {
            Some(opens) => format!("opens {}", told(opens)),
            None => "never opens".to_owned(),
        }),
        State::Blocked | State::Failing | State::Booting | State::Warm | State::Cold | State::Unknown => {
            model.next_at.map(|next| match between(at, next) {
                seconds if seconds < 0.5 => "now".to_owned(),
                seconds => format!("in {}", span(seconds)),
            })
        }
    }
}

/// The window around now, or the next.
pub(crate) fn window(window: &WindowStatus, at: DateTime<Utc>, local: Clocks<'_>) -> String {
    let clock = |t: DateTime<Utc>| clock(local(t), local(at));
    let until = |t: DateTime<Utc>| span(between(at, t));
    match (window.open, window.opens_at, window.closes_at) {
        (true, None, None) => "always open".to_owned(),
        (true, None, Some(closes)) => format!("open, closes {}, in {}", clock(closes), until(closes)),
        (true, Some(opens), None) => format!("open since {}, for good", clock(opens)),
        (true, Some(opens), Some(closes)) => {
            format!("open since {}, closes {}, in {}", clock(opens), clock(closes), until(closes))
        }
        (false, None, _) => "closed, and never opens again".to_owned(),
        (false, Some(opens), None) => {
            format!("closed, opens {}, in {}, for good", clock(opens), until(opens))
        }
        (false, Some(opens), Some(closes)) => {
            format!("closed, opens {}, in {}, closes {}", clock(opens), until(opens), clock(closes))
        }
    }
}

/// How often it is sent one, and by what it is judged.
pub(crate) fn rhythm(model: &ModelStatus, at: DateTime<Utc>) -> String {
    let next = match model.next_at {
        None => "none to come".to_owned(),
        Some(next) => match between(at, next) {
            seconds if seconds < 0.5 => "the next now".to_owned(),
            seconds => format!("the next in {}", span(seconds)),
        },
    };
    format!(
        "every {}, {next}; cold after a wait of {}; starts {} before an opening",
        span(model.interval),
        measured(model.cold_after),
        span(model.lead)
    )
}

/// How active hours were spent.
pub(crate) fn hours(hours: &HoursSpent) -> String {
    if hours.open <= 0.0 {
        return "no active hours in this span".to_owned();
    }
    let met = match hours.cold_heartbeats {
        0 => "no heartbeat found it cold".to_owned(),
        many => format!("{} found it cold", count(many, "heartbeat", "heartbeats")),
    };
    format!(
        "{} active, {} warm: {} warm, {} cold, {} unknown; {met}",
        span(hours.open),
        share(hours.warm, hours.open).unwrap_or_default(),
        span(hours.warm),
        span(hours.cold),
        span(hours.unknown)
    )
}

/// Heartbeats by outcome.
pub(crate) fn counts(model: &ModelStatus) -> String {
    let told: Vec<String> = Outcome::ALL
        .iter()
        .filter_map(|outcome| Some((outcome, model.counts.get(outcome).filter(|count| **count > 0)?)))
        .map(|(kind, count)| format!("{count} {}", outcome(*kind)))
        .collect();
    if told.is_empty() { "none in this span".to_owned() } else { told.join(", ") }
}
