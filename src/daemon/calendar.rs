//! Calendar work: folding and retention by the hour, and how the time zones are looked at.
//!
//! The first is done by the civil clock, which may be set: what is due next is worked out anew when it is.

use super::command::{Command, Handle};
use crate::clock;
use crate::hours::zone::Zones;
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Two minutes past each hour: the hour that ended is complete by then.
const FOLD: Chime = Chime { every: TimeDelta::hours(1), past: TimeDelta::minutes(2) };

/// What comes again and again, counted from the start of 1970, UTC.
#[derive(Debug, Clone, Copy)]
struct Chime {
    every: TimeDelta,
    past: TimeDelta,
}

impl Chime {
    /// The first after `now`.
    fn after(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let (every, past) = (self.every.num_milliseconds(), self.past.num_milliseconds());
        let since_last = (now.timestamp_millis() - past).rem_euclid(every);
        let next = DateTime::from_timestamp_millis(now.timestamp_millis() - since_last + every);
        // No clock is set to the end of time.
        next.unwrap_or(now)
    }
}

/// Does the calendar's work until `stop`; looks at the clock when it is told that it was set.
pub(super) async fn run(
    engine: Handle,
    clock_set: Arc<Notify>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut now = clock::now();
    loop {
        let fold_at = FOLD.after(now);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep((fold_at - now).to_std().unwrap_or_default()) => {}
            () = clock_set.notified() => {}
        };
        // Set back, it is this again some time; set forward, it is as if it had come by itself.
        now = clock::now();
        // Only a stopping engine takes no command: nothing is left to be done then.
        if now >= fold_at {
            let _ = engine.tell(Command::Fold).await;
        }
    }
}

/// Looks whether the system's zones are others than those known.
pub(super) fn look(zones: Arc<Mutex<Zones>>, engine: Handle) -> impl FnMut() {
    move || {
        let mut known = zones.lock().unwrap_or_else(PoisonError::into_inner);
        if known.changed() {
            *known = known.reread();
            let new = known.clone();
            drop(known);
            // Only a stopping engine takes no command.
            let _ = engine.tell_blocking(Command::Rezone(new));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_is_after_now_and_never_now() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (now, fold) in [
            ("2026-11-21T10:01:59.999Z", "2026-11-21T10:02:00Z"),
            ("2026-11-21T10:02:00Z", "2026-11-21T11:02:00Z"),
            ("2026-12-31T23:30:30Z", "2027-01-01T00:02:00Z"),
            ("1969-12-31T23:59:59Z", "1970-01-01T00:02:00Z"),
        ] {
            assert_eq!(FOLD.after(at(now)), at(fold), "{now}");
        }
    }
}
