//! A request, and what may become of it.

use super::body::{TooLarge, Wanted};
use super::error::{Cut, HttpError};
use super::reason;
use super::transport::TransportError;
use super::trust::Trust;
use crate::config::value::Token;
use http_body_util::Full;
use hyper::Uri;
use hyper::body::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};

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

impl Request<'_> {
    pub(super) fn uri(&self) -> Result<Uri, HttpError> {
        // Fails for nothing that a URL can hold but what is longer than 64 KiB.
        self.url.as_str().split('#').next().unwrap_or_default().parse().map_err(|error| HttpError::Connect {
            method: self.method.clone(),
            url: bare(&self.url),
            reason: format!("not sent: {error}"),
        })
    }

    pub(super) fn to_hyper(&self, uri: Uri) -> hyper::Request<Full<Bytes>> {
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
    pub(super) fn failed(&self, error: TransportError, trust: &Trust) -> HttpError {
        let (method, url) = (self.method.clone(), bare(&self.url));
        match error {
            TransportError::Client(error) => {
                let reason = reason::of(&error, error.is_connect(), trust);
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
    pub(super) fn cut_off(&self, error: Cut, trust: &Trust) -> HttpError {
        let (method, url) = (self.method.clone(), bare(&self.url));
        match error {
            Cut::Broken(error) => HttpError::Broken { method, url, reason: reason::of(&error, false, trust) },
            Cut::TooLarge(TooLarge(limit)) => HttpError::TooLarge {
                method,
                url,
                what: format!("the answer is larger than {} MiB", limit >> 20),
            },
        }
    }
}

/// The URL without credentials, query and fragment, which are nobody's business in a message.
pub(super) fn bare(url: &Url) -> String {
    let mut bare = url.clone();
    // Both fail only for URLs without a host, which never get here.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_query(None);
    bare.set_fragment(None);
    bare.to_string()
}
