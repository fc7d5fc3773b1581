//! A time zone: instants ↔ civil time, gaps told from folds.
//!
//! Owns what a zone's clocks read. Two readers of its rules hide behind it: jiff's for the system's
//! `TZif` files, chrono-tz's for the copy built in; nothing outside sees either.

pub use super::offset_names::Meaning;
use super::span::{DAY, Seconds};
pub use super::zones::{Fingerprint, ZoneError, Zones};
use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset as _, TimeZone as _, Utc};
use std::sync::Arc;

/// A time zone. Two are equal when their names are: what the name stood for may have been read
/// at different times.
#[derive(Debug, Clone)]
pub struct Zone(Arc<Known>);

#[derive(Debug)]
struct Known {
    name: String,
    rules: Rules,
}

/// How a zone's offsets are known.
#[derive(Debug)]
pub(super) enum Rules {
    /// From a file of the system's.
    System(jiff::tz::TimeZone),
    /// From the copy built in.
    BuiltIn(chrono_tz::Tz),
}

/// The instants at which a zone's clocks read a civil time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instants<T = DateTime<Utc>> {
    /// One.
    Once(T),
    /// None: clocks are set forward over it.
    Gap {
        /// The first instant after the gap.
        after: T,
    },
    /// Two: clocks are set back over it.
    Fold {
        /// The earlier.
        first: T,
        /// When clocks are set back, between the two (or at the later one).
        change: T,
        /// The later.
        second: T,
    },
}

impl<T: Copy> Instants<T> {
    /// Where a window that starts at this civil time starts.
    pub const fn start(&self) -> T {
        match *self {
            Self::Once(t) | Self::Gap { after: t } | Self::Fold { first: t, .. } => t,
        }
    }

    /// Where a window that ends at this civil time ends.
    pub const fn end(&self) -> T {
        match *self {
            Self::Once(t) | Self::Gap { after: t } | Self::Fold { second: t, .. } => t,
        }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Zone {}

impl Zone {
    pub(super) fn new(name: &str, rules: Rules) -> Self {
        Self(Arc::new(Known { name: name.to_owned(), rules }))
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether its rules are the copy built in, not the system's.
    pub fn is_built_in(&self) -> bool {
        matches!(self.0.rules, Rules::BuiltIn(_))
    }

    /// What its clocks are ahead of UTC by.
    pub fn offset_at(&self, t: DateTime<Utc>) -> FixedOffset {
        // In range by `offset_of`; UTC otherwise.
        FixedOffset::east_opt(self.offset_of(t.timestamp()) as i32).unwrap_or(Utc.fix())
    }

    /// What its clocks read.
    pub fn local(&self, t: DateTime<Utc>) -> DateTime<FixedOffset> {
        t.with_timezone(&self.offset_at(t))
    }

    /// When its clocks read that, to the whole second.
    pub fn instants(&self, civil: NaiveDateTime) -> Instants {
        let utc = |t: Seconds| DateTime::from_timestamp(t, 0).unwrap_or(civil.and_utc());
        match self.instants_of(civil.and_utc().timestamp()) {
            Instants::Once(t) => Instants::Once(utc(t)),
            Instants::Gap { after } => Instants::Gap { after: utc(after) },
            Instants::Fold { first, change, second } => {
                Instants::Fold { first: utc(first), change: utc(change), second: utc(second) }
            }
        }
    }

    /// What its clocks are ahead of UTC by, in seconds, less than a day. Beyond the years that
    /// jiff can tell (-9999 to 9999) the offset stays what it was.
    pub(super) fn offset_of(&self, t: Seconds) -> Seconds {
        let t = t.clamp(jiff::Timestamp::MIN.as_second(), jiff::Timestamp::MAX.as_second());
        let offset = match &self.0.rules {
            Rules::System(tz) => jiff::Timestamp::from_second(t).map_or(0, |t| tz.to_offset(t).seconds()),
            Rules::BuiltIn(tz) => DateTime::from_timestamp(t, 0)
                .map_or(0, |t| tz.offset_from_utc_datetime(&t.naive_utc()).fix().local_minus_utc()),
        };
        Seconds::from(offset).clamp(1 - DAY, DAY - 1)
    }

    /// When its clocks read that civil time, given as the seconds from 1970-01-01T00:00:00 that
    /// clocks in UTC would need to read it.
    pub(super) fn instants_of(&self, civil: Seconds) -> Instants<Seconds> {
        let Ok(as_utc) = jiff::Timestamp::from_second(civil) else {
            return Instants::Once(civil - self.offset_of(civil));
        };
        match &self.0.rules {
            Rules::System(tz) => self.system_instants(tz, as_utc, civil),
            Rules::BuiltIn(tz) => self.built_in_instants(*tz, civil),
        }
    }

    fn system_instants(
        &self,
        tz: &jiff::tz::TimeZone,
        as_utc: jiff::Timestamp,
        civil: Seconds,
    ) -> Instants<Seconds> {
        use jiff::tz::{AmbiguousOffset, Offset};
        let at = |offset: Offset| civil - Seconds::from(offset.seconds());
        match tz.to_ambiguous_timestamp(Offset::UTC.to_datetime(as_utc)).offset() {
            AmbiguousOffset::Unambiguous { offset } => Instants::Once(at(offset)),
            AmbiguousOffset::Gap { before, after } => {
                Instants::Gap { after: self.change_between(at(after), at(before)) }
            }
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (at(before), at(after));
                Instants::Fold { first, change: self.change_between(first, second), second }
            }
        }
    }

    fn built_in_instants(&self, tz: chrono_tz::Tz, civil: Seconds) -> Instants<Seconds> {
        use chrono::LocalResult;
        let Some(clock) = DateTime::from_timestamp(civil, 0) else {
            return Instants::Once(civil - self.offset_of(civil));
        };
        let at = |offset: &chrono_tz::TzOffset| civil - Seconds::from(offset.fix().local_minus_utc());
        match tz.offset_from_local_datetime(&clock.naive_utc()) {
            LocalResult::Single(offset) => Instants::Once(at(&offset)),
            LocalResult::Ambiguous(one, other) => {
                let (first, second) = (at(&one).min(at(&other)), at(&one).max(at(&other)));
                Instants::Fold { first, change: self.change_between(first, second), second }
            }
            // Offsets are less than a day each way, so the change lies within a day of the clock's
            // time taken as UTC.
            LocalResult::None => Instants::Gap { after: self.change_between(civil - DAY, civil + DAY) },
        }
    }

    /// The instant in `(before, after]` at which the offset changes.
    fn change_between(&self, mut before: Seconds, mut after: Seconds) -> Seconds {
        let old = self.offset_of(before);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.offset_of(middle) == old {
                before = middle;
            } else {
                after = middle;
            }
        }
        after
    }
}

#[cfg(test)]
mod tests;
