//! When what has to be looked at now and then is looked at: all of it at the same moments, so that a daemon
//! that has nothing to do is woken seldom.

use crate::clock;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// From one look to the next.
pub(super) const LOOK: Duration = Duration::from_secs(20);

/// The next look is to be taken then.
pub(super) fn next() -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let (first, now) = (*FIRST.get_or_init(clock::instant), clock::instant());
    after(first, now)
}

/// Comes back when the next look is to be taken.
pub(super) async fn come() {
    tokio::time::sleep_until(next().into()).await;
}

fn after(first: Instant, now: Instant) -> Instant {
    let passed = now.duration_since(first).as_nanos() / LOOK.as_nanos();
    first + LOOK * u32::try_from(passed + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_never_now() {
        let first = clock::instant();
        for (passed, next) in [(0, 20_000), (1, 20_000), (19_999, 20_000), (20_000, 40_000), (59_999, 60_000)]
        {
            let now = first + Duration::from_millis(passed);
            assert_eq!(after(first, now), first + Duration::from_millis(next), "{passed}");
        }
    }
}
