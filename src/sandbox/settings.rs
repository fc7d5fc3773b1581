//! What a sandbox is made of: its models, deployments, accounts, limits and faults.

use super::chance::{Spread, hex_of};
use super::fault::FaultOrder;
use super::schema;
use serde_json::{Map, Value};
use std::time::Duration;

/// All of a sandbox that stands in for Replicate.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of everything that is drawn by chance.
    pub seed: u64,
    /// The models that exist.
    pub models: Vec<ModelSettings>,
    /// The deployments that exist.
    pub deployments: Vec<DeploymentSettings>,
    /// How a model or deployment behaves that is asked for and not listed: it is made up on the
    /// spot, official where its owner is `official`, and missing where its owner is `missing`.
    /// None: what is not listed does not exist.
    pub others: Option<Conduct>,
    /// The tokens that are accepted; where there are none, any is.
    pub accounts: Vec<AccountSettings>,
    /// How fast an account in good standing may create predictions.
    pub creates: Rate,
    /// How fast an account may call anything else.
    pub calls: Rate,
    /// Faults that are set from the start.
    pub faults: Vec<FaultOrder>,
    /// Whether `GET /sandbox/truth` exists.
    pub expose_truth: bool,
    /// How many predictions are kept, and how many lines of truth.
    pub keep: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            models: Vec::new(),
            deployments: Vec::new(),
            others: Some(Conduct::default()),
            accounts: Vec::new(),
            creates: Rate { per_minute: 600, burst: 600 },
            calls: Rate { per_minute: 3_000, burst: 3_000 },
            faults: Vec::new(),
            expose_truth: false,
            keep: 100_000,
        }
    }
}

/// How a model's instances behave.
#[derive(Debug, Clone, PartialEq)]
pub struct Conduct {
    /// An instance goes cold this long after its last prediction ended.
    pub idle_timeout: Duration,
    /// How long a boot takes.
    pub boot: Spread,
    /// How long a warm instance lets a prediction wait.
    pub wait: Spread,
    /// How long a prediction runs.
    pub predict: Spread,
    /// How many predictions an instance runs at once.
    pub slots: usize,
    /// The chance that an idle instance is shut down before a prediction comes, out of 1,000. One that answered
    /// less than a tenth of a second ago is not.
    pub evicted_per_mille: u16,
    /// It is shut down and boots again, by itself, this long after each boot.
    pub restarts_every: Option<Duration>,
    /// Its predictions fail, with this error.
    pub fails: Option<String>,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_mins(1),
            boot: Spread::millis(5_000, 30_000),
            wait: Spread::millis(5, 50),
            predict: Spread::millis(100, 400),
            slots: 1,
            evicted_per_mille: 0,
            restarts_every: None,
            fails: None,
        }
    }
}

/// Who may see a model, and how it is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By its version alone; seen by everyone.
    Community,
    /// By its version alone; seen by its account.
    Private,
    /// By its name; always warm.
    Official,
}

/// One model.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Its owner.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// Who may see it, and how it is run.
    pub kind: Kind,
    /// Its versions, the newest first; an official model's is hidden in predictions.
    pub versions: Vec<VersionSettings>,
    /// The input of its `default_example`.
    pub example: Option<Map<String, Value>>,
    /// How its instances behave, each version having its own.
    pub conduct: Conduct,
}

impl ModelSettings {
    /// A community model with one version, which is made from its name, and a plain text schema.
    pub fn new(owner: &str, name: &str, conduct: Conduct) -> Self {
        let version = VersionSettings { id: hex_of(&format!("{owner}/{name}")), schema: schema::plain() };
        Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            kind: Kind::Community,
            versions: vec![version],
            example: None,
            conduct,
        }
    }

    /// The same, of another kind.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The same, every version with this schema.
    #[must_use]
    pub fn schema(mut self, schema: &Value) -> Self {
        for version in &mut self.versions {
            version.schema = schema.clone();
        }
        self
    }
}

/// One version of a model.
#[derive(Debug, Clone)]
pub struct VersionSettings {
    /// 64 hex digits.
    pub id: String,
    /// Its `OpenAPI` document.
    pub schema: Value,
}

/// One deployment.
#[derive(Debug, Clone)]
pub struct DeploymentSettings {
    /// Its owner.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// `owner/name` of the model that it runs.
    pub model: String,
    /// The version that it runs; the model's latest where there is none.
    pub version: Option<String>,
    /// Instances that stay up; with one, it is never cold.
    pub min_instances: u8,
    /// How its instance behaves.
    pub conduct: Conduct,
}

/// An account that is known by its token.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// What it sends as its bearer token.
    pub token: String,
    /// Its standing.
    pub credit: Credit,
}

/// An account's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credit {
    /// In good standing.
    Good,
    /// Near zero: 6 creates a minute, one at a time.
    Low,
    /// None: every create is refused.
    None,
}

/// A limit of requests: a bucket of `burst` that fills evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many requests come back a minute.
    pub per_minute: u32,
    /// How many there are at most.
    pub burst: u32,
}

impl Rate {
    /// An account near zero credit.
    pub const LOW: Self = Self { per_minute: 6, burst: 1 };

    /// `per_minute`, all of which may come at once; at least 1.
    pub const fn per_minute(per_minute: u32) -> Self {
        let per_minute = if per_minute == 0 { 1 } else { per_minute };
        Self { per_minute, burst: per_minute }
    }
}
