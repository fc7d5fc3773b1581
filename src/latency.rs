//! Latency histograms: bounds, recording, merging, percentiles.
//!
//! Owns how durations are kept and summed up: an HdrHistogram from 1 µs to 1 h with two
//! significant digits, whose buckets are at most 1/128 of their value wide, so that the middle of
//! one is within 0.4 % of everything in it; the extremes and the sum are kept exactly beside it.
//! At rest a distribution is bytes (some 60 B, and 1 to 2 B a bucket hit); the 13 KB of open
//! buckets live only inside a method. Refuses bytes that it didn't write.

mod shape;

pub use shape::Shape;

use base64::prelude::{BASE64_STANDARD, Engine};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer, V2Serializer};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The shortest duration told apart from others.
pub const SHORTEST: Duration = Duration::from_micros(1);
/// The longest; what took longer counts as this long.
pub const LONGEST: Duration = Duration::from_hours(1);
/// Significant decimal digits.
const DIGITS: u8 = 2;
/// Durations that wait outside the buckets before they are sorted in: 4 KB.
const FRESH: usize = 1024;
/// V2's header: cookie, payload length, normalising offset, digits (4 B each, big-endian), lowest,
/// highest (8 B each), ratio (8 B).
const HEADER: usize = 40;
/// V2's cookie, uncompressed.
const COOKIE: u32 = 0x1c84_9313;

/// The beginning of the least number that V2 can write.
const LEAST: [u8; 8] = [0xff; 8];

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
    /// What is sorted in: empty, or [`Open::to_bytes`].
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
        self.open().map_or(0, |open| open.buckets.len())
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
        open.map_or_else(Self::default, |open| Self { sorted: open.to_bytes(), fresh: Vec::new() })
    }

    /// Its form at rest: exact extremes and sum, then the histogram, V2 serialised; empty where
    /// nothing was recorded.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.fresh.is_empty() {
            return self.sorted.clone();
        }
        self.open().map_or_else(Vec::new, |open| open.to_bytes())
    }

    /// Back from [`Self::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LatencyError> {
        if !bytes.is_empty() {
            parse(bytes)?;
        }
        Ok(Self { sorted: bytes.to_vec(), fresh: Vec::new() })
    }

    /// The histogram as other programs read it: V2, compressed, in base64, of microseconds; none where
    /// nothing was recorded.
    pub fn to_base64(&self) -> Option<String> {
        let open = self.open()?;
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&open.buckets, &mut bytes).expect("into memory");
        Some(BASE64_STANDARD.encode(bytes))
    }

    /// What the report shows; none where nothing was recorded. Each lies within 1 % of the exact
    /// nearest-rank percentile of what was recorded; min, max and mean are exact to the
    /// nanosecond (for durations within the bounds).
    pub fn percentiles(&self) -> Option<Percentiles> {
        let open = self.open()?;
        let [p50, p90, p99] = open.quantiles([(50, 100), (90, 100), (99, 100)]);
        let (count, extremes) = (open.buckets.len(), open.extremes?);
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
        let Some(open) = self.open() else { return Vec::new() };
        let Some(extremes) = open.extremes else { return Vec::new() };
        let count = open.buckets.len();
        let mut seen = 0;
        let bucket = |bucket: hdrhistogram::iterators::IterationValue<u32>| {
            seen += bucket.count_since_last_iteration();
            let middle = open.buckets.median_equivalent(bucket.value_iterated_to()) * 1000;
            let time = if seen == count { extremes.max } else { middle.clamp(extremes.min, extremes.max) };
            (seen as f64 / count as f64, seconds(time))
        };
        open.buckets.iter_recorded().map(bucket).collect()
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

    /// Sorts the fresh ones in.
    fn settle(&mut self) {
        *self = Self { sorted: self.to_bytes(), fresh: Vec::new() };
    }

    fn open(&self) -> Option<Open> {
        if self.is_empty() {
            return None;
        }
        let mut open = Open::new();
        open.add(self);
        Some(open)
    }
}

impl PartialEq for Distribution {
    /// Whether they tell the same of the durations, however these came together.
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

/// A distribution with its buckets open: 13 KB.
struct Open {
    buckets: Histogram<u32>,
    extremes: Option<Extremes>,
}

impl Open {
    fn new() -> Self {
        let buckets = Histogram::new_with_bounds(micros(SHORTEST), micros(LONGEST), DIGITS)
            .expect("constants, in order, with one to five digits");
        Self { buckets, extremes: None }
    }

    fn add(&mut self, other: &Distribution) {
        if !other.sorted.is_empty() {
            let (extremes, buckets) = parse(&other.sorted).expect("checked when it was made");
            self.buckets.add(buckets).expect("of the same bounds");
            self.widen(extremes);
        }
        for &ns in &other.fresh {
            // To the nearest microsecond; saturates rather than overflows.
            self.buckets.saturating_record((ns + 500) / 1000);
            self.widen(Extremes { min: ns, max: ns, sum: u128::from(ns) });
        }
    }

    fn widen(&mut self, by: Extremes) {
        self.extremes = Some(self.extremes.map_or(by, |own| Extremes {
            min: own.min.min(by.min),
            max: own.max.max(by.max),
            sum: own.sum.saturating_add(by.sum),
        }));
    }

    fn to_bytes(&self) -> Vec<u8> {
        let Some(extremes) = self.extremes else { return Vec::new() };
        let mut bytes = postcard::to_stdvec(&extremes).expect("three integers");
        V2Serializer::new().serialize(&self.buckets, &mut bytes).expect("into memory, counts within i64");
        bytes
    }

    /// The durations, in ns, at the nearest rank of each of these quantiles (a/b, rising): the
    /// first and the last exactly, the others as the middle of their bucket.
    fn quantiles<const N: usize>(&self, wanted: [(u64, u64); N]) -> [u64; N] {
        let mut found = [0; N];
        let Some(extremes) = self.extremes else { return found };
        let count = self.buckets.len();
        let rank =
            |(a, b): (u64, u64)| (u128::from(count) * u128::from(a)).div_ceil(u128::from(b)).max(1) as u64;
        let (mut at, mut seen) = (0, 0);
        for bucket in self.buckets.iter_recorded() {
            seen += bucket.count_since_last_iteration();
            let middle = self.buckets.median_equivalent(bucket.value_iterated_to()) * 1000;
            while at < N && rank(wanted[at]) <= seen {
                found[at] = match rank(wanted[at]) {
                    1 => extremes.min,
                    last if last == count => extremes.max,
                    _ => middle.clamp(extremes.min, extremes.max),
                };
                at += 1;
            }
        }
        found
    }
}

fn parse(bytes: &[u8]) -> Result<(Extremes, Histogram<u32>), LatencyError> {
    let (extremes, v2) = postcard::take_from_bytes::<Extremes>(bytes).map_err(|_| LatencyError::Extremes)?;
    let broken = |why: &str| LatencyError::Histogram(why.to_owned());
    // The deserialiser would believe any length and any bounds, and reserve memory for them.
    let header = v2.get(..HEADER).ok_or_else(|| broken("it is cut short"))?;
    let u32_at = |i: usize| u32::from_be_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
    let u64_at = |i: usize| (u64::from(u32_at(i)) << 32) | u64::from(u32_at(i + 4));
    if u32_at(0) != COOKIE || u32_at(4) as usize != v2.len() - HEADER {
        return Err(broken("it is cut short, or of another format"));
    }
    if (u32_at(12), u64_at(16), u64_at(24)) != (u32::from(DIGITS), micros(SHORTEST), micros(LONGEST)) {
        return Err(broken("it has other bounds"));
    }
    // The deserialiser negates it, which has no answer; counts of 32 bits never look like that.
    if v2[HEADER..].windows(LEAST.len()).any(|bytes| bytes == LEAST) {
        return Err(broken("it holds an impossible count"));
    }
    let buckets: Histogram<u32> =
        Deserializer::new().deserialize(&mut &*v2).map_err(|e| broken(&e.to_string()))?;
    if buckets.is_empty() || extremes.min > extremes.max {
        return Err(broken("it contradicts itself"));
    }
    Ok((extremes, buckets))
}

const fn micros(d: Duration) -> u64 {
    d.as_micros() as u64
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests;
