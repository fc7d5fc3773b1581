//! The account, and what it may choose from.

use super::super::problem::{Answer, Refusal, json_answer};
use super::Caller;
use super::models::model_json;
use axum::extract::Path;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Whoever calls, by whatever token.
pub(super) const USERNAME: &str = "sandbox";

/// `GET /account`
pub(super) async fn account(_: Caller) -> Answer {
    let body = json!({
        "type": "user",
        "username": USERNAME,
        "name": "Sandbox",
        "avatar_url": null,
        "github_url": null,
    });
    Ok(json_answer(StatusCode::OK, &body))
}

/// `GET /hardware`
pub(super) async fn hardware(_: Caller) -> Answer {
    let body = json!([
        {"name": "CPU", "sku": "cpu"},
        {"name": "Nvidia T4 GPU", "sku": "gpu-t4"},
        {"name": "Nvidia L40S GPU", "sku": "gpu-l40s"},
        {"name": "Nvidia A100 (80GB) GPU", "sku": "gpu-a100-large"},
        {"name": "Nvidia H100 GPU", "sku": "gpu-h100"},
    ]);
    Ok(json_answer(StatusCode::OK, &body))
}

/// The one collection: its slug.
const COLLECTION: &str = "sandbox";

fn collection_json() -> Value {
    json!({"name": "Sandbox", "slug": COLLECTION, "description": "All the models of the sandbox"})
}

/// `GET /collections`
pub(super) async fn collections(_: Caller) -> Answer {
    let body = json!({"next": null, "previous": null, "results": [collection_json()]});
    Ok(json_answer(StatusCode::OK, &body))
}

/// `GET /collections/{slug}`
pub(super) async fn collection(caller: Caller, Path(slug): Path<String>) -> Answer {
    if slug != COLLECTION {
        return Err(Refusal::not_found());
    }
    let (state, _) = caller.lock();
    let models = state.catalog.models().take(100);
    let mut body = collection_json();
    body["models"] = models.map(|model| model_json(&state.catalog, model, &caller.origin)).collect();
    Ok(json_answer(StatusCode::OK, &body))
}
