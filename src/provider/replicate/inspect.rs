//! What `check --online` asks of Replicate: reads alone, no prediction.

use super::aim::{Aim, Endpoint};
use super::api::Api;
use super::problem::{Kind, Problem};
use crate::clock;
use crate::config::Target;
use crate::provider::input::Rung;
use crate::provider::{Effort, Inspection, input};
use crate::quote;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};

/// How long all its calls may take together.
const ALLOWANCE: Duration = Duration::from_mins(1);

pub(super) async fn inspect(api: &Api, target: &Target, user: &Map<String, Value>) -> Inspection {
    let deadline = clock::instant() + ALLOWANCE;
    let mut found = Inspection::default();
    match account(api, deadline).await {
        Ok(fact) => found.facts.push(fact),
        Err(problem) => {
            let fatal = problem.kind == Kind::Token;
            found.problems.push(problem.sentence);
            if fatal {
                return found;
            }
        }
    }
    match Aim::look_up(api, target, deadline).await {
        // A version that this token can't see may run, but is likelier misspelt.
        Ok(Aim { hidden: Some(hidden), endpoint: Endpoint::Version(_), .. }) => {
            found.problems.push(hidden.sentence);
        }
        Ok(aim) => {
            describe(&aim, target, &mut found);
            judge_input(&aim, user, &mut found);
        }
        Err(problem) => found.problems.push(problem.sentence),
    }
    found
}

async fn account(api: &Api, deadline: Instant) -> Result<String, Problem> {
    if !api.has_token() {
        return Err(Problem::new(
            Kind::Token,
            "there is no token to ask with: set REPLICATE_API_TOKEN, or token_file in warm.toml",
        ));
    }
    let account = api.get(&["account"], deadline).await?;
    let whose = account["username"].as_str().map(|name| quote::start(name, 80));
    Ok(format!(
        "the token is good, and belongs to {}",
        whose.as_deref().unwrap_or("an account without a name")
    ))
}

fn describe(aim: &Aim, target: &Target, found: &mut Inspection) {
    let version = aim.version.as_deref().map(|version| quote::start(version, 12)).unwrap_or_default();
    found.facts.push(match &aim.endpoint {
        Endpoint::Official { .. } => format!("{target} exists, and is an official model"),
        Endpoint::Version(_) if matches!(target, Target::Version { .. }) => format!("{target} exists"),
        Endpoint::Version(_) => format!("{target} exists, and its latest version is {version}"),
        Endpoint::Deployment { .. } => {
            format!("the deployment {target} exists, and releases version {version}")
        }
    });
    if aim.official == Some(true) {
        found.facts.push("official models are always warm: a heartbeat measures them, and costs".to_owned());
    }
    match (aim.is_billed_when_idle(), aim.min_instances) {
        (Some(true), Some(0)) => found.facts.push(
            "its idle time is billed, and min_instances is 0: heartbeats keep an instance up and paid for; \
             min_instances = 1 does so without boots"
                .to_owned(),
        ),
        (Some(true), Some(up)) => {
            found
                .facts
                .push(format!("min_instances is {up}: it is always up, so heartbeats only measure it"));
        }
        (Some(true), None) => found.facts.push(
            "it is private, and its idle time is billed: heartbeats keep it up and paid for".to_owned(),
        ),
        (Some(false) | None, _) => {}
    }
}

fn judge_input(aim: &Aim, user: &Map<String, Value>, found: &mut Inspection) {
    found.problems.extend(input::misfits(&aim.schema.read(), user));
    match aim.input(user, &Rung::default()) {
        Ok(made) => {
            let keys: Vec<String> = made.input.keys().cloned().collect();
            found.facts.push(if made.input.is_empty() {
                "it needs no input".to_owned()
            } else {
                format!("its heartbeats send {}", quote::names(&keys))
            });
            let shown = |key: &String| aim.example.as_ref().is_some_and(|example| example.get(key).is_some());
            found.effort = aim.example_took.map(|example| Effort {
                example,
                // What is guessed although the example shows it is a small file in place of its own.
                is_less: !made.shrunk.is_empty() || made.guessed.iter().any(shown),
                set_by_user: made.set_by_user,
            });
            if !made.guessed.is_empty() {
                let guessed = quote::names(&made.guessed);
                found.facts.push(format!("made up: {guessed}"));
            }
        }
        Err(problem) => found.problems.push(problem.sentence),
    }
}
