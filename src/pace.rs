//! How many creates an account allows, and which of its models that can carry. Pure: time is
//! passed in, on the monotonic clock.
//!
//! An account's creates never exceed its limit in any 60 s, whoever of its models sends them. What
//! the provider says (a 429, `ratelimit-remaining: 0`) holds all of them; where that goes on, what
//! went through from one time to the next is learned as a lower limit, which is forgotten step by
//! step once it has stopped.

use crate::heartbeat::Limits;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Limits are told per minute.
const MINUTE: Duration = Duration::from_mins(1);

/// A 429 that says nothing of when to try again: as long as an account that is nearly out of credit
/// waits for its next create (six a minute).
const DEFAULT_RETRY: Duration = Duration::from_secs(10);

/// A provider that asks for more than this is asked again all the same.
const LONGEST_HOLD: Duration = Duration::from_mins(15);

/// Between two ends of what is allowed that are at least this far apart, the limit shows: less than
/// what it is counted by would show a burst alone.
const PERSISTENT: Duration = MINUTE;

/// Two ends further apart than this have nothing to do with each other.
const UNRELATED: Duration = Duration::from_mins(5);

/// After this long without one, a learned limit is raised by half.
const RAISE_AFTER: Duration = Duration::from_mins(10);

/// The pace of one account.
#[derive(Debug, Clone)]
pub struct Pace {
    /// `creates_per_minute`.
    configured: u32,
    learned: Option<Learned>,
    /// Creates of the last minute, those that were refused left out.
    sent: VecDeque<Instant>,
    held_until: Option<Instant>,
    /// When what is allowed last came to its end, and how many creates went through since.
    ended: Option<(Instant, u32)>,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    limit: u32,
    /// When it was learned or last raised.
    at: Instant,
}

impl Pace {
    /// The pace of an account that allows `creates_per_minute`.
    pub fn new(creates_per_minute: u32) -> Self {
        Self {
            configured: creates_per_minute.max(1),
            learned: None,
            sent: VecDeque::new(),
            held_until: None,
            ended: None,
        }
    }

    /// Takes a new `creates_per_minute`; what was learned and sent stays.
    pub fn reconfigure(&mut self, creates_per_minute: u32) {
        self.configured = creates_per_minute.max(1);
    }

    /// Creates a minute that are allowed at `now`.
    pub fn limit(&self, now: Instant) -> u32 {
        let Some(learned) = self.learned else { return self.configured };
        let steps = now.saturating_duration_since(learned.at).as_secs() / RAISE_AFTER.as_secs();
        let raised =
            (0..steps.min(40)).fold(learned.limit, |limit, _| limit.saturating_add(limit.div_ceil(2)));
        raised.min(self.configured)
    }

    /// When the next create may go: `now`, or later.
    pub fn ready_at(&self, now: Instant) -> Instant {
        let held = self.held_until.filter(|until| *until > now).unwrap_or(now);
        let recent = self.sent.iter().filter(|at| now.saturating_duration_since(**at) < MINUTE).count();
        let limit = self.limit(now) as usize;
        if recent < limit {
            return held;
        }
        // The create that has to leave the last minute before there is room for another.
        let leaves = self.sent[self.sent.len() - limit] + MINUTE;
        held.max(leaves)
    }

    /// A create goes out at `now`.
    pub fn send(&mut self, now: Instant) {
        while self.sent.front().is_some_and(|at| now.saturating_duration_since(*at) >= MINUTE) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// Takes in what the provider said while a heartbeat ran; `refused` if it ended in a 429.
    pub fn told(&mut self, limits: &Limits, refused: bool, now: Instant) {
        // One was counted when it was sent.
        for _ in 1..limits.creates {
            self.send(now);
        }
        let went_through = limits.creates.saturating_sub(u32::from(refused));
        if let Some((_, through)) = &mut self.ended {
            *through = through.saturating_add(went_through);
        }
        if refused {
            self.sent.pop_back();
            self.hold(now, limits.retry_after.or(limits.reset_in).unwrap_or(DEFAULT_RETRY));
            // A lookup that was refused tells nothing of creates.
            if limits.creates > 0 {
                self.learn(now);
            }
        } else if limits.remaining == Some(0) {
            self.hold(now, limits.reset_in.unwrap_or(DEFAULT_RETRY));
            self.learn(now);
        }
    }

    fn hold(&mut self, now: Instant, asked: Duration) {
        let until = now + asked.min(LONGEST_HOLD);
        self.held_until = Some(self.held_until.map_or(until, |held| held.max(until)));
    }

    /// What is allowed has come to its end: what went through since it last did is what there is.
    fn learn(&mut self, now: Instant) {
        let Some((since, through)) = self.ended else {
            self.ended = Some((now, 0));
            return;
        };
        let passed = now.saturating_duration_since(since);
        if passed > UNRELATED {
            self.ended = Some((now, 0));
        // Where nothing went through, others use the account up: that is no limit to plan by.
        } else if passed >= PERSISTENT && through > 0 {
            let a_minute = f64::from(through) * MINUTE.as_secs_f64() / passed.as_secs_f64();
            let limit = (a_minute.ceil() as u32).clamp(1, self.limit(now));
            self.learned = Some(Learned { limit, at: now });
            self.ended = Some((now, 0));
        }
    }
}

/// Which models an account can't carry: `demands` are creates a minute in the file's order; as many
/// as fit keep their interval. True is held.
pub fn held(demands: &[f64], limit: u32) -> Vec<bool> {
    let mut room = f64::from(limit);
    demands
        .iter()
        .map(|demand| {
            let fits = *demand <= room + 1e-9;
            if fits {
                room -= demand;
            }
            !fits
        })
        .collect()
}

#[cfg(test)]
mod tests {
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

    /// Six models at 30 s on an account of six creates a minute, which tells of its bucket in every
    /// reply and answers all that are sent at an instant only after the last of them was sent.
    #[test]
    fn a_bucket_that_tells_when_it_is_empty_teaches_what_flows_into_it() {
        let mut pace = Pace::new(300);
        let (start, mut level, mut sent) = (clock::instant(), 6.0_f64, vec![0_u32; 6]);
        for half_second in 0..1_200_u32 {
            let now = start + seconds(f64::from(half_second) / 2.0);
            level = (level + 0.05).min(6.0);
            let held = held(&[2.0; 6], pace.limit(now));
            let due = |model: &usize| half_second % 60 == 10 * *model as u32 && !held[*model];
            let ready: Vec<usize> = (0..6).filter(due).filter(|_| pace.ready_at(now) <= now).collect();
            for _ in &ready {
                pace.send(now);
            }
            for model in ready {
                let refused = level < 1.0;
                level -= if refused { 0.0 } else { 1.0 };
                let reset_in = Some(seconds(((6.0 - level) * 10.0).ceil()));
                let retry_after = refused.then(|| seconds(10.0));
                let limits = Limits { creates: 1, remaining: Some(level as u32), reset_in, retry_after };
                pace.told(&limits, refused, now);
                sent[model] += u32::from(!refused && half_second >= 800);
            }
        }
        assert_eq!(pace.limit(start + seconds(600.0)), 6);
        assert_eq!(sent[3..], [0, 0, 0], "held");
        assert!(sent[..3].iter().all(|sent| *sent >= 6), "{sent:?}");
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
        pace.learned = Some(Learned { limit: 6, at: start });
        assert_eq!(pace.limit(start + seconds(60.0)), 6);
        assert_eq!(pace.limit(start + seconds(601.0)), 9);
        assert_eq!(pace.limit(start + seconds(86_400.0)), 300);
    }

    #[test]
    fn an_exhausted_window_holds_until_it_resets() {
        let mut pace = Pace::new(300);
        let start = clock::instant();
        pace.send(start);
        let told =
            Limits { creates: 1, remaining: Some(0), reset_in: Some(seconds(12.0)), retry_after: None };
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
}
