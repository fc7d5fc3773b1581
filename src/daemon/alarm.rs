//! An alarm: a timer of the system's, which wakes a thread once, and to the microsecond.
//!
//! The runtime's own timers are put into coarser slots the further off they are, and wake a thread for each slot on
//! the way: up to three times for a pause of a minute. For a short one they do better: they are set without asking
//! the system, and end together with others.

use super::descriptor;
use crate::clock;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;

/// A pause shorter than this is the runtime's.
const SHORT: Duration = Duration::from_millis(20);

/// Rings when it is time.
#[derive(Debug)]
pub(super) struct Alarm {
    /// Where the system has none to give, the runtime's timers serve.
    timer: Option<AsyncFd<OwnedFd>>,
    /// What it is set to, and has not rung for.
    set: Option<Instant>,
}

impl Alarm {
    /// One that is not set.
    pub(super) fn new() -> Self {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC);
        Self { timer: timer.ok().and_then(|timer| descriptor::awaited(timer).ok()), set: None }
    }

    /// Comes back at `at`, or at once where that has passed. May be dropped on the way.
    pub(super) async fn rings(&mut self, at: Instant) {
        while let Some(timer) = &self.timer {
            let left = at.saturating_duration_since(clock::instant());
            if left.is_zero() {
                return;
            }
            if self.set != Some(at) {
                if left < SHORT {
                    return tokio::time::sleep_until(at.into()).await;
                }
                if set(timer, left).is_err() {
                    break;
                }
                self.set = Some(at);
            }
            let Ok(mut ready) = timer.readable().await else { break };
            // It may have rung for what it was set to before.
            ready.clear_ready();
            self.set = None;
        }
        self.timer = None;
        tokio::time::sleep_until(at.into()).await;
    }
}

fn set(timer: &AsyncFd<OwnedFd>, left: Duration) -> Result<(), Errno> {
    let nothing = Timespec { tv_sec: 0, tv_nsec: 0 };
    let left = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    };
    let once = Itimerspec { it_interval: nothing, it_value: left };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &once).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_rings_in_time_whatever_it_was_set_to_before() {
        let mut alarm = Alarm::new();
        assert!(alarm.timer.is_some());
        let begun = clock::instant();
        let after = |millis| begun + Duration::from_millis(millis);
        alarm.rings(begun).await;
        for (at, given_up) in
            [(40, false), (3_600_000, true), (80, false), (60, false), (81, true), (200, false)]
        {
            if given_up {
                // It rings meanwhile, or not.
                let _ = tokio::time::timeout(Duration::from_millis(20), alarm.rings(after(at))).await;
            } else {
                alarm.rings(after(at)).await;
                assert!(clock::instant() >= after(at), "early for {at}");
            }
        }
        assert!(alarm.timer.is_some());
    }

    #[tokio::test]
    async fn without_a_timer_of_the_systems_the_runtimes_serve() {
        let mut alarm = Alarm { timer: None, set: None };
        let at = clock::instant() + Duration::from_millis(5);
        alarm.rings(at).await;
        assert!(clock::instant() >= at);
    }
}
