//! The grid of dues: phase + k × interval, counted from the Unix epoch.

use crate::config::value::ModelName;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// The first due after `instant`.
pub fn after(name: &ModelName, interval: Duration, instant: DateTime<Utc>) -> DateTime<Utc> {
    at_or_before(name, interval, instant) + millis(interval)
}

/// The last due at or before `instant`.
pub fn at_or_before(name: &ModelName, interval: Duration, instant: DateTime<Utc>) -> DateTime<Utc> {
    let step = millis(interval).num_milliseconds().max(1);
    let since_due = (instant.timestamp_millis() - phase(name, interval)).rem_euclid(step);
    // Whole milliseconds: what lies under them in `instant` is cut off first.
    let whole = DateTime::from_timestamp_millis(instant.timestamp_millis()).unwrap_or(instant);
    whole - TimeDelta::milliseconds(since_due)
}

/// Where in its interval a model's dues lie, in milliseconds: a fixed function of its name.
fn phase(name: &ModelName, interval: Duration) -> i64 {
    (fraction(name.as_str()) * interval.as_millis() as f64) as i64
}

/// A number in `0..1` that looks random and is always the same for the same text, on every machine
/// and in every release: FNV-1a with 64 bits, its bits mixed once more (the finaliser of
/// `MurmurHash3`), since short names differ in their last letters.
pub fn fraction(text: &str) -> f64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^= mixed >> 33;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn millis(interval: Duration) -> TimeDelta {
    TimeDelta::milliseconds(i64::try_from(interval.as_millis()).unwrap_or(i64::MAX))
}
