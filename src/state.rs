//! What is known of a model; [`Known::apply`] is the only thing that changes it.
//!
//! `Known` is a fold over the model's journal: live and at a restart the same entries lead to the
//! same knowledge. What only lives with the process (a heartbeat in flight, a hold) is [`Live`].

pub mod digest;
pub mod refusals;
pub mod standing;
#[cfg(test)]
mod tests;

use crate::classify::Past;
use crate::classify::calibration::Calibrations;
use crate::classify::judge::{Before, Judge};
use crate::config::{ColdAfter, Lead, Model};
use crate::heartbeat::{Evidence, Heartbeat, Order, Outcome, Phase, Rejection};
use crate::journal::{Entry, State, What};
use chrono::{DateTime, TimeDelta, Utc};
use refusals::{Block, Refusals};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

/// How many boots `lead = "auto"` looks back on.
const BOOTS: usize = 20;

/// A calibration heartbeat is warm for certain after an answer that was seen no later than this after it had come.
const AT_ONCE: Duration = Duration::from_millis(100);

/// How many setups are told apart: more replicas behind one address than that look like boots.
const SETUPS: usize = 16;

/// How many dues of a row of failures are kept: doubling has reached any cap by then.
const FAILED_DUES: usize = 16;

/// This many heartbeats in a row that ran no prediction make a model `failing`.
const FAILING: u32 = 3;

/// This many in a row that failed do so too, though the model ran them.
const ALL_FAILED: u32 = 10;

/// How many of the last heartbeats are known by whether they ran and failed.
const RECENT: usize = 10;

/// `lead = "auto"` never goes under this, and is this while no boot is known.
const SHORTEST_LEAD: Duration = Duration::from_mins(1);

/// `lead = "auto"` never goes over this.
const LONGEST_LEAD: Duration = Duration::from_mins(15);

/// What is known of a model, and outlives the process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// What it was aimed at when this was learned: `cog http://…`.
    pub aimed: Option<String>,
    /// The last heartbeat that finished; never a calibration, a skipped or a dropped one.
    pub last: Option<Heartbeat>,
    /// When the last one was done that showed the model up: warm, cold, busy, or run and failed.
    pub answered_at: Option<DateTime<Utc>>,
    /// How many in a row were refused, `timed_out`, `unreachable`, or `failed` without having run.
    pub bad_in_a_row: u32,
    /// How many in a row were `failed`, `timed_out` or `unreachable`, whether they ran or not.
    pub failed_in_a_row: u32,
    /// Of the last ones that finished, the latest at the end: whether it ran and failed.
    pub recent: VecDeque<bool>,
    /// The model's own words about the last one that ran and failed.
    pub complaint: Option<String>,
    /// When those that were `timed_out` or `unreachable`, in a row, had been due.
    pub failed_dues: VecDeque<DateTime<Utc>>,
    /// Set while the last one was refused: see [`Known::is_blocked`].
    pub block: Option<Block>,
    /// The refusals since the last answer.
    pub refusals: Option<Refusals>,
    /// Set while it is held by hand.
    pub pause: Option<Pause>,
    /// The last boots, the latest at the end.
    pub boots: VecDeque<Duration>,
    /// What was learned of its waits.
    pub judge: Judge,
    /// The calibration heartbeats that it had.
    pub calibrations: Calibrations,
    /// The setups known, the latest seen at the end.
    pub setups: VecDeque<DateTime<Utc>>,
    /// Up to when its active hours are accounted for.
    pub accounted_to: Option<DateTime<Utc>>,
    /// Its state as last told, and since when.
    pub state: Option<(State, DateTime<Utc>)>,
}

/// Held by hand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Until then; none for without an end.
    pub until: Option<DateTime<Utc>>,
}

/// What lives with the process.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// The heartbeat in flight.
    pub in_flight: Option<InFlight>,
    /// Why the account holds this model's heartbeats, in a sentence.
    pub held: Option<Held>,
}

/// A heartbeat in flight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InFlight {
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// When it was handed to the provider.
    pub sent_at: DateTime<Utc>,
    /// What the provider says of it.
    pub phase: Phase,
}

/// Why the account holds a model's heartbeats.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// 401 or 402: a person must act; another model of the account looks again.
    Blocked {
        /// Why, in a sentence.
        error: String,
    },
    /// The account's limit can't carry this model beside those before it in the file.
    NoRoom {
        /// Creates a minute.
        limit: u32,
        /// Whether that is what went through, about, rather than what the file says.
        learned: bool,
    },
}

impl Known {
    /// Takes in what happened.
    pub fn apply(&mut self, entry: &Entry) {
        match &entry.what {
            What::Heartbeat { heartbeat, .. } => self.apply_heartbeat(heartbeat),
            What::Boot { took } => {
                if let Some(took) = took {
                    push(&mut self.boots, *took, BOOTS);
                }
            }
            What::Spent { to, .. } => self.accounted_to = Some(*to),
            What::Setup(setup) => {
                self.setups.retain(|known| *known != setup.started_at);
                push(&mut self.setups, setup.started_at, SETUPS);
            }
            What::Paused { until } => self.pause = Some(Pause { until: *until }),
            What::Resumed => self.pause = None,
            What::Aimed { at } => {
                *self = Self {
                    aimed: Some(at.clone()),
                    pause: self.pause,
                    accounted_to: self.accounted_to,
                    state: self.state,
                    ..Self::default()
                };
            }
            What::State { to, .. } => self.state = Some((*to, entry.at)),
            What::Tracked => self.accounted_to = Some(entry.at),
        }
    }

    fn apply_heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.learn(heartbeat);
        if heartbeat.outcome == Outcome::Calibration {
            // It follows an answer, which has said how the model is: whatever comes of it takes nothing back.
            if heartbeat.error.is_none() {
                self.answered_at = Some(heartbeat.done_at);
            }
            return;
        }
        match heartbeat.outcome {
            // No word about the model: neither streak nor `last` know of it.
            Outcome::Skipped | Outcome::Calibration => return,
            Outcome::RateLimited => {}
            Outcome::Warm | Outcome::Cold | Outcome::Busy => {
                self.failed_in_a_row = 0;
                self.failed_dues.clear();
            }
            Outcome::Failed => {
                self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
                self.failed_dues.clear();
            }
            Outcome::TimedOut | Outcome::Unreachable => {
                self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
                push(&mut self.failed_dues, heartbeat.due_at, FAILED_DUES);
            }
            Outcome::Rejected => {
                self.failed_dues.clear();
                self.refusals = Some(Refusals::after(self.refusals, heartbeat.done_at));
            }
        }
        if heartbeat.shows_model_up() {
            self.answered_at = Some(heartbeat.done_at);
            self.bad_in_a_row = 0;
            self.refusals = None;
        } else if heartbeat.outcome != Outcome::RateLimited {
            self.bad_in_a_row = self.bad_in_a_row.saturating_add(1);
        }
        if heartbeat.outcome != Outcome::RateLimited {
            push(&mut self.recent, heartbeat.ran_and_failed(), RECENT);
        }
        if heartbeat.ran_and_failed() {
            self.complaint.clone_from(&heartbeat.error);
        }
        // A 429 tells nothing of the token, the credit or the model: what was blocked stays so.
        if heartbeat.outcome != Outcome::RateLimited {
            self.block = heartbeat.rejection.map(|rejection| Block {
                rejection,
                error: heartbeat.error.clone().unwrap_or_default(),
                at: heartbeat.done_at,
            });
        }
        if heartbeat.sent_at <= heartbeat.done_at && !was_dropped(heartbeat) {
            self.last = Some(heartbeat.clone());
        }
    }

    /// Learns from a heartbeat's wait, where that is what it was judged by.
    fn learn(&mut self, heartbeat: &Heartbeat) {
        if heartbeat.outcome == Outcome::Calibration {
            self.calibrations.count(heartbeat.sent_at);
        }
        let before = match heartbeat.evidence {
            Some(Evidence::Calibrated) => self.before(heartbeat.sent_at, true),
            Some(Evidence::QueueWait | Evidence::Latency) => self.before(heartbeat.sent_at, false),
            Some(Evidence::SetupTime) | None => return,
        };
        if let Some(wait) = heartbeat.wait {
            self.judge.learn(wait, before);
        }
    }

    /// What a heartbeat that is sent at `sent_at` is judged by.
    pub fn past(&self, order: &Order, sent_at: DateTime<Utc>) -> Past<'_> {
        Past { judge: &self.judge, before: self.before(sent_at, order.calibrates) }
    }

    fn before(&self, sent_at: DateTime<Utc>, calibrates: bool) -> Before {
        if calibrates {
            let is_fresh = self.last.as_ref().is_some_and(|last| last.seen_late() <= AT_ONCE);
            return if is_fresh { Before::Answer } else { Before::LateAnswer };
        }
        // An answer in the future is from before the clock was set back.
        Before::since(self.answered_at.map(|answered| (sent_at - answered).to_std().unwrap_or_default()))
    }

    /// Whether a person must act. A refusal of the name or the input may pass where the model has
    /// answered before, until it has come three times.
    pub fn is_blocked(&self) -> bool {
        self.block.is_some() && !self.may_pass()
    }

    /// Whether the model was refused, in a way that may pass by itself.
    pub fn may_pass(&self) -> bool {
        let of_model = |block: &Block| matches!(block.rejection, Rejection::Model | Rejection::Input);
        self.block.as_ref().is_some_and(of_model)
            && self.answered_at.is_some()
            && self.refusals.is_some_and(|refusals| !refusals.are_lasting())
    }

    /// How many heartbeats in a row make the model `failing`; none where they don't.
    pub fn failing_row(&self) -> Option<u32> {
        if self.bad_in_a_row >= FAILING {
            Some(self.bad_in_a_row)
        } else {
            Some(self.failed_in_a_row).filter(|row| *row >= ALL_FAILED)
        }
    }

    /// The wait beyond which a response counts as cold; by the learned judge, one whose odds are even.
    pub fn cold_after(&self, model: &Model) -> Duration {
        match model.cold_after {
            ColdAfter::Auto => self.judge.even(Before::since(Some(model.interval))),
            ColdAfter::Fixed(fixed) => fixed,
        }
    }

    /// How long before an opening its heartbeats start.
    pub fn lead(&self, model: &Model) -> Duration {
        match (model.lead, self.boots.iter().max()) {
            (Lead::Fixed(fixed), _) => fixed,
            (Lead::Auto, None) => SHORTEST_LEAD,
            // A provider may tell of a boot that took ages: half as much more would overflow.
            (Lead::Auto, Some(longest)) => {
                longest.min(&LONGEST_LEAD).mul_f64(1.5).clamp(SHORTEST_LEAD, LONGEST_LEAD)
            }
        }
    }

    /// Whether it is held by hand at `now`.
    pub fn paused(&self, now: DateTime<Utc>) -> bool {
        self.pause.is_some_and(|pause| pause.until.is_none_or(|until| until > now))
    }

    /// When something of it was last told: a heartbeat, or a change of state.
    pub fn touched_at(&self) -> Option<DateTime<Utc>> {
        let told = self.state.map(|(_, since)| since);
        self.last.as_ref().map(|last| last.done_at).max(told)
    }

    /// Whether the last one that finished ended less than `interval` before `now`.
    pub fn ended_within(&self, interval: Duration, now: DateTime<Utc>) -> bool {
        self.last.as_ref().is_some_and(|last| {
            // One that ended in the future ended before the clock was set back: it tells nothing.
            last.done_at <= now && now - last.done_at < delta(interval)
        })
    }
}

/// A due that the pace dropped was never sent.
fn was_dropped(heartbeat: &Heartbeat) -> bool {
    heartbeat.outcome == Outcome::RateLimited && !heartbeat.was_sent()
}

/// A duration on the civil time line; all that a configuration can hold fits.
pub fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn push<T>(ring: &mut VecDeque<T>, item: T, bound: usize) {
    if ring.len() == bound {
        ring.pop_front();
    }
    ring.push_back(item);
}
