//! One way to talk HTTP to a provider: bounded in time and size, no redirects, errors that say why.

mod body;
mod names;
mod reason;
mod transport;
mod trust;

use crate::clock::{self, Lulls};
use crate::config::value::{Token, is_loopback};
use crate::quote;
pub use body::Wanted;
use body::{Body, Reader, TooLarge};
use http_body_util::{BodyExt, Full};
use hyper::Uri;
use hyper::body::{Bytes, Incoming};
use hyper_util::client::legacy::connect::HttpInfo;
use hyper_util::client::proxy::matcher::Matcher;
use names::Names;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, StatusCode, Url};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinError;
use transport::{Transport, TransportError};
use trust::Trust;

/// An answer of which more is kept than this is large, in bytes: usual ones have some thousand.
const LARGE: usize = 1024 * 1024;

/// An answer of which more is kept than this is parsed on another thread, in bytes: it takes a millisecond or more, in
/// which no heartbeat could be sent.
const PARSED_HERE: usize = 64 * 1024;

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

/// How much of where a redirect leads is told, in characters.
const LOCATION_LIMIT: usize = 200;

/// A shared client: connections are pooled per host.
#[derive(Debug, Clone)]
pub struct Client {
    routes: Arc<RwLock<Routes>>,
    names: Names,
    large: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    /// How many places were taken there so far.
    looked: Arc<AtomicU64>,
    /// The pauses between calls of a heartbeat that may go on for a while; ended by what happens on its thread.
    pub(crate) lulls: Lulls,
}

/// The ways to servers, with the certificates that are trusted now.
#[derive(Debug, Clone)]
struct Routes {
    /// For servers elsewhere, by the environment's proxies.
    afar: Transport,
    /// For servers on this machine. A token may go there in the clear, so that no proxy is shown it.
    here: Transport,
    trust: Trust,
}

/// A whole answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The proxy that it came through, and may have come from.
    proxy: Option<String>,
    body: Body,
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
    #[error("{method} {url}: {what}")]
    TooLarge {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// What of it, and the limit.
        what: String,
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
    /// Which members of a successful answer are kept; the others leave an empty value of their type.
    pub wanted: Wanted,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A new one. A system without CA certificates gets one that trusts nobody over https: a host
    /// with Cog servers alone needs none.
    pub fn new() -> Self {
        let names = Names::new();
        let trust = Trust::read();
        trust.report();
        let routes = Routes::new(&names, trust);
        let places = |count| Arc::new(Semaphore::new(count));
        Self {
            routes: Arc::new(RwLock::new(routes)),
            names,
            large: places(LARGE_AT_ONCE),
            looks: places(LOOKS_AT_ONCE),
            looked: Arc::default(),
            lulls: Lulls::default(),
        }
    }

    /// The same for what is less urgent than heartbeats, and has no large answers: one of them is read at a
    /// time, and takes no place of theirs.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { large: Arc::new(Semaphore::new(1)), ..self.clone() }
    }

    /// Trusts other certificates where the files they are read from have changed. Where none can be read any more, as
    /// in the middle of an update, those of before are trusted on. Looks at files, so it may block.
    pub fn look_at_trust(&self) {
        let before = self.routes();
        if !before.trust.has_changed() {
            return;
        }
        let trust = Trust::read();
        trust.report();
        let routes = if trust.certificates == 0 && before.trust.certificates > 0 {
            Routes { trust: before.trust.as_of(&trust), ..before }
        } else {
            tracing::info!("the CA certificates have changed: {} are trusted now", trust.certificates);
            Routes::new(&self.names, trust)
        };
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    fn routes(&self) -> Routes {
        self.routes.read().unwrap_or_else(PoisonError::into_inner).clone()
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
        let routes = self.routes();
        let transport = if is_loopback(&request.url) { &routes.here } else { &routes.afar };
        let uri = request.uri()?;
        let proxy = transport.proxy_for(&uri);
        let answer = transport.send(request.to_hyper(uri)).await;
        let answer = answer.map_err(|error| request.failed(error, &routes.trust))?;
        begun.store(true, Ordering::Relaxed);
        if let (Some(name), Some(info)) = (request.url.domain(), answer.extensions().get::<HttpInfo>())
            && proxy.is_none()
        {
            self.names.worked(name, info.remote_addr().ip());
        }
        let (head, incoming) = answer.into_parts();
        // Over TLS, a proxy can answer nothing in the server's name.
        let proxy = proxy.filter(|_| request.url.scheme() == "http");
        let wanted = request.wanted.filter(|_| head.status.is_success());
        let body = self.read(incoming, wanted).await.map_err(|error| request.cut_off(error))?;
        Ok(Reply { status: head.status, headers: head.headers, proxy, body })
    }

    /// Reads a body to its end.
    async fn read(&self, mut incoming: Incoming, wanted: Wanted) -> Result<Body, Cut> {
        let (mut reader, mut place) = (Reader::new(wanted), None);
        while let Some(frame) = incoming.frame().await {
            let Ok(bytes) = frame?.into_data() else { continue };
            reader.feed(&bytes)?;
            if reader.kept() > LARGE && place.is_none() {
                // Never closed, so that there is always a place some time.
                place = self.large.acquire().await.ok();
            }
        }
        if reader.kept() <= PARSED_HERE {
            return Ok(reader.end());
        }
        match tokio::task::spawn_blocking(|| reader.end()).await.map_err(JoinError::try_into_panic) {
            Ok(body) => Ok(body),
            Err(Ok(panic)) => resume_unwind(panic),
            // The runtime ends, and this heartbeat with it.
            Err(Err(_)) => std::future::pending().await,
        }
    }
}

/// Why a body was not read to its end.
enum Cut {
    Broken(hyper::Error),
    TooLarge(TooLarge),
}

impl From<hyper::Error> for Cut {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<TooLarge> for Cut {
    fn from(error: TooLarge) -> Self {
        Self::TooLarge(error)
    }
}

impl Routes {
    fn new(names: &Names, trust: Trust) -> Self {
        let afar = Transport::new(names, &trust.tls, Some(Arc::new(Matcher::from_env())));
        Self { afar, here: Transport::new(names, &trust.tls, None), trust }
    }
}

impl Request<'_> {
    fn uri(&self) -> Result<Uri, HttpError> {
        // Fails for nothing that a URL can hold but what is longer than 64 KiB.
        self.url.as_str().split('#').next().unwrap_or_default().parse().map_err(|error| HttpError::Connect {
            method: self.method.clone(),
            url: bare(&self.url),
            reason: format!("not sent: {error}"),
        })
    }

    fn to_hyper(&self, uri: Uri) -> hyper::Request<Full<Bytes>> {
        let body = self.json.map(ToString::to_string);
        let mut request = hyper::Request::new(Full::new(Bytes::from(body.unwrap_or_default())));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("warmd/", env!("CARGO_PKG_VERSION"))));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if self.json.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(token) = self.token {
            headers.insert(AUTHORIZATION, token.header());
        }
        headers.extend(self.headers.iter().cloned());
        request
    }

    /// Why no answer began.
    fn failed(&self, error: TransportError, trust: &Trust) -> HttpError {
        let (method, url) = (self.method.clone(), bare(&self.url));
        match error {
            TransportError::Client(error) => {
                let reason = reason::of(&error, error.is_connect(), trust.trouble.as_deref());
                if error.is_connect() {
                    HttpError::Connect { method, url, reason }
                } else {
                    HttpError::Broken { method, url, reason }
                }
            }
            TransportError::Interim => HttpError::TooLarge { method, url, what: error.to_string() },
        }
    }

    /// Why an answer did not come to its end.
    fn cut_off(&self, error: Cut) -> HttpError {
        let (method, url) = (self.method.clone(), bare(&self.url));
        match error {
            Cut::Broken(error) => HttpError::Broken { method, url, reason: reason::of(&error, false, None) },
            Cut::TooLarge(TooLarge(limit)) => HttpError::TooLarge {
                method,
                url,
                what: format!("the answer is larger than {} MiB", limit >> 20),
            },
        }
    }
}

impl Reply {
    /// One that has come.
    #[cfg(any(test, fuzzing))]
    pub fn new(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        let mut reader = Reader::new(None);
        let body = reader.feed(body).map(|()| reader.end()).unwrap_or_default();
        Self { status, headers, proxy: None, body }
    }

    /// The body as JSON; none where it isn't. A member that was not wanted, is very large, or is no JSON reads as an
    /// empty value of its type.
    pub fn json(&self) -> Option<serde_json::Value> {
        self.body.json.clone()
    }

    /// The first bytes of the body, as text.
    pub fn start(&self) -> String {
        self.body.start()
    }

    /// The proxy that it came through, and may have come from: it is asked for plain `http://`.
    pub fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
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
