//! A model's state, and why: the first of the contract's states that applies. Pure.

use super::{Held, Known, Live, delta};
use crate::config::Model;
use crate::heartbeat::{Outcome, Phase};
use crate::journal::State;
use chrono::{DateTime, Utc};
use std::time::Duration;

/// This many failures in a row make a model `failing`.
const FAILING: u32 = 3;

/// An answer older than this many intervals is no longer one to go by.
const FRESH_INTERVALS: u32 = 2;

/// The state at `now`, with its reason wherever it isn't warm or idle; `due` tells whether `now` lies
/// within the model's active hours or a lead-in.
pub fn standing(
    model: &Model,
    known: &Known,
    live: &Live,
    due: bool,
    now: DateTime<Utc>,
) -> (State, Option<String>) {
    let because = |state, reason: String| (state, Some(reason));
    if !model.enabled {
        return because(State::Disabled, "`enabled = false` in the configuration".to_owned());
    }
    if known.paused(now) {
        let until = known.pause.and_then(|pause| pause.until);
        return because(
            State::Paused,
            match until {
                Some(until) => format!("held by hand until {}", until.format("%Y-%m-%d %H:%M UTC")),
                None => "held by hand; `warmctl resume` frees it".to_owned(),
            },
        );
    }
    if !due {
        return (State::Idle, None);
    }
    if let Some(Held::Blocked { error }) = &live.held {
        return because(State::Blocked, error.clone());
    }
    if let Some(block) = &known.block {
        return because(State::Blocked, block.error.clone());
    }
    let last_error = || {
        let last = known.last.as_ref()?;
        Some(last.error.clone().unwrap_or_else(|| last.outcome.name().to_owned()))
    };
    if known.bad_in_a_row >= FAILING {
        let error = last_error().unwrap_or_default();
        return because(
            State::Failing,
            format!("the last {} brought no answer; the latest: {error}", known.bad_in_a_row),
        );
    }
    if let Some(flight) = live.in_flight {
        let beyond = now - flight.sent_at;
        if flight.phase == Phase::Booting || beyond > delta(known.cold_after(model)) {
            let seconds = beyond.num_seconds().max(0);
            return because(
                State::Booting,
                format!("a heartbeat has been waiting for its boot for {seconds} s"),
            );
        }
    }
    let fresh = delta(model.interval * FRESH_INTERVALS);
    let no_room = match &live.held {
        Some(Held::NoRoom { limit }) => Some(format!(
            "held: the account allows {limit} creates a minute, which the models before it in the file use up"
        )),
        Some(Held::Blocked { .. }) | None => None,
    };
    let last_outcome = known.last.as_ref().map(|last| last.outcome);
    match last_outcome {
        None => {
            because(State::Unknown, no_room.unwrap_or_else(|| "no heartbeat has finished yet".to_owned()))
        }
        // A 429 says nothing about the model: the answer before it still counts while it is fresh.
        Some(outcome) if outcome.answered() || outcome == Outcome::RateLimited => {
            match (known.answered_at.map(|at| now - at), outcome) {
                (Some(age), _) if age < fresh => (State::Warm, None),
                (_, Outcome::RateLimited) => {
                    because(State::Cold, no_room.or_else(last_error).unwrap_or_default())
                }
                (age, _) => because(
                    State::Unknown,
                    no_room.unwrap_or_else(|| {
                        let age = age.and_then(|age| age.to_std().ok()).unwrap_or_default();
                        format!("the last answer is {} old", words(age))
                    }),
                ),
            }
        }
        Some(outcome) => because(
            State::Cold,
            last_error().unwrap_or_else(|| format!("the last heartbeat was {}", outcome.name())),
        ),
    }
}

fn words(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
