//! One way to talk HTTP to a provider: bounded in time and size, no redirects, errors that say why.

use crate::clock;
use crate::config::value::Token;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use std::time::{Duration, Instant};
use thiserror::Error;

/// The largest body that is read; outputs of heartbeats are small, data URLs of images are not.
pub const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// How long a connection may take to come up, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept. Servers close idle ones too (uvicorn, under Cog, after
/// 5 s); a request that meets the close on its way is lost, and a prediction is not sent twice.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// How long a peer may leave data, or a sign of life, unacknowledged. A heartbeat may wait minutes
/// for a model that boots; it must not wait for a host that is gone.
const DEAD_PEER: Duration = Duration::from_secs(30);

/// A shared client: connections are pooled per host.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

/// A whole answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most [`BODY_LIMIT`] bytes.
    pub body: Vec<u8>,
}

/// Why there is no whole answer.
#[derive(Debug, Clone, Error)]
pub enum HttpError {
    /// The time allowed ran out.
    #[error("{method} {url}: no answer within {} s", .waited.as_secs_f64().ceil())]
    TimedOut {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// The time allowed.
        waited: Duration,
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
    /// The connection broke, or what came was not an answer.
    #[error("{method} {url}: {reason}")]
    Broken {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// What failed.
        reason: String,
    },
}

/// A request about to be sent.
#[derive(Debug)]
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
        let client = Self::builder().build().or_else(|error| {
            tracing::warn!(
                "no https:// server can be trusted, for want of CA certificates (Debian: ca-certificates): {}",
                root_cause(&error)
            );
            Self::builder().tls_certs_only([]).build()
        });
        client.map(Self)
    }

    fn builder() -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("warmd/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION)
            .tcp_keepalive(DEAD_PEER / 3)
            .tcp_keepalive_interval(DEAD_PEER / 3)
            .tcp_keepalive_retries(2);
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(DEAD_PEER);
        builder
    }

    /// Sends a request and reads the whole answer, until `deadline` on the monotonic clock.
    pub async fn send(&self, request: Request<'_>, deadline: Instant) -> Result<Reply, HttpError> {
        let (method, url) = (request.method.clone(), bare(&request.url));
        let allowed = deadline.saturating_duration_since(clock::instant());
        match tokio::time::timeout(allowed, self.exchange(request, &method, &url)).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::TimedOut { method, url, waited: allowed }),
        }
    }

    async fn exchange(&self, request: Request<'_>, method: &Method, url: &str) -> Result<Reply, HttpError> {
        let broken =
            |reason: String| HttpError::Broken { method: method.clone(), url: url.to_owned(), reason };
        let token = request.token;
        let mut builder = self.0.request(request.method, request.url);
        if let Some(token) = token {
            builder = builder.header(reqwest::header::AUTHORIZATION, token.header());
        }
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(json) = request.json {
            builder = builder.json(json);
        }
        let mut response = builder.send().await.map_err(|error| {
            if error.is_connect() {
                HttpError::Connect { method: method.clone(), url: url.to_owned(), reason: root_cause(&error) }
            } else {
                broken(root_cause(&error))
            }
        })?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| broken(root_cause(&error)))? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(broken(format!("the answer is larger than {} MiB", BODY_LIMIT / 1024 / 1024)));
            }
            body.extend_from_slice(&chunk);
        }
        let mut reply =
            Reply { status: response.status(), headers: std::mem::take(response.headers_mut()), body };
        if let Some(token) = token {
            reply.hide(token);
        }
        Ok(reply)
    }
}

impl Reply {
    /// A refusal is quoted in messages: the token is taken out of it, should it be repeated there.
    fn hide(&mut self, token: &Token) {
        let header = token.header();
        let secret = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        if let Some(secret) = secret.filter(|secret| !secret.is_empty() && !self.status.is_success()) {
            self.body = String::from_utf8_lossy(&self.body).replace(secret, "[token]").into_bytes();
        }
    }

    /// The body as JSON; none where it isn't.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A header's text; none where it is missing or isn't text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The URL without credentials and query, which are nobody's business in a message.
fn bare(url: &Url) -> String {
    let mut bare = url.clone();
    // Both fail only for URLs without a host, which never get here.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_query(None);
    bare.to_string()
}

/// The innermost cause, which says what failed (`connection refused`), unlike the outermost.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
