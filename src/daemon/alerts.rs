//! The way of alerts out of the daemon: what waits, and the task that carries it.
//!
//! The engine posts and goes on; the courier sends, tries again and gives up, in a task of its own. Neither
//! ever waits for the other: a receiver that hangs costs nothing but its own lane.

mod command;
mod mail;
mod trial;
mod webhook;

pub(super) use mail::Mail;
pub(super) use trial::{Refusal, Trial};

use super::configuration::Aim;
use super::looks::LOOK;
use super::panics;
use super::signals::Stop;
use crate::alerts::Watch;
use crate::alerts::event::Event;
use crate::alerts::outbox::Failure;
use crate::clock;
use crate::config::alert::{Alert, AlertName, MOST, Target};
use crate::config::env::Env;
use crate::drill;
use crate::provider::http::Client;
use crate::store::Store;
use futures_util::FutureExt;
use mail::Tried;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How many are under way at a time: one of each alert, so that those that hang hold up no other.
const AT_ONCE: usize = MOST;

/// How long what is under way has when the daemon stops: a receiver that is well has answered by then, and
/// what is cut off is sent again after the next start.
const LAST_MOMENTS: Duration = Duration::from_secs(3);

/// Those who see to alerts.
pub(super) struct Alerts {
    /// Says what is to be told; the engine's.
    pub(super) watch: Watch,
    /// What waits to be sent.
    pub(super) mail: Arc<Mail>,
    /// Carries it.
    pub(super) courier: Courier,
    /// Tries the ways, for whoever asks.
    pub(super) trial: Trial,
}

impl Alerts {
    /// They go on from what was noted down when the process before this one ended.
    pub(super) fn new(
        notes: &BTreeMap<String, String>,
        store: Arc<Store>,
        client: &Client,
        env: &Env,
    ) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let kept = || notes.iter().map(|(name, body)| (name.as_str(), body.as_str()));
        let mail = Arc::new(Mail::new(kept(), store, &host));
        let client = client.apart();
        let trial = Trial::new(mail.clone(), client.clone(), env.clone());
        let courier = Courier { mail: mail.clone(), client, env: env.clone() };
        Self { watch: Watch::new(&host, kept()), mail, courier, trial }
    }
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

impl Way {
    fn new(alert: &Arc<Alert>, aim: Option<&Aim>) -> Self {
        Self { alert: alert.clone(), aim: aim.cloned() }
    }

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

/// The task that carries what waits.
pub(super) struct Courier {
    mail: Arc<Mail>,
    client: Client,
    env: Env,
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
                    Tried { event, to: way.place(), result }
                });
            }
            let again = self.mail.look_again_at();
            let again = async {
                // While the machine sleeps, no time passes by this clock, and what waits grows old: it is looked
                // at now and then.
                match again {
                    Some(at) => tokio::time::sleep_until(at.min(clock::instant() + LOOK).into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.asked.cancelled() => break,
                Some(tried) = under_way.join_next() => self.mail.tried(tried?),
                () = self.mail.wake.notified() => {}
                () = again, if under_way.len() < AT_ONCE => {}
            }
        }
        let rest = async {
            while let Some(Ok(tried)) = under_way.join_next().await {
                self.mail.tried(tried);
            }
        };
        tokio::select! {
            _ = tokio::time::timeout(LAST_MOMENTS, rest) => {}
            () = stop.at_once.cancelled() => {}
        }
        under_way.shutdown().await;
        Ok(())
    }
}
