//! A scripted server in Replicate's place, which records every request.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs, each of which uses a part")]

use super::api_shape::{Recorded, assert_shapes};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use axum::{Router, body};
use reqwest::Url;
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the server does with a request.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    delay: Duration,
    lost: bool,
}

pub fn reply(status: u16, body: &Value) -> Reply {
    raw(status, body.to_string().into_bytes()).header("content-type", "application/json")
}

pub fn raw(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    Reply { status, headers: Vec::new(), body: body.into(), delay: Duration::ZERO, lost: false }
}

/// The request is taken, and its reply breaks off.
pub fn lost() -> Reply {
    Reply { lost: true, ..raw(201, "{") }
}

impl Reply {
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// Decides a reply from the request, and from how many of the same call came before it.
type Script = Box<dyn Fn(&Recorded, usize) -> Reply + Send + Sync>;

pub struct Fake {
    pub base: Url,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

struct Shared {
    script: Script,
    requests: Mutex<Vec<Recorded>>,
    seen: Mutex<HashMap<String, usize>>,
}

impl Fake {
    pub async fn start(script: impl Fn(&Recorded, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap()).parse().unwrap();
        let shared =
            Arc::new(Shared { script: Box::new(script), requests: Mutex::default(), seen: Mutex::default() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, shared, _server: server }
    }

    /// Every request so far, each held against the API's shape.
    pub fn requests(&self) -> Vec<Recorded> {
        let requests = self.shared.requests.lock().unwrap().clone();
        assert_shapes(&requests);
        requests
    }

    /// The calls so far, as `METHOD /path`.
    pub fn calls(&self) -> Vec<String> {
        self.requests().iter().map(Recorded::call).collect()
    }

    /// The bodies of the creates so far.
    pub fn creates(&self) -> Vec<Value> {
        let requests = self.requests();
        let created =
            |request: &&Recorded| request.method == "POST" && request.path.ends_with("/predictions");
        requests.iter().filter(created).map(Recorded::json).collect()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let recorded = Recorded {
        method: parts.method.to_string(),
        path: parts.uri.path().strip_prefix("/v1").unwrap_or("outside the base").to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body::to_bytes(body, 1 << 20).await.unwrap().to_vec(),
    };
    let before = {
        let mut seen = shared.seen.lock().unwrap();
        let count = seen.entry(recorded.call()).or_default();
        *count += 1;
        *count - 1
    };
    let reply = (shared.script)(&recorded, before);
    shared.requests.lock().unwrap().push(recorded);
    tokio::time::sleep(reply.delay).await;
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = if reply.lost {
        let broken = [Ok(Bytes::from(reply.body)), Err(io::Error::other("lost"))];
        Body::from_stream(futures_util::stream::iter(broken))
    } else {
        Body::from(reply.body)
    };
    response.body(body).unwrap()
}
