//! The system's word that the civil clock was set, or that the machine has slept: with it, a daemon that has
//! nothing to do need not look at its clocks each second.

use super::descriptor;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Later than any clock is set to, in seconds since 1970: the year 2262.
const NEVER: i64 = 9_223_372_036;

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

    /// Comes back once the clock has been set. May be dropped on the way.
    pub(super) async fn told(&mut self) {
        let Some(timer) = &self.0 else { return std::future::pending().await };
        match timer.readable().await {
            Ok(mut ready) if wind(timer.get_ref()).is_ok() => ready.clear_ready(),
            // Without it, the clocks are looked at each second.
            Ok(_) | Err(_) => self.0 = None,
        }
    }
}

/// A timer that never ends, but is broken off when the clock is set.
fn timer() -> Result<OwnedFd, Errno> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    wind(&timer)?;
    Ok(timer)
}

fn wind(timer: &OwnedFd) -> Result<(), Errno> {
    let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
    let never = Itimerspec { it_interval: nothing, it_value: Timespec { tv_sec: NEVER, ..nothing } };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    match timerfd_settime(timer, flags, &never) {
        // That it was broken off is told so, and it is wound all the same.
        Ok(_) | Err(Errno::CANCELED) => Ok(()),
        Err(error) => Err(error),
    }
}
