//! Waits on a logarithmic scale, counted in bins that fade.

use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;
use std::time::Duration;

/// Shorter waits are all alike, in seconds: the jitter of networks.
const SHORTEST: f64 = 0.02;

/// So are longer ones: they are boots.
const LONGEST: f64 = 3600.0;

/// Bins per doubling of the wait: narrow beside any heap.
const BINS_PER_OCTAVE: f64 = 6.0;

/// How many bins there are from the shortest wait to the longest: 17.5 doublings.
const BINS: usize = 105;

/// What has faded to less than this is forgotten.
const FORGOTTEN: f32 = 0.001;

/// How many waits fell into each bin, the older ones counted for less.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<f32>", into = "Vec<f32>")]
pub(super) struct Histogram {
    bins: Vec<f32>,
}

impl Histogram {
    pub(super) fn add(&mut self, wait: Duration) {
        let bin = bin(place(wait));
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, 0.0);
        }
        self.bins[bin] += 1.0;
    }

    /// Fades all of it, as one more wait does: to a third after `memory` of them.
    pub(super) fn fade(&mut self, memory: f32) {
        for count in &mut self.bins {
            *count -= *count / memory;
            if *count < FORGOTTEN {
                *count = 0.0;
            }
        }
    }

    pub(super) fn total(&self) -> f64 {
        self.bins.iter().copied().map(f64::from).sum()
    }

    /// The places of the bins that hold something, and how much.
    pub(super) fn counts(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let seen = self.bins.iter().enumerate().filter(|(_, count)| **count > 0.0);
        seen.map(|(bin, count)| (middle(bin), f64::from(*count)))
    }
}

impl From<Vec<f32>> for Histogram {
    /// From what was saved; a damaged file may hold anything.
    fn from(mut bins: Vec<f32>) -> Self {
        bins.truncate(BINS);
        let is_sound = bins.iter().all(|count| (0.0..1e6).contains(count));
        Self { bins: if is_sound { bins } else { Vec::new() } }
    }
}

impl From<Histogram> for Vec<f32> {
    fn from(histogram: Histogram) -> Self {
        histogram.bins
    }
}

/// Where a wait lies on the scale: the natural logarithm of its seconds.
pub(super) fn place(wait: Duration) -> f64 {
    wait.as_secs_f64().clamp(SHORTEST, LONGEST).ln()
}

/// The wait at a place.
pub(super) fn wait(place: f64) -> Duration {
    Duration::from_secs_f64(place.exp().clamp(SHORTEST, LONGEST))
}

fn bin(place: f64) -> usize {
    (((place - SHORTEST.ln()) / LN_2 * BINS_PER_OCTAVE) as usize).min(BINS - 1)
}

fn middle(bin: usize) -> f64 {
    SHORTEST.ln() + (bin as f64 + 0.5) * LN_2 / BINS_PER_OCTAVE
}
