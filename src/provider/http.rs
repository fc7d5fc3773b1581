//! One way to talk HTTP to a provider: bounded in time and size, no redirects, errors that say why.

mod body;
mod error;
mod names;
mod proxies;
mod reason;
mod reply;
mod request;
mod transport;
mod trust;

pub use body::Wanted;
pub use error::HttpError;
pub use reply::Reply;
pub use request::Request;

use crate::clock::{self, Lulls};
use crate::config::value::is_loopback;
use crate::secrets::Secret;
use body::{Body, Reader};
use error::Cut;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpInfo;
use hyper_util::client::proxy::matcher::Matcher;
use names::Names;
use request::bare;
use reqwest::Method;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinError;
use transport::Transport;
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

/// A shared client: connections are pooled per host.
#[derive(Debug, Clone)]
pub struct Client {
    routes: Arc<RwLock<Arc<Routes>>>,
    names: Names,
    large: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    /// How many places were taken there so far.
    looked: Arc<AtomicU64>,
    /// Secrets for as long as the client is there.
    _proxy_passwords: Arc<[Secret]>,
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
            routes: Arc::new(RwLock::new(Arc::new(routes))),
            names,
            large: places(LARGE_AT_ONCE),
            looks: places(LOOKS_AT_ONCE),
            looked: Arc::default(),
            _proxy_passwords: proxies::passwords().into(),
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
            Routes { trust: before.trust.as_of(&trust), ..Routes::clone(&before) }
        } else {
            tracing::info!("the CA certificates have changed: {} are trusted now", trust.certificates);
            Routes::new(&self.names, trust)
        };
        *self.routes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(routes);
    }

    fn routes(&self) -> Arc<Routes> {
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
        let body =
            self.read(incoming, wanted).await.map_err(|error| request.cut_off(error, &routes.trust))?;
        Ok(Reply::of(head.status, head.headers, proxy, body))
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

impl Routes {
    fn new(names: &Names, trust: Trust) -> Self {
        let afar = Transport::new(names, &trust.tls, Some(Arc::new(Matcher::from_env())));
        Self { afar, here: Transport::new(names, &trust.tls, None), trust }
    }
}

#[cfg(test)]
mod tests;
