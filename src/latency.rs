//! Latency histograms: bounds, recording, merging, percentiles.
//!
//! Owns how durations are kept and summed up: an HdrHistogram from 1 µs to 1 h with two
//! significant digits, whose buckets are at most 1/128 of their value wide, so that the middle of
//! one is within 0.4 % of everything in it; the extremes and the sum are kept exactly beside it.
//! At rest a distribution is bytes (some 60 B, and 1 to 2 B a bucket hit); the 13 KB of open
//! buckets live only while distributions are added up. Refuses bytes that it didn't write.

mod buckets;
mod hits;
mod open;
mod shape;

pub(crate) use open::Open;
pub use shape::Shape;

use base64::prelude::{BASE64_STANDARD, Engine};
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use hits::Hits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The shortest duration told apart from others.
pub const SHORTEST: Duration = Duration::from_micros(1);
/// The longest; what took longer counts as this long.
pub const LONGEST: Duration = Duration::from_hours(1);
/// Significant decimal digits.
const DIGITS: u8 = 2;
/// Durations that wait outside the buckets before they are sorted in: 8 KB.
const FRESH: usize = 1024;
/// So many may wait in what is kept: half a KB, about what they take once they are sorted in.
const FEW: usize = 64;

/// A distribution, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// The shortest.
    pub min: f64,
    /// The median.
    pub p50: f64,
    /// Nine in ten took no longer.
    pub p90: f64,
    /// Ninety-nine in a hundred took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
    /// The arithmetic mean.
    pub mean: f64,
}

/// Boots, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BootStatus {
    /// How many were seen.
    pub count: u64,
    /// The median; null where no boot's duration is known.
    pub p50: Option<f64>,
    /// Nine in ten took no longer.
    pub p90: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
}

/// Bytes that are no distribution, or not one of these bounds.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LatencyError {
    /// The part before the histogram.
    #[error("a stored distribution's extremes can't be read")]
    Extremes,
    /// The histogram.
    #[error("a stored histogram can't be read: {0}")]
    Histogram(String),
}

/// How long something took, many times over.
#[derive(Debug, Clone, Default)]
pub struct Distribution {
    /// What is sorted in: empty, or [`Hits::write`].
    sorted: Vec<u8>,
    /// Clamped durations in ns, not yet sorted in.
    fresh: Vec<u64>,
}

/// What the buckets don't tell exactly; in ns.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Extremes {
    min: u64,
    max: u64,
    sum: u128,
}

impl Distribution {
    /// Counts one duration, clamped into [`SHORTEST`]..[`LONGEST`].
    pub fn record(&mut self, took: Duration) {
        self.fresh.push(took.clamp(SHORTEST, LONGEST).as_nanos() as u64);
        if self.fresh.len() >= FRESH {
            self.settle();
        }
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty() && self.fresh.is_empty()
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.hits().map_or(0, |(_, hits)| hits.count())
    }

    /// Adds what `other` recorded: the same as having recorded it here.
    pub fn merge(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        *self = Self::merged([&*self, other]);
    }

    /// All of them in one; opens one set of buckets, however many there are.
    pub fn merged<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut open: Option<Open> = None;
        for part in parts.into_iter().filter(|p| !p.is_empty()) {
            open.get_or_insert_with(Open::new).add(part);
        }
        open.map_or_else(Self::default, |mut open| open.close())
    }

    /// Its form at rest: exact extremes and sum, then the histogram, V2 serialised; empty where
    /// nothing was recorded.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.fresh.is_empty() {
            return self.sorted.clone();
        }
        self.hits().map_or_else(Vec::new, |(extremes, hits)| hits.write(&extremes))
    }

    /// Back from [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LatencyError> {
        if !bytes.is_empty() {
            Hits::default().read(bytes)?;
        }
        Ok(Self { sorted: bytes.to_vec(), fresh: Vec::new() })
    }

    /// The histogram as other programs read it: V2, compressed, in base64, of microseconds; none where
    /// nothing was recorded.
    pub fn to_base64(&self) -> Option<String> {
        let (_, hits) = self.hits()?;
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&hits.histogram(), &mut bytes).expect("into memory");
        Some(BASE64_STANDARD.encode(bytes))
    }

    /// What the report shows; none where nothing was recorded. Each lies within 1 % of the exact
    /// nearest-rank percentile of what was recorded; min, max and mean are exact to the
    /// nanosecond (for durations within the bounds).
    pub fn percentiles(&self) -> Option<Percentiles> {
        let (extremes, hits) = self.hits()?;
        let [p50, p90, p99] = quantiles(&extremes, &hits, [(50, 100), (90, 100), (99, 100)]);
        let count = hits.count();
        Some(Percentiles {
            count,
            min: seconds(extremes.min),
            p50: seconds(p50),
            p90: seconds(p90),
            p99: seconds(p99),
            max: seconds(extremes.max),
            mean: extremes.sum as f64 / count as f64 / 1e9,
        })
    }

    /// The distribution as a line: for each bucket that was hit the share of all that took no longer, and that
    /// time in seconds, told as [`Self::percentiles`] tells it; both rise. Empty where nothing was recorded.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        let Some((extremes, hits)) = self.hits() else { return Vec::new() };
        let count = hits.count();
        let mut seen = 0;
        let bucket = |&(bucket, hits): &(u16, u32)| {
            seen += u64::from(hits);
            let middle = buckets::middle(bucket.into()) * 1000;
            let time = if seen == count { extremes.max } else { middle.clamp(extremes.min, extremes.max) };
            (seen as f64 / count as f64, seconds(time))
        };
        hits.buckets.iter().map(bucket).collect()
    }

    /// The report of `boots` boots, of which this is how long those took whose duration is known.
    /// None where there was none.
    pub fn boot_status(&self, boots: u64) -> Option<BootStatus> {
        let known = self.percentiles();
        let count = boots.max(known.map_or(0, |k| k.count));
        (count > 0).then(|| BootStatus {
            count,
            p50: known.map(|k| k.p50),
            p90: known.map(|k| k.p90),
            max: known.map(|k| k.max),
        })
    }

    /// Sorts the fresh ones in where that makes it smaller, as it is to be kept.
    pub(crate) fn compact(&mut self) {
        if self.fresh.len() > FEW {
            self.settle();
        }
    }

    /// Sorts the fresh ones in.
    fn settle(&mut self) {
        *self = Self { sorted: self.to_bytes(), fresh: Vec::new() };
    }

    /// The buckets that were hit; none where nothing was recorded.
    fn hits(&self) -> Option<(Extremes, Hits)> {
        if self.is_empty() {
            return None;
        }
        if self.fresh.is_empty() {
            let mut hits = Hits::default();
            let extremes = hits.read(&self.sorted).expect("checked when it was made");
            return Some((extremes, hits));
        }
        let mut open = Open::new();
        open.add(self);
        open.hits()
    }
}

impl PartialEq for Distribution {
    /// Whether they tell the same of the durations, however these came together.
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

/// The durations, in ns, at the nearest rank of each of these quantiles (a/b, rising): the
/// first and the last exactly, the others as the middle of their bucket.
fn quantiles<const N: usize>(extremes: &Extremes, hits: &Hits, wanted: [(u64, u64); N]) -> [u64; N] {
    let count = hits.count();
    let rank = |(a, b): (u64, u64)| (u128::from(count) * u128::from(a)).div_ceil(u128::from(b)).max(1) as u64;
    let ranks = wanted.map(rank);
    let mut found = [0; N];
    let (mut at, mut seen) = (0, 0);
    for &(bucket, hits) in &hits.buckets {
        seen += u64::from(hits);
        while at < N && ranks[at] <= seen {
            found[at] = match ranks[at] {
                1 => extremes.min,
                last if last == count => extremes.max,
                _ => (buckets::middle(bucket.into()) * 1000).clamp(extremes.min, extremes.max),
            };
            at += 1;
        }
    }
    found
}

const fn micros(d: Duration) -> u64 {
    d.as_micros() as u64
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests;
