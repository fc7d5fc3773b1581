//! `warmctl check --online`: what the providers say of each enabled model.

use super::failure::Failure;
use super::look::{BAD, GOOD, Look};
use super::progress::{Count, Progress};
use super::session::Session;
use super::words;
use crate::config::env::Env;
use crate::config::value::Token;
use crate::config::{Config, Model};
use crate::provider::http::Client;
use crate::provider::{Inspection, Provider};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::sync::Arc;

/// Models asked about at a time: calls other than creates have a limit too.
const AT_ONCE: usize = 4;

/// What the provider of a model said.
#[derive(Debug, Serialize)]
pub(super) struct Inspected {
    /// The model's name.
    name: String,
    /// What is in order, a sentence each.
    facts: Vec<String>,
    /// What would keep heartbeats from succeeding, a sentence each.
    pub(super) problems: Vec<String>,
}

/// Asks about each enabled model, in the file's order.
pub(super) async fn inspect(config: &Config, session: &Session) -> Result<Vec<Inspected>, Failure> {
    let client = Client::new();
    // All are read before anybody is asked: what one server says may repeat another one's token.
    let enabled: Vec<_> = config.models.iter().filter(|model| model.enabled).collect();
    let enabled: Vec<_> =
        enabled.into_iter().map(|model| (model, token(config, model, &session.env))).collect();
    let count = Count::to(enabled.len());
    let asked = stream::iter(enabled.into_iter().map(async |(model, token)| {
        let inspected = ask(config, model, token, client.clone()).await;
        count.one_more();
        inspected
    }));
    let told = |waited: &str| format!("asked the providers about {}, {waited}", count.told());
    Ok(Progress::of(session).during(asked.buffered(AT_ONCE).collect(), told).await)
}

/// A model's token, where it has one; or why it can't be read.
fn token(config: &Config, model: &Model, env: &Env) -> Result<Option<Token>, String> {
    let read = model.token_source(&config.replicate).map(|source| source.read(env));
    read.transpose().map(|read| read.map(|(token, _)| token)).map_err(|error| error.to_string())
}

async fn ask(
    config: &Config,
    model: &Arc<Model>,
    token: Result<Option<Token>, String>,
    client: Client,
) -> Inspected {
    let Inspection { facts, problems } = match token {
        Ok(token) => Provider::new(model, &config.replicate, token, client).inspect().await,
        Err(error) => Inspection { facts: Vec::new(), problems: vec![error] },
    };
    Inspected { name: model.name.to_string(), facts, problems }
}

/// The same for people: a block a model, its problems first.
pub(super) fn told(inspected: &[Inspected], look: &Look) -> String {
    let mut text = String::new();
    for Inspected { name, facts, problems } in inspected {
        text.push_str(&look.bold(name));
        text.push('\n');
        let problems = problems.iter().map(|problem| ("problem", BAD, problem));
        for (mark, style, sentence) in problems.chain(facts.iter().map(|fact| ("ok", GOOD, fact))) {
            for (n, line) in words::wrap(sentence, look.width - MARK - 2).iter().enumerate() {
                let mark = if n == 0 { mark } else { "" };
                text.push_str("  ");
                text.push_str(&look.paint(style, mark));
                text.push_str(&" ".repeat(MARK - mark.len()));
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// The width of `problem`, and a gap.
const MARK: usize = 9;
