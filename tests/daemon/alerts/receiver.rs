//! What alerts are posted to: it notes what it gets, and behaves as it is told.

use crate::support::{PATIENCE, text, wait_until};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What it does with a request.
#[derive(Debug, Clone, Default)]
pub(crate) enum Conduct {
    #[default]
    Takes,
    /// This status, these headers, this body.
    Answers(u16, Vec<(&'static str, String)>, String),
    Hangs,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// Whether it was taken.
    pub(crate) taken: bool,
}

#[derive(Debug, Default)]
struct Inner {
    conduct: Conduct,
    heard: Vec<Heard>,
}

/// A receiver of webhooks.
pub(crate) struct Receiver {
    _runtime: Runtime,
    pub(crate) address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into())
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        let runtime = Runtime::new().unwrap();
        let inner = Arc::new(Mutex::new(Inner::default()));
        let routes = Router::new().fallback(take).with_state(inner.clone());
        let listener = runtime.block_on(TcpListener::bind(address)).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { _runtime: runtime, address, inner }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// An alert that is posted here as it is.
    pub(crate) fn alert(&self, name: &str, more: &str) -> String {
        format!("[[alerts]]\nname = \"{name}\"\nwebhook = \"{}\"\n{more}\n\n", self.url(&format!("/{name}")))
    }

    /// It does so from now on.
    pub(crate) fn does(&self, conduct: Conduct) {
        self.inner.lock().unwrap().conduct = conduct;
    }

    /// All that came.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.inner.lock().unwrap().heard.clone()
    }

    /// The events that were taken.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.heard().into_iter().filter(|heard| heard.taken).map(|heard| heard.body).collect()
    }

    /// The names of the events that were taken, by order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.events().iter().map(|event| event["event"].as_str().unwrap_or("?").to_owned()).collect()
    }

    /// Waits until so many events were taken.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Value> {
        wait_until(&format!("{count} events; so far: {:?}", self.names()), PATIENCE, || {
            self.events().len() >= count
        });
        self.events()
    }
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let conduct = {
        let mut inner = inner.lock().unwrap();
        let conduct = inner.conduct.clone();
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(text(&body)));
        let taken = matches!(conduct, Conduct::Takes);
        inner.heard.push(Heard { path: uri.to_string(), headers, body, taken });
        conduct
    };
    match conduct {
        Conduct::Takes => "ok".into_response(),
        Conduct::Answers(status, headers, body) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Conduct::Hangs => {
            tokio::time::sleep(Duration::from_hours(1)).await;
            StatusCode::OK.into_response()
        }
    }
}
