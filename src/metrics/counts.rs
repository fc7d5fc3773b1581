//! What is counted since the process started, by model. It only ever grows: a scraper takes a figure that
//! falls for a new process.

use crate::config::value::ModelName;
use crate::heartbeat::{Heartbeat, Outcome};
use crate::journal::{Entry, What};
use crate::store::SpentTimes;
use std::collections::HashMap;
use std::time::Duration;

/// Upper bounds for answers and boots, in seconds: from a model on the next desk to a boot of minutes.
pub const ANSWERS: &[f64] =
    &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Upper bounds for lag, in seconds.
pub const LAGS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// What happened since the process started.
#[derive(Debug, Clone)]
pub struct Counts {
    models: HashMap<ModelName, Box<ModelCounts>>,
    /// From due to sent, of all heartbeats that were sent.
    pub lag: Buckets,
}

/// What happened to one model.
#[derive(Debug, Clone)]
pub struct ModelCounts {
    /// Heartbeats, in the order of [`Outcome::ALL`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Cold ones that were sent within active hours.
    pub cold_in_hours: u64,
    /// How active hours were spent.
    pub spent: SpentTimes,
    /// `total` of those that were warm.
    pub warm: Buckets,
    /// `total` of those that were cold.
    pub cold: Buckets,
    /// Boots whose duration is known.
    pub boot: Buckets,
}

/// Durations, counted by bounds.
#[derive(Debug, Clone)]
pub struct Buckets {
    bounds: &'static [f64],
    /// One more than there are bounds: what is longer than the last.
    counts: Vec<u64>,
    sum: Duration,
}

impl Default for Counts {
    fn default() -> Self {
        Self { models: HashMap::new(), lag: Buckets::of(LAGS) }
    }
}

impl Default for ModelCounts {
    fn default() -> Self {
        Self {
            outcomes: [0; Outcome::ALL.len()],
            cold_in_hours: 0,
            spent: SpentTimes::default(),
            warm: Buckets::of(ANSWERS),
            cold: Buckets::of(ANSWERS),
            boot: Buckets::of(ANSWERS),
        }
    }
}

impl Counts {
    /// Counts what happened.
    pub fn count(&mut self, entry: &Entry) {
        if let What::Heartbeat { heartbeat, .. } = &entry.what
            && heartbeat.was_sent()
        {
            self.lag.record((heartbeat.sent_at - heartbeat.due_at).to_std().unwrap_or_default());
        }
        if matches!(entry.what, What::Heartbeat { .. } | What::Boot { .. } | What::Spent { .. }) {
            self.models.entry(entry.model.clone()).or_default().count(&entry.what);
        }
    }

    /// What happened to that model, if anything did.
    pub fn of(&self, model: &ModelName) -> Option<&ModelCounts> {
        self.models.get(model).map(Box::as_ref)
    }

    /// Forgets the models that are not among these: they are not in the file any more.
    pub fn retain(&mut self, mut is_there: impl FnMut(&ModelName) -> bool) {
        self.models.retain(|name, _| is_there(name));
    }
}

impl ModelCounts {
    fn count(&mut self, what: &What) {
        match what {
            What::Heartbeat { heartbeat, in_hours } => self.heartbeat(heartbeat, *in_hours),
            What::Boot { took: Some(took) } => self.boot.record(*took),
            What::Spent { from, to, how } => {
                self.spent.add(*how, (*to - *from).to_std().unwrap_or_default());
            }
            What::Boot { took: None }
            | What::Setup(_)
            | What::Paused { .. }
            | What::Resumed
            | What::Aimed { .. }
            | What::State { .. }
            | What::Tracked => {}
        }
    }

    fn heartbeat(&mut self, heartbeat: &Heartbeat, in_hours: bool) {
        let outcome = heartbeat.outcome;
        self.outcomes[outcome as usize] += 1;
        self.cold_in_hours += u64::from(in_hours && outcome == Outcome::Cold);
        match (outcome, heartbeat.total) {
            (Outcome::Warm, Some(total)) => self.warm.record(total),
            (Outcome::Cold, Some(total)) => self.cold.record(total),
            _ => {}
        }
    }
}

impl Buckets {
    fn of(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: Duration::ZERO }
    }

    fn record(&mut self, took: Duration) {
        let bucket = self.bounds.partition_point(|bound| *bound < took.as_secs_f64());
        self.counts[bucket] += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// All of them together, in seconds.
    pub fn sum(&self) -> f64 {
        self.sum.as_secs_f64()
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Upper bounds in seconds, the last one infinite, and how many lie between each and the one before.
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.counts.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_what_lies_below_it() {
        let mut buckets = Buckets::of(&[0.5, 1.0]);
        for millis in [0, 499, 500, 501, 1000, 1001, 900_000] {
            buckets.record(Duration::from_millis(millis));
        }
        assert_eq!(buckets.buckets(), [(0.5, 3), (1.0, 2), (f64::INFINITY, 2)]);
        assert_eq!(buckets.count(), 7);
        assert!((buckets.sum() - 903.501).abs() < 1e-9, "{}", buckets.sum());
    }

    #[test]
    fn bounds_rise_and_reach_boots_of_minutes() {
        for bounds in [ANSWERS, LAGS] {
            assert!(bounds.is_sorted_by(|a, b| a < b));
        }
        assert_eq!((ANSWERS[0], ANSWERS[ANSWERS.len() - 1]), (0.05, 600.0));
    }
}
