//! Models whose servers put what is made to hurt wherever they may put words.

use crate::faults::network::peer::{Heard, Peer, Then, say, schema};
use crate::support::TOKEN;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io;
use std::net::TcpStream;

/// What a server does otherwise than one that is well: its name, the call it answers so, and how.
type Scene = (&'static str, &'static str, fn() -> (u16, Value));

const HEALTH: &str = "GET /health-check";
const SCHEMA: &str = "GET /openapi.json";
const PREDICT: &str = "POST /predictions";

/// Clears the screen, sets the title, goes to another line and forges what stands there, turns the reading
/// round, hides, and repeats the token; then goes on for long.
fn nasty() -> String {
    let tricks = "\u{1b}[2J\u{1b}]0;mine\u{7}\u{9b}31m\r\nFORGED all is well\n{\"forged\":true}\u{2028}FORGED\u{85}FORGED \
                  \u{202e}txet\u{202c}\u{2066}\u{200b}\u{200d}\u{feff}\u{e0041}\u{7f}\u{8}\u{0}";
    format!("{tricks} {TOKEN} {}", "long ".repeat(20_000))
}

/// The same as a name: of a field, of a version.
fn nasty_name() -> String {
    nasty().chars().take(2_000).collect()
}

fn problem(status: u16) -> (u16, Value) {
    let words =
        json!({"title": nasty(), "detail": nasty(), "error": nasty(), "message": nasty(), "status": nasty()});
    (status, words)
}

/// A schema that requires a field of that name.
fn requires(field: &Value) -> Value {
    let name = nasty_name();
    let mut document = schema(&json!({name.clone(): field}));
    document["components"]["schemas"]["Input"]["required"] = json!([name]);
    document
}

/// As Cog servers, each at an address of its own.
const COG: &[Scene] = &[
    ("health-400", HEALTH, || problem(400)),
    ("health-401", HEALTH, || problem(401)),
    ("health-402", HEALTH, || problem(402)),
    ("health-404", HEALTH, || problem(404)),
    ("health-429", HEALTH, || problem(429)),
    ("health-500", HEALTH, || problem(500)),
    ("health-state", HEALTH, || (200, json!({"status": nasty()}))),
    ("setup-failed", HEALTH, || (200, json!({"status": "SETUP_FAILED", "setup": {"logs": nasty()}}))),
    ("setup-failed-short", HEALTH, || {
        let logs: String = nasty().chars().take(120).collect();
        (200, json!({"status": "SETUP_FAILED", "setup": {"logs": logs}}))
    }),
    ("unhealthy", HEALTH, || (200, json!({"status": "UNHEALTHY", "user_healthcheck_error": nasty()}))),
    ("version", HEALTH, || {
        let version = json!({"python_sdk": nasty(), "coglet": nasty()});
        (200, json!({"status": "READY", "setup": {"started_at": nasty()}, "version": version}))
    }),
    ("schema-401", SCHEMA, || problem(401)),
    ("schema-name", SCHEMA, || (200, requires(&json!({"type": "string"})))),
    ("schema-secret", SCHEMA, || (200, requires(&json!({"type": "string", "format": "password"})))),
    ("schema-pattern", SCHEMA, || (200, requires(&json!({"type": "string", "pattern": nasty()})))),
    ("schema-list", SCHEMA, || (200, requires(&json!({"type": "array", "minItems": 1000})))),
    ("failed", PREDICT, || (200, json!({"status": "failed", "error": nasty(), "logs": nasty()}))),
    ("status", PREDICT, || (200, json!({"status": nasty()}))),
    ("invalid", PREDICT, || {
        let place = json!(["body", "input", nasty_name()]);
        (422, json!({"detail": [{"loc": place, "msg": nasty()}, {"msg": nasty()}]}))
    }),
    ("invalid-text", PREDICT, || (422, json!({"detail": nasty()}))),
    ("crashed", PREDICT, || problem(500)),
    ("teapot", PREDICT, || problem(418)),
];

const MODEL: &str = "model";
const CREATE: &str = "create";

/// As models on Replicate, by their name.
const REPLICATE: &[Scene] = &[
    ("model-404", MODEL, || problem(404)),
    ("model-500", MODEL, || problem(500)),
    ("model-name", MODEL, || {
        let document = requires(&json!({"type": "string"}));
        (200, json!({"latest_version": {"id": nasty_name(), "openapi_schema": document}}))
    }),
    ("create-404", CREATE, || problem(404)),
    ("create-422", CREATE, || problem(422)),
    ("create-418", CREATE, || problem(418)),
    ("create-500", CREATE, || problem(500)),
    ("detail-list", CREATE, || (422, json!({"detail": [nasty()], "title": {"a": nasty()}}))),
    ("fields", CREATE, || {
        let fields = json!([{"field": nasty(), "description": nasty()}]);
        (422, json!({"title": nasty(), "invalid_fields": fields}))
    }),
    ("no-prediction", CREATE, || (201, json!({"id": nasty()}))),
    ("error", CREATE, || (201, json!({"id": "p1", "status": "failed", "error": nasty(), "logs": nasty()}))),
    ("error-object", CREATE, || {
        (201, json!({"id": "p1", "status": "failed", "error": {"code": nasty(), nasty_name(): 1}}))
    }),
    ("odd-status", CREATE, || (201, json!({"id": "p1", "status": nasty()}))),
    ("odd-end", CREATE, || {
        (201, json!({"id": "p1", "status": nasty(), "completed_at": "2026-11-20T08:00:00Z"}))
    }),
    ("canceled", CREATE, || (201, json!({"id": "p1", "status": "canceled", "error": nasty()}))),
];

pub(super) struct Scenes {
    cog: Vec<Peer>,
    replicate: Peer,
}

impl Scenes {
    pub(super) fn start() -> Self {
        let cog = COG.iter().map(|(_, call, answer)| {
            let peer = Peer::start();
            peer.does(move |connection, heard| play(connection, heard, (heard.what == *call).then(answer)));
            peer
        });
        let cog = cog.collect();
        let replicate = Peer::start();
        replicate.does(|connection, heard| play(connection, heard, on_replicate(heard)));
        Self { cog, replicate }
    }

    pub(super) fn names() -> Vec<String> {
        let names = |scenes: &[Scene], kind: &str| -> Vec<String> {
            scenes.iter().map(|(name, ..)| format!("{kind}-{name}")).collect()
        };
        [names(COG, "cog"), names(REPLICATE, "replicate")].concat()
    }

    pub(super) fn config(&self) -> String {
        let mut config = format!(
            "[replicate]\nbase_url = \"{}/v1\"\n[defaults]\nactive = [\"always\"]\ninterval = \"10s\"\ntimeout = \"3s\"\n",
            self.replicate.url()
        );
        for ((name, ..), peer) in COG.iter().zip(&self.cog) {
            let url = peer.url();
            writeln!(config, "[models.cog-{name}]\ncog = \"{url}\"\ntoken_env = \"REPLICATE_API_TOKEN\"")
                .unwrap();
        }
        for (name, ..) in REPLICATE {
            writeln!(config, "[models.replicate-{name}]\nreplicate = \"acme/{name}\"").unwrap();
        }
        config
    }
}

fn play(connection: &mut TcpStream, heard: &Heard, scene: Option<(u16, Value)>) -> io::Result<Then> {
    let (status, body) = scene.unwrap_or_else(|| heard.well());
    // What a header may hold: no control characters, but any byte above them.
    let headers = format!("server: {}\r\nlocation: /\u{202e}{TOKEN}\r\n", "\u{9b}31m".repeat(100));
    say(connection, status, &headers, body.to_string().as_bytes())
}

/// What a call is about: a model by its name, a create by its version, which tells the number of the model.
fn on_replicate(heard: &Heard) -> Option<(u16, Value)> {
    if let Some(name) = heard.what.strip_prefix("GET /v1/models/acme/") {
        let number = REPLICATE.iter().position(|(one, ..)| *one == name)?;
        let (_, call, answer) = REPLICATE[number];
        let version = format!("{number:064x}");
        let plain =
            || (200, json!({"latest_version": {"id": version, "openapi_schema": schema(&json!({}))}}));
        return Some(if call == MODEL { answer() } else { plain() });
    }
    let version = heard.body["version"].as_str()?;
    let (_, call, answer) = REPLICATE.get(usize::from_str_radix(version.get(48..)?, 16).ok()?)?;
    (*call == CREATE).then(answer)
}
