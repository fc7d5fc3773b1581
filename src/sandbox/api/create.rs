//! Creating predictions: three ways in, one way on.

use super::super::catalog::Deployment;
use super::super::chance::hex_of;
use super::super::fault::Fault;
use super::super::prediction::{Fate, Labels};
use super::super::problem::{Answer, Refusal, json_answer};
use super::super::schema::{self, InvalidField};
use super::super::settings::{Conduct, Kind, ModelSettings};
use super::super::world::{Order, PoolKey};
use super::{Caller, OwnerName};
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// What is to run: found before the input is looked at.
struct Wanted {
    pool: PoolKey,
    conduct: Conduct,
    always_on: bool,
    asked: String,
    labels: Labels,
    schema: Value,
}

/// `POST /predictions`
pub(super) async fn of_version(caller: Caller, headers: HeaderMap, body: Bytes) -> Answer {
    let mut body = parse(&body)?;
    let version = body.remove("version");
    let version = version.as_ref().and_then(Value::as_str).unwrap_or_default();
    let wanted = {
        let (mut state, _) = caller.lock();
        state.catalog.resolve(version).map(|(model, version)| match version {
            Some(version) => Wanted {
                pool: PoolKey::Version(version.id.clone()),
                conduct: model.conduct.clone(),
                always_on: false,
                asked: path_of(&model),
                labels: Labels { model: path_of(&model), version: version.id, deployment: None },
                schema: version.schema,
            },
            None => official(&model),
        })
    };
    let wanted = wanted.ok_or_else(Refusal::invalid_version)?;
    create(&caller, wanted, &headers, body).await
}

/// `POST /models/{owner}/{name}/predictions`
pub(super) async fn of_model(
    caller: Caller,
    Path((owner, name)): OwnerName,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let body = parse(&body)?;
    // A community model needs its version: by its name alone it can't be run.
    let model = caller.lock().0.catalog.model(&owner, &name).filter(|model| model.kind == Kind::Official);
    let wanted = official(&model.ok_or_else(Refusal::not_found)?);
    create(&caller, wanted, &headers, body).await
}

/// `POST /deployments/{owner}/{name}/predictions`
pub(super) async fn of_deployment(
    caller: Caller,
    Path((owner, name)): OwnerName,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let body = parse(&body)?;
    let wanted = {
        let (mut state, _) = caller.lock();
        let deployment = state.catalog.deployment(&owner, &name).cloned();
        deployment.map(|deployment| {
            let id = &deployment.version;
            let version = deployment
                .model
                .split_once('/')
                .and_then(|(owner, name)| state.catalog.version(owner, name, id));
            of_release(&deployment, version.map_or_else(schema::plain, |version| version.schema))
        })
    };
    create(&caller, wanted.ok_or_else(Refusal::not_found)?, &headers, body).await
}

fn path_of(model: &ModelSettings) -> String {
    format!("{}/{}", model.owner, model.name)
}

fn official(model: &Arc<ModelSettings>) -> Wanted {
    Wanted {
        pool: PoolKey::Official(path_of(model)),
        conduct: model.conduct.clone(),
        always_on: true,
        asked: path_of(model),
        labels: Labels { model: path_of(model), version: "hidden".to_owned(), deployment: None },
        schema: model.versions.first().map_or_else(schema::plain, |version| version.schema.clone()),
    }
}

fn of_release(deployment: &Deployment, schema: Value) -> Wanted {
    let path = format!("{}/{}", deployment.owner, deployment.name);
    let alias = hex_of(&format!("{path} {}", deployment.number));
    Wanted {
        pool: PoolKey::Deployment(path.clone(), deployment.number),
        conduct: deployment.conduct.clone(),
        always_on: deployment.min_instances > 0,
        asked: path.clone(),
        labels: Labels {
            model: deployment.model.clone(),
            version: format!("dp-{}", &alias[..32]),
            deployment: Some(path),
        },
        schema,
    }
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let body = serde_json::from_slice::<Value>(body);
    let Ok(Value::Object(body)) = body else {
        return Err(Refusal::bad_request("The request's body is not a JSON object."));
    };
    Ok(body)
}

/// What the top level may hold besides `version`.
const KEYS: [&str; 4] = ["input", "webhook", "webhook_events_filter", "stream"];

async fn create(
    caller: &Caller,
    wanted: Wanted,
    headers: &HeaderMap,
    mut body: Map<String, Value>,
) -> Answer {
    let fault = caller.create_fault(&wanted.asked).await?;
    let wait = prefer(headers)?;
    let cancel_after = cancel_after(headers)?;
    let extra = body.keys().find(|key| !KEYS.contains(&key.as_str()));
    if let Some(key) = extra {
        return Err(Refusal::invalid_input(&[InvalidField {
            rule: "additional_property_not_allowed",
            field: "(root)".to_owned(),
            description: format!("Additional property {key} is not allowed"),
        }]));
    }
    let Some(Value::Object(input)) = body.remove("input") else {
        return Err(Refusal::invalid_input(&[InvalidField {
            rule: "required",
            field: "(root)".to_owned(),
            description: "input is required".to_owned(),
        }]));
    };
    let input = schema::check(&wanted.schema, &input).map_err(|wrong| Refusal::invalid_input(&wrong))?;
    let fate = match fault {
        Some(Fault::UnknownStatus) => Fate::UnknownStatus,
        Some(Fault::Fails) => Fate::Fails,
        _ if wanted.conduct.fails.is_some() => Fate::Fails,
        _ => Fate::Succeeds,
    };
    let order = Order {
        output: schema::output(&wanted.schema),
        pool: wanted.pool,
        conduct: wanted.conduct,
        always_on: wanted.always_on,
        asked: wanted.asked,
        labels: wanted.labels,
        input,
        fate,
        stuck: fault == Some(Fault::Stuck),
        evicted: fault == Some(Fault::Evicted),
        cancel_after,
    };
    let seq = {
        let (mut state, now) = caller.lock();
        state.world.create(order, now).ok_or_else(Refusal::server_error)?
    };
    if fault == Some(Fault::LostReply) {
        caller.tap.cut();
        return Err(Refusal::server_error());
    }
    let (status, body) = follow(caller, seq, wait).await.ok_or_else(Refusal::server_error)?;
    let mut response = json_answer(status, &body);
    if let Some(wait) = wait
        && let Ok(applied) = HeaderValue::from_str(&format!("wait={}", wait.as_secs()))
    {
        response.headers_mut().insert("preference-applied", applied);
    }
    caller.tell_limits(&mut response);
    Ok(response)
}

/// Waits for the end of a prediction, as far as the client wished. None where it was forgotten
/// meanwhile, to make room.
async fn follow(caller: &Caller, seq: u64, wait: Option<Duration>) -> Option<(StatusCode, Value)> {
    let shared = &caller.shared;
    let until = shared.now() + wait.unwrap_or_default();
    loop {
        let changed = shared.changed.notified();
        let pause = {
            let (mut state, now) = shared.lock();
            let calendar = state.world.calendar;
            let prediction = state.world.look(seq, now)?;
            let Some(wait) = wait else {
                return Some((StatusCode::CREATED, prediction.seen_starting(calendar, &caller.origin)));
            };
            if prediction.is_over() {
                return Some((StatusCode::CREATED, prediction.seen_at_once(calendar, &caller.origin)));
            }
            if now >= until || shared.stop.is_cancelled() {
                return Some((StatusCode::ACCEPTED, prediction.seen_starting(calendar, &caller.origin)));
            }
            let next = state.world.next_event(seq).unwrap_or(until).min(until);
            next.saturating_sub(now).min(wait)
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = changed => {}
            () = shared.stop.cancelled() => {}
        }
    }
}

/// `Prefer: wait`, or `Prefer: wait=N` with N from 1 to 60; what else may be preferred is ignored.
fn prefer(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let Some(value) = headers.get("prefer") else { return Ok(None) };
    let seconds = match value.to_str().unwrap_or_default() {
        "wait" => Some(60),
        text => match text.strip_prefix("wait=") {
            Some(n) => n.parse().ok().filter(|n| (1..=60).contains(n)),
            None => return Ok(None),
        },
    };
    let seconds =
        seconds.ok_or_else(|| Refusal::bad_request("Prefer must be wait=N with N from 1 to 60."))?;
    Ok(Some(Duration::from_secs(seconds)))
}

/// `Cancel-After: 30s`, `30`, `5m` or `1h30m45s`; at least 5 s.
fn cancel_after(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let Some(value) = headers.get("cancel-after") else { return Ok(None) };
    let seconds = value.to_str().ok().and_then(seconds).filter(|seconds| *seconds >= 5);
    let refusal = || Refusal::bad_request("Cancel-After must be a duration of at least 5 seconds.");
    Ok(Some(Duration::from_secs(seconds.ok_or_else(refusal)?)))
}

fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut rest) = (0_u64, text.trim());
    if let Ok(bare) = rest.parse::<u64>() {
        return Some(bare);
    }
    let mut units: &[(char, u64)] = &[('h', 3600), ('m', 60), ('s', 1)];
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let unit = rest[end..].chars().next()?;
        let at = units.iter().position(|(name, _)| *name == unit)?;
        total = total.checked_add(rest[..end].parse::<u64>().ok()?.checked_mul(units[at].1)?)?;
        units = &units[at + 1..];
        rest = &rest[end + 1..];
    }
    // No prediction runs for a year.
    (!text.trim().is_empty() && total < 366 * 86_400).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_after_is_read_as_replicate_writes_it() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("cancel-after", HeaderValue::from_str(text).unwrap());
            cancel_after(&headers).ok().flatten().map(|duration| duration.as_secs())
        };
        for (text, expected) in [("30", 30), ("30s", 30), ("5m", 300), ("1h30m45s", 5445), ("2h30m", 9000)] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for bad in ["", "4", "4s", "-5", "5x", "s", "5s5m", "1d", "99999999999999999999s", "5 s", "ü"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_wait_is_from_one_to_sixty_seconds() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", HeaderValue::from_static(text));
            prefer(&headers).ok().flatten().map(|duration| duration.as_secs())
        };
        assert_eq!((read("wait"), read("wait=1"), read("wait=60")), (Some(60), Some(1), Some(60)));
        for bad in ["wait=0", "wait=61", "wait=x", "respond-async"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
