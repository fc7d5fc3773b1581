//! What is made of whatever a Cog server answers, or a proxy in front of it.

use super::health::{self, Said, State};
use super::prediction::Verdict;
use super::recipe::{Recipe, Schema};
use super::refusal;
use crate::heartbeat::{Answer, Limits, Observation, Rejection, Signs};
use crate::provider::input::Learned;
use crate::provider::{Facts, fuzzing};
use chrono::{DateTime, Utc};
use serde_json::Map;
use std::time::Duration;

/// What is learned of the model, and what is seen of a heartbeat, from one answer.
pub(crate) fn answered(data: &[u8], sent_at: DateTime<Utc>) -> (Facts, Option<Observation>) {
    let (asked, reply) = fuzzing::exchange(data);
    let took = Duration::from_millis(400);
    let limits = Limits { retry_after: refusal::retry_after(&reply), ..Limits::default() };
    let observation = |answer, signs| {
        Some(Observation { sent_at, done_at: sent_at + took, total: took, answer, signs, limits })
    };
    match asked.as_str() {
        "health" => {
            let (answer, signs) = match Said::of(&reply) {
                Said::Health(health) => {
                    let held = health::held_by_boot(health.setup, &[], sent_at);
                    let signs = Signs {
                        setup: health.setup,
                        met_starting: health.state == State::Starting,
                        held: held.then_some(took),
                        ..Signs::default()
                    };
                    let answer = match health.state {
                        State::Starting | State::Ready => Answer::Succeeded,
                        State::Busy => Answer::Busy,
                        State::Down(why) => Answer::Failed(why),
                    };
                    // It is told by `check --online`.
                    assert!(health.version.is_none_or(|version| !version.contains(char::is_control)));
                    (answer, signs)
                }
                Said::Gateway(said) => (Answer::Unreachable(said), Signs::default()),
                Said::Refused(answer) => (answer, Signs::default()),
            };
            (Facts::default(), observation(answer, signs))
        }
        "schema" => {
            let Schema::There(schema) = Schema::of(&reply) else { return (Facts::default(), None) };
            match Recipe::make(None, Some(&schema), &Map::new(), &Learned::default()) {
                Ok(recipe) => (Facts { guessed: recipe.guessed().to_vec(), ..Facts::default() }, None),
                Err(answer) => (Facts::default(), observation(answer, Signs::default())),
            }
        }
        _ => {
            let (answer, predict) = match Verdict::of(&reply) {
                Verdict::Ended(answer, predict) => (answer, predict),
                Verdict::Conflict | Verdict::NotReady => (Answer::Busy, None),
                Verdict::Gateway { said, .. } => (Answer::Unreachable(said), None),
                Verdict::Crashed(answer) => (answer, None),
                Verdict::Invalid { detail, .. } => (Answer::Rejected(Rejection::Input, detail), None),
            };
            (Facts::default(), observation(answer, Signs { predict, ..Signs::default() }))
        }
    }
}
