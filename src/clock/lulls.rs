//! Lulls: pauses that may go on for a while. Each ends with whatever happens next once it is over, so that no thread
//! is woken for it alone: where some heartbeats a second come, a wake costs about as much as what is done in it.

use super::{batched, instant};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Those of one thread. Bounded by who pauses.
#[derive(Debug, Clone, Default)]
pub struct Lulls(Arc<Mutex<VecDeque<Lull>>>);

#[derive(Debug)]
struct Lull {
    over_at: Instant,
    /// Dropped, it ends the pause.
    _held: oneshot::Sender<()>,
}

impl Lulls {
    /// Pauses for `least`, and on until something happens on the thread, but for no longer than `most` (and a few
    /// milliseconds, to end together with others). Those of the same `least` end in their order.
    pub async fn pause(&self, least: Duration, most: Duration) {
        let begun = instant();
        let (held, ended) = oneshot::channel();
        self.end_at(begun);
        self.waiting().push_back(Lull { over_at: begun + least, _held: held });
        // It ends by either.
        let _ = tokio::time::timeout_at(batched(begun + most).into(), ended).await;
    }

    /// Something happens: ends those that are over by `now`.
    pub fn end_at(&self, now: Instant) {
        let mut waiting = self.waiting();
        while waiting.front().is_some_and(|first| first.over_at <= now) {
            waiting.pop_front();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Lull>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use tokio::time::timeout;

    const LEAST: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn one_ends_with_what_happens_once_it_is_over_and_not_before() {
        let (lulls, begun) = (Lulls::default(), instant());
        let mut paused = pin!(lulls.pause(LEAST, LONG));
        assert!(timeout(Duration::ZERO, &mut paused).await.is_err());
        lulls.end_at(begun);
        assert_eq!(lulls.waiting().len(), 1, "it is not over yet");
        assert!(timeout(2 * LEAST, &mut paused).await.is_err(), "nothing has happened since it was over");
        // The next one to pause is something that happens.
        lulls.pause(LEAST, Duration::ZERO).await;
        paused.await;
        assert!(instant() - begun >= LEAST && instant() - begun < LONG);
        lulls.end_at(instant() + LEAST);
        assert_eq!(lulls.waiting().len(), 0, "those that gave up leave nothing behind");
    }

    #[tokio::test]
    async fn where_nothing_happens_one_ends_by_itself() {
        let (lulls, begun) = (Lulls::default(), instant());
        lulls.pause(LEAST, 2 * LEAST).await;
        assert!(instant() - begun >= 2 * LEAST);
    }
}
