//! Heartbeats against a scripted Replicate: what warmd sends, held against the API's shape, and
//! what it makes of each answer.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_shape;
#[path = "replicate_contract/bench.rs"]
mod bench;
mod fake_replicate;
#[path = "replicate_contract/inputs.rs"]
mod inputs;
mod phases;

use api_shape::Recorded;
use bench::{
    Bench, TOKEN, V1, V2, answering, deployment, ended, model, pinned, released, schema, token, under_way,
    unpinned,
};
use fake_replicate::{lost, raw, reply};
use serde_json::{Value, json};
use std::time::Duration;
use warmd::heartbeat::{Answer, Phase, Rejection};
use warmd::provider::http::Client;
use warmd::provider::replicate::Replicate;

#[tokio::test]
async fn a_synchronous_reply_is_followed_by_the_get_that_brings_the_times() {
    let script = answering(
        |_| {
            let mut body = under_way("processing");
            body["output"] = json!(["woof"]);
            reply(201, &body).header("ratelimit-remaining", "599").header("ratelimit-reset", "1")
        },
        |_| reply(200, &ended("succeeded")),
    );
    let bench = Bench::new(pinned(), "10m", script).await;
    let (seen, phases) = bench.beat().await;
    assert_eq!((&seen.answer, phases), (&Answer::Succeeded, vec![]));
    assert_eq!(seen.signs.queue_wait, Some(Duration::from_millis(375)));
    assert_eq!(seen.signs.predict, Some(Duration::from_millis(375)));
    assert_ne!(seen.total, Duration::from_millis(750), "measured here, not by the provider");
    assert_eq!((seen.limits.creates, seen.limits.remaining), (1, Some(599)));
    assert_eq!(seen.limits.reset_in, Some(Duration::from_secs(1)));
    assert_eq!(bench.fake.calls(), ["GET /models/acme/dog", "POST /predictions", "GET /predictions/p1"]);
    let create = &bench.fake.requests()[1];
    assert_eq!(create.header("prefer"), Some("wait=1"), "no longer than cold_after, in whole seconds");
    assert_eq!(create.header("cancel-after"), Some("600s"));
    let input = json!({"steps": 1, "seed": 42, "prompt": "a dog"});
    assert_eq!(create.json(), json!({"version": V1, "input": input}));
    bench.beat().await;
    assert_eq!(bench.fake.calls().len(), 5, "what was looked up is kept");
}

#[tokio::test]
async fn a_boot_beyond_the_wait_is_polled_and_timed_by_the_provider() {
    let script = answering(
        |_| reply(202, &under_way("starting")),
        |nth| if nth < 2 { reply(200, &under_way("starting")) } else { reply(200, &ended("succeeded")) },
    );
    let bench = Bench::new(pinned(), "10m", script).await;
    let (seen, phases) = bench.beat().await;
    assert_eq!((seen.answer, phases), (Answer::Succeeded, vec![Phase::Booting; 2]));
    assert_eq!(seen.total, Duration::from_millis(750));
    assert_eq!(seen.signs.queue_wait, Some(Duration::from_millis(375)));
}

#[tokio::test]
async fn a_create_that_is_held_says_nothing_of_a_boot() {
    let script = answering(
        |_| reply(201, &ended("succeeded")).after(Duration::from_millis(900)),
        |_| reply(200, &ended("succeeded")),
    );
    let (seen, phases) = Bench::new(pinned(), "10m", script).await.beat().await;
    assert_eq!((seen.answer, phases), (Answer::Succeeded, vec![]));
    assert!(seen.total >= Duration::from_millis(900));
}

#[tokio::test]
async fn a_prediction_that_runs_beyond_cold_after_is_no_boot() {
    // The wait runs out, and the reply says `starting` though the model runs.
    let held = || reply(201, &under_way("starting")).after(Duration::from_secs(1));
    let long = |read: &'static [&str]| {
        answering(
            move |_| held(),
            move |nth| reply(200, &read.get(nth).map_or_else(|| ended("succeeded"), |said| under_way(said))),
        )
    };
    let (seen, phases) = Bench::new(pinned(), "10m", long(&["processing", "processing"])).await.beat().await;
    assert_eq!((seen.answer, phases), (Answer::Succeeded, vec![Phase::Running; 2]));
    // A boot, and then a long prediction.
    let booted = long(&["starting", "processing", "processing"]);
    let (seen, phases) = Bench::new(pinned(), "10m", booted).await.beat().await;
    let expected = vec![Phase::Booting, Phase::Running, Phase::Running];
    assert_eq!((seen.answer, phases), (Answer::Succeeded, expected));
}

#[tokio::test]
async fn out_of_time_it_is_cancelled() {
    let script = answering(|_| reply(201, &under_way("starting")), |_| reply(200, &under_way("queued")));
    let bench = Bench::new(pinned(), "2s", script).await;
    let (seen, _) = bench.beat().await;
    assert_eq!(
        seen.answer,
        Answer::TimedOut("the prediction did not end within 2s: it was still queued".to_owned())
    );
    assert_eq!(seen.signs.queue_wait, None);
    let requests = bench.fake.requests();
    assert_eq!(requests.last().unwrap().call(), "POST /predictions/p1/cancel");
    let create = requests.iter().find(|request| request.call() == "POST /predictions").unwrap();
    assert_eq!(create.header("prefer"), Some("wait=1"));
    assert_eq!(create.header("cancel-after"), Some("5s"), "the API takes no less");
}

#[tokio::test]
async fn every_end_has_its_answer() {
    let canceled_at_last = {
        let mut body = ended("canceled");
        body["completed_at"] = json!("2026-11-20T08:10:00.400Z");
        body
    };
    let mut failed = ended("failed");
    failed["error"] = json!("CUDA out of memory\u{1b}[0m\n(E1001)");
    let mut wordless = ended("failed");
    wordless["error"] = Value::Null;
    let timed_out = |text: &str| Answer::TimedOut(text.to_owned());
    for (body, answer) in [
        (failed, Answer::Failed("CUDA out of memory\\u{1b}[0m (E1001)".to_owned())),
        (wordless, Answer::Failed("the prediction failed without saying why".to_owned())),
        (
            ended("aborted"),
            timed_out("the prediction was aborted before it started, by its Cancel-After of 10m"),
        ),
        (canceled_at_last, timed_out("the prediction did not end within 10m: canceled by its Cancel-After")),
        (ended("canceled"), Answer::Failed("the prediction was canceled by someone else".to_owned())),
    ] {
        let (create, read) = (body.clone(), body.clone());
        let script = answering(move |_| reply(201, &create), move |_| reply(200, &read));
        let (seen, _) = Bench::new(pinned(), "10m", script).await.beat().await;
        assert_eq!(seen.answer, answer);
        assert_eq!(seen.signs.queue_wait.is_some(), body["status"] == "failed", "{body}");
    }
}

#[tokio::test]
async fn each_refusal_is_told_apart_and_none_is_sent_again() {
    let echoes =
        json!({"title": "Unauthenticated", "detail": format!("no such token: {TOKEN}"), "status": 401});
    let rejected = |seen: &Answer| if let Answer::Rejected(why, _) = seen { Some(*why) } else { None };
    for (refusal, wanted) in [
        (reply(401, &echoes), Some(Rejection::Token)),
        (reply(402, &json!({"title": "Insufficient credit"})), Some(Rejection::Credit)),
        (reply(403, &json!({})), Some(Rejection::Model)),
        (
            reply(404, &json!({"detail": "The requested resource could not be found."})),
            Some(Rejection::Model),
        ),
        (reply(422, &json!({"title": "Invalid version or not permitted"})), Some(Rejection::Model)),
        (reply(422, &json!({"detail": "- input: cat is required"})), Some(Rejection::Input)),
        (reply(500, &json!({"detail": "oops"})), None),
        (raw(502, "<html>"), None),
        (raw(201, "<html>"), None),
        (reply(201, &json!({"status": "starting"})), None),
        (reply(201, &json!({"id": "../account", "status": "starting"})), None),
        (raw(307, "").header("location", "http://192.0.2.1/"), None),
        (lost(), None),
        (raw(201, vec![b' '; 17 << 20]), None),
    ] {
        let script = answering(move |_| refusal.clone(), |_| panic!("nothing was created"));
        let bench = Bench::new(pinned(), "10m", script).await;
        let (seen, _) = bench.beat().await;
        assert_eq!(rejected(&seen.answer), wanted, "{:?}", seen.answer);
        assert!(wanted.is_some() || matches!(seen.answer, Answer::Unreachable(_)), "{:?}", seen.answer);
        assert_eq!((seen.limits.creates, bench.fake.creates().len()), (1, 1));
    }
}

#[tokio::test]
async fn a_429_says_when_in_each_of_its_forms() {
    let text = json!({"detail": "Request was throttled. Your rate limit resets in ~30s."});
    for (refusal, seconds) in [
        (reply(429, &text), 30),
        (reply(429, &json!({"detail": text["detail"], "status": 429, "retry_after": 5})), 5),
        (reply(429, &text).header("retry-after", "7").header("ratelimit-remaining", "0"), 7),
    ] {
        let script = answering(move |_| refusal.clone(), |_| panic!("nothing was created"));
        let (seen, _) = Bench::new(pinned(), "10m", script).await.beat().await;
        assert!(matches!(seen.answer, Answer::RateLimited(_)), "{:?}", seen.answer);
        assert_eq!(seen.limits.retry_after, Some(Duration::from_secs(seconds)));
        assert_eq!(seen.limits.creates, 1);
    }
}

#[tokio::test]
async fn a_get_that_fails_is_tried_again() {
    let script = answering(
        |_| reply(201, &under_way("processing")),
        |nth| match nth {
            0 => lost(),
            1 => raw(503, "busy"),
            2 => reply(429, &json!({"retry_after": 0})),
            3 => raw(200, "nonsense"),
            4 => reply(404, &json!({})),
            5 => reply(200, &under_way("starting")),
            _ => reply(200, &ended("succeeded")),
        },
    );
    let bench = Bench::new(pinned(), "10m", script).await;
    let (seen, _) = bench.beat().await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert_eq!(bench.fake.creates().len(), 1);
}

#[tokio::test]
async fn a_token_withdrawn_meanwhile_is_no_reason_to_go_on() {
    let script = answering(|_| reply(201, &under_way("starting")), |_| reply(401, &json!({})));
    let (seen, _) = Bench::new(pinned(), "10m", script).await.beat().await;
    assert!(matches!(seen.answer, Answer::Rejected(Rejection::Token, _)), "{:?}", seen.answer);
}

#[tokio::test]
async fn an_end_without_times_is_looked_at_again_a_few_times() {
    let timeless = under_way("succeeded");
    let again = timeless.clone();
    let script = answering(move |_| reply(201, &timeless), move |_| reply(200, &again));
    let bench = Bench::new(pinned(), "10m", script).await;
    let (seen, _) = bench.beat().await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert_eq!((seen.signs.queue_wait, seen.signs.predict), (None, None));
    assert_eq!(bench.fake.calls().len(), 2 + 4);
}

#[tokio::test]
async fn an_unpinned_community_model_moves_to_its_new_version() {
    let bench = Bench::new(unpinned(), "10m", |request, nth| match request.call().as_str() {
        "GET /models/acme/dog" => model(if nth == 0 { V1 } else { V2 }, false),
        "POST /predictions" if request.json()["version"] == V2 => reply(201, &ended("succeeded")),
        "POST /predictions" => reply(422, &json!({"title": "Invalid version or not permitted",
            "detail": "The specified version does not exist (or perhaps you don't have permission to use it?)"})),
        "GET /predictions/p1" => reply(200, &ended("succeeded")),
        other => panic!("unexpected: {other}"),
    })
    .await;
    let (seen, _) = bench.beat().await;
    assert_eq!((seen.answer, seen.limits.creates), (Answer::Succeeded, 2));
    assert_eq!(bench.beat().await.0.limits.creates, 1);
}

#[tokio::test]
async fn official_models_have_their_own_path_and_fall_back_to_a_version() {
    let official = |refused: bool| {
        Bench::new(unpinned(), "10m", move |request, _| match request.call().as_str() {
            "GET /models/acme/dog" => model(V1, true),
            "POST /models/acme/dog/predictions" if refused => reply(404, &json!({})),
            "POST /models/acme/dog/predictions" | "POST /predictions" => reply(201, &ended("succeeded")),
            "GET /predictions/p1" => reply(200, &ended("succeeded")),
            other => panic!("unexpected: {other}"),
        })
    };
    let bench = official(false).await;
    assert_eq!(bench.beat().await.0.limits.creates, 1);
    assert_eq!(bench.replicate.facts().official, Some(true));
    let bench = official(true).await;
    let (seen, _) = bench.beat().await;
    assert_eq!((seen.answer, seen.limits.creates), (Answer::Succeeded, 2));
    assert_eq!(bench.fake.creates()[1]["version"], V1);
    assert_eq!(bench.replicate.facts().official, Some(false));
    assert_eq!(bench.beat().await.0.limits.creates, 1);
}

#[tokio::test]
async fn a_deployments_input_follows_its_release() {
    let bench = Bench::new(deployment(), "10m", |request, nth| match request.call().as_str() {
        "GET /deployments/acme/kennel" => released(if nth == 0 { V1 } else { V2 }),
        "GET /models/acme/dog" => reply(404, &json!({})),
        "POST /deployments/acme/kennel/predictions" if request.json()["input"]["steps"] == 1 && nth > 0 => {
            reply(422, &json!({"detail": "- input.steps: Additional property steps is not allowed"}))
        }
        "POST /deployments/acme/kennel/predictions" => reply(201, &ended("succeeded")),
        "GET /predictions/p1" => reply(200, &ended("succeeded")),
        path if path.ends_with(V1) => reply(200, &json!({"id": V1, "openapi_schema": schema()})),
        path if path.ends_with(V2) => reply(200, &json!({"id": V2, "openapi_schema": null})),
        other => panic!("unexpected: {other}"),
    })
    .await;
    assert_eq!(bench.replicate.facts().billed_when_idle, Some(true));
    assert_eq!(bench.beat().await.0.answer, Answer::Succeeded);
    let (seen, _) = bench.beat().await;
    assert_eq!((seen.answer, seen.limits.creates), (Answer::Succeeded, 2));
    assert_eq!(bench.fake.creates()[2], json!({"input": {"prompt": "a dog"}}));
}

#[tokio::test]
async fn a_knob_that_was_refused_small_is_left_alone_from_then_on() {
    let script = |request: &Recorded, _| match request.call().as_str() {
        "GET /models/acme/dog" => model(V1, false),
        "POST /predictions" if request.json()["input"]["steps"].is_null() => reply(201, &ended("succeeded")),
        "POST /predictions" => reply(
            422,
            &json!({"title": "Input validation failed",
            "detail": "- input.steps: Must be greater than or equal to 4",
            "invalid_fields": [{"type": "number_gte", "field": "input.steps", "description": "too small"}]}),
        ),
        "GET /predictions/p1" => reply(200, &ended("succeeded")),
        other => panic!("unexpected: {other}"),
    };
    let bench = Bench::new(pinned(), "10m", script).await;
    assert_eq!(bench.beat().await.0.limits.creates, 2);
    assert_eq!(bench.beat().await.0.limits.creates, 1);
    assert_eq!(bench.fake.creates()[2]["input"], json!({"seed": 42, "prompt": "a dog"}));
}

#[tokio::test]
async fn a_lookup_that_fails_creates_nothing() {
    for (found, wanted) in [
        (reply(401, &json!({})), Some(Rejection::Token)),
        (reply(404, &json!({})), Some(Rejection::Model)),
        (reply(200, &json!({"is_official": false, "latest_version": null})), Some(Rejection::Model)),
        (raw(503, ""), None),
        (lost(), None),
    ] {
        let bench = Bench::new(unpinned(), "10m", move |_, _| found.clone()).await;
        let (seen, _) = bench.beat().await;
        match (&seen.answer, wanted) {
            (Answer::Rejected(why, _), Some(wanted)) => assert_eq!(*why, wanted),
            (Answer::Unreachable(_), None) => {}
            (other, _) => panic!("{other:?}"),
        }
        assert_eq!(seen.limits.creates, 0);
    }
}

#[tokio::test]
async fn a_version_that_can_not_be_read_may_run_all_the_same() {
    let hidden = |runs: bool| {
        Bench::new(pinned(), "10m", move |request, _| match request.call().as_str() {
            "POST /predictions" if runs => reply(201, &ended("succeeded")),
            "POST /predictions" => reply(422, &json!({"title": "Invalid version or not permitted"})),
            "GET /predictions/p1" => reply(200, &ended("succeeded")),
            _ => reply(404, &json!({"detail": "The requested resource could not be found."})),
        })
    };
    let bench = hidden(true).await;
    assert_eq!(bench.beat().await.0.answer, Answer::Succeeded);
    assert_eq!(bench.fake.creates()[0]["input"], json!({"prompt": "a dog"}));
    let bench = hidden(false).await;
    assert_eq!(bench.replicate.inspect().await.problems.len(), 2, "neither the account nor the version");
    let (seen, _) = bench.beat().await;
    assert!(matches!(seen.answer, Answer::Rejected(Rejection::Model, _)), "{:?}", seen.answer);
}

#[tokio::test]
async fn a_create_without_an_answer_is_not_sent_again() {
    let slow = || reply(201, &ended("succeeded")).after(Duration::from_secs(30));
    let script = answering(move |_| slow(), |_| panic!("nothing was created"));
    let bench = Bench::new(pinned(), "1s", script).await;
    let (seen, _) = bench.beat().await;
    assert!(matches!(seen.answer, Answer::TimedOut(_)), "{:?}", seen.answer);
    assert_eq!(seen.limits.creates, 1);
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let mut bench = Bench::new(pinned(), "10m", |_, _| panic!("nobody asks")).await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let base = format!("http://{closed}/v1").parse().unwrap();
    bench.replicate = Replicate::new(&bench.order.model, base, Some(token()), Client::new());
    let (seen, _) = bench.beat().await;
    let Answer::Unreachable(why) = seen.answer else { panic!("{:?}", seen.answer) };
    assert!(why.contains("GET /models/acme/dog could not be sent"), "{why}");
}

#[tokio::test]
async fn an_inspection_reads_and_creates_nothing() {
    let account = reply(200, &json!({"type": "user", "username": "acme"}));
    let script = move |request: &Recorded, _| match request.call().as_str() {
        "GET /account" => account.clone(),
        "GET /models/acme/dog" => model(V1, false),
        other => panic!("unexpected: {other}"),
    };
    let found = Bench::new(unpinned(), "10m", script).await.replicate.inspect().await;
    assert_eq!(
        found.facts,
        [
            "the token is good, and belongs to acme",
            "acme/dog exists, and its latest version is 11111111111…",
            "its heartbeats send steps, seed, prompt",
        ]
    );
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let refused = Bench::new(unpinned(), "10m", |_, _| reply(401, &json!({}))).await;
    assert_eq!(refused.replicate.inspect().await.problems.len(), 1);
}

#[test]
fn the_shape_is_held_against_every_part_of_a_request() {
    let good = Recorded {
        method: "POST".to_owned(),
        path: "/predictions".to_owned(),
        query: None,
        headers: [
            ("authorization", "Bearer r8_x"),
            ("content-type", "application/json"),
            ("prefer", "wait=10"),
            ("cancel-after", "1h30m45s"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        body: json!({"version": V1, "input": {}}).to_string().into_bytes(),
    };
    assert!(api_shape::violations(&good).is_empty(), "{:?}", api_shape::violations(&good));
    let header = |name: &str, value: &str| {
        let mut request = good.clone();
        request.headers.retain(|(key, _)| key != name);
        request.headers.push((name.to_owned(), value.to_owned()));
        request
    };
    let body = |body: Value| Recorded { body: body.to_string().into_bytes(), ..good.clone() };
    for (what, bad) in [
        ("no token", header("authorization", "Bearer ")),
        ("a wait too long", header("prefer", "wait=61")),
        ("a wait of nothing", header("prefer", "wait=0")),
        ("too short a life", header("cancel-after", "4s")),
        ("no duration", header("cancel-after", "5s1h")),
        ("a strange header", header("x-strange", "1")),
        ("no version", body(json!({"input": {}}))),
        ("a version that is none", body(json!({"version": "latest", "input": {}}))),
        ("no input", body(json!({"version": V1}))),
        ("null in the input", body(json!({"version": V1, "input": {"seed": null}}))),
        ("a strange key", body(json!({"version": V1, "input": {}, "model": "x"}))),
        ("no JSON", Recorded { body: b"x".to_vec(), ..good.clone() }),
        ("a query", Recorded { query: Some("a=b".to_owned()), ..good.clone() }),
        ("no such call", Recorded { method: "PUT".to_owned(), ..good.clone() }),
        ("a strange id", Recorded { path: "/predictions/A/cancel".to_owned(), ..good.clone() }),
        (
            "a read with a body",
            Recorded { method: "GET".to_owned(), path: "/account".to_owned(), ..good.clone() },
        ),
    ] {
        assert!(!api_shape::violations(&bad).is_empty(), "{what} was let through");
    }
}
