//! Cold or warm, by evidence: pure judgements over what a provider observed.
//!
//! Where a provider tells its setup, that decides; else the wait does, against a fixed `cold_after` or by
//! probability ([`judge`]). The verdict names what it rests on, and how certain it is.

pub mod calibration;
pub mod judge;

use crate::clock::whole_micros;
use crate::config::{ColdAfter, Probe};
use crate::heartbeat::{Answer, Certainty, Evidence, Heartbeat, Observation, Order, Outcome, Signs};
use chrono::{DateTime, Utc};
use judge::{Before, Judge};
use std::time::Duration;

/// What is known of a model before a heartbeat.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    /// What was learned of its waits.
    pub judge: &'a Judge,
    /// When it had last answered.
    pub before: Before,
}

/// A heartbeat that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// With its outcome.
    pub heartbeat: Heartbeat,
    /// Whether the prediction had to wait for a boot; none where no prediction ran.
    pub had_to_boot: Option<bool>,
}

/// Judges one heartbeat that was due at `due_at`.
pub fn judged(order: &Order, past: Past<'_>, due_at: DateTime<Utc>, seen: &Observation) -> Judged {
    let ran = match seen.answer {
        Answer::Succeeded => true,
        Answer::Failed(_) => seen.signs.predict.is_some(),
        Answer::Busy
        | Answer::Rejected(..)
        | Answer::RateLimited(_)
        | Answer::TimedOut(_)
        | Answer::Unreachable(_) => false,
    };
    let verdict = ran.then(|| cold_or_warm(order, past, seen.total, &seen.signs));
    let had_to_boot = verdict.as_ref().map(|verdict| verdict.cold);
    let heartbeat = heartbeat(order, verdict, due_at, seen);
    let heartbeat = if order.calibrates { calibration(heartbeat) } else { heartbeat };
    Judged { heartbeat, had_to_boot }
}

/// Whatever came of a calibration heartbeat, it is counted as one, and only its wait is used.
fn calibration(heartbeat: Heartbeat) -> Heartbeat {
    let is_by_wait = matches!(heartbeat.evidence, Some(Evidence::QueueWait | Evidence::Latency));
    let is_busy = heartbeat.outcome == Outcome::Busy;
    Heartbeat {
        outcome: Outcome::Calibration,
        evidence: Some(Evidence::Calibrated),
        wait: heartbeat.wait.filter(|_| is_by_wait && heartbeat.error.is_none()),
        error: heartbeat.error.or_else(|| is_busy.then(|| "all its slots were taken".to_owned())),
        rejection: None,
        ..heartbeat
    }
}

/// A calibration heartbeat that was given up.
pub fn given_up(sent_at: DateTime<Utc>, now: DateTime<Utc>) -> Heartbeat {
    let error = Some("given up, since a heartbeat was due".to_owned());
    Heartbeat { done_at: now, error, ..calibration(Heartbeat::at(sent_at, Outcome::Skipped)) }
}

fn heartbeat(
    order: &Order,
    verdict: Option<Verdict>,
    due_at: DateTime<Utc>,
    seen: &Observation,
) -> Heartbeat {
    let ended = |outcome| Heartbeat {
        sent_at: seen.sent_at,
        done_at: seen.done_at,
        ..Heartbeat::at(due_at, outcome)
    };
    let brought_nothing =
        |outcome, error: &String| Heartbeat { error: Some(error.clone()), ..ended(outcome) };
    let predict = seen.signs.predict.map(whole_micros);
    match &seen.answer {
        Answer::Succeeded => Heartbeat {
            evidence: verdict.as_ref().map(|verdict| verdict.evidence),
            certainty: verdict.as_ref().map(|verdict| verdict.certainty).unwrap_or_default(),
            // A health check is not what a user would have waited for: no latency of it is kept.
            total: (order.model.probe == Probe::Predict).then_some(whole_micros(seen.total)),
            wait: verdict.as_ref().map(|verdict| whole_micros(verdict.wait)),
            predict,
            ..ended(match verdict {
                Some(Verdict { cold: true, .. }) => Outcome::Cold,
                Some(_) | None => Outcome::Warm,
            })
        },
        Answer::Busy => ended(Outcome::Busy),
        Answer::Failed(error) => Heartbeat {
            evidence: verdict.as_ref().map(|verdict| verdict.evidence),
            wait: verdict.map(|verdict| whole_micros(verdict.wait)),
            predict,
            ..brought_nothing(Outcome::Failed, error)
        },
        Answer::Rejected(rejection, error) => {
            Heartbeat { rejection: Some(*rejection), ..brought_nothing(Outcome::Rejected, error) }
        }
        Answer::RateLimited(error) => brought_nothing(Outcome::RateLimited, error),
        Answer::TimedOut(error) => brought_nothing(Outcome::TimedOut, error),
        Answer::Unreachable(error) => brought_nothing(Outcome::Unreachable, error),
    }
}

/// A due that was not sent: skipped, or dropped by the pace.
pub fn not_sent(outcome: Outcome, due_at: DateTime<Utc>, now: DateTime<Utc>, error: String) -> Heartbeat {
    Heartbeat { done_at: now, error: Some(error), ..Heartbeat::at(due_at, outcome) }
}

struct Verdict {
    cold: bool,
    evidence: Evidence,
    certainty: Certainty,
    wait: Duration,
}

fn cold_or_warm(order: &Order, past: Past<'_>, total: Duration, signs: &Signs) -> Verdict {
    let held = signs.held.unwrap_or_default();
    let new_setup = signs.setup.is_some_and(|setup| !order.known_setups.contains(&setup.started_at));
    // A setup is told, or was met under way: that decides both ways, however long it took.
    if signs.setup.is_some() || signs.met_starting {
        let cold = signs.met_starting || (signs.held.is_some() && new_setup);
        return Verdict { cold, evidence: Evidence::SetupTime, certainty: Certainty::FULL, wait: held };
    }
    let (evidence, wait) = match signs.queue_wait {
        Some(wait) => (Evidence::QueueWait, wait),
        None => (Evidence::Latency, total.saturating_sub(signs.predict.unwrap_or_default())),
    };
    let (cold, certainty) = match order.model.cold_after {
        ColdAfter::Fixed(limit) => (wait > limit, Certainty::FULL),
        ColdAfter::Auto => {
            let probability = past.judge.cold(wait, past.before);
            (probability > 0.5, Certainty::of(probability.max(1.0 - probability)))
        }
    };
    Verdict { cold, evidence, certainty, wait }
}
