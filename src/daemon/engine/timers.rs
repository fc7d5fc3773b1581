//! The timers of the models. Those that end at about the same time end together, which is a part of each
//! heartbeat's lag.

use crate::clock;
use crate::config::value::ModelName;
use futures_util::StreamExt;
use std::time::Duration;
use tokio_util::time::{DelayQueue, delay_queue};

/// No timer runs for longer than this: far instants are looked at again on the way.
pub(super) const LONGEST: Duration = Duration::from_hours(1);

/// The timers, of which each model has one.
#[derive(Debug)]
pub(super) struct Timers {
    queue: DelayQueue<ModelName>,
}

/// The timer of one model, once it has one.
pub(super) type Timer = Option<delay_queue::Key>;

impl Timers {
    pub(super) fn new() -> Self {
        Self { queue: DelayQueue::new() }
    }

    /// Sets a model's timer to end after `wait`.
    pub(super) fn set(&mut self, timer: &mut Timer, name: &ModelName, wait: Duration) {
        let at = clock::batched(clock::instant() + wait.min(LONGEST));
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
