//! The journal's rows as bytes: a version byte, then postcard.
//!
//! Owns the form on disk, apart from the types that the program works with, so that these may
//! change while old rows stay readable. In postcard a variant is its position and a field its
//! place: new variants are added at the end, and whatever else changes needs a new version byte.
//! Models are small numbers ([`super::names`]), times are ns from the row's first entry: a warm
//! heartbeat takes some 45 B.

use crate::config::value::ModelName;
use crate::heartbeat::{Evidence, Heartbeat, Outcome, Rejection, Setup};
use crate::journal::{Entry, Spent, State, What};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version byte.
const FORMAT: u8 = 1;
/// The most of a text that is kept, in bytes; longer ones are cut.
const TEXT: usize = 1024;
const SECOND: i128 = 1_000_000_000;

/// A row that can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum PackedError {
    #[error("its format is {0:?}")]
    Format(Option<u8>),
    #[error(transparent)]
    Content(#[from] postcard::Error),
}

/// A row of the journal.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row<'a> {
    /// What the entries' times count from: ns since 1970.
    base: i128,
    #[serde(borrow)]
    entries: Vec<Packed<'a>>,
}

/// An entry; times are ns from the row's base, except where told.
#[derive(Debug, Serialize, Deserialize)]
struct Packed<'a> {
    model: u32,
    at: i128,
    #[serde(borrow)]
    what: PackedWhat<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
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

/// What an entry adds to the sums; times in ns since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sum {
    Heartbeat { outcome: Outcome, in_hours: bool, total: Option<Duration> },
    Boot { took: Option<Duration> },
    Spent { from: i128, to: i128, how: Spent },
}

/// Entries, each with its model's number, as a row's body.
pub(super) fn pack<'a>(entries: impl IntoIterator<Item = (u32, &'a Entry)>) -> Vec<u8> {
    let mut entries = entries.into_iter().peekable();
    let base = entries.peek().map_or(0, |(_, first)| nanos(first.at));
    let entries = entries
        .map(|(model, entry)| Packed { model, at: nanos(entry.at) - base, what: pack_what(entry, base) })
        .collect();
    postcard::to_extend(&Row { base, entries }, vec![FORMAT]).expect("into memory, of known lengths")
}

/// Back from [`pack`].
pub(super) fn unpack(body: &[u8]) -> Result<Row<'_>, PackedError> {
    match body.split_first() {
        Some((&FORMAT, rest)) => Ok(postcard::from_bytes(rest)?),
        other => Err(PackedError::Format(other.map(|(format, _)| *format))),
    }
}

/// A row's body without what it tells as spent from `now` on, and the latest instant it speaks of then.
pub(super) fn cut(body: &[u8], now: DateTime<Utc>) -> Result<(i64, Vec<u8>), PackedError> {
    let mut row = unpack(body)?;
    let (base, mut until) = (row.base, i128::MIN);
    let end = nanos(now) - base;
    row.entries.retain_mut(|entry| {
        let mut latest = entry.at;
        if let PackedWhat::Spent { from, to, .. } = &mut entry.what {
            *to = (*to).min(end);
            if to <= from {
                return false;
            }
            latest = latest.max(*to);
        }
        until = until.max(base.saturating_add(latest));
        true
    });
    let until = i64::try_from(until.div_euclid(SECOND)).unwrap_or(i64::MIN);
    Ok((until, postcard::to_extend(&row, vec![FORMAT]).expect("into memory, of known lengths")))
}

/// The latest instant that an entry speaks of, in whole seconds: when its row may be folded.
pub(super) fn until(entry: &Entry) -> i64 {
    match &entry.what {
        What::Spent { to, .. } => entry.at.max(*to),
        What::Heartbeat { .. }
        | What::Boot { .. }
        | What::Setup(_)
        | What::Paused { .. }
        | What::Resumed
        | What::Aimed { .. }
        | What::State { .. }
        | What::Tracked => entry.at,
    }
    .timestamp()
}

fn pack_what(entry: &Entry, base: i128) -> PackedWhat<'_> {
    let from_base = |t: DateTime<Utc>| nanos(t) - base;
    match &entry.what {
        What::Heartbeat { heartbeat: h, in_hours } => PackedWhat::Heartbeat {
            in_hours: *in_hours,
            due: from_base(h.due_at),
            sent: nanos(h.sent_at) - nanos(h.due_at),
            done: nanos(h.done_at) - nanos(entry.at),
            outcome: h.outcome,
            evidence: h.evidence,
            total: h.total,
            wait: h.wait,
            predict: h.predict,
            error: h.error.as_deref().map(clip),
            rejection: h.rejection,
        },
        What::Boot { took } => PackedWhat::Boot { took: *took },
        What::Spent { from, to, how } => {
            PackedWhat::Spent { from: from_base(*from), to: from_base(*to), how: *how }
        }
        What::Setup(setup) => PackedWhat::Setup {
            started: from_base(setup.started_at),
            completed: setup.completed_at.map(from_base),
        },
        What::Paused { until } => PackedWhat::Paused { until: until.map(from_base) },
        What::Resumed => PackedWhat::Resumed,
        What::Aimed { at } => PackedWhat::Aimed { at: clip(at) },
        What::State { from, to, reason } => {
            PackedWhat::State { from: *from, to: *to, reason: reason.as_deref().map(clip) }
        }
        What::Tracked => PackedWhat::Tracked,
    }
}

impl Row<'_> {
    /// The entries as the program knows them. One whose model has no name, or whose time no
    /// calendar has, is left out: only a damaged file holds such.
    pub(super) fn entries<'s>(
        &'s self,
        name: impl Fn(u32) -> Option<ModelName> + 's,
    ) -> impl Iterator<Item = Entry> + 's {
        self.entries.iter().filter_map(move |packed| {
            let at = self.base.checked_add(packed.at)?;
            Some(Entry { model: name(packed.model)?, at: time(at)?, what: self.what(&packed.what, at)? })
        })
    }

    /// What the entries add to the sums: (model, at in ns, what).
    pub(super) fn sums(&self) -> impl Iterator<Item = (u32, i128, Sum)> + '_ {
        self.entries.iter().filter_map(|packed| {
            let since_1970 = |t: i128| self.base.saturating_add(t);
            let sum = match packed.what {
                PackedWhat::Heartbeat { outcome, in_hours, total, .. } => {
                    Sum::Heartbeat { outcome, in_hours, total }
                }
                PackedWhat::Boot { took } => Sum::Boot { took },
                PackedWhat::Spent { from, to, how } => {
                    Sum::Spent { from: since_1970(from), to: since_1970(to), how }
                }
                PackedWhat::Setup { .. }
                | PackedWhat::Paused { .. }
                | PackedWhat::Resumed
                | PackedWhat::Aimed { .. }
                | PackedWhat::State { .. }
                | PackedWhat::Tracked => return None,
            };
            Some((packed.model, since_1970(packed.at), sum))
        })
    }

    fn what(&self, what: &PackedWhat<'_>, entry_at: i128) -> Option<What> {
        let moment = |t: i128| self.base.checked_add(t).and_then(time);
        // Some(None) is none; None is a time that no calendar has.
        let maybe = |t: Option<i128>| t.map_or(Some(None), |t| moment(t).map(Some));
        Some(match *what {
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
            } => What::Heartbeat {
                heartbeat: Heartbeat {
                    due_at: moment(due)?,
                    sent_at: moment(due.checked_add(sent)?)?,
                    done_at: time(entry_at.checked_add(done)?)?,
                    outcome,
                    evidence,
                    total,
                    wait,
                    predict,
                    error: error.map(str::to_owned),
                    rejection,
                },
                in_hours,
            },
            PackedWhat::Boot { took } => What::Boot { took },
            PackedWhat::Spent { from, to, how } => What::Spent { from: moment(from)?, to: moment(to)?, how },
            PackedWhat::Setup { started, completed } => {
                What::Setup(Setup { started_at: moment(started)?, completed_at: maybe(completed)? })
            }
            PackedWhat::Paused { until } => What::Paused { until: maybe(until)? },
            PackedWhat::Resumed => What::Resumed,
            PackedWhat::Aimed { at } => What::Aimed { at: at.to_owned() },
            PackedWhat::State { from, to, reason } => {
                What::State { from, to, reason: reason.map(str::to_owned) }
            }
            PackedWhat::Tracked => What::Tracked,
        })
    }
}

pub(super) fn nanos(t: DateTime<Utc>) -> i128 {
    i128::from(t.timestamp()) * SECOND + i128::from(t.timestamp_subsec_nanos())
}

fn time(nanos: i128) -> Option<DateTime<Utc>> {
    let seconds = i64::try_from(nanos.div_euclid(SECOND)).ok()?;
    DateTime::from_timestamp(seconds, nanos.rem_euclid(SECOND) as u32)
}

fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT)]
}

#[cfg(test)]
mod tests;
