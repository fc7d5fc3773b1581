//! What there is to tell: a fold over heartbeats and states, and over the fate of the configuration.
//!
//! Owns the incidents. One is the model's, whoever is to be told of it; each alert's own `after` and
//! `repeat` say when that is. It ends with the first answer that shows the contrary, and ends untold where
//! its model is taken out, switched off or aimed at something else.

#[cfg(test)]
mod tests;

use super::event::{Event, Subject};
use super::incident::Incident;
use crate::config::alert::{Alert, Condition};
use crate::config::value::ModelName;
use crate::heartbeat::{Heartbeat, Outcome};
use crate::journal::{Entry, State, What};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Before each incident's name in what is kept.
const KEPT: &str = "incident/";

type Key = (Condition, Option<ModelName>);

/// How a model stands at an instant.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// What it is.
    pub subject: Subject<'a>,
    /// Since when it is in this state.
    pub since: DateTime<Utc>,
    /// Why.
    pub reason: Option<&'a str>,
    /// How many heartbeats in a row make it `failing`; none where they don't, also where it is
    /// `failing` by a refusal that may pass.
    pub failing_row: Option<u32>,
    /// How often it was refused since the last answer.
    pub refusals: u32,
    /// The last heartbeat that finished.
    pub last: Option<&'a Heartbeat>,
}

/// What is kept over a restart: a name, and what is kept under it; none where nothing is any more.
pub type Kept = (String, Option<String>);

/// What happens, followed for those who want to be told.
#[derive(Debug, Default)]
pub struct Watch {
    host: String,
    alerts: Vec<Arc<Alert>>,
    incidents: BTreeMap<Key, Incident>,
    /// Those that are not kept as they are by now.
    changed: BTreeSet<Key>,
}

impl Watch {
    /// One on the machine `host` that goes on from what was `kept`.
    pub fn new<'a>(host: &str, kept: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut watch = Self { host: host.to_owned(), ..Self::default() };
        for (name, body) in kept.into_iter().filter(|(name, _)| name.starts_with(KEPT)) {
            // What can't be read is forgotten: it comes again where it lasts.
            if let Ok(incident) = serde_json::from_str::<Incident>(body) {
                watch.incidents.insert((incident.condition, incident.model.clone()), incident);
            } else {
                tracing::warn!("what was kept as {name} can't be read, and is left out");
            }
        }
        watch
    }

    /// Tells these from now on; of the models that are not among `models`, nothing any more.
    pub fn run(&mut self, alerts: &[Arc<Alert>], is_model: impl Fn(&ModelName) -> bool) {
        self.alerts = alerts.to_vec();
        let (named, nobody) = (|name: &_| alerts.iter().any(|alert| alert.name == *name), alerts.is_empty());
        let gone: Vec<Key> = self
            .incidents
            .keys()
            .filter(|(_, model)| nobody || model.as_ref().is_some_and(|model| !is_model(model)))
            .cloned()
            .collect();
        for key in gone {
            self.forget(&key);
        }
        for (key, incident) in &mut self.incidents {
            let before = incident.told.len();
            incident.told.retain(|name, _| named(name));
            if incident.told.len() < before {
                self.changed.insert(key.clone());
            }
        }
    }

    /// Takes in what happened to a model.
    pub fn saw(&mut self, entry: &Entry) {
        if self.alerts.is_empty() {
            return;
        }
        match &entry.what {
            What::Heartbeat { heartbeat, in_hours } => self.heartbeat(&entry.model, heartbeat, *in_hours),
            What::Aimed { .. } => self.forget_model(&entry.model),
            What::Boot { .. }
            | What::Spent { .. }
            | What::Setup(_)
            | What::Paused { .. }
            | What::Resumed
            | What::State { .. }
            | What::Tracked => {}
        }
    }

    fn heartbeat(&mut self, model: &ModelName, heartbeat: &Heartbeat, in_hours: bool) {
        let outcome = heartbeat.outcome;
        let at = heartbeat.done_at;
        let key = |condition| (condition, Some(model.clone()));
        if outcome.answered() {
            self.end(&key(Condition::Failing), Some(heartbeat));
        }
        if heartbeat.shows_model_up() {
            self.end(&key(Condition::Blocked), Some(heartbeat));
        }
        match outcome {
            Outcome::Warm | Outcome::Busy => self.end(&key(Condition::Cold), Some(heartbeat)),
            // The lead-in's boot is what the lead-in is for.
            Outcome::Cold if in_hours => {
                let cold = self.open(key(Condition::Cold), at, at);
                cold.count = cold.count.saturating_add(1);
                cold.heartbeat = Some(heartbeat.clone());
                cold.reason = heartbeat.wait.or(heartbeat.total).map(|waited| {
                    format!("a user would have waited {:.1} s for its boot", waited.as_secs_f64())
                });
            }
            Outcome::Rejected => {
                if let Some(blocked) = self.incidents.get_mut(&key(Condition::Blocked)) {
                    blocked.count = blocked.count.saturating_add(1);
                    self.changed.insert(key(Condition::Blocked));
                }
            }
            // The row of failures is counted where the state is made of it; what was not sent, or not let
            // through, says nothing of the model; a calibration follows an answer that did.
            Outcome::Calibration
            | Outcome::Cold
            | Outcome::Failed
            | Outcome::TimedOut
            | Outcome::Unreachable
            | Outcome::RateLimited
            | Outcome::Skipped => {}
        }
    }

    /// Looks at a model as it stands at `now`; what is to be told of it.
    pub fn look(&mut self, model: &ModelName, standing: &Standing<'_>, now: DateTime<Utc>) -> Vec<Event> {
        if self.alerts.is_empty() {
            return Vec::new();
        }
        let state = standing.subject.state;
        if state == State::Disabled {
            self.forget_model(model);
            return Vec::new();
        }
        // One that ran and failed ends it, unless the model only ever fails.
        if let (None, Some(last)) = (standing.failing_row, standing.last)
            && last.ran_and_failed()
        {
            self.end(&(Condition::Failing, Some(model.clone())), Some(last));
        }
        let condition = match state {
            // A refusal that lasts is told as `blocked`.
            State::Failing => standing.failing_row.map(|_| Condition::Failing),
            State::Blocked => Some(Condition::Blocked),
            State::Disabled
            | State::Paused
            | State::Idle
            | State::Booting
            | State::Warm
            | State::Cold
            | State::Unknown => None,
        };
        if let Some(condition) = condition {
            self.stands(condition, model, standing, now);
        }
        if self.incidents.is_empty() {
            return Vec::new();
        }
        // Outside of what is kept warm nothing is known, so that nothing is told again.
        let goes_on = !matches!(state, State::Idle | State::Paused);
        let mut events = Vec::new();
        let mut keys =
            [Condition::Cold, Condition::Failing, Condition::Blocked].map(|one| (one, Some(model.clone())));
        // An answer may end one and begin another: what has ended is told first.
        keys.sort_by_key(|key| self.incidents.get(key).is_some_and(|one| !one.over));
        for key in keys {
            events.extend(self.tell(&key, Some(standing.subject), goes_on, now));
        }
        events
    }

    /// The file as it is now can't be run.
    pub fn refused(&mut self, error: &str, now: DateTime<Utc>) {
        if !self.alerts.is_empty() {
            let refused = self.open((Condition::ConfigError, None), now, now);
            refused.count = refused.count.saturating_add(1);
            refused.reason = Some(error.to_owned());
        }
    }

    /// The file as it is now runs.
    pub fn accepted(&mut self) {
        self.end(&(Condition::ConfigError, None), None);
    }

    /// Looks at the configuration at `now`; what is to be told of it.
    pub fn look_at_config(&mut self, now: DateTime<Utc>) -> Vec<Event> {
        self.tell(&(Condition::ConfigError, None), None, true, now)
    }

    /// Whether anything goes on that may have to be told, or told again, some time.
    pub fn has_incidents(&self) -> bool {
        !self.incidents.is_empty()
    }

    /// What is to be kept over a restart, or not any more, since this was asked last.
    pub fn changes(&mut self) -> Vec<Kept> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|key| (name(&key), self.incidents.get(&key).and_then(body))).collect()
    }

    /// All that is to be kept: the file has been begun anew.
    pub fn keep_all(&mut self) {
        self.changed.extend(self.incidents.keys().cloned());
    }

    /// A model is in a state that is told of.
    fn stands(
        &mut self,
        condition: Condition,
        model: &ModelName,
        standing: &Standing<'_>,
        now: DateTime<Utc>,
    ) {
        let key = (condition, Some(model.clone()));
        let known = self.incidents.get(&key);
        let count = match condition {
            Condition::Failing => standing.failing_row.unwrap_or(1),
            // Heartbeats that are rejected while it lasts add to it.
            Condition::Blocked => known.map_or(standing.refusals.max(1), |incident| incident.count),
            Condition::Cold | Condition::ConfigError => known.map_or(1, |incident| incident.count),
        };
        let is_known =
            |one: &Incident| one.over || (one.count == count && one.reason.as_deref() == standing.reason);
        if known.is_some_and(is_known) {
            return;
        }
        let incident = self.open(key, standing.since.min(now), now);
        incident.count = count;
        incident.reason = standing.reason.map(str::to_owned);
        incident.heartbeat = standing.last.cloned();
    }

    /// Tells whoever is to be told of one incident, where there is that one.
    fn tell(
        &mut self,
        key: &Key,
        subject: Option<Subject<'_>>,
        goes_on: bool,
        now: DateTime<Utc>,
    ) -> Vec<Event> {
        let Some(incident) = self.incidents.get_mut(key) else { return Vec::new() };
        let covering = self.alerts.iter().filter(|alert| alert.covers(key.0, key.1.as_ref()));
        let by = (self.host.as_str(), now);
        if incident.over {
            let told =
                covering.filter(|alert| alert.when.recovered && incident.told.contains_key(&alert.name));
            let events = told.map(|alert| Event::recovery(incident, &alert.name, subject, by)).collect();
            self.forget(key);
            return events;
        }
        incident.pass(now, goes_on);
        if !goes_on {
            return Vec::new();
        }
        let mut events = Vec::new();
        for alert in covering {
            if incident.is_due(alert) {
                let before = incident.tell(&alert.name);
                events.push(Event::of(incident, &alert.name, subject, before, by));
                self.changed.insert(key.clone());
            }
        }
        events
    }

    fn open(&mut self, key: Key, since: DateTime<Utc>, now: DateTime<Utc>) -> &mut Incident {
        self.changed.insert(key.clone());
        let (condition, model) = key.clone();
        self.incidents.entry(key).or_insert_with(|| Incident::new(condition, model, since, now))
    }

    /// It is over by that heartbeat; none where it was the configuration's.
    fn end(&mut self, key: &Key, by: Option<&Heartbeat>) {
        if let Some(incident) = self.incidents.get_mut(key) {
            incident.over = true;
            incident.heartbeat = by.cloned();
            self.changed.insert(key.clone());
        }
    }

    fn forget_model(&mut self, model: &ModelName) {
        for condition in Condition::ALL {
            self.forget(&(condition, Some(model.clone())));
        }
    }

    fn forget(&mut self, key: &Key) {
        if self.incidents.remove(key).is_some() {
            self.changed.insert(key.clone());
        }
    }
}

fn name((condition, model): &Key) -> String {
    let model = model.as_ref().map_or("", |model| model.as_str());
    format!("{KEPT}{}/{model}", condition.name())
}

fn body(incident: &Incident) -> Option<String> {
    serde_json::to_string(incident).ok()
}
