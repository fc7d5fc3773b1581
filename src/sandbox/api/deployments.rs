//! Deployments: each change is a new release, which has instances of its own.

use super::super::catalog::{Deployment, is_version};
use super::super::problem::{Answer, Refusal, json_answer};
use super::super::settings::{Conduct, DeploymentSettings};
use super::account::USERNAME;
use super::{Caller, OwnerName};
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use chrono::SecondsFormat;
use serde::Deserialize;
use serde_json::{Value, json};

/// The bounds of the real thing.
const MIN_INSTANCES: std::ops::RangeInclusive<u8> = 0..=5;
const MAX_INSTANCES: std::ops::RangeInclusive<u8> = 0..=20;

/// `GET /deployments`
pub(super) async fn list(caller: Caller) -> Answer {
    let (state, _) = caller.lock();
    let results: Vec<_> = state.catalog.deployments().take(100).map(deployment_json).collect();
    Ok(json_answer(StatusCode::OK, &json!({"next": null, "previous": null, "results": results})))
}

/// `GET /deployments/{owner}/{name}`
pub(super) async fn get(caller: Caller, Path((owner, name)): OwnerName) -> Answer {
    let (mut state, _) = caller.lock();
    let deployment = state.catalog.deployment(&owner, &name).ok_or_else(Refusal::not_found)?;
    Ok(json_answer(StatusCode::OK, &deployment_json(deployment)))
}

#[derive(Debug, Deserialize)]
struct Create {
    name: String,
    model: String,
    version: String,
    hardware: String,
    min_instances: u8,
    max_instances: u8,
}

/// `POST /deployments`
pub(super) async fn create(caller: Caller, body: Bytes) -> Answer {
    let wanted: Create = parse(&body)?;
    bounds(wanted.min_instances, wanted.max_instances)?;
    let (mut state, now) = caller.lock();
    let at = state.world.calendar.date(now);
    let (owner, name) = wanted.model.split_once('/').ok_or_else(Refusal::not_found)?;
    let model = state.catalog.model(owner, name).ok_or_else(Refusal::not_found)?;
    state.catalog.version(owner, name, &wanted.version).ok_or_else(Refusal::invalid_version)?;
    let settings = DeploymentSettings {
        owner: USERNAME.to_owned(),
        name: wanted.name.clone(),
        model: wanted.model.clone(),
        version: Some(wanted.version),
        min_instances: wanted.min_instances,
        conduct: Conduct::clone(&model.conduct),
    };
    if !state.catalog.create_deployment(&settings, at) {
        return Err(Refusal::bad_request("A deployment with this name already exists."));
    }
    let made = state.catalog.deployment(USERNAME, &wanted.name).ok_or_else(Refusal::server_error)?;
    made.hardware = wanted.hardware;
    made.max_instances = wanted.max_instances;
    Ok(json_answer(StatusCode::OK, &deployment_json(made)))
}

#[derive(Debug, Deserialize)]
struct Update {
    version: Option<String>,
    hardware: Option<String>,
    min_instances: Option<u8>,
    max_instances: Option<u8>,
}

/// `PATCH /deployments/{owner}/{name}`
pub(super) async fn update(caller: Caller, Path((owner, name)): OwnerName, body: Bytes) -> Answer {
    let wanted: Update = parse(&body)?;
    let (mut state, now) = caller.lock();
    let at = state.world.calendar.date(now);
    let deployment = state.catalog.deployment(&owner, &name).ok_or_else(Refusal::not_found)?;
    let min = wanted.min_instances.unwrap_or(deployment.min_instances);
    let max = wanted.max_instances.unwrap_or(deployment.max_instances);
    bounds(min, max)?;
    if wanted.version.as_deref().is_some_and(|version| !is_version(version)) {
        return Err(Refusal::invalid_version());
    }
    if let Some(version) = wanted.version {
        deployment.version = version;
    }
    if let Some(hardware) = wanted.hardware {
        deployment.hardware = hardware;
    }
    (deployment.min_instances, deployment.max_instances) = (min, max);
    deployment.number += 1;
    deployment.released_at = at;
    Ok(json_answer(StatusCode::OK, &deployment_json(deployment)))
}

/// `DELETE /deployments/{owner}/{name}`
pub(super) async fn delete(caller: Caller, Path((owner, name)): OwnerName) -> Answer {
    let deleted = caller.lock().0.catalog.delete_deployment(&owner, &name);
    if deleted { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Refusal::not_found()) }
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad_request(&error.to_string()))
}

fn bounds(min: u8, max: u8) -> Result<(), Refusal> {
    if MIN_INSTANCES.contains(&min) && MAX_INSTANCES.contains(&max) {
        return Ok(());
    }
    Err(Refusal::bad_request("min_instances is from 0 to 5, max_instances from 0 to 20."))
}

fn deployment_json(deployment: &Deployment) -> Value {
    json!({
        "owner": deployment.owner,
        "name": deployment.name,
        "current_release": {
            "number": deployment.number,
            "model": deployment.model,
            "version": deployment.version,
            "created_at": deployment.released_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "created_by": {"type": "user", "username": USERNAME, "name": "Sandbox", "github_url": null},
            "configuration": {
                "hardware": deployment.hardware,
                "min_instances": deployment.min_instances,
                "max_instances": deployment.max_instances,
            },
        },
    })
}
