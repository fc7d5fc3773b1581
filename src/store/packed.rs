//! The journal's rows as bytes: a version byte, then the entries, one after the other.
//!
//! Owns the form on disk, apart from the types that the program works with, so that these may
//! change while old rows stay readable. Format 2 ([`form`]) is what is written: whole µs, each entry told
//! by what it differs in from the one before, some 30 B for a warm heartbeat and the time that it vouches
//! for. Format 1 ([`old`]), of files of earlier builds, is read alone.
//!
//! Times are cut off at the µs, each as counted from 1970: where a stretch began as the one before ended,
//! it still does.

mod form;
mod old;

use crate::config::value::ModelName;
use crate::heartbeat::{Certainty, Evidence, Heartbeat, Outcome, Rejection, Setup};
use crate::journal::{Entry, Spent, State, What};
use chrono::{DateTime, Utc};
use form::{Last, Reader};
use std::time::Duration;

/// The version byte.
const FORMAT: u8 = 2;
/// That of earlier builds.
const OLD: u8 = 1;
/// The most of a text that is kept, in bytes; longer ones are cut.
const TEXT: usize = 1024;
/// In µs, as all times here.
pub(super) const SECOND: i64 = 1_000_000;

/// A row that can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PackedError {
    #[error("its format is {0}")]
    Format(u8),
    #[error(transparent)]
    Old(#[from] postcard::Error),
    #[error("it ends amid an entry")]
    Short,
    #[error("it holds what no entry does")]
    Strange,
}

/// A row of the journal, read from its body.
#[derive(Debug)]
pub(super) enum Row<'a> {
    Old(Vec<Item<'a>>),
    /// Whole, as was seen.
    New(Reader<'a>),
}

/// An entry; times in µs since 1970, durations in µs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    model: u32,
    at: i64,
    what: Told<'a>,
}

/// What an entry tells.
#[derive(Debug, Clone, Copy)]
enum Told<'a> {
    Heartbeat(Beat<'a>),
    Boot { took: Option<u64> },
    Spent { from: i64, to: i64, how: Spent },
    Setup { started: Exact, completed: Option<Exact> },
    Paused { until: Option<i64> },
    Resumed,
    Aimed { at: &'a str },
    State { from: State, to: State, reason: Option<&'a str> },
    Tracked,
}

#[derive(Debug, Clone, Copy)]
struct Beat<'a> {
    in_hours: bool,
    due: i64,
    sent: i64,
    done: i64,
    outcome: Outcome,
    evidence: Option<Evidence>,
    certainty: Certainty,
    total: Option<u64>,
    wait: Option<u64>,
    predict: Option<u64>,
    error: Option<&'a str>,
    rejection: Option<Rejection>,
}

/// A time to the ns: a server's own, which is compared with what it tells the next time.
#[derive(Debug, Clone, Copy)]
struct Exact {
    micros: i64,
    /// Beyond those, under 1,000.
    nanos: u16,
}

/// What an entry adds to the sums; times in µs since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sum {
    Heartbeat { outcome: Outcome, in_hours: bool, total: Option<Duration> },
    Boot { took: Option<Duration> },
    Spent { from: i64, to: i64, how: Spent },
}

/// A row's body in the making, to which entries are added.
#[derive(Debug, Default)]
pub(super) struct Packer {
    body: Vec<u8>,
    last: Last,
}

/// A state of a [`Packer`], to go back to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    len: usize,
    last: Last,
}

impl Packer {
    pub(super) fn push(&mut self, model: u32, entry: &Entry) {
        self.add(&Item { model, at: entry.at.timestamp_micros(), what: told(&entry.what) });
    }

    fn add(&mut self, item: &Item<'_>) {
        if self.body.is_empty() {
            self.body.push(FORMAT);
        }
        form::write(&mut self.body, &mut self.last, item);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { len: self.body.len(), last: self.last }
    }

    /// As if nothing had been added since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.body.truncate(mark.len);
        self.last = mark.last;
    }

    /// What was added since: what comes before it in the body is needed to read it.
    pub(super) fn since(&self, mark: Mark) -> &[u8] {
        &self.body[mark.len..]
    }

    /// Empty where nothing was added.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Entries, each with its model's number, as a row's body; of none, nothing.
pub(super) fn pack<'a>(entries: impl IntoIterator<Item = (u32, &'a Entry)>) -> Vec<u8> {
    let mut packer = Packer::default();
    for (model, entry) in entries {
        packer.push(model, entry);
    }
    packer.body
}

/// Back from [`pack`]; all of it, or an error. Nothing holds nothing.
pub(super) fn unpack(body: &[u8]) -> Result<Row<'_>, PackedError> {
    match body.split_first() {
        Some((&FORMAT, rest)) => {
            let whole = Reader::new(rest);
            let mut reader = whole;
            while reader.read()?.is_some() {}
            Ok(Row::New(whole))
        }
        Some((&OLD, rest)) => Ok(Row::Old(old::read(rest)?)),
        Some((format, _)) => Err(PackedError::Format(*format)),
        None => Ok(Row::New(Reader::new(body))),
    }
}

/// A row's body without what it tells as spent from `now` on, and the latest instant it speaks of then.
pub(super) fn cut(body: &[u8], now: DateTime<Utc>) -> Result<(i64, Vec<u8>), PackedError> {
    let (mut packer, mut until) = (Packer::default(), i64::MIN);
    let end = now.timestamp_micros();
    for mut item in unpack(body)?.items() {
        let mut latest = item.at;
        if let Told::Spent { from, to, .. } = &mut item.what {
            *to = (*to).min(end);
            if to <= from {
                continue;
            }
            latest = latest.max(*to);
        }
        until = until.max(latest);
        packer.add(&item);
    }
    Ok((until.div_euclid(SECOND), packer.body))
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

fn told(what: &What) -> Told<'_> {
    match what {
        What::Heartbeat { heartbeat: h, in_hours } => Told::Heartbeat(Beat {
            in_hours: *in_hours,
            due: h.due_at.timestamp_micros(),
            sent: h.sent_at.timestamp_micros(),
            done: h.done_at.timestamp_micros(),
            outcome: h.outcome,
            evidence: h.evidence,
            certainty: h.certainty,
            total: h.total.map(micros),
            wait: h.wait.map(micros),
            predict: h.predict.map(micros),
            error: h.error.as_deref().map(clip),
            rejection: h.rejection,
        }),
        What::Boot { took } => Told::Boot { took: took.map(micros) },
        What::Spent { from, to, how } => {
            Told::Spent { from: from.timestamp_micros(), to: to.timestamp_micros(), how: *how }
        }
        What::Setup(setup) => {
            Told::Setup { started: Exact::of(setup.started_at), completed: setup.completed_at.map(Exact::of) }
        }
        What::Paused { until } => Told::Paused { until: until.map(|until| until.timestamp_micros()) },
        What::Resumed => Told::Resumed,
        What::Aimed { at } => Told::Aimed { at: clip(at) },
        What::State { from, to, reason } => {
            Told::State { from: *from, to: *to, reason: reason.as_deref().map(clip) }
        }
        What::Tracked => Told::Tracked,
    }
}

impl<'a> Row<'a> {
    /// The entries as the program knows them, each with its model's number. One whose model has no
    /// name, or whose time no calendar has, is left out: only a damaged file holds such.
    pub(super) fn entries<'s>(
        &'s self,
        name: impl Fn(u32) -> Option<ModelName> + 's,
    ) -> impl Iterator<Item = Entry> + 's {
        self.items().filter_map(move |item| {
            Some(Entry {
                model: name(item.model)?,
                at: DateTime::from_timestamp_micros(item.at)?,
                what: item.what.known()?,
            })
        })
    }

    /// The numbers of its models, one for each entry.
    pub(super) fn models(&self) -> impl Iterator<Item = u32> + '_ {
        self.items().map(|item| item.model)
    }

    /// What the entries add to the sums: (model, at in µs, what).
    pub(super) fn sums(&self) -> impl Iterator<Item = (u32, i64, Sum)> + '_ {
        self.items().filter_map(|item| {
            let sum = match item.what {
                Told::Heartbeat(Beat { outcome, in_hours, total, .. }) => {
                    Sum::Heartbeat { outcome, in_hours, total: total.map(Duration::from_micros) }
                }
                Told::Boot { took } => Sum::Boot { took: took.map(Duration::from_micros) },
                Told::Spent { from, to, how } => Sum::Spent { from, to, how },
                Told::Setup { .. }
                | Told::Paused { .. }
                | Told::Resumed
                | Told::Aimed { .. }
                | Told::State { .. }
                | Told::Tracked => return None,
            };
            Some((item.model, item.at, sum))
        })
    }

    fn items(&self) -> Items<'_, 'a> {
        match self {
            Self::Old(items) => Items::Old(items.iter()),
            Self::New(reader) => Items::New(*reader),
        }
    }
}

enum Items<'s, 'a> {
    Old(std::slice::Iter<'s, Item<'a>>),
    New(Reader<'a>),
}

impl<'a> Iterator for Items<'_, 'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Self::Old(items) => items.next().copied(),
            // That all of it can be read was seen before.
            Self::New(reader) => reader.read().ok().flatten(),
        }
    }
}

impl Told<'_> {
    fn known(&self) -> Option<What> {
        let moment = DateTime::from_timestamp_micros;
        // Some(None) is none; None is a time that no calendar has.
        let maybe = |t: Option<i64>| t.map_or(Some(None), |t| moment(t).map(Some));
        Some(match *self {
            Self::Heartbeat(beat) => What::Heartbeat {
                heartbeat: Heartbeat {
                    due_at: moment(beat.due)?,
                    sent_at: moment(beat.sent)?,
                    done_at: moment(beat.done)?,
                    outcome: beat.outcome,
                    evidence: beat.evidence,
                    certainty: beat.certainty,
                    total: beat.total.map(Duration::from_micros),
                    wait: beat.wait.map(Duration::from_micros),
                    predict: beat.predict.map(Duration::from_micros),
                    error: beat.error.map(str::to_owned),
                    rejection: beat.rejection,
                },
                in_hours: beat.in_hours,
            },
            Self::Boot { took } => What::Boot { took: took.map(Duration::from_micros) },
            Self::Spent { from, to, how } => What::Spent { from: moment(from)?, to: moment(to)?, how },
            Self::Setup { started, completed } => What::Setup(Setup {
                started_at: started.time()?,
                completed_at: match completed {
                    Some(completed) => Some(completed.time()?),
                    None => None,
                },
            }),
            Self::Paused { until } => What::Paused { until: maybe(until)? },
            Self::Resumed => What::Resumed,
            Self::Aimed { at } => What::Aimed { at: at.to_owned() },
            Self::State { from, to, reason } => What::State { from, to, reason: reason.map(str::to_owned) },
            Self::Tracked => What::Tracked,
        })
    }
}

impl Exact {
    fn of(time: DateTime<Utc>) -> Self {
        Self { micros: time.timestamp_micros(), nanos: (time.timestamp_subsec_nanos() % 1000) as u16 }
    }

    fn time(self) -> Option<DateTime<Utc>> {
        let second = self.micros.div_euclid(SECOND);
        let nanos = self.micros.rem_euclid(SECOND) as u32 * 1000 + u32::from(self.nanos);
        DateTime::from_timestamp(second, nanos)
    }
}

/// Whole µs; what is longer than 584,000 years is that long.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT)]
}

#[cfg(test)]
mod tests;
