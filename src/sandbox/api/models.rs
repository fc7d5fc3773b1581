//! Models and their versions.

use super::super::catalog::Catalog;
use super::super::problem::{Answer, Refusal, json_answer};
use super::super::schema;
use super::super::settings::{Kind, ModelSettings, VersionSettings};
use super::{Caller, OwnerName};
use axum::extract::Path;
use axum::http::StatusCode;
use chrono::SecondsFormat;
use serde_json::{Value, json};

/// The version of Cog that every version says it was made with.
const COG: &str = "0.16.12";

/// `GET /models`: those listed, and those made up so far; all on one page, as few as they are.
pub(super) async fn list(caller: Caller) -> Answer {
    let (state, _) = caller.lock();
    let seen = state.catalog.models().filter(|model| model.kind != Kind::Private).take(100);
    let results: Vec<_> = seen.map(|model| model_json(&state.catalog, model, &caller.origin)).collect();
    Ok(json_answer(StatusCode::OK, &json!({"next": null, "previous": null, "results": results})))
}

/// `GET /models/{owner}/{name}`
pub(super) async fn get(caller: Caller, Path((owner, name)): OwnerName) -> Answer {
    let (mut state, _) = caller.lock();
    let model = state.catalog.model(&owner, &name).ok_or_else(Refusal::not_found)?;
    Ok(json_answer(StatusCode::OK, &model_json(&state.catalog, &model, &caller.origin)))
}

/// `GET /models/{owner}/{name}/versions`
pub(super) async fn versions(caller: Caller, Path((owner, name)): OwnerName) -> Answer {
    let (mut state, _) = caller.lock();
    let model = state.catalog.model(&owner, &name).ok_or_else(Refusal::not_found)?;
    let results: Vec<_> =
        model.versions.iter().map(|version| version_json(&state.catalog, version)).collect();
    Ok(json_answer(StatusCode::OK, &json!({"next": null, "previous": null, "results": results})))
}

/// `GET /models/{owner}/{name}/versions/{id}`
pub(super) async fn version(
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, String)>,
) -> Answer {
    let (mut state, _) = caller.lock();
    let version = state.catalog.version(&owner, &name, &id).ok_or_else(Refusal::not_found)?;
    Ok(json_answer(StatusCode::OK, &version_json(&state.catalog, &version)))
}

pub(super) fn model_json(catalog: &Catalog, model: &ModelSettings, origin: &str) -> Value {
    let latest = model.versions.first();
    json!({
        "url": format!("{origin}/{}/{}", model.owner, model.name),
        "owner": model.owner,
        "name": model.name,
        "description": "A model of the sandbox",
        "visibility": if model.kind == Kind::Private { "private" } else { "public" },
        "github_url": null,
        "paper_url": null,
        "license_url": null,
        "run_count": 1,
        "cover_image_url": null,
        "default_example": model.example.as_ref().map(|input| example_json(catalog, model, input, origin)),
        "latest_version": latest.map(|version| version_json(catalog, version)),
        "is_official": model.kind == Kind::Official,
    })
}

fn version_json(catalog: &Catalog, version: &VersionSettings) -> Value {
    json!({
        "id": version.id,
        "created_at": catalog.since.to_rfc3339_opts(SecondsFormat::Micros, true),
        "cog_version": COG,
        "openapi_schema": version.schema,
    })
}

/// A prediction that somebody made once.
fn example_json(
    catalog: &Catalog,
    model: &ModelSettings,
    input: &serde_json::Map<String, Value>,
    origin: &str,
) -> Value {
    let at = catalog.since.to_rfc3339_opts(SecondsFormat::Millis, true);
    let id = "example0000000000000000000";
    let url = format!("{origin}/v1/predictions/{id}");
    let latest = model.versions.first();
    json!({
        "id": id,
        "model": format!("{}/{}", model.owner, model.name),
        "version": latest.map_or("hidden", |version| version.id.as_str()),
        "input": input,
        "logs": "",
        "output": latest.map(|version| schema::output(&version.schema)),
        "error": null,
        "status": "succeeded",
        "created_at": at,
        "started_at": at,
        "completed_at": at,
        "data_removed": false,
        "metrics": {"predict_time": 0.1, "total_time": 0.1},
        "urls": {"get": url, "cancel": format!("{url}/cancel"), "web": format!("{origin}/p/{id}")},
    })
}
