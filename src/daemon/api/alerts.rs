//! `POST /v1/alerts/test`: the ways of alerts, tried.

use super::Api;
use crate::daemon::alerts::Refusal;
use crate::daemon::problem::Problem;
use crate::status;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `name`, or none of it")]
struct TestRequest {
    name: Option<String>,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown { .. } => Self::new(StatusCode::NOT_FOUND, "unknown alert", refusal),
            Refusal::NoAlerts | Refusal::Disabled(_) => {
                Self::new(StatusCode::CONFLICT, "no alert to test", refusal)
            }
            Refusal::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many tests at once", refusal),
        }
    }
}

/// Sends a test event by each way, or by the one that is named, once, and tells how each did.
pub(super) async fn test(
    State(api): State<Api>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let body = body?;
    let request: TestRequest = if body.is_empty() {
        TestRequest::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| {
            let detail = format!("the body is not {{\"name\": \"ops\"}} or empty: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "bad test", detail)
        })?
    };
    let tried = api.trial.run(request.name.as_deref()).await?;
    let told: Vec<Value> = tried
        .iter()
        .map(|way| {
            json!({
                "name": way.name,
                "to": way.to,
                "ok": way.error.is_none(),
                "took": way.took.as_secs_f64(),
                "error": way.error,
            })
        })
        .collect();
    Ok(Json(json!({ "version": status::VERSION, "alerts": told })))
}
