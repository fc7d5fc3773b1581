//! A whole answer.

use super::body::Body;
use super::request::bare;
use crate::quote;
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};

/// How much of where a redirect leads is told, in characters.
pub(super) const LOCATION_LIMIT: usize = 200;

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

impl Reply {
    /// One that has come, through `proxy` where there was one.
    pub(super) fn of(status: StatusCode, headers: HeaderMap, proxy: Option<String>, body: Body) -> Self {
        Self { status, headers, proxy, body }
    }

    /// One with this body.
    #[cfg(any(test, fuzzing))]
    pub fn new(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Self {
        let mut reader = super::body::Reader::new(None);
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
