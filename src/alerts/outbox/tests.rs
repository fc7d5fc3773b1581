//! What waits, over what receivers do; on a fake clock.

use super::{Failure, Outbox, WAITING};
use crate::alerts::event::Event;
use crate::config::alert::AlertName;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

fn name(text: &str) -> AlertName {
    text.parse().unwrap()
}

fn start() -> DateTime<Utc> {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

/// An event of that alert, the `n`th.
fn event(of: &str, n: i64) -> Event {
    Event::test(&name(of), "box", start() + TimeDelta::milliseconds(n))
}

fn failure(hopeless: bool, retry_after: Option<u64>) -> Failure {
    Failure { why: "no".to_owned(), hopeless, retry_after: retry_after.map(Duration::from_secs) }
}

fn outbox(instant: Instant) -> Outbox {
    let mut outbox = Outbox::default();
    outbox.run([(&name("a"), true), (&name("b"), true)], instant);
    outbox
}

#[test]
fn one_of_a_lane_is_under_way_and_the_others_go_on() {
    let instant = crate::clock::instant();
    let mut outbox = outbox(instant);
    for (of, n) in [("a", 1), ("a", 2), ("b", 3), ("nobody", 4)] {
        outbox.post(event(of, n), instant);
    }
    assert_eq!(outbox.next(instant), Some(event("a", 1)));
    assert_eq!(outbox.next(instant), Some(event("b", 3)));
    assert_eq!((outbox.next(instant), outbox.look_again_at()), (None, None));
    outbox.arrived(&event("a", 1), start(), instant);
    assert_eq!(outbox.next(instant), Some(event("a", 2)));
    let status = outbox.status(&name("a"), String::new());
    assert_eq!((status.sent, status.waiting), (1, 1));
    // Decided once more after a crash, it is one event still.
    outbox.post(event("a", 2), instant);
    assert_eq!(outbox.status(&name("a"), String::new()).waiting, 1);
}

#[test]
fn what_fails_waits_longer_each_time_and_as_it_is_asked_to() {
    let instant = crate::clock::instant();
    let mut outbox = outbox(instant);
    outbox.post(event("a", 1), instant);
    let mut waits = Vec::new();
    for _ in 0..14 {
        let at = outbox.look_again_at().unwrap();
        assert!(outbox.next(at).is_some());
        assert_eq!(outbox.failed(&event("a", 1), &failure(false, None), at), None);
        waits.push((outbox.look_again_at().unwrap() - at).as_secs_f64());
    }
    assert!((0.5..=1.0).contains(&waits[0]) && (1.0..=2.0).contains(&waits[1]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 600.0) && waits[13] >= 300.0, "{waits:?}");
    // The last is 43 s, said in milliseconds.
    for (asked, least) in [(45, 45), (600, 60), (43_323, 60)] {
        let mut outbox = self::outbox(instant);
        outbox.post(event("a", 1), instant);
        let at = outbox.look_again_at().unwrap();
        outbox.next(at);
        outbox.failed(&event("a", 1), &failure(false, Some(asked)), at);
        assert_eq!(outbox.look_again_at().unwrap() - at, Duration::from_secs(least));
    }
    // A new way is tried at once.
    outbox.run([(&name("a"), true)], instant);
    assert_eq!(outbox.next(instant), Some(event("a", 1)));
    assert_eq!(outbox.failed(&event("a", 1), &failure(true, None), instant).unwrap().event, event("a", 1));
    assert_eq!(outbox.status(&name("a"), String::new()).dropped, 1);
}

#[test]
fn after_a_day_it_is_given_up() {
    let instant = crate::clock::instant();
    let mut outbox = outbox(instant);
    outbox.post(event("a", 1), instant);
    outbox.next(instant);
    outbox.failed(&event("a", 1), &failure(false, None), instant);
    let nearly = instant + Duration::from_secs(24 * 3600 - 1);
    assert!(outbox.give_up_old(nearly).is_empty());
    let given_up = outbox.give_up_old(nearly + Duration::from_secs(1));
    assert_eq!(given_up[0].why, "it could not be sent for a day; the last time: no");
    let status = outbox.status(&name("a"), String::new());
    assert_eq!((status.dropped, status.waiting, status.failed_attempts), (1, 0, 1));
}

#[test]
fn what_was_given_up_is_news_until_something_arrives() {
    let instant = crate::clock::instant();
    let mut outbox = outbox(instant);
    let news = |outbox: &Outbox| {
        let status = outbox.status(&name("a"), String::new());
        (status.dropped, status.dropped_since_sent)
    };
    for n in 1..=2 {
        outbox.post(event("a", n), instant);
        outbox.next(instant);
        outbox.failed(&event("a", n), &failure(true, None), instant);
    }
    assert_eq!(news(&outbox), (2, 2));
    outbox.post(event("a", 3), instant);
    outbox.next(instant);
    outbox.arrived(&event("a", 3), start(), instant);
    assert_eq!(news(&outbox), (2, 0), "the counter stays");
    outbox.post(event("a", 4), instant);
    outbox.next(instant);
    outbox.failed(&event("a", 4), &failure(true, None), instant);
    assert_eq!(news(&outbox), (3, 1));
    outbox.proved(&name("a"));
    assert_eq!(news(&outbox), (3, 0));
}

#[test]
fn beyond_the_bound_the_oldest_that_is_not_under_way_is_given_up() {
    let instant = crate::clock::instant();
    let mut outbox = outbox(instant);
    for n in 0..i64::try_from(WAITING).unwrap() {
        assert_eq!(outbox.post(event("a", n), instant), None);
    }
    assert_eq!(outbox.next(instant), Some(event("a", 0)));
    assert_eq!(outbox.post(event("a", -1), instant).unwrap().event, event("a", 1));
    outbox.arrived(&event("a", 0), start(), instant);
    assert_eq!(outbox.next(instant), Some(event("a", 2)));
    assert_eq!(outbox.status(&name("a"), String::new()).waiting, WAITING as u64 - 1);
}

#[test]
fn what_waits_is_kept_and_comes_back_in_its_order() {
    let instant = crate::clock::instant();
    let mut outbox = outbox(instant);
    (1..4).for_each(|n| drop(outbox.post(event("a", n), instant)));
    let mut kept: BTreeMap<String, Option<String>> = outbox.changes().into_iter().collect();
    outbox.next(instant);
    outbox.arrived(&event("a", 1), start(), instant);
    kept.extend(outbox.changes());
    let kept: Vec<(String, String)> =
        kept.into_iter().filter_map(|(name, body)| Some((name, body?))).collect();
    let kept = || kept.iter().map(|(name, body)| (name.as_str(), body.as_str()));
    let later = start() + TimeDelta::hours(23);
    let mut again = Outbox::new(kept(), later, instant);
    assert_eq!(again.next(instant), None, "not before it is known who is told");
    again.run([(&name("a"), true)], instant);
    assert_eq!(again.next(instant), Some(event("a", 2)));
    assert_eq!(again.failed(&event("a", 2), &failure(false, None), instant), None);
    assert_eq!(again.give_up_old(instant + Duration::from_mins(61)).len(), 2, "its day goes on");
    // The alert was taken out meanwhile: what waited goes with it.
    let mut other = Outbox::new(kept(), later, instant);
    other.run([(&name("b"), true)], instant);
    assert_eq!(other.changes().into_iter().filter(|(_, body)| body.is_none()).count(), 2);
}
