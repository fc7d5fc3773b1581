//! Models whose truth is known: how they queue, how they boot, what evicts them.

use fastrand::Rng;

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;

/// A model, and how it is kept warm.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Whether the waits alone tell boots from queues; if not, why.
    pub(crate) separable: Result<(), &'static str>,
    /// The share of verdicts that must be right: at once, and in hindsight where the scenario is separable.
    pub(crate) goals: (f64, f64),
    /// From one heartbeat to the next, in seconds, as all times here.
    pub(crate) interval: f64,
    pub(crate) lasts: f64,
    /// Without a request for so long it is stopped.
    pub(crate) idle: f64,
    /// The share of heartbeats before which it was stopped for other reasons.
    pub(crate) evicted: f64,
    /// The wait in the queue, at a time.
    pub(crate) warm: fn(&mut Rng, f64) -> f64,
    /// The wait for a boot, at a time.
    pub(crate) boot: fn(&mut Rng, f64) -> f64,
    /// Whether it is kept warm at a time.
    pub(crate) open: fn(f64) -> bool,
}

impl Scenario {
    fn new(name: &'static str, warm: fn(&mut Rng, f64) -> f64, boot: fn(&mut Rng, f64) -> f64) -> Self {
        let (idle, evicted) = (60.0, 0.04);
        Self {
            name,
            separable: Ok(()),
            goals: (0.98, 0.99),
            interval: 1.0,
            lasts: 120.0,
            idle,
            evicted,
            warm,
            boot,
            open: |_| true,
        }
    }

    /// Stopped without a request for so many seconds, and before such a share of heartbeats.
    fn stops(self, idle: f64, evicted: f64) -> Self {
        Self { idle, evicted, ..self }
    }

    fn runs(self, interval: f64, lasts: f64) -> Self {
        Self { interval, lasts, ..self }
    }

    fn open(self, open: fn(f64) -> bool) -> Self {
        Self { open, ..self }
    }

    fn must_reach(self, at_once: f64, in_hindsight: f64) -> Self {
        Self { goals: (at_once, in_hindsight), ..self }
    }

    fn inseparable(self, why: &'static str) -> Self {
        Self { separable: Err(why), ..self }
    }
}

fn log_normal(rng: &mut Rng, median: f64, spread: f64) -> f64 {
    let angle = std::f64::consts::TAU * rng.f64();
    let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * angle.cos();
    median * (spread * normal).exp()
}

fn between(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from + (to - from) * rng.f64()
}

fn quick(rng: &mut Rng, _: f64) -> f64 {
    log_normal(rng, 0.05, 0.5)
}

fn usual_boot(rng: &mut Rng, _: f64) -> f64 {
    between(rng, 8.0, 20.0)
}

/// The scenarios. The first six are those of `tests/daemon/judge.rs`, which run through real sockets.
pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("quick queue, boots 2-5 s", quick, |rng, _| between(rng, 2.0, 5.0)),
        Scenario::new("quick queue, boots 1-2.4 s", quick, |rng, _| between(rng, 1.0, 2.4)),
        Scenario::new(
            "slow queue (p99 2.3 s), boots 5-12 s",
            |rng, _| log_normal(rng, 0.37, 0.785),
            |rng, _| between(rng, 5.0, 12.0),
        ),
        Scenario::new("restored in 1.5-2 s, 1 % evicted", quick, |rng, _| between(rng, 1.5, 2.0))
            .stops(60.0, 0.01),
        Scenario::new("always cold, boots 1-2 s", quick, |rng, _| between(rng, 1.0, 2.0))
            .stops(0.5, 0.0)
            .runs(3.0, 120.0)
            .must_reach(0.8, 0.99),
        Scenario::new("never cold, slow queue (p99 5 s)", |rng, _| log_normal(rng, 1.0, 0.69), usual_boot)
            .stops(f64::MAX, 0.0)
            .must_reach(0.98, 0.98),
        Scenario::new("always cold, boots 8-20 s", |rng, _| log_normal(rng, 0.14, 0.5), usual_boot)
            .stops(10.0, 0.0)
            .runs(30.0, 4.0 * HOUR),
        Scenario::new(
            "medium queue, boots 3-6 s, 10 % evicted",
            |rng, _| log_normal(rng, 0.22, 0.6),
            |rng, _| between(rng, 3.0, 6.0),
        )
        .stops(60.0, 0.1),
        Scenario::new("boots of 2 s and of 20 s", quick, |rng, _| {
            if rng.bool() { between(rng, 1.7, 2.5) } else { between(rng, 15.0, 25.0) }
        })
        .runs(30.0, DAY),
        Scenario::new(
            "queue 0.05 to 0.5 s, boots 20 to 6 s in two days",
            |rng, at| log_normal(rng, 0.05 * 10_f64.powf(at / (2.0 * DAY)), 0.4),
            |rng, at| between(rng, 0.8, 1.2) * 20.0 * 0.3_f64.powf(at / (2.0 * DAY)),
        )
        .stops(60.0, 0.02)
        .runs(30.0, 2.0 * DAY),
        Scenario::new("0.2 % evicted, a week", quick, |rng, _| between(rng, 3.0, 12.0))
            .stops(60.0, 0.002)
            .runs(30.0, 7.0 * DAY),
        Scenario::new(
            "0.2 % evicted, a week, slow queue, boots 6-12 s",
            |rng, _| log_normal(rng, 0.37, 0.6),
            |rng, _| between(rng, 6.0, 12.0),
        )
        .stops(60.0, 0.002)
        .runs(30.0, 7.0 * DAY),
        Scenario::new(
            "bursts: 5 % of waits 3-6 s, 10 min of 3 h",
            |rng, at| {
                let burst = at % (3.0 * HOUR) < 600.0 && rng.f64() < 0.05;
                if burst { between(rng, 3.0, 6.0) } else { log_normal(rng, 0.08, 0.5) }
            },
            |rng, _| between(rng, 10.0, 30.0),
        )
        .stops(60.0, 0.01)
        .runs(30.0, DAY),
        Scenario::new(
            "boots twice the slow end of the queue",
            |rng, _| log_normal(rng, 0.3, 0.5).min(1.2),
            |rng, _| between(rng, 2.0, 2.6),
        )
        .stops(60.0, 0.05)
        .runs(30.0, DAY),
        Scenario::new(
            "the queue is six times as slow for an hour",
            |rng, at| {
                let slow = (5.0 * HOUR..6.0 * HOUR).contains(&(at % DAY));
                log_normal(rng, if slow { 0.6 } else { 0.1 }, 0.5)
            },
            usual_boot,
        )
        .stops(60.0, 0.01)
        .runs(30.0, DAY),
        Scenario::new("boots of 20 s become 2 s", quick, |rng, at| {
            if at < DAY { between(rng, 15.0, 25.0) } else { between(rng, 1.6, 2.4) }
        })
        .stops(60.0, 0.02)
        .runs(30.0, 2.0 * DAY),
        Scenario::new("boots of 2 s become 20 s, half of all are cold", quick, |rng, at| {
            if at < DAY { between(rng, 1.6, 2.4) } else { between(rng, 15.0, 25.0) }
        })
        .stops(60.0, 0.5)
        .runs(30.0, 2.0 * DAY),
        Scenario::new(
            "a region adds 100 ms",
            |rng, at| log_normal(rng, 0.05, 0.5) + if at < DAY { 0.0 } else { 0.1 },
            |rng, _| between(rng, 2.0, 5.0),
        )
        .stops(60.0, 0.02)
        .runs(30.0, 2.0 * DAY),
        Scenario::new("every 5 min, stopped after 3 min", quick, |rng, _| between(rng, 3.0, 6.0))
            .stops(180.0, 0.0)
            .runs(300.0, 2.0 * DAY),
        Scenario::new("every 5 min, 2 % evicted", |rng, _| log_normal(rng, 0.15, 0.6), usual_boot)
            .stops(600.0, 0.02)
            .runs(300.0, 7.0 * DAY),
        Scenario::new(
            "closed at night",
            |rng, _| log_normal(rng, 0.15, 0.5),
            |rng, _| between(rng, 2.0, 5.0),
        )
        .stops(120.0, 0.002)
        .runs(30.0, 7.0 * DAY)
        .open(|at| at % DAY < 10.0 * HOUR),
        Scenario::new(
            "boots within the queue (p99 3 s, boots 1-3 s)",
            |rng, _| log_normal(rng, 0.5, 0.77),
            |rng, _| between(rng, 1.0, 3.0),
        )
        .runs(30.0, DAY)
        .inseparable("a fifth of the warm waits are as long as a boot"),
        Scenario::new(
            "heaps that overlap (0.4 s and 2.5 s, 5 % evicted)",
            |rng, _| log_normal(rng, 0.4, 0.6),
            |rng, _| log_normal(rng, 2.5, 0.5),
        )
        .stops(60.0, 0.05)
        .runs(30.0, DAY)
        .inseparable("a tenth of the boots are as short as the slow end of the queue"),
        Scenario::new(
            "1 % of warm waits are 8-20 s, as boots are",
            |rng, _| if rng.f64() < 0.01 { between(rng, 8.0, 20.0) } else { log_normal(rng, 0.05, 0.5) },
            usual_boot,
        )
        .runs(30.0, DAY)
        .stops(60.0, 0.01)
        .inseparable("the waits are the same"),
    ]
}
