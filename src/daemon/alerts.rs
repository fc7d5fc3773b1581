//! The way of alerts out of the daemon: what waits, and the task that carries it.
//!
//! The engine posts and goes on; the courier sends, tries again and gives up, in a task of its own. Neither
//! ever waits for the other: a receiver that hangs costs nothing but its own lane.

mod command;
mod trial;
mod webhook;

pub(super) use trial::{Refusal, Trial};

use super::configuration::{Aim, Configuration};
use super::panics;
use super::signals::Stop;
use crate::alerts::event::Event;
use crate::alerts::outbox::{Failure, GivenUp, Outbox};
use crate::clock;
use crate::config::alert::{Alert, AlertName, MOST, Target};
use crate::config::env::Env;
use crate::drill;
use crate::provider::http::Client;
use crate::status::AlertStatus;
use crate::store::Store;
use futures_util::FutureExt;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How many are under way at a time: one of each alert, so that those that hang hold up no other.
const AT_ONCE: usize = MOST;

/// Nothing is slept over for longer than this.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What waits to be sent, and where it goes: shared by those who post, those who carry, those who look.
#[derive(Debug)]
pub(super) struct Mail {
    inner: Mutex<Inner>,
    /// There is something new to send, or another way.
    wake: Notify,
    store: Arc<Store>,
    host: String,
}

#[derive(Debug, Default)]
struct Inner {
    outbox: Outbox,
    /// In the file's order.
    ways: Vec<Arc<Way>>,
}

/// The way to one alert's receiver.
#[derive(Clone)]
pub(super) struct Way {
    alert: Arc<Alert>,
    /// None for a command, and for an alert that is disabled.
    aim: Option<Aim>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({} → {})", self.alert.name, self.place())
    }
}

impl Mail {
    /// One that goes on from what was noted down when the process before this one ended.
    pub(super) fn new(notes: &BTreeMap<String, String>, store: Arc<Store>, host: &str) -> Arc<Self> {
        let notes = notes.iter().map(|(name, body)| (name.as_str(), body.as_str()));
        let outbox = Outbox::new(notes, clock::now(), clock::instant());
        let inner = Mutex::new(Inner { outbox, ways: Vec::new() });
        Arc::new(Self { inner, wake: Notify::new(), store, host: host.to_owned() })
    }

    /// Alerts go these ways from now on.
    pub(super) fn run(&self, configuration: &Configuration) {
        let way = |alert: &Arc<Alert>| {
            Arc::new(Way { alert: alert.clone(), aim: configuration.aims.get(&alert.name).cloned() })
        };
        let mut inner = self.inner();
        let ways: Vec<Arc<Way>> = configuration.config.alerts.iter().map(way).collect();
        let before = std::mem::replace(&mut inner.ways, ways.clone());
        let same = |way: &Way| before.iter().any(|old| old.leads_as(way));
        let open = ways.iter().filter(|way| way.alert.enabled).map(|way| (&way.alert.name, !same(way)));
        inner.outbox.run(open, clock::instant());
        self.settle(inner, None);
    }

    /// Takes in events that are to be sent.
    pub(super) fn post(&self, events: Vec<Event>) {
        let mut inner = self.inner();
        let instant = clock::instant();
        let mut given_up = Vec::new();
        for event in events {
            tracing::info!(alert = %event.alert, event = event.event.name(), id = event.id, "alert {}: {}", event.alert, event.text);
            given_up.extend(inner.outbox.post(event, instant));
        }
        self.settle(inner, given_up);
    }

    /// Notes all of it down again: the state file has been begun anew.
    pub(super) fn keep_all(&self) {
        let mut inner = self.inner();
        inner.outbox.keep_all();
        self.settle(inner, None);
    }

    /// How each alert is doing, in the file's order.
    pub(super) fn status(&self) -> Vec<AlertStatus> {
        let inner = self.inner();
        inner.ways.iter().map(|way| inner.outbox.status(&way.alert.name, way.place())).collect()
    }

    /// The ways as they are now, in the file's order.
    pub(super) fn ways(&self) -> Vec<Arc<Way>> {
        self.inner().ways.clone()
    }

    /// The next event to be sent, and its way.
    fn next(&self) -> Option<(Event, Arc<Way>)> {
        let mut inner = self.inner();
        let event = inner.outbox.next(clock::instant())?;
        let way = inner.ways.iter().find(|way| way.alert.name == event.alert)?.clone();
        Some((event, way))
    }

    fn give_up_old(&self) {
        let mut inner = self.inner();
        let given_up = inner.outbox.give_up_old(clock::instant());
        if !given_up.is_empty() {
            self.settle(inner, given_up);
        }
    }

    fn look_again_at(&self) -> Option<Instant> {
        self.inner().outbox.look_again_at()
    }

    /// Takes in how an attempt ended.
    fn tried(&self, tried: Tried) {
        let Tried { event, result } = tried;
        let mut inner = self.inner();
        let given_up = match &result {
            Ok(()) => {
                inner.outbox.arrived(&event, clock::now(), clock::instant());
                tracing::debug!(id = event.id, "alert {}: {} arrived", event.alert, event.event.name());
                None
            }
            Err(failure) => {
                let why = &failure.why;
                tracing::warn!(id = event.id, why, "alert {}: not sent: {why}", event.alert);
                inner.outbox.failed(&event, failure, clock::instant())
            }
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
            tracing::error!(
                id = event.id,
                why,
                "alert {}: given up: {why}; it was: {}",
                event.alert,
                event.text
            );
        }
        self.wake.notify_one();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    pub(super) fn name(&self) -> &AlertName {
        &self.alert.name
    }

    pub(super) fn is_open(&self) -> bool {
        self.alert.enabled
    }

    /// Where it leads, as far as that may be shown.
    pub(super) fn place(&self) -> String {
        self.aim.as_ref().map_or_else(|| self.alert.target.place(), |aim| aim.address.place())
    }

    /// Whether another one of the same name leads there too.
    fn leads_as(&self, other: &Self) -> bool {
        self.alert.name == other.alert.name
            && self.alert.target == other.alert.target
            && self.aim == other.aim
    }

    /// Sends an event, once, within the alert's time. A panic on the way is this attempt's failure.
    pub(super) async fn send(&self, event: &Event, client: &Client, env: &Env) -> Result<(), Failure> {
        let timeout = self.alert.timeout;
        let sent = async {
            drill::panic_in("alert");
            match (&self.alert.target, &self.aim) {
                (Target::Command(argv), _) => command::hand(argv, event, timeout, env).await,
                (Target::Webhook { format, .. }, Some(aim)) => {
                    webhook::post(client, aim, *format, event, timeout).await
                }
                (Target::Webhook { .. }, None) => Err(Failure::of("its address was not read")),
            }
        };
        AssertUnwindSafe(sent).catch_unwind().await.unwrap_or_else(|panic| {
            let why = format!("a fault of warmd's, to be reported: it panicked: {}", panics::words(&*panic));
            Err(Failure::of(why))
        })
    }
}

impl Failure {
    /// One that may pass.
    fn of(why: impl Into<String>) -> Self {
        Self { why: why.into(), hopeless: false, retry_after: None }
    }
}

/// How an attempt ended.
struct Tried {
    event: Event,
    result: Result<(), Failure>,
}

/// The task that carries what waits.
pub(super) struct Courier {
    pub(super) mail: Arc<Mail>,
    pub(super) client: Client,
    pub(super) env: Env,
    /// What is under way when the daemon stops has this long.
    pub(super) grace: Duration,
}

impl Courier {
    /// Carries until `stop`. What is not through by then waits for the next start.
    pub(super) async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let mut under_way = JoinSet::new();
        loop {
            self.mail.give_up_old();
            while under_way.len() < AT_ONCE
                && let Some((event, way)) = self.mail.next()
            {
                let (client, env) = (self.client.clone(), self.env.clone());
                under_way.spawn(async move {
                    let result = way.send(&event, &client, &env).await;
                    Tried { event, result }
                });
            }
            let again = self.mail.look_again_at().map_or(LONGEST_SLEEP, |at| {
                at.saturating_duration_since(clock::instant()).min(LONGEST_SLEEP)
            });
            tokio::select! {
                () = stop.asked.cancelled() => break,
                Some(tried) = under_way.join_next() => self.mail.tried(tried?),
                () = self.mail.wake.notified() => {}
                () = tokio::time::sleep(again), if under_way.len() < AT_ONCE => {}
            }
        }
        let rest = async {
            while let Some(Ok(tried)) = under_way.join_next().await {
                self.mail.tried(tried);
            }
        };
        tokio::select! {
            _ = tokio::time::timeout(self.grace, rest) => {}
            () = stop.at_once.cancelled() => {}
        }
        under_way.shutdown().await;
        Ok(())
    }
}
