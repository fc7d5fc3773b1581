//! Replicate: versions, official and community models, deployments.

use super::{Facts, Inspection, http};
use crate::config::Model;
use crate::config::value::Token;
use crate::heartbeat::{Observation, Order, Phase};
use std::sync::Arc;
use tokio::sync::watch;

/// One model on Replicate.
#[derive(Debug)]
pub struct Replicate {}

impl Replicate {
    /// The provider of `model`, with the API at `base` (`/v1` included).
    pub fn new(
        _model: &Arc<Model>,
        _base: reqwest::Url,
        _token: Option<Token>,
        _client: http::Client,
    ) -> Self {
        unimplemented!()
    }

    /// One heartbeat: create, the GET that brings the timestamps, polling, cancelling.
    pub async fn beat(&self, _order: &Order, _phase: &watch::Sender<Phase>) -> Observation {
        unimplemented!()
    }

    /// What has been learned so far.
    pub fn facts(&self) -> Facts {
        unimplemented!()
    }

    /// Asks whether a heartbeat would work, without sending one.
    pub async fn inspect(&self) -> Inspection {
        unimplemented!()
    }
}
