//! What the store does for the engine meanwhile: saving, folding, and going back with the clock.

use super::Engine;
use crate::clock;
use crate::config::value::ModelName;
use crate::drill;
use crate::journal::{Entry, What};
use crate::state::delta;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use tokio::task::JoinError;

/// What lies up to this far ahead does so by a clock being disciplined, not set.
pub(super) const AHEAD: TimeDelta = TimeDelta::seconds(1);

/// A clock is believed once it has not been moved for this long: what is older than the retention by a
/// clock that is years ahead, as one may be until the network has set it, would be lost for good.
const STEADY: Duration = Duration::from_mins(15);

/// Background work of the engine that is done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chore {
    /// Saving, or folding.
    Kept,
    /// Whether the store has taken back what was told of time to come.
    SetBack(bool),
}

impl Engine {
    /// Saves what is known, and lets the store fold what is saved. What is known of a model that is
    /// not in the file any more is kept for as long as its history.
    pub(super) fn fold(&mut self) {
        if self.clock_watch.steady() < STEADY && !drill::believes_the_clock() {
            tracing::debug!("the journal is not folded: the clock was set too lately to be believed");
            return;
        }
        let kept_from = clock::now() - delta(self.settings.retention);
        self.dormant.retain(|_, known| known.touched_at().is_some_and(|at| at >= kept_from));
        self.forget_old_inputs();
        let (saved, store) = (self.checkpoint(), self.store.clone());
        self.chores.spawn(async move {
            let folded = async {
                saved.await?;
                store.fold(clock::now()).await
            };
            match folded.await {
                Ok(folded) => tracing::debug!(?folded, "journal folded"),
                Err(error) => tracing::warn!("the journal can't be folded now: {error}"),
            }
            Chore::Kept
        });
    }

    /// Saves what is known: the state file has been begun anew.
    pub(super) fn save(&mut self) {
        let saved = self.checkpoint();
        self.chores.spawn(async move {
            if let Err(error) = saved.await {
                tracing::warn!("what is known of the models can't be saved now: {error}");
            }
            Chore::Kept
        });
    }

    /// Has the store take back what was told of time that is still to come, where there is any: the clock was
    /// ahead, in this process or the one before it, and was set back. The hours go on from now then.
    pub(super) fn take_back(&mut self, now: DateTime<Utc>) {
        if self.taking_back || self.ahead(now).is_empty() {
            return;
        }
        self.taking_back = true;
        let taken_back = self.store.set_back(now);
        self.chores.spawn(async move {
            drill::panic_in("chore");
            Chore::SetBack(taken_back.await.is_ok())
        });
    }

    /// A chore is done.
    pub(super) fn done(&mut self, chore: &Result<Chore, JoinError>) {
        match chore {
            Ok(Chore::Kept) => {}
            Ok(Chore::SetBack(done)) => {
                self.taking_back = false;
                if *done {
                    self.account_anew(clock::now());
                }
                // Else it is tried again with the next tick: the store says what is wrong.
            }
            Err(_) => {
                self.taking_back = false;
                tracing::error!("work on the journal panicked; it is tried again in its time");
            }
        }
    }

    fn account_anew(&mut self, now: DateTime<Utc>) {
        for model in self.ahead(now) {
            self.record(Entry { model, at: now, what: What::Tracked });
        }
    }

    /// The models whose hours are accounted for further than now.
    fn ahead(&self, now: DateTime<Utc>) -> Vec<ModelName> {
        let ahead =
            self.slots.iter().filter(|(_, slot)| slot.known.accounted_to.is_some_and(|to| to > now + AHEAD));
        ahead.map(|(name, _)| name.clone()).collect()
    }
}
