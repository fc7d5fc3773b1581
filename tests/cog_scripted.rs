//! Heartbeats against scripted servers: what proxies do, what races bring, and what no Cog server
//! would say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cog_model;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cog_model::{Warmer, model};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::fmt::Display;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use warmd::config::Probe;
use warmd::config::env::Env;
use warmd::config::value::TokenSource;
use warmd::heartbeat::{Answer, Observation, Phase, Rejection};

const HEALTH: &str = "GET /health-check";
const PREDICT: &str = "POST /predictions";
const SCHEMA: &str = "GET /openapi.json";
const INDEX: &str = "GET /";

/// Two setups of one model: the first, and the one after a restart.
const OLD: &str = "2026-11-20T08:00:00.123456+00:00";
const NEW: &str = "2026-11-20T09:30:00.5+00:00";

/// One answer of a script.
#[derive(Debug, Clone)]
struct Line {
    after: Duration,
    status: u16,
    header: Option<(HeaderName, String)>,
    body: String,
}

impl Line {
    fn held(self, seconds: f64) -> Self {
        Self { after: Duration::from_secs_f64(seconds), ..self }
    }

    fn with(self, name: HeaderName, value: &str) -> Self {
        Self { header: Some((name, value.to_owned())), ..self }
    }

    fn to(self, url: &str) -> Self {
        self.with(header::LOCATION, url)
    }
}

fn says(status: u16, body: impl Display) -> Line {
    Line { after: Duration::ZERO, status, header: None, body: body.to_string() }
}

fn health(state: &str, started_at: &str) -> Line {
    let setup =
        json!({"started_at": started_at, "completed_at": started_at, "status": "succeeded", "logs": "up\n"});
    says(200, json!({"status": state, "setup": setup}))
}

/// As versions up to 0.16 say it.
fn starting() -> Line {
    says(200, json!({"status": "STARTING", "setup": {}}))
}

fn succeeded(predict_time: f64) -> Line {
    let metrics = json!({"predict_time": predict_time});
    says(200, json!({"id": "p", "output": "hi", "status": "succeeded", "logs": "", "metrics": metrics}))
}

fn at_capacity() -> Line {
    says(409, json!({"error": "At capacity - all prediction slots busy", "status": "failed"}))
}

/// Cog's own 503, since 0.17.
fn not_set_up() -> Line {
    says(503, json!({"error": "Setup has not finished yet. Wait until it has.", "status": "failed"}))
}

fn no_schema() -> Line {
    says(503, json!({"error": "OpenAPI schema not available"}))
}

fn schema(properties: &Value) -> Line {
    let input = json!({"type": "object", "properties": properties, "required": ["prompt"]});
    says(200, json!({"openapi": "3.0.2", "components": {"schemas": {"Input": input}}}))
}

/// A server that answers each path by its script; the last line of one is repeated.
struct Server {
    url: String,
    said: Arc<Script>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Script {
    lines: Mutex<HashMap<String, VecDeque<Line>>>,
    heard: Mutex<Vec<(String, Option<String>, Value)>>,
}

impl Server {
    async fn with(script: impl IntoIterator<Item = (&'static str, Vec<Line>)>) -> Self {
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

    /// The bodies of the requests of one kind.
    fn heard(&self, what: &str) -> Vec<Value> {
        let heard = self.said.heard.lock().unwrap();
        heard.iter().filter(|(kind, ..)| kind == what).map(|(.., body)| body.clone()).collect()
    }

    fn count(&self, what: &str) -> usize {
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
async fn beat(server: &Server) -> Observation {
    let mut warmer = Warmer::of(&server.url, json!({"prompt": "hi"}));
    warmer.knows(OLD);
    warmer.beat().await
}

/// One that has a few seconds only.
async fn short_beat(server: &Server, seconds: u64) -> Observation {
    let mut model = model(&server.url, json!({"prompt": "hi"}));
    model.timeout = Duration::from_secs(seconds);
    let mut warmer = Warmer::new(model);
    warmer.knows(OLD);
    warmer.beat().await
}

fn unreachable(seen: &Observation) -> bool {
    matches!(seen.answer, Answer::Unreachable(_))
}

#[tokio::test]
async fn a_warm_heartbeat_is_one_health_check_and_one_prediction() {
    let server = Server::with([(HEALTH, vec![health("READY", OLD)]), (PREDICT, vec![succeeded(0.01)])]).await;
    let mut warmer = Warmer::of(&server.url, json!({"prompt": "hi"}));
    for count in 1..=3 {
        let seen = warmer.beat().await;
        assert_eq!(seen.answer, Answer::Succeeded);
        assert_eq!((seen.signs.held, seen.signs.met_starting), (None, false));
        assert_eq!(seen.signs.predict, Some(Duration::from_millis(10)));
        assert_eq!((server.count(HEALTH), server.count(PREDICT)), (count, count));
    }
    assert_eq!(server.count(SCHEMA), 1, "it is asked for once a setup");
    assert_eq!(server.heard(PREDICT)[0]["input"], json!({"prompt": "hi"}));
}

#[tokio::test]
async fn the_schema_is_asked_for_anew_when_the_setup_changes_and_is_no_part_of_the_total() {
    let small = |name: &str| {
        schema(&json!({"prompt": {"type": "string"}, name: {"type": "integer", "minimum": 1, "default": 50}}))
    };
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD), health("READY", OLD), health("READY", NEW)]),
        (SCHEMA, vec![small("max_tokens").held(0.7), small("num_outputs").held(0.7)]),
        (PREDICT, vec![succeeded(0.01)]),
    ])
    .await;
    let mut warmer = Warmer::of(&server.url, json!({}));
    for _ in 0..3 {
        let seen = warmer.beat().await;
        assert_eq!(seen.answer, Answer::Succeeded);
        assert!(seen.total < Duration::from_millis(600), "{seen:?}");
    }
    let sent: Vec<Value> = server.heard(PREDICT).into_iter().map(|body| body["input"].clone()).collect();
    assert_eq!(sent[0], json!({"prompt": "hi", "max_tokens": 1}));
    assert_eq!(sent[1], sent[0]);
    assert_eq!(sent[2], json!({"prompt": "hi", "num_outputs": 1}));
    assert_eq!(server.count(SCHEMA), 2);
    assert_eq!(warmer.cog.facts().guessed, ["prompt"]);
}

#[tokio::test]
async fn a_schema_that_took_long_is_followed_by_another_health_check() {
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD), health("BUSY", OLD)]),
        (SCHEMA, vec![no_schema().held(1.3)]),
    ])
    .await;
    assert_eq!(beat(&server).await.answer, Answer::Busy);
    assert_eq!(server.count(PREDICT), 0, "the slot was taken meanwhile");
}

#[tokio::test]
async fn a_proxys_errors_are_waited_out_while_it_scales_up() {
    let server = Server::with([
        (
            HEALTH,
            vec![
                says(503, "no available server"),
                says(502, "<html>Bad Gateway</html>"),
                says(504, ""),
                starting(),
                says(503, json!({"message": "scaling"})),
                health("READY", NEW),
            ],
        ),
        (PREDICT, vec![succeeded(0.01)]),
    ])
    .await;
    let seen = beat(&server).await;
    assert_eq!(seen.answer, Answer::Succeeded);
    let held = seen.signs.held.expect("it waited");
    assert!(held >= Duration::from_secs(1) && held <= seen.total, "{seen:?}");
    assert!(seen.signs.met_starting);
    assert_eq!(server.count(PREDICT), 1);
}

#[tokio::test]
async fn a_proxy_that_never_finds_its_server_times_out() {
    let server = Server::with([(HEALTH, vec![says(503, "")])]).await;
    let seen = short_beat(&server, 1).await;
    assert!(matches!(&seen.answer, Answer::TimedOut(why) if why.contains("503")), "{seen:?}");
    assert!(seen.total >= Duration::from_secs(1));
    assert!(!seen.signs.met_starting, "nobody said that it boots");
}

#[tokio::test]
async fn a_held_health_check_is_a_wait_where_a_new_setup_answers() {
    let server =
        Server::with([(HEALTH, vec![health("READY", NEW).held(1.5)]), (PREDICT, vec![succeeded(0.01)])])
            .await;
    let seen = beat(&server).await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert!(seen.signs.held.expect("it was held") >= Duration::from_millis(1500));
    assert!(!seen.signs.met_starting);
}

#[tokio::test]
async fn a_held_health_check_is_busy_where_the_old_setup_answers() {
    let server =
        Server::with([(HEALTH, vec![health("READY", OLD).held(1.5)]), (PREDICT, vec![succeeded(0.01)])])
            .await;
    assert_eq!(beat(&server).await.answer, Answer::Busy);
    assert_eq!(server.count(PREDICT), 0);
    // So it is where no setup is known yet, and this one is older than the heartbeat.
    let seen = Warmer::of(&server.url, json!({})).beat().await;
    assert_eq!(seen.answer, Answer::Busy);
    assert_eq!(server.count(PREDICT), 0);
}

#[tokio::test]
async fn a_held_health_check_without_a_setup_is_a_wait() {
    let server = Server::with([
        (HEALTH, vec![says(200, r#"{"status":"READY"}"#).held(1.5)]),
        (PREDICT, vec![succeeded(0.01)]),
    ])
    .await;
    let seen = beat(&server).await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert!(seen.signs.held.is_some() && seen.signs.setup.is_none());
}

#[tokio::test]
async fn a_heartbeat_that_waits_beyond_cold_after_is_told_as_booting() {
    let server =
        Server::with([(HEALTH, vec![health("READY", NEW).held(3.0)]), (PREDICT, vec![succeeded(0.01)])])
            .await;
    let mut warmer = Warmer::of(&server.url, json!({}));
    warmer.knows(OLD);
    let (seen, phase) = warmer.beat_in_phases().await;
    assert_eq!((seen.answer, phase), (Answer::Succeeded, Phase::Booting));
}

#[tokio::test]
async fn two_replicas_are_two_setups() {
    let server = Server::with([
        (
            HEALTH,
            vec![health("READY", OLD), health("READY", NEW), health("READY", OLD), health("READY", NEW)],
        ),
        (PREDICT, vec![succeeded(0.01)]),
    ])
    .await;
    let mut warmer = Warmer::of(&server.url, json!({}));
    for _ in 0..4 {
        let seen = warmer.beat().await;
        assert_eq!((seen.answer, seen.signs.held), (Answer::Succeeded, None));
    }
    assert_eq!(warmer.known[0], warmer.known[2]);
    assert_ne!(warmer.known[0], warmer.known[1]);
    assert_eq!(server.count(SCHEMA), 2, "each replica's input is kept");
}

#[tokio::test]
async fn a_prediction_that_meets_a_starting_replica_is_sent_again() {
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        (PREDICT, vec![not_set_up(), not_set_up(), succeeded(0.01)]),
    ])
    .await;
    let seen = beat(&server).await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert!(seen.signs.met_starting && seen.signs.held.is_some(), "a user would have met it too");
    assert_eq!(server.count(PREDICT), 3);
}

#[tokio::test]
async fn a_409_alone_says_nothing() {
    let after = |state: Line| async move {
        let server =
            Server::with([(HEALTH, vec![health("READY", OLD), state]), (PREDICT, vec![at_capacity()])]).await;
        let seen = short_beat(&server, 1).await;
        (seen.answer, server.count(PREDICT))
    };
    assert_eq!(after(health("READY", OLD)).await, (Answer::Busy, 1));
    assert_eq!(after(health("BUSY", OLD)).await, (Answer::Busy, 1));
    assert!(matches!(after(health("UNHEALTHY", OLD)).await, (Answer::Failed(_), 1)));
    assert!(matches!(after(health("DEFUNCT", OLD)).await, (Answer::Failed(_), 1)));
    assert!(matches!(after(starting()).await, (Answer::TimedOut(_), 1)));
    assert!(matches!(after(says(404, "")).await, (Answer::Rejected(Rejection::Model, _), 1)));
}

#[tokio::test]
async fn a_409_of_a_server_that_starts_is_a_boot() {
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD), starting(), starting(), health("READY", NEW)]),
        (PREDICT, vec![says(409, json!({"detail": "Already running a prediction"})), succeeded(0.01)]),
    ])
    .await;
    let seen = beat(&server).await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert!(seen.signs.met_starting);
    assert_eq!(seen.signs.setup.unwrap().started_at.timestamp_subsec_millis(), 500, "the new one's");
    assert_eq!(server.count(PREDICT), 2);
}

#[tokio::test]
async fn a_boot_that_ends_in_a_prediction_of_another_is_still_seen() {
    let server = Server::with([(HEALTH, vec![starting(), health("BUSY", NEW)])]).await;
    let seen = beat(&server).await;
    assert_eq!(seen.answer, Answer::Busy);
    assert!(seen.signs.met_starting && seen.signs.setup.is_some() && seen.signs.held.is_some());
}

#[tokio::test]
async fn a_proxy_that_lost_its_server_between_health_check_and_prediction_is_waited_for() {
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD), says(503, ""), health("READY", NEW)]),
        (PREDICT, vec![says(503, "no healthy upstream"), says(502, ""), succeeded(0.01)]),
    ])
    .await;
    let seen = beat(&server).await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert!(seen.signs.held.is_some());
    assert_eq!(server.count(PREDICT), 3);
}

#[tokio::test]
async fn a_prediction_that_a_proxy_gave_up_on_is_not_sent_for_ever() {
    let server =
        Server::with([(HEALTH, vec![health("READY", OLD)]), (PREDICT, vec![says(504, "").held(1.2)])]).await;
    let seen = beat(&server).await;
    assert!(unreachable(&seen), "{seen:?}");
    assert_eq!(server.count(PREDICT), 2, "each of them may have run");
}

#[tokio::test]
async fn a_prediction_that_queued_behind_others_is_busy() {
    // As 0.9 does: it names no version, and takes a second prediction while one runs.
    let old = |path: &'static str, body: Value| (path, vec![says(200, body)]);
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        old(INDEX, json!({"docs_url": "/docs", "openapi_url": "/openapi.json"})),
        (PREDICT, vec![succeeded(0.1).held(1.5)]),
    ])
    .await;
    assert_eq!(beat(&server).await.answer, Answer::Busy);
    // Later versions have no queue: whatever took so long, a user would have waited for it too.
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        old(INDEX, json!({"cog_version": "0.16.12", "docs_url": "/docs"})),
        (PREDICT, vec![succeeded(0.1).held(1.5)]),
    ])
    .await;
    let seen = beat(&server).await;
    assert_eq!((seen.answer, seen.signs.held), (Answer::Succeeded, None));
    assert!(seen.total >= Duration::from_millis(1500));
}

#[tokio::test]
async fn a_prediction_that_was_held_until_a_new_setup_was_up_waited_for_its_boot() {
    let soon = chrono::DateTime::to_rfc3339(&(warmd::clock::now() + Duration::from_secs(1)));
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD), health("READY", &soon)]),
        (PREDICT, vec![succeeded(0.1).held(2.0)]),
    ])
    .await;
    let seen = beat(&server).await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert!(seen.signs.held.expect("it was held") >= Duration::from_millis(1500));
    assert!(seen.signs.setup.unwrap().started_at > seen.sent_at);
}

#[tokio::test]
async fn cost_knobs_that_are_refused_small_are_left_alone_once() {
    let properties = json!({
        "prompt": {"type": "string"},
        "width": {"type": "integer", "default": 1024},
        "max_tokens": {"type": "integer", "default": 50, "minimum": 1},
    });
    let refused = |key: &str| {
        says(
            422,
            json!({"detail": [{"loc": ["body", "input", key], "msg": "too small", "type": "value_error"}]}),
        )
    };
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        (SCHEMA, vec![schema(&properties)]),
        (
            PREDICT,
            vec![
                refused("width"),
                succeeded(0.01),
                succeeded(0.01),
                refused("max_tokens"),
                refused("prompt"),
            ],
        ),
    ])
    .await;
    let mut warmer = Warmer::of(&server.url, json!({}));
    assert_eq!(warmer.beat().await.answer, Answer::Succeeded);
    assert_eq!(warmer.beat().await.answer, Answer::Succeeded);
    let sent: Vec<Value> = server.heard(PREDICT).into_iter().map(|body| body["input"].clone()).collect();
    assert_eq!(sent[0], json!({"prompt": "hi", "width": 256, "max_tokens": 1}));
    assert_eq!(sent[1], json!({"prompt": "hi", "max_tokens": 1}));
    assert_eq!(sent[2], sent[1], "it is remembered");
    let seen = warmer.beat().await;
    assert!(
        matches!(&seen.answer, Answer::Rejected(Rejection::Input, why) if why.contains("prompt")),
        "{seen:?}"
    );
    assert_eq!(server.count(PREDICT), 5);
}

#[tokio::test]
async fn without_a_schema_a_refused_input_is_the_users_to_write() {
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        (SCHEMA, vec![says(404, "")]),
        (
            PREDICT,
            vec![says(
                422,
                json!({"detail": [{"loc": ["body", "input", "prompt"], "msg": "field required"}]}),
            )],
        ),
    ])
    .await;
    let seen = Warmer::of(&server.url, json!({})).beat().await;
    let Answer::Rejected(Rejection::Input, why) = &seen.answer else { panic!("{seen:?}") };
    assert!(why.contains("input.prompt: field required") && why.contains("set input"), "{why}");
    assert_eq!(server.heard(PREDICT)[0]["input"], json!({}));
}

#[tokio::test]
async fn an_input_that_cant_be_made_is_the_users_to_write() {
    let secret = json!({"prompt": {"type": "string", "format": "password", "x-cog-secret": true}});
    let server = Server::with([(HEALTH, vec![health("READY", OLD)]), (SCHEMA, vec![schema(&secret)])]).await;
    let seen = Warmer::of(&server.url, json!({})).beat().await;
    assert!(
        matches!(&seen.answer, Answer::Rejected(Rejection::Input, why) if why.contains("prompt")),
        "{seen:?}"
    );
    assert_eq!(server.count(PREDICT), 0);
}

#[tokio::test]
async fn a_prediction_at_the_deadline_is_cancelled_by_its_id() {
    let server =
        Server::with([(HEALTH, vec![health("READY", OLD)]), (PREDICT, vec![succeeded(0.1).held(30.0)])])
            .await;
    let seen = short_beat(&server, 1).await;
    assert!(matches!(seen.answer, Answer::TimedOut(_)), "{seen:?}");
    let id = server.heard(PREDICT)[0]["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("warmd-"));
    assert_eq!(server.count(&format!("POST /predictions/{id}/cancel")), 1);
}

#[tokio::test]
async fn who_must_act_is_told() {
    let by_health = |line: Line| async move {
        let server = Server::with([(HEALTH, vec![line])]).await;
        let seen = beat(&server).await;
        assert_eq!(server.count(PREDICT), 0);
        seen
    };
    let by_prediction = |line: Line| async move {
        let server = Server::with([(HEALTH, vec![health("READY", OLD)]), (PREDICT, vec![line])]).await;
        let seen = beat(&server).await;
        assert_eq!(server.count(PREDICT), 1, "none of these is sent again");
        seen
    };
    for status in [401, 403] {
        for seen in [by_health(says(status, "")).await, by_prediction(says(status, "")).await] {
            assert!(matches!(seen.answer, Answer::Rejected(Rejection::Token, _)), "{seen:?}");
        }
    }
    for seen in [by_health(says(404, "")).await, by_prediction(says(404, "")).await] {
        assert!(matches!(seen.answer, Answer::Rejected(Rejection::Model, _)), "{seen:?}");
    }
    let slow = || says(429, "").with(header::RETRY_AFTER, "7");
    for seen in [by_health(slow()).await, by_prediction(slow()).await] {
        assert!(matches!(seen.answer, Answer::RateLimited(_)), "{seen:?}");
        assert_eq!(seen.limits.retry_after, Some(Duration::from_secs(7)));
    }
    let away = || says(307, "").to("http://127.0.0.1:9/elsewhere");
    for junk in
        [away(), says(200, "<html>"), says(200, "{}"), says(500, "oops"), says(418, ""), says(400, "")]
    {
        for seen in [by_health(junk.clone()).await, by_prediction(junk).await] {
            assert!(unreachable(&seen), "{seen:?}");
        }
    }
    let later = says(202, json!({"id": "p", "status": "processing"}));
    assert!(unreachable(&by_prediction(later).await));
    let ended = says(200, json!({"id": "p", "status": "canceled"}));
    assert!(matches!(by_prediction(ended).await.answer, Answer::Failed(_)));
}

#[tokio::test]
async fn the_token_goes_with_every_request_and_nowhere_else() {
    let elsewhere = Server::with([]).await;
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        (PREDICT, vec![succeeded(0.01), says(307, "").to(&elsewhere.url), says(401, "")]),
    ])
    .await;
    let source = TokenSource { env: Some("T".to_owned()), ..TokenSource::default() };
    let (token, _) = source.read(&Env::from([("T", "a-secret-of-mine")])).unwrap();
    let mut warmer = Warmer::with_token(model(&server.url, json!({})), Some(token));
    let mut seen = vec![warmer.beat().await, warmer.beat().await, warmer.beat().await];
    assert!(unreachable(&seen[1]) && matches!(seen[2].answer, Answer::Rejected(Rejection::Token, _)));
    seen.retain(|seen| format!("{seen:?}").contains("a-secret"));
    assert_eq!(seen, [], "it is told to nobody");
    for (what, token, _) in server.said.heard.lock().unwrap().iter() {
        assert_eq!(token.as_deref(), Some("Bearer a-secret-of-mine"), "{what}");
    }
    assert!(elsewhere.said.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_answers_500_tells_by_its_health_check_what_became_of_it() {
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD), health("DEFUNCT", OLD)]),
        (PREDICT, vec![says(500, "Internal Server Error")]),
    ])
    .await;
    let seen = beat(&server).await;
    assert!(matches!(&seen.answer, Answer::Failed(why) if why.contains("DEFUNCT")), "{seen:?}");
    assert_eq!(server.count(PREDICT), 1);
}

#[tokio::test]
async fn the_health_probe_sends_nothing_else() {
    let server = Server::with([(HEALTH, vec![starting(), health("READY", NEW), health("BUSY", NEW)])]).await;
    let mut model = model(&server.url, json!({}));
    model.probe = Probe::Health;
    let mut warmer = Warmer::new(model);
    assert_eq!(warmer.beat().await.answer, Answer::Succeeded);
    assert_eq!(warmer.beat().await.answer, Answer::Busy);
    assert_eq!((server.count(SCHEMA), server.count(PREDICT)), (0, 0));
}

#[tokio::test]
async fn a_prediction_whose_connection_breaks_is_not_sent_again() {
    // Answers the health check, then reads the prediction and hangs up.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    let predictions = Arc::new(Mutex::new(0));
    let count = Arc::clone(&predictions);
    serving.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 8192];
            let length = stream.read(&mut buffer).await.unwrap();
            let head = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let body = match head.split(' ').nth(1) {
                Some("/health-check") => health("READY", OLD).body,
                Some("/openapi.json") => "{}".to_owned(),
                _ => {
                    *count.lock().unwrap() += 1;
                    continue;
                }
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await.unwrap();
        }
    });
    let seen = Warmer::of(&url, json!({})).beat().await;
    assert!(unreachable(&seen), "{seen:?}");
    assert_eq!(*predictions.lock().unwrap(), 1);
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_waited_for() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for url in [format!("http://127.0.0.1:{port}"), "http://no-such-host.invalid:5000".to_owned()] {
        let seen = Warmer::of(&url, json!({})).beat().await;
        assert!(unreachable(&seen), "{seen:?}");
        assert!(seen.total < Duration::from_secs(20), "{seen:?}");
    }
}
