//! The calls of Replicate's HTTP API that a heartbeat makes.
//!
//! Owns the token and the base. Every URL is built from the base: the ones that answers carry
//! (`urls.get`) are not followed, for the token would go wherever they point.

use super::aim::Endpoint;
use super::prediction::{PredictionId, READ};
use super::problem::{Problem, note_limits};
use crate::clock;
use crate::config::value::Token;
use crate::heartbeat::Limits;
use crate::provider::http::{Client, HttpError, Reply, Request, Wanted};
use crate::quote;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use tokio::sync::SemaphorePermit;

/// How long a call may take that waits for nothing: lookups, and reading a prediction.
const PLAIN_CALL: Duration = Duration::from_secs(30);

/// How long a create's reply is held back for the result at most. Longer would hide the prediction's
/// id, and so its cancelling.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What a held reply may take on its way, and the lookups before it, at the least.
const REPLY_ALLOWANCE: Duration = Duration::from_secs(1);

/// How much of a path is shown, in characters: a version's has 120.
const PATH_LIMIT: usize = 300;

/// The API takes no shorter `Cancel-After`.
const SHORTEST_CANCEL_AFTER: u64 = 5;

/// The API, as one account sees it.
pub(super) struct Api {
    base: Url,
    token: Option<Token>,
    client: Client,
}

impl Api {
    pub(super) fn new(base: Url, token: Option<Token>, client: Client) -> Self {
        Self { base, token, client }
    }

    /// A place among the models that are looked up.
    pub(super) async fn place_to_look(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        self.client.place_to_look(deadline).await
    }

    /// Pauses between two calls, until something else happens: see [`crate::clock::Lulls::pause`].
    pub(super) async fn lull(&self, least: Duration, most: Duration) {
        self.client.lulls.pause(least, most).await;
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// `GET`, until `deadline`, and in any case not for long.
    pub(super) async fn get(&self, path: &[&str], deadline: Instant) -> Result<Value, Problem> {
        self.get_members(path, None, deadline).await
    }

    async fn get_members(&self, path: &[&str], wanted: Wanted, deadline: Instant) -> Result<Value, Problem> {
        let allowed = deadline.min(clock::instant() + PLAIN_CALL);
        let call = format!("GET {}", shown(path));
        match self.send(Method::GET, path, Vec::new(), None, wanted, allowed).await {
            Ok(reply) => Problem::check(&call, &reply),
            Err(error) => Err(Problem::of_transport(&call, &error, deadline)),
        }
    }

    /// Reads a prediction.
    pub(super) async fn prediction(&self, id: &PredictionId, deadline: Instant) -> Result<Value, Problem> {
        self.get_members(&["predictions", id.as_str()], Some(&READ), deadline).await
    }

    /// Creates a prediction, and notes what the reply says of the account's limits.
    pub(super) async fn create(
        &self,
        endpoint: &Endpoint,
        input: &Map<String, Value>,
        (timeout, hold): (Duration, Duration),
        deadline: Instant,
        limits: &mut Limits,
    ) -> Result<Value, Problem> {
        let (path, body) = match endpoint {
            Endpoint::Version(version) => (vec!["predictions"], json!({"version": version, "input": input})),
            Endpoint::Official { owner, name } => {
                (vec!["models", owner, name, "predictions"], json!({"input": input}))
            }
            Endpoint::Deployment { owner, name } => {
                (vec!["deployments", owner, name, "predictions"], json!({"input": input}))
            }
        };
        let cancel_after = timeout.as_millis().div_ceil(1000).max(u128::from(SHORTEST_CANCEL_AFTER));
        let headers = vec![
            (HeaderName::from_static("prefer"), text(format!("wait={}", hold.as_secs()))),
            (HeaderName::from_static("cancel-after"), text(format!("{cancel_after}s"))),
        ];
        let call = format!("POST {}", shown(&path));
        limits.creates += 1;
        match self.send(Method::POST, &path, headers, Some(&body), Some(&READ), deadline).await {
            Ok(reply) => {
                note_limits(limits, &reply);
                Problem::check(&call, &reply)
            }
            Err(error) => Err(Problem::of_transport(&call, &error, deadline)),
        }
    }

    /// Asks for a prediction to be cancelled. Whether it worked is not told: `Cancel-After` ends it
    /// where this doesn't.
    pub(super) async fn cancel(&self, id: &PredictionId, deadline: Instant) {
        let path = ["predictions", id.as_str(), "cancel"];
        if let Err(error) = self.send(Method::POST, &path, Vec::new(), None, Some(&READ), deadline).await {
            tracing::debug!("a prediction could not be cancelled, its Cancel-After will: {error}");
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        headers: Vec<(HeaderName, HeaderValue)>,
        json: Option<&Value>,
        wanted: Wanted,
        deadline: Instant,
    ) -> Result<Reply, HttpError> {
        let mut url = self.base.clone();
        // Fails only for URLs that can't have a path, which a checked base is not.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let request = Request { method, url, token: self.token.as_ref(), headers, json, wanted };
        self.client.send(request, deadline).await
    }
}

/// How long a create's reply is held back for the result, in whole seconds from 1 up: never to the
/// end of the heartbeat, by which it must have come for the prediction to be cancelled; nor much
/// longer than `cold_after`, since a held reply doesn't show whether the model boots or runs.
pub(super) fn create_wait(timeout: Duration, cold_after: Duration) -> Duration {
    let longest = timeout.saturating_sub(REPLY_ALLOWANCE).min(LONGEST_WAIT).as_secs();
    let shown = cold_after.as_secs() + u64::from(cold_after.subsec_nanos() > 0);
    Duration::from_secs(longest.min(shown).max(1))
}

/// A path for a message. Parts of it may be the API's own words: an id, a release's version.
fn shown(path: &[&str]) -> String {
    quote::start(&format!("/{}", path.join("/")), PATH_LIMIT)
}

fn text(digits: String) -> HeaderValue {
    HeaderValue::try_from(digits).expect("letters, digits and = make a header")
}
