//! A pace on a fake clock, against accounts that refuse what is too much.

use super::*;
use crate::clock;
use proptest::prelude::*;

fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(count)
}

/// Sends as soon as it may, from `demand` models at an interval of 30 s each, for `minutes`, to a
/// provider that refuses what is over `allowed` creates in any 60 s; gives the instants of those
/// that went through and of those that were refused.
fn hammer(pace: &mut Pace, allowed: usize, minutes: u64) -> (Vec<f64>, Vec<f64>) {
    let start = clock::instant();
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    let mut now = 0.0;
    while now < (minutes * 60) as f64 {
        let ready = pace.ready_at(start + seconds(now));
        now = now.max((ready - start).as_secs_f64());
        let instant = start + seconds(now);
        pace.send(instant);
        let recent = accepted.iter().filter(|at| now - **at < 60.0).count();
        let is_refused = recent >= allowed;
        let retry_after = is_refused.then(|| seconds(10.0));
        pace.told(&Limits { creates: 1, retry_after, ..Limits::default() }, is_refused, instant);
        if is_refused {
            refused.push(now);
        } else {
            accepted.push(now);
        }
        now += 0.05;
    }
    (accepted, refused)
}

#[test]
fn never_more_than_the_limit_in_any_minute() {
    let (accepted, refused) = hammer(&mut Pace::new(30), 1_000, 5);
    assert!(refused.is_empty());
    for at in &accepted {
        let within = accepted.iter().filter(|other| (*at..at + 59.999).contains(*other)).count();
        assert!(within <= 30, "{within} from {at}");
    }
    assert!(accepted.len() >= 150, "{}", accepted.len());
}

#[test]
fn refusals_that_go_on_teach_the_limit_of_an_account_low_on_credit() {
    let mut pace = Pace::new(300);
    let (accepted, refused) = hammer(&mut pace, 6, 8);
    assert!(accepted.len() >= 6 * 7, "{}", accepted.len());
    let late = refused.iter().filter(|at| **at > 240.0).count();
    assert!(late < 12, "still refused {late} times in the last four minutes");
}

#[test]
fn an_account_has_spare_creates_while_a_tenth_is_left_and_nothing_is_short() {
    let now = clock::instant();
    let mut pace = Pace::new(20);
    assert!(!pace.has_spare(18.0, now), "the models need 18 of 20");
    assert!(pace.has_spare(16.0, now));
    pace.send_spare(now);
    assert!(pace.has_spare(16.0, now));
    pace.send_spare(now);
    assert!(!pace.has_spare(16.0, now), "two were sent beside those");
    assert!(pace.has_spare(16.0, now + MINUTE));
    let throttled = Limits { creates: 1, retry_after: Some(seconds(5.0)), ..Limits::default() };
    pace.told(&throttled, true, now + MINUTE);
    assert!(!pace.has_spare(1.0, now + MINUTE), "the provider holds it");
    assert!(pace.has_spare(1.0, now + MINUTE + seconds(6.0)));
}

/// What came of one model's dues.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Fate {
    sent: u32,
    /// Refused by the provider.
    refused: u32,
    /// Dropped, since the pace would have delayed it past the next due.
    dropped: u32,
}

impl Fate {
    fn lost(self) -> u32 {
        self.refused + self.dropped
    }
}

/// An account whose bucket of creates fills evenly, and tells of itself in every reply.
struct Bucket {
    per_minute: f64,
    burst: f64,
    level: f64,
}

impl Bucket {
    fn of(per_minute: f64, burst: f64) -> Self {
        Self { per_minute, burst, level: burst }
    }

    fn pass(&mut self, passed: f64) {
        self.level = (self.level + passed * self.per_minute / 60.0).min(self.burst);
    }

    /// What a create is answered.
    fn take(&mut self) -> (Limits, bool) {
        let refused = self.level < 1.0;
        self.level -= if refused { 0.0 } else { 1.0 };
        let wait = |level: f64| seconds(((level - self.level) * 60.0 / self.per_minute).ceil());
        let limits = Limits {
            creates: 1,
            remaining: Some(self.level as u32),
            reset_in: Some(wait(self.burst)),
            retry_after: refused.then(|| wait(1.0)),
        };
        (limits, refused)
    }
}

/// Models at an interval of 30 s, whose dues lie 5 s apart, as the engine sends them: the story of
/// an account, half a second a step.
struct Story {
    pace: Pace,
    bucket: Bucket,
    start: Instant,
    half_seconds: u32,
    models: usize,
    waiting: [bool; 6],
}

impl Story {
    fn of(models: usize, bucket: Bucket) -> Self {
        let (pace, start) = (Pace::new(300), clock::instant());
        Self { pace, bucket, start, half_seconds: 0, models, waiting: [false; 6] }
    }

    fn now(&self) -> Instant {
        self.start + seconds(f64::from(self.half_seconds) / 2.0)
    }

    fn held(&self) -> Vec<bool> {
        held(&vec![2.0; self.models], self.pace.limit(self.now()))
    }

    /// Goes on for so long; what came of the dues meanwhile.
    fn minutes(&mut self, minutes: u32) -> Vec<Fate> {
        let mut fates = vec![Fate::default(); self.models];
        for _ in 0..minutes * 120 {
            self.half_seconds += 1;
            self.bucket.pass(0.5);
            let (now, held) = (self.now(), self.held());
            for model in 0..self.models {
                let until_due = (10 * model as u32 + 60 - self.half_seconds % 60) % 60;
                self.waiting[model] = (self.waiting[model] || until_due == 0) && !held[model];
                if !self.waiting[model] {
                    continue;
                }
                let ready = self.pace.ready_at(now);
                let next_due = now + seconds(f64::from(if until_due == 0 { 60 } else { until_due }) / 2.0);
                if ready <= now {
                    self.pace.send(now);
                    let (limits, refused) = self.bucket.take();
                    self.pace.told(&limits, refused, now);
                    fates[model].sent += u32::from(!refused);
                    fates[model].refused += u32::from(refused);
                } else if ready >= next_due {
                    self.pace.dropped(now);
                    fates[model].dropped += 1;
                } else {
                    continue;
                }
                self.waiting[model] = false;
            }
        }
        fates
    }
}

#[test]
fn an_account_low_on_credit_keeps_as_many_as_fit_and_tries_more_ever_more_rarely() {
    // As Replicate has it: six a minute, one at a time.
    let mut story = Story::of(5, Bucket::of(6.0, 1.0));
    story.minutes(3);
    assert_eq!(story.held(), [false, false, false, true, true]);
    let hours = story.minutes(360);
    let lost: u32 = hours.iter().map(|fate| fate.lost()).sum();
    assert!(lost <= 20, "lost {lost} of {hours:?}");
    for kept in &hours[..3] {
        assert!(kept.sent >= 714, "of 720: {hours:?}");
    }
    assert_eq!(story.held(), [false, false, false, true, true]);
    // Its credit is back: within an hour all of them are.
    story.bucket = Bucket::of(600.0, 600.0);
    story.minutes(62);
    assert_eq!(story.held(), [false; 5]);
    assert!(story.minutes(10).iter().all(|fate| fate.sent == 20 && fate.lost() == 0));
}

#[test]
fn a_bucket_that_tells_when_it_is_empty_teaches_what_flows_into_it() {
    let mut story = Story::of(6, Bucket::of(6.0, 6.0));
    story.minutes(7);
    assert_eq!(story.held(), [false, false, false, true, true, true]);
    let kept = story.minutes(3);
    assert!(kept[..3].iter().all(|fate| fate.sent >= 5), "{kept:?}");
}

#[test]
fn what_is_all_that_was_asked_for_is_no_limit() {
    // Four a minute of six, told each time that none is left just now.
    let mut story = Story::of(2, Bucket::of(6.0, 1.0));
    assert!(story.minutes(60).iter().all(|fate| fate.lost() == 0 && fate.sent >= 119));
    assert_eq!(story.pace.limit(story.now()), 300);
}

#[test]
fn a_lone_refusal_takes_nothing_back_that_went_well() {
    let mut pace = Pace::new(300);
    let start = clock::instant();
    pace.learned = Some(Learned { limit: 6, at: start, patience: RAISE_AFTER });
    let later = start + seconds(7_500.0);
    assert_eq!(pace.limit(later), 300);
    pace.told(&Limits { creates: 1, ..Limits::default() }, true, later);
    assert!(pace.limit(later) >= 200, "{}", pace.limit(later));
}

#[test]
fn a_while_in_which_nothing_goes_through_is_no_limit() {
    let mut pace = Pace::new(300);
    let start = clock::instant();
    for wait in 0..20 {
        let now = start + seconds(f64::from(wait) * 10.0);
        pace.send(now);
        pace.told(&Limits { creates: 1, ..Limits::default() }, true, now);
    }
    assert_eq!(pace.limit(start + seconds(200.0)), 300);
}

#[test]
fn a_learned_limit_is_forgotten_step_by_step() {
    let mut pace = Pace::new(300);
    let start = clock::instant();
    pace.learned = Some(Learned { limit: 6, at: start, patience: RAISE_AFTER });
    assert_eq!(pace.limit(start + seconds(60.0)), 6);
    assert_eq!(pace.limit(start + seconds(601.0)), 9);
    assert_eq!(pace.limit(start + seconds(86_400.0)), 300);
}

#[test]
fn an_exhausted_window_holds_until_it_resets() {
    let mut pace = Pace::new(300);
    let start = clock::instant();
    pace.send(start);
    let told = Limits { creates: 1, remaining: Some(0), reset_in: Some(seconds(12.0)), retry_after: None };
    pace.told(&told, false, start);
    assert_eq!(pace.ready_at(start + seconds(1.0)), start + seconds(12.0));
}

#[test]
fn as_many_models_as_fit_keep_their_interval_in_the_order_of_the_file() {
    assert_eq!(held(&[2.0, 2.0, 2.0, 2.0], 6), [false, false, false, true]);
    assert_eq!(held(&[2.0, 60.0, 2.0, 2.0], 6), [false, true, false, false]);
    assert_eq!(held(&[0.0, 6.0, 0.0], 6), [false, false, false]);
}

proptest! {
    #[test]
    fn whatever_is_told_it_never_panics_and_always_comes_to_a_time(
        told in prop::collection::vec((0u32..3, prop::option::of(0u32..5), prop::option::of(0u64..100_000), any::<bool>(), 0u64..100), 0..200),
    ) {
        let mut pace = Pace::new(10);
        let mut now = clock::instant();
        for (creates, remaining, wait, refused, step) in told {
            now += Duration::from_secs(step);
            let ready = pace.ready_at(now);
            prop_assert!(ready >= now && ready <= now + LONGEST_HOLD + MINUTE);
            pace.send(now);
            let wait = wait.map(Duration::from_secs);
            pace.told(&Limits { creates, remaining, reset_in: wait, retry_after: wait }, refused, now);
            prop_assert!(pace.limit(now) >= 1 && pace.limit(now) <= 10);
        }
    }
}
