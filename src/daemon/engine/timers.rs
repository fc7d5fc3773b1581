//! The timers of the models. They end together, a few milliseconds late at the most: one wake-up then serves
//! all whose time has come, and so do many of the answers, which come together too.

use crate::clock;
use crate::config::value::ModelName;
use futures_util::StreamExt;
use std::time::{Duration, Instant};
use tokio_util::time::{DelayQueue, delay_queue};

/// No timer runs for longer than this: far instants are looked at again on the way.
pub(super) const LONGEST: Duration = Duration::from_hours(1);

/// They end at multiples of this from their beginning on. It is a part of each heartbeat's lag.
const BATCH: Duration = Duration::from_millis(4);

/// The timers, of which each model has one.
#[derive(Debug)]
pub(super) struct Timers {
    queue: DelayQueue<ModelName>,
    begun: Instant,
}

/// The timer of one model, once it has one.
pub(super) type Timer = Option<delay_queue::Key>;

impl Timers {
    pub(super) fn new() -> Self {
        Self { queue: DelayQueue::new(), begun: clock::instant() }
    }

    /// Sets a model's timer to end after `wait`.
    pub(super) fn set(&mut self, timer: &mut Timer, name: &ModelName, wait: Duration) {
        let at = clock::instant() + wait.min(LONGEST);
        let at = self.begun + next_multiple(at.duration_since(self.begun));
        match timer {
            Some(key) => self.queue.reset_at(key, at.into()),
            None => *timer = Some(self.queue.insert_at(name.clone(), at.into())),
        }
    }

    /// The model whose timer ends next, once it does: it has none from then on. None while there are none.
    pub(super) async fn next(&mut self) -> Option<ModelName> {
        self.queue.next().await.map(delay_queue::Expired::into_inner)
    }

    /// Ends a model's timer before its time.
    pub(super) fn end(&mut self, timer: &mut Timer) {
        if let Some(key) = timer.take() {
            self.queue.try_remove(&key);
        }
    }

    /// Ends all of them.
    pub(super) fn end_all(&mut self) {
        self.queue.clear();
    }
}

fn next_multiple(passed: Duration) -> Duration {
    let batch = BATCH.as_nanos() as u64;
    Duration::from_nanos((passed.as_nanos() as u64).next_multiple_of(batch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_end_together_and_never_early() {
        let after = |micros| next_multiple(Duration::from_micros(micros)).as_micros();
        assert_eq!([0, 1, 3_999, 4_000, 4_001, 8_000].map(after), [0, 4_000, 4_000, 4_000, 8_000, 8_000]);
    }
}
