//! The one place that reads time.
//!
//! Everything that decides takes `now` as a parameter; a test's fake clock is the value it passes.
//! The lints of `clippy.toml` refuse clocks read elsewhere.

mod lulls;

use chrono::{DateTime, SubsecRound, Utc};
pub use lulls::Lulls;
use std::sync::OnceLock;
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

/// What need not end to the millisecond ends at multiples of this: one wake-up then serves all whose time has come,
/// and so do many of the answers to what they send, which come together too.
const BATCH: Duration = Duration::from_millis(4);

/// The first moment from `at` on at which timers end that may end together.
pub fn batched(at: Instant) -> Instant {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let begun = *BEGUN.get_or_init(instant);
    begun + next_multiple(at.saturating_duration_since(begun))
}

/// Sleeps for so long, or a few milliseconds longer, together with others.
pub async fn about(pause: Duration) {
    tokio::time::sleep_until(batched(instant() + pause).into()).await;
}

fn next_multiple(passed: Duration) -> Duration {
    let batch = BATCH.as_nanos() as u64;
    Duration::from_nanos((passed.as_nanos() as u64).next_multiple_of(batch))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_end_together_and_never_early() {
        let after = |micros| next_multiple(Duration::from_micros(micros)).as_micros();
        assert_eq!([0, 1, 3_999, 4_000, 4_001, 8_000].map(after), [0, 4_000, 4_000, 4_000, 8_000, 8_000]);
        let now = instant();
        assert!(batched(now) >= now && batched(now) < now + BATCH);
    }
}
