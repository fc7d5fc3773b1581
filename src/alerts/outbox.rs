//! What is to be sent yet: a lane for each alert, in the order in which it was decided.
//!
//! Owns the bounds: how many wait, how long, how often each is tried. One of a lane is under way at a time;
//! while it fails, the lane waits, longer each time, so that a receiver gets what happened in its order.

#[cfg(test)]
mod tests;

use super::event::Event;
use super::watch::Kept;
use crate::config::alert::AlertName;
use crate::schedule::grid;
use crate::status::AlertStatus;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Before each event's id in what is kept.
const KEPT: &str = "event/";

/// The most that wait for one alert, some 2 MB; the oldest is given up for the newest.
pub const WAITING: usize = 1000;

/// An event is given up this long after it was decided.
pub const KEEP_TRYING: Duration = Duration::from_hours(24);

/// The wait after a first failure; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// A receiver that asks for more patience than this is asked again all the same: some say milliseconds where the
/// standard has seconds, and a message about a cold model is of no use hours later. The limits of services that such
/// messages are posted to (Slack, Discord, Telegram, ntfy) are of a minute or less.
const LONGEST_ASKED: Duration = Duration::from_mins(1);

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In a sentence, without a secret.
    pub why: String,
    /// It is the event that was refused: to send it again would be in vain.
    pub hopeless: bool,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenUp {
    /// Which.
    pub event: Event,
    /// Why, in a sentence.
    pub why: String,
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Outbox {
    lanes: BTreeMap<AlertName, Lane>,
    /// Nothing leaves before it is known which alerts there are.
    is_open: bool,
    /// What is not kept as it is by now.
    changes: Vec<Kept>,
}

#[derive(Debug)]
struct Lane {
    /// The oldest first.
    waiting: VecDeque<Letter>,
    /// The first of them is under way.
    under_way: bool,
    /// Failed attempts in a row.
    failures: u32,
    not_before: Instant,
    tally: Tally,
}

#[derive(Debug)]
struct Letter {
    event: Event,
    /// It is given up then. By the monotonic clock: one that is set must not cost an event its day.
    until: Instant,
}

#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    failed_attempts: u64,
    dropped: u64,
    dropped_since_sent: u64,
    last_sent_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

impl Outbox {
    /// One that goes on from what was `kept`; lanes open with [`Self::run`].
    pub fn new<'a>(
        kept: impl IntoIterator<Item = (&'a str, &'a str)>,
        now: DateTime<Utc>,
        instant: Instant,
    ) -> Self {
        let mut outbox = Self::default();
        let mut events: Vec<Event> = Vec::new();
        for (name, body) in kept.into_iter().filter(|(name, _)| name.starts_with(KEPT)) {
            match serde_json::from_str(body) {
                Ok(event) => events.push(event),
                Err(error) => {
                    tracing::warn!("an alert that was to be sent can't be read, and is left out: {error}");
                    outbox.changes.push((name.to_owned(), None));
                }
            }
        }
        events.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        for event in events {
            // By a clock that was set back it is no older than just made.
            let age = (now - event.at).to_std().unwrap_or_default();
            let until = instant + KEEP_TRYING.saturating_sub(age);
            let lane = outbox.lanes.entry(event.alert.clone()).or_insert_with(|| Lane::new(instant));
            lane.waiting.push_back(Letter { event, until });
        }
        outbox
    }

    /// These alerts are told from now on; those whose way is another than before are tried at once. What
    /// waited for others goes with them.
    pub fn run<'a>(&mut self, alerts: impl IntoIterator<Item = (&'a AlertName, bool)>, instant: Instant) {
        self.is_open = true;
        let mut before = std::mem::take(&mut self.lanes);
        for (name, is_new_way) in alerts {
            let mut lane = before.remove(name).unwrap_or_else(|| Lane::new(instant));
            if is_new_way {
                (lane.failures, lane.not_before) = (0, instant);
            }
            self.lanes.insert(name.clone(), lane);
        }
        for letter in before.into_values().flat_map(|lane| lane.waiting) {
            self.changes.push((key(&letter.event), None));
        }
    }

    /// Takes in an event that is to be sent; the one that is given up for it, where too many wait.
    pub fn post(&mut self, event: Event, instant: Instant) -> Option<GivenUp> {
        let lane = self.lanes.get_mut(&event.alert)?;
        // Decided once more after a crash.
        if lane.waiting.iter().any(|letter| letter.event.id == event.id) {
            return None;
        }
        self.changes.push((key(&event), serde_json::to_string(&event).ok()));
        lane.waiting.push_back(Letter { event, until: instant + KEEP_TRYING });
        if lane.waiting.len() <= WAITING {
            return None;
        }
        let oldest = usize::from(lane.under_way);
        let given_up = lane.give_up(oldest, format!("more than {WAITING} wait already"))?;
        self.changes.push((key(&given_up.event), None));
        Some(given_up)
    }

    /// Gives up what has waited for too long; none of it is under way.
    pub fn give_up_old(&mut self, instant: Instant) -> Vec<GivenUp> {
        let mut given_up = Vec::new();
        for lane in self.lanes.values_mut().filter(|lane| !lane.under_way) {
            while lane.waiting.front().is_some_and(|letter| letter.until <= instant) {
                let why = match &lane.tally.last_error {
                    Some(last) => format!("it could not be sent for a day; the last time: {last}"),
                    None => "it could not be sent for a day".to_owned(),
                };
                given_up.extend(lane.give_up(0, why));
                (lane.failures, lane.not_before) = (0, instant);
            }
        }
        self.changes.extend(given_up.iter().map(|one| (key(&one.event), None)));
        given_up
    }

    /// The next event to be sent, which is under way from now on: of the lane that has waited longest.
    pub fn next(&mut self, instant: Instant) -> Option<Event> {
        if !self.is_open {
            return None;
        }
        let ready = self.lanes.values_mut().filter(|lane| lane.is_ready() && lane.not_before <= instant);
        let lane = ready.min_by_key(|lane| lane.not_before)?;
        lane.under_way = true;
        lane.waiting.front().map(|letter| letter.event.clone())
    }

    /// When there is something to do next, if nothing happens before.
    pub fn look_again_at(&self) -> Option<Instant> {
        let lanes = self.lanes.values().filter(|lane| self.is_open && lane.is_ready());
        lanes.filter_map(|lane| Some(lane.not_before.min(lane.waiting.front()?.until))).min()
    }

    /// An event has arrived.
    pub fn arrived(&mut self, event: &Event, now: DateTime<Utc>, instant: Instant) {
        let Some(lane) = self.lanes.get_mut(&event.alert) else { return };
        lane.tally.sent += 1;
        lane.tally.last_sent_at = Some(now);
        lane.tally.last_error = None;
        lane.tally.dropped_since_sent = 0;
        lane.under_way = false;
        (lane.failures, lane.not_before) = (0, instant);
        if lane.waiting.pop_front_if(|letter| letter.event.id == event.id).is_some() {
            self.changes.push((key(event), None));
        }
    }

    /// A test has arrived: what was given up before is no news any more.
    pub fn proved(&mut self, name: &AlertName) {
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.tally.dropped_since_sent = 0;
        }
    }

    /// An attempt has failed; tells where the event is given up.
    pub fn failed(&mut self, event: &Event, failure: &Failure, instant: Instant) -> Option<GivenUp> {
        let lane = self.lanes.get_mut(&event.alert)?;
        lane.tally.failed_attempts += 1;
        lane.tally.last_error = Some(failure.why.clone());
        lane.under_way = false;
        if failure.hopeless && lane.waiting.front().is_some_and(|letter| letter.event.id == event.id) {
            (lane.failures, lane.not_before) = (0, instant);
            let given_up = lane.give_up(0, failure.why.clone())?;
            self.changes.push((key(&given_up.event), None));
            return Some(given_up);
        }
        lane.failures = lane.failures.saturating_add(1);
        let asked = failure.retry_after.unwrap_or_default().min(LONGEST_ASKED);
        lane.not_before = instant + backoff(&event.id, lane.failures).max(asked);
        None
    }

    /// What is to be kept over a restart, or not any more, since this was asked last.
    pub fn changes(&mut self) -> Vec<Kept> {
        std::mem::take(&mut self.changes)
    }

    /// All that is to be kept: the file has been begun anew.
    pub fn keep_all(&mut self) {
        let letters = self.lanes.values().flat_map(|lane| &lane.waiting);
        let all = letters.map(|letter| (key(&letter.event), serde_json::to_string(&letter.event).ok()));
        self.changes.extend(all);
    }

    /// How one alert is doing, which leads `to` there.
    pub fn status(&self, name: &AlertName, to: String) -> AlertStatus {
        let nothing = Tally::default();
        let lane = self.lanes.get(name);
        let tally = lane.map_or(&nothing, |lane| &lane.tally);
        AlertStatus {
            name: name.to_string(),
            to,
            sent: tally.sent,
            failed_attempts: tally.failed_attempts,
            dropped: tally.dropped,
            dropped_since_sent: tally.dropped_since_sent,
            waiting: lane.map_or(0, |lane| lane.waiting.len() as u64),
            last_sent_at: tally.last_sent_at,
            last_error: tally.last_error.clone(),
        }
    }
}

impl Lane {
    fn new(instant: Instant) -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: false,
            failures: 0,
            not_before: instant,
            tally: Tally::default(),
        }
    }

    fn is_ready(&self) -> bool {
        !self.under_way && !self.waiting.is_empty()
    }

    fn give_up(&mut self, which: usize, why: String) -> Option<GivenUp> {
        let letter = self.waiting.remove(which)?;
        self.tally.dropped += 1;
        self.tally.dropped_since_sent += 1;
        Some(GivenUp { event: letter.event, why })
    }
}

fn key(event: &Event) -> String {
    format!("{KEPT}{}", event.id)
}

/// Doubles with each failure; up to half of it earlier, by the event and the count, so that daemons that
/// tell one receiver do not come back together.
fn backoff(id: &str, failures: u32) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << (failures.max(1) - 1).min(16)).min(LONGEST_WAIT);
    doubled.mul_f64(1.0 - grid::fraction(&format!("{id}#{failures}")) / 2.0)
}
