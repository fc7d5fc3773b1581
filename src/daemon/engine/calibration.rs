//! Calibration heartbeats: sent right after an answer, to see what a warm one takes.

use super::Engine;
use super::slot::Waiters;
use crate::classify::calibration::is_affordable;
use crate::clock;
use crate::config::value::ModelName;
use crate::heartbeat::{Evidence, Heartbeat, Outcome};
use std::time::{Duration, Instant};

/// After one that brought no answer, or met a boot, there is none for so long: what a second request in a row leads to
/// is not tried again and again.
const REST: Duration = Duration::from_hours(1);

impl Engine {
    /// Whether a heartbeat that has come back is to be followed by one.
    pub(super) fn wants_calibration(&self, name: &ModelName, heartbeat: &Heartbeat, now: Instant) -> bool {
        let Some(slot) = self.slots.get(name).filter(|_| !self.stopping) else { return false };
        let is_answer = matches!(heartbeat.outcome, Outcome::Warm | Outcome::Cold);
        let is_by_wait = matches!(heartbeat.evidence, Some(Evidence::QueueWait | Evidence::Latency));
        // A server that has told its setup before will do so again.
        let tells_setup = !slot.known.setups.is_empty();
        let total = heartbeat.total.unwrap_or_default();
        let runs = total.saturating_sub(heartbeat.wait.unwrap_or_default());
        let account = slot.account.as_ref().and_then(|token| self.accounts.get(token));
        let civil = clock::now();
        is_answer
            && is_by_wait
            && !tells_setup
            && slot.model.may_calibrate()
            && !slot.known.paused(civil)
            && slot.calibrates_after.is_none_or(|after| now >= after)
            && is_affordable(runs, slot.model.interval)
            && account.is_none_or(|account| account.pace.has_spare(now))
            && slot.known.calibrations.wants(heartbeat.certainty, civil)
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
            && heartbeat.outcome != Outcome::Calibration
        {
            slot.calibrates_after = Some(now + REST);
        }
    }
}
