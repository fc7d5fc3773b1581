//! Heartbeats in flight: sending them, and taking in what they bring back.

use super::Engine;
use super::slot::Flight;
use crate::clock;
use crate::config::value::{ModelName, Token};
use crate::heartbeat::{Heartbeat, Observation, Order, Outcome, Phase};
use crate::journal::What;
use crate::state::{InFlight, digest};
use chrono::{DateTime, Utc};
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
        let Some(provider) = slot.provider.clone() else { return };
        if let Some(account) = slot.account.as_ref().and_then(|token| self.accounts.get_mut(token)) {
            account.pace.send(clock::instant());
        }
        let order = Order {
            model: slot.model.clone(),
            cold_after: slot.known.cold_after(&slot.model),
            known_setups: slot.known.setups.iter().copied().collect(),
        };
        self.flown += 1;
        let (flight, model, account) = (self.flown, name.clone(), slot.account.clone());
        let (phase_sender, phase) = watch::channel(Phase::Sent);
        let handle = self.flights.spawn(async move {
            let seen = provider.beat(&order, &phase_sender).await;
            Landed { model, flight, order, due_at: due, seen }
        });
        self.aboard.insert(handle.id(), (name.clone(), flight));
        let sent = InFlight { due_at: due, sent_at: now, phase: Phase::Sent };
        let (model, waiters) = (name.clone(), Vec::new());
        slot.flight = Some(Flight { number: flight, model, account, handle, phase, sent, waiters });
    }

    /// Takes in a heartbeat that has come back.
    pub(super) fn landed(&mut self, landed: Result<(Id, Landed), JoinError>) {
        let landed = match landed {
            Ok((id, landed)) => {
                self.aboard.remove(&id);
                landed
            }
            Err(error) => {
                let Some((model, flight)) = self.aboard.remove(&error.id()) else { return };
                if error.is_panic() {
                    tracing::error!("{}: a heartbeat panicked: {error}", model.as_str());
                }
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
        if let Some(account) = &flight.account {
            self.tell_account(account, &heartbeat, &landed.seen);
        }
        if re_equipped && heartbeat.rejection.is_some() {
            // Another token was refused than the one that it has by now.
            self.want(&landed.model, clock::now());
        }
        flight.land(&heartbeat);
        self.look_at(&landed.model);
    }

    /// Lets the account know what one of its heartbeats met.
    fn tell_account(&mut self, token: &Token, heartbeat: &Heartbeat, seen: &Observation) {
        let instant = clock::instant();
        let Some(account) = self.accounts.get_mut(token) else { return };
        let refused = heartbeat.outcome == Outcome::RateLimited;
        account.pace.told(&seen.limits, refused, instant);
        account.landed(heartbeat, instant);
        // Whoever is free again is wanted at once.
        self.apply_holds();
    }
}
