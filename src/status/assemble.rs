//! From what the engine knows and what the store has summed up to the one Snapshot.

use super::{
    AlertStatus, DaemonStatus, HoursSpent, LastHeartbeat, Latencies, ModelStatus, Snapshot, VERSION,
    WindowStatus, notes,
};
use crate::config::{Config, Model};
use crate::heartbeat::Outcome;
use crate::journal::State;
use crate::provider::Facts;
use crate::quote;
use crate::state::{Known, digest};
use crate::store::{Summaries, Summary};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the engine knows at an instant.
#[derive(Debug, Clone)]
pub struct LiveStatus {
    /// That instant.
    pub at: DateTime<Utc>,
    /// When the process started.
    pub started_at: DateTime<Utc>,
    /// Where the zones come from.
    pub tzdata: String,
    /// What runs.
    pub config: Arc<Config>,
    /// When it was read.
    pub config_loaded_at: DateTime<Utc>,
    /// Why the file as it is now doesn't.
    pub config_error: Option<String>,
    /// What else the user should know.
    pub notes: Vec<String>,
    /// How each alert is doing.
    pub alerts: Vec<AlertStatus>,
    /// Whether the history goes into the state file.
    pub saved: bool,
    /// In the file's order.
    pub models: Vec<LiveModel>,
}

/// What the engine knows of one model.
#[derive(Debug, Clone)]
pub struct LiveModel {
    /// As checked.
    pub model: Arc<Model>,
    /// What outlives the process.
    pub known: Arc<Known>,
    /// Its state, since when, and why.
    pub state: (State, DateTime<Utc>, Option<String>),
    /// The next due.
    pub next_at: Option<DateTime<Utc>>,
    /// What its provider has learned.
    pub facts: Facts,
}

/// Assembles the Snapshot.
pub fn assemble(live: &LiveStatus, sums: &Summaries) -> Snapshot {
    let nothing = Summary::default();
    let model = |live_model: &LiveModel| {
        let sum = sums.models.get(&live_model.model.name).unwrap_or(&nothing);
        model_status(live_model, sum, sums.since, live.at)
    };
    Snapshot {
        version: VERSION,
        at: live.at,
        since: sums.since,
        daemon: DaemonStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: live.started_at,
            tzdata: live.tzdata.clone(),
            config: quote::path(&live.config.path),
            config_loaded_at: live.config_loaded_at,
            config_error: live.config_error.clone(),
            notes: live.notes.clone(),
            alerts: live.alerts.clone(),
        },
        models: live.models.iter().map(model).collect(),
    }
}

fn model_status(live: &LiveModel, sum: &Summary, since: DateTime<Utc>, at: DateTime<Utc>) -> ModelStatus {
    let (model, known) = (&*live.model, &*live.known);
    let (state, state_since, reason) = live.state.clone();
    let mut status = ModelStatus {
        name: model.name.as_str().to_owned(),
        kind: model.target.kind().to_owned(),
        reference: model.target.to_string(),
        state,
        state_since,
        reason,
        paused_until: known.pause.and_then(|pause| pause.until).filter(|_| known.paused(at)),
        window: window(model, at),
        interval: model.interval.as_secs_f64(),
        cold_after: known.cold_after(model).as_secs_f64(),
        lead: known.lead(model).as_secs_f64(),
        next_at: live.next_at,
        last: known.last.as_ref().map(LastHeartbeat::from),
        hours: hours(live, sum, since, at),
        counts: counts(sum),
        latency: Latencies::of(sum),
        boot: sum.boot.boot_status(sum.boots),
        notes: Vec::new(),
    };
    status.notes = notes::notes(model, known, &live.facts, &status);
    status
}

fn window(model: &Model, at: DateTime<Utc>) -> WindowStatus {
    let stretch = model.hours.at(at);
    if stretch.open {
        return WindowStatus { open: true, opens_at: stretch.since, closes_at: stretch.until };
    }
    let closes_at = stretch.until.and_then(|opens| model.hours.at(opens).until);
    WindowStatus { open: false, opens_at: stretch.until, closes_at }
}

/// What the store has summed up, and the stretch since then that no heartbeat has vouched for yet.
fn hours(live: &LiveModel, sum: &Summary, since: DateTime<Utc>, at: DateTime<Utc>) -> HoursSpent {
    let pending = digest::pending(&live.known, &live.model, at);
    let within =
        |(from, to): (DateTime<Utc>, DateTime<Utc>)| (to - from.max(since)).to_std().unwrap_or_default();
    let pending = pending.into_iter().map(within).sum();
    HoursSpent::of(sum, pending)
}

/// Heartbeats by outcome; every outcome has its key.
pub(super) fn counts(sum: &Summary) -> BTreeMap<Outcome, u64> {
    Outcome::ALL.iter().map(|outcome| (*outcome, sum.count(*outcome))).collect()
}

impl HoursSpent {
    /// What is summed up, and `pending` that nobody vouches for yet.
    pub(super) fn of(sum: &Summary, pending: Duration) -> Self {
        let (warm, cold) = (sum.spent.warm, sum.spent.cold);
        let unknown = sum.spent.unknown.saturating_add(pending);
        Self {
            open: warm.saturating_add(cold).saturating_add(unknown).as_secs_f64(),
            warm: warm.as_secs_f64(),
            cold: cold.as_secs_f64(),
            unknown: unknown.as_secs_f64(),
            cold_heartbeats: sum.cold_in_hours,
        }
    }
}

impl Latencies {
    /// What is summed up.
    pub(super) fn of(sum: &Summary) -> Self {
        Self { warm: sum.warm.percentiles(), cold: sum.cold.percentiles() }
    }
}
