//! Cog servers that a test makes warm, cold, broken or closed, whenever it likes.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// How a server is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Warm,
    /// Each heartbeat meets it in a boot.
    Cold,
    /// It answers nonsense.
    Broken,
    /// It asks for a token.
    Closed,
}

#[derive(Debug, Default)]
struct Server {
    mood: Mood,
    booting: bool,
    booted_at: Option<DateTime<Utc>>,
}

type Servers = Arc<Mutex<HashMap<String, Server>>>;

/// The servers, one for each name that a model is given: all behind one address.
pub(super) struct Moody {
    _runtime: Runtime,
    address: String,
    servers: Servers,
}

impl Moody {
    pub(super) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let servers = Servers::default();
        let predict = || async {
            axum::Json(json!({"status": "succeeded", "output": "hi", "metrics": {"predict_time": 0.01}}))
        };
        let routes = Router::new()
            .route("/{server}/health-check", get(health))
            .route("/{server}/openapi.json", get(|| async { StatusCode::NOT_FOUND }))
            .route("/{server}/predictions", post(predict))
            .with_state(servers.clone());
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { _runtime: runtime, address, servers }
    }

    /// The entry of a model that has a server of its own here.
    pub(super) fn model(&self, name: &str, more: &str) -> String {
        format!(
            "[models.{name}]\ncog = \"http://{}/{name}\"\ninput = {{ prompt = \"hi\" }}\ninterval = \"1s\"\n{more}\n\n",
            self.address
        )
    }

    /// As [`Self::model`], always to be kept warm.
    pub(super) fn always(&self, name: &str) -> String {
        self.model(name, "active = [\"always\"]")
    }

    /// From now on it is so.
    pub(super) fn is(&self, name: &str, mood: Mood) {
        let mut servers = self.servers.lock().unwrap();
        *servers.entry(name.to_owned()).or_default() = Server { mood, ..Server::default() };
    }
}

async fn health(State(servers): State<Servers>, Path(name): Path<String>) -> Response {
    let mut servers = servers.lock().unwrap();
    let server = servers.entry(name).or_default();
    match server.mood {
        Mood::Broken => {
            return (StatusCode::INTERNAL_SERVER_ERROR, "<b>broken</b> & @everyone").into_response();
        }
        Mood::Closed => return (StatusCode::UNAUTHORIZED, "who are you?").into_response(),
        Mood::Cold if !server.booting => {
            server.booting = true;
            server.booted_at = Some(warmd::clock::now());
            return axum::Json(json!({"status": "STARTING", "setup": null})).into_response();
        }
        Mood::Warm | Mood::Cold => server.booting = false,
    }
    let booted_at = server.booted_at.unwrap_or(DateTime::UNIX_EPOCH).to_rfc3339();
    let setup =
        json!({"started_at": booted_at, "completed_at": booted_at, "status": "succeeded", "logs": ""});
    axum::Json(json!({"status": "READY", "setup": setup})).into_response()
}
