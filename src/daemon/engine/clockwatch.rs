//! Notices that the wall clock was moved, or that the machine slept: both show as a change of the
//! distance between the civil and the monotonic clock.

use crate::clock;
use chrono::{DateTime, Utc};
use std::time::Instant;

/// Less than this is a clock being disciplined, not moved, in seconds.
const JUMP_S: f64 = 0.5;

/// The two clocks as they were read together last.
#[derive(Debug)]
pub(super) struct ClockWatch {
    civil: DateTime<Utc>,
    monotonic: Instant,
}

impl ClockWatch {
    pub(super) fn start() -> Self {
        Self { civil: clock::now(), monotonic: clock::instant() }
    }

    /// By how many seconds the civil clock has gained on the monotonic one since it was asked last,
    /// where that is a jump.
    pub(super) fn jumped(&mut self) -> Option<f64> {
        let now = Self::start();
        let civil = (now.civil - self.civil).as_seconds_f64();
        let gained = civil - now.monotonic.duration_since(self.monotonic).as_secs_f64();
        *self = now;
        (gained.abs() > JUMP_S).then_some(gained)
    }
}
