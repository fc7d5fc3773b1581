//! Cog servers, versions 0.9 to 0.23.
//!
//! Owns one heartbeat against a Cog server, from the health check to the prediction, and the input
//! it sends. Real traffic comes first: a slot that is taken, or that a prediction of somebody else
//! may be about to take, is left alone. Refuses to follow a redirect, for the token would travel,
//! and to repeat a prediction whose connection broke, for it may be running.

mod beat;
#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod health;
mod inspect;
mod prediction;
mod quote;
mod recipe;
mod refusal;

use super::input::Learned;
use super::{Facts, Inspection, http};
use crate::config::value::Token;
use crate::config::{Model, Target};
use crate::heartbeat::{Observation, Order, Phase};
use recipe::Recipes;
use reqwest::{Method, Url};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// One model's Cog server.
pub struct Cog {
    model: Arc<Model>,
    base: Url,
    token: Option<Token>,
    client: http::Client,
    recipes: Recipes,
}

impl Cog {
    /// The server of `model`.
    pub fn new(model: &Arc<Model>, token: Option<Token>, client: http::Client) -> Self {
        let base = match &model.target {
            Target::Cog { base } => base.clone(),
            Target::Version { .. } | Target::Model { .. } | Target::Deployment { .. } => {
                unreachable!("a provider is made by its model's target")
            }
        };
        Self { model: Arc::clone(model), base, token, client, recipes: Recipes::default() }
    }

    /// One heartbeat: health check, boot if any, prediction.
    pub async fn beat(&self, order: &Order, phase: &watch::Sender<Phase>) -> Observation {
        beat::Beat::new(self, order, phase).run().await
    }

    /// What has been learned so far.
    pub fn facts(&self) -> Facts {
        Facts { guessed: self.recipes.guessed(), ..Facts::default() }
    }

    /// What was learned of its inputs so far.
    pub fn learned(&self) -> Learned {
        self.recipes.learned()
    }

    /// Goes on from what was learned of its inputs before.
    pub fn recall(&self, learned: Learned) {
        self.recipes.recall(learned);
    }

    /// Asks whether a heartbeat would work, without sending one.
    pub async fn inspect(&self) -> Inspection {
        inspect::inspect(self).await
    }

    async fn get(&self, path: &[&str], deadline: Instant) -> Result<http::Reply, http::HttpError> {
        self.send(Method::GET, path, None, None, deadline).await
    }

    async fn post(
        &self,
        path: &[&str],
        json: &serde_json::Value,
        deadline: Instant,
    ) -> Result<http::Reply, http::HttpError> {
        self.send(Method::POST, path, Some(json), Some(&prediction::READ), deadline).await
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        json: Option<&serde_json::Value>,
        wanted: http::Wanted,
        deadline: Instant,
    ) -> Result<http::Reply, http::HttpError> {
        let url = below(&self.base, path);
        let token = self.token.as_ref();
        let request = http::Request { method, url, token, headers: Vec::new(), json, wanted };
        self.client.send(request, deadline).await
    }
}

/// `base` may have a path of its own, where several servers share one address.
fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    // Fails for URLs that can't have a path alone, which no http URL is.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_with_a_path_keeps_it() {
        let at = |base: &str| below(&Url::parse(base).unwrap(), &["health-check"]).to_string();
        assert_eq!(at("http://gpu-box:5000"), "http://gpu-box:5000/health-check");
        assert_eq!(at("https://box/models/whisper"), "https://box/models/whisper/health-check");
        assert_eq!(at("https://box/models/whisper/"), "https://box/models/whisper/health-check");
    }
}
