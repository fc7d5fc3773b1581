//! Replicate's place taken by a scripted server that notes when each request came.

use super::fake_replicate::{Fake, Reply, reply};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use warmd::clock;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// What there is to know of a model.
    LookUp,
    Create,
    Read,
    Cancel,
}

/// A request, as the server got it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) what: What,
    pub(super) model: String,
    pub(super) token: String,
    pub(super) cancel_after: Option<String>,
    /// How many of the same came before.
    pub(super) nth: usize,
}

/// The server. It stops with the test.
pub(super) struct StandIn {
    base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _fake: Fake,
    _runtime: Runtime,
}

impl StandIn {
    /// One that answers by `script`, and as usual where that has no answer.
    pub(super) fn start(script: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let notes = seen.clone();
        let fake = runtime.block_on(Fake::start(move |request, _| {
            let at = clock::instant();
            let (what, model) = asked(&request.method, &request.path, &request.json());
            let header = |name| request.header(name).map(str::to_owned);
            let token = header("authorization").unwrap_or_default().replace("Bearer ", "");
            let cancel_after = header("cancel-after");
            let mut notes = notes.lock().unwrap();
            let nth = notes.iter().filter(|seen| seen.what == what && seen.model == model).count();
            let one = Seen { at, what, model, token, cancel_after, nth };
            notes.push(one.clone());
            drop(notes);
            script(&one).unwrap_or_else(|| usual(&one))
        }));
        Self { base: fake.base.to_string(), seen, _fake: fake, _runtime: runtime }
    }

    /// The `warm.toml` for these models, each with what else its entry says; once a second.
    pub(super) fn config(&self, models: &[(&str, &str)]) -> String {
        let mut text = format!("[replicate]\nbase_url = \"{}\"\n", self.base);
        for (name, more) in models {
            let interval = if more.contains("interval") { "" } else { "interval = \"1s\"\n" };
            write!(
                text,
                "\n[models.{name}]\nreplicate = \"acme/{name}\"\nactive = [\"always\"]\n{interval}{more}\n"
            )
            .unwrap();
        }
        text
    }

    /// The requests of one kind for a model so far, the oldest first.
    pub(super) fn seen(&self, what: What, model: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.what == what && seen.model == model).cloned().collect()
    }

    pub(super) fn count(&self, what: What, model: &str) -> usize {
        self.seen(what, model).len()
    }
}

/// What a request asks for, and of which model: a version is made from its model's name, and so is
/// a prediction's id.
fn asked(method: &str, path: &str, body: &Value) -> (What, String) {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, parts.as_slice()) {
        ("GET", ["models", _, name, ..]) => (What::LookUp, (*name).to_owned()),
        ("GET", ["predictions", id]) => (What::Read, (*id).to_owned()),
        ("POST", ["predictions", id, "cancel"]) => (What::Cancel, (*id).to_owned()),
        ("POST", ["predictions"]) => (What::Create, name_in(body["version"].as_str().unwrap())),
        other => panic!("unexpected: {other:?}"),
    }
}

fn version_of(name: &str) -> String {
    let mut hex = String::new();
    for byte in name.bytes() {
        write!(hex, "{byte:02x}").unwrap();
    }
    format!("{hex:0<64}")
}

fn name_in(version: &str) -> String {
    let bytes = version.as_bytes().chunks(2).map(|hex| std::str::from_utf8(hex).unwrap());
    let bytes = bytes.map(|hex| u8::from_str_radix(hex, 16).unwrap());
    bytes.take_while(|byte| *byte != 0).map(char::from).collect()
}

fn usual(seen: &Seen) -> Reply {
    match seen.what {
        What::LookUp => reply(
            200,
            &json!({"owner": "acme", "name": seen.model, "visibility": "public", "is_official": false,
                "default_example": null, "latest_version": {"id": version_of(&seen.model), "openapi_schema": schema()}}),
        ),
        What::Create => reply(201, &at_once(&seen.model)),
        What::Read => reply(200, &ended(&seen.model)),
        What::Cancel => reply(200, &with(under_way(&seen.model), json!({"status": "canceled"}))),
    }
}

fn schema() -> Value {
    json!({"components": {"schemas": {"Input": {"type": "object", "required": [], "properties": {
        "steps": {"type": "integer", "default": 20, "minimum": 1, "maximum": 50}}}}}})
}

/// A prediction that waits for its start.
pub(super) fn under_way(model: &str) -> Value {
    json!({"id": model, "model": format!("acme/{model}"), "version": version_of(model), "input": {}, "logs": "",
        "output": null, "error": null, "status": "starting", "created_at": time(clock::now())})
}

/// One whose whole output came with its create: without a word of its times.
pub(super) fn at_once(model: &str) -> Value {
    with(under_way(model), json!({"status": "processing", "output": ["hi"]}))
}

/// One that was warm, and has ended.
pub(super) fn ended(model: &str) -> Value {
    let created = clock::now() - TimeDelta::milliseconds(300);
    let after = |millis| time(created + TimeDelta::milliseconds(millis));
    with(
        under_way(model),
        json!({"status": "succeeded", "output": ["hi"], "created_at": after(0), "started_at": after(20),
            "completed_at": after(220), "metrics": {"predict_time": 0.2, "total_time": 0.22}}),
    )
}

/// The same with these keys instead.
pub(super) fn with(mut body: Value, keys: Value) -> Value {
    let Value::Object(keys) = keys else { panic!("keys are an object") };
    for (key, value) in keys {
        body[key] = value;
    }
    body
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Waits until each of these has made so many more heartbeats than at the call: time that passes for
/// all alike.
pub(super) fn meanwhile(stand_in: &StandIn, going_on: &[&str], more: usize) {
    let before: Vec<usize> = going_on.iter().map(|model| stand_in.count(What::Create, model)).collect();
    crate::support::wait_until("the others go on", Duration::from_mins(1), || {
        going_on
            .iter()
            .zip(&before)
            .all(|(model, before)| stand_in.count(What::Create, model) >= before + more)
    });
}
