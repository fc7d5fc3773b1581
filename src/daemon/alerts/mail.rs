//! What waits to be sent, and where it goes.

use super::Way;
use crate::alerts::event::Event;
use crate::alerts::outbox::{Failure, GivenUp, Outbox};
use crate::clock;
use crate::config::alert::{Alert, AlertName};
use crate::daemon::configuration::Configuration;
use crate::status::AlertStatus;
use crate::store::Store;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// What waits to be sent, and where it goes: shared by those who post, those who carry, those who look.
#[derive(Debug)]
pub(in crate::daemon) struct Mail {
    inner: Mutex<Inner>,
    /// There is something new to send, or another way.
    pub(super) wake: Notify,
    store: Arc<Store>,
    pub(super) host: String,
}

#[derive(Debug, Default)]
struct Inner {
    outbox: Outbox,
    /// In the file's order.
    ways: Vec<Arc<Way>>,
}

/// How an attempt ended.
pub(super) struct Tried {
    pub(super) event: Event,
    /// Where it was to go, as far as that may be shown.
    pub(super) to: String,
    pub(super) result: Result<(), Failure>,
}

impl Mail {
    /// One that goes on from what was `kept`.
    pub(super) fn new<'a>(
        kept: impl IntoIterator<Item = (&'a str, &'a str)>,
        store: Arc<Store>,
        host: &str,
    ) -> Self {
        let outbox = Outbox::new(kept, clock::now(), clock::instant());
        let inner = Mutex::new(Inner { outbox, ways: Vec::new() });
        Self { inner, wake: Notify::new(), store, host: host.to_owned() }
    }

    /// Alerts go these ways from now on.
    pub(in crate::daemon) fn run(&self, configuration: &Configuration) {
        let way = |alert: &Arc<Alert>| Arc::new(Way::new(alert, configuration.aims.get(&alert.name)));
        let mut inner = self.inner();
        let ways: Vec<Arc<Way>> = configuration.config.alerts.iter().map(way).collect();
        let before = std::mem::replace(&mut inner.ways, ways.clone());
        let same = |way: &Way| before.iter().any(|old| old.leads_as(way));
        let open = ways.iter().filter(|way| way.is_open()).map(|way| (way.name(), !same(way)));
        inner.outbox.run(open, clock::instant());
        self.settle(inner, None);
    }

    /// Takes in events that are to be sent.
    pub(in crate::daemon) fn post(&self, events: Vec<Event>) {
        for Event { alert, event, id, text, .. } in &events {
            tracing::info!(%alert, event = event.name(), id, "alert {alert}: {text}");
        }
        let mut inner = self.inner();
        let instant = clock::instant();
        let given_up: Vec<GivenUp> =
            events.into_iter().filter_map(|event| inner.outbox.post(event, instant)).collect();
        self.settle(inner, given_up);
    }

    /// Notes all of it down again: the state file has been begun anew.
    pub(in crate::daemon) fn keep_all(&self) {
        let mut inner = self.inner();
        inner.outbox.keep_all();
        self.settle(inner, None);
    }

    /// How each alert is doing, in the file's order.
    pub(in crate::daemon) fn status(&self) -> Vec<AlertStatus> {
        let inner = self.inner();
        inner.ways.iter().map(|way| inner.outbox.status(way.name(), way.place())).collect()
    }

    /// The ways as they are now, in the file's order.
    pub(in crate::daemon) fn ways(&self) -> Vec<Arc<Way>> {
        self.inner().ways.clone()
    }

    /// The next event to be sent, and its way.
    pub(super) fn next(&self) -> Option<(Event, Arc<Way>)> {
        let mut inner = self.inner();
        let event = inner.outbox.next(clock::instant())?;
        let way = inner.ways.iter().find(|way| *way.name() == event.alert)?.clone();
        Some((event, way))
    }

    /// A test of that alert has arrived.
    pub(super) fn proved(&self, name: &AlertName) {
        self.inner().outbox.proved(name);
    }

    pub(super) fn give_up_old(&self) {
        let mut inner = self.inner();
        let given_up = inner.outbox.give_up_old(clock::instant());
        if !given_up.is_empty() {
            self.settle(inner, given_up);
        }
    }

    pub(super) fn look_again_at(&self) -> Option<Instant> {
        self.inner().outbox.look_again_at()
    }

    /// Takes in how an attempt ended.
    pub(super) fn tried(&self, tried: Tried) {
        let Tried { event, to, result } = tried;
        let Event { alert, id, .. } = &event;
        match &result {
            Ok(()) => tracing::debug!(%alert, id, "alert {alert}: {} has arrived", event.event.name()),
            Err(Failure { why, .. }) => {
                tracing::warn!(%alert, id, why, "alert {alert}: not sent to {to}: {why}");
            }
        }
        let (now, instant) = (clock::now(), clock::instant());
        let mut inner = self.inner();
        let given_up = match &result {
            Ok(()) => {
                inner.outbox.arrived(&event, now, instant);
                None
            }
            Err(failure) => inner.outbox.failed(&event, failure, instant),
        };
        self.settle(inner, given_up);
    }

    /// Notes down what has changed, says what was given up, and has the courier look.
    fn settle(&self, mut inner: MutexGuard<'_, Inner>, given_up: impl IntoIterator<Item = GivenUp>) {
        let changes = inner.outbox.changes();
        if !changes.is_empty() {
            self.store.note(changes);
        }
        drop(inner);
        for GivenUp { event, why } in given_up {
            let Event { alert, id, text, .. } = &event;
            tracing::error!(%alert, id, why, "alert {alert}: given up: {why}; it was: {text}");
        }
        self.wake.notify_one();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
