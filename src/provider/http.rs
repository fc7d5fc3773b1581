//! One way to talk HTTP to a provider: bounded in time and size, no redirects, errors that say why.

mod body;
mod names;
mod reason;

use crate::clock::{self, Lulls};
use crate::config::value::{Token, is_loopback};
use crate::quote;
use names::Names;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinError;

/// The largest body that is read; outputs of heartbeats are small, data URLs of images are not.
pub const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// An answer beyond this is large, in bytes: usual ones have some thousand.
const LARGE: usize = 1024 * 1024;

/// Large answers that are read at a time; the others wait, within their own time. All of them together
/// take a quarter of a GiB.
const LARGE_AT_ONCE: usize = 8;

/// Models that are looked up at a time, for what they take is large; and how long a look waits at the most while
/// none of the others ends, but in all no more than a part of its own time: those may wait for a server that
/// gives no answer.
const LOOKS_AT_ONCE: usize = 32;
const LOOK_PATIENCE: Duration = Duration::from_secs(2);
const LOOK_PATIENCE_PART: u32 = 2;

/// How long a connection may take to come up, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept: for as long as a heartbeat's own requests follow one another.
/// Servers close idle ones too (uvicorn, under Cog, after 5 s, some proxies after 2); a request that
/// meets the close on its way is lost, and a prediction is not sent twice.
const IDLE_CONNECTION: Duration = Duration::from_secs(1);

/// Unused connections that are kept to one host at the most: as many as a thousand heartbeats a second to one
/// API pass on to each other.
const IDLE_A_HOST: usize = 32;

/// How long a peer may leave data, or a sign of life, unacknowledged. A heartbeat may wait minutes
/// for a model that boots; it must not wait for a host that is gone.
const DEAD_PEER: Duration = Duration::from_secs(30);

/// How much of where a redirect leads is told, in characters.
const LOCATION_LIMIT: usize = 200;

/// A shared client: connections are pooled per host.
#[derive(Debug, Clone)]
pub struct Client {
    /// For servers elsewhere, by the environment's proxies.
    afar: reqwest::Client,
    /// For servers on this machine. A token may go there in the clear, so that no proxy is shown it.
    here: reqwest::Client,
    names: Names,
    large: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    /// How many places were taken there so far.
    looked: Arc<AtomicU64>,
    /// The pauses between calls of a heartbeat that may go on for a while; ended by what happens on its thread.
    pub(crate) lulls: Lulls,
}

/// A whole answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most [`BODY_LIMIT`] bytes; empty where it is large, and was read already.
    pub body: Vec<u8>,
    /// The JSON of a large one.
    read: Option<serde_json::Value>,
}

/// Why there is no whole answer.
#[derive(Debug, Clone, Error)]
pub enum HttpError {
    /// The time allowed ran out.
    #[error(
        "{method} {url}: {} within {} s",
        if *.begun { "the answer was not whole" } else { "no answer" }, .waited.as_secs_f64().ceil()
    )]
    TimedOut {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// The time allowed.
        waited: Duration,
        /// Whether a part of the answer had come.
        begun: bool,
    },
    /// No connection could be made: nothing was sent.
    #[error("{method} {url}: {reason}")]
    Connect {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// What failed: DNS, refused, TLS.
        reason: String,
    },
    /// The connection broke, or what came was no HTTP.
    #[error("{method} {url}: {reason}")]
    Broken {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// What failed.
        reason: String,
    },
    /// What came is larger than what is read.
    #[error("{method} {url}: the answer is larger than {} MiB", BODY_LIMIT / 1024 / 1024)]
    TooLarge {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
    },
}

/// A request about to be sent.
#[derive(Clone)]
pub struct Request<'a> {
    /// Its method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<&'a Token>,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Sent as JSON.
    pub json: Option<&'a serde_json::Value>,
}

impl Client {
    /// A new one. A system without CA certificates gets one that trusts nobody over https: a host
    /// with Cog servers alone needs none.
    pub fn new() -> Result<Self, reqwest::Error> {
        // A second call finds the first one's provider in place, which is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let names = Names::new();
        let afar = Self::builder(&names).build().or_else(|error| {
            tracing::warn!(
                "no https:// server can be trusted, for want of CA certificates (Debian: ca-certificates): {}",
                reason::of(&error)
            );
            Self::builder(&names).tls_certs_only([]).build()
        })?;
        let here = || Self::builder(&names).no_proxy();
        let here = here().build().or_else(|_| here().tls_certs_only([]).build())?;
        let places = |count| Arc::new(Semaphore::new(count));
        let (large, looks) = (places(LARGE_AT_ONCE), places(LOOKS_AT_ONCE));
        Ok(Self { afar, here, names, large, looks, looked: Arc::default(), lulls: Lulls::default() })
    }

    /// The same for what is less urgent than heartbeats, and has no large answers: one of them is read at a
    /// time, and takes no place of theirs.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { large: Arc::new(Semaphore::new(1)), ..self.clone() }
    }

    /// A place among the models that are looked up, for one that has until `deadline`; none where it was waited
    /// for too long.
    pub async fn place_to_look(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        let allowed = deadline.saturating_duration_since(clock::instant()) / LOOK_PATIENCE_PART;
        let looked = || self.looked.load(Ordering::Relaxed);
        let stuck = async {
            let mut before = None;
            while before != Some(looked()) {
                before = Some(looked());
                tokio::time::sleep(LOOK_PATIENCE).await;
            }
        };
        let place = tokio::select! {
            biased;
            place = self.looks.acquire() => place.ok()?,
            () = stuck => return None,
            () = tokio::time::sleep(allowed) => return None,
        };
        self.looked.fetch_add(1, Ordering::Relaxed);
        Some(place)
    }

    fn builder(names: &Names) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("warmd/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(names.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(IDLE_A_HOST)
            .tcp_keepalive(DEAD_PEER / 3)
            .tcp_keepalive_interval(DEAD_PEER / 3)
            .tcp_keepalive_retries(2);
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(DEAD_PEER);
        builder
    }

    /// Sends a request and reads the whole answer, until `deadline` on the monotonic clock. A GET is sent
    /// once more where the connection breaks: one that was left open may have been closed at the other
    /// end without a word.
    pub async fn send(&self, request: Request<'_>, deadline: Instant) -> Result<Reply, HttpError> {
        let allowed = deadline.saturating_duration_since(clock::instant());
        let begun = AtomicBool::new(false);
        let sent = async {
            match self.exchange(&request, &begun).await {
                Err(HttpError::Broken { .. }) if request.method == Method::GET => {
                    begun.store(false, Ordering::Relaxed);
                    self.exchange(&request, &begun).await
                }
                result => result,
            }
        };
        match tokio::time::timeout(allowed, sent).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::TimedOut {
                method: request.method.clone(),
                url: bare(&request.url),
                waited: allowed,
                begun: begun.into_inner(),
            }),
        }
    }

    async fn exchange(&self, request: &Request<'_>, begun: &AtomicBool) -> Result<Reply, HttpError> {
        let told = || (request.method.clone(), bare(&request.url));
        let client = if is_loopback(&request.url) { &self.here } else { &self.afar };
        let mut builder = client.request(request.method.clone(), request.url.clone());
        if let Some(token) = request.token {
            builder = builder.header(reqwest::header::AUTHORIZATION, token.header());
        }
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(json) = request.json {
            builder = builder.json(json);
        }
        let failed = |error: reqwest::Error| {
            let ((method, url), reason) = (told(), reason::of(&error));
            if error.is_connect() {
                HttpError::Connect { method, url, reason }
            } else {
                HttpError::Broken { method, url, reason }
            }
        };
        let mut response = builder.send().await.map_err(failed)?;
        begun.store(true, Ordering::Relaxed);
        if let (Some(name), Some(address)) = (request.url.domain(), response.remote_addr()) {
            self.names.worked(name, address.ip());
        }
        let (mut body, mut place) = (Vec::new(), None);
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > BODY_LIMIT {
                let (method, url) = told();
                return Err(HttpError::TooLarge { method, url });
            }
            if body.len() + chunk.len() > LARGE && place.is_none() {
                // Never closed, so that there is always a place some time.
                place = self.large.acquire().await.ok();
            }
            body.extend_from_slice(&chunk);
        }
        let mut reply = Reply::new(response.status(), std::mem::take(response.headers_mut()), body);
        if reply.body.len() > LARGE {
            return Ok(reply.read_elsewhere(request.token.cloned()).await);
        }
        if let Some(token) = request.token {
            reply.hide(token);
        }
        Ok(reply)
    }
}

impl Reply {
    /// One that has come.
    pub const fn new(status: StatusCode, headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { status, headers, body, read: None }
    }

    /// Has another thread read a large body: it takes milliseconds, in which no heartbeat could be sent.
    async fn read_elsewhere(mut self, token: Option<Token>) -> Self {
        let read = move || {
            if let Some(token) = &token {
                self.hide(token);
            }
            self.read = self.json();
            if self.read.is_some() {
                self.body = Vec::new();
            }
            self
        };
        match tokio::task::spawn_blocking(read).await.map_err(JoinError::try_into_panic) {
            Ok(reply) => reply,
            Err(Ok(panic)) => resume_unwind(panic),
            // The runtime ends, and this heartbeat with it.
            Err(Err(_)) => std::future::pending().await,
        }
    }

    /// What a server says is quoted in messages: the token is taken out of it, should it be repeated
    /// there, behind JSON's escapes too.
    fn hide(&mut self, token: &Token) {
        let escapes = self.body.contains(&b'\\');
        if (escapes || token.is_in(&self.body))
            && let Some(mut said) = self.json()
            && strike(&mut said, token)
        {
            self.body = said.to_string().into_bytes();
        }
        for value in self.headers.values_mut().filter(|value| token.is_in(value.as_bytes())) {
            *value = HeaderValue::from_static("[token]");
        }
    }

    /// The body as JSON; none where it isn't. `body` says what is left out of a large one.
    pub fn json(&self) -> Option<serde_json::Value> {
        self.read.clone().or_else(|| body::read(&self.body))
    }

    /// The body as JSON, of an object the members of these names alone; none where it isn't.
    pub fn json_of(&self, wanted: &[&str]) -> Option<serde_json::Value> {
        match &self.read {
            Some(serde_json::Value::Object(all)) => {
                let members = all.iter().filter(|(name, _)| wanted.contains(&name.as_str()));
                Some(members.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            Some(value) => Some(value.clone()),
            None => body::read_some(&self.body, wanted),
        }
    }

    /// Where a redirect leads, fit for a message.
    pub fn leads_to(&self) -> Option<String> {
        let location = self.header("location")?;
        let whole = Url::parse(location).map(|url| bare(&url));
        let shown =
            whole.unwrap_or_else(|_| location.split(['?', '#']).next().unwrap_or_default().to_owned());
        Some(quote::start(&shown, LOCATION_LIMIT))
    }

    /// A header's text; none where it is missing or isn't text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Takes the token out of every text of a JSON value; whether it was there.
fn strike(said: &mut serde_json::Value, token: &Token) -> bool {
    use serde_json::Value;
    let mut struck = false;
    match said {
        Value::String(text) => struck = token.strike(text),
        Value::Array(items) => items.iter_mut().for_each(|item| struck |= strike(item, token)),
        Value::Object(items) => items.values_mut().for_each(|item| struck |= strike(item, token)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    struck
}

/// The URL without credentials, query and fragment, which are nobody's business in a message.
fn bare(url: &Url) -> String {
    let mut bare = url.clone();
    // Both fail only for URLs without a host, which never get here.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_query(None);
    bare.set_fragment(None);
    bare.to_string()
}

#[cfg(test)]
mod tests;
