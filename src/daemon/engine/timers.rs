//! The timers of the models. Those that end at about the same time end together, which is a part of each
//! heartbeat's lag.

use crate::clock;
use crate::config::value::ModelName;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// No timer runs for longer than this: far instants are looked at again on the way.
pub(super) const LONGEST: Duration = Duration::from_hours(1);

/// The timers, of which each model has one.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Instant, ModelName)>);

/// The timer of one model, once it has one: when it ends.
pub(super) type Timer = Option<Instant>;

impl Timers {
    /// Sets a model's timer to end after `wait`.
    pub(super) fn set(&mut self, timer: &mut Timer, name: &ModelName, wait: Duration) {
        self.end(timer, name);
        let at = clock::batched(clock::instant() + wait.min(LONGEST));
        self.0.insert((at, name.clone()));
        *timer = Some(at);
    }

    /// When the first of them ends.
    pub(super) fn first(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The model whose timer has ended first by `now`: it has none from then on.
    pub(super) fn ended(&mut self, now: Instant) -> Option<ModelName> {
        self.first().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, name)| name)
    }

    /// Ends a model's timer before its time.
    pub(super) fn end(&mut self, timer: &mut Timer, name: &ModelName) {
        if let Some(at) = timer.take() {
            self.0.remove(&(at, name.clone()));
        }
    }

    /// Ends all of them.
    pub(super) fn end_all(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_has_one_and_they_end_in_their_order() {
        let names = ["a", "b", "c"].map(|name| name.parse::<ModelName>().unwrap());
        let (mut timers, mut set) = (Timers::default(), [None; 3]);
        for (at, wait) in [(0, 3_000), (1, 2_000), (2, 1_000), (0, 1_500), (2, 9_000_000)] {
            timers.set(&mut set[at], &names[at], Duration::from_millis(wait));
        }
        let now = clock::instant();
        assert_eq!(timers.first(), set[0]);
        assert_eq!(timers.ended(now), None);
        let later = now + Duration::from_secs(5);
        assert_eq!([timers.ended(later), timers.ended(later)], [0, 1].map(|at| Some(names[at].clone())));
        assert_eq!(timers.ended(later), None, "the third was set anew");
        let hour = now + LONGEST + Duration::from_secs(1);
        assert!(timers.first().unwrap() <= hour, "none is longer than an hour");
        timers.end(&mut set[2], &names[2]);
        assert_eq!((timers.first(), set[2]), (None, None));
    }
}
