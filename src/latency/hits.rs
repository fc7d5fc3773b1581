//! The buckets that were hit, as a distribution's bytes tell them: read and written without opening the others.
//!
//! A report is made of tens of thousands of these, of a hundred hits each among three thousand buckets: to have
//! the library open them all took most of the time. What it wrote itself is read here; what looks otherwise is
//! left to the library to read or to refuse.

use super::{DIGITS, Extremes, LONGEST, LatencyError, SHORTEST, buckets, micros};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// V2's header: cookie, payload length, normalising offset, digits (4 B each, big-endian), lowest,
/// highest (8 B each), ratio (8 B).
const HEADER: usize = 40;
/// V2's cookie, uncompressed.
const COOKIE: u32 = 0x1c84_9313;
/// The beginning of the least number that V2 can write.
const LEAST: [u8; 8] = [0xff; 8];
/// Seven bits a byte: no count, and no gap, is written in more bytes than this.
const LONGEST_NUMBER: u32 = 5;

/// A distribution's buckets as far as they were hit.
#[derive(Debug, Default)]
pub(super) struct Hits {
    /// Bucket and count; the buckets rise, no count is nought.
    pub(super) buckets: Vec<(u16, u32)>,
}

impl Hits {
    /// How many durations they are.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// Takes those that are told in `bytes` in place of its own.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Extremes, LatencyError> {
        let (extremes, v2) =
            postcard::take_from_bytes::<Extremes>(bytes).map_err(|_| LatencyError::Extremes)?;
        if self.walk(v2).is_none() {
            self.ask_the_library(v2)?;
        }
        if self.buckets.is_empty() || extremes.min > extremes.max {
            return Err(broken("it contradicts itself"));
        }
        Ok(extremes)
    }

    /// The bytes of what has these hits, of which there is one at least.
    pub(super) fn write(&self, extremes: &Extremes) -> Vec<u8> {
        let mut bytes = postcard::to_stdvec(extremes).expect("three integers");
        let start = bytes.len();
        bytes.extend(header(0));
        let mut next = 0;
        for &(bucket, count) in &self.buckets {
            match bucket - next {
                0 => {}
                1 => bytes.push(0),
                // One less than none is an odd number in the zigzag of V2.
                gap => push(&mut bytes, 2 * u64::from(gap) - 1),
            }
            push(&mut bytes, 2 * u64::from(count));
            next = bucket + 1;
        }
        let payload = bytes.len() - start - HEADER;
        bytes[start..start + HEADER].copy_from_slice(&header(payload));
        bytes
    }

    /// The library's histogram of these.
    pub(super) fn histogram(&self) -> Histogram<u32> {
        let mut histogram = Histogram::new_with_bounds(micros(SHORTEST), micros(LONGEST), DIGITS)
            .expect("constants, in order, with one to five digits");
        for &(bucket, count) in &self.buckets {
            histogram.saturating_record_n(buckets::least(bucket.into()), count);
        }
        histogram
    }

    /// Reads what was written as [`Self::write`] does; of anything else there is none.
    fn walk(&mut self, v2: &[u8]) -> Option<()> {
        self.buckets.clear();
        let (head, payload) = v2.split_first_chunk::<HEADER>()?;
        if *head != header(payload.len()) {
            return None;
        }
        let (mut bucket, mut bytes) = (0_usize, payload.iter());
        while let Some(&first) = bytes.next() {
            let mut number = u64::from(first & 0x7f);
            let (mut byte, mut at) = (first, 1);
            while byte >= 0x80 {
                if at == LONGEST_NUMBER {
                    return None;
                }
                byte = *bytes.next()?;
                number |= u64::from(byte & 0x7f) << (7 * at);
                at += 1;
            }
            let half = number >> 1;
            if number & 1 == 1 {
                bucket = bucket.saturating_add(half as usize + 1);
                continue;
            }
            if half > 0 {
                let within = u16::try_from(bucket).ok().filter(|_| bucket < buckets::COUNT)?;
                self.buckets.push((within, u32::try_from(half).ok()?));
            }
            bucket += 1;
        }
        Some(())
    }

    fn ask_the_library(&mut self, v2: &[u8]) -> Result<(), LatencyError> {
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
        let histogram: Histogram<u32> =
            Deserializer::new().deserialize(&mut &*v2).map_err(|e| broken(&e.to_string()))?;
        let hit = histogram.iter_recorded();
        self.buckets =
            hit.map(|hit| (buckets::index(hit.value_iterated_to()) as u16, hit.count_at_value())).collect();
        Ok(())
    }
}

/// V2's header over a payload of so many bytes.
fn header(payload: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&COOKIE.to_be_bytes());
    header[4..8].copy_from_slice(&(payload as u32).to_be_bytes());
    header[12..16].copy_from_slice(&u32::from(DIGITS).to_be_bytes());
    header[16..24].copy_from_slice(&micros(SHORTEST).to_be_bytes());
    header[24..32].copy_from_slice(&micros(LONGEST).to_be_bytes());
    header[32..].copy_from_slice(&1_f64.to_be_bytes());
    header
}

/// Adds a number, seven bits a byte, the lowest first.
fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn broken(why: &str) -> LatencyError {
    LatencyError::Histogram(why.to_owned())
}

#[cfg(test)]
mod tests;
