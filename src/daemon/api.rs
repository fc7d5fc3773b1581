//! The daemon's HTTP API: all of it on the Unix socket, reads alone on TCP.

mod alerts;
mod history;
mod page;
mod scrape;

use super::alerts::Trial;
use super::command::{Command, Handle, NoSnapshot, Refusal, Stopping};
use super::problem::Problem;
use super::reload::{Outcome as ReloadOutcome, Reloader};
use crate::clock;
use crate::config::value::{parse_duration, parse_pause};
use crate::state::delta;
use crate::status::{self, LastHeartbeat, Snapshot};
use crate::store::{Store, StoreError};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The span of a report that names none.
const SINCE: Duration = Duration::from_hours(24);

/// How many may wait for a heartbeat that they asked for; each has a connection meanwhile.
pub(super) const BEATS: usize = 128;

/// What the routes reach.
#[derive(Debug, Clone)]
pub(super) struct Api {
    /// The engine.
    pub engine: Handle,
    /// What outlives the process.
    pub store: Arc<Store>,
    /// The file.
    pub reloader: Reloader,
    /// Who may wait for a heartbeat.
    pub beats: Arc<Semaphore>,
    /// Who tries the ways of alerts.
    pub trial: Trial,
}

impl Api {
    /// What answers by these.
    pub(super) fn new(engine: Handle, store: Arc<Store>, reloader: Reloader, trial: Trial) -> Self {
        Self { engine, store, reloader, beats: Arc::new(Semaphore::new(BEATS)), trial }
    }
}

/// What anyone may ask: reads.
pub(super) fn reads(api: Api) -> Router {
    routes().fallback(not_found).method_not_allowed_fallback(not_allowed).with_state(api)
}

/// What whoever may open the socket may ask: everything.
pub(super) fn everything(api: Api) -> Router {
    routes()
        .route("/v1/models/{name}/heartbeat", post(beat))
        .route("/v1/models/{name}/pause", post(pause))
        .route("/v1/models/{name}/resume", post(resume))
        .route("/v1/reload", post(reload))
        .route("/v1/alerts/test", post(alerts::test))
        .fallback(not_found)
        .method_not_allowed_fallback(not_allowed)
        .with_state(api)
}

fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/status", get(all))
        .route("/v1/models/{name}", get(one))
        .route("/v1/models/{name}/intervals", get(history::intervals))
        .route("/v1/events", get(history::events))
        .route("/", get(page::overview))
        .route("/models/{name}", get(page::one))
        .route("/assets/{name}", get(page::asset))
        .route("/metrics", get(scrape::metrics))
        .route("/-/healthy", get(scrape::healthy))
        .route("/-/ready", get(scrape::ready))
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad query", rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad path", rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(rejection.status(), "bad body", rejection.body_text())
    }
}

impl From<Stopping> for Problem {
    fn from(stopping: Stopping) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", stopping)
    }
}

impl From<NoSnapshot> for Problem {
    fn from(reason: NoSnapshot) -> Self {
        match reason {
            NoSnapshot::Stopping(stopping) => stopping.into(),
            NoSnapshot::Store(busy @ StoreError::Busy) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", busy)
            }
            NoSnapshot::Store(silent @ StoreError::Silent) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "no answer from the disk", silent)
            }
            NoSnapshot::Store(error) => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the state file can't be read", error)
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownModel { .. } => Self::new(StatusCode::NOT_FOUND, "unknown model", refusal),
            Refusal::Unequipped { .. } => Self::new(StatusCode::CONFLICT, "no heartbeat possible", refusal),
            Refusal::GivenUp(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "given up", refusal),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    since: Option<String>,
}

/// The instant that a report begins at: `24h` ago, or an RFC 3339 time.
fn start(since: Option<&str>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Problem> {
    let ago = |length: Duration| now.checked_sub_signed(delta(length)).unwrap_or(DateTime::UNIX_EPOCH);
    let Some(text) = since else { return Ok(ago(SINCE)) };
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc().min(now));
    }
    parse_duration(text).map(ago).map_err(|error| {
        let detail = format!("since={text:?}: {error}; or an RFC 3339 time");
        Problem::new(StatusCode::BAD_REQUEST, "bad span", detail)
    })
}

/// What a request names in its path and its query; a wrong one is a [`Problem`] like any other.
type Named = Result<Path<String>, PathRejection>;
type Spanned = Result<Query<Span>, QueryRejection>;

async fn all(State(api): State<Api>, span: Spanned) -> Result<Json<Snapshot>, Problem> {
    snapshot(&api, &span?.0).await.map(Json)
}

async fn one(State(api): State<Api>, name: Named, span: Spanned) -> Result<Json<Snapshot>, Problem> {
    let Path(name) = name?;
    let mut snapshot = snapshot(&api, &span?.0).await?;
    if !snapshot.models.iter().any(|model| model.name == name) {
        let names = snapshot.models.iter().map(|model| model.name.as_str());
        let nearest = crate::config::nearest::nearest(&name, names).map(str::to_owned);
        return Err(Refusal::UnknownModel { name, nearest }.into());
    }
    snapshot.models.retain(|model| model.name == name);
    Ok(Json(snapshot))
}

async fn snapshot(api: &Api, span: &Span) -> Result<Snapshot, Problem> {
    Ok(api.engine.snapshot(start(span.since.as_deref(), clock::now())?).await?)
}

async fn beat(State(api): State<Api>, name: Named) -> Result<Json<Value>, Problem> {
    let Path(name) = name?;
    let Ok(_waits) = api.beats.try_acquire() else {
        let detail = format!("{BEATS} wait for a heartbeat already; ask again when some of them have theirs");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many heartbeats at once", detail));
    };
    let answer = api.engine.ask(|reply| Command::Beat(name.clone(), reply)).await??;
    Ok(Json(json!({
        "version": status::VERSION,
        "model": name,
        "heartbeat": LastHeartbeat::from(&answer.heartbeat),
        "calibration": answer.calibration,
    })))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `for`, or none of it")]
struct PauseRequest {
    r#for: Option<String>,
}

async fn pause(
    State(api): State<Api>,
    name: Named,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let (Path(name), body) = (name?, body?);
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, "bad pause", detail);
    let request: PauseRequest = if body.is_empty() {
        PauseRequest::default()
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| bad(format!("the body is not {{\"for\": \"2h\"}} or empty: {error}")))?
    };
    let length = match &request.r#for {
        Some(text) => Some(parse_pause(text).map_err(|error| bad(format!("for={text:?}: {error}")))?),
        None => None,
    };
    let until = api.engine.ask(|reply| Command::Pause(name.clone(), length, reply)).await??;
    saved(&api).await;
    Ok(Json(json!({
        "version": status::VERSION,
        "model": name,
        "paused_until": until.map(status::rfc3339_millis),
    })))
}

/// What a person has decided is on the disk before it is answered: it outlives any end after that.
async fn saved(api: &Api) {
    if let Err(error) = api.store.flush().in_time().await {
        tracing::warn!("it holds, but only until warmd ends: {error}");
    }
}

async fn resume(State(api): State<Api>, name: Named) -> Result<Json<Value>, Problem> {
    let Path(name) = name?;
    let was_paused = api.engine.ask(|reply| Command::Resume(name.clone(), reply)).await??;
    saved(&api).await;
    Ok(Json(json!({ "version": status::VERSION, "model": name, "was_paused": was_paused })))
}

async fn reload(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    match api.reloader.reload().await? {
        ReloadOutcome::Loaded { changes, warnings } => Ok(Json(json!({
            "version": status::VERSION,
            "ok": true,
            "changes": changes,
            "warnings": warnings,
        }))),
        ReloadOutcome::Refused { summary, rendered, problems } => Err(Problem {
            more: Some(json!({ "problems": problems, "rendered": rendered })),
            ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the configuration is not valid", summary)
        }),
    }
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not found", "there is no such path here")
}

async fn not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed", "the path takes another method")
}
