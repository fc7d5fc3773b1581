//! Cog servers, versions 0.9 to 0.23.

use super::{Facts, Inspection, http};
use crate::config::Model;
use crate::config::value::Token;
use crate::heartbeat::{Observation, Order, Phase};
use std::sync::Arc;
use tokio::sync::watch;

/// One model's Cog server.
#[derive(Debug)]
pub struct Cog {}

impl Cog {
    /// The server of `model`.
    pub fn new(_model: &Arc<Model>, _token: Option<Token>, _client: http::Client) -> Self {
        unimplemented!()
    }

    /// One heartbeat: health check, boot if any, prediction.
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
