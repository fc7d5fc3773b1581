//! What is made of whatever the API answers.

use super::aim::{self, Aim, Endpoint};
use super::api::Api;
use super::follow::Follow;
use super::prediction::Prediction;
use super::problem::{Problem, note_limits};
use crate::clock::{self, Stopwatch};
use crate::heartbeat::{Limits, Observation, Phase, Signs};
use crate::provider::input::Rung;
use crate::provider::{Facts, fuzzing, http};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::sync::LazyLock;
use std::time::Duration;
use tokio::sync::watch;

/// The longest that an account may be told to wait.
const DAY: Duration = Duration::from_hours(24);

/// What is learned of the model, and what is seen of a heartbeat, from one answer.
pub(crate) fn answered(data: &[u8], sent_at: DateTime<Utc>) -> (Facts, Option<Observation>) {
    let (asked, reply) = fuzzing::exchange(data);
    let mut limits = Limits { creates: 1, ..Limits::default() };
    note_limits(&mut limits, &reply);
    let took = Duration::from_millis(400);
    let observation = |answer, signs, total, limits: Limits| {
        assert!(limits.reset_in.max(limits.retry_after).is_none_or(|delay| delay <= DAY), "{limits:?}");
        Some(Observation { sent_at, done_at: sent_at + took, total, answer, signs, limits })
    };
    let body = match Problem::check("GET /v1/it", &reply) {
        Ok(body) => body,
        Err(problem) => {
            limits.retry_after = problem.retry_after;
            let _ = problem.names("prompt");
            return (Facts::default(), observation(problem.into_answer(), Signs::default(), took, limits));
        }
    };
    match asked.as_str() {
        "model" => (of_model(&body), None),
        "version" => {
            let schema = aim::schema(body);
            (of_aim(&Aim::new(Endpoint::Version("v".to_owned()), None, &schema, &Value::Null)), None)
        }
        "deployment" => {
            let _ = aim::released(&body);
            (Facts::default(), None)
        }
        _ => {
            let Some(prediction) = Prediction::parse(&body) else { return (Facts::default(), None) };
            let answer = follow().answer(&prediction);
            let prediction = prediction.within(took);
            let total = prediction.total().unwrap_or(took);
            (Facts::default(), observation(answer, prediction.signs(), total, limits))
        }
    }
}

fn of_model(model: &Value) -> Facts {
    let (version, schema) =
        aim::latest(model).map_or((None, &Value::Null), |(id, schema)| (Some(id.to_owned()), schema));
    of_aim(&Aim::new(Endpoint::Version("v".to_owned()), version, schema, model))
}

fn of_aim(aim: &Aim) -> Facts {
    let made = aim.input(&Map::new(), &Rung::default());
    Facts {
        official: aim.official,
        billed_when_idle: aim.is_billed_when_idle(),
        guessed: made.map(|made| made.guessed).unwrap_or_default(),
    }
}

/// A heartbeat on its way that never asks.
fn follow() -> Follow<'static> {
    static API: LazyLock<Api> = LazyLock::new(|| {
        let base = reqwest::Url::parse("http://127.0.0.1:9/v1").expect("a URL");
        Api::new(base, None, http::Client::new())
    });
    static PHASE: LazyLock<watch::Sender<Phase>> = LazyLock::new(|| watch::Sender::new(Phase::Sent));
    let timeout = Duration::from_mins(10);
    Follow {
        api: &API,
        sent: Stopwatch::start(),
        deadline: clock::instant() + timeout,
        timeout,
        cold_after: Duration::from_millis(2500),
        interval: Duration::from_secs(30),
        phase: &PHASE,
    }
}
