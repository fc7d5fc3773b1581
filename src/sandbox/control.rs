//! What the sandbox serves beside the API: its own controls, under `/sandbox`.

use super::Shared;
use super::fault::FaultOrder;
use super::problem::{Answer, Refusal, json_answer};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
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

/// One black pixel: the file that outputs refer to.
const PIXEL: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R', 0, 0, 0, 1, 0, 0, 0,
    1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 10, b'I', b'D', b'A', b'T', 0x78, 0x9c, 0x63, 0x60, 0,
    0, 0, 2, 0, 1, 0x48, 0xaf, 0xa4, 0x71, 0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];

/// `GET /sandbox/output.png`
pub(super) async fn output() -> Response {
    ([(header::CONTENT_TYPE, "image/png")], PIXEL).into_response()
}
