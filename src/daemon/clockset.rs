//! The system's word that the civil clock was set, or that the machine has slept: with it, a daemon that has
//! nothing to do need not look at its clocks each second.

use super::descriptor;
use crate::clock;
use crate::state::delta;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Later than any clock is set to, in microseconds since 1970: the year 2262.
const NEVER: i64 = 9_223_372_036_000_000;

/// Tells of it.
#[derive(Debug)]
pub(super) struct ClockSet(Option<AsyncFd<OwnedFd>>);

impl ClockSet {
    /// Listens from now on. A library that was put before the system's own, as libfaketime is, may show this
    /// process another clock than the system's, of which the system knows nothing.
    pub(super) fn listen() -> Self {
        let preloaded = std::env::var_os("LD_PRELOAD").is_some_and(|libraries| !libraries.is_empty());
        let timer = (!preloaded).then(timer).and_then(Result::ok);
        Self(timer.and_then(|timer| descriptor::awaited(timer).ok()))
    }

    /// Whether it will be told at all.
    pub(super) fn is_told(&self) -> bool {
        self.0.is_some()
    }

    /// Comes back once the clock has been set, or after so long: the runtime's own timers wake a thread three
    /// times for a pause of a minute. May be dropped on the way.
    pub(super) async fn told(&mut self, at_most: Option<Duration>) {
        let Some(timer) = &self.0 else { return std::future::pending().await };
        if let Some(at_most) = at_most {
            match wind(timer, (clock::now() + delta(at_most)).timestamp_micros()) {
                Ok(()) => {}
                Err(Errno::CANCELED) => return,
                Err(_) => return self.0 = None,
            }
        }
        let Ok(mut ready) = timer.readable().await else { return self.0 = None };
        match wind(timer, NEVER) {
            Ok(()) | Err(Errno::CANCELED) => ready.clear_ready(),
            // Without it, the clocks are looked at each second.
            Err(_) => self.0 = None,
        }
    }
}

/// A timer that is broken off when the clock is set, and else never ends.
fn timer() -> Result<OwnedFd, Errno> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    wind(&timer, NEVER)?;
    Ok(timer)
}

/// Has it end so many microseconds after the start of 1970, UTC. `CANCELED` where it was broken off since.
fn wind(timer: impl AsFd, end: i64) -> Result<(), Errno> {
    let value = Timespec { tv_sec: end / 1_000_000, tv_nsec: end % 1_000_000 * 1_000 };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &once).map(drop)
}
