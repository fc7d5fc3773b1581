//! Heartbeats in flight: sending them, and taking in what they bring back.

use super::Engine;
use super::chores::AHEAD;
use super::slot::{Flight, Waiters};
use crate::clock::{self, Stopwatch};
use crate::config::value::{ModelName, Token};
use crate::daemon::command::BeatAnswer;
use crate::daemon::panics;
use crate::drill;
use crate::heartbeat::{Answer, Heartbeat, Limits, Observation, Order, Phase, Signs};
use crate::journal::What;
use crate::provider::Provider;
use crate::state::{InFlight, delta, digest};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use tokio::sync::watch;
use tokio::task::{Id, JoinError};

/// A heartbeat that has come back.
#[derive(Debug)]
pub(super) struct Landed {
    model: ModelName,
    flight: u64,
    order: Order,
    due_at: DateTime<Utc>,
    seen: Observation,
}

impl Engine {
    /// Sends a heartbeat that was due at `due`.
    pub(super) fn send(&mut self, name: &ModelName, due: DateTime<Utc>, now: DateTime<Utc>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        slot.cursor.dealt = slot.cursor.dealt.max(now);
        slot.cursor.wanted = None;
        let waiters = slot.asked.take().map(|asked| asked.waiters);
        let waiters = waiters.unwrap_or_else(|| Waiters::of(name.clone()));
        self.fly(name, due, now, waiters, false);
    }

    /// Puts a heartbeat on its way.
    pub(super) fn fly(
        &mut self,
        name: &ModelName,
        due: DateTime<Utc>,
        now: DateTime<Utc>,
        waiters: Waiters,
        calibrates: bool,
    ) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let Some(provider) = slot.provider.clone() else { return };
        if let Some(account) = slot.account.as_ref().and_then(|token| self.accounts.get_mut(token)) {
            let now = clock::instant();
            if calibrates { account.pace.send_spare(now) } else { account.pace.send(now) }
        }
        let order = Order {
            model: slot.model.clone(),
            cold_after: slot.known.cold_after(&slot.model),
            known_setups: slot.known.setups.iter().copied().collect(),
            calibrates,
        };
        self.flown += 1;
        let (flight, model, account) = (self.flown, name.clone(), slot.account.clone());
        let (phase_sender, phase) = watch::channel(Phase::Sent);
        let handle = self.flights.spawn(async move {
            let seen = observe(&provider, &order, &phase_sender).await;
            Landed { model, flight, order, due_at: due, seen }
        });
        self.aboard.insert(handle.id(), (name.clone(), flight));
        let sent = InFlight { due_at: due, sent_at: now, phase: Phase::Sent };
        let sent_at = clock::instant();
        slot.flight = Some(Flight {
            number: flight,
            account,
            handle,
            phase,
            sent,
            sent_at,
            calibrates,
            holds_up: None,
            holds_up_to: None,
            waiters,
        });
    }

    /// Takes in a heartbeat that has come back.
    pub(super) fn landed(&mut self, landed: Result<(Id, Landed), JoinError>) {
        let landed = match landed {
            Ok((id, landed)) => {
                self.aboard.remove(&id);
                landed.by_the_clock_of(clock::now())
            }
            // It was given up.
            Err(error) => {
                let Some((model, flight)) = self.aboard.remove(&error.id()) else { return };
                if let Some(slot) = self.slots.get_mut(&model)
                    && slot.flight.as_ref().is_some_and(|now| now.number == flight)
                {
                    slot.flight = None;
                    self.look_at(&model);
                }
                return;
            }
        };
        let Some(slot) = self.slots.get_mut(&landed.model) else { return };
        let Some(flight) = slot.flight.take_if(|flight| flight.number == landed.flight) else { return };
        let entries = digest::digest(&slot.known, &slot.model, &landed.order, landed.due_at, &landed.seen);
        let re_equipped = slot.account != flight.account;
        let Some(What::Heartbeat { heartbeat, .. }) = entries.first().map(|entry| entry.what.clone()) else {
            return;
        };
        self.record_all(entries);
        self.keep_input(&landed.model);
        if let Some(account) = &flight.account {
            self.tell_account(account, &heartbeat, &flight, &landed);
        }
        if re_equipped && heartbeat.rejection.is_some() {
            // Another token was refused than the one that it has by now.
            self.want(&landed.model, clock::now());
        }
        let instant = clock::instant();
        if flight.calibrates {
            self.calibrated(&landed.model, &heartbeat, instant);
        }
        let calibration = !flight.calibrates && self.wants_calibration(&landed.model, &heartbeat, instant);
        flight.land(&BeatAnswer { heartbeat, calibration });
        if calibration {
            self.calibrate(&landed.model);
        }
        self.look_at(&landed.model);
    }

    /// Lets the account know what one of its heartbeats met.
    fn tell_account(&mut self, token: &Token, heartbeat: &Heartbeat, flight: &Flight, landed: &Landed) {
        let instant = clock::instant();
        let Some(account) = self.accounts.get_mut(token) else { return };
        let refused = matches!(landed.seen.answer, Answer::RateLimited(_));
        let before = account.terms(instant);
        account.pace.told(&landed.seen.limits, refused, instant);
        account.landed(&landed.model, heartbeat, flight.sent_at, instant);
        if account.terms(instant) != before {
            // Whoever is free again is wanted at once.
            self.apply_holds_of(token);
        }
    }
}

impl Landed {
    /// Told by the clock as it is now, where that was set back while it was in flight: it would end in time
    /// to come, and vouch for hours of it.
    fn by_the_clock_of(mut self, now: DateTime<Utc>) -> Self {
        let ahead = self.seen.done_at - now;
        if ahead > AHEAD {
            self.due_at -= ahead;
            self.seen.sent_at -= ahead;
            self.seen.done_at -= ahead;
        }
        self
    }
}

/// Sends it, and sees it to its end. A panic on the way is this heartbeat's failure, and no other's: what
/// a provider shares with others is whole again once its locks are taken over.
async fn observe(provider: &Provider, order: &Order, phase: &watch::Sender<Phase>) -> Observation {
    let (sent_at, sent) = (clock::now(), Stopwatch::start());
    let beat = async {
        drill::panic_in(order.model.name.as_str());
        provider.beat(order, phase).await
    };
    AssertUnwindSafe(beat).catch_unwind().await.unwrap_or_else(|panic| {
        let why = format!("a fault of warmd's, to be reported: it panicked: {}", panics::words(&*panic));
        Observation {
            sent_at,
            done_at: sent_at + delta(sent.elapsed()),
            total: sent.elapsed(),
            answer: Answer::Unreachable(why),
            signs: Signs::default(),
            limits: Limits::default(),
        }
    })
}
