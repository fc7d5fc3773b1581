//! What a Cog server answers, generation by generation.

use super::super::pool::Moment;
use super::super::schema::InvalidField;
use super::process::{Life, Process, Run};
use super::{CogSettings, Generation};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};

pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// As Python writes it: microseconds, and the offset in digits.
fn date(process: &Process, at: Moment) -> Value {
    json!(process.date(at).to_rfc3339_opts(SecondsFormat::Micros, false))
}

/// `GET /health-check`, which a process that answers always answers with 200.
pub(super) fn health(process: &Process, settings: &CogSettings) -> Response {
    let rust = settings.generation == Generation::Cog023;
    let (status, setup) = match process.life {
        Life::Gone { .. } | Life::Asleep | Life::Setup { .. } if !rust => ("STARTING", json!({})),
        Life::Gone { .. } | Life::Asleep => ("UNKNOWN", json!({})),
        Life::Setup { since, .. } => {
            ("STARTING", json!({"started_at": date(process, since), "status": "starting"}))
        }
        Life::Up { since, ready } => {
            let status = if process.is_busy() { "BUSY" } else { "READY" };
            (status, setup(process, since, ready, "succeeded", ""))
        }
        Life::Failed { since, at } => {
            let logs = "RuntimeError: the sandbox was told to fail this setup\n";
            ("SETUP_FAILED", setup(process, since, at, "failed", logs))
        }
    };
    let status = process.ailment.as_deref().unwrap_or(status);
    let mut body = json!({"status": status, "setup": setup});
    if rust {
        body["version"] = json!({"coglet": "0.23.1", "cog": "0.23.1", "python": "3.11.7"});
    }
    answer(StatusCode::OK, &body)
}

fn setup(process: &Process, since: Moment, at: Moment, status: &str, logs: &str) -> Value {
    json!({
        "started_at": date(process, since),
        "completed_at": date(process, at),
        "logs": logs,
        "status": status,
    })
}

/// A prediction that comes while the setup runs, or after it failed.
pub(super) fn not_ready(generation: Generation) -> Response {
    match generation {
        Generation::Cog09 | Generation::Cog016 => occupied(generation),
        Generation::Cog023 => {
            let error = "Setup has not finished yet. Predictions are accepted once it has.";
            answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"error": error, "status": "failed"}))
        }
    }
}

/// A prediction that comes while all slots are taken.
pub(super) fn occupied(generation: Generation) -> Response {
    let body = match generation {
        Generation::Cog09 | Generation::Cog016 => json!({"detail": "Already running a prediction"}),
        Generation::Cog023 => {
            json!({"error": "At capacity - all prediction slots busy", "status": "failed"})
        }
    };
    answer(StatusCode::CONFLICT, &body)
}

pub(super) fn invalid(fields: &[InvalidField]) -> Response {
    let told = |field: &InvalidField| {
        let mut place = vec!["body", "input"];
        let required = field.rule == "required";
        let name = field.field.strip_prefix("input.").or(field.description.strip_suffix(" is required"));
        place.extend(name);
        let message = if required { "field required" } else { field.description.as_str() };
        let kind =
            if required { "value_error.missing".to_owned() } else { format!("value_error.{}", field.rule) };
        json!({"loc": place, "msg": message, "type": kind})
    };
    let detail: Vec<_> = fields.iter().map(told).collect();
    answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({"detail": detail}))
}

pub(super) fn not_a_body() -> Response {
    let detail = json!([{"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}]);
    answer(StatusCode::UNPROCESSABLE_ENTITY, &json!({"detail": detail}))
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Ran,
    Canceled,
}

/// A prediction that came to its end; with what it was asked and would answer.
pub(super) fn done(
    process: &Process,
    settings: &CogSettings,
    run: &Run,
    (end, at): (End, Moment),
    input: &Map<String, Value>,
    output: Value,
) -> Response {
    let took = json!({"predict_time": at.saturating_sub(run.started).as_secs_f64()});
    let (status, output, error) = match (end, &settings.fails) {
        (End::Canceled, _) => ("canceled", Value::Null, Value::Null),
        (End::Ran, None) => ("succeeded", output, Value::Null),
        (End::Ran, Some(error)) => ("failed", Value::Null, json!(error)),
    };
    let body = if settings.generation == Generation::Cog023 {
        let mut body = json!({"id": run.id, "logs": "", "metrics": took, "output": output, "status": status});
        if let Some(error) = error.as_str() {
            body["error"] = json!(format!("Prediction failed: {error}"));
        }
        body
    } else {
        json!({
            "input": input,
            "output": output,
            "id": run.id,
            "version": null,
            "created_at": date(process, run.started),
            "started_at": date(process, run.started),
            "completed_at": date(process, at),
            "logs": "",
            "error": error,
            "status": status,
            "metrics": if status == "succeeded" { took } else { Value::Null },
        })
    };
    answer(StatusCode::OK, &body)
}

/// A prediction that runs, and was not waited for.
pub(super) fn accepted(run: &Run) -> Response {
    answer(StatusCode::ACCEPTED, &json!({"id": run.id, "logs": "", "output": null, "status": "processing"}))
}
