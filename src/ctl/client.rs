//! The daemon's API over its Unix socket, as `warmctl` uses it. It uses nothing else.

use crate::quote;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Reads and switches answer at once; a large configuration takes a second to check.
const PATIENCE: Duration = Duration::from_mins(1);

/// Ten thousand models take some 20 MB.
const BODY_LIMIT: usize = 256 * 1024 * 1024;

/// A daemon that answered.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    socket: PathBuf,
}

/// The body of an answer, as it came.
#[derive(Debug)]
pub(super) struct Body(Vec<u8>);

/// Why there is no answer, or not the one asked for.
#[derive(Debug, Error)]
pub(super) enum ClientError {
    /// It was there a moment ago.
    #[error("the daemon behind {socket} went away: {reason}; see `systemctl status warmd`")]
    Gone {
        /// Its socket.
        socket: String,
        /// What failed.
        reason: String,
    },
    /// It takes too long.
    #[error("the daemon behind {socket} gave no answer within {} s; see `journalctl -u warmd`", PATIENCE.as_secs())]
    Silent {
        /// Its socket.
        socket: String,
    },
    /// It said no, and why.
    #[error("{}", .0.detail)]
    Refused(Box<Refusal>),
    /// What came is not what the daemon of this version says.
    #[error("the daemon behind {socket} answered {what}; are it and warmctl of one version?")]
    Nonsense {
        /// Its socket.
        socket: String,
        /// What came.
        what: String,
    },
    /// There is no client to ask with.
    #[error("can't make an HTTP client: {0}")]
    NoClient(String),
}

/// The daemon's `application/problem+json`.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    /// Why, in a sentence.
    pub(super) detail: String,
    /// `reload`: what is wrong with the file, with places.
    #[serde(default)]
    pub(super) problems: Option<serde_json::Value>,
    /// `reload`: the same for people.
    #[serde(default)]
    pub(super) rendered: Option<String>,
}

impl Client {
    /// A client of the daemon behind `socket`.
    pub(super) fn new(socket: PathBuf) -> Result<Self, ClientError> {
        // A second call finds the first one's provider in place, which is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .unix_socket(socket.clone())
            // Nothing here speaks TLS: a host without certificates must not fail for want of them.
            .tls_certs_only([])
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| ClientError::NoClient(root_cause(&error)))?;
        Ok(Self { http, socket })
    }

    /// The report from `since` on: of every model, or of one.
    pub(super) async fn status(&self, model: Option<&str>, since: &str) -> Result<Body, ClientError> {
        let path = match model {
            Some(model) => of_model(model, "")?,
            None => "/v1/status".to_owned(),
        };
        let request = self.http.get(url(&path, Some(since)));
        self.send(request.timeout(PATIENCE)).await
    }

    /// One heartbeat: takes as long as the boot does.
    pub(super) async fn beat(&self, model: &str) -> Result<Body, ClientError> {
        self.send(self.http.post(url(&of_model(model, "/heartbeat")?, None))).await
    }

    /// What happened from `since` on, the latest `limit`: to every model, or to one.
    pub(super) async fn events(
        &self,
        model: Option<&str>,
        since: &str,
        limit: u32,
    ) -> Result<Body, ClientError> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("since", since).append_pair("limit", &limit.to_string());
        if let Some(model) = model {
            query.append_pair("model", model);
        }
        let request = self.http.get(format!("http://warmd/v1/events?{}", query.finish()));
        self.send(request.timeout(PATIENCE)).await
    }

    /// What happened to a model from `since` on, by the hour and the day.
    pub(super) async fn intervals(&self, model: &str, since: &str) -> Result<Body, ClientError> {
        let request = self.http.get(url(&of_model(model, "/intervals")?, Some(since)));
        self.send(request.timeout(PATIENCE)).await
    }

    /// Holds a model.
    pub(super) async fn pause(&self, model: &str, length: Option<String>) -> Result<Body, ClientError> {
        let body = length.map_or_else(|| json!({}), |length| json!({ "for": length }));
        let request = self.http.post(url(&of_model(model, "/pause")?, None));
        self.send(request.json(&body).timeout(PATIENCE)).await
    }

    /// Frees a model.
    pub(super) async fn resume(&self, model: &str) -> Result<Body, ClientError> {
        let request = self.http.post(url(&of_model(model, "/resume")?, None));
        self.send(request.timeout(PATIENCE)).await
    }

    /// Has the configuration read again.
    pub(super) async fn reload(&self) -> Result<Body, ClientError> {
        self.send(self.http.post(url("/v1/reload", None)).timeout(PATIENCE)).await
    }

    /// A test event by each alert's way, or by one: takes as long as the slowest of them.
    pub(super) async fn test_alerts(&self, name: Option<&str>) -> Result<Body, ClientError> {
        let request = self.http.post(url("/v1/alerts/test", None));
        self.send(request.json(&json!({ "name": name }))).await
    }

    /// An answer's JSON as what it should be.
    pub(super) fn read<T: DeserializeOwned>(&self, body: &Body) -> Result<T, ClientError> {
        serde_json::from_slice(&body.0)
            .map_err(|error| self.nonsense(format!("something else than expected ({error})")))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Body, ClientError> {
        let mut response = request.send().await.map_err(|error| self.lost(&error))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(&error))? {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(self.nonsense(format!("with more than {} MiB", BODY_LIMIT / 1024 / 1024)));
            }
            body.extend_from_slice(&chunk);
        }
        if response.status().is_success() {
            return Ok(Body(body));
        }
        Err(match serde_json::from_slice(&body) {
            Ok(refusal) => ClientError::Refused(Box::new(refusal)),
            Err(_) => self.nonsense(format!("{} without a reason", response.status())),
        })
    }

    fn lost(&self, error: &reqwest::Error) -> ClientError {
        let socket = quote::path(&self.socket);
        if error.is_timeout() {
            ClientError::Silent { socket }
        } else {
            ClientError::Gone { socket, reason: root_cause(error) }
        }
    }

    fn nonsense(&self, what: String) -> ClientError {
        ClientError::Nonsense { socket: quote::path(&self.socket), what }
    }
}

impl Body {
    /// The text as it came, ended by one line end.
    pub(super) fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.0).trim_end().to_owned();
        text.push('\n');
        text
    }
}

/// The host says nothing over a Unix socket, but HTTP wants one.
fn url(path: &str, since: Option<&str>) -> String {
    let mut url = format!("http://warmd{path}");
    if let Some(since) = since {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("since", since).finish();
        url.push('?');
        url.push_str(&query);
    }
    url
}

/// The path of a model, or of what can be done with it. Right names hold nothing to encode; wrong
/// ones must not reach another route.
fn of_model(name: &str, what: &str) -> Result<String, ClientError> {
    // A URL takes these for steps, however they are encoded.
    if matches!(name, "" | "." | "..") {
        let detail = format!("no model is called `{name}`; `warmctl status` lists them");
        return Err(ClientError::Refused(Box::new(Refusal { detail, problems: None, rendered: None })));
    }
    let mut path = "/v1/models/".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            path.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path.push_str(what);
    Ok(path)
}

/// The innermost cause, which says what failed, unlike the outermost.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_segment() {
        let path = |name| of_model(name, "/pause").ok();
        assert_eq!(path("sdxl-1.0_x").as_deref(), Some("/v1/models/sdxl-1.0_x/pause"));
        assert_eq!(path("a/b?c").as_deref(), Some("/v1/models/a%2Fb%3Fc/pause"));
        assert_eq!(path("ü ").as_deref(), Some("/v1/models/%C3%BC%20/pause"));
        assert_eq!(path(".."), None);
        assert_eq!(path(""), None);
    }

    #[test]
    fn an_offset_survives_the_query() {
        assert_eq!(
            url("/v1/status", Some("2026-11-23T08:00:00+01:00")),
            "http://warmd/v1/status?since=2026-11-23T08%3A00%3A00%2B01%3A00"
        );
    }
}
