//! What the sandbox serves beside the API: its own controls, under `/sandbox`.

use super::Shared;
use super::fault::FaultOrder;
use super::problem::{Answer, Refusal, json_answer};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;
use std::sync::Arc;

/// `GET /sandbox/faults`: those that are set and have not struck often enough yet.
pub(super) async fn list(State(shared): State<Arc<Shared>>) -> Answer {
    Ok(json_answer(StatusCode::OK, &json!(shared.lock().0.faults.list())))
}

/// `POST /sandbox/faults`: sets one.
pub(super) async fn set(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let order: FaultOrder =
        serde_json::from_slice(&body).map_err(|error| Refusal::bad_request(&error.to_string()))?;
    if !shared.lock().0.faults.set(order) {
        return Err(Refusal::bad_request("too many faults are set; DELETE /sandbox/faults clears them"));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /sandbox/faults`: clears all.
pub(super) async fn clear(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.lock().0.faults.clear();
    StatusCode::NO_CONTENT
}

/// `GET /sandbox/truth`, where the settings expose it.
pub(super) async fn truth(State(shared): State<Arc<Shared>>) -> Answer {
    let (mut state, now) = shared.lock();
    Ok(json_answer(StatusCode::OK, &json!(state.world.truth(now))))
}
