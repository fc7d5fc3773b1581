//! Cog servers that are always ready, and note when each was asked to predict.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Who was asked to predict, and when.
type Asked = Arc<Mutex<Vec<(String, DateTime<Utc>)>>>;

/// The servers, one for each name that a model is given: all behind one address.
pub(crate) struct Cogs {
    _runtime: Runtime,
    address: String,
    asked: Asked,
    /// How long a prediction takes.
    takes: Arc<Mutex<Duration>>,
}

impl Cogs {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (asked, takes) = (Asked::default(), Arc::new(Mutex::new(Duration::ZERO)));
        let (noted, time) = (asked.clone(), takes.clone());
        let ready = json!({"status": "READY", "setup": {
            "started_at": "2026-11-20T08:00:00.000000+00:00",
            "completed_at": "2026-11-20T08:00:03.000000+00:00",
            "status": "succeeded", "logs": ""}});
        let predict = move |axum::extract::Path(server): axum::extract::Path<String>| {
            noted.lock().unwrap().push((server, warmd::clock::now()));
            let takes = *time.lock().unwrap();
            async move {
                tokio::time::sleep(takes).await;
                axum::Json(json!({"status": "succeeded", "output": "hi", "metrics": {"predict_time": 0.01}}))
            }
        };
        let routes = Router::new()
            .route("/{server}/health-check", get(move || async move { axum::Json(ready) }))
            .route("/{server}/openapi.json", get(|| async { StatusCode::NOT_FOUND }))
            .route("/{server}/predictions", post(predict));
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Self { _runtime: runtime, address, asked, takes }
    }

    /// The entry of a model that has a server of its own here.
    pub(crate) fn model(&self, name: &str, more: &str) -> String {
        format!(
            "[models.{name}]\ncog = \"http://{}/{name}\"\ninput = {{ prompt = \"hi\" }}\n{more}\n\n",
            self.address
        )
    }

    /// When a model's server was asked to predict, by the true clock.
    pub(crate) fn asked(&self, name: &str) -> Vec<DateTime<Utc>> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(server, _)| server == name).map(|(_, at)| *at).collect()
    }

    /// Predictions take that long from now on.
    pub(crate) fn take(&self, time: Duration) {
        *self.takes.lock().unwrap() = time;
    }
}
