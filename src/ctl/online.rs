//! `warmctl check --online`: what the providers say of each enabled model.

use super::failure::Failure;
use super::look::{BAD, GOOD, Look, WARNING};
use super::progress::{Count, Progress};
use super::session::Session;
use super::words;
use crate::config::env::Env;
use crate::config::value::Token;
use crate::config::{Config, Model};
use crate::daemon::configuration::read_secrets;
use crate::provider::http::Client;
use crate::provider::{Effort, Inspection, Provider};
use crate::{clock, quote};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

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
    /// What works, and is perhaps not what was meant, a sentence each.
    notes: Vec<String>,
}

/// Asks about each enabled model, in the file's order.
pub(super) async fn inspect(config: &Config, session: &Session) -> Result<Vec<Inspected>, Failure> {
    let client = Client::new();
    read_secrets(config, &session.env, &|_| {});
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
    let Inspection { mut facts, problems, effort } = match token {
        Ok(token) => Provider::new(model, &config.replicate, token, client).inspect().await,
        Err(error) => Inspection { problems: vec![error], ..Inspection::default() },
    };
    let mut notes = Vec::new();
    if let Some(effort) = effort {
        let (sentence, is_too_much) =
            effort_in_words(&effort, model.interval, beats_a_day(model, clock::now()));
        (if is_too_much { &mut notes } else { &mut facts }).push(sentence);
    }
    Inspected { name: model.name.to_string(), facts, problems, notes }
}

/// How many heartbeats a model is sent on a day, on the average of a week.
fn beats_a_day(model: &Model, now: DateTime<Utc>) -> f64 {
    let open = model.hours.open_within(now, now + TimeDelta::days(7)).as_secs_f64();
    open / 7.0 / model.interval.as_secs_f64()
}

/// What a heartbeat takes, of its interval and of a day; and whether it is longer than the interval.
fn effort_in_words(effort: &Effort, interval: Duration, a_day: f64) -> (String, bool) {
    let (took, interval) = (effort.example.as_secs_f64(), interval.as_secs_f64());
    let every = words::span(interval);
    let percent = (100.0 * took / interval).round().max(1.0);
    // One at a time, so that a day has no more than its seconds of them.
    let seconds = rounded((a_day * took).min(a_day * interval));
    let share = |most: &str| {
        format!("{most}{percent} % of its interval of {every}, and {most}{seconds} GPU seconds a day")
    };
    let ran = format!("its example ran {}", words::measured(took));
    if !effort.set_by_user.is_empty() {
        let own = quote::names(&effort.set_by_user);
        return (
            format!("{ran}; a heartbeat that took as long would be {}: that is up to your {own}", share("")),
            false,
        );
    }
    if effort.is_less {
        return (format!("{ran}: a heartbeat takes less than that, {}", share("at most ")), false);
    }
    let sentence = format!("{ran}: a heartbeat takes about that, {}", share(""));
    if took <= interval {
        return (sentence, false);
    }
    let advice = "heartbeats that are due meanwhile are skipped: set a longer interval, or a smaller input";
    (format!("{sentence}; {advice}"), true)
}

/// A number to three digits, in groups of three: 35,700.
fn rounded(number: f64) -> String {
    let digits = (number.max(1.0).log10().floor() as i32 - 2).max(0);
    let step = 10_f64.powi(digits);
    let whole = format!("{:.0}", (number / step).round() * step);
    let groups: Vec<&str> =
        whole.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// The same for people: a block a model, its problems first.
pub(super) fn told(inspected: &[Inspected], look: &Look) -> String {
    let mut text = String::new();
    for Inspected { name, facts, problems, notes } in inspected {
        text.push_str(&look.bold(name));
        text.push('\n');
        let problems = problems.iter().map(|problem| ("problem", BAD, problem));
        let notes = notes.iter().map(|note| ("note", WARNING, note));
        let facts = facts.iter().map(|fact| ("ok", GOOD, fact));
        for (mark, style, sentence) in problems.chain(notes).chain(facts) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(took: f64, is_less: bool, own: &[&str]) -> (String, bool) {
        let set_by_user = own.iter().map(|key| (*key).to_owned()).collect();
        let effort = Effort { example: Duration::from_secs_f64(took), is_less, set_by_user };
        effort_in_words(&effort, Duration::from_secs(30), 2880.0)
    }

    #[test]
    fn what_a_heartbeat_takes_is_told_by_the_example() {
        assert_eq!(
            told(12.4, false, &[]),
            (
                "its example ran 12.4 s: a heartbeat takes about that, 41 % of its interval of 30 s, and 35,700 GPU \
                 seconds a day"
                    .to_owned(),
                false
            )
        );
        assert_eq!(
            told(45.0, true, &[]),
            (
                "its example ran 45.0 s: a heartbeat takes less than that, at most 150 % of its interval of 30 s, \
                 and at most 86,400 GPU seconds a day"
                    .to_owned(),
                false
            )
        );
        let (long, is_too_much) = told(45.0, false, &[]);
        assert!(
            is_too_much && long.contains("150 % of its interval of 30 s, and 86,400 GPU seconds a day; "),
            "{long}"
        );
        let (own, is_too_much) = told(45.0, false, &["num_steps"]);
        assert!(
            !is_too_much && own.ends_with("86,400 GPU seconds a day: that is up to your num_steps"),
            "{own}"
        );
        assert_eq!(["0.4", "999.6", "1234.5"].map(|n| rounded(n.parse().unwrap())), ["0", "1,000", "1,230"]);
    }
}
