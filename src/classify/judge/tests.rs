use super::*;
use proptest::prelude::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A judge of a model whose warm waits lie around `warm` seconds, and whose boots take `boot`: one in 20 is cold.
fn of(warm: f64, boot: f64) -> Judge {
    let mut judge = Judge::default();
    for round in 0..200 {
        let around = 0.7 + 0.6 * f64::from(round % 10) / 9.0;
        let wait = around * if round % 20 == 0 { boot } else { warm };
        judge.learn(seconds(wait), if round == 0 { Before::Unknown } else { Before::Recent });
    }
    judge
}

#[test]
fn before_anything_is_known_the_priors_judge() {
    let judge = Judge::default();
    assert!(judge.cold(seconds(0.3), Before::Unknown) < 0.05);
    assert!(judge.cold(seconds(8.0), Before::Recent) > 0.95);
    // As the documents have it.
    assert!(
        (2.25..2.35).contains(&judge.even(Before::Recent).as_secs_f64()),
        "{:?}",
        judge.even(Before::Recent)
    );
}

#[test]
fn what_came_before_counts() {
    let judge = Judge::default();
    let wait = seconds(2.0);
    let [after, recent, unknown] =
        [Before::Answer, Before::Recent, Before::Unknown].map(|before| judge.cold(wait, before));
    assert!(after < 0.1 && after < recent && recent < unknown && unknown > 0.9, "{after} {recent} {unknown}");
    assert_eq!(Before::since(None), Before::Unknown);
    assert_eq!(Before::since(Some(RECENT_GAP)), Before::Recent);
    assert_eq!(Before::since(Some(RECENT_GAP * 2)), Before::Unknown);
}

#[test]
fn a_short_wait_is_never_a_boot() {
    let judge = of(0.021, 0.45);
    assert_eq!(judge.cold(seconds(0.499), Before::Unknown), 0.0);
    assert!(judge.even(Before::Recent) >= FLOOR);
}

#[test]
fn one_short_boot_among_thirty_quick_answers_is_a_boot() {
    let mut judge = Judge::default();
    for round in 0..30 {
        judge.learn(seconds(0.05), Before::Recent);
        if round < 3 {
            judge.learn(seconds(0.05), Before::Answer);
        }
    }
    assert!(
        judge.cold(seconds(2.23), Before::Recent) > 0.95,
        "{}",
        judge.cold(seconds(2.23), Before::Recent)
    );
}

#[test]
fn calibrations_show_that_a_model_is_always_cold() {
    let mut judge = Judge::default();
    for round in 0..20 {
        let before = if round == 0 { Before::Unknown } else { Before::Recent };
        judge.learn(seconds(1.2 + 0.04 * f64::from(round)), before);
        if round < 3 {
            judge.learn(seconds(0.05), Before::Answer);
        }
    }
    for wait in [1.2, 1.5, 2.0] {
        assert!(judge.cold(seconds(wait), Before::Recent) > 0.9, "{wait}");
    }
}

#[test]
fn a_slow_queue_is_no_boot() {
    let judge = of(1.0, 12.0);
    assert!(judge.cold(seconds(2.5), Before::Recent) < 0.5, "{}", judge.cold(seconds(2.5), Before::Recent));
    assert!(judge.cold(seconds(12.0), Before::Recent) > 0.9);
}

#[test]
fn a_model_that_changes_is_learned_anew() {
    let mut judge = of(0.05, 20.0);
    for round in 0..300 {
        judge.learn(seconds(if round % 20 == 0 { 2.0 } else { 0.2 }), Before::Recent);
    }
    assert!(judge.cold(seconds(2.0), Before::Recent) > 0.9);
    assert!(judge.cold(seconds(0.3), Before::Recent) < 0.1);
}

#[test]
fn a_longer_wait_is_no_less_a_boot() {
    for (warm, boot) in [(0.05, 1.7), (0.05, 10.0), (0.5, 8.0)] {
        let mut judge = of(warm, boot);
        for round in 0..1_000 {
            judge.learn(seconds(boot * (0.9 + 0.02 * f64::from(round % 10))), Before::Recent);
        }
        for times in [1.0, 2.0, 5.0, 20.0, 100.0] {
            let cold = judge.cold(seconds(boot * times), Before::Recent);
            assert!(cold > 0.99, "{warm}, {boot}, {times}: {cold}");
        }
    }
}

#[test]
fn a_model_that_is_always_cold_is_recognised_without_calibration_too() {
    let mut judge = Judge::default();
    for round in 0..100 {
        judge.learn(seconds(1.2 + 0.08 * f64::from(round % 10)), Before::Recent);
    }
    assert!(judge.cold(seconds(1.5), Before::Recent) > 0.9, "{}", judge.cold(seconds(1.5), Before::Recent));
}

#[test]
fn it_survives_a_restart_and_a_damaged_file() {
    let judge = of(0.2, 5.0);
    let json = serde_json::to_string(&judge).unwrap();
    assert_eq!(serde_json::from_str::<Judge>(&json).unwrap(), judge);
    assert_eq!(serde_json::from_str::<Judge>("{}").unwrap(), Judge::default());
    let damaged = r#"{"recent":[-1.0,3.0],"unknown":[1e30]}"#;
    assert_eq!(serde_json::from_str::<Judge>(damaged).unwrap(), Judge::default());
    assert!(serde_json::from_str::<Judge>(r#"{"fit":{"warm":[0.0,0.0,4.0]}}"#).is_err());
}

proptest! {
    #[test]
    fn any_two_heaps_that_are_apart_are_told_apart(
        warm in 0.03f64..1.0, ratio in 6.0f64..40.0,
    ) {
        let boot = (warm * ratio).max(1.0);
        let judge = of(warm, boot);
        prop_assert!(judge.cold(seconds(warm), Before::Recent) < 0.1);
        prop_assert!(judge.cold(seconds(boot), Before::Recent) > 0.9);
        let even = judge.even(Before::Recent).as_secs_f64();
        prop_assert!(even > warm && even < boot, "{even}");
    }

    #[test]
    fn whatever_it_learns_it_answers_with_a_probability(
        waits in prop::collection::vec((0.0f64..5000.0, 0usize..3), 0..200), asked in 0.0f64..5000.0,
    ) {
        let mut judge = Judge::default();
        for (wait, before) in waits {
            judge.learn(seconds(wait), [Before::Answer, Before::Recent, Before::Unknown][before]);
        }
        for before in [Before::Answer, Before::Recent, Before::Unknown] {
            let cold = judge.cold(seconds(asked), before);
            prop_assert!((0.0..=1.0).contains(&cold), "{cold}");
        }
        prop_assert!(judge.even(Before::Recent) >= FLOOR && judge.even(Before::Recent) <= Duration::from_hours(1));
    }
}
