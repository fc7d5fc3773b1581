use super::*;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2Serializer;
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
    assert_eq!(Distribution::from_bytes(&bytes), Err(LatencyError::Histogram("it has other bounds".into())));
}

#[test]
fn what_is_kept_is_small_and_tells_the_same() {
    let mut many = of(&(0..1_000).map(|i| Duration::from_micros(400_000 + i)).collect::<Vec<_>>());
    let before = many.clone();
    many.compact();
    assert!(many.fresh.is_empty() && many.sorted.len() < 250, "{} bytes", many.sorted.len());
    assert_eq!(many, before);
    let mut few = of(&[Duration::from_secs(1); FEW]);
    few.compact();
    assert_eq!(few.fresh.len(), FEW, "these take no more as they are");
}
