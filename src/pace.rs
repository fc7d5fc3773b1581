//! How many creates an account allows, and which of its models that can carry. Pure: time is
//! passed in, on the monotonic clock.
//!
//! An account's creates never exceed its limit in any 60 s, whoever of its models sends them. What
//! the provider says (a 429, `ratelimit-remaining: 0`) holds all of them; where that goes on, and
//! heartbeats are lost to it, what went through from one time to the next is learned as a lower
//! limit. More is tried now and then, the more rarely the more often it was in vain; a reply that
//! tells of more room lifts it at once.

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

/// This long after a limit was learned, half as much again is tried, and so on.
const RAISE_AFTER: Duration = Duration::from_mins(10);

/// Where more was tried in vain, the next try comes after twice as long, and at least this often:
/// an account that has credit again shall not be kept short for longer.
const LONGEST_PATIENCE: Duration = Duration::from_hours(1);

/// No more of the limit is used by creates that can wait.
const SPARE_SHARE: f64 = 0.9;

/// The pace of one account.
#[derive(Debug, Clone)]
pub struct Pace {
    /// `creates_per_minute`.
    configured: u32,
    learned: Option<Learned>,
    /// Creates of the last minute, those that were refused left out.
    sent: VecDeque<Instant>,
    /// Those of them that nobody waited for.
    spare: Vec<Instant>,
    held_until: Option<Instant>,
    /// When what is allowed last came to its end.
    ended: Option<End>,
}

#[derive(Debug, Clone, Copy)]
struct End {
    at: Instant,
    /// How many creates went through since.
    through: u32,
    /// Whether one was lost since: without that, what went through is what was asked for.
    lost: bool,
}

#[derive(Debug, Clone, Copy)]
struct Learned {
    limit: u32,
    /// When it was learned, or last found to be so.
    at: Instant,
    /// From then on until more is tried.
    patience: Duration,
}

impl Learned {
    /// How often it has been raised by half by `now`.
    fn raises(self, now: Instant) -> u64 {
        let tried = now.saturating_duration_since(self.at).checked_sub(self.patience);
        tried.map_or(0, |since| 1 + since.as_secs() / RAISE_AFTER.as_secs())
    }

    fn limit(self, now: Instant) -> u32 {
        self.limit_after(self.raises(now))
    }

    fn limit_after(self, raises: u64) -> u32 {
        (0..raises.min(40)).fold(self.limit, |limit, _| half_more(limit))
    }
}

fn half_more(limit: u32) -> u32 {
    limit.saturating_add(limit.div_ceil(2))
}

impl Pace {
    /// The pace of an account that allows `creates_per_minute`.
    pub fn new(creates_per_minute: u32) -> Self {
        Self {
            configured: creates_per_minute.max(1),
            learned: None,
            sent: VecDeque::new(),
            spare: Vec::new(),
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
        self.learned.map_or(self.configured, |learned| learned.limit(now).min(self.configured))
    }

    /// Whether that is what went through, rather than what is configured: good to one or two.
    pub fn is_learned(&self, now: Instant) -> bool {
        self.limit(now) < self.configured
    }

    /// When the next create may go: `now`, or later.
    pub fn ready_at(&self, now: Instant) -> Instant {
        let held = self.held_until.filter(|until| *until > now).unwrap_or(now);
        let gone = self.sent.partition_point(|at| now.saturating_duration_since(*at) >= MINUTE);
        let recent = self.sent.len() - gone;
        let limit = self.limit(now) as usize;
        if recent < limit {
            return held;
        }
        // The create that has to leave the last minute before there is room for another.
        let leaves = self.sent[self.sent.len() - limit] + MINUTE;
        held.max(leaves)
    }

    /// Whether a create that nobody waits for may go: nothing is held or found to be short, and a tenth of the
    /// limit is left beside those of a minute that the models ask for, `demand`, and others like it.
    pub fn has_spare(&self, demand: f64, now: Instant) -> bool {
        let within_a_minute = |at: &&Instant| now.saturating_duration_since(**at) < MINUTE;
        let spare = self.spare.iter().filter(within_a_minute).count();
        !self.is_learned(now)
            && self.ready_at(now) <= now
            && demand + spare as f64 + 1.0 <= SPARE_SHARE * f64::from(self.configured)
    }

    /// Such a create goes out at `now`.
    pub fn send_spare(&mut self, now: Instant) {
        self.spare.retain(|at| now.saturating_duration_since(*at) < MINUTE);
        self.spare.push(now);
        self.send(now);
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
        if let Some(end) = &mut self.ended {
            end.through = end.through.saturating_add(went_through);
        }
        if refused {
            self.sent.pop_back();
            self.hold(now, limits.retry_after.or(limits.reset_in).unwrap_or(DEFAULT_RETRY));
            // A lookup that was refused tells nothing of creates.
            if limits.creates > 0 {
                self.lost(now);
                self.learn(now);
            }
        } else if limits.remaining == Some(0) {
            self.hold(now, limits.reset_in.unwrap_or(DEFAULT_RETRY));
            self.learn(now);
        } else if limits.remaining.is_some_and(|left| left > self.limit(now)) {
            self.lift(now);
        }
    }

    /// A due was dropped, since the next create would have come too late for it.
    pub fn dropped(&mut self, now: Instant) {
        self.lost(now);
    }

    fn lost(&mut self, now: Instant) {
        if let Some(end) = &mut self.ended {
            end.lost = true;
        }
        let Some(learned) = self.learned else { return };
        let raises = learned.raises(now);
        if raises > 0 {
            // The last try was in vain, and it alone: what was tried before it went well.
            let patience = if raises == 1 { learned.patience * 2 } else { RAISE_AFTER };
            self.set(learned.limit_after(raises - 1), patience.min(LONGEST_PATIENCE), now);
            self.ended = None;
        }
    }

    /// The provider tells of more room than was learned.
    fn lift(&mut self, now: Instant) {
        if let Some(learned) = self.learned {
            self.set(half_more(learned.limit(now)), RAISE_AFTER, now);
        }
    }

    /// A learned limit that is no lower than the configured one is none.
    fn set(&mut self, limit: u32, patience: Duration, now: Instant) {
        self.learned = (limit < self.configured).then_some(Learned { limit, at: now, patience });
    }

    fn hold(&mut self, now: Instant, asked: Duration) {
        let until = now + asked.min(LONGEST_HOLD);
        self.held_until = Some(self.held_until.map_or(until, |held| held.max(until)));
    }

    /// What is allowed has come to its end: what went through since it last did is what there is,
    /// where more was asked for.
    fn learn(&mut self, now: Instant) {
        let anew = End { at: now, through: 0, lost: false };
        let Some(end) = self.ended else {
            self.ended = Some(anew);
            return;
        };
        let passed = now.saturating_duration_since(end.at);
        if passed > UNRELATED {
            self.ended = Some(anew);
        // Where nothing went through, others use the account up: that is no limit to plan by.
        } else if passed >= PERSISTENT && end.through > 0 {
            if end.lost {
                let a_minute = f64::from(end.through) * MINUTE.as_secs_f64() / passed.as_secs_f64();
                let limit = (a_minute.ceil() as u32).clamp(1, self.limit(now));
                let patience = self.learned.map_or(RAISE_AFTER, |learned| learned.patience);
                self.set(limit, patience, now);
            }
            self.ended = Some(anew);
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
mod tests;
