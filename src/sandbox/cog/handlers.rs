//! A Cog server's HTTP: its paths, what holds a request, and what a client that leaves does.

use super::super::pool::Moment;
use super::super::schema;
use super::super::wire::Tap;
use super::process::{Life, Run};
use super::replies::{self, End, answer};
use super::{CogFault, Generation, Proxy, Shared};
use axum::Router;
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::extract::{DefaultBodyLimit, Extension, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The largest request body that is read, in bytes.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let cog = Router::new()
        .route("/", get(root))
        .route("/health-check", get(health))
        .route("/openapi.json", get(openapi))
        .route("/predictions", post(predict))
        .route("/predictions/{id}", put(predict_as))
        .route("/predictions/{id}/cancel", post(cancel))
        .fallback(nothing_here)
        .layer(middleware::from_fn_with_state(Arc::clone(shared), gate));
    let mut control = Router::new().route("/sandbox/faults", post(inflict));
    if shared.settings.expose_truth {
        control = control.route("/sandbox/truth", get(truth));
    }
    cog.merge(control).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(Arc::clone(shared))
}

/// When a request came, before anything held it.
#[derive(Debug, Clone, Copy)]
struct Came(Moment);

/// What a request meets before it meets the process: a token, a proxy, or nobody there.
async fn gate(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let wanted = shared.settings.token.as_ref().map(|token| format!("Bearer {token}"));
    if wanted.is_some() && given != wanted.as_deref() {
        return answer(StatusCode::UNAUTHORIZED, &json!({"detail": "Not authenticated"}));
    }
    let tap = request.extensions().get::<ConnectInfo<Tap>>().map(|info| info.0.clone()).unwrap_or_default();
    request.extensions_mut().insert(Came(shared.watch.elapsed()));
    loop {
        let changed = shared.changed.notified();
        let pause = {
            let (mut process, now) = shared.lock();
            match (shared.settings.scales_to_zero, process.life) {
                (None, Life::Gone { .. }) => {
                    tap.cut();
                    return StatusCode::BAD_GATEWAY.into_response();
                }
                (None, _) | (Some(_), Life::Up { .. } | Life::Failed { .. }) => break,
                (Some((proxy, _)), _) => {
                    process.wake(now);
                    if proxy == Proxy::Answers503 {
                        return (StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream\n").into_response();
                    }
                    process.next().map_or(Moment::MAX, |at| at.saturating_sub(now))
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = changed => {}
            () = shared.stop.cancelled() => return StatusCode::BAD_GATEWAY.into_response(),
        }
    }
    next.run(request).await
}

async fn nothing_here() -> Response {
    answer(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"}))
}

async fn root() -> Response {
    answer(StatusCode::OK, &json!({"docs_url": "/docs", "openapi_url": "/openapi.json"}))
}

async fn openapi(State(shared): State<Arc<Shared>>) -> Response {
    match &shared.settings.schema {
        Some(schema) => answer(StatusCode::OK, schema),
        None => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({"error": "OpenAPI schema not available"})),
    }
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    // 0.9 asks the very thread that predicts.
    let hangs = shared.settings.generation == Generation::Cog09;
    loop {
        let changed = shared.changed.notified();
        let pause = {
            let (process, now) = shared.lock();
            match process.runs.iter().map(|run| run.ends).min() {
                Some(ends) if hangs => ends.saturating_sub(now),
                _ => return replies::health(&process, &shared.settings),
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = changed => {}
            () = shared.stop.cancelled() => return StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

async fn predict(
    State(shared): State<Arc<Shared>>,
    Extension(came): Extension<Came>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asynchronous = is_async(&headers);
    run(&shared, came, None, asynchronous, &body).await
}

async fn predict_as(
    State(shared): State<Arc<Shared>>,
    Extension(came): Extension<Came>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // The same again while it runs is no second one.
    let running = shared.lock().0.runs.iter().find(|run| run.id == id).cloned();
    match running {
        Some(running) => replies::accepted(&running),
        None => run(&shared, came, Some(id), is_async(&headers), &body).await,
    }
}

fn is_async(headers: &HeaderMap) -> bool {
    headers.get("prefer").is_some_and(|value| value == "respond-async")
}

async fn run(
    shared: &Arc<Shared>,
    came: Came,
    id: Option<String>,
    asynchronous: bool,
    body: &[u8],
) -> Response {
    let generation = shared.settings.generation;
    if !matches!(shared.lock().0.life, Life::Up { .. }) {
        return replies::not_ready(generation);
    }
    let Ok(Value::Object(mut body)) = serde_json::from_slice::<Value>(body) else {
        return replies::not_a_body();
    };
    let id = id.or_else(|| body.get("id").and_then(Value::as_str).map(str::to_owned));
    let Some(Value::Object(mut input)) = Some(body.remove("input").unwrap_or_else(|| json!({}))) else {
        return replies::not_a_body();
    };
    if generation != Generation::Cog023 {
        // A null stands for an optional that is left out; the newest refuses it.
        input.retain(|_, value| !value.is_null());
    }
    let document = shared.settings.schema.clone().unwrap_or_else(schema::plain);
    let input = match schema::check(&document, &input) {
        Ok(input) => input,
        Err(wrong) => return replies::invalid(&wrong),
    };
    let run = match take_slot(shared, came, id.as_deref()).await {
        Ok(run) => run,
        Err(refused) => return refused,
    };
    if asynchronous {
        return replies::accepted(&run);
    }
    let output = schema::output(&document);
    wait_for(shared, &run, &input, output).await
}

/// A slot; 0.9 waits for one, the others refuse where there is none.
async fn take_slot(shared: &Arc<Shared>, came: Came, id: Option<&str>) -> Result<Run, Response> {
    let generation = shared.settings.generation;
    loop {
        let changed = shared.changed.notified();
        let pause = {
            let (mut process, now) = shared.lock();
            if !matches!(process.life, Life::Up { .. }) {
                return Err(replies::not_ready(generation));
            }
            if process.ailment.is_some() {
                return Err(replies::occupied(generation));
            }
            if !process.is_busy() {
                return Ok(process.begin(id, came.0, now));
            }
            if generation != Generation::Cog09 {
                return Err(replies::occupied(generation));
            }
            process.next().map_or(Moment::MAX, |at| at.saturating_sub(now))
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = changed => {}
            () = shared.stop.cancelled() => return Err(StatusCode::BAD_GATEWAY.into_response()),
        }
    }
}

/// Ends a run whose client has left, as 0.23 does; the older ones let it run on.
struct Leaves<'a>(&'a Shared, u64);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if self.0.settings.generation == Generation::Cog023 {
            let (mut process, now) = self.0.lock();
            process.end(self.1, now);
        }
    }
}

async fn wait_for(shared: &Arc<Shared>, run: &Run, input: &Map<String, Value>, output: Value) -> Response {
    let leaves = Leaves(shared, run.number);
    loop {
        let changed = shared.changed.notified();
        let pause = {
            let (process, now) = shared.lock();
            if !process.is_running(run.number) {
                let end = if now < run.ends { (End::Canceled, now) } else { (End::Ran, run.ends) };
                let response = replies::done(&process, &shared.settings, run, end, input, output);
                // It has ended; its lock must be free before the guard looks.
                drop(process);
                drop(leaves);
                return response;
            }
            run.ends.saturating_sub(now)
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = changed => {}
            () = shared.stop.cancelled() => return StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

async fn cancel(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let found = {
        let (mut process, now) = shared.lock();
        let found = process.runs.iter().find(|run| run.id == id).map(|run| run.number);
        if let Some(number) = found {
            process.end(number, now);
        }
        found
    };
    if found.is_none() {
        return answer(StatusCode::NOT_FOUND, &json!({}));
    }
    shared.changed.notify_waiters();
    answer(StatusCode::OK, &json!({}))
}

async fn inflict(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match serde_json::from_slice::<CogFault>(&body) {
        Ok(fault) => {
            shared.inflict(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => answer(StatusCode::BAD_REQUEST, &json!({"detail": error.to_string()})),
    }
}

async fn truth(State(shared): State<Arc<Shared>>) -> Response {
    answer(StatusCode::OK, &json!(shared.lock().0.truth()))
}
