//! A scripted daemon on a real Unix socket, and `warmctl` as its user runs it.

#![allow(clippy::unwrap_used, reason = "a test ends where what it rests on is not so")]
#![allow(unreachable_pub, reason = "seen by the test program it is part of")]
#![allow(dead_code, reason = "each test program uses a part of it")]

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, serve};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::oneshot;

/// What every status is.
pub const SNAPSHOT: &str = include_str!("../ctl_status/snapshot.json");

/// Answers as the daemon does, to the models `llama` and `whisper`, and keeps what was asked.
pub struct Daemon {
    pub folder: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    script: fn(&str) -> Option<Response>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

type Script = (Arc<Mutex<Vec<String>>>, fn(&str) -> Option<Response>);

impl Daemon {
    pub fn start() -> Self {
        Self::scripted(|_| None)
    }

    /// One that answers some requests otherwise.
    pub fn scripted(script: fn(&str) -> Option<Response>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut daemon = Self { folder, asked: Arc::default(), script, running: None };
        daemon.come_back();
        daemon
    }

    /// Stops answering, and takes its connections with it.
    pub fn go_away(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            thread.join().unwrap();
            std::fs::remove_file(self.socket()).unwrap();
        }
    }

    pub fn come_back(&mut self) {
        let app = Router::new().fallback(answer).with_state((Arc::clone(&self.asked), self.script));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(async { UnixListener::bind(self.socket()).unwrap() });
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    served = serve(listener, app) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        self.running = Some((stop, thread));
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("warmd.sock")
    }

    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    pub fn ctl(&self, arguments: &[&str]) -> Told {
        let mut command = warmctl(&self.folder);
        command.arg("--socket").arg(self.socket()).args(arguments);
        Told::from(command.output().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.go_away();
    }
}

/// The tool with the environment of a user who has set nothing, in a folder of its own.
pub fn warmctl(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warmctl"));
    for name in [
        "WARMD_SOCKET",
        "WARMD_CONFIG",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
        "REPLICATE_API_TOKEN",
        "NO_COLOR",
        "COLUMNS",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
    ] {
        command.env_remove(name);
    }
    command.current_dir(folder.path()).env("HOME", folder.path()).env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// How the tool ended, and what it said where.
#[derive(Debug)]
pub struct Told {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

async fn answer(State((asked, script)): State<Script>, method: Method, uri: Uri, body: Bytes) -> Response {
    let request = format!("{method} {uri} {}", String::from_utf8_lossy(&body)).trim_end().to_owned();
    asked.lock().unwrap().push(request.clone());
    if let Some(answer) = script(&request) {
        return answer;
    }
    let path: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    match (method.as_str(), path.as_slice()) {
        ("GET", ["v1", "status"]) => SNAPSHOT.into_response(),
        ("POST", ["v1", "reload"]) => {
            json!({"version": 1, "ok": true, "changes": ["models.llama: interval 30s → 1m"], "warnings": []})
                .to_string()
                .into_response()
        }
        (_, ["v1", "models", name, ..]) if !["llama", "whisper-large-v3"].contains(name) => {
            problem(404, &json!({"detail": format!("no model is called `{name}`; did you mean `llama`?")}))
        }
        ("GET", ["v1", "models", name]) => {
            let mut snapshot: Value = serde_json::from_str(SNAPSHOT).unwrap();
            snapshot["models"].as_array_mut().unwrap().retain(|model| model["name"] == *name);
            snapshot.to_string().into_response()
        }
        ("POST", ["v1", "models", "llama", "heartbeat"]) => beat("llama", "cold", Some("queue-wait"), None),
        ("POST", ["v1", "models", name, "heartbeat"]) => {
            beat(name, "unreachable", None, Some("POST http://gpu-box:5000/predictions: connection refused"))
        }
        ("POST", ["v1", "models", name, "pause"]) => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let until = body.get("for").map(|_| "2099-01-01T12:00:00.000Z");
            json!({"version": 1, "model": name, "paused_until": until}).to_string().into_response()
        }
        ("POST", ["v1", "models", name, "resume"]) => {
            json!({"version": 1, "model": name}).to_string().into_response()
        }
        _ => problem(404, &json!({"detail": "there is no such path here"})),
    }
}

pub fn problem(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

/// A reply to a heartbeat by hand.
fn beat(model: &str, outcome: &str, evidence: Option<&str>, error: Option<&str>) -> Response {
    let answered = evidence.is_some();
    json!({"version": 1, "model": model, "heartbeat": {
        "due_at": "2026-11-20T19:35:00.000Z", "sent_at": "2026-11-20T19:35:00.001Z",
        "outcome": outcome, "evidence": evidence, "error": error,
        "total": answered.then_some(14.52), "wait": answered.then_some(14.1), "predict": answered.then_some(0.31),
    }})
    .to_string()
    .into_response()
}
