//! Latency histograms: bounds, recording, merging, percentiles.
//!
//! Owns how durations are kept and summed up: an HdrHistogram from 1 µs to 1 h with two
//! significant digits, whose buckets are at most 1/128 of their value wide, so that the middle of
//! one is within 0.4 % of everything in it; the extremes and the sum are kept exactly beside it.
//! At rest a distribution is bytes (some 60 B, and 1 to 2 B a bucket hit); the 13 KB of open
//! buckets live only inside a method. Refuses bytes that it didn't write.

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

/// A distribution as it is drawn: how many lie in each of some columns that grow by the same factor.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The shortest, in seconds, to the bucket.
    pub least: f64,
    /// The longest, in seconds, to the bucket.
    pub most: f64,
    /// How many in each column.
    pub counts: Vec<u64>,
}

impl Shape {
    /// That of all of these together, each as [`Distribution::to_base64`] has it; what can't be read is left
    /// out. None where nothing is left.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>, columns: usize) -> Option<Self> {
        let mut whole: Option<Histogram<u64>> = None;
        for part in parts {
            let Ok(bytes) = BASE64_STANDARD.decode(part) else { continue };
            let Ok(histogram) = Deserializer::new().deserialize::<u64, _>(&mut &*bytes) else { continue };
            match &mut whole {
                Some(whole) => drop(whole.add(histogram)),
                None => whole = Some(histogram),
            }
        }
        let whole = whole.filter(|whole| !whole.is_empty())?;
        let (mut least, mut most) = (whole.min(), whole.max());
        if whole.equivalent(least, most) {
            (least, most) = (whole.median_equivalent(least), whole.median_equivalent(least));
        }
        let (least, most) = (least.max(1) as f64 / 1e6, most.max(1) as f64 / 1e6);
        let mut counts = vec![0; columns.max(1)];
        for bucket in whole.iter_recorded() {
            let at = (bucket.value_iterated_to().max(1) as f64 / 1e6).clamp(least, most);
            let share = if most > least { (at / least).ln() / (most / least).ln() } else { 0.0 };
            let column = ((share * counts.len() as f64) as usize).min(counts.len() - 1);
            counts[column] += bucket.count_since_last_iteration();
        }
        Some(Self { least, most, counts })
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(times: &[Duration]) -> Distribution {
        let mut d = Distribution::default();
        for time in times {
            d.record(*time);
        }
        d
    }

    fn nearest_rank(sorted: &[Duration], percent: usize) -> f64 {
        sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1].as_secs_f64()
    }

    /// From 100 µs, below which a loopback does not answer, to the longest; spread evenly in scale.
    fn times() -> impl Strategy<Value = Vec<Duration>> {
        prop::collection::vec((-4.0..3.556_f64).prop_map(|e| Duration::from_secs_f64(10f64.powf(e))), 1..1500)
    }

    proptest! {
        #[test]
        fn percentiles_are_within_one_percent_of_the_exact_ones(mut raw in times()) {
            let told = of(&raw).percentiles().unwrap();
            raw.sort();
            let near = |told: f64, exact: f64| (told - exact).abs() <= exact * 0.01;
            prop_assert_eq!(told.count, raw.len() as u64);
            for (percent, value) in [(50, told.p50), (90, told.p90), (99, told.p99)] {
                let exact = nearest_rank(&raw, percent);
                prop_assert!(near(value, exact), "p{percent}: {value} told, {exact} exact");
            }
            let mean = raw.iter().map(Duration::as_secs_f64).sum::<f64>() / raw.len() as f64;
            prop_assert!((told.mean - mean).abs() <= mean * 1e-6);
            prop_assert!((told.min - raw[0].as_secs_f64()).abs() < 1e-9);
            prop_assert!((told.max - raw[raw.len() - 1].as_secs_f64()).abs() < 1e-9);
            prop_assert!(told.min <= told.p50 && told.p50 <= told.p90 && told.p90 <= told.p99 && told.p99 <= told.max);
        }

        #[test]
        fn merged_is_as_recorded_together(parts in prop::collection::vec(times(), 0..4)) {
            let together = of(&parts.concat());
            let apart: Vec<_> = parts.iter().map(|p| of(p)).collect();
            prop_assert_eq!(&Distribution::merged(&apart), &together);
            let mut one_by_one = Distribution::default();
            for part in &apart {
                one_by_one.merge(part);
            }
            prop_assert_eq!(&one_by_one, &together);
            prop_assert_eq!(one_by_one.percentiles(), together.percentiles());
        }

        #[test]
        fn bytes_come_back_as_they_were(raw in times()) {
            let d = of(&raw);
            let back = Distribution::from_bytes(&d.to_bytes()).unwrap();
            prop_assert_eq!(&back, &d);
            prop_assert_eq!(back.count(), raw.len() as u64);
        }

        #[test]
        fn other_bytes_are_refused_or_read_without_a_panic(
            raw in times(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = of(&raw).to_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(d) = Distribution::from_bytes(&bytes) {
                let _ = d.percentiles();
            }
            prop_assert!(Distribution::from_bytes(&bytes[..cut.index(bytes.len()).max(1)]).is_err());
        }
    }

    #[test]
    fn the_empty_one_has_nothing_to_tell() {
        let d = Distribution::default();
        assert!(d.is_empty() && d.percentiles().is_none() && d.to_bytes().is_empty());
        assert!(d.boot_status(0).is_none());
        assert_eq!(Distribution::from_bytes(&[]), Ok(d));
    }

    #[test]
    fn boots_of_unknown_duration_count() {
        let unknown = Distribution::default().boot_status(2).unwrap();
        assert_eq!((unknown.count, unknown.p50, unknown.max), (2, None, None));
        let known = of(&[Duration::from_secs(9)]).boot_status(3).unwrap();
        assert_eq!((known.count, known.p50, known.max), (3, Some(9.0), Some(9.0)));
    }

    #[test]
    fn what_is_out_of_bounds_counts_at_the_bound() {
        let p = of(&[Duration::ZERO, Duration::MAX]).percentiles().unwrap();
        assert!((p.min - 1e-6).abs() < f64::EPSILON && (p.max - 3600.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_hour_of_heartbeats_is_a_few_hundred_bytes() {
        let d = of(&(0..120).map(|i| Duration::from_micros(400_000 + i * 1_731)).collect::<Vec<_>>());
        assert!(d.to_bytes().len() < 250, "{} bytes", d.to_bytes().len());
    }

    #[test]
    fn other_bounds_are_refused_before_they_cost_memory() {
        let mut wide = Histogram::<u64>::new_with_bounds(1, u64::MAX / 2, 3).unwrap();
        wide.record(5).unwrap();
        let mut bytes = postcard::to_stdvec(&Extremes { min: 1, max: 1, sum: 1 }).unwrap();
        V2Serializer::new().serialize(&wide, &mut bytes).unwrap();
        assert_eq!(
            Distribution::from_bytes(&bytes),
            Err(LatencyError::Histogram("it has other bounds".into()))
        );
    }
}
