//! The schedule on a fake clock: a model lives through days in no time, and what was sent is told.

use super::*;
use crate::config::{ColdAfter, Lead, Probe, Target};
use crate::heartbeat::{Certainty, Evidence, Heartbeat, Outcome};
use crate::hours::grammar::Open;
use crate::hours::zone::Zones;
use crate::hours::{ActiveHours, Part};
use crate::journal::{Entry, What};
use proptest::prelude::*;

fn hours(windows: &[&str]) -> ActiveHours {
    let zone = Zones::built_in().get("UTC").unwrap();
    let open: Vec<Open> = windows.iter().map(|window| window.parse().unwrap()).collect();
    ActiveHours::new(zone.clone(), vec![Part { zone, open, closed: Vec::new() }], Vec::new())
}

fn model(name: &str, windows: &[&str], interval_s: u64) -> Model {
    Model {
        name: name.parse().unwrap(),
        target: Target::Deployment { owner: "acme".to_owned(), name: name.to_owned() },
        hours: hours(windows),
        timezone: "UTC".to_owned(),
        interval: Duration::from_secs(interval_s),
        timeout: Duration::from_mins(10),
        lead: Lead::Auto,
        cold_after: ColdAfter::Auto,
        calibrate: true,
        probe: Probe::Predict,
        input: serde_json::Map::new(),
        enabled: true,
        token: None,
    }
}

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-{text}Z").parse().unwrap()
}

/// A model that lives on a fake clock; every heartbeat ends `latency` after it was sent.
struct Life {
    model: Model,
    known: Known,
    cursor: Cursor,
    now: DateTime<Utc>,
    latency: TimeDelta,
    outcome: Outcome,
    /// Of those whose outcome is that.
    rejection: Rejection,
    /// Due, and sent.
    sent: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Life {
    fn start(model: Model, now: DateTime<Utc>) -> Self {
        let known = Known::default();
        let cursor = Cursor { dealt: now, wanted: want(&model, &known, now) };
        let latency = TimeDelta::milliseconds(400);
        let (outcome, rejection) = (Outcome::Warm, Rejection::Input);
        Self { model, known, cursor, now, latency, outcome, rejection, sent: Vec::new() }
    }

    fn plan(&self) -> Plan {
        plan(&self.model, &self.known, &Live::default(), &self.cursor, self.now)
    }

    /// Lives on until then, as the engine would.
    fn until(&mut self, end: DateTime<Utc>) -> &mut Self {
        for _ in 0..1_000_000 {
            let plan = self.plan();
            if !plan.active {
                self.cursor.wanted = None;
            }
            match plan.due {
                Some(due) if due <= self.now => self.beat(due),
                due => {
                    let next = [due, plan.look_again_at].into_iter().flatten().min().unwrap_or(end).min(end);
                    assert!(next > self.now, "a plan that never comes to pass: {plan:?}");
                    self.now = next;
                }
            }
            if self.now >= end {
                return self;
            }
        }
        panic!("no end to it")
    }

    fn beat(&mut self, due_at: DateTime<Utc>) {
        self.sent.push((due_at, self.now));
        self.cursor = Cursor { dealt: self.now, wanted: None };
        let done_at = self.now + self.latency;
        let heartbeat = Heartbeat {
            due_at,
            sent_at: self.now,
            done_at,
            outcome: self.outcome,
            evidence: Some(Evidence::QueueWait),
            certainty: Certainty::FULL,
            total: None,
            wait: None,
            predict: None,
            error: None,
            rejection: (self.outcome == Outcome::Rejected).then_some(self.rejection),
        };
        let what = What::Heartbeat { heartbeat, in_hours: true };
        self.known.apply(&Entry { model: self.model.name.clone(), at: done_at, what });
        self.now = done_at;
    }

    fn dues(&self) -> Vec<DateTime<Utc>> {
        self.sent.iter().map(|(due, _)| *due).collect()
    }
}

#[test]
fn dues_lie_on_a_grid_that_does_not_drift() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:07.3"));
    life.until(at("21T12:00:00"));
    let dues = life.dues();
    assert_eq!(dues[0], at("20T12:00:07.3"), "one at once");
    for pair in dues[1..].windows(2) {
        assert_eq!(pair[1] - pair[0], TimeDelta::seconds(30));
    }
    assert!((2880..=2882).contains(&dues.len()), "{}", dues.len());
}

#[test]
fn neither_a_restart_nor_a_reload_shifts_the_grid() {
    let first =
        Life::start(model("llama", &["always"], 30), at("20T12:00:07")).until(at("20T13:00:00")).dues();
    let second =
        Life::start(model("llama", &["always"], 30), at("20T14:22:51")).until(at("20T15:00:00")).dues();
    let phase = |due: DateTime<Utc>| due.timestamp_millis().rem_euclid(30_000);
    assert_eq!(phase(first[1]), phase(second[1]));
}

#[test]
fn models_of_one_interval_spread_out() {
    let mut phases: Vec<i64> = (0..100)
        .map(|number| {
            let name = format!("model-{number}").parse().unwrap();
            grid::after(&name, Duration::from_secs(30), at("20T12:00:00")).timestamp_millis() % 30_000
        })
        .collect();
    phases.sort_unstable();
    for third in 0..3 {
        let within =
            phases.iter().filter(|phase| (third * 10_000..(third + 1) * 10_000).contains(*phase)).count();
        assert!((18..=50).contains(&within), "{within} of 100 in one third of the interval");
    }
    phases.dedup();
    assert!(phases.len() > 90);
}

#[test]
fn heartbeats_begin_a_lead_before_the_opening_and_end_with_the_hours() {
    let mut life = Life::start(model("llama", &["08:00-20:00"], 30), at("20T03:00:00"));
    assert_eq!(life.plan().due, Some(at("20T07:59:00")));
    assert!(!life.plan().active);
    life.until(at("20T23:00:00"));
    let dues = life.dues();
    assert_eq!(dues[0], at("20T07:59:00"));
    assert!(*dues.last().unwrap() < at("20T20:00:00"));
    assert!(*dues.last().unwrap() >= at("20T19:59:30"));
    assert_eq!(life.plan().due, Some(at("21T07:59:00")));
}

#[test]
fn the_lead_follows_the_longest_boot_between_a_minute_and_a_quarter_of_an_hour() {
    let mut life = Life::start(model("llama", &["08:00-20:00"], 30), at("20T03:00:00"));
    for (boot_s, lead_s) in [(10, 60), (100, 150), (3_000, 900)] {
        let what = What::Boot { took: Some(Duration::from_secs(boot_s)) };
        life.known.apply(&Entry { model: life.model.name.clone(), at: life.now, what });
        assert_eq!(life.plan().due, Some(at("20T08:00:00") - TimeDelta::seconds(lead_s)));
    }
}

#[test]
fn a_break_shorter_than_the_lead_is_kept_warm_through_at_the_same_pace() {
    let mut life = Life::start(model("llama", &["08:00-12:00", "12:01-20:00"], 30), at("20T03:00:00"));
    let what = What::Boot { took: Some(Duration::from_secs(100)) };
    life.known.apply(&Entry { model: life.model.name.clone(), at: life.now, what });
    life.until(at("20T13:00:00"));
    for pair in life.dues()[1..].windows(2) {
        assert_eq!(pair[1] - pair[0], TimeDelta::seconds(30), "{pair:?}");
    }
}

#[test]
fn a_long_interval_still_warms_before_the_opening() {
    let mut life = Life::start(model("llama", &["08:00-20:00"], 3_600), at("20T03:00:00"));
    life.until(at("20T12:00:00"));
    assert_eq!(life.dues()[0], at("20T07:59:00"));
}

#[test]
fn a_start_sends_none_if_the_last_one_ended_less_than_an_interval_ago() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
    life.until(at("20T12:10:00"));
    let (last, _) = *life.sent.last().unwrap();
    let (model, known, now) = (life.model, life.known, last + TimeDelta::seconds(10));
    assert_eq!(want(&model, &known, now), None);
    let cursor = Cursor { dealt: now, wanted: None };
    let next = plan(&model, &known, &Live::default(), &cursor, now).due;
    assert_eq!(next, Some(last + TimeDelta::seconds(30)));
    assert_eq!(want(&model, &known, last + TimeDelta::seconds(31)), Some(last + TimeDelta::seconds(31)));
}

#[test]
fn a_late_wake_up_sends_one_and_not_the_missed_ones() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
    life.until(at("20T12:10:00"));
    let before = life.sent.len();
    life.now = at("20T13:10:10");
    life.until(at("20T13:10:11"));
    assert_eq!(life.sent.len(), before + 1);
    let (due, sent) = *life.sent.last().unwrap();
    assert!(sent - due < TimeDelta::seconds(30), "due when the last of the missed ones was");
}

#[test]
fn timed_out_models_back_off_doubling_up_to_five_minutes() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
    life.outcome = Outcome::TimedOut;
    life.until(at("20T14:00:00"));
    let gaps: Vec<i64> = life.dues().windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).collect();
    assert!(gaps[0] <= 60 && gaps[2] > gaps[0] && gaps[3] > gaps[2], "{gaps:?}");
    assert!(gaps.iter().skip(5).all(|gap| (225..=330).contains(gap)), "{gaps:?}");
    life.outcome = Outcome::Warm;
    life.until(at("20T15:00:00"));
    let dues = life.dues();
    assert_eq!(dues[dues.len() - 1] - dues[dues.len() - 2], TimeDelta::seconds(30));
}

#[test]
fn an_unreachable_cog_server_is_tried_every_half_minute() {
    let mut cog = model("cog", &["always"], 5);
    cog.target = Target::Cog { base: "http://127.0.0.1:5000".parse().unwrap() };
    let mut life = Life::start(cog, at("20T12:00:00"));
    life.outcome = Outcome::Unreachable;
    life.until(at("20T13:00:00"));
    let gaps: Vec<i64> = life.dues().windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).collect();
    assert!(gaps.iter().all(|gap| *gap <= 36), "{gaps:?}");
    assert!(gaps.iter().skip(6).all(|gap| *gap >= 20), "{gaps:?}");
}

#[test]
fn each_lead_in_begins_anew_after_failures() {
    let mut life = Life::start(model("llama", &["08:00-20:00"], 30), at("20T12:00:00"));
    life.outcome = Outcome::TimedOut;
    life.until(at("21T03:00:00"));
    let before = life.sent.len();
    life.until(at("21T08:01:00"));
    let dues = &life.dues()[before..];
    assert_eq!(dues[0], at("21T07:59:00"));
    assert!(dues[1] - dues[0] <= TimeDelta::seconds(60), "{dues:?}");
}

#[test]
fn hours_closed_for_less_than_the_lead_are_bridged_on_the_grid() {
    let mut short = model("llama", &["08:00-12:00", "12:05-20:00"], 30);
    short.lead = Lead::Fixed(Duration::from_mins(10));
    let mut life = Life::start(short, at("20T11:00:00"));
    life.until(at("20T13:00:00"));
    for pair in life.dues()[1..].windows(2) {
        assert_eq!(pair[1] - pair[0], TimeDelta::seconds(30), "{pair:?}");
    }
}

#[test]
fn a_time_out_of_many_intervals_still_backs_off() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
    (life.outcome, life.latency) = (Outcome::TimedOut, TimeDelta::minutes(10));
    life.until(at("20T18:00:00"));
    let pauses = life.sent.windows(2).map(|pair| pair[1].1 - pair[0].1 - life.latency);
    let pauses: Vec<i64> = pauses.map(|pause| pause.num_seconds()).collect();
    assert!(pauses[0] <= 60 && pauses.iter().skip(5).all(|pause| (195..=330).contains(pause)), "{pauses:?}");
}

#[test]
fn a_refused_token_is_its_accounts_matter_or_looked_at_again_by_the_quarter() {
    let token = |target: Target| {
        let mut life = Life::start(Model { target, ..model("m", &["always"], 30) }, at("20T12:00:00"));
        (life.outcome, life.rejection) = (Outcome::Rejected, Rejection::Token);
        life.until(at("20T13:00:00")).sent.len()
    };
    let cog = Target::Cog { base: "http://127.0.0.1:5000".parse().unwrap() };
    assert!((5..=6).contains(&token(cog)), "once more after half a minute");
    let deployment = Target::Deployment { owner: "acme".to_owned(), name: "m".to_owned() };
    assert!(token(deployment) >= 120, "nothing holds it that its account does not");
}

#[test]
fn a_model_that_runs_and_fails_keeps_its_rhythm() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
    life.outcome = Outcome::Failed;
    life.until(at("20T13:00:00"));
    assert!(life.sent.len() >= 120);
}

#[test]
fn a_rejected_model_is_looked_at_again_by_the_hour() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
    life.outcome = Outcome::Rejected;
    life.until(at("20T18:00:00"));
    assert!((6..=7).contains(&life.sent.len()), "{:?}", life.dues());
    assert!(want(&life.model, &life.known, life.now).is_some(), "and at once where it is asked for");
}

/// Seconds between the looks at a model that has answered, and is refused from then on; whether it is
/// blocked after each.
fn refused_after_an_answer(interval_s: u64, rejection: Rejection, target: Target) -> (Vec<i64>, Vec<bool>) {
    let mut life = Life::start(Model { target, ..model("m", &["always"], interval_s) }, at("20T12:00:00"));
    life.until(at("20T12:00:01") + TimeDelta::seconds(interval_s.cast_signed() * 3));
    (life.outcome, life.rejection) = (Outcome::Rejected, rejection);
    let (before, mut blocked) = (life.sent.len(), Vec::new());
    while life.now < at("20T22:00:00") {
        let sent = life.sent.len();
        let due = life.plan().due.unwrap();
        life.until(due + TimeDelta::milliseconds(1));
        blocked.extend((life.sent.len() > sent).then(|| life.known.is_blocked()));
    }
    let dues = &life.dues()[before..];
    (dues.windows(2).map(|pair| (pair[1] - pair[0]).num_seconds()).collect(), blocked)
}

#[test]
fn one_refusal_of_a_model_that_has_answered_is_no_verdict() {
    for rejection in [Rejection::Model, Rejection::Input] {
        let cog = Target::Cog { base: "http://127.0.0.1:5000".parse().unwrap() };
        let deployment = Target::Deployment { owner: "acme".to_owned(), name: "m".to_owned() };
        for target in [cog, deployment] {
            for interval in [10, 30, 45, 50, 59, 60] {
                let (pauses, blocked) = refused_after_an_answer(interval, rejection, target.clone());
                let step = interval.cast_signed();
                let within = |pause: i64| pause / step * step;
                assert_eq!(
                    pauses[..6],
                    [step, within(60), within(120), within(300), within(900), within(3_600)],
                    "every {interval} s"
                );
                assert!(pauses[6..].iter().all(|pause| *pause == within(3_600)), "{pauses:?}");
                assert!(pauses[0] + pauses[1] <= 120, "the third comes within two minutes: {pauses:?}");
                assert_eq!(blocked[..4], [false, false, true, true], "every {interval} s");
            }
            // A long interval is never shortened.
            let (pauses, blocked) = refused_after_an_answer(600, rejection, target.clone());
            assert_eq!(pauses[..6], [600, 600, 600, 600, 600, 3_600]);
            assert_eq!(blocked[..3], [false, false, true]);
            // The refusals of the first ten seconds are one.
            let (pauses, blocked) = refused_after_an_answer(1, rejection, target.clone());
            assert_eq!(pauses[..13], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 60, 120, 300]);
            assert_eq!(blocked[..12], [[false; 11].as_slice(), &[true]].concat());
        }
    }
}

#[test]
fn an_answer_ends_a_row_of_refusals_and_what_says_nothing_of_the_model_does_not() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
    life.until(at("20T12:01:00"));
    let mut meet = |outcome| {
        life.outcome = outcome;
        life.beat(life.now);
        life.now += TimeDelta::seconds(30);
        (life.known.may_pass(), life.known.is_blocked())
    };
    assert_eq!(meet(Outcome::Rejected), (true, false));
    assert_eq!(meet(Outcome::Rejected), (true, false));
    assert_eq!(meet(Outcome::Warm), (false, false));
    assert_eq!(meet(Outcome::Rejected), (true, false));
    assert_eq!(meet(Outcome::RateLimited), (true, false));
    assert_eq!(meet(Outcome::Unreachable), (false, false));
    assert_eq!(meet(Outcome::Rejected), (true, false));
    assert_eq!(meet(Outcome::Skipped), (true, false));
    assert_eq!(meet(Outcome::Rejected), (false, true));
    let json = serde_json::to_string(&life.known).unwrap();
    assert!(serde_json::from_str::<Known>(&json).unwrap().is_blocked(), "it is known after a restart");
    // Aimed at something else, it has not answered yet: a refusal there is a mistake in the file.
    let what = What::Aimed { at: "cog http://other".to_owned() };
    life.known.apply(&Entry { model: life.model.name.clone(), at: life.now, what });
    life.outcome = Outcome::Rejected;
    life.beat(life.now);
    assert!(life.known.is_blocked());
}

#[test]
fn a_pause_holds_and_then_frees() {
    let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
    life.until(at("20T12:05:00"));
    let what = What::Paused { until: Some(at("20T12:30:00")) };
    life.known.apply(&Entry { model: life.model.name.clone(), at: life.now, what });
    assert_eq!(life.plan().due, Some(at("20T12:30:00")));
    let what = What::Paused { until: None };
    life.known.apply(&Entry { model: life.model.name.clone(), at: life.now, what });
    assert_eq!(life.plan().due, None);
}

#[test]
fn a_clock_that_was_set_back_holds_nothing_up() {
    for outcome in [Outcome::TimedOut, Outcome::Rejected] {
        let mut life = Life::start(model("llama", &["always"], 30), at("20T12:00:00"));
        life.outcome = outcome;
        life.until(at("20T13:00:00"));
        let before = life.sent.len();
        life.now = at("20T09:00:00");
        life.cursor.dealt = life.now;
        life.until(at("20T09:01:00"));
        assert!((1..=2).contains(&(life.sent.len() - before)), "{outcome:?}: {:?}", life.dues());
    }
}

proptest! {
    #[test]
    fn within_its_hours_a_model_is_never_left_for_longer_than_an_interval(
        start in 0i64..86_400, interval in 1u64..120, from in 0u32..20, length in 1u32..4, latency in 1i64..900,
    ) {
        let window = format!("{from:02}:00-{:02}:00", from + length);
        let begin = at("20T00:00:00") + TimeDelta::seconds(start);
        let mut life = Life::start(model("any", &[&window], interval), begin);
        life.latency = TimeDelta::milliseconds(latency);
        life.until(at("21T23:59:59"));
        let opens = at("21T00:00:00") + TimeDelta::hours(i64::from(from));
        let closes = opens + TimeDelta::hours(i64::from(length));
        let dues: Vec<_> = life.dues().into_iter().filter(|due| (opens - TimeDelta::seconds(60)..closes).contains(due)).collect();
        prop_assert_eq!(dues[0], opens - TimeDelta::seconds(60));
        for pair in dues.windows(2) {
            prop_assert!(pair[1] - pair[0] <= delta(life.model.interval));
        }
        prop_assert!(closes - *dues.last().unwrap() <= delta(life.model.interval));
        let active = |due: &DateTime<Utc>| {
            let day = *due - TimeDelta::hours(i64::from(from));
            (day.timestamp() + 60).rem_euclid(86_400) < i64::from(length) * 3_600 + 60
        };
        prop_assert!(life.dues().iter().all(active));
    }
}
