//! What the user should know of a model, a sentence each. Pure.

use super::ModelStatus;
use crate::config::{Model, Probe, Target};
use crate::heartbeat::Outcome;
use crate::journal::State;
use crate::provider::Facts;
use crate::quote;
use crate::state::Known;

/// Fewer answers than this tell no tendency.
const ENOUGH: u64 = 5;

/// A heartbeat that takes more than this share of its interval is none that is small.
const LARGE: f64 = 0.1;

/// The notes of one model, whose figures are already in `status`.
pub(super) fn notes(model: &Model, known: &Known, facts: &Facts, status: &ModelStatus) -> Vec<String> {
    let mut notes = Vec::new();
    if facts.official == Some(true) {
        notes.push(
            "an official model: Replicate keeps it warm by itself, and bills each heartbeat's output; \
             they only measure it"
                .to_owned(),
        );
    }
    if facts.billed_when_idle == Some(true) {
        notes.push(match model.target {
            Target::Deployment { .. } => "a deployment: its setup and idle time are billed, so keeping it \
                                          warm costs all the time between two heartbeats; min_instances = 1 \
                                          does the same without them"
                .to_owned(),
            Target::Version { .. } | Target::Model { .. } | Target::Cog { .. } => {
                "a private model: its setup and idle time are billed, so keeping it warm costs all the \
                 time between two heartbeats"
                    .to_owned()
            }
        });
    }
    let failed = known.recent.iter().filter(|failed| **failed).count();
    // Where the model is failing, the reason says it.
    if failed > 0 && status.state != State::Failing {
        notes.push(format!(
            "{failed} of the last {} heartbeats ran and failed: the model is up, but users may meet the same; \
             the latest: {}",
            known.recent.len(),
            known.complaint.as_deref().unwrap_or("without a word of why")
        ));
    }
    if model.probe == Probe::Health {
        notes.push("only its health check is asked (probe = \"health\"): no latency is measured".to_owned());
    }
    let count = |outcome| status.counts.get(&outcome).copied().unwrap_or(0);
    let (warm, cold) = (count(Outcome::Warm), count(Outcome::Cold));
    if warm + cold >= ENOUGH && cold > warm {
        notes.push(format!(
            "{cold} of {} heartbeats found it cold: it goes cold between two of them; a shorter interval \
             than {} s would keep it warm",
            warm + cold,
            status.interval
        ));
    }
    if let Some(warm) = status.latency.warm.as_ref().filter(|warm| warm.count >= ENOUGH)
        && warm.p50 / status.interval > LARGE
    {
        notes.push(format!(
            "a heartbeat typically takes {:.2} s, which is {:.0} % of its interval: a smaller `input` makes it \
             shorter; a longer `interval` costs less, and leaves more of the model to real traffic",
            warm.p50,
            100.0 * warm.p50 / status.interval
        ));
    }
    if !facts.guessed.is_empty() {
        notes.push(format!(
            "the values of these inputs are made up, since the schema gives none: {}; `input` in the \
             configuration sets them",
            quote::names(&facts.guessed)
        ));
    }
    notes
}
