//! What a provider is: something that takes a heartbeat and tells what it saw.

pub mod cog;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub mod http;
pub mod input;
pub mod replicate;

use crate::config::value::Token;
use crate::config::{Model, Replicate as Account, Target};
use crate::heartbeat::{Observation, Order, Phase};
use input::Learned;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The provider of one model, with what it has looked up of it (schema, version, visibility).
pub enum Provider {
    /// api.replicate.com, or what stands in for it.
    Replicate(replicate::Replicate),
    /// A Cog server.
    Cog(cog::Cog),
}

/// What a provider has learned of a model on the way, for the notes of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Replicate: `is_official`; such a model is always warm.
    pub official: Option<bool>,
    /// Replicate: a private model or a deployment, whose idle time is billed.
    pub billed_when_idle: Option<bool>,
    /// Names of input fields whose values had to be made up.
    pub guessed: Vec<String>,
}

/// What `check --online` learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What is in order, a sentence each.
    pub facts: Vec<String>,
    /// What would keep heartbeats from succeeding, a sentence each.
    pub problems: Vec<String>,
    /// What a heartbeat may take, where the model's example tells it.
    pub effort: Option<Effort>,
}

/// What a heartbeat may take, judged by the model's own example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effort {
    /// How long the example ran.
    pub example: Duration,
    /// Whether a heartbeat asks for less than the example.
    pub is_less: bool,
    /// Cost knobs that the user has set, so that the example tells little.
    pub set_by_user: Vec<String>,
}

impl Provider {
    /// The provider of `model`; `token` is sent with its requests, where there is one.
    pub fn new(model: &Arc<Model>, account: &Account, token: Option<Token>, client: http::Client) -> Self {
        match model.target {
            Target::Cog { .. } => Self::Cog(cog::Cog::new(model, token, client)),
            Target::Version { .. } | Target::Model { .. } | Target::Deployment { .. } => {
                Self::Replicate(replicate::Replicate::new(model, account.base_url.clone(), token, client))
            }
        }
    }

    /// Sends one heartbeat and follows it to its end, within the model's `timeout`; tells `phase`
    /// as soon as a boot is known to be under way, and as soon as the model is known to be up. Never fails: what went wrong is an answer too.
    pub async fn beat(&self, order: &Order, phase: &watch::Sender<Phase>) -> Observation {
        match self {
            Self::Replicate(replicate) => replicate.beat(order, phase).await,
            Self::Cog(cog) => cog.beat(order, phase).await,
        }
    }

    /// What has been learned so far.
    pub fn facts(&self) -> Facts {
        match self {
            Self::Replicate(replicate) => replicate.facts(),
            Self::Cog(cog) => cog.facts(),
        }
    }

    /// What was learned of the model's inputs so far.
    pub fn learned(&self) -> Learned {
        match self {
            Self::Replicate(replicate) => replicate.learned(),
            Self::Cog(cog) => cog.learned(),
        }
    }

    /// Goes on from what was learned of the model's inputs before.
    pub fn recall(&self, learned: Learned) {
        match self {
            Self::Replicate(replicate) => replicate.recall(learned),
            Self::Cog(cog) => cog.recall(learned),
        }
    }

    /// Asks the provider whether a heartbeat would work, without sending one.
    pub async fn inspect(&self) -> Inspection {
        match self {
            Self::Replicate(replicate) => replicate.inspect().await,
            Self::Cog(cog) => cog.inspect().await,
        }
    }
}
