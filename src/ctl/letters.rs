//! The letters that reach the reader: any, or those of ASCII where the locale says that no others are understood.

use crate::config::env::Env;
use std::borrow::Cow;

/// Which letters may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    Any,
    Ascii,
}

impl Letters {
    /// As the locale has it. Where none is set, as in many a container, nothing is said of the terminal, and those
    /// of today read UTF-8.
    pub(super) fn of_locale(env: &Env) -> Self {
        // The first that is set is in force, as for every program.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| env.path(name));
        let locale = locale.map(|locale| locale.to_string_lossy().to_ascii_lowercase());
        let others = |locale: &str| match locale.split_once('.') {
            Some((_, charset)) => !(charset.starts_with("utf-8") || charset.starts_with("utf8")),
            None => matches!(locale, "c" | "posix"),
        };
        if locale.as_deref().is_some_and(others) { Self::Ascii } else { Self::Any }
    }

    /// A text in these letters, each for one, so that what stood in a column still does.
    pub(super) fn write(self, text: &str) -> Cow<'_, str> {
        if self == Self::Any || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.chars().map(ascii).collect())
    }
}

/// The nearest; the heights of blocks become the digits from 1 to 8.
const fn ascii(letter: char) -> char {
    match letter {
        '\0'..='\x7f' => letter,
        '▁'..='█' => (letter as u32 - '▁' as u32 + '1' as u32) as u8 as char,
        '–' => '-',
        '→' => '>',
        '×' => 'x',
        '·' => '.',
        'µ' => 'u',
        '…' => '~',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_without_utf_8_gets_ascii() {
        let of = |names: &[(&str, &str)]| Letters::of_locale(&names.iter().copied().collect());
        assert_eq!(of(&[]), Letters::Any);
        for any in ["C.UTF-8", "de_DE.utf8", "en_US.UTF-8@euro", "en_US", ""] {
            assert_eq!(of(&[("LANG", any)]), Letters::Any, "{any}");
        }
        for ascii in ["C", "POSIX", "de_DE.ISO-8859-1"] {
            assert_eq!(of(&[("LANG", ascii)]), Letters::Ascii, "{ascii}");
        }
        assert_eq!(of(&[("LANG", "C.UTF-8"), ("LC_ALL", "C")]), Letters::Ascii);
        assert_eq!(of(&[("LANG", "C"), ("LC_CTYPE", "C.UTF-8"), ("LC_ALL", "")]), Letters::Any);
    }

    #[test]
    fn each_letter_has_one() {
        assert_eq!(Letters::Ascii.write("▁▂▃▄▅▆▇█ · a → b – 3× 2 µs ü…"), "12345678 . a > b - 3x 2 us ?~");
        assert_eq!(Letters::Any.write("a → b"), "a → b");
    }
}
