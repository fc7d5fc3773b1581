//! Replicate's HTTP API: its paths, and what every request goes through first.

mod account;
mod create;
mod deployments;
pub(super) mod files;
mod models;
mod predictions;

use super::control;
use super::fault::{Fault, On};
use super::pool::Moment;
use super::problem::{Form, Refusal};
use super::wire::Tap;
use super::{Shared, State};
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{delete, get, post};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

/// The largest request body that is read, in bytes: inputs with data URLs, and uploads.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// How long a 429 of a fault says to wait.
const THROTTLED: Duration = Duration::from_secs(5);

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    let v1 = Router::new()
        .route("/account", get(account::account))
        .route("/hardware", get(account::hardware))
        .route("/collections", get(account::collections))
        .route("/collections/{slug}", get(account::collection))
        .route("/predictions", get(predictions::list).post(create::of_version))
        .route("/predictions/{id}", get(predictions::get))
        .route("/predictions/{id}/cancel", post(predictions::cancel))
        .route("/models", get(models::list))
        .route("/models/{owner}/{name}", get(models::get))
        .route("/models/{owner}/{name}/versions", get(models::versions))
        .route("/models/{owner}/{name}/versions/{id}", get(models::version))
        .route("/models/{owner}/{name}/predictions", post(create::of_model))
        .route("/deployments", get(deployments::list).post(deployments::create))
        .route(
            "/deployments/{owner}/{name}",
            get(deployments::get).patch(deployments::update).delete(deployments::delete),
        )
        .route("/deployments/{owner}/{name}/predictions", post(create::of_deployment))
        .route("/files", get(files::list).post(files::upload))
        .route("/files/{id}", get(files::get).delete(files::delete))
        .route("/files/{id}/download", get(files::download));
    let mut control = Router::new()
        .route("/faults", get(control::list).post(control::set))
        .route("/faults", delete(control::clear));
    if shared.expose_truth {
        control = control.route("/truth", get(control::truth));
    }
    Router::new()
        .nest("/v1", v1)
        .nest("/sandbox", control)
        .fallback(nothing_here)
        .method_not_allowed_fallback(nothing_here)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(axum::middleware::from_fn(log))
        .with_state(Arc::clone(shared))
}

async fn nothing_here() -> Refusal {
    Refusal::not_found()
}

/// A line a request: what `warmctl sandbox --verbose` shows.
async fn log(request: Request, next: Next) -> Response {
    let watch = crate::clock::Stopwatch::start();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let took = watch.elapsed().as_secs_f64();
    tracing::debug!("{method} {path} {} {took:.3} s", response.status().as_u16());
    response
}

/// Who asks, after all that a request goes through: a good token, the account's limits, and the
/// faults that befall calls.
pub(super) struct Caller {
    pub(super) shared: Arc<Shared>,
    token: String,
    /// `http://host` as the client wrote it.
    pub(super) origin: String,
    pub(super) tap: Tap,
    /// What the reply tells of the limits.
    limits: Option<(u32, u64)>,
    credit: super::Credit,
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let tap = parts.extensions.get::<ConnectInfo<Tap>>().map(|info| info.0.clone()).unwrap_or_default();
        let token = bearer(&parts.headers).ok_or_else(Refusal::unauthenticated)?;
        // A nested router's paths begin behind its prefix.
        let path = parts.uri.path();
        let create = parts.method == Method::POST && path.ends_with("/predictions");
        let (credit, left, fault) = {
            let (mut state, now) = shared.lock();
            let credit = state.limits.credit(&token).ok_or_else(Refusal::unauthenticated)?;
            let left = state.limits.count(&token, credit, create, now);
            let fault = if create { None } else { call_fault(&mut state, path, &token) };
            (credit, left, fault)
        };
        let left = left.map_err(|wait| Refusal::throttled(Form::All, wait))?;
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
        let caller = Self {
            shared: Arc::clone(shared),
            token,
            origin: format!("http://{host}"),
            tap,
            limits: create.then_some((left.remaining, left.reset)),
            credit,
        };
        if let Some(fault) = fault {
            caller.befall(fault, StatusCode::OK).await?;
        }
        Ok(caller)
    }
}

/// The fault that befalls a call that is no create; of which model, its path or its prediction tells.
fn call_fault(state: &mut State, path: &str, token: &str) -> Option<Fault> {
    let mut parts = path.trim_start_matches('/').split('/');
    let model = match (parts.next(), parts.next(), parts.next()) {
        (Some("models" | "deployments"), Some(owner), Some(name)) => Some(format!("{owner}/{name}")),
        (Some("predictions"), Some(id), _) => {
            state.world.find(id).and_then(|seq| state.world.asked(seq)).map(str::to_owned)
        }
        _ => None,
    };
    state.faults.strike(On::Call, model.as_deref(), token)
}

impl Caller {
    pub(super) fn lock(&self) -> (MutexGuard<'_, State>, Moment) {
        self.shared.lock()
    }

    /// The fault that befalls this create, where it is not the end of it.
    async fn create_fault(&self, model: &str) -> Result<Option<Fault>, Refusal> {
        if self.credit == super::Credit::None {
            return Err(Refusal::no_credit());
        }
        let fault = self.lock().0.faults.strike(On::Create, Some(model), &self.token);
        match fault {
            Some(fault) => self.befall(fault, StatusCode::CREATED).await,
            None => Ok(None),
        }
    }

    /// Lets a fault strike; comes back with those that leave the request to go on.
    async fn befall(&self, fault: Fault, success: StatusCode) -> Result<Option<Fault>, Refusal> {
        Err(match fault {
            Fault::Unauthenticated => Refusal::unauthenticated(),
            Fault::NoCredit => Refusal::no_credit(),
            Fault::NotFound => Refusal::not_found(),
            Fault::InvalidVersion => Refusal::invalid_version(),
            Fault::InvalidInput => Refusal::invalid_input(&[super::schema::InvalidField {
                rule: "invalid_type",
                field: "input.prompt".to_owned(),
                description: "Invalid type. Expected: integer, given: string".to_owned(),
            }]),
            Fault::ThrottledHeader => Refusal::throttled(Form::Header, THROTTLED),
            Fault::ThrottledBody => Refusal::throttled(Form::Body, THROTTLED),
            Fault::ThrottledText => Refusal::throttled(Form::Text, THROTTLED),
            Fault::ServerError => Refusal::server_error(),
            Fault::BadGateway => Refusal::bad_gateway(),
            Fault::Garbage => Refusal::garbage(success),
            Fault::Reset => {
                self.tap.cut();
                Refusal::server_error()
            }
            Fault::Hang => {
                self.shared.stop.cancelled().await;
                self.tap.cut();
                Refusal::server_error()
            }
            Fault::LostReply | Fault::Evicted | Fault::Fails | Fault::Stuck | Fault::UnknownStatus => {
                return Ok(Some(fault));
            }
        })
    }

    /// Puts the account's limits into a reply.
    fn tell_limits(&self, response: &mut Response) {
        if let Some((remaining, reset)) = self.limits {
            response.headers_mut().insert("ratelimit-remaining", HeaderValue::from(remaining));
            response.headers_mut().insert("ratelimit-reset", HeaderValue::from(reset));
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    Some(token.trim().to_owned()).filter(|token| known && !token.is_empty())
}

/// An owner and a name in a path.
type OwnerName = Path<(String, String)>;
