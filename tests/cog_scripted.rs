//! Heartbeats against scripted servers: what proxies do, what races bring, and what no Cog server
//! would say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "scripted_cog/answers.rs"]
mod answers;
mod cog_model;
mod scripted_cog;

use cog_model::{Warmer, model};
use futures_util::future::join_all;
use scripted_cog::*;
use serde_json::{Value, json};
use std::time::Duration;
use warmd::config::Probe;
use warmd::heartbeat::{Answer, Phase, Rejection};

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

/// What proxies say while they have no server, beside the plain 502, 503 and 504.
fn words_of_proxies() -> Vec<(Line, &'static str)> {
    let scaling = json!({"status": "scaling"});
    let words = [(says(202, scaling), "202 Accepted"), (page(), "200 OK with a page of HTML")].into_iter();
    let cloudflare = ["520", "521", "522", "523", "524", "530"];
    words.chain(cloudflare.map(|code| (says(code.parse().unwrap(), "<html>"), code))).collect()
}

#[tokio::test]
async fn whatever_proxies_say_is_waited_out_at_each_path_until_a_new_setup_is_up() {
    let each = words_of_proxies().into_iter().map(async |(line, word)| {
        let server = Server::with([
            (HEALTH, vec![line.clone(), line.clone(), health("READY", NEW)]),
            (SCHEMA, vec![line.clone(), no_schema()]),
            (PREDICT, vec![line.clone(), succeeded(0.01)]),
        ])
        .await;
        let seen = beat(&server).await;
        assert_eq!(seen.answer, Answer::Succeeded, "{word}");
        assert!(seen.signs.held.is_some() && !seen.signs.met_starting, "{word}: {seen:?}");
        assert_eq!(
            seen.signs.setup.unwrap().started_at,
            NEW.parse::<chrono::DateTime<chrono::Utc>>().unwrap()
        );
        assert_eq!((server.count(SCHEMA), server.count(PREDICT)), (2, 2), "{word}");
        // One that never has a server.
        let server = Server::with([(HEALTH, vec![line.clone()]), (SCHEMA, vec![line])]).await;
        let seen = short_beat(&server, 1).await;
        let Answer::TimedOut(why) = &seen.answer else { panic!("{word}: {seen:?}") };
        // Its time may run out between two questions, or amid one.
        assert!(why.ends_with(&format!("within 1 s: a proxy answers {word}")), "{why}");
        let told = Warmer::of(&server.url, json!({})).cog.inspect().await;
        let fact = format!("a proxy answers {word}: the model may be scaled to zero");
        assert_eq!((told.facts, told.problems), (vec![fact], vec![]));
    });
    join_all(each).await;
}

#[tokio::test]
async fn a_health_check_of_cogs_counts_whatever_status_a_proxy_gives_it() {
    let mut ready = health("READY", OLD);
    ready.status = 202;
    let server = Server::with([(HEALTH, vec![ready]), (PREDICT, vec![succeeded(0.01)])]).await;
    let seen = beat(&server).await;
    assert_eq!((seen.answer, seen.signs.held), (Answer::Succeeded, None));
}

#[tokio::test]
async fn a_proxy_that_queues_predictions_gets_three() {
    let unlabelled = says(200, "<!doctype html><title>Queued</title>");
    for (queues, says) in [
        (says(202, json!({"queued": true})), "202 Accepted"),
        (page(), "a page of HTML"),
        (unlabelled, "a page of HTML"),
    ] {
        let server = Server::with([(HEALTH, vec![health("READY", OLD)]), (PREDICT, vec![queues])]).await;
        let seen = beat(&server).await;
        assert!(matches!(&seen.answer, Answer::Unreachable(why) if why.contains(says)), "{seen:?}");
        assert_eq!(server.count(PREDICT), 3, "each of them may run later");
    }
}

#[tokio::test]
async fn a_page_that_stays_in_the_schemas_place_is_no_server_to_wait_for() {
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD)]),
        (SCHEMA, vec![page()]),
        (PREDICT, vec![succeeded(0.01)]),
    ])
    .await;
    assert_eq!(beat(&server).await.answer, Answer::Succeeded);
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
    let (seen, phases) = warmer.beat_in_phases().await;
    assert_eq!((seen.answer, phases), (Answer::Succeeded, vec![Phase::Booting, Phase::Running]));
}

#[tokio::test]
async fn a_prediction_that_runs_beyond_cold_after_is_no_boot() {
    let server =
        Server::with([(HEALTH, vec![health("READY", OLD)]), (PREDICT, vec![succeeded(3.0).held(3.0)])]).await;
    let mut warmer = Warmer::of(&server.url, json!({}));
    warmer.knows(OLD);
    let (seen, phases) = warmer.beat_in_phases().await;
    assert_eq!((seen.answer, phases), (Answer::Succeeded, vec![Phase::Running]));
    // One that finds no server waits for a boot again.
    let server = Server::with([
        (HEALTH, vec![health("READY", OLD), starting(), health("READY", NEW)]),
        (PREDICT, vec![not_set_up(), succeeded(0.01)]),
    ])
    .await;
    let (seen, phases) = Warmer::of(&server.url, json!({})).beat_in_phases().await;
    let expected = [Phase::Running, Phase::Booting, Phase::Booting, Phase::Running];
    assert_eq!((seen.answer, phases.as_slice()), (Answer::Succeeded, &expected[..]));
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
    let late = [says(502, ""), says(504, ""), says(524, ""), says(520, ""), page()];
    let each = late.into_iter().map(async |line| {
        let server =
            Server::with([(HEALTH, vec![health("READY", OLD)]), (PREDICT, vec![line.held(1.2)])]).await;
        let seen = beat(&server).await;
        assert!(unreachable(&seen), "{seen:?}");
        assert_eq!(server.count(PREDICT), 2, "each of them may have run");
    });
    join_all(each).await;
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
async fn the_health_probe_sends_nothing_else() {
    let server = Server::with([(HEALTH, vec![starting(), health("READY", NEW), health("BUSY", NEW)])]).await;
    let mut model = model(&server.url, json!({}));
    model.probe = Probe::Health;
    let mut warmer = Warmer::new(model);
    assert_eq!(warmer.beat().await.answer, Answer::Succeeded);
    assert_eq!(warmer.beat().await.answer, Answer::Busy);
    assert_eq!((server.count(SCHEMA), server.count(PREDICT)), (0, 0));
}
