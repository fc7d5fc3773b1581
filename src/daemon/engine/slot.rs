//! One model in the engine: what is known of it, its timer, its heartbeat in flight.

use super::super::account::Demand;
use super::ModelName;
use super::timers::Timer;
use crate::clock;
use crate::config::Model;
use crate::config::value::Token;
use crate::heartbeat::{Phase, Rejection};
use crate::journal::{Entry, State};
use crate::provider::Provider;
use crate::schedule::{self, Cursor, Plan};
use crate::state::standing::standing;
use crate::state::{Held, InFlight, Known, Live};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use super::super::command::{BeatAnswer, Refusal};

/// One model in the engine.
pub(super) struct Slot {
    pub(super) model: Arc<Model>,
    /// The account whose creates its heartbeats are; none for Cog.
    pub(super) account: Option<Token>,
    /// None where a disabled model's token is missing.
    pub(super) provider: Option<Arc<Provider>>,
    /// Shared with the reports that are being made of it; changed by [`Self::learn`] alone.
    pub(super) known: Arc<Known>,
    pub(super) held: Option<Held>,
    pub(super) flight: Option<Flight>,
    /// One that was asked for, and waits for the account's pace.
    pub(super) asked: Option<Asked>,
    pub(super) cursor: Cursor,
    pub(super) plan: Plan,
    pub(super) timer: Timer,
    /// No calibration heartbeat is sent before, after one that was no use.
    pub(super) calibrates_after: Option<Instant>,
    /// When its hours were last looked at for what no answer can vouch for any more.
    pub(super) settled_at: Instant,
}

/// A heartbeat in flight, and who waits for it.
pub(super) struct Flight {
    pub(super) number: u64,
    /// The account it was sent from: a reload may have given the model another since.
    pub(super) account: Option<Token>,
    pub(super) handle: AbortHandle,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) sent: InFlight,
    pub(super) sent_at: Instant,
    /// Whether it is a calibration heartbeat.
    pub(super) calibrates: bool,
    /// The due that waits for its end, and up to when.
    pub(super) holds_up: Option<DateTime<Utc>>,
    pub(super) holds_up_to: Option<DateTime<Utc>>,
    pub(super) waiters: Waiters,
}

/// A heartbeat that was asked for by hand.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) at: DateTime<Utc>,
    /// Later than this it is not sent.
    pub(super) until: Instant,
    pub(super) waiters: Waiters,
}

/// Those who wait for a heartbeat of a model.
#[derive(Debug)]
pub(super) struct Waiters {
    model: ModelName,
    replies: Vec<oneshot::Sender<Result<BeatAnswer, Refusal>>>,
}

impl Slot {
    pub(super) fn new(model: Arc<Model>, account: Option<Token>, known: Known) -> Self {
        let cursor = Cursor { dealt: clock::now(), wanted: None };
        let plan = Plan { active: false, due: None, look_again_at: None };
        Self {
            model,
            account,
            provider: None,
            known: Arc::new(known),
            held: None,
            flight: None,
            asked: None,
            cursor,
            calibrates_after: None,
            settled_at: clock::instant(),
            plan,
            timer: None,
        }
    }

    /// Takes in what happened.
    pub(super) fn learn(&mut self, entry: &Entry) {
        Arc::make_mut(&mut self.known).apply(entry);
    }

    /// Plans anew. A heartbeat wanted at once is not wanted any more outside of what is active.
    pub(super) fn replan(&mut self, now: DateTime<Utc>) -> Plan {
        self.plan = schedule::plan(&self.model, &self.known, &self.live(), &self.cursor, now);
        if !self.plan.active {
            self.cursor.wanted = None;
        }
        self.plan
    }

    /// Notes that a heartbeat is wanted at once, where that is due at all: one in flight is it.
    pub(super) fn want(&mut self, now: DateTime<Utc>) {
        self.cursor.wanted = schedule::want(&self.model, &self.known, now).filter(|_| {
            // A calibration heartbeat is not it.
            self.flight.as_ref().is_none_or(|flight| flight.calibrates)
        });
    }

    pub(super) fn standing(&self, now: DateTime<Utc>) -> (State, Option<String>) {
        standing(&self.model, &self.known, &self.live(), self.plan.active, now)
    }

    /// What the model asks of its account; nothing while it is not to be kept warm.
    pub(super) fn demand(&self, now: DateTime<Utc>) -> Demand {
        let wants = self.model.enabled && self.plan.active && !self.known.paused(now);
        let per_minute = 60.0 / self.model.interval.as_secs_f64();
        let rejection = self.known.block.as_ref().map(|block| block.rejection);
        let rejected = matches!(rejection, Some(Rejection::Model | Rejection::Input));
        Demand {
            model: self.model.name.clone(),
            per_minute: wants.then_some(per_minute),
            looks_badly: rejected || self.flight.is_some(),
        }
    }

    fn live(&self) -> Live {
        let in_flight = self.flight.as_ref().map(|flight| {
            // A calibration heartbeat follows an answer: the model is what that has shown, however long it waits.
            let phase = if flight.calibrates { Phase::Sent } else { *flight.phase.borrow() };
            InFlight { phase, ..flight.sent }
        });
        Live { in_flight, held: self.held.clone() }
    }
}

impl Waiters {
    pub(super) const fn of(model: ModelName) -> Self {
        Self { model, replies: Vec::new() }
    }

    pub(super) fn join(&mut self, reply: oneshot::Sender<Result<BeatAnswer, Refusal>>) {
        self.replies.push(reply);
    }

    /// It has come back, or was not sent at all.
    pub(super) fn tell(mut self, answer: &BeatAnswer) {
        for reply in self.replies.drain(..) {
            // Whoever asked may have gone away meanwhile.
            let _ = reply.send(Ok(answer.clone()));
        }
    }
}

impl Drop for Waiters {
    /// It is given up: its entry was removed or re-aimed, or the daemon stops.
    fn drop(&mut self) {
        for reply in self.replies.drain(..) {
            let _ = reply.send(Err(Refusal::GivenUp(self.model.as_str().to_owned())));
        }
    }
}

impl Flight {
    /// It has landed: tells whoever waits for it.
    pub(super) fn land(mut self, answer: &BeatAnswer) {
        let nobody = Waiters::of(self.waiters.model.clone());
        std::mem::replace(&mut self.waiters, nobody).tell(answer);
    }
}

impl Drop for Flight {
    /// One that is given up is ended. One that has landed has nothing left to end.
    fn drop(&mut self) {
        self.handle.abort();
    }
}
