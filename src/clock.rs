//! The one place that reads time.
//!
//! Everything that decides takes `now` as a parameter; a test's fake clock is the value it passes.
//! The lints of `clippy.toml` refuse clocks read elsewhere.

use chrono::{DateTime, SubsecRound, Utc};
use std::time::{Duration, Instant};

/// The civil time: what windows, due times and reports are told in, in whole microseconds, as they are kept. May
/// jump.
#[expect(clippy::disallowed_methods, reason = "this is the room that reads clocks")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// The monotonic time: what durations are measured in. Never jumps, and stands still in a suspend.
#[expect(clippy::disallowed_methods, reason = "this is the room that reads clocks")]
pub fn instant() -> Instant {
    Instant::now()
}

/// The civil time, and a stopwatch that runs from then on: one added to the other is a civil time that no jump
/// spoils. It is never before the true one, since the stopwatch is started first.
pub fn civil_stopwatch() -> (DateTime<Utc>, Stopwatch) {
    let watch = Stopwatch::start();
    (now(), watch)
}

/// User and system time that this process has taken so far.
pub fn cpu() -> Duration {
    let taken = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(taken.tv_sec.unsigned_abs(), u32::try_from(taken.tv_nsec).unwrap_or_default())
}

/// Time passed since it was started, on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts one.
    pub fn start() -> Self {
        Self(instant())
    }

    /// The time since the start, in whole microseconds.
    pub fn elapsed(&self) -> Duration {
        whole_micros(instant().duration_since(self.0))
    }
}

/// A time as it is kept: what is told of it before a restart is what is told after.
pub fn whole_micros(time: Duration) -> Duration {
    Duration::new(time.as_secs(), time.subsec_micros() * 1_000)
}
