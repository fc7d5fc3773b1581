//! Heartbeats against real Cog servers, version by version.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cog_model;
mod real_cog;

use cog_model::{Warmer, model};
use real_cog::{COG_0_9, COG_0_14, COG_0_16, COG_0_23, Release, Server, Setup};
use serde_json::{Value, json};
use std::time::Duration;
use warmd::clock;
use warmd::config::Probe;
use warmd::heartbeat::{Answer, Phase, Rejection};
use warmd::provider::http::{Client, Request};

/// Somebody else's prediction, sent by a client of its own.
async fn prediction_of_another(url: String, seconds: f64) -> Value {
    let body = json!({"input": {"prompt": "mine", "num_outputs": 2, "seconds": seconds}});
    let request = Request {
        method: reqwest::Method::POST,
        url: format!("{url}/predictions").parse().unwrap(),
        token: None,
        headers: Vec::new(),
        json: Some(&body),
        wanted: None,
    };
    let deadline = clock::instant() + Duration::from_mins(1);
    let answer = Client::new().send(request, deadline).await.expect("it is answered");
    answer.json().expect("with JSON")
}

/// Lets the runtime work until so many predictions have begun.
async fn until_predictions(server: &Server, count: usize) {
    for _ in 0..3000 {
        if server.predictions() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there are no {count} predictions after 30 s");
}

async fn ready_is_warm(release: Release) {
    let server = Setup::of(release).start_ready();
    let mut warmer = Warmer::of(&server.url(), json!({"seconds": 0.2}));
    for count in 1..=3 {
        let (seen, phases) = warmer.beat_in_phases().await;
        assert_eq!(seen.answer, Answer::Succeeded);
        assert!(!seen.signs.met_starting && seen.signs.held.is_none(), "{seen:?}");
        let predict = seen.signs.predict.expect("the server tells it");
        assert!(predict >= Duration::from_millis(200) && seen.total >= predict, "{seen:?}");
        assert!(seen.total <= (seen.done_at - seen.sent_at).to_std().unwrap() + Duration::from_millis(50));
        assert!(seen.signs.setup.unwrap().completed_at.is_some());
        assert_eq!(phases, [Phase::Running]);
        assert_eq!(server.predictions(), count, "one heartbeat is one prediction");
    }
    warmer.known.dedup();
    assert_eq!(warmer.known.len(), 1, "one setup answered");
    assert_eq!(warmer.cog.facts().guessed, ["prompt"]);
}

async fn a_long_prediction_is_no_boot(release: Release) {
    let server = Setup::of(release).start_ready();
    let mut warmer = Warmer::of(&server.url(), json!({"seconds": 3.5}));
    let (seen, phases) = warmer.beat_in_phases().await;
    assert_eq!((&seen.answer, phases), (&Answer::Succeeded, vec![Phase::Running]));
    assert!(seen.total > Duration::from_millis(3_500) && seen.signs.held.is_none(), "{seen:?}");
}

async fn met_starting_follows_the_boot(release: Release) {
    let server = Setup::of(release).taking(2.5).start();
    server.wait_for("STARTING");
    let mut warmer = Warmer::of(&server.url(), json!({}));
    let (seen, phases) = warmer.beat_in_phases().await;
    assert_eq!(seen.answer, Answer::Succeeded);
    assert!(seen.signs.met_starting);
    assert_eq!((phases[0], phases.last()), (Phase::Booting, Some(&Phase::Running)));
    let setup = seen.signs.setup.expect("it is told once it is done");
    let boot = (setup.completed_at.unwrap() - setup.started_at).to_std().unwrap();
    assert!(boot >= Duration::from_millis(2500) && boot < Duration::from_secs(30), "{boot:?}");
    let held = seen.signs.held.expect("it had to wait");
    assert!(!held.is_zero() && held <= seen.total, "{seen:?}");
    assert_eq!(server.predictions(), 1);

    let warm = warmer.beat().await;
    assert_eq!(warm.answer, Answer::Succeeded);
    assert!(!warm.signs.met_starting && warm.signs.held.is_none(), "{warm:?}");
}

async fn a_boot_that_does_not_end_times_out(release: Release) {
    let server = Setup::of(release).taking(60.0).start();
    server.wait_for("STARTING");
    let mut model = model(&server.url(), json!({}));
    model.timeout = Duration::from_secs(1);
    let seen = Warmer::new(model).beat().await;
    assert!(matches!(&seen.answer, Answer::TimedOut(why) if why.contains("setup")), "{seen:?}");
    assert!(seen.signs.met_starting);
    assert_eq!(server.predictions(), 0);
}

async fn busy_leaves_the_slot_to_others(release: Release) {
    let server = Setup::of(release).start_ready();
    // Made before the server is busy, as it is where heartbeats go on all day.
    let mut warmer = Warmer::of(&server.url(), json!({}));
    assert_eq!(warmer.beat().await.answer, Answer::Succeeded);
    let mut others = tokio::task::JoinSet::new();
    others.spawn(prediction_of_another(server.url(), 2.5));
    until_predictions(&server, 2).await;
    let seen = warmer.beat().await;
    assert_eq!(seen.answer, Answer::Busy);
    let theirs = others.join_next().await.unwrap().unwrap();
    assert_eq!(theirs["status"], "succeeded");
    assert_eq!(theirs["output"], "mine mine");
    let predict = theirs["metrics"]["predict_time"].as_f64().unwrap();
    assert!(predict < 10.0, "undisturbed: {predict}");
    assert_eq!(server.predictions(), 2, "the heartbeat sent none");
}

/// The first heartbeat after a start of warmd has no setup to compare with.
async fn busy_is_told_at_the_first_heartbeat(release: Release) {
    let server = Setup::of(release).start_ready();
    let mut others = tokio::task::JoinSet::new();
    others.spawn(prediction_of_another(server.url(), 2.5));
    until_predictions(&server, 1).await;
    assert_eq!(Warmer::of(&server.url(), json!({})).beat().await.answer, Answer::Busy);
    assert_eq!(others.join_next().await.unwrap().unwrap()["status"], "succeeded");
    assert_eq!(server.predictions(), 1);
}

async fn gone_and_back_is_another_setup(release: Release) {
    let mut server = Setup::of(release).start_ready();
    let mut warmer = Warmer::of(&server.url(), json!({}));
    let before = warmer.beat().await.signs.setup.unwrap();
    server.kill();
    for _ in 0..2 {
        let gone = warmer.beat().await;
        assert!(matches!(&gone.answer, Answer::Unreachable(why) if why.contains("refused")), "{gone:?}");
        assert!(gone.total < Duration::from_secs(5), "it is not waited for: {gone:?}");
        assert_eq!(gone.signs.setup, None);
    }
    server.start();
    server.wait_for("READY");
    let back = warmer.beat().await;
    assert_eq!(back.answer, Answer::Succeeded);
    let after = back.signs.setup.unwrap();
    assert!(after.started_at > before.started_at);
    assert!(after.completed_at.unwrap() > after.started_at);
    assert!(!back.signs.met_starting, "it booted between two heartbeats");
}

async fn a_boot_is_followed_over_a_restart(release: Release) {
    let mut server = Setup::of(release).taking(2.0).start();
    server.wait_for("STARTING");
    let mut warmer = Warmer::of(&server.url(), json!({}));
    let (seen, ()) = tokio::join!(warmer.beat(), async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        tokio::task::spawn_blocking(move || {
            server.kill();
            std::thread::sleep(Duration::from_millis(700));
            server.start();
            server
        })
        .await
        .map(|server| {
            // It must live until the heartbeat has ended.
            std::thread::spawn(move || {
                server.wait_for_prediction();
                std::thread::sleep(Duration::from_secs(1));
            });
        })
        .unwrap();
    });
    assert_eq!(seen.answer, Answer::Succeeded, "{seen:?}");
    assert!(seen.signs.met_starting);
}

async fn a_model_that_raises_has_failed(release: Release) {
    let server = Setup::of(release).start_ready();
    let mut warmer = Warmer::of(&server.url(), json!({"fails": true}));
    let seen = warmer.beat().await;
    assert!(matches!(&seen.answer, Answer::Failed(why) if why.contains("of clay")), "{seen:?}");
    assert!(seen.signs.setup.is_some());
    assert!(seen.signs.predict.is_some(), "it ran: {seen:?}");
}

async fn a_worker_that_dies_has_failed(release: Release) {
    let server = Setup::of(release).start_ready();
    let mut warmer = Warmer::of(&server.url(), json!({"dies": true}));
    let seen = warmer.beat().await;
    if release == COG_0_23 {
        assert!(matches!(&seen.answer, Answer::Failed(why) if why.contains("UNHEALTHY")), "{seen:?}");
        assert_eq!(seen.signs.predict, None, "no model is up behind it");
        let then = warmer.beat().await;
        assert!(matches!(&then.answer, Answer::Failed(why) if why.contains("UNHEALTHY")), "{then:?}");
    } else {
        // It answers 500, says DEFUNCT, and exits: how much of that is seen is a race.
        assert!(matches!(seen.answer, Answer::Failed(_) | Answer::Unreachable(_)), "{seen:?}");
    }
    assert_eq!(server.predictions(), 1, "it is not sent again");
}

async fn a_setup_that_fails_is_no_warm_model(release: Release) {
    let server = Setup::of(release).taking(0.3).failing_with("no such file: weights.bin").start();
    let mut model = model(&server.url(), json!({}));
    model.timeout = Duration::from_secs(3);
    let seen = Warmer::new(model).beat().await;
    if release == COG_0_23 {
        let reason = "no such file: weights.bin";
        assert!(matches!(&seen.answer, Answer::Failed(why) if why.contains(reason)), "{seen:?}");
    } else {
        // It exits at once, and may or may not be met in between.
        assert!(
            matches!(seen.answer, Answer::Failed(_) | Answer::TimedOut(_) | Answer::Unreachable(_)),
            "{seen:?}"
        );
    }
    assert_eq!(server.predictions(), 0);
}

async fn a_heartbeat_that_times_out_frees_the_slot(release: Release) {
    let server = Setup::of(release).start_ready();
    let mut model = model(&server.url(), json!({"seconds": 60}));
    model.timeout = Duration::from_secs(2);
    let seen = Warmer::new(model).beat().await;
    assert!(matches!(&seen.answer, Answer::TimedOut(why) if why.contains("did not end")), "{seen:?}");
    server.wait_for("READY");
    let theirs = prediction_of_another(server.url(), 0.0).await;
    assert_eq!(theirs["status"], "succeeded");
}

async fn what_does_not_fit_is_rejected(release: Release) {
    let server = Setup::of(release).start_ready();
    let seen = Warmer::of(&server.url(), json!({"num_outputs": 99})).beat().await;
    assert!(
        matches!(&seen.answer, Answer::Rejected(Rejection::Input, why) if why.contains("num_outputs")),
        "{seen:?}"
    );
    assert_eq!(server.predictions(), 0);
}

async fn the_health_check_alone_takes_no_slot(release: Release) {
    let server = Setup::of(release).taking(2.0).start();
    server.wait_for("STARTING");
    let mut model = model(&server.url(), json!({}));
    model.probe = Probe::Health;
    let mut warmer = Warmer::new(model);
    let cold = warmer.beat().await;
    assert_eq!(cold.answer, Answer::Succeeded);
    assert!(cold.signs.met_starting && cold.signs.setup.is_some() && cold.signs.predict.is_none());
    let warm = warmer.beat().await;
    assert_eq!(warm.answer, Answer::Succeeded);
    assert!(!warm.signs.met_starting);
    assert_eq!(server.predictions(), 0);
}

async fn it_is_inspected_without_a_prediction(release: Release) {
    let server = Setup::of(release).start_ready();
    let told = Warmer::of(&server.url(), json!({"promt": "hi", "num_outputs": 99})).cog.inspect().await;
    assert!(told.facts.iter().any(|fact| fact.contains("READY")), "{told:?}");
    assert!(release == COG_0_9 || told.facts.contains(&format!("Cog {}", release.0)), "{told:?}");
    assert!(told.problems.iter().any(|problem| problem.contains("did you mean prompt?")), "{told:?}");
    assert!(told.problems.iter().any(|problem| problem.contains("num_outputs")), "{told:?}");
    let good = Warmer::of(&server.url(), json!({"prompt": "hi"})).cog.inspect().await;
    assert_eq!(good.problems, [""; 0], "{good:?}");
    assert_eq!(server.predictions(), 0);
}

macro_rules! against {
    ($($release:ident as $version:ident: $tests:tt)+) => {
        $(mod $version { against!(@ $release $tests); })+
    };
    (@ $release:ident [$($test:ident),+ $(,)?]) => {
        $(#[tokio::test] async fn $test() { super::$test(super::$release).await; })+
    };
}

against! {
    COG_0_9 as cog_0_9: [
        ready_is_warm,
        a_long_prediction_is_no_boot,
        met_starting_follows_the_boot,
        a_boot_that_does_not_end_times_out,
        busy_leaves_the_slot_to_others,
        busy_is_told_at_the_first_heartbeat,
        gone_and_back_is_another_setup,
        a_boot_is_followed_over_a_restart,
        a_model_that_raises_has_failed,
        a_worker_that_dies_has_failed,
        a_setup_that_fails_is_no_warm_model,
        what_does_not_fit_is_rejected,
        the_health_check_alone_takes_no_slot,
        it_is_inspected_without_a_prediction,
        // Not a_heartbeat_that_times_out_frees_the_slot: while it predicts, 0.9 hears of nothing.
    ]
    // As 0.16 in most; what it does by itself is checked.
    COG_0_14 as cog_0_14: [
        ready_is_warm,
        gone_and_back_is_another_setup,
        a_worker_that_dies_has_failed,
        a_heartbeat_that_times_out_frees_the_slot,
    ]
    COG_0_16 as cog_0_16: [
        ready_is_warm,
        a_long_prediction_is_no_boot,
        met_starting_follows_the_boot,
        a_boot_that_does_not_end_times_out,
        busy_leaves_the_slot_to_others,
        busy_is_told_at_the_first_heartbeat,
        gone_and_back_is_another_setup,
        a_model_that_raises_has_failed,
        a_worker_that_dies_has_failed,
        a_setup_that_fails_is_no_warm_model,
        a_heartbeat_that_times_out_frees_the_slot,
        what_does_not_fit_is_rejected,
        the_health_check_alone_takes_no_slot,
        it_is_inspected_without_a_prediction,
    ]
    COG_0_23 as cog_0_23: [
        ready_is_warm,
        a_long_prediction_is_no_boot,
        met_starting_follows_the_boot,
        a_boot_that_does_not_end_times_out,
        busy_leaves_the_slot_to_others,
        busy_is_told_at_the_first_heartbeat,
        gone_and_back_is_another_setup,
        a_boot_is_followed_over_a_restart,
        a_model_that_raises_has_failed,
        a_worker_that_dies_has_failed,
        a_setup_that_fails_is_no_warm_model,
        a_heartbeat_that_times_out_frees_the_slot,
        what_does_not_fit_is_rejected,
        the_health_check_alone_takes_no_slot,
        it_is_inspected_without_a_prediction,
    ]
}

#[tokio::test]
async fn an_image_without_a_schema_takes_what_the_user_wrote() {
    let server = Setup::of(COG_0_23).without_schema().start_ready();
    let told = Warmer::of(&server.url(), json!({"prompt": "hi"})).beat().await;
    assert_eq!(told.answer, Answer::Succeeded);
    let blind = Warmer::of(&server.url(), json!({})).beat().await;
    assert!(matches!(&blind.answer, Answer::Failed(why) if why.contains("set input")), "{blind:?}");
}
