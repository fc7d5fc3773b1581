//! `[[alerts]]`, as checked: who is told of what, when, and how.

use super::value::{ModelName, TokenSource};
use super::webhook::Webhook;
use crate::quote;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// An alert's name: the same letters as a model's.
pub type AlertName = ModelName;

/// The most alerts of a file: each may have something under way, and a thousand events that wait.
pub const MOST: usize = 32;

/// One `[[alerts]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// As written; `alert-1`, `alert-2`, … by its place where it has none.
    pub name: AlertName,
    /// What it tells of.
    pub when: When,
    /// Of which models; none for all.
    pub models: Option<BTreeSet<ModelName>>,
    /// How much of it there must be before it is told.
    pub after: After,
    /// How long after it was told it is told again, while it lasts; none for never.
    pub repeat: Option<Duration>,
    /// Where to.
    pub target: Target,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// A disabled alert tells nobody.
    pub enabled: bool,
}

/// What lasts until it has ended, and is told of once it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A heartbeat within active hours found the model cold.
    Cold,
    /// The model's state is `failing`.
    Failing,
    /// The model's state is `blocked`.
    Blocked,
    /// The file as it is now is not the one that runs.
    ConfigError,
}

/// `when`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The conditions that are told of.
    pub conditions: BTreeSet<Condition>,
    /// Whether their ends are.
    pub recovered: bool,
}

/// `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// So many heartbeats in a row.
    Count(u32),
    /// So long.
    Lasting(Duration),
}

/// Where an alert goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Posted to a URL.
    Webhook {
        /// Which, or where that is to be read.
        address: Address,
        /// In which shape.
        format: Format,
        /// Where a bearer token for it is.
        token: Option<TokenSource>,
    },
    /// Handed to a program: the program and its arguments.
    Command(Vec<String>),
}

/// The address of a webhook, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// It stands in the file.
    Here(Webhook),
    /// It is to be read there.
    In(TokenSource),
}

/// What is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The event itself.
    Json,
    /// What Slack's incoming webhooks take.
    Slack,
    /// What Discord's webhooks take.
    Discord,
    /// What ntfy's publishing as JSON takes.
    Ntfy,
}

impl Condition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cold, Self::Failing, Self::Blocked, Self::ConfigError];

    /// Its name in `when` and in events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Failing => "failing",
            Self::Blocked => "blocked",
            Self::ConfigError => "config_error",
        }
    }
}

impl When {
    /// What `recovered` is called in `when`.
    pub const RECOVERED: &'static str = "recovered";

    /// All that there is.
    pub fn all() -> Self {
        Self { conditions: Condition::ALL.into(), recovered: true }
    }

    /// As it is written.
    pub fn names(&self) -> Vec<&'static str> {
        let names = self.conditions.iter().map(|condition| condition.name());
        names.chain(self.recovered.then_some(Self::RECOVERED)).collect()
    }
}

impl Target {
    /// Where its secrets are to be read.
    pub fn sources(&self) -> impl Iterator<Item = &TokenSource> {
        let (address, token) = match self {
            Self::Webhook { address, token, .. } => (Some(address), token.as_ref()),
            Self::Command(_) => (None, None),
        };
        let address = address.and_then(|address| match address {
            Address::In(source) => Some(source),
            Address::Here(_) => None,
        });
        address.into_iter().chain(token)
    }
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Json, Self::Slack, Self::Discord, Self::Ntfy];

    /// Its name in `format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Ntfy => "ntfy",
        }
    }
}

impl Alert {
    /// Whether it tells of that: of the condition, and of the model, where it is one's.
    pub fn covers(&self, condition: Condition, model: Option<&ModelName>) -> bool {
        let of_model = match (&self.models, model) {
            (Some(named), Some(model)) => named.contains(model),
            (None, _) | (_, None) => true,
        };
        self.enabled && of_model && self.when.conditions.contains(&condition)
    }
}

impl Target {
    /// Where it leads, as far as that may be shown: scheme and host, the program's name, or where the
    /// address is to be read.
    pub fn place(&self) -> String {
        match self {
            Self::Webhook { address: Address::Here(webhook), .. } => webhook.place(),
            Self::Webhook { address: Address::In(source), .. } => format!("the URL in {source}"),
            Self::Command(argv) => argv.first().map(|program| quote::whole(program)).unwrap_or_default(),
        }
    }

    /// The shape of what is posted; none for a command, which takes the event itself.
    pub const fn format(&self) -> Option<Format> {
        match self {
            Self::Webhook { format, .. } => Some(*format),
            Self::Command(_) => None,
        }
    }
}
