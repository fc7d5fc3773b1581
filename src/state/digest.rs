//! From one observation to the journal entries that tell it: the heartbeat, the boots that were
//! seen, and how the hours up to it were spent. Pure.

use super::{Known, delta};
use crate::classify::{self, Judged};
use crate::clock::whole_micros;
use crate::config::Model;
use crate::heartbeat::{Answer, Heartbeat, Observation, Order, Outcome};
use crate::journal::{Entry, Spent, What};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// How many intervals a single answer vouches for at most, as the state `warm` has it.
const VOUCHED_INTERVALS: u32 = 2;

/// No longer stretch is accounted for at once: a clock that comes from 1970 would leave thousands of
/// windows that never were.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// What a boot takes at the most that is believed.
const LONGEST_BOOT: Duration = Duration::from_hours(24);

/// What one finished heartbeat adds to the journal, in order; the first entry is the heartbeat. The
/// `model` as it is now, not as it was when the heartbeat was ordered, tells which hours are spent:
/// they may have been edited meanwhile, and are accounted for up to that edit.
pub fn digest(
    known: &Known,
    model: &Model,
    order: &Order,
    due_at: DateTime<Utc>,
    seen: &Observation,
) -> Vec<Entry> {
    let Judged { heartbeat, had_to_boot } =
        classify::judged(order, known.past(order, seen.sent_at), due_at, seen);
    // A disabled model has no active hours: one that is sent to by hand is in no figure of them.
    let in_hours = order.model.enabled && order.model.hours.at(heartbeat.sent_at).open;
    let mut entries = vec![What::Heartbeat { heartbeat: heartbeat.clone(), in_hours }];
    entries.extend(boot(known, &heartbeat, had_to_boot, seen, order.model.timeout));
    if let Some(setup) = seen.signs.setup {
        // Repeated only when there is something new in it: the journal is not a log.
        if known.setups.back() != Some(&setup.started_at) {
            entries.push(What::Setup(setup));
        }
    }
    entries.extend(spent(known, model, &heartbeat, had_to_boot));
    let at = heartbeat.done_at;
    entries.into_iter().map(|what| Entry { model: model.name.clone(), at, what }).collect()
}

/// A due that was not sent; it says nothing about the model, so no hours are spent on it.
pub fn not_sent(model: &Model, outcome: Outcome, due: DateTime<Utc>, now: DateTime<Utc>, why: &str) -> Entry {
    let heartbeat = classify::not_sent(outcome, due, now, why.to_owned());
    let in_hours = model.enabled && model.hours.at(due).open;
    Entry { model: model.name.clone(), at: now, what: What::Heartbeat { heartbeat, in_hours } }
}

/// A calibration heartbeat that was given up; no hours are spent on it.
pub fn given_up(model: &Model, sent_at: DateTime<Utc>, now: DateTime<Utc>) -> Entry {
    let in_hours = model.enabled && model.hours.at(sent_at).open;
    let heartbeat = classify::given_up(sent_at, now);
    Entry { model: model.name.clone(), at: now, what: What::Heartbeat { heartbeat, in_hours } }
}

/// How active hours were spent from where they are accounted for up to `now`, when no answer
/// vouches for them.
pub fn unvouched(known: &Known, model: &Model, now: DateTime<Utc>) -> Vec<Entry> {
    let Some(mark) = known.accounted_to else { return Vec::new() };
    pieces(model, mark, now, Spent::Unknown)
        .map(|what| Entry { model: model.name.clone(), at: now, what })
        .collect()
}

/// What no answer can vouch for any more, as of `now`: a heartbeat sent from now on reaches back no further.
pub fn beyond_vouching(known: &Known, model: &Model, now: DateTime<Utc>) -> Vec<Entry> {
    unvouched(known, model, now - delta(model.interval * VOUCHED_INTERVALS))
}

/// The stretches of active hours up to `now` that nothing has accounted for yet: unknown, until an answer
/// vouches for them.
pub fn pending(known: &Known, model: &Model, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    match known.accounted_to {
        Some(mark) if mark < now && model.enabled => model.hours.pieces(mark, now),
        Some(_) | None => Vec::new(),
    }
}

/// From `now` on hours are accounted for anew. None where they are up to a later instant, from
/// before the clock was set back: no second is counted twice.
pub fn tracked(known: &Known, model: &Model, now: DateTime<Utc>) -> Option<Entry> {
    let is_ahead = known.accounted_to.is_some_and(|mark| mark > now);
    (!is_ahead).then(|| Entry { model: model.name.clone(), at: now, what: What::Tracked })
}

/// Both: up to `now` by these hours, before they change.
pub fn accounted(known: &Known, model: &Model, now: DateTime<Utc>) -> Vec<Entry> {
    unvouched(known, model, now).into_iter().chain(tracked(known, model, now)).collect()
}

/// The boot that this heartbeat shows, if any, with its duration where one is known. Each setup is one
/// boot, however many heartbeats met it under way.
fn boot(
    known: &Known,
    heartbeat: &Heartbeat,
    had_to_boot: Option<bool>,
    seen: &Observation,
    timeout: Duration,
) -> Option<What> {
    let cut_off = matches!(seen.answer, Answer::TimedOut(_)) && seen.signs.met_starting;
    // The heartbeat before this one, where it was cut off in a boot: that goes on perhaps.
    let before = known.last.as_ref().filter(|last| last.outcome == Outcome::TimedOut);
    let before = before.filter(|_| known.boots.back() == Some(&timeout));
    if let Some(setup) = seen.signs.setup {
        let goes_on = before.is_some_and(|last| setup.started_at < last.done_at);
        if goes_on || known.setups.contains(&setup.started_at) {
            return None;
        }
        let own = setup.completed_at.and_then(|end| (end - setup.started_at).to_std().ok());
        // A clock that was set right in between makes years of it.
        let own = own.filter(|took| *took <= LONGEST_BOOT).or(seen.signs.held).map(whole_micros);
        if had_to_boot == Some(true) || seen.signs.met_starting {
            return Some(What::Boot { took: if cut_off { Some(timeout) } else { own } });
        }
        // One that this heartbeat did not wait for itself: it happened since the last answer. A
        // setup older than that is another replica behind the address, met for the first time. A
        // heartbeat that was refused meanwhile tells nothing: a setup begins before its server listens.
        let contact = known.answered_at.or_else(|| known.last.as_ref().map(|last| last.sent_at));
        let since = contact.is_some_and(|contact| setup.started_at > contact);
        return since.then_some(What::Boot { took: own });
    }
    if had_to_boot == Some(true) {
        return Some(What::Boot { took: heartbeat.wait });
    }
    (cut_off && before.is_none()).then_some(What::Boot { took: Some(timeout) })
}

/// How the hours up to the end of this heartbeat were spent.
fn spent(known: &Known, model: &Model, heartbeat: &Heartbeat, had_to_boot: Option<bool>) -> Vec<What> {
    let Some(mark) = known.accounted_to else { return Vec::new() };
    let done = heartbeat.done_at;
    let how = match (had_to_boot, heartbeat.outcome) {
        (Some(false), _) | (None, Outcome::Busy) => Spent::Warm,
        (Some(true), _) => Spent::Cold,
        // These say nothing of the model: the next answer vouches for the stretch, as far as one may.
        (None, Outcome::RateLimited | Outcome::Skipped | Outcome::Calibration) => return Vec::new(),
        (None, _) => Spent::Unknown,
    };
    let reach = (heartbeat.sent_at - delta(model.interval * VOUCHED_INTERVALS)).clamp(mark.min(done), done);
    pieces(model, mark, reach, Spent::Unknown).chain(pieces(model, reach, done, how)).collect()
}

fn pieces(
    model: &Model,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    how: Spent,
) -> impl Iterator<Item = What> + use<> {
    let from = from.max(to - LONGEST);
    // Whoever disables a model wants nobody to find it warm: it has no active hours to spend.
    let open = if from < to && model.enabled { model.hours.pieces(from, to) } else { Vec::new() };
    open.into_iter().map(move |(from, to)| What::Spent { from, to, how })
}
