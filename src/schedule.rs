//! When a model's next heartbeat is due. Pure: the same knowledge and `now` give the same plan.
//!
//! Dues lie on a grid of civil time, phase + k × interval, whose phase is a function of the model's
//! name: models of one interval spread out, and neither a restart nor a reload shifts them. Off the
//! grid are the ones sent at once (a start, a resume, a lead-in's first).

pub mod grid;

use crate::config::Model;
use crate::heartbeat::{Outcome, Rejection};
use crate::state::{Known, Live, delta};
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Backing off ends here for Replicate.
const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

/// Backing off ends here for Cog: a refused connection costs nobody anything.
const LONGEST_BACKOFF_COG: Duration = Duration::from_secs(30);

/// A model whose name or input is refused (404, 403, 422) is looked at again this often.
const LOOK_AGAIN: Duration = Duration::from_hours(1);

/// One that has answered before is looked at again sooner, since its refusal may pass: at its next
/// due, then after these pauses.
const LOOKS_AGAIN: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
];

/// A server that refuses its token (401) is looked at again this often; an account sees to that itself.
const LOOK_AGAIN_WITH_TOKEN: Duration = Duration::from_mins(15);

/// It is looked at once more after this: the token may just have been replaced.
const LOOK_AGAIN_SOON: Duration = Duration::from_secs(30);

/// What the schedule remembers of one model within the process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cursor {
    /// Dues up to here are dealt with.
    pub dealt: DateTime<Utc>,
    /// One is wanted at once, since then: see [`want`].
    pub wanted: Option<DateTime<Utc>>,
}

/// Whether a start, a resume, a new or re-aimed entry calls for one at once: unless the last one
/// ended less than an interval ago. What is blocked is looked at again all the same.
pub fn want(model: &Model, known: &Known, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (known.block.is_some() || !known.ended_within(model.interval, now)).then_some(now)
}

/// What is to come for a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Whether `now` lies within active hours or a lead-in.
    pub active: bool,
    /// The next due; at or before `now`, it is to be sent now. None where nothing is to come.
    pub due: Option<DateTime<Utc>>,
    /// The next instant, after `now`, at which the plan may change without anything happening.
    pub look_again_at: Option<DateTime<Utc>>,
}

/// Plans for one model.
pub fn plan(model: &Model, known: &Known, live: &Live, cursor: &Cursor, now: DateTime<Utc>) -> Plan {
    let lead = delta(known.lead(model));
    let span = Span::around(model, lead, now);
    let pause_ends = known.pause.and_then(|pause| pause.until).filter(|until| *until > now);
    let look_again_at = [span.changes_at, pause_ends].into_iter().flatten().filter(|at| *at > now).min();
    let due = if !model.enabled || live.held.is_some() {
        None
    } else if known.paused(now) {
        // What comes once the pause has run out is planned then; until then this is the best guess.
        pause_ends.filter(|until| Span::around(model, lead, *until).active)
    } else if span.active {
        let due = due_within(model, known, cursor, &span, now);
        match span.ends_at {
            // A due at or after the end of the span belongs to the next lead-in; where that begins
            // before the end, as in a short break, there is no gap, and the grid goes on.
            Some(end) if due >= end => span.next_start.map(|start| if start > end { start } else { due }),
            Some(_) | None => Some(due),
        }
    } else {
        span.next_start
    };
    Plan { active: span.active, due, look_again_at }
}

/// The stretch around an instant in which a model is to be kept warm, its lead-in included.
struct Span {
    active: bool,
    /// When the lead-in began, or begins to count; none where it is open from ever.
    started_at: Option<DateTime<Utc>>,
    /// When the hours close.
    ends_at: Option<DateTime<Utc>>,
    /// When the next lead-in begins.
    next_start: Option<DateTime<Utc>>,
    changes_at: Option<DateTime<Utc>>,
}

impl Span {
    fn around(model: &Model, lead: TimeDelta, now: DateTime<Utc>) -> Self {
        let stretch = model.hours.at(now);
        if stretch.open {
            let next_open = stretch.until.and_then(|end| model.hours.at(end).until);
            return Self {
                active: true,
                started_at: stretch.since.map(|opened| opened - lead),
                ends_at: stretch.until,
                next_start: next_open.map(|opens| opens - lead),
                changes_at: stretch.until,
            };
        }
        let start = stretch.until.map(|opens| opens - lead);
        let active = start.is_some_and(|start| start <= now);
        let closes = stretch.until.and_then(|opens| model.hours.at(opens).until);
        Self {
            active,
            started_at: start,
            ends_at: if active { closes } else { None },
            next_start: start.filter(|start| *start > now),
            changes_at: if active { stretch.until } else { start },
        }
    }
}

/// The next due within an active span; it may lie beyond the span's end.
fn due_within(
    model: &Model,
    known: &Known,
    cursor: &Cursor,
    span: &Span,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let interval = model.interval;
    // A due the process slept through is one heartbeat, due when the last of them was.
    let on_grid = |after: DateTime<Utc>| {
        let next = grid::after(&model.name, interval, after);
        if next <= now { grid::at_or_before(&model.name, interval, now).max(next) } else { next }
    };
    if let Some(wanted) = cursor.wanted {
        return wanted;
    }
    let lead_in = span.started_at.filter(|start| *start > cursor.dealt && *start <= now);
    if let Some(start) = lead_in
        && !known.ended_within(interval, now)
    {
        return start.max(grid::at_or_before(&model.name, interval, now));
    }
    // Instants in the future are from before the clock was set back: they hold nothing up.
    let block = known.block.as_ref().filter(|block| block.at <= now);
    if let Some((at, pause)) =
        block.and_then(|block| Some((block.at, look_again(model, known, block.rejection)?)))
    {
        // The last due within the pause: each of them counts from a due, not from the refusal after it.
        let refused_due = grid::at_or_before(&model.name, interval, at);
        let last = grid::at_or_before(&model.name, interval, refused_due + delta(pause));
        return on_grid((last - TimeDelta::milliseconds(1)).max(at).max(cursor.dealt));
    }
    on_grid(cursor.dealt.max(backoff_ends(model, known, span, now).unwrap_or(cursor.dealt)))
}

/// How long a refused model is left alone at most, or until its next due where that is later; none
/// where that is its account's to say.
fn look_again(model: &Model, known: &Known, rejection: Rejection) -> Option<Duration> {
    let before = known.refusals.map_or(0, |refusals| refusals.times.saturating_sub(1) as usize);
    match rejection {
        Rejection::Model | Rejection::Input if known.answered_at.is_some() => {
            Some(LOOKS_AGAIN.get(before).copied().unwrap_or(LOOK_AGAIN))
        }
        Rejection::Model | Rejection::Input => Some(LOOK_AGAIN),
        Rejection::Token | Rejection::Credit if model.target.is_replicate() => None,
        Rejection::Token | Rejection::Credit => {
            Some(if before == 0 { LOOK_AGAIN_SOON } else { LOOK_AGAIN_WITH_TOKEN })
        }
    }
}

/// Until when a model that timed out or could not be reached is left alone; none where it isn't.
fn backoff_ends(model: &Model, known: &Known, span: &Span, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // Each lead-in begins anew.
    let failed = known
        .failed_dues
        .iter()
        .filter(|due| **due <= now && span.started_at.is_none_or(|start| **due >= start));
    let (in_a_row, last) = failed.fold((0_u32, None), |(count, _), due| (count + 1, Some(*due)));
    // A time-out may have taken many intervals: what counts is the last due by its end.
    let ended = known
        .last
        .as_ref()
        .filter(|last| {
            last.done_at <= now && matches!(last.outcome, Outcome::TimedOut | Outcome::Unreachable)
        })
        .map(|last| grid::at_or_before(&model.name, model.interval, last.done_at));
    let last = last?;
    let last = ended.map_or(last, |ended| ended.max(last));
    let cap = if model.target.is_replicate() { LONGEST_BACKOFF } else { LONGEST_BACKOFF_COG };
    let doubled = model.interval.saturating_mul(1 << (in_a_row - 1).min(16));
    let pause = doubled.min(cap.max(model.interval));
    // Up to a quarter earlier, by the model and the count, so that models that failed together do
    // not come back together. The first due after it on the grid is the one that is taken.
    let jitter = grid::fraction(&format!("{}#{in_a_row}", model.name.as_str())) / 4.0;
    let wait = pause.mul_f64(1.0 - jitter);
    Some(last + delta(wait) - TimeDelta::milliseconds(1))
}

#[cfg(test)]
mod tests;
