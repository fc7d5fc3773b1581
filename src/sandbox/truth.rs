//! The ground truth: what no client can see, kept apart for tests alone.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What really happened, as far back as it is kept; the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Predictions that began to run, or ended without.
    pub predictions: Vec<PredictionTruth>,
    /// Boots that are over.
    pub boots: Vec<BootTruth>,
}

impl Truth {
    /// What really happened to one prediction.
    pub fn prediction(&self, id: &str) -> Option<&PredictionTruth> {
        self.predictions.iter().rev().find(|prediction| prediction.id == id)
    }
}

/// What really happened to a prediction; durations in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictionTruth {
    /// Its id, as the client knows it.
    pub id: String,
    /// `owner/name` of the model or deployment that was asked for; a Cog server's address.
    pub model: String,
    /// Whether it came before the instance that ran it was up, and so had to wait for a boot.
    pub cold: bool,
    /// How long that boot took, from its own beginning.
    pub boot: Option<f64>,
    /// From creation to the start, the boot included; none where it never began to run.
    pub queue_wait: Option<f64>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it began to run.
    pub started_at: Option<DateTime<Utc>>,
}

/// A boot; its duration in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootTruth {
    /// `owner/name` of the model or deployment; a Cog server's address.
    pub model: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took.
    pub took: f64,
    /// Nobody had asked for it.
    pub alone: bool,
}

/// The truth while it grows, the oldest forgotten.
#[derive(Debug)]
pub(super) struct TruthLog {
    keep: usize,
    predictions: VecDeque<PredictionTruth>,
    boots: VecDeque<BootTruth>,
}

impl TruthLog {
    pub(super) const fn new(keep: usize) -> Self {
        Self { keep, predictions: VecDeque::new(), boots: VecDeque::new() }
    }

    pub(super) fn prediction(&mut self, truth: PredictionTruth) {
        if self.predictions.len() >= self.keep {
            self.predictions.pop_front();
        }
        self.predictions.push_back(truth);
    }

    pub(super) fn boot(&mut self, truth: BootTruth) {
        if self.boots.len() >= self.keep {
            self.boots.pop_front();
        }
        self.boots.push_back(truth);
    }

    pub(super) fn snapshot(&self) -> Truth {
        Truth {
            predictions: self.predictions.iter().cloned().collect(),
            boots: self.boots.iter().cloned().collect(),
        }
    }
}
