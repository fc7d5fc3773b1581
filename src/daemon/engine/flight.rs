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
        let (flight, model) = (self.flown, name.clone());
        let (phase_sender, phase) = watch::channel(Phase::Sent);
        let handle = self.flights.spawn(async move {
            let seen = provider.beat(&order, &phase_sender).await;
            Landed { model, flight, order, due_at: due, seen }
        });
        self.aboard.insert(handle.id(), (name.clone(), flight));
        let sent = InFlight { due_at: due, sent_at: now, phase: Phase::Sent };
        slot.flight = Some(Flight { number: flight, handle, phase, sent, waiters: Vec::new() });
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
        if slot.flight.as_ref().is_none_or(|flight| flight.number != landed.flight) {
            return;
        }
        let waiters = slot.take_waiters();
        let entries = digest::digest(&slot.known, &landed.order, landed.due_at, &landed.seen);
        let account = slot.account.clone();
        let Some(What::Heartbeat { heartbeat, .. }) = entries.first().map(|entry| entry.what.clone()) else {
            return;
        };
        self.record_all(entries);
        if let Some(account) = account {
            self.tell_account(&account, &heartbeat, &landed.seen);
        }
        for waiter in waiters {
            // Whoever asked may have gone away meanwhile.
            let _ = waiter.send(Ok(heartbeat.clone()));
        }
        self.look_at(&landed.model);
    }

    /// Lets the account know what one of its heartbeats met.
    fn tell_account(&mut self, token: &Token, heartbeat: &Heartbeat, seen: &Observation) {
        let instant = clock::instant();
        let Some(account) = self.accounts.get_mut(token) else { return };
        let refused = heartbeat.outcome == Outcome::RateLimited;
        account.pace.told(&seen.limits, refused, instant);
        let freed = account.landed(heartbeat, instant);
        self.apply_holds();
        if freed {
            let now = clock::now();
            let config = self.running.config.clone();
            for name in config.models.iter().map(|model| &model.name) {
                if self.slots.get(name).is_some_and(|slot| slot.account.as_ref() == Some(token)) {
                    self.want(name, now);
                    self.look_at(name);
                }
            }
        }
    }
}
