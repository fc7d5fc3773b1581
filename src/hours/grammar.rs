//! The grammar of `active`, `open` and `closed`: text → windows and dates.
//!
//! Owns what may be written. Refuses everything else with what is accepted there; it knows neither
//! zones nor instants.

use chrono::NaiveDate;
use std::fmt::Write as _;
use std::str::FromStr;

/// Minutes in a day.
const DAY: u16 = 24 * 60;

/// The days, Monday first; the first three letters serve as well.
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Sets of days that have a name of their own.
const SETS: [(&str, Days, &str); 3] = [
    ("daily", Days(0b111_1111), "Mon-Sun"),
    ("weekdays", Days(0b001_1111), "Mon-Fri"),
    ("weekends", Days(0b110_0000), "Sat,Sun"),
];

/// A set of weekdays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Days(u8);

impl Days {
    /// Its days, Monday as 0.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..7).filter(move |day| self.0 >> day & 1 == 1)
    }
}

/// Certain hours of certain days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Times {
    pub(super) days: Days,
    /// Minutes from the day's 00:00; under 24 h.
    pub(super) start: u16,
    /// Minutes from the same 00:00, after the start and at most 24 h behind it: past 24:00 it
    /// lies on the next day.
    pub(super) end: u16,
}

/// One entry of `active` or `open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Open {
    /// `always`.
    Always,
    /// `HH:MM-HH:MM` or `DAYS HH:MM-HH:MM`.
    Times(Times),
}

/// One entry of `closed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Closed {
    /// `A` or `A..B`: dates, both ends included.
    Dates(NaiveDate, NaiveDate),
    /// A window, as it may be open.
    Window(Open),
}

/// Why an entry isn't one, and what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// Nothing is written.
    #[error("an empty entry: write `always`, or a window such as `Mon-Fri 08:00-20:00`")]
    Empty,
    /// No times are written.
    #[error("`{0}` has no times: write a window such as `Mon-Fri 08:00-20:00`, or `always`")]
    NoTimes(String),
    /// More than two times are written.
    #[error("`{0}` is more than one window: write each as an entry of its own")]
    ManyWindows(String),
    /// The times aren't two.
    #[error("`{0}` is no span of times: write HH:MM-HH:MM, such as 08:00-20:00")]
    BadTimes(String),
    /// Not `HH:MM`.
    #[error("`{0}` is no time: write HH:MM, from 00:00 to 24:00")]
    BadTime(String),
    /// An hour or a minute that no day has.
    #[error(
        "there is no time {0}: hours run from 00 to 23, minutes from 00 to 59, and 24:00 may end a window"
    )]
    NoSuchTime(String),
    /// A window that begins at the end of a day.
    #[error("24:00 may end a window, not start one: write 00:00, of the next day")]
    StartsAt24,
    /// A window that could be no time or a whole day.
    #[error("00:00-00:00 could mean nothing or all day: write 00:00-24:00 for the whole day")]
    Nothing,
    /// No such day.
    #[error("`{found}` is no day{}: write Mon to Sun or whole English names, ranges such as Mon-Fri, or `daily`, `weekdays` or `weekends`", nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    BadDay {
        /// What is written.
        found: String,
        /// The nearest right one.
        nearest: Option<&'static str>,
    },
    /// `weekdays` and its like within a list or a range.
    #[error("`{set}` stands alone: write {instead} where there are other days")]
    SetInList {
        /// The set.
        set: &'static str,
        /// The same, as days.
        instead: &'static str,
    },
    /// Not `YYYY-MM-DD`.
    #[error(
        "`{0}` is no date: write YYYY-MM-DD, a range YYYY-MM-DD..YYYY-MM-DD, or a window such as `Mon-Fri 12:00-13:00`"
    )]
    BadDate(String),
    /// No such date.
    #[error("there is no date {found}: {why}")]
    NoSuchDate {
        /// What is written.
        found: String,
        /// Why.
        why: String,
    },
    /// A range that runs backwards.
    #[error("the range ends before it starts: write {1}..{0}")]
    Backwards(NaiveDate, NaiveDate),
}

impl Open {
    /// Whether a text that may be a window or the name of hours is meant as a window: it has what
    /// no name may have, or it is made of days, or it is all but `always`.
    pub fn looks_like_window(text: &str) -> bool {
        let text = text.trim();
        let word = |w: &str| day(w).is_some() || SETS.iter().any(|(set, ..)| set.eq_ignore_ascii_case(w));
        text.is_empty()
            || text.contains(|c: char| c == ':' || c == ',' || c.is_whitespace())
            || text.split('-').all(word)
            || strsim::damerau_levenshtein(&text.to_ascii_lowercase(), "always") <= 1
    }
}

impl FromStr for Open {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(GrammarError::Empty);
        }
        if text.eq_ignore_ascii_case("always") {
            return Ok(Self::Always);
        }
        let Some(times_at) = text.find(|c: char| c.is_ascii_digit()) else {
            return Err(without_times(text));
        };
        let (days, times) = text.split_at(times_at);
        let separated = days.is_empty() || days.ends_with(char::is_whitespace);
        if !separated {
            // `Mon08:00-12:00`, `Fri 12` written as one word: the word as a whole is wrong.
            return Err(GrammarError::BadTimes(text.to_owned()));
        }
        let days = if days.is_empty() { SETS[0].1 } else { parse_days(days)? };
        let (start, end) = parse_times(times)?;
        Ok(Self::Times(Times { days, start, end }))
    }
}

impl FromStr for Closed {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        let text = text.trim();
        if let Some((from, to)) = text.split_once("..") {
            if from.is_empty() || to.is_empty() {
                return Err(GrammarError::BadDate(text.to_owned()));
            }
            let (from, to) = (parse_date(from)?, parse_date(to)?);
            return if to < from {
                Err(GrammarError::Backwards(from, to))
            } else {
                Ok(Self::Dates(from, to))
            };
        }
        let leading_digits = text.bytes().take_while(u8::is_ascii_digit).count();
        if leading_digits > 2 || leading_digits > 0 && !text.contains(':') {
            let date = parse_date(text)?;
            return Ok(Self::Dates(date, date));
        }
        match text.parse() {
            Ok(open) => Ok(Self::Window(open)),
            // A word alone may have been meant as a date as well.
            Err(GrammarError::BadDay { nearest: None, .. }) if !text.contains(':') => {
                Err(GrammarError::BadDate(text.to_owned()))
            }
            Err(e) => Err(e),
        }
    }
}

/// What is wrong with an entry in which no digit is written.
fn without_times(text: &str) -> GrammarError {
    match parse_days(text) {
        Ok(_) => GrammarError::NoTimes(text.to_owned()),
        Err(e) if Open::looks_like_window(text) && !text.contains(':') => match nearest(text, &["always"]) {
            Some(always) => GrammarError::BadDay { found: text.to_owned(), nearest: Some(always) },
            None => e,
        },
        Err(e) => e,
    }
}

fn parse_days(text: &str) -> Result<Days, GrammarError> {
    let text = text.trim();
    if let Some((_, days, _)) = SETS.iter().find(|(set, ..)| set.eq_ignore_ascii_case(text)) {
        return Ok(*days);
    }
    let mut days = 0;
    for item in text.split(',') {
        match item.split_once('-') {
            None => days |= 1 << parse_day(item)?,
            Some((first, last)) => {
                let (first, last) = (parse_day(first)?, parse_day(last)?);
                // Sun-Tue wraps around the week; Mon-Mon is one day.
                days |= (0..=(last + 7 - first) % 7).fold(0, |days, n| days | 1 << ((first + n) % 7));
            }
        }
    }
    Ok(Days(days))
}

fn parse_day(text: &str) -> Result<u8, GrammarError> {
    let text = text.trim();
    day(text).ok_or_else(|| {
        if let Some((set, _, instead)) = SETS.iter().find(|(set, ..)| set.eq_ignore_ascii_case(text)) {
            return GrammarError::SetInList { set, instead };
        }
        let short = DAYS.map(|d| &d[..3]);
        let sets = SETS.map(|(set, ..)| set);
        let known: Vec<&'static str> = DAYS.into_iter().chain(short).chain(sets).collect();
        GrammarError::BadDay { found: text.to_owned(), nearest: nearest(text, &known) }
    })
}

/// The day of that name, Monday as 0.
fn day(text: &str) -> Option<u8> {
    let is = |name: &str| name.eq_ignore_ascii_case(text) || name[..3].eq_ignore_ascii_case(text);
    (0..7).find(|day| is(DAYS[usize::from(*day)]))
}

fn parse_times(text: &str) -> Result<(u16, u16), GrammarError> {
    let text = text.trim();
    if text.matches(':').count() > 2 {
        return Err(GrammarError::ManyWindows(text.to_owned()));
    }
    let (start, end) = text.split_once('-').ok_or_else(|| GrammarError::BadTimes(text.to_owned()))?;
    match (parse_time(start)?, parse_time(end)?) {
        (DAY, _) => Err(GrammarError::StartsAt24),
        (0, 0) => Err(GrammarError::Nothing),
        (start, end) if end <= start => Ok((start, end + DAY)),
        span => Ok(span),
    }
}

/// Minutes from 00:00, at most those of 24:00.
fn parse_time(text: &str) -> Result<u16, GrammarError> {
    let text = text.trim();
    let (Some(hour), Some(minute), 5, Some(b':')) =
        (digits(text, 0..2), digits(text, 3..5), text.len(), text.as_bytes().get(2))
    else {
        return Err(GrammarError::BadTime(text.to_owned()));
    };
    if hour > 24 || minute > 59 || hour == 24 && minute > 0 {
        return Err(GrammarError::NoSuchTime(text.to_owned()));
    }
    Ok(hour * 60 + minute)
}

fn parse_date(text: &str) -> Result<NaiveDate, GrammarError> {
    let text = text.trim();
    let (Some(year), Some(month), Some(day), 10, Some(b'-'), Some(b'-')) = (
        digits(text, 0..4),
        digits(text, 5..7),
        digits(text, 8..10),
        text.len(),
        text.as_bytes().get(4),
        text.as_bytes().get(7),
    ) else {
        return Err(GrammarError::BadDate(text.to_owned()));
    };
    let date = |day: u16| NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
    date(day).ok_or_else(|| {
        let mut why = String::from("months run from 01 to 12");
        if let Some(last) = (28..=31).rev().find(|last| date(*last).is_some()) {
            why.clear();
            // Writing to a String can't fail.
            let _ = write!(why, "{year:04}-{month:02} has the days 01 to {last}");
        }
        GrammarError::NoSuchDate { found: text.to_owned(), why }
    })
}

/// The number that the bytes in that range spell, where all of them are digits.
fn digits(text: &str, range: std::ops::Range<usize>) -> Option<u16> {
    let part = text.get(range)?;
    part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?
}

/// The nearest of the known words; none where none is near.
fn nearest(text: &str, known: &[&'static str]) -> Option<&'static str> {
    let text = text.to_lowercase();
    let reach = if text.chars().count() <= 3 { 1 } else { 2 };
    known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&text, &word.to_lowercase()), *word))
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests;
