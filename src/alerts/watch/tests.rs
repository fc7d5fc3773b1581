//! What is told, over all that may happen; on a fake clock.

use super::{Standing, Watch};
use crate::alerts::event::{Event, Kind, Subject};
use crate::config::Target;
use crate::config::alert::{After, Alert, Condition, Target as To, When};
use crate::config::value::ModelName;
use crate::heartbeat::{Heartbeat, Outcome};
use crate::journal::{Entry, State, What};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const HOST: &str = "box";

fn name(text: &str) -> ModelName {
    text.parse().unwrap()
}

fn start() -> DateTime<Utc> {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

fn alert(text: &str) -> Alert {
    Alert {
        name: name(text),
        when: When::all(),
        models: None,
        after: After::Count(1),
        repeat: None,
        target: To::Command(vec!["true".to_owned()]),
        timeout: Duration::from_secs(10),
        enabled: true,
    }
}

fn heartbeat(outcome: Outcome, at: DateTime<Utc>) -> Heartbeat {
    Heartbeat { wait: Some(Duration::from_secs(14)), ..Heartbeat::at(at, outcome) }
}

/// A watch, and the clock it is looked at by.
struct Scene {
    watch: Watch,
    now: DateTime<Utc>,
    state: State,
    bad: u32,
    refusals: u32,
    last: Option<Heartbeat>,
    told: Vec<Event>,
    kept: BTreeMap<String, String>,
}

impl Scene {
    fn of(alerts: impl IntoIterator<Item = Alert>) -> Self {
        let mut watch = Watch::new(HOST, []);
        let alerts: Vec<Arc<Alert>> = alerts.into_iter().map(Arc::new).collect();
        watch.run(&alerts, |_| true);
        let (told, kept) = (Vec::new(), BTreeMap::new());
        Self { watch, now: start(), state: State::Unknown, bad: 0, refusals: 0, last: None, told, kept }
    }

    fn beat(&mut self, outcome: Outcome, in_hours: bool) {
        let what = What::Heartbeat { heartbeat: heartbeat(outcome, self.now), in_hours };
        match outcome {
            Outcome::Warm | Outcome::Cold | Outcome::Busy => (self.bad, self.state) = (0, State::Warm),
            Outcome::Failed | Outcome::TimedOut | Outcome::Unreachable => {
                self.bad += 1;
                self.state = if self.bad >= 3 { State::Failing } else { State::Cold };
            }
            Outcome::Rejected => (self.bad, self.state) = (0, State::Blocked),
            Outcome::RateLimited | Outcome::Skipped | Outcome::Calibration => {}
        }
        self.watch.saw(&Entry { model: name("llama"), at: self.now, what });
        self.last = Some(heartbeat(outcome, self.now));
        self.look();
    }

    /// A prediction that ran and failed.
    fn ran_and_failed(&mut self) {
        let predict = Some(Duration::from_secs(1));
        let ended = Heartbeat { predict, ..heartbeat(Outcome::Failed, self.now) };
        (self.bad, self.state, self.last) = (0, State::Warm, Some(ended.clone()));
        let what = What::Heartbeat { heartbeat: ended, in_hours: true };
        self.watch.saw(&Entry { model: name("llama"), at: self.now, what });
        self.look();
    }

    fn look(&mut self) {
        let target = Target::Model { owner: "me".to_owned(), name: "llama".to_owned() };
        let standing = Standing {
            subject: Subject { target: &target, state: self.state },
            since: self.now,
            reason: Some("because"),
            failing_row: Some(self.bad).filter(|bad| *bad >= 3),
            refusals: self.refusals,
            last: self.last.as_ref(),
        };
        let told = self.watch.look(&name("llama"), &standing, self.now);
        self.told.extend(told);
        for (name, body) in self.watch.changes() {
            match body {
                Some(body) => drop(self.kept.insert(name, body)),
                None => drop(self.kept.remove(&name)),
            }
        }
    }

    /// So many seconds pass, each looked at.
    fn pass(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.now += TimeDelta::seconds(1);
            self.look();
        }
    }

    /// Killed and started again, with what was kept.
    fn restart(&mut self, alerts: impl IntoIterator<Item = Alert>) {
        let kept = self.kept.iter().map(|(name, body)| (name.as_str(), body.as_str()));
        self.watch = Watch::new(HOST, kept);
        let alerts: Vec<Arc<Alert>> = alerts.into_iter().map(Arc::new).collect();
        self.watch.run(&alerts, |_| true);
        self.look();
    }

    /// What was told since this was asked last.
    fn heard(&mut self) -> Vec<(String, Kind, u32)> {
        let told = std::mem::take(&mut self.told);
        told.into_iter().map(|event| (event.alert.to_string(), event.event, event.count)).collect()
    }

    fn kinds(&mut self) -> Vec<Kind> {
        self.heard().into_iter().map(|(_, kind, _)| kind).collect()
    }
}

#[test]
fn a_calibration_heartbeat_without_an_answer_ends_no_failure() {
    let mut scene = Scene::of([alert("ops")]);
    for _ in 0..3 {
        scene.beat(Outcome::Unreachable, true);
    }
    let told = scene.told.len();
    let given_up =
        Heartbeat { error: Some("given up".to_owned()), ..heartbeat(Outcome::Calibration, scene.now) };
    let what = What::Heartbeat { heartbeat: given_up, in_hours: true };
    scene.watch.saw(&Entry { model: name("llama"), at: scene.now, what });
    scene.look();
    assert!(told > 0 && scene.told.len() == told, "{:?}", scene.told);
}

#[test]
fn a_row_is_not_broken_by_what_says_nothing() {
    let mut scene = Scene::of([Alert { after: After::Count(3), ..alert("ops") }]);
    scene.beat(Outcome::Cold, false);
    scene.beat(Outcome::Cold, true);
    scene.beat(Outcome::Skipped, true);
    scene.beat(Outcome::RateLimited, true);
    scene.beat(Outcome::Failed, true);
    scene.beat(Outcome::Cold, true);
    assert!(scene.heard().is_empty(), "the lead-in's is none of them");
    scene.beat(Outcome::Cold, true);
    assert_eq!(scene.heard(), [("ops".to_owned(), Kind::Cold, 3)]);
    scene.beat(Outcome::Busy, true);
    assert_eq!(scene.kinds(), [Kind::Recovered]);
    scene.beat(Outcome::Cold, true);
    scene.beat(Outcome::Cold, true);
    scene.beat(Outcome::Warm, true);
    assert!(scene.heard().is_empty(), "a row that ends untold ends untold");
}

#[test]
fn failing_is_counted_from_its_first_failure_and_ends_with_an_answer() {
    let mut scene = Scene::of([alert("at-once"), Alert { after: After::Count(5), ..alert("fifth") }]);
    (0..3).for_each(|_| scene.beat(Outcome::Unreachable, true));
    assert_eq!(scene.heard(), [("at-once".to_owned(), Kind::Failing, 3)]);
    (0..3).for_each(|_| scene.beat(Outcome::TimedOut, true));
    assert_eq!(scene.heard(), [("fifth".to_owned(), Kind::Failing, 5)]);
    // Blocked meanwhile: it is another trouble, and the first is not over.
    scene.beat(Outcome::Rejected, true);
    assert_eq!(scene.heard(), [("at-once".to_owned(), Kind::Blocked, 1)]);
    scene.beat(Outcome::Cold, false);
    assert_eq!(scene.kinds(), [Kind::Recovered; 3]);
}

#[test]
fn an_answer_that_ends_one_and_begins_another_is_told_as_both_in_that_order() {
    let mut scene = Scene::of([alert("ops")]);
    (0..3).for_each(|_| scene.beat(Outcome::Failed, true));
    assert_eq!(scene.kinds(), [Kind::Failing]);
    scene.beat(Outcome::Cold, true);
    let told = scene.told.clone();
    assert_eq!(scene.kinds(), [Kind::Recovered, Kind::Cold]);
    assert_eq!(told[0].recovered_from, Some(Condition::Failing));
    assert_eq!(
        told.iter().map(|event| event.heartbeat.as_ref().unwrap().outcome).collect::<Vec<_>>(),
        [Outcome::Cold; 2]
    );
    // The next tells the one end that is left.
    scene.beat(Outcome::Warm, true);
    let over = scene.told.clone();
    assert_eq!(scene.kinds(), [Kind::Recovered]);
    assert_eq!(over[0].recovered_from, Some(Condition::Cold));
}

#[test]
fn a_recovery_has_the_heartbeat_that_ended_it() {
    let mut scene = Scene::of([alert("ops")]);
    for (bad, condition, ends) in [
        (vec![Outcome::Cold], Condition::Cold, Outcome::Busy),
        (vec![Outcome::Failed; 3], Condition::Failing, Outcome::Warm),
        (vec![Outcome::Rejected], Condition::Blocked, Outcome::Warm),
    ] {
        for outcome in bad {
            scene.beat(outcome, true);
        }
        scene.pass(7);
        scene.told.clear();
        scene.beat(ends, true);
        let over = scene.told.remove(0);
        assert_eq!(over.recovered_from, Some(condition));
        let heartbeat = over.heartbeat.unwrap();
        assert_eq!((heartbeat.outcome, heartbeat.sent_at), (ends, scene.now));
        assert!(scene.told.is_empty());
    }
}

#[test]
fn a_refusal_is_told_once_it_does_not_pass() {
    let mut scene = Scene::of([alert("ops"), Alert { after: After::Count(4), ..alert("fourth") }]);
    (scene.state, scene.refusals) = (State::Failing, 2);
    scene.pass(600);
    assert!(scene.heard().is_empty(), "it may pass");
    (scene.state, scene.refusals) = (State::Blocked, 3);
    scene.look();
    assert_eq!(scene.heard(), [("ops".to_owned(), Kind::Blocked, 3)]);
    scene.beat(Outcome::Rejected, true);
    assert_eq!(scene.heard(), [("fourth".to_owned(), Kind::Blocked, 4)]);
}

#[test]
fn one_that_ran_and_failed_ends_what_said_that_it_did_not_run() {
    let mut scene = Scene::of([alert("ops")]);
    scene.ran_and_failed();
    (0..3).for_each(|_| scene.beat(Outcome::Unreachable, true));
    scene.beat(Outcome::Rejected, true);
    assert_eq!(scene.kinds(), [Kind::Failing, Kind::Blocked]);
    scene.ran_and_failed();
    let over = scene.told.clone();
    assert_eq!(scene.kinds(), [Kind::Recovered; 2]);
    assert!(
        over[0].text.contains("llama runs predictions again, though the last one failed"),
        "{}",
        over[0].text
    );
    scene.pass(60);
    assert!(scene.heard().is_empty());
}

#[test]
fn one_cold_heartbeat_lasts_no_time_however_long_the_interval_is() {
    let lasting = Alert { after: After::Lasting(Duration::from_mins(2)), ..alert("ops") };
    let mut scene = Scene::of([lasting]);
    scene.beat(Outcome::Cold, true);
    scene.pass(1800);
    assert!(scene.heard().is_empty(), "nobody has looked since");
    scene.beat(Outcome::Failed, true);
    scene.pass(1800);
    assert!(scene.heard().is_empty(), "a failure says nothing of cold");
    scene.beat(Outcome::Cold, true);
    assert_eq!(scene.heard(), [("ops".to_owned(), Kind::Cold, 2)]);
    scene.beat(Outcome::Warm, true);
    assert_eq!(scene.kinds(), [Kind::Recovered]);
    scene.beat(Outcome::Cold, true);
    scene.pass(1800);
    scene.beat(Outcome::Warm, true);
    assert!(scene.heard().is_empty(), "each row begins anew");
}

#[test]
fn cold_is_told_again_by_a_heartbeat_that_found_it_so_again() {
    let mut scene = Scene::of([Alert { repeat: Some(Duration::from_mins(1)), ..alert("ops") }]);
    scene.beat(Outcome::Cold, true);
    assert_eq!(scene.kinds(), [Kind::Cold]);
    scene.pass(1800);
    assert!(scene.heard().is_empty(), "nothing new was seen");
    scene.beat(Outcome::Cold, true);
    assert_eq!(scene.heard(), [("ops".to_owned(), Kind::Cold, 2)]);
}

#[test]
fn what_lasts_is_told_after_its_time_and_again_and_not_outside_the_hours() {
    let lasting = Alert {
        after: After::Lasting(Duration::from_secs(10)),
        repeat: Some(Duration::from_mins(1)),
        ..alert("ops")
    };
    let mut scene = Scene::of([lasting]);
    scene.beat(Outcome::Cold, true);
    scene.pass(5);
    scene.beat(Outcome::Cold, true);
    scene.pass(4);
    assert!(scene.heard().is_empty());
    scene.pass(1);
    let first = scene.told.clone();
    assert_eq!(scene.kinds(), [Kind::Cold]);
    assert!(first[0].text.contains("llama was found cold within its active hours"), "{}", first[0].text);
    scene.pass(58);
    scene.beat(Outcome::Cold, true);
    scene.pass(1);
    assert!(scene.heard().is_empty());
    scene.state = State::Idle;
    scene.pass(3600);
    assert!(scene.heard().is_empty(), "the hours are over");
    scene.state = State::Warm;
    scene.pass(1);
    let again = scene.told.clone();
    assert_eq!((scene.kinds(), again[0].repeat), (vec![Kind::Cold], 1));
    let text = &again[0].text;
    assert!(text.contains("llama is still found cold within its active hours"), "{text}");
    scene.beat(Outcome::Warm, true);
    assert_eq!(scene.kinds(), [Kind::Recovered]);
}

#[test]
fn a_clock_that_jumps_makes_nothing_last() {
    let lasting = Alert { after: After::Lasting(Duration::from_mins(10)), ..alert("ops") };
    let mut scene = Scene::of([lasting]);
    (0..2).for_each(|_| scene.beat(Outcome::Cold, true));
    for jump in [86_400, -2 * 86_400, 3600] {
        scene.now += TimeDelta::seconds(jump);
        scene.pass(60);
    }
    assert!(scene.heard().is_empty());
    scene.pass(600 - 3 * 60);
    assert_eq!(scene.kinds(), [Kind::Cold]);
}

#[test]
fn what_is_switched_off_or_aimed_elsewhere_ends_untold() {
    let mut scene = Scene::of([alert("ops")]);
    scene.beat(Outcome::Cold, true);
    scene.state = State::Disabled;
    scene.look();
    scene.beat(Outcome::Cold, true);
    let aimed = What::Aimed { at: "cog http://other".to_owned() };
    scene.watch.saw(&Entry { model: name("llama"), at: scene.now, what: aimed });
    scene.beat(Outcome::Warm, true);
    assert_eq!(scene.kinds(), [Kind::Cold, Kind::Cold], "and no recovery");
    assert!(scene.kept.is_empty(), "{:?}", scene.kept);
}

#[test]
fn a_restart_tells_nothing_twice_and_forgets_no_end() {
    let mut scene = Scene::of([alert("ops")]);
    (0..3).for_each(|_| scene.beat(Outcome::Failed, true));
    assert_eq!(scene.kinds(), [Kind::Failing]);
    scene.restart([alert("ops"), alert("new")]);
    assert_eq!(scene.heard(), [("new".to_owned(), Kind::Failing, 3)], "who is new is told of what lasts");
    scene.beat(Outcome::Warm, true);
    assert_eq!(scene.kinds(), [Kind::Recovered; 2]);
    assert!(scene.kept.is_empty(), "{:?}", scene.kept);
}

#[test]
fn a_refused_file_is_told_once_while_it_is_refused() {
    let mut scene = Scene::of([Alert { after: After::Count(9), ..alert("ops") }]);
    scene.watch.refused("a mistake", start());
    let told = scene.watch.look_at_config(start());
    assert_eq!(told[0].event, Kind::ConfigError);
    assert!(told[0].text.ends_with("the one before it runs: a mistake"), "{}", told[0].text);
    scene.watch.refused("another", start());
    assert!(scene.watch.look_at_config(start()).is_empty());
    scene.watch.accepted();
    assert_eq!(scene.watch.look_at_config(start())[0].recovered_from, Some(Condition::ConfigError));
}

#[test]
fn what_others_say_is_one_line_that_has_an_end() {
    let mut scene = Scene::of([alert("ops")]);
    scene.watch.refused(&format!("\u{1b}[2J\n{}", "long ".repeat(1000)), start());
    let event = scene.watch.look_at_config(start()).remove(0);
    assert!(event.text.chars().count() < 700 && !event.text.contains(char::is_control), "{}", event.text);
}

fn outcomes() -> impl Strategy<Value = Vec<(Outcome, bool, u32)>> {
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    prop::collection::vec((outcome, any::<bool>(), 1_u32..90), 0..60)
}

proptest! {
    /// Whatever happens, and however often the daemon is killed in between: one alert hears of a condition,
    /// then of its end, in turn; and no two events have one id.
    #[test]
    fn each_is_told_once_and_then_its_end(happens in outcomes(), kills in prop::collection::vec(any::<bool>(), 60)) {
        let mut scene = Scene::of([alert("ops")]);
        for ((outcome, in_hours, seconds), kill) in happens.into_iter().zip(kills) {
            scene.beat(outcome, in_hours);
            scene.pass(seconds);
            if kill {
                scene.restart([alert("ops")]);
            }
        }
        for condition in [Condition::Cold, Condition::Failing, Condition::Blocked] {
            let about = |event: &&Event| {
                event.event == Kind::from(condition) || event.recovered_from == Some(condition)
            };
            for (place, event) in scene.told.iter().filter(about).enumerate() {
                prop_assert_eq!(event.event == Kind::Recovered, place % 2 == 1);
            }
        }
        let mut ids: Vec<&str> = scene.told.iter().map(|event| event.id.as_str()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), all);
    }
}
