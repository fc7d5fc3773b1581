//! A scripted server in a Cog server's place, or in that of a proxy before one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs, each of which uses a part")]

use super::cog_model::{Warmer, model};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use warmd::heartbeat::{Answer, Observation};

pub const HEALTH: &str = "GET /health-check";
pub const PREDICT: &str = "POST /predictions";
pub const SCHEMA: &str = "GET /openapi.json";
pub const INDEX: &str = "GET /";

/// Two setups of one model: the first, and the one after a restart.
pub const OLD: &str = "2026-11-20T08:00:00.123456+00:00";
pub const NEW: &str = "2026-11-20T09:30:00.5+00:00";

/// One answer of a script.
#[derive(Debug, Clone)]
pub struct Line {
    after: Duration,
    pub status: u16,
    header: Option<(HeaderName, String)>,
    pub body: String,
}

impl Line {
    pub fn held(self, seconds: f64) -> Self {
        Self { after: Duration::from_secs_f64(seconds), ..self }
    }

    pub fn with(self, name: HeaderName, value: &str) -> Self {
        Self { header: Some((name, value.to_owned())), ..self }
    }

    pub fn to(self, url: &str) -> Self {
        self.with(header::LOCATION, url)
    }
}

pub fn says(status: u16, body: impl Display) -> Line {
    Line { after: Duration::ZERO, status, header: None, body: body.to_string() }
}

pub fn health(state: &str, started_at: &str) -> Line {
    let setup =
        json!({"started_at": started_at, "completed_at": started_at, "status": "succeeded", "logs": "up\n"});
    says(200, json!({"status": state, "setup": setup}))
}

/// As versions up to 0.16 say it.
pub fn starting() -> Line {
    says(200, json!({"status": "STARTING", "setup": {}}))
}

pub fn succeeded(predict_time: f64) -> Line {
    let metrics = json!({"predict_time": predict_time});
    says(200, json!({"id": "p", "output": "hi", "status": "succeeded", "logs": "", "metrics": metrics}))
}

/// A page of HTML, as a proxy shows it while it starts a server.
pub fn page() -> Line {
    says(200, "<html><title>Starting</title></html>").with(header::CONTENT_TYPE, "text/html; charset=utf-8")
}

/// A model that raised, as 0.23 says it.
pub fn raised(why: &str, predict_time: f64) -> Line {
    let metrics = json!({"predict_time": predict_time});
    says(200, json!({"id": "p", "error": why, "status": "failed", "logs": "", "metrics": metrics}))
}

pub fn at_capacity() -> Line {
    says(409, json!({"error": "At capacity - all prediction slots busy", "status": "failed"}))
}

/// Cog's own 503, since 0.17.
pub fn not_set_up() -> Line {
    says(503, json!({"error": "Setup has not finished yet. Wait until it has.", "status": "failed"}))
}

pub fn no_schema() -> Line {
    says(503, json!({"error": "OpenAPI schema not available"}))
}

pub fn schema(properties: &Value) -> Line {
    let input = json!({"type": "object", "properties": properties, "required": ["prompt"]});
    says(200, json!({"openapi": "3.0.2", "components": {"schemas": {"Input": input}}}))
}

/// A server that answers each path by its script; the last line of one is repeated.
pub struct Server {
    pub url: String,
    pub said: Arc<Script>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
pub struct Script {
    lines: Mutex<HashMap<String, VecDeque<Line>>>,
    pub heard: Mutex<Vec<(String, Option<String>, Value)>>,
}

impl Server {
    pub async fn with(script: impl IntoIterator<Item = (&'static str, Vec<Line>)>) -> Self {
        let mut lines: HashMap<String, VecDeque<Line>> =
            script.into_iter().map(|(what, lines)| (what.to_owned(), lines.into())).collect();
        lines.entry(SCHEMA.to_owned()).or_insert_with(|| VecDeque::from([no_schema()]));
        let said = Arc::new(Script { lines: Mutex::new(lines), heard: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&said));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, said, _serving: serving }
    }

    /// Answers so from now on.
    pub fn turns(&self, what: &str, lines: Vec<Line>) {
        self.said.lines.lock().unwrap().insert(what.to_owned(), lines.into());
    }

    /// The bodies of the requests of one kind.
    pub fn heard(&self, what: &str) -> Vec<Value> {
        let heard = self.said.heard.lock().unwrap();
        heard.iter().filter(|(kind, ..)| kind == what).map(|(.., body)| body.clone()).collect()
    }

    pub fn count(&self, what: &str) -> usize {
        self.heard(what).len()
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let what = format!("{} {}", parts.method, parts.uri.path());
    let token = parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    assert!(parts.method != Method::GET || body.is_empty());
    let line = {
        let mut lines = script.lines.lock().unwrap();
        match lines.get_mut(&what) {
            Some(left) if left.len() > 1 => left.pop_front(),
            Some(left) => left.front().cloned(),
            None => None,
        }
    };
    let body = serde_json::from_slice(&body).unwrap_or_default();
    script.heard.lock().unwrap().push((what, token, body));
    let line = line.unwrap_or_else(|| says(404, json!({"detail": "Not Found"})));
    tokio::time::sleep(line.after).await;
    let status = StatusCode::from_u16(line.status).unwrap();
    match line.header {
        Some(header) => (status, [header], line.body).into_response(),
        None => (status, line.body).into_response(),
    }
}

/// One heartbeat of a model that knows the old setup.
pub async fn beat(server: &Server) -> Observation {
    let mut warmer = Warmer::of(&server.url, json!({"prompt": "hi"}));
    warmer.knows(OLD);
    warmer.beat().await
}

/// One that has a few seconds only.
pub async fn short_beat(server: &Server, seconds: u64) -> Observation {
    let mut model = model(&server.url, json!({"prompt": "hi"}));
    model.timeout = Duration::from_secs(seconds);
    let mut warmer = Warmer::new(model);
    warmer.knows(OLD);
    warmer.beat().await
}

pub fn unreachable(seen: &Observation) -> bool {
    matches!(seen.answer, Answer::Unreachable(_))
}
