//! Calibration heartbeats: sent right after an answer, to see what a warm one takes.
//!
//! They stand back: one that is in the way of a heartbeat or the end is given up.

use super::Engine;
use super::slot::Waiters;
use crate::classify::calibration::is_affordable;
use crate::clock;
use crate::config::value::ModelName;
use crate::heartbeat::{Evidence, Heartbeat, Outcome};
use crate::schedule::grid;
use crate::state::{delta, digest};
use chrono::{DateTime, Utc};
use std::time::{Duration, Instant};

/// After one that brought no answer, there is none for so long: what a second request in a row leads to is not tried
/// again and again.
const REST: Duration = Duration::from_hours(1);

/// A heartbeat waits for so long at most for the end of one. Not less where the interval is short: were the slow ones
/// given up, only the quick ones would show what a warm answer takes.
const PATIENCE: Duration = Duration::from_secs(5);

impl Engine {
    /// Whether a heartbeat that has come back is to be followed by one.
    pub(super) fn wants_calibration(&self, name: &ModelName, heartbeat: &Heartbeat, now: Instant) -> bool {
        let Some(slot) = self.slots.get(name).filter(|_| !self.stopping) else { return false };
        let civil = clock::now();
        let is_answer = matches!(heartbeat.outcome, Outcome::Warm | Outcome::Cold);
        let is_by_wait = matches!(heartbeat.evidence, Some(Evidence::QueueWait | Evidence::Latency));
        // A server that has told its setup before will do so again.
        let tells_setup = !slot.known.setups.is_empty();
        is_answer
            && is_by_wait
            && !tells_setup
            && slot.model.enabled
            && slot.model.may_calibrate()
            && slot.held.is_none()
            && !slot.known.paused(civil)
            && slot.calibrates_after.is_none_or(|after| now >= after)
            && is_affordable(run(heartbeat), slot.model.interval)
            && slot.known.calibrations.wants(heartbeat.certainty, civil)
            && self.account_has_spare(name, civil, now)
    }

    /// Whether the model's account has a create to spare beside those that its models need.
    fn account_has_spare(&self, name: &ModelName, civil: DateTime<Utc>, now: Instant) -> bool {
        let token = self.slots.get(name).and_then(|slot| slot.account.as_ref());
        let Some(account) = token.and_then(|token| self.accounts.get(token)) else { return true };
        let slots = account.models.iter().filter_map(|model| self.slots.get(model));
        let demand: f64 = slots.filter_map(|slot| slot.demand(civil).per_minute).sum();
        account.pace.has_spare(demand, now)
    }

    /// Sends one.
    pub(super) fn calibrate(&mut self, name: &ModelName) {
        let Some(slot) = self.slots.get(name).filter(|slot| slot.flight.is_none()) else { return };
        let waiters = Waiters::of(slot.model.name.clone());
        let now = clock::now();
        self.fly(name, now, now, waiters, true);
    }

    /// Takes in that one has come back.
    pub(super) fn calibrated(&mut self, name: &ModelName, heartbeat: &Heartbeat, now: Instant) {
        if let Some(slot) = self.slots.get_mut(name)
            && heartbeat.error.is_some()
        {
            slot.calibrates_after = Some(now + REST);
        }
    }

    /// Until when a heartbeat of a model has to wait for one in flight; where it has waited long enough, that is given
    /// up. None where there is nothing to wait for.
    pub(super) fn waits_for_calibration(
        &mut self,
        name: &ModelName,
        due: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let slot = self.slots.get_mut(name)?;
        let model = slot.model.clone();
        let flight = slot.flight.as_mut().filter(|flight| flight.calibrates)?;
        let until = *flight.holds_up_to.get_or_insert_with(|| now + delta(PATIENCE));
        if now >= until {
            self.give_up_calibration(name, now);
            return None;
        }
        let before = due.and_then(|due| flight.holds_up.replace(due)).filter(|before| Some(*before) < due);
        if let Some(before) = before {
            let why = "a calibration heartbeat was still in flight";
            self.record(digest::not_sent(&model, Outcome::Skipped, before, now, why));
        }
        Some(until.min(grid::after(name, model.interval, now)))
    }

    /// Gives one up, where it is in flight.
    fn give_up_calibration(&mut self, name: &ModelName, now: DateTime<Utc>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let Some(flight) = slot.flight.take_if(|flight| flight.calibrates) else { return };
        let entry = digest::given_up(&slot.model, flight.sent.sent_at, now);
        self.record(entry);
    }
}

/// How long a prediction ran, as far as that is known; else how long all of it took.
fn run(heartbeat: &Heartbeat) -> Duration {
    let total = heartbeat.total.unwrap_or_default();
    match (heartbeat.evidence, heartbeat.predict) {
        (Some(Evidence::Latency), None) => total,
        _ => total.saturating_sub(heartbeat.wait.unwrap_or_default()),
    }
}
