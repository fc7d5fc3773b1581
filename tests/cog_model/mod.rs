//! A model on a Cog server, and its heartbeats as the daemon sends them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs, each of which uses a part")]

#[path = "../phases/mod.rs"]
mod phases;

use chrono::{DateTime, Utc};
use phases::phases_of;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use warmd::config::value::Token;
use warmd::config::{ColdAfter, Lead, Model, Probe, Target};
use warmd::heartbeat::{Observation, Order, Phase};
use warmd::hours::ActiveHours;
use warmd::hours::zone::Zones;
use warmd::provider::cog::Cog;
use warmd::provider::http::Client;

pub fn model(url: &str, input: Value) -> Model {
    let Value::Object(input) = input else { panic!("an input is an object") };
    Model {
        name: "whisper".parse().unwrap(),
        target: Target::Cog { base: url.parse().unwrap() },
        hours: ActiveHours::new(Zones::built_in().get("UTC").unwrap(), Vec::new(), Vec::new()),
        timezone: "UTC".to_owned(),
        interval: Duration::from_secs(30),
        timeout: Duration::from_mins(1),
        lead: Lead::Auto,
        cold_after: ColdAfter::Auto,
        calibrate: true,
        probe: Probe::Predict,
        input,
        enabled: true,
        token: None,
    }
}

/// A model's Cog server as the daemon sees it: the setups known so far are remembered.
pub struct Warmer {
    pub cog: Cog,
    model: Arc<Model>,
    pub known: Vec<DateTime<Utc>>,
    is_first: bool,
}

impl Warmer {
    pub fn new(model: Model) -> Self {
        Self::with_token(model, None)
    }

    pub fn with_token(model: Model, token: Option<Token>) -> Self {
        let model = Arc::new(model);
        let cog = Cog::new(&model, token, Client::new());
        Self { cog, model, known: Vec::new(), is_first: true }
    }

    pub fn of(url: &str, input: Value) -> Self {
        Self::new(model(url, input))
    }

    /// As though this setup had answered before.
    pub fn knows(&mut self, started_at: &str) {
        self.known.push(started_at.parse().unwrap());
    }

    pub async fn beat(&mut self) -> Observation {
        self.beat_in_phases().await.0
    }

    /// With the phases that it told.
    pub async fn beat_in_phases(&mut self) -> (Observation, Vec<Phase>) {
        if !self.is_first {
            // As between any two heartbeats: for a moment after it has answered, 0.23 says BUSY.
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        let order = Order {
            model: Arc::clone(&self.model),
            cold_after: Duration::from_millis(2500),
            known_setups: self.known.clone(),
            calibrates: false,
        };
        let (seen, phases) = phases_of(async |tell| self.cog.beat(&order, tell).await).await;
        self.known.extend(seen.signs.setup.map(|setup| setup.started_at));
        self.is_first = false;
        (seen, phases)
    }
}
