//! The models, the answers and the heartbeat that the scenarios share.

use super::api_shape::Recorded;
use super::fake_replicate::{Fake, Reply, reply};
use super::phases::phases_of;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use warmd::config::env::Env;
use warmd::config::value::{Token, TokenSource, parse_duration};
use warmd::config::{ColdAfter, Lead, Model, Probe, Target};
use warmd::heartbeat::{Observation, Order, Phase};
use warmd::hours::ActiveHours;
use warmd::hours::zone::Zones;
use warmd::provider::http::Client;
use warmd::provider::replicate::Replicate;

pub(super) const V1: &str = "1111111111111111111111111111111111111111111111111111111111111111";
pub(super) const V2: &str = "2222222222222222222222222222222222222222222222222222222222222222";
pub(super) const TOKEN: &str = "r8_a_token_that_nobody_may_read";

/// A model as one heartbeat after the other meets it.
pub(super) struct Bench {
    pub(super) fake: Fake,
    pub(super) replicate: Replicate,
    pub(super) order: Order,
}

impl Bench {
    pub(super) async fn new(
        target: Target,
        timeout: &str,
        script: impl Fn(&Recorded, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let fake = Fake::start(script).await;
        let order = order(target, timeout);
        let client = Client::new();
        let replicate = Replicate::new(&order.model, fake.base.clone(), Some(token()), client);
        Self { fake, replicate, order }
    }

    /// A heartbeat, and the phases that it told.
    pub(super) async fn beat(&self) -> (Observation, Vec<Phase>) {
        let (observation, phases) =
            phases_of(async |tell| self.replicate.beat(&self.order, tell).await).await;
        let told = format!("{observation:?}");
        assert!(!told.contains("r8_a_token"), "the token is in {told}");
        (observation, phases)
    }
}

/// An order for a heartbeat of a model that is aimed at `target`.
pub(super) fn order(target: Target, timeout: &str) -> Order {
    let model = Model {
        name: "dog".parse().unwrap(),
        target,
        hours: ActiveHours::new(Zones::built_in().get("UTC").unwrap(), Vec::new(), Vec::new()),
        timezone: "UTC".to_owned(),
        interval: Duration::from_secs(30),
        timeout: parse_duration(timeout).unwrap(),
        lead: Lead::Auto,
        cold_after: ColdAfter::Auto,
        calibrate: true,
        probe: Probe::Predict,
        input: Map::from_iter([("prompt".to_owned(), json!("a dog"))]),
        enabled: true,
        token: None,
    };
    Order {
        model: Arc::new(model),
        cold_after: Duration::from_millis(300),
        known_setups: Vec::new(),
        calibrates: false,
    }
}

pub(super) fn token() -> Token {
    let source = TokenSource { env: Some("T".to_owned()), ..TokenSource::default() };
    source.read(&Env::from([("T", TOKEN)])).unwrap().0
}

pub(super) fn pinned() -> Target {
    Target::Version { owner: "acme".into(), name: "dog".into(), version: V1.into() }
}

pub(super) fn unpinned() -> Target {
    Target::Model { owner: "acme".into(), name: "dog".into() }
}

pub(super) fn deployment() -> Target {
    Target::Deployment { owner: "acme".into(), name: "kennel".into() }
}

pub(super) fn schema() -> Value {
    json!({"components": {"schemas": {"Input": {"type": "object", "required": ["prompt"], "properties": {
        "prompt": {"type": "string"},
        "steps": {"type": "integer", "default": 20, "minimum": 1, "maximum": 50},
        "seed": {"type": "integer"}
    }}}}})
}

pub(super) fn model(version: &str, official: bool) -> Reply {
    reply(
        200,
        &json!({"owner": "acme", "name": "dog", "visibility": "public", "is_official": official,
            "default_example": null, "latest_version": {"id": version, "openapi_schema": schema()}}),
    )
}

/// A prediction under way: the keys that come with its end are missing.
pub(super) fn under_way(status: &str) -> Value {
    json!({"id": "p1", "model": "acme/dog", "version": V1, "input": {}, "logs": "", "output": null, "error": null,
        "status": status, "created_at": "2026-11-20T08:00:00.5Z",
        "urls": {"get": "http://192.0.2.1/v1/predictions/p1", "cancel": "http://192.0.2.1/steal"}})
}

/// One that ended: created at 0.5 s, started at 0.875 s, completed at 1.25 s: times as they may be
/// where the whole heartbeat takes no time at all.
pub(super) fn ended(status: &str) -> Value {
    let mut body = under_way(status);
    body["started_at"] = json!("2026-11-20T08:00:00.875000Z");
    body["completed_at"] = json!("2026-11-20T08:00:01.250000000Z");
    body["metrics"] = json!({"predict_time": 0.375, "total_time": 0.75});
    body
}

/// Looks up a community model, then answers creates and reads as told.
pub(super) fn answering(
    create: impl Fn(usize) -> Reply + Send + Sync + 'static,
    read: impl Fn(usize) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Recorded, usize) -> Reply + Send + Sync + 'static {
    move |request, nth| match request.call().as_str() {
        "GET /models/acme/dog" => model(V1, false),
        "POST /predictions" => create(nth),
        "GET /predictions/p1" => read(nth),
        "POST /predictions/p1/cancel" => reply(200, &ended("canceled")),
        other => panic!("unexpected: {other}"),
    }
}

pub(super) fn released(version: &str) -> Reply {
    reply(
        200,
        &json!({"owner": "acme", "name": "kennel", "current_release": {"number": 3, "model": "acme/dog",
            "version": version, "configuration": {"hardware": "gpu-t4", "min_instances": 0, "max_instances": 1}}}),
    )
}
