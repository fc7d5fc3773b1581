//! `check --online`: whether a heartbeat would work, without sending one.

use super::health::{Said, State};
use super::recipe::{Recipe, Schema};
use super::{Cog, health, quote};
use crate::clock;
use crate::config::Probe;
use crate::heartbeat::Answer;
use crate::provider::http::HttpError;
use crate::provider::{Inspection, input};
use std::time::Duration;

/// How long a person waits for one answer at a prompt.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn inspect(cog: &Cog) -> Inspection {
    let mut inspection = Inspection::default();
    if let Some(version) = server(cog, &mut inspection).await {
        if let Some(version) = version {
            inspection.facts.push(format!("Cog {version}"));
        }
        if cog.model.probe == Probe::Predict {
            fit(cog, &mut inspection).await;
        }
    }
    inspection
}

/// Asks the health check; the server's version where it is worth asking on.
async fn server(cog: &Cog, inspection: &mut Inspection) -> Option<Option<String>> {
    let patience = PATIENCE.min(cog.model.timeout);
    let reply = match cog.get(&["health-check"], clock::instant() + patience).await {
        Ok(reply) => reply,
        Err(error @ HttpError::TimedOut { .. }) => {
            let guess = "it may be scaled to zero, or predict: Cog 0.9 answers nothing meanwhile";
            inspection.problems.push(format!("{error}: {guess}"));
            return None;
        }
        Err(error) => {
            inspection.problems.push(error.to_string());
            return None;
        }
    };
    let health = match Said::of(&reply) {
        Said::Health(health) => health,
        Said::Gateway(said) if reply.proxy().is_some() => {
            inspection
                .problems
                .push(format!("{said}: it may not reach this server, which may also be scaled to zero"));
            return None;
        }
        Said::Gateway(said) => {
            inspection.facts.push(format!("{said}: the model may be scaled to zero"));
            return None;
        }
        Said::Refused(answer) => {
            inspection.problems.extend(reason(answer));
            return None;
        }
    };
    match health.state {
        State::Ready => inspection.facts.push(format!("{} says READY", health::PATH)),
        State::Busy => inspection.facts.push(format!("{} says BUSY", health::PATH)),
        State::Starting => {
            inspection.facts.push(format!("{} says STARTING", health::PATH));
            return None;
        }
        State::Down(why) => {
            inspection.problems.push(why);
            return None;
        }
    }
    Some(match health.version {
        Some(version) => Some(version),
        None => version_of_index(cog).await,
    })
}

/// Versions 0.14 to 0.16 tell theirs at `GET /` alone.
async fn version_of_index(cog: &Cog) -> Option<String> {
    let reply = cog.get(&[], clock::instant() + PATIENCE).await.ok()?;
    Some(quote::message(reply.json()?.get("cog_version")?.as_str()?))
}

/// Whether an input can be made, and whether the user's keys fit.
async fn fit(cog: &Cog, inspection: &mut Inspection) {
    let schema = match Schema::ask(cog, clock::instant() + PATIENCE).await {
        Ok(Schema::There(schema)) => schema,
        Ok(Schema::None) => {
            inspection.facts.push(if cog.model.input.is_empty() {
                "it publishes no schema: an empty input is sent, unless warm.toml sets input".to_owned()
            } else {
                "it publishes no schema: the input of warm.toml is sent as it is".to_owned()
            });
            return;
        }
        Ok(Schema::Gateway(said) | Schema::Page(said)) => {
            let scaled = "the model may be scaled to zero";
            inspection.facts.push(format!("{said} where the schema should be: {scaled}"));
            return;
        }
        Ok(Schema::Refused(answer)) => {
            inspection.problems.extend(reason(answer));
            return;
        }
        Err(error) => {
            inspection.problems.push(error.to_string());
            return;
        }
    };
    inspection.problems.extend(input::misfits(&schema, &cog.model.input));
    match Recipe::make(None, Some(&schema), &cog.model.input, &cog.recipes.learned()) {
        Ok(recipe) => {
            let input = serde_json::Value::Object(input::without_bytes(recipe.input())).to_string();
            inspection.facts.push(format!("a heartbeat sends {}", quote::message(&input)));
            if !recipe.guessed().is_empty() {
                inspection.facts.push(format!("made up: {}", crate::quote::names(recipe.guessed())));
            }
        }
        Err(answer) => inspection.problems.extend(reason(answer)),
    }
}

fn reason(answer: Answer) -> Option<String> {
    match answer {
        Answer::Failed(why)
        | Answer::Rejected(_, why)
        | Answer::RateLimited(why)
        | Answer::TimedOut(why)
        | Answer::Unreachable(why) => Some(why),
        Answer::Succeeded | Answer::Busy => None,
    }
}
