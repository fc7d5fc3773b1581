//! Where a model's predictions are created, and what its input looks like: what has to be looked
//! up before the first heartbeat, and again when the model moves on.

use super::api::Api;
use super::problem::{Kind, Problem};
use crate::config::Target;
use crate::provider::input::{self, MadeInput, Rung};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest version that is remembered as it is: they are 64 hex digits.
const LONGEST_VERSION: usize = 64;

/// An example that ran for longer is not believed.
const LONGEST_EXAMPLE: Duration = Duration::from_hours(7 * 24);

/// Where predictions are created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `POST /predictions`, with this version.
    Version(String),
    /// `POST /models/{owner}/{name}/predictions`.
    Official {
        /// The model's owner.
        owner: String,
        /// The model's name.
        name: String,
    },
    /// `POST /deployments/{owner}/{name}/predictions`.
    Deployment {
        /// The deployment's owner.
        owner: String,
        /// The deployment's name.
        name: String,
    },
}

/// What was looked up of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Aim {
    pub(super) endpoint: Endpoint,
    /// The version whose input `schema` is: the pinned one, the latest, or the release's.
    pub(super) version: Option<String>,
    pub(super) schema: Schema,
    /// The model's own example of an input.
    pub(super) example: Option<Value>,
    /// How long that ran.
    pub(super) example_took: Option<Duration>,
    pub(super) official: Option<bool>,
    pub(super) private: Option<bool>,
    /// A deployment's `min_instances`.
    pub(super) min_instances: Option<u64>,
    /// Why its version could not be read. It may run all the same: whoever may run a version need
    /// not be allowed to look at it, so that only the create can tell.
    pub(super) hidden: Option<Problem>,
}

/// A version's whole `OpenAPI` document; null where it publishes none. Kept as its text: parsed it takes several
/// times as much, and it is hardly ever read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schema(Arc<str>);

impl Schema {
    pub(super) fn read(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl From<&Value> for Schema {
    fn from(document: &Value) -> Self {
        Self(document.to_string().into())
    }
}

impl Aim {
    /// Looks a model up, until `deadline`.
    pub(super) async fn look_up(api: &Api, target: &Target, deadline: Instant) -> Result<Self, Problem> {
        match target {
            Target::Version { owner, name, version } => {
                let (model, _) = if_visible(api.get(&["models", owner, name], deadline).await)?;
                let endpoint = Endpoint::Version(version.clone());
                if let Some((_, schema)) =
                    latest(&model).filter(|(id, schema)| id == version && !schema.is_null())
                {
                    return Ok(Self::new(endpoint, Some(version.clone()), schema, &model));
                }
                let path = ["models", owner, name, "versions", version];
                let (found, hidden) = if_visible(api.get(&path, deadline).await)?;
                Ok(Self { hidden, ..Self::new(endpoint, Some(version.clone()), &schema(found), &model) })
            }
            Target::Model { owner, name } => {
                let model = api.get(&["models", owner, name], deadline).await?;
                let latest = latest(&model);
                let version = latest.map(|(version, _)| version.to_owned());
                let mut published = latest.map(|(_, schema)| schema.clone()).unwrap_or_default();
                let official = model["is_official"] == true;
                let endpoint = match &version {
                    _ if official => Endpoint::Official { owner: owner.clone(), name: name.clone() },
                    Some(version) => Endpoint::Version(version.clone()),
                    None => {
                        return Err(Problem::new(
                            Kind::Missing,
                            format!(
                                "{owner}/{name} is not an official model and has no version to run: \
                                 push one, or name another model in warm.toml"
                            ),
                        ));
                    }
                };
                if let (true, Endpoint::Version(version)) = (published.is_null(), &endpoint) {
                    let path = ["models", owner, name, "versions", version];
                    published = schema(api.get(&path, deadline).await?);
                }
                Ok(Self::new(endpoint, version, &published, &model))
            }
            Target::Deployment { owner, name } => Self::of_deployment(api, owner, name, deadline).await,
            Target::Cog { .. } => Err(Problem::new(Kind::Missing, "a Cog server is not on Replicate")),
        }
    }

    async fn of_deployment(api: &Api, owner: &str, name: &str, deadline: Instant) -> Result<Self, Problem> {
        let deployment = api.get(&["deployments", owner, name], deadline).await?;
        let Some(([model_owner, model_name], version)) = released(&deployment) else {
            return Err(Problem::new(
                Kind::Missing,
                format!("the deployment {owner}/{name} has no release to run: release one"),
            ));
        };
        let path = ["models", model_owner, model_name, "versions", version];
        let (found, hidden) = if_visible(api.get(&path, deadline).await)?;
        let (model, _) = if_visible(api.get(&path[..3], deadline).await)?;
        let endpoint = Endpoint::Deployment { owner: owner.to_owned(), name: name.to_owned() };
        let configured = &deployment["current_release"]["configuration"];
        Ok(Self {
            hidden,
            official: None,
            private: None,
            min_instances: configured["min_instances"].as_u64(),
            ..Self::new(endpoint, Some(version.to_owned()), &schema(found), &model)
        })
    }

    pub(super) fn new(endpoint: Endpoint, version: Option<String>, schema: &Value, model: &Value) -> Self {
        Self {
            endpoint,
            version,
            schema: schema.into(),
            example: model.pointer("/default_example/input").filter(|input| input.is_object()).cloned(),
            example_took: example_took(model),
            official: model["is_official"].as_bool(),
            private: model["visibility"].as_str().map(|visibility| visibility == "private"),
            min_instances: None,
            hidden: None,
        }
    }

    /// The input of its heartbeats.
    pub(super) fn input(&self, user: &Map<String, Value>, rung: &Rung) -> Result<MadeInput, Problem> {
        input::minimal(&self.schema.read(), self.example.as_ref(), user, rung).map_err(|error| {
            match &self.hidden {
                Some(hidden) => hidden.clone(),
                None => Problem::new(Kind::Input, error.to_string()),
            }
        })
    }

    /// What the inputs of its version are remembered by.
    pub(super) fn version_key(&self) -> String {
        let known = self.version.clone().filter(|version| version.len() <= LONGEST_VERSION);
        known.unwrap_or_else(|| format!("{:08x}", input::fingerprint(&self.schema.0)))
    }

    /// The same model by its latest version: a model that says it is official, and is not.
    pub(super) fn by_version(&self) -> Option<Self> {
        let version = self.version.clone()?;
        let official = matches!(self.endpoint, Endpoint::Official { .. });
        official.then(|| Self { endpoint: Endpoint::Version(version), official: Some(false), ..self.clone() })
    }

    /// A deployment, or a private model: its idle time is billed.
    pub(super) fn is_billed_when_idle(&self) -> Option<bool> {
        match self.endpoint {
            Endpoint::Deployment { .. } => Some(true),
            Endpoint::Version(_) | Endpoint::Official { .. } => self.private,
        }
    }
}

fn example_took(model: &Value) -> Option<Duration> {
    let seconds = model.pointer("/default_example/metrics/predict_time")?.as_f64()?;
    Duration::try_from_secs_f64(seconds).ok().filter(|took| !took.is_zero() && *took <= LONGEST_EXAMPLE)
}

/// What was found, or null and the reason where it is not for this account to see.
fn if_visible(found: Result<Value, Problem>) -> Result<(Value, Option<Problem>), Problem> {
    match found {
        Ok(found) => Ok((found, None)),
        Err(problem) if problem.kind == Kind::Missing => Ok((Value::Null, Some(problem))),
        Err(problem) => Err(problem),
    }
}

/// A model's latest version, and its schema.
pub(super) fn latest(model: &Value) -> Option<(&str, &Value)> {
    let latest = &model["latest_version"];
    Some((latest["id"].as_str()?, &latest["openapi_schema"]))
}

/// What a deployment runs: the model's owner and name, and its version.
pub(super) fn released(deployment: &Value) -> Option<([&str; 2], &str)> {
    let release = &deployment["current_release"];
    let (owner, name) = release["model"].as_str()?.split_once('/')?;
    Some(([owner, name], release["version"].as_str()?))
}

/// A version's schema; null where there is none, whatever else it is that came.
pub(super) fn schema(mut version: Value) -> Value {
    version.get_mut("openapi_schema").map(Value::take).unwrap_or_default()
}
