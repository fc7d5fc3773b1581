//! Format 1, of the builds up to schema 2: postcard, times in ns from the row's first entry. Read alone.

use super::{Beat, Exact, Item, PackedError, Told, micros};
use crate::heartbeat::{Certainty, Evidence, Outcome, Rejection};
use crate::journal::{Spent, State};
use serde::Deserialize;
use std::time::Duration;

#[derive(Debug, Deserialize)]
struct Row<'a> {
    /// What the entries' times count from: ns since 1970.
    base: i128,
    #[serde(borrow)]
    entries: Vec<Packed<'a>>,
}

/// An entry; times are ns from the row's base, except where told.
#[derive(Debug, Deserialize)]
struct Packed<'a> {
    model: u32,
    at: i128,
    #[serde(borrow)]
    what: PackedWhat<'a>,
}

#[derive(Debug, Deserialize)]
enum PackedWhat<'a> {
    Heartbeat {
        in_hours: bool,
        due: i128,
        /// From `due`.
        sent: i128,
        /// From `at`.
        done: i128,
        outcome: Outcome,
        evidence: Option<Evidence>,
        total: Option<Duration>,
        wait: Option<Duration>,
        predict: Option<Duration>,
        #[serde(borrow)]
        error: Option<&'a str>,
        rejection: Option<Rejection>,
    },
    Boot {
        took: Option<Duration>,
    },
    Spent {
        from: i128,
        to: i128,
        how: Spent,
    },
    Setup {
        started: i128,
        completed: Option<i128>,
    },
    Paused {
        until: Option<i128>,
    },
    Resumed,
    Aimed {
        at: &'a str,
    },
    State {
        from: State,
        to: State,
        #[serde(borrow)]
        reason: Option<&'a str>,
    },
    Tracked,
}

/// The entries of a body without its version byte. One whose time is beyond all that µs can tell is left
/// out: only a damaged file holds such.
pub(super) fn read(rest: &[u8]) -> Result<Vec<Item<'_>>, PackedError> {
    let Row { base, entries } = postcard::from_bytes(rest)?;
    Ok(entries.into_iter().filter_map(|packed| item(base, &packed)).collect())
}

fn item<'a>(base: i128, packed: &Packed<'a>) -> Option<Item<'a>> {
    let at = base.checked_add(packed.at)?;
    let time = |t: i128| whole(base.checked_add(t)?);
    let exact = |t: i128| {
        let t = base.checked_add(t)?;
        Some(Exact { micros: whole(t)?, nanos: t.rem_euclid(1000) as u16 })
    };
    let what = match packed.what {
        PackedWhat::Heartbeat {
            in_hours,
            due,
            sent,
            done,
            outcome,
            evidence,
            total,
            wait,
            predict,
            error,
            rejection,
        } => Told::Heartbeat(Beat {
            in_hours,
            due: time(due)?,
            sent: time(due.checked_add(sent)?)?,
            done: whole(at.checked_add(done)?)?,
            outcome,
            evidence,
            certainty: Certainty::FULL,
            total: total.map(micros),
            wait: wait.map(micros),
            predict: predict.map(micros),
            error,
            rejection,
        }),
        PackedWhat::Boot { took } => Told::Boot { took: took.map(micros) },
        PackedWhat::Spent { from, to, how } => Told::Spent { from: time(from)?, to: time(to)?, how },
        PackedWhat::Setup { started, completed } => Told::Setup {
            started: exact(started)?,
            completed: match completed {
                Some(completed) => Some(exact(completed)?),
                None => None,
            },
        },
        PackedWhat::Paused { until } => Told::Paused {
            until: match until {
                Some(until) => Some(time(until)?),
                None => None,
            },
        },
        PackedWhat::Resumed => Told::Resumed,
        PackedWhat::Aimed { at } => Told::Aimed { at },
        PackedWhat::State { from, to, reason } => Told::State { from, to, reason },
        PackedWhat::Tracked => Told::Tracked,
    };
    Some(Item { model: packed.model, at: whole(at)?, what })
}

/// Whole µs of a time in ns.
fn whole(nanos: i128) -> Option<i64> {
    i64::try_from(nanos.div_euclid(1000)).ok()
}
