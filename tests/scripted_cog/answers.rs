//! What is asked for and sent, and what each answer to it means.

use super::cog_model::{Warmer, model};
use super::scripted_cog::*;
use axum::http::header;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use warmd::config::env::Env;
use warmd::config::value::TokenSource;
use warmd::heartbeat::{Answer, Rejection};

#[tokio::test]
async fn the_schema_is_asked_for_anew_when_the_setup_changes_and_is_no_part_of_the_total() {
    let small = |name: &str| {
        schema(&json!({"prompt": {"type": "string"}, name: {"type": "integer", "minimum": 1, "default": 50}}))
    };
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD), health("READY", OLD), health("READY", NEW)]),
        (SCHEMA, vec![small("max_tokens").held(0.4), small("num_outputs").held(0.4)]),
        (PREDICT, vec![succeeded(0.01)]),
    ])
    .await;
    let mut warmer = Warmer::of(&server.url, json!({}));
    for asks in [true, false, true] {
        let seen = warmer.beat().await;
        assert_eq!(seen.answer, Answer::Succeeded);
        let aside = (seen.done_at - seen.sent_at).as_seconds_f64() - seen.total.as_secs_f64();
        assert_eq!(aside > 0.35, asks, "{seen:?}");
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
async fn an_error_that_names_a_knob_gives_it_back_whatever_else_it_says_and_passing_ones_do_with_the_third() {
    let properties = json!({
        "prompt": {"type": "string"},
        "num_frames": {"type": "integer", "default": 81, "minimum": 1},
        "steps": {"type": "integer", "default": 30, "minimum": 1},
    });
    let passing = || raised("CUDA out of memory", 0.1);
    let named = raised("generation interrupted: num_frames too small", 0.1);
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        (SCHEMA, vec![schema(&properties)]),
        (PREDICT, vec![named, passing(), passing(), passing(), succeeded(0.01)]),
    ])
    .await;
    let mut warmer = Warmer::of(&server.url, json!({}));
    for _ in 0..5 {
        warmer.beat().await;
    }
    let sent: Vec<Value> = server.heard(PREDICT).into_iter().map(|body| body["input"].clone()).collect();
    let with_steps = json!({"prompt": "hi", "steps": 1});
    assert_eq!(sent[0], json!({"prompt": "hi", "num_frames": 1, "steps": 1}));
    assert_eq!(sent[1..4], [with_steps.clone(), with_steps.clone(), with_steps]);
    assert_eq!(sent[4], json!({"prompt": "hi"}));
}

#[tokio::test]
async fn of_several_optional_texts_that_hold_a_file_the_one_that_the_error_names_is_filled() {
    let text = json!({"type": "string"});
    let properties =
        json!({"image_url": text, "image_b64": text, "steps": {"type": "integer", "default": 30}});
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        (SCHEMA, vec![schema(&properties)]),
        (
            PREDICT,
            vec![
                raised("Either image_url or image_b64 must be given", 0.1),
                raised("this host is offline: use image_b64", 0.1),
                succeeded(0.01),
            ],
        ),
    ])
    .await;
    let mut warmer = Warmer::of(&server.url, json!({}));
    for _ in 0..3 {
        warmer.beat().await;
    }
    let sent: Vec<Value> = server.heard(PREDICT).into_iter().map(|body| body["input"].clone()).collect();
    assert_eq!(sent[0], json!({"prompt": "hi", "steps": 1}));
    assert!(sent[1]["image_url"].as_str().unwrap().starts_with("data:image/png;base64,"));
    assert!(sent[1]["image_b64"].is_null());
    // The bare base64 of a PNG.
    assert!(sent[2]["image_b64"].as_str().unwrap().starts_with("iVBORw0KGgo"));
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
    for (status, rejection) in [(401, Rejection::Token), (403, Rejection::Model), (404, Rejection::Model)] {
        for seen in [by_health(says(status, "")).await, by_prediction(says(status, "")).await] {
            assert!(matches!(seen.answer, Answer::Rejected(why, _) if why == rejection), "{seen:?}");
        }
    }
    let slow = || says(429, "").with(header::RETRY_AFTER, "7");
    for seen in [by_health(slow()).await, by_prediction(slow()).await] {
        assert!(matches!(seen.answer, Answer::RateLimited(_)), "{seen:?}");
        assert_eq!(seen.limits.retry_after, Some(Duration::from_secs(7)));
    }
    let away = || says(307, "").to("http://127.0.0.1:9/elsewhere");
    for junk in
        [away(), says(200, "Welcome"), says(200, "{}"), says(500, "oops"), says(418, ""), says(400, "")]
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
        (
            PREDICT,
            vec![
                succeeded(0.01),
                says(307, "").to(&elsewhere.url),
                says(401, r#"{"detail":"no such token: a-secret-of-mine"}"#),
            ],
        ),
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

#[tokio::test]
async fn a_file_of_no_known_kind_is_asked_of_the_user() {
    let properties = json!({
        "weights": {"type": "string", "format": "uri", "description": "Fine-tuned weights"},
        "speech": {"type": "array", "items": {"type": "string", "format": "uri"}},
    });
    let mut document: Value = serde_json::from_str(&schema(&properties).body).unwrap();
    document["components"]["schemas"]["Input"]["required"] = json!(["weights", "speech"]);
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        (SCHEMA, vec![says(200, document)]),
        (PREDICT, vec![succeeded(0.01)]),
    ])
    .await;
    let seen = Warmer::of(&server.url, json!({})).beat().await;
    let Answer::Rejected(Rejection::Input, why) = seen.answer else { panic!("{seen:?}") };
    assert!(why.contains("the file \"weights\"") && why.contains("set input.weights of this model"), "{why}");
    assert_eq!(server.count(PREDICT), 0);
    let mut told = Warmer::of(&server.url, json!({"weights": "https://example.com/w.safetensors"}));
    assert_eq!(told.beat().await.answer, Answer::Succeeded);
    let sent = server.heard(PREDICT)[0]["input"].clone();
    assert_eq!(sent["weights"], "https://example.com/w.safetensors");
    assert!(sent["speech"][0].as_str().unwrap().starts_with("data:audio/wav;base64,"));
    let shown = told.cog.inspect().await.facts.join("\n");
    assert!(shown.contains(r#""speech":["data:audio/wav…"]"#), "{shown}");
}
