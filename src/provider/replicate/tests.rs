//! What is looked up, for how long it is believed, and what serves when a look fails.

use super::*;
use crate::provider::input::Rung;
use crate::sandbox::{Conduct, ModelSettings, Sandbox, Settings, VersionSettings, schema};
use serde_json::json;

async fn bench() -> (Sandbox, Replicate) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let models = vec![ModelSettings::new("acme", "dog", Conduct::default())];
    let sandbox = Sandbox::start(listener, Settings { models, ..Settings::default() }).unwrap();
    // The sandbox takes any token, and wants one.
    let source = crate::config::value::TokenSource { env: Some("T".to_owned()), ..Default::default() };
    let token = source.read(&crate::config::env::Env::from([("T", "r8_x")])).unwrap().0;
    let client = http::Client::new();
    let replicate = Replicate {
        api: Api::new(sandbox.base_url().parse().unwrap(), Some(token), client),
        target: Target::Model { owner: "acme".to_owned(), name: "dog".to_owned() },
        user_input: json!({"prompt": "x"}).as_object().unwrap().clone(),
        known: Mutex::default(),
    };
    (sandbox, replicate)
}

fn soon() -> Instant {
    clock::instant() + Duration::from_secs(20)
}

#[tokio::test]
async fn what_was_looked_up_is_believed_for_a_day() {
    let (sandbox, replicate) = bench().await;
    let (first, fresh) = replicate.plan(soon()).await.unwrap();
    assert!(fresh);
    let newer = VersionSettings { id: "ab".repeat(32), schema: schema::plain() };
    assert!(sandbox.publish("acme", "dog", newer));
    let (second, fresh) = replicate.plan(soon()).await.unwrap();
    assert!(!fresh && Arc::ptr_eq(&first, &second));
    let until = replicate.known().stale_at.unwrap().duration_since(clock::instant());
    assert!(until > Duration::from_hours(23) && until <= LOOK_AGAIN);
    replicate.known().learned.refused(&first.ladder, ["max_tokens".to_owned()]);
    replicate.known().stale_at = Some(clock::instant());
    let (third, fresh) = replicate.plan(soon()).await.unwrap();
    assert!(fresh);
    assert_eq!(third.aim.endpoint, Endpoint::Version("ab".repeat(32)));
    assert_eq!(third.ladder.rung(), &Rung::default(), "it was another version that refused the knob");
}

#[tokio::test]
async fn a_look_that_fails_leaves_what_served_before() {
    let (sandbox, replicate) = bench().await;
    let (first, _) = replicate.plan(soon()).await.unwrap();
    sandbox.stop().await;
    replicate.forget();
    let (second, fresh) = replicate.plan(soon()).await.unwrap();
    assert!(!fresh && Arc::ptr_eq(&first, &second));
    let (third, _) = replicate.plan(soon()).await.unwrap();
    assert!(Arc::ptr_eq(&first, &third), "and it is not asked for again at once");
}
