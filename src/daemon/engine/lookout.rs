//! What the engine sees, told to those who want to know: the alerts.

use super::Engine;
use crate::alerts::event::{Event, Subject};
use crate::alerts::watch::Standing;
use crate::config::value::ModelName;
use crate::journal::State;
use chrono::{DateTime, Utc};

impl Engine {
    /// Takes up the alerts of the configuration that runs from now on.
    pub(super) fn load_alerts(&mut self) {
        let config = &self.running.config;
        let is_model = |name: &ModelName| config.models.iter().any(|model| model.name == *name);
        self.mail.run(&self.running);
        self.watch.run(&config.alerts, is_model);
        self.watch.accepted();
    }

    /// Tells how a model stands.
    pub(super) fn look_out(
        &mut self,
        name: &ModelName,
        (state, reason): (State, Option<&str>),
        now: DateTime<Utc>,
    ) {
        let Some(slot) = self.slots.get(name) else { return };
        let standing = Standing {
            subject: Subject { target: &slot.model.target, state },
            since: slot.known.state.map_or(now, |(_, since)| since),
            reason,
            failing_row: slot.known.failing_row().filter(|_| !slot.known.may_pass()),
            refusals: slot.known.refusals.map_or(0, |refusals| refusals.times),
            last: slot.known.last.as_ref(),
        };
        let events = self.watch.look(name, &standing, now);
        self.post(events);
    }

    /// Tells how the configuration stands.
    pub(super) fn look_out_for_config(&mut self, now: DateTime<Utc>) {
        let events = self.watch.look_at_config(now);
        self.post(events);
    }

    /// Posts what is to be told, and notes down what is known by now. What is to be sent is noted before that
    /// it was told: a crash in between tells it again, by the same id.
    pub(super) fn post(&mut self, events: Vec<Event>) {
        if !events.is_empty() {
            self.mail.post(events);
        }
        let changes = self.watch.changes();
        if !changes.is_empty() {
            self.store.note(changes);
        }
    }
}
