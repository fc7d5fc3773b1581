//! What a heartbeat adds to the journal, and what the journal makes of a model. All on a fake clock.

use super::digest::{accounted, digest, unvouched};
use super::standing::standing;
use super::*;
use crate::config::{Probe, Target};
use crate::heartbeat::{Answer, Evidence, Limits, Observation, Order, Setup, Signs};
use crate::hours::grammar::Open;
use crate::hours::zone::Zones;
use crate::hours::{ActiveHours, Part};
use crate::journal::Spent;
use std::sync::Arc;

fn model(windows: &[&str], interval_s: u64) -> Arc<Model> {
    let zone = Zones::built_in().get("UTC").unwrap();
    let open: Vec<Open> = windows.iter().map(|window| window.parse().unwrap()).collect();
    let part = Part { zone: zone.clone(), open, closed: Vec::new() };
    Arc::new(Model {
        name: "llama".parse().unwrap(),
        target: Target::Cog { base: "http://127.0.0.1:5000".parse().unwrap() },
        hours: ActiveHours::new(zone, vec![part], Vec::new()),
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
    })
}

fn at(seconds: f64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
    start + TimeDelta::milliseconds((seconds * 1000.0) as i64)
}

/// A model whose heartbeats are taken in one by one.
struct Story {
    model: Arc<Model>,
    known: Known,
    journal: Vec<Entry>,
}

impl Story {
    fn begin(model: Arc<Model>, now: DateTime<Utc>) -> Self {
        let mut story = Self { model, known: Known::default(), journal: Vec::new() };
        story.take([Entry { model: story.model.name.clone(), at: now, what: What::Tracked }]);
        story
    }

    fn take(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.known.apply(&entry);
            self.journal.push(entry);
        }
    }

    fn seen(&mut self, sent: f64, took: f64, answer: Answer, signs: Signs) -> Heartbeat {
        let order = Order {
            model: self.model.clone(),
            cold_after: self.known.cold_after(&self.model),
            known_setups: self.known.setups.iter().copied().collect(),
            calibrates: false,
        };
        let seen = Observation {
            sent_at: at(sent),
            done_at: at(sent + took),
            total: Duration::from_secs_f64(took),
            answer,
            signs,
            limits: Limits::default(),
        };
        let entries = digest(&self.known, &self.model, &order, at(sent), &seen);
        self.take(entries);
        self.known.last.clone().unwrap()
    }

    fn queued(&mut self, sent: f64, wait: f64) -> Heartbeat {
        let queue_wait = Some(Duration::from_secs_f64(wait));
        self.seen(sent, wait + 0.1, Answer::Succeeded, Signs { queue_wait, ..Signs::default() })
    }

    /// A prediction that ran for a tenth of a second after such a wait, and failed.
    fn ran_and_failed(&mut self, sent: f64, wait: f64) -> Heartbeat {
        let signs = Signs {
            queue_wait: Some(Duration::from_secs_f64(wait)),
            predict: Some(Duration::from_millis(100)),
            ..Signs::default()
        };
        self.seen(sent, wait + 0.1, Answer::Failed("flagged".to_owned()), signs)
    }

    fn spent(&self, asked: Spent) -> f64 {
        let mut sum = 0.0;
        for entry in &self.journal {
            if let What::Spent { from, to, how } = entry.what
                && how == asked
            {
                sum += (to - from).as_seconds_f64();
            }
        }
        sum
    }

    fn boots(&self) -> Vec<Option<Duration>> {
        let mut boots = Vec::new();
        for entry in &self.journal {
            if let What::Boot { took } = entry.what {
                boots.push(took);
            }
        }
        boots
    }

    fn state(&self, now: f64) -> State {
        standing(&self.model, &self.known, &Live::default(), true, at(now)).0
    }
}

fn setup(started: f64, took: f64) -> Setup {
    Setup { started_at: at(started), completed_at: Some(at(started + took)) }
}

#[test]
fn a_model_that_is_kept_warm_spends_its_hours_warm_but_for_the_first_boot() {
    let mut story = Story::begin(model(&["always"], 3), at(0.0));
    assert_eq!(story.queued(0.0, 4.0).outcome, Outcome::Cold);
    for beat in 2..200 {
        assert_eq!(story.queued(f64::from(beat) * 3.0, 0.05).outcome, Outcome::Warm);
    }
    assert!((story.spent(Spent::Cold) - 4.1).abs() < 0.01);
    assert!((story.spent(Spent::Warm) - (199.0 * 3.0 + 0.15 - 4.1)).abs() < 0.01);
    assert_eq!(story.spent(Spent::Unknown), 0.0);
    assert_eq!(story.boots(), [Some(Duration::from_secs(4))]);
}

#[test]
fn a_model_that_goes_cold_between_heartbeats_spends_all_of_them_cold() {
    let mut story = Story::begin(model(&["always"], 9), at(0.0));
    for beat in 0..50 {
        assert_eq!(story.queued(f64::from(beat) * 9.0, 3.5).outcome, Outcome::Cold);
    }
    assert_eq!(story.spent(Spent::Warm), 0.0);
    assert!((story.spent(Spent::Cold) - (49.0 * 9.0 + 3.6)).abs() < 0.01);
    assert_eq!(story.boots().len(), 50);
}

#[test]
fn what_no_answer_vouches_for_is_unknown() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    story.queued(0.0, 0.1);
    story.seen(30.0, 10.0, Answer::TimedOut("no answer".to_owned()), Signs::default());
    story.queued(60.0, 0.1);
    assert!((story.spent(Spent::Unknown) - 39.8).abs() < 0.01);
    // An answer after a long silence vouches for two intervals, no more.
    story.queued(1000.0, 0.1);
    assert!(
        (story.spent(Spent::Unknown) - 39.8 - (940.0 - 60.2)).abs() < 0.01,
        "{}",
        story.spent(Spent::Unknown)
    );
}

#[test]
fn only_active_hours_are_accounted_for() {
    let mut story = Story::begin(model(&["12:01-12:02"], 30), at(0.0));
    for beat in 0..6 {
        story.queued(f64::from(beat) * 30.0, 0.1);
    }
    let all = story.spent(Spent::Warm) + story.spent(Spent::Cold) + story.spent(Spent::Unknown);
    assert!((all - 60.0).abs() < 0.01, "{all}");
    let rest = unvouched(&story.known, &story.model, at(600.0));
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_disabled_model_has_no_hours_to_spend() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    story.queued(0.0, 0.1);
    // The file is edited at 10 s, and again at 500 s.
    let before = accounted(&story.known, &story.model, at(10.0));
    story.take(before);
    Arc::make_mut(&mut story.model).enabled = false;
    let disabled = accounted(&story.known, &story.model, at(500.0));
    story.take(disabled);
    Arc::make_mut(&mut story.model).enabled = true;
    story.queued(510.0, 0.1);
    assert!((story.spent(Spent::Unknown) - 9.8).abs() < 0.01, "{}", story.spent(Spent::Unknown));
    assert!((story.spent(Spent::Warm) - 10.4).abs() < 0.01, "{}", story.spent(Spent::Warm));
}

#[test]
fn a_clock_that_is_set_back_and_forth_counts_no_second_twice() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    for beat in 0..40 {
        story.queued(f64::from(beat) * 30.0, 0.1);
    }
    // A restart whose clock is an hour behind, heartbeats by that clock, and its correction.
    let early = accounted(&story.known, &story.model, at(-3600.0));
    story.take(early);
    story.queued(-3570.0, 0.1);
    story.queued(1200.0, 0.1);
    let all = story.spent(Spent::Warm) + story.spent(Spent::Unknown);
    assert!((all - 1200.2).abs() < 0.01, "{all}");
}

#[test]
fn a_setup_decides_both_ways_however_long_it_took() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    let met = Signs {
        met_starting: true,
        held: Some(Duration::from_secs(2)),
        setup: Some(setup(-1.0, 3.0)),
        ..Signs::default()
    };
    let first = story.seen(0.0, 2.1, Answer::Succeeded, met);
    assert_eq!((first.outcome, first.evidence), (Outcome::Cold, Some(Evidence::SetupTime)));
    assert_eq!(story.boots(), [Some(Duration::from_secs(3))]);
    let slow = Signs { setup: Some(setup(-1.0, 3.0)), ..Signs::default() };
    assert_eq!(story.seen(30.0, 9.0, Answer::Succeeded, slow).outcome, Outcome::Warm);
    assert_eq!(story.boots().len(), 1);
}

#[test]
fn a_boot_between_two_heartbeats_is_counted_and_waited_for_by_nobody() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    let ready = |setup| Signs { setup: Some(setup), ..Signs::default() };
    story.seen(0.0, 0.1, Answer::Succeeded, ready(setup(-100.0, 3.0)));
    let second = story.seen(30.0, 0.1, Answer::Succeeded, ready(setup(10.0, 3.0)));
    assert_eq!(second.outcome, Outcome::Warm);
    assert_eq!(story.boots(), [Some(Duration::from_secs(3))]);
}

#[test]
fn a_server_that_is_refused_while_its_setup_has_begun_counts_a_boot_once_it_is_back() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    let ready = |setup| Signs { setup: Some(setup), ..Signs::default() };
    story.seen(0.0, 0.1, Answer::Succeeded, ready(setup(-100.0, 3.0)));
    story.seen(30.0, 0.1, Answer::Unreachable("refused".to_owned()), Signs::default());
    story.seen(60.0, 0.1, Answer::Succeeded, ready(setup(29.9, 3.0)));
    assert_eq!(story.boots(), [Some(Duration::from_secs(3))]);
}

#[test]
fn hours_edited_while_a_heartbeat_is_in_flight_count_as_they_are_now() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    let order = Order {
        model: story.model.clone(),
        cold_after: Duration::from_secs(2),
        known_setups: Vec::new(),
        calibrates: false,
    };
    story.model = model(&["13:00-14:00"], 30);
    let seen = Observation {
        sent_at: at(5.0),
        done_at: at(20.0),
        total: Duration::from_secs(15),
        answer: Answer::Succeeded,
        signs: Signs::default(),
        limits: Limits::default(),
    };
    // The edit came at 10 s, and was accounted for then.
    story.take([Entry { model: story.model.name.clone(), at: at(10.0), what: What::Tracked }]);
    let entries = digest(&story.known, &story.model, &order, at(5.0), &seen);
    assert!(matches!(entries[0].what, What::Heartbeat { in_hours: true, .. }));
    assert!(!entries.iter().any(|entry| matches!(entry.what, What::Spent { .. })), "{entries:?}");
}

#[test]
fn two_replicas_behind_one_address_make_up_no_boots() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    for beat in 0..20 {
        let started = if beat % 2 == 0 { -100.0 } else { -50.0 };
        let signs = Signs { setup: Some(setup(started, 3.0)), ..Signs::default() };
        assert_eq!(story.seen(f64::from(beat) * 30.0, 0.1, Answer::Succeeded, signs).outcome, Outcome::Warm);
    }
    assert!(story.boots().is_empty());
}

#[test]
fn a_boot_cut_off_by_the_time_out_counts_as_that_long() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    let signs = Signs { met_starting: true, ..Signs::default() };
    story.seen(0.0, 600.0, Answer::TimedOut("no answer".to_owned()), signs);
    assert_eq!(story.boots(), [Some(Duration::from_mins(10))]);
    assert_eq!(story.known.lead(&story.model), LONGEST_LEAD);
}

#[test]
fn a_boot_that_never_ends_is_one_boot() {
    let told = |started| Signs { met_starting: true, setup: started, ..Signs::default() };
    let starting = |started| Setup { started_at: at(started), completed_at: None };
    let timed_out = || Answer::TimedOut("its setup is under way".to_owned());
    let minute = Some(Duration::from_mins(10));
    for setup in [None, Some(starting(-5.0))] {
        let mut story = Story::begin(model(&["always"], 30), at(0.0));
        for beat in 0..4 {
            story.seen(f64::from(beat) * 900.0, 600.0, timed_out(), told(setup));
        }
        assert_eq!(story.boots(), [minute], "{setup:?}");
    }
    // Where it comes up at last, it is still the same one; a restart is another.
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    story.seen(0.0, 600.0, timed_out(), told(Some(starting(-5.0))));
    let up = Signs { held: Some(Duration::from_secs(20)), ..told(Some(setup(-5.0, 625.0))) };
    assert_eq!(story.seen(600.0, 20.0, Answer::Succeeded, up).outcome, Outcome::Cold);
    assert_eq!(story.boots(), [minute]);
    story.seen(700.0, 600.0, timed_out(), told(Some(starting(690.0))));
    assert_eq!(story.boots().len(), 2);
    // So it is where its setup was not told before it was done, after an answer of the one before it.
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    let ready = |setup| Signs { setup: Some(setup), ..Signs::default() };
    story.seen(0.0, 0.1, Answer::Succeeded, ready(setup(-100.0, 3.0)));
    story.seen(30.0, 600.0, timed_out(), told(None));
    story.seen(700.0, 0.1, Answer::Succeeded, ready(setup(25.0, 620.0)));
    assert_eq!(story.boots(), [minute]);
}

#[test]
fn a_setup_over_which_the_clock_was_set_right_took_as_long_as_was_waited() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    let held = Some(Duration::from_secs(4));
    let long = Setup { started_at: DateTime::UNIX_EPOCH, completed_at: Some(at(4.0)) };
    let met = Signs { met_starting: true, held, setup: Some(long), ..Signs::default() };
    assert_eq!(story.seen(0.0, 4.1, Answer::Succeeded, met).outcome, Outcome::Cold);
    assert_eq!(story.boots(), [held]);
}

#[test]
fn three_failures_in_a_row_are_failing_and_one_answer_ends_it() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    assert_eq!(story.state(0.0), State::Unknown);
    story.queued(0.0, 0.1);
    assert_eq!(story.state(1.0), State::Warm);
    for (beat, expected) in [(1, State::Warm), (2, State::Cold), (3, State::Failing)] {
        story.seen(f64::from(beat) * 30.0, 0.1, Answer::Unreachable("refused".to_owned()), Signs::default());
        assert_eq!(story.state(f64::from(beat) * 30.0 + 1.0), expected);
    }
    story.seen(120.0, 0.1, Answer::RateLimited("429".to_owned()), Signs::default());
    assert_eq!(story.state(121.0), State::Failing, "rate-limited ones count neither way");
    story.queued(150.0, 0.1);
    assert_eq!(story.state(151.0), State::Warm);
    assert_eq!(story.state(211.0), State::Unknown, "an answer two intervals old is none to go by");
}

#[test]
fn a_prediction_that_ran_and_failed_shows_that_the_model_is_up() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    let first = story.ran_and_failed(0.0, 4.0);
    assert_eq!(
        (first.outcome, first.evidence, first.total),
        (Outcome::Failed, Some(Evidence::QueueWait), None)
    );
    assert_eq!(story.boots(), [Some(Duration::from_secs(4))]);
    assert!((story.spent(Spent::Cold) - 4.1).abs() < 0.01, "it waited for a boot");
    for beat in 1..9 {
        story.ran_and_failed(f64::from(beat) * 30.0, 0.1);
        assert_eq!(story.state(f64::from(beat) * 30.0 + 1.0), State::Warm);
    }
    assert!((story.spent(Spent::Warm) - (8.0 * 30.0 + 0.2 - 4.1)).abs() < 0.01);
    assert_eq!(story.spent(Spent::Unknown), 0.0);
    assert_eq!((story.known.failed_in_a_row, story.known.failing_row()), (9, None));
    assert_eq!(story.known.complaint.as_deref(), Some("flagged"));
    story.ran_and_failed(270.0, 0.1);
    assert_eq!(story.known.failing_row(), Some(10), "a model that only ever fails says so");
    let (state, reason) = standing(&story.model, &story.known, &Live::default(), true, at(271.0));
    assert_eq!(
        (state, reason.as_deref()),
        (State::Failing, Some("the last 10 all failed; the latest: flagged"))
    );
    story.queued(300.0, 0.1);
    assert_eq!((story.state(301.0), story.known.failing_row()), (State::Warm, None));
    assert_eq!(story.known.recent.iter().filter(|failed| **failed).count(), 9, "of the last ten");
}

#[test]
fn three_in_a_row_that_did_not_run_are_failing_whatever_ran_before() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    for beat in 0..5 {
        story.ran_and_failed(f64::from(beat) * 30.0, 0.1);
    }
    let setup_failed = || Answer::Failed("its setup failed".to_owned());
    for beat in 5..8 {
        assert_ne!(story.state(f64::from(beat) * 30.0), State::Failing);
        story.seen(f64::from(beat) * 30.0, 0.1, setup_failed(), Signs::default());
    }
    assert_eq!((story.state(211.0), story.known.failing_row()), (State::Failing, Some(3)));
    assert!((story.spent(Spent::Unknown) - 89.9).abs() < 0.01, "{}", story.spent(Spent::Unknown));
    story.ran_and_failed(240.0, 0.1);
    assert_eq!(story.state(241.0), State::Warm);
}

#[test]
fn another_reference_is_learned_anew_and_hours_go_on() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    story.queued(0.0, 4.0);
    let accounted = story.known.accounted_to;
    let what = What::Aimed { at: "cog http://other".to_owned() };
    story.take([Entry { model: "llama".parse().unwrap(), at: at(10.0), what }]);
    assert!(story.known.last.is_none() && story.known.boots.is_empty());
    assert_eq!(story.known.accounted_to, accounted);
}

#[test]
fn what_is_known_survives_as_json() {
    let mut story = Story::begin(model(&["always"], 30), at(0.0));
    story.queued(0.0, 4.0);
    story.seen(
        30.0,
        1.0,
        Answer::Failed("no".to_owned()),
        Signs { setup: Some(setup(1.0, 2.0)), ..Signs::default() },
    );
    let json = serde_json::to_string(&story.known).unwrap();
    assert_eq!(serde_json::from_str::<Known>(&json).unwrap(), story.known);
    let replayed = story.journal.iter().fold(Known::default(), |mut known, entry| {
        known.apply(entry);
        known
    });
    assert_eq!(replayed, story.known, "a fold over the journal, live and at a restart alike");
}
