//! A model's state, and why: the first of the contract's states that applies. Pure.

use super::{Held, Known, Live, delta};
use crate::config::Model;
use crate::heartbeat::{Heartbeat, Outcome, Phase};
use crate::journal::State;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

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
        return if known.may_pass() {
            because(State::Failing, format!("refused, which may pass: {}", block.error))
        } else {
            because(State::Blocked, block.error.clone())
        };
    }
    if let Some(row) = known.failing_row() {
        let error = known.last.as_ref().map(why).unwrap_or_default();
        let what = if row == known.bad_in_a_row { "brought no answer" } else { "all failed" };
        return because(State::Failing, format!("the last {row} {what}; the latest: {error}"));
    }
    if let Some(flight) = live.in_flight.filter(|flight| flight.phase == Phase::Booting) {
        let seconds = (now - flight.sent_at).num_seconds().max(0);
        return because(State::Booting, format!("a heartbeat has been waiting for its boot for {seconds} s"));
    }
    let fresh = delta(model.interval * FRESH_INTERVALS);
    let no_room = match &live.held {
        Some(Held::NoRoom { limit, learned }) => {
            let allowed = if *learned {
                format!("the account lets about {limit} creates a minute through")
            } else {
                format!("`creates_per_minute` allows {limit} creates a minute")
            };
            Some(format!(
                "held: {allowed}, which the models before it in the file use up; longer intervals would make \
                 room"
            ))
        }
        Some(Held::Blocked { .. }) | None => None,
    };
    let Some(last) = &known.last else {
        return because(
            State::Unknown,
            no_room.unwrap_or_else(|| "no heartbeat has finished yet".to_owned()),
        );
    };
    // While the model runs a prediction, it is what it was when that was sent.
    let running = live.in_flight.filter(|flight| flight.phase == Phase::Running);
    let as_of = running.map_or(now, |flight| flight.sent_at.min(now));
    let age = known.answered_at.map(|at| as_of - at);
    // One in the future is from before the clock was set back, and good for as long as nothing failed.
    let is_fresh = |age: TimeDelta| age < fresh && (age >= TimeDelta::zero() || last.shows_model_up());
    // One attempt that brought nothing does not take back what is known for two intervals.
    if age.is_some_and(is_fresh) {
        return (State::Warm, None);
    }
    if last.shows_model_up() {
        let age = age.and_then(|age| age.to_std().ok()).unwrap_or_default();
        return because(
            State::Unknown,
            no_room.unwrap_or_else(|| format!("the last answer is {} old", words(age))),
        );
    }
    let no_room = no_room.filter(|_| last.outcome == Outcome::RateLimited);
    because(State::Cold, no_room.unwrap_or_else(|| why(last)))
}

/// Why a heartbeat brought no answer.
fn why(heartbeat: &Heartbeat) -> String {
    heartbeat.error.clone().unwrap_or_else(|| format!("the last heartbeat was {}", heartbeat.outcome.name()))
}

fn words(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
