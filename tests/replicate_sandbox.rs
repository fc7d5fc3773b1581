//! Heartbeats against the sandbox as Replicate: every kind of model, cold and then warm, held
//! against the sandbox's own truth.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api_shape;
#[path = "replicate_contract/bench.rs"]
#[expect(dead_code, reason = "the scripted scenarios use the rest")]
mod bench;
mod fake_replicate;
mod phases;

use bench::{deployment, order, token};
use phases::phases_of;
use std::time::Duration;
use warmd::config::Target;
use warmd::heartbeat::{Answer, Phase};
use warmd::provider::http::Client;
use warmd::provider::replicate::Replicate;
use warmd::sandbox::{Conduct, Sandbox, Settings, Spread};

fn named(owner: &str, name: &str) -> Target {
    Target::Model { owner: owner.to_owned(), name: name.to_owned() }
}

#[tokio::test]
async fn cold_then_warm_as_the_sandbox_knows_it() {
    let conduct = Conduct { boot: Spread::millis(2_000, 2_500), ..Conduct::default() };
    let settings = Settings { others: Some(conduct), ..Settings::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, settings).unwrap();
    for (target, official) in
        [(named("acme", "dog"), Some(false)), (named("official", "cat"), Some(true)), (deployment(), None)]
    {
        let order = order(target, "1m");
        let client = Client::new();
        let base = sandbox.base_url().parse().unwrap();
        let replicate = Replicate::new(&order.model, base, Some(token()), client);
        let beat = async || phases_of(async |tell| replicate.beat(&order, tell).await).await;
        for cold in [official != Some(true), false] {
            let (seen, phases) = beat().await;
            assert_eq!(seen.answer, Answer::Succeeded, "{}", order.model.target);
            let truth = sandbox.truth().predictions.last().cloned().unwrap();
            assert_eq!(truth.cold, cold, "{truth:?}");
            let wait = seen.signs.queue_wait.unwrap();
            assert!((wait.as_secs_f64() - truth.queue_wait.unwrap()).abs() < 0.02, "{wait:?}, {truth:?}");
            assert!(seen.total >= wait && seen.signs.predict.is_some());
            assert_eq!(phases.contains(&Phase::Booting), cold, "{phases:?}");
        }
        assert_eq!(replicate.facts().official, official);
        let found = replicate.inspect().await;
        assert!(found.problems.is_empty() && found.facts.len() >= 3, "{found:?}");
    }
    tokio::time::timeout(Duration::from_secs(5), sandbox.stop()).await.unwrap();
}
