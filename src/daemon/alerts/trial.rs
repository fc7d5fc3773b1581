//! The ways of alerts, tried: an event of no consequence, sent once, past what waits.

use super::{Mail, Way};
use crate::alerts::event::Event;
use crate::alerts::outbox::Failure;
use crate::clock::{self, Stopwatch};
use crate::config::env::Env;
use crate::config::nearest::nearest;
use crate::provider::http::Client;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Semaphore;

/// How many may be trying at a time.
const TRIALS: usize = 4;

/// Tries the ways of alerts, for whoever asks.
#[derive(Debug, Clone)]
pub(in crate::daemon) struct Trial {
    mail: Arc<Mail>,
    client: Client,
    env: Env,
    free: Arc<Semaphore>,
}

/// How one way did.
#[derive(Debug)]
pub(in crate::daemon) struct Tried {
    /// The alert's name.
    pub(in crate::daemon) name: String,
    /// Where it leads, as far as that may be shown.
    pub(in crate::daemon) to: String,
    /// How long that took.
    pub(in crate::daemon) took: Duration,
    /// Why the event did not arrive; none where it did.
    pub(in crate::daemon) error: Option<String>,
}

/// Why nothing is tried.
#[derive(Debug, Error)]
pub(in crate::daemon) enum Refusal {
    /// The file has no alerts.
    #[error("the configuration has no [[alerts]]: warm.toml(5) tells how to write one")]
    NoAlerts,
    /// None of them is on.
    #[error("{0}")]
    Disabled(String),
    /// No such alert.
    #[error("no alert is called `{name}`{}", .nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    Unknown {
        /// As asked for.
        name: String,
        /// The nearest right one.
        nearest: Option<String>,
    },
    /// Others are at it.
    #[error("{TRIALS} are trying alerts already; ask again when one of them is done")]
    Busy,
}

impl Trial {
    pub(in crate::daemon) fn new(mail: Arc<Mail>, client: Client, env: Env) -> Self {
        Self { mail, client, env, free: Arc::new(Semaphore::new(TRIALS)) }
    }

    /// Tries the way of the alert of that name, or all of them at once.
    pub(in crate::daemon) async fn run(&self, name: Option<&str>) -> Result<Vec<Tried>, Refusal> {
        let _free = self.free.try_acquire().map_err(|_| Refusal::Busy)?;
        let ways = self.ways(name)?;
        Ok(futures_util::future::join_all(ways.iter().map(|way| self.one(way))).await)
    }

    async fn one(&self, way: &Way) -> Tried {
        let event = Event::test(way.name(), &self.mail.host, clock::now());
        let watch = Stopwatch::start();
        let error = way.send(&event, &self.client, &self.env).await.err().map(|Failure { why, .. }| why);
        let took = watch.elapsed();
        if error.is_none() {
            self.mail.proved(way.name());
        }
        Tried { name: way.name().to_string(), to: way.place(), took, error }
    }

    fn ways(&self, name: Option<&str>) -> Result<Vec<Arc<Way>>, Refusal> {
        let all = self.mail.ways();
        if all.is_empty() {
            return Err(Refusal::NoAlerts);
        }
        let Some(name) = name else {
            let open: Vec<Arc<Way>> = all.into_iter().filter(|way| way.is_open()).collect();
            let disabled = || Refusal::Disabled("every alert is disabled (enabled = false)".to_owned());
            return if open.is_empty() { Err(disabled()) } else { Ok(open) };
        };
        match all.iter().find(|way| way.name().as_str() == name) {
            Some(way) if way.is_open() => Ok(vec![way.clone()]),
            Some(_) => Err(Refusal::Disabled(format!("the alert `{name}` is disabled (enabled = false)"))),
            None => {
                let nearest = nearest(name, all.iter().map(|way| way.name().as_str())).map(str::to_owned);
                Err(Refusal::Unknown { name: name.to_owned(), nearest })
            }
        }
    }
}
