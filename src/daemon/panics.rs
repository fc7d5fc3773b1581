//! Panics: each is a line of the log, with its place, like whatever else goes wrong.

use std::any::Any;

/// The longest that is told of one, in characters: a message may quote what a provider sent.
const LONGEST: usize = 300;

/// Has panics logged from now on.
pub(super) fn log() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!("panicked at {place}: {}", words(panic.payload()));
    }));
}

/// What a panic said, in a line.
pub(super) fn words(payload: &(dyn Any + Send)) -> String {
    let said = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(said), _) => said,
        (None, Some(said)) => said.as_str(),
        (None, None) => "it gave no reason",
    };
    let line: String = said.chars().flat_map(one_line).take(LONGEST).collect();
    if said.chars().count() > LONGEST { line + "…" } else { line }
}

/// No line but this one, and nothing that a terminal would obey.
fn one_line(letter: char) -> impl Iterator<Item = char> {
    let shown = if letter.is_control() { letter.escape_default().to_string() } else { letter.to_string() };
    shown.chars().collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn what_was_said_is_one_bounded_line() {
        assert_eq!(words(&"no"), "no");
        assert_eq!(words(&"two\nlines \u{1b}[31m".to_owned()), "two\\nlines \\u{1b}[31m");
        assert_eq!(words(&7_u8), "it gave no reason");
        assert_eq!(words(&"x".repeat(1_000)).chars().count(), 301);
    }
}
