//! `warm.toml`, checked: types that can't hold a wrong value.
//!
//! Owns what the rest of the program believes about the configuration. Nothing behind it checks
//! again. Reads no clock; reads files only in `load`.

pub mod alert;
mod alerts;
mod check;
mod diff;
pub mod env;
mod field;
mod folders;
mod guard;
mod hide;
mod input;
mod keys;
mod load;
mod locate;
mod mend;
mod misplaced;
mod mistake;
mod model;
mod named;
pub mod nearest;
pub mod problem;
mod reference;
pub mod render;
mod report;
mod rhythm;
mod secret;
mod section;
mod sources;
mod syntax;
mod token;
mod twice;
mod unknown;
pub mod value;
mod variable;
pub mod webhook;

pub use check::check_text;
pub use diff::Changes;
pub use env::Env;
pub use load::{find, load, load_again};
pub use problem::{Problem, Problems, Severity};

use crate::hours::ActiveHours;
use alert::Alert;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use value::{ModelName, TokenSource};

/// A file that can be used, and what somebody should know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What works, and is perhaps not what was meant; in the file's order.
    pub warnings: Vec<Problem>,
    /// By section: where it names a token, or needs one without naming it; by `alerts[1].webhook` where it
    /// names an address. They say nothing yet.
    tokens: HashMap<String, Problem>,
}

impl Loaded {
    /// What is wrong with the token of a model, told where the token is named, else where it is
    /// needed.
    pub fn token_problem(&self, model: &Model, severity: Severity, message: &str) -> Problem {
        let own = format!("models.{}", model.name);
        let section = if model.token.is_some() { &own } else { "replicate" };
        match self.tokens.get(section).or_else(|| self.tokens.get(&own)) {
            Some(place) => place.saying(severity, message),
            None => Problem::placeless(&self.config.path.display().to_string(), section, severity, message),
        }
    }

    /// What is wrong with where an alert's `webhook` or `token` comes from, told where that is named;
    /// `place` is the alert's among all of them, from 0.
    pub fn alert_problem(&self, place: usize, what: Secret, severity: Severity, message: &str) -> Problem {
        let section = alerts::section(place);
        let key = match what {
            Secret::Webhook => format!("{section}.webhook"),
            Secret::Token => section.clone(),
        };
        match self.tokens.get(&key) {
            Some(place) => place.saying(severity, message),
            None => Problem::placeless(&self.config.path.display().to_string(), &section, severity, message),
        }
    }
}

/// What a table may have elsewhere than in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// A bearer token.
    Token,
    /// The address of a webhook.
    Webhook,
}

/// A whole checked `warm.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file it came from, as it was named.
    pub path: PathBuf,
    /// `[daemon]`.
    pub daemon: Daemon,
    /// `[replicate]`.
    pub replicate: Replicate,
    /// `[models.*]`, in the file's order.
    pub models: Vec<Arc<Model>>,
    /// `[[alerts]]`, in the file's order.
    pub alerts: Vec<Arc<Alert>>,
}

/// `[daemon]`, with every default filled in from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// The `SQLite` file.
    pub state: PathBuf,
    /// The Unix socket.
    pub socket: PathBuf,
    /// The read-only TCP address; none for `"off"`.
    pub listen: Option<SocketAddr>,
    /// How long histories are kept.
    pub retention: Duration,
    /// How long heartbeats in flight may take to end at a stop.
    pub shutdown_grace: Duration,
}

/// `[replicate]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replicate {
    /// Where the account's token comes from.
    pub token: TokenSource,
    /// The API's base, `/v1` included, without a slash at the end.
    pub base_url: Url,
    /// warmd's share of each account's creates, per minute.
    pub creates_per_minute: u32,
}

/// One `[models.NAME]`, its defaults laid under it.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// NAME.
    pub name: ModelName,
    /// What is kept warm.
    pub target: Target,
    /// When; `active`, `closed`, `timezone` and the named hours, resolved.
    pub hours: ActiveHours,
    /// The IANA name of the model's zone, in which its windows are shown.
    pub timezone: String,
    /// From one heartbeat to the next; at least 1 s.
    pub interval: Duration,
    /// One heartbeat, boot included.
    pub timeout: Duration,
    /// How long before an opening it starts.
    pub lead: Lead,
    /// The wait beyond which a response counts as cold.
    pub cold_after: ColdAfter,
    /// Whether some heartbeats are followed by a second one, which shows what a warm answer takes.
    pub calibrate: bool,
    /// Cog only: whether it predicts, or only asks the health check.
    pub probe: Probe,
    /// Laid key by key over the input made from the model's schema.
    pub input: serde_json::Map<String, serde_json::Value>,
    /// A disabled model is shown and never sent to.
    pub enabled: bool,
    /// The model's own token, where it names one; Replicate models without one use `[replicate]`'s.
    pub token: Option<TokenSource>,
}

/// What is kept warm: exactly one of `replicate`, `deployment`, `cog`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `replicate = "owner/name:version"`.
    Version {
        /// The model's owner.
        owner: String,
        /// The model's name.
        name: String,
        /// 64 hex digits.
        version: String,
    },
    /// `replicate = "owner/name"`: an official model, or a community model's latest version.
    Model {
        /// The model's owner.
        owner: String,
        /// The model's name.
        name: String,
    },
    /// `deployment = "owner/name"`.
    Deployment {
        /// The deployment's owner.
        owner: String,
        /// The deployment's name.
        name: String,
    },
    /// `cog = "http://host:5000"`.
    Cog {
        /// The server's base, without a slash at the end of its path.
        base: Url,
    },
}

/// `lead`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lead {
    /// 1.5 × the longest of the last 20 boots, between 60 s and 15 min.
    Auto,
    /// As written.
    Fixed(Duration),
}

/// `cold_after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColdAfter {
    /// Judged by probability, from what is learned of the model's waits.
    Auto,
    /// As written.
    Fixed(Duration),
}

/// `probe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// Sends predictions.
    Predict,
    /// Asks the health check alone.
    Health,
}

impl Target {
    /// `replicate`, `deployment` or `cog`: the contract's `kind`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Version { .. } | Self::Model { .. } => "replicate",
            Self::Deployment { .. } => "deployment",
            Self::Cog { .. } => "cog",
        }
    }

    /// Whether its heartbeats count against a Replicate account.
    pub const fn is_replicate(&self) -> bool {
        !matches!(self, Self::Cog { .. })
    }
}

impl std::fmt::Display for Target {
    /// The reference as it is written in `warm.toml`: the contract's `ref`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version { owner, name, version } => write!(f, "{owner}/{name}:{version}"),
            Self::Model { owner, name } | Self::Deployment { owner, name } => write!(f, "{owner}/{name}"),
            Self::Cog { base } => f.write_str(base.as_str().trim_end_matches('/')),
        }
    }
}

impl Model {
    /// Whether calibration heartbeats are of use to it: it is judged by what is learned of its waits.
    pub fn may_calibrate(&self) -> bool {
        self.calibrate && self.cold_after == ColdAfter::Auto && self.probe == Probe::Predict
    }

    /// Where the token of this model's requests comes from; none for a Cog server without one.
    pub fn token_source<'a>(&'a self, replicate: &'a Replicate) -> Option<&'a TokenSource> {
        match &self.token {
            Some(own) => Some(own),
            None if self.target.is_replicate() => Some(&replicate.token),
            None => None,
        }
    }
}
