//! Cold or warm, by evidence: pure judgements over what a provider observed.
//!
//! Owns the rules; refuses to guess: where a provider tells its setup that decides, else the wait
//! against `cold_after`, and the verdict names which of them it rests on.

pub mod threshold;

use crate::clock::whole_micros;
use crate::config::Probe;
use crate::heartbeat::{Answer, Evidence, Heartbeat, Observation, Order, Outcome, Signs};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Judges one heartbeat that was due at `due_at`.
pub fn judge(order: &Order, due_at: DateTime<Utc>, seen: &Observation) -> Heartbeat {
    let ended = |outcome| Heartbeat {
        sent_at: seen.sent_at,
        done_at: seen.done_at,
        ..Heartbeat::at(due_at, outcome)
    };
    let brought_nothing =
        |outcome, error: &String| Heartbeat { error: Some(error.clone()), ..ended(outcome) };
    let predict = seen.signs.predict.map(whole_micros);
    match &seen.answer {
        Answer::Succeeded => {
            let Verdict { cold, evidence, wait } = cold_or_warm(order, seen.total, &seen.signs);
            Heartbeat {
                evidence: Some(evidence),
                // A health check is not what a user would have waited for: no latency of it is kept.
                total: (order.model.probe == Probe::Predict).then_some(whole_micros(seen.total)),
                wait: Some(whole_micros(wait)),
                predict,
                ..ended(if cold { Outcome::Cold } else { Outcome::Warm })
            }
        }
        Answer::Busy => ended(Outcome::Busy),
        Answer::Failed(error) => {
            let verdict = seen.signs.predict.map(|_| cold_or_warm(order, seen.total, &seen.signs));
            Heartbeat {
                evidence: verdict.as_ref().map(|verdict| verdict.evidence),
                wait: verdict.map(|verdict| whole_micros(verdict.wait)),
                predict,
                ..brought_nothing(Outcome::Failed, error)
            }
        }
        Answer::Rejected(rejection, error) => {
            Heartbeat { rejection: Some(*rejection), ..brought_nothing(Outcome::Rejected, error) }
        }
        Answer::RateLimited(error) => brought_nothing(Outcome::RateLimited, error),
        Answer::TimedOut(error) => brought_nothing(Outcome::TimedOut, error),
        Answer::Unreachable(error) => brought_nothing(Outcome::Unreachable, error),
    }
}

/// Whether the prediction had to wait for a boot; none where no prediction ran.
pub fn had_to_boot(order: &Order, seen: &Observation) -> Option<bool> {
    let ran = match seen.answer {
        Answer::Succeeded => true,
        Answer::Failed(_) => seen.signs.predict.is_some(),
        Answer::Busy
        | Answer::Rejected(..)
        | Answer::RateLimited(_)
        | Answer::TimedOut(_)
        | Answer::Unreachable(_) => false,
    };
    ran.then(|| cold_or_warm(order, seen.total, &seen.signs).cold)
}

/// A due that was not sent: skipped, or dropped by the pace.
pub fn not_sent(outcome: Outcome, due_at: DateTime<Utc>, now: DateTime<Utc>, error: String) -> Heartbeat {
    Heartbeat { done_at: now, error: Some(error), ..Heartbeat::at(due_at, outcome) }
}

struct Verdict {
    cold: bool,
    evidence: Evidence,
    wait: Duration,
}

fn cold_or_warm(order: &Order, total: Duration, signs: &Signs) -> Verdict {
    let held = signs.held.unwrap_or_default();
    let new_setup = signs.setup.is_some_and(|setup| !order.known_setups.contains(&setup.started_at));
    // A setup is told, or was met under way: that decides both ways, however long it took.
    if signs.setup.is_some() || signs.met_starting {
        let cold = signs.met_starting || (signs.held.is_some() && new_setup);
        return Verdict { cold, evidence: Evidence::SetupTime, wait: held };
    }
    let (evidence, wait) = match signs.queue_wait {
        Some(wait) => (Evidence::QueueWait, wait),
        None => (Evidence::Latency, total.saturating_sub(signs.predict.unwrap_or_default())),
    };
    Verdict { cold: wait > order.cold_after, evidence, wait }
}
