//! The values of `warm.toml` that have a shape of their own: names, durations, tokens.
//!
//! Each refuses what it can't be, so that whoever holds one need not look again.

pub use super::reference::is_loopback;
pub use super::token::{Token, TokenError, TokenSource};

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// The longest name, in characters.
const NAME_LIMIT: usize = 63;

/// A model's name: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelName(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name can't be empty")]
    Empty,
    /// Longer than 63 characters.
    #[error("a name has at most 63 characters, this has {0}")]
    Long(usize),
    /// It starts with `.`, `_` or `-`.
    #[error("a name starts with a letter or a digit, not with {0:?}")]
    Start(char),
    /// A character that no name has.
    #[error("a name has letters A-Z, digits, `.`, `_` and `-`, not {0:?}")]
    Character(char),
}

impl ModelName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ModelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Some(wrong) =
            text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'))
        {
            return Err(NameError::Character(wrong));
        }
        match text.chars().next() {
            None => Err(NameError::Empty),
            Some(first) if !first.is_ascii_alphanumeric() => Err(NameError::Start(first)),
            Some(_) if text.len() > NAME_LIMIT => Err(NameError::Long(text.len())),
            Some(_) => Ok(Self(text.into())),
        }
    }
}

impl TryFrom<String> for ModelName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<ModelName> for String {
    fn from(name: ModelName) -> Self {
        name.as_str().to_owned()
    }
}

impl Borrow<str> for ModelName {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for ModelName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The units of a duration, the largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest pause that has an end; without one it lasts until somebody resumes.
const LONGEST_PAUSE: Duration = Duration::from_hours(3650 * 24);

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DurationError {
    /// Nothing there.
    #[error("a duration can't be empty: write one such as \"30s\"")]
    Empty,
    /// Digits without a unit behind them.
    #[error("the unit is missing: write \"{number}s\" for seconds, or use ms, m, h or d")]
    NoUnit {
        /// The digits.
        number: String,
    },
    /// A unit, or something else, without digits before it.
    #[error("a whole number is missing before `{rest}`")]
    NoNumber {
        /// What stands where a number should.
        rest: String,
    },
    /// Not one of the five units.
    #[error("`{unit}` is no unit: use ms, s, m, h or d")]
    Unit {
        /// What stands where a unit should.
        unit: String,
    },
    /// `1.5h`.
    #[error("only whole numbers: write \"1h30m\" for one and a half hours")]
    Fraction,
    /// `30s1h`, `1h1h`.
    #[error("units go from large to small, each once: d, h, m, s, ms")]
    Order,
    /// `0s` where it must last.
    #[error("it must last: at least 1ms")]
    Nothing,
    /// More than 64 bits of milliseconds, or than any use.
    #[error("too long a duration")]
    Overflow,
}

/// Reads a duration of whole numbers with ms, s, m, h and d, such as `30s` or `1h30m`.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    let mut total: u64 = 0;
    let mut allowed = UNITS.as_slice();
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        if after.starts_with(['.', ',']) {
            return Err(DurationError::Fraction);
        }
        if number.is_empty() {
            return Err(DurationError::NoNumber { rest: brief(rest) });
        }
        if unit.is_empty() {
            return Err(DurationError::NoUnit { number: brief(number) });
        }
        let Some(&(_, millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError::Unit { unit: brief(unit) });
        };
        let position = allowed.iter().position(|(name, _)| *name == unit).ok_or(DurationError::Order)?;
        allowed = &allowed[position + 1..];
        let amount = number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis));
        total = amount.and_then(|amount| total.checked_add(amount)).ok_or(DurationError::Overflow)?;
        rest = next;
    }
    Ok(Duration::from_millis(total))
}

/// Reads how long a model is to be paused: for some time, and at most ten years.
pub fn parse_pause(text: &str) -> Result<Duration, DurationError> {
    match parse_duration(text)? {
        Duration::ZERO => Err(DurationError::Nothing),
        length if length > LONGEST_PAUSE => Err(DurationError::Overflow),
        length => Ok(length),
    }
}

/// Writes a duration as [`parse_duration`] reads it; what is less than a millisecond is dropped.
pub fn format_duration(duration: Duration) -> String {
    let mut millis = duration.as_millis();
    let mut text = String::new();
    for (unit, size) in UNITS {
        let count = millis / u128::from(size);
        if count > 0 {
            text = format!("{text}{count}{unit}");
        }
        millis %= u128::from(size);
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Enough of a text to recognise it.
fn brief(text: &str) -> String {
    text.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_as_the_contract_has_them() {
        for (text, millis) in [
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("90d", 90 * 86_400_000),
            ("1m500ms", 60_500),
            ("0s", 0),
            (" 10m ", 600_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn durations_that_are_none() {
        for (text, said) in [
            ("", "a duration can't be empty: write one such as \"30s\""),
            ("30", "the unit is missing: write \"30s\" for seconds, or use ms, m, h or d"),
            ("1h30", "the unit is missing: write \"30s\" for seconds, or use ms, m, h or d"),
            ("s", "a whole number is missing before `s`"),
            ("-30s", "a whole number is missing before `-30s`"),
            ("30 s", "the unit is missing: write \"30s\" for seconds, or use ms, m, h or d"),
            ("30sec", "`sec` is no unit: use ms, s, m, h or d"),
            ("30S", "`S` is no unit: use ms, s, m, h or d"),
            ("1.5h", "only whole numbers: write \"1h30m\" for one and a half hours"),
            ("30m1h", "units go from large to small, each once: d, h, m, s, ms"),
            ("1h1h", "units go from large to small, each once: d, h, m, s, ms"),
            ("99999999999999999999s", "too long a duration"),
            ("18446744073709551615d", "too long a duration"),
            ("½h", "a whole number is missing before `½h`"),
        ] {
            assert_eq!(parse_duration(text).map_err(|e| e.to_string()), Err(said.to_owned()), "{text}");
        }
    }

    #[test]
    fn names_and_what_is_none() {
        for good in ["a", "sdxl-1.0", "0_x", &"n".repeat(63)] {
            assert_eq!(good.parse::<ModelName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        assert_eq!("".parse::<ModelName>(), Err(NameError::Empty));
        assert_eq!("-a".parse::<ModelName>(), Err(NameError::Start('-')));
        assert_eq!("a b".parse::<ModelName>(), Err(NameError::Character(' ')));
        assert_eq!("é".parse::<ModelName>(), Err(NameError::Character('é')));
        assert_eq!("n".repeat(64).parse::<ModelName>(), Err(NameError::Long(64)));
    }

    #[test]
    fn a_name_from_outside_is_checked_too() {
        assert!(serde_json::from_str::<ModelName>("\"a/b\"").is_err());
        assert_eq!(serde_json::from_str::<ModelName>("\"llama\"").unwrap().as_str(), "llama");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..10_000_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse_duration(&text);
            let _ = text.parse::<ModelName>();
        }
    }
}
