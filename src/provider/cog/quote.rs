//! A server's log, made fit for one line of a report: no control characters, no length that
//! a stranger chooses.

use crate::quote;
use crate::secrets;

/// How many characters of a server's words are kept.
const LIMIT: usize = 300;

/// How many lines at the end of a log are kept: a Python traceback ends in its reason.
const LINES: usize = 3;

/// The beginning of a message.
pub(super) fn message(text: &str) -> String {
    quote::start(text, LIMIT)
}

/// The last lines of a log.
pub(super) fn log_tail(log: &str) -> String {
    let log = end(log);
    let mut lines: Vec<String> =
        log.lines().rev().map(plain).filter(|line| !line.is_empty()).take(LINES).collect();
    lines.reverse();
    let joined = lines.join(" | ");
    let joined = secrets::strike(&joined);
    let length = joined.chars().count();
    match length.checked_sub(LIMIT) {
        None | Some(0) => joined.into_owned(),
        Some(over) => format!("…{}", joined.chars().skip(over).collect::<String>()),
    }
}

/// As much of a log as its last lines are looked for in.
fn end(log: &str) -> &str {
    const BYTES: usize = 16 * 1024;
    &log[log.ceil_char_boundary(log.len().saturating_sub(BYTES))..]
}

/// One line: terminal colours dropped, whitespace and control characters as single spaces, what else
/// can't be seen escaped.
fn plain(text: &str) -> String {
    let mut words = String::with_capacity(text.len().min(4 * LIMIT));
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // A colour is ESC [ digits and semicolons, then a letter.
            if chars.as_str().starts_with('[') {
                chars.by_ref().skip(1).find(char::is_ascii_alphabetic);
            }
        } else if c.is_whitespace() || c.is_control() {
            if !words.is_empty() && !words.ends_with(' ') {
                words.push(' ');
            }
        } else {
            quote::push(&mut words, c);
        }
    }
    words.truncate(words.trim_end().len());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_by_its_end() {
        let log = "loading\nstill loading\n\nTraceback (most recent call last):\n  File \"a.py\"\n\
                   \x1b[31mRuntimeError:\x1b[0m no\tsuch file\r\n\n";
        assert_eq!(
            log_tail(log),
            "Traceback (most recent call last): | File \"a.py\" | RuntimeError: no such file"
        );
    }

    #[test]
    fn nothing_a_server_says_is_long_or_moves_the_cursor() {
        let nasty = format!("\x1b[2J\x07{}\u{9b}x", "é".repeat(5000));
        let told = log_tail(&nasty);
        assert_eq!(told.chars().count(), LIMIT + 1);
        assert!(told.starts_with('…') && !told.chars().any(char::is_control));
        assert_eq!(log_tail(" plain \n"), "plain");
        assert_eq!(log_tail("cut \x1b["), "cut");
        assert_eq!(log_tail(""), "");
    }
}
