//! Format 2: an entry as bytes.
//!
//! Its first byte is what it tells in the four low bits, then whether its model and its time are those of
//! the entry before, then two bits that each kind has for itself. What follows are varints (seven bits a byte,
//! low ones first), differences of times zigzagged; an entry's own times are told as their distance from
//! its `at`, and that as its distance from the `at` before. Numbers here stand for what they stand for in
//! files in use: new ones are added, none is given away.

use super::{Beat, Exact, Item, PackedError, Told};
use crate::heartbeat::{Certainty, Evidence, Outcome, Rejection};
use crate::journal::{Spent, State};

/// A heartbeat that ended at its `at`, without an error or a rejection.
const PLAIN: u8 = 0;
const HEARTBEAT: u8 = 1;
const BOOT: u8 = 2;
const SPENT: u8 = 3;
const SETUP: u8 = 4;
const PAUSED: u8 = 5;
const RESUMED: u8 = 6;
const AIMED: u8 = 7;
const STATE: u8 = 8;
const TRACKED: u8 = 9;
/// A heartbeat that is not certain, told as [`HEARTBEAT`] is, its certainty in thousandths after it.
const DOUBTFUL: u8 = 10;

const SAME_MODEL: u8 = 1 << 4;
const SAME_AT: u8 = 1 << 5;
/// The bits of the kinds' own.
const ONE: u8 = 1 << 6;
const TWO: u8 = 1 << 7;

const OUTCOMES: [Outcome; 10] = [
    Outcome::Warm,
    Outcome::Cold,
    Outcome::Busy,
    Outcome::Failed,
    Outcome::Rejected,
    Outcome::RateLimited,
    Outcome::TimedOut,
    Outcome::Unreachable,
    Outcome::Skipped,
    Outcome::Calibration,
];
const EVIDENCE: [Option<Evidence>; 4] =
    [None, Some(Evidence::SetupTime), Some(Evidence::QueueWait), Some(Evidence::Latency)];
const REJECTIONS: [Option<Rejection>; 5] =
    [None, Some(Rejection::Token), Some(Rejection::Credit), Some(Rejection::Model), Some(Rejection::Input)];
const SPENTS: [Spent; 3] = [Spent::Warm, Spent::Cold, Spent::Unknown];
const STATES: [State; 9] = [
    State::Disabled,
    State::Paused,
    State::Idle,
    State::Blocked,
    State::Failing,
    State::Booting,
    State::Warm,
    State::Cold,
    State::Unknown,
];

/// What the next entry is told by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Last {
    model: u32,
    at: i64,
}

pub(super) fn write(out: &mut Vec<u8>, last: &mut Last, item: &Item<'_>) {
    let at = item.at;
    let (kind, own) = head(item);
    let same =
        if item.model == last.model { SAME_MODEL } else { 0 } | if at == last.at { SAME_AT } else { 0 };
    out.push(kind | same | own);
    if item.model != last.model {
        varint(out, u64::from(item.model));
    }
    if at != last.at {
        apart(out, at, last.at);
    }
    *last = Last { model: item.model, at };
    match item.what {
        Told::Heartbeat(beat) => {
            heartbeat(out, &beat, at, kind == PLAIN);
            if kind == DOUBTFUL {
                varint(out, beat.certainty.thousandths().into());
            }
        }
        Told::Boot { took } => took.into_iter().for_each(|took| varint(out, took)),
        Told::Spent { from, to, .. } => {
            apart(out, to, at);
            apart(out, from, to);
        }
        Told::Setup { started, completed } => {
            exact(out, started, at);
            if let Some(completed) = completed {
                exact(out, completed, at);
            }
        }
        Told::Paused { until } => until.into_iter().for_each(|until| apart(out, until, at)),
        Told::Resumed | Told::Tracked => {}
        Told::Aimed { at } => text(out, at),
        Told::State { from, to, reason } => {
            out.extend([number(&STATES, &from), number(&STATES, &to)]);
            if let Some(reason) = reason {
                text(out, reason);
            }
        }
    }
}

/// The kind, and its own bits.
fn head(item: &Item<'_>) -> (u8, u8) {
    let bit = |bit, so| if so { bit } else { 0 };
    match item.what {
        Told::Heartbeat(beat) => {
            let is_plain = beat.done == item.at && beat.error.is_none() && beat.rejection.is_none();
            let own = bit(ONE, beat.in_hours) | bit(TWO, beat.predict.is_some());
            let kind = match beat.certainty {
                Certainty::FULL if is_plain => PLAIN,
                Certainty::FULL => HEARTBEAT,
                _ => DOUBTFUL,
            };
            (kind, own)
        }
        Told::Boot { took } => (BOOT, bit(ONE, took.is_some())),
        Told::Spent { how, .. } => (SPENT, number(&SPENTS, &how) << 6),
        Told::Setup { completed, .. } => (SETUP, bit(ONE, completed.is_some())),
        Told::Paused { until } => (PAUSED, bit(ONE, until.is_some())),
        Told::Resumed => (RESUMED, 0),
        Told::Aimed { .. } => (AIMED, 0),
        Told::State { reason, .. } => (STATE, bit(ONE, reason.is_some())),
        Told::Tracked => (TRACKED, 0),
    }
}

/// Its second byte: the outcome in the four low bits, the evidence in two (that of a calibration is known), then
/// whether there is a total and a wait.
fn heartbeat(out: &mut Vec<u8>, beat: &Beat<'_>, at: i64, plain: bool) {
    let verdict = number(&OUTCOMES, &beat.outcome) | number(&EVIDENCE, &beat.evidence) << 4;
    let times = if beat.total.is_some() { ONE } else { 0 } | if beat.wait.is_some() { TWO } else { 0 };
    out.push(verdict | times);
    apart(out, beat.due, at);
    apart(out, beat.sent, beat.due);
    [beat.total, beat.wait, beat.predict].into_iter().flatten().for_each(|time| varint(out, time));
    if !plain {
        apart(out, beat.done, at);
        // No text is 0, so an empty one is 1.
        match beat.error {
            Some(error) => {
                varint(out, error.len() as u64 + 1);
                out.extend(error.as_bytes());
            }
            None => out.push(0),
        }
        out.push(number(&REJECTIONS, &beat.rejection));
    }
}

fn exact(out: &mut Vec<u8>, time: Exact, at: i64) {
    apart(out, time.micros, at);
    varint(out, u64::from(time.nanos));
}

fn text(out: &mut Vec<u8>, text: &str) {
    varint(out, text.len() as u64);
    out.extend(text.as_bytes());
}

/// How far `time` is from another, which may be any distance: it wraps around, there and back.
fn apart(out: &mut Vec<u8>, time: i64, from: i64) {
    let distance = time.wrapping_sub(from);
    varint(out, ((distance << 1) ^ (distance >> 63)).cast_unsigned());
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// What stands for it: its place in the list, which holds all there are.
fn number<T: PartialEq>(list: &[T], one: &T) -> u8 {
    list.iter().position(|other| other == one).unwrap_or_default() as u8
}

/// Reads a body's entries, one by one.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Reader<'a> {
    rest: &'a [u8],
    last: Last,
}

impl<'a> Reader<'a> {
    /// Of a body without its version byte.
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest, last: Last::default() }
    }

    /// The next; none at the end.
    pub(super) fn read(&mut self) -> Result<Option<Item<'a>>, PackedError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let head = self.byte()?;
        if head & SAME_MODEL == 0 {
            self.last.model = u32::try_from(self.varint()?).map_err(|_| PackedError::Strange)?;
        }
        if head & SAME_AT == 0 {
            self.last.at = self.apart(self.last.at)?;
        }
        let Last { model, at } = self.last;
        let (one, two) = (head & ONE != 0, head & TWO != 0);
        let what = match head & 0x0f {
            PLAIN => Told::Heartbeat(self.heartbeat(at, one, two)?),
            HEARTBEAT => Told::Heartbeat(self.whole_heartbeat(at, one, two)?),
            DOUBTFUL => {
                let beat = self.whole_heartbeat(at, one, two)?;
                let certainty = Certainty::from_thousandths(self.varint()?).ok_or(PackedError::Strange)?;
                Told::Heartbeat(Beat { certainty, ..beat })
            }
            BOOT => Told::Boot { took: self.maybe(one, Self::varint)? },
            SPENT => {
                let to = self.apart(at)?;
                Told::Spent { from: self.apart(to)?, to, how: one_of(&SPENTS, head >> 6)? }
            }
            SETUP => Told::Setup {
                started: self.exact(at)?,
                completed: self.maybe(one, |reader| reader.exact(at))?,
            },
            PAUSED => Told::Paused { until: self.maybe(one, |reader| reader.apart(at))? },
            RESUMED => Told::Resumed,
            AIMED => {
                let len = self.varint()?;
                Told::Aimed { at: self.text(len)? }
            }
            STATE => {
                let (from, to) = (one_of(&STATES, self.byte()?)?, one_of(&STATES, self.byte()?)?);
                let reason = self.maybe(one, |reader| {
                    let len = reader.varint()?;
                    reader.text(len)
                })?;
                Told::State { from, to, reason }
            }
            TRACKED => Told::Tracked,
            _ => return Err(PackedError::Strange),
        };
        Ok(Some(Item { model, at, what }))
    }

    fn whole_heartbeat(&mut self, at: i64, in_hours: bool, predict: bool) -> Result<Beat<'a>, PackedError> {
        let beat = self.heartbeat(at, in_hours, predict)?;
        let done = self.apart(at)?;
        let error = match self.varint()? {
            0 => None,
            len => Some(self.text(len - 1)?),
        };
        Ok(Beat { done, error, rejection: one_of(&REJECTIONS, self.byte()?)?, ..beat })
    }

    /// As far as a plain one goes.
    fn heartbeat(&mut self, at: i64, in_hours: bool, predict: bool) -> Result<Beat<'a>, PackedError> {
        let verdict = self.byte()?;
        let due = self.apart(at)?;
        let outcome = one_of(&OUTCOMES, verdict & 0x0f)?;
        let evidence = one_of(&EVIDENCE, verdict >> 4 & 0x03)?;
        Ok(Beat {
            in_hours,
            due,
            sent: self.apart(due)?,
            done: at,
            outcome,
            evidence: if outcome == Outcome::Calibration { Some(Evidence::Calibrated) } else { evidence },
            certainty: Certainty::FULL,
            total: self.maybe(verdict & ONE != 0, Self::varint)?,
            wait: self.maybe(verdict & TWO != 0, Self::varint)?,
            predict: self.maybe(predict, Self::varint)?,
            error: None,
            rejection: None,
        })
    }

    fn maybe<T>(
        &mut self,
        there: bool,
        read: impl FnOnce(&mut Self) -> Result<T, PackedError>,
    ) -> Result<Option<T>, PackedError> {
        there.then(|| read(self)).transpose()
    }

    fn exact(&mut self, at: i64) -> Result<Exact, PackedError> {
        let micros = self.apart(at)?;
        match u16::try_from(self.varint()?) {
            Ok(nanos @ 0..1000) => Ok(Exact { micros, nanos }),
            Ok(_) | Err(_) => Err(PackedError::Strange),
        }
    }

    fn text(&mut self, len: u64) -> Result<&'a str, PackedError> {
        let len = usize::try_from(len).map_err(|_| PackedError::Short)?;
        let (text, rest) = self.rest.split_at_checked(len).ok_or(PackedError::Short)?;
        self.rest = rest;
        str::from_utf8(text).map_err(|_| PackedError::Strange)
    }

    fn apart(&mut self, from: i64) -> Result<i64, PackedError> {
        let distance = self.varint()?;
        Ok(from.wrapping_add((distance >> 1).cast_signed() ^ -(distance & 1).cast_signed()))
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, PackedError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // The tenth byte has room for the 64th bit alone.
                return if shift == 63 && byte > 1 { Err(PackedError::Strange) } else { Ok(number) };
            }
        }
        Err(PackedError::Strange)
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, PackedError> {
        let (byte, rest) = self.rest.split_first().ok_or(PackedError::Short)?;
        self.rest = rest;
        Ok(*byte)
    }
}

fn one_of<T: Copy>(list: &[T], number: u8) -> Result<T, PackedError> {
    list.get(usize::from(number)).copied().ok_or(PackedError::Strange)
}
