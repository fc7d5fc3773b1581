//! Figures: what a person reads, and beside it the number that it was made from.

use crate::words;
use maud::{Markup, html};

/// A number, its key in the Snapshot (within its model), and how it is said.
pub(super) fn figure(key: &str, number: impl std::fmt::Display, said: &str) -> Markup {
    html! { data data-of=(key) value=(number) { (said) } }
}

/// A time in seconds; a dash where there is none.
pub(super) fn measured(key: &str, seconds: Option<f64>) -> Markup {
    maybe(seconds.map(|seconds| figure(key, seconds, &words::measured(seconds))))
}

/// A length in seconds.
pub(super) fn span(key: &str, seconds: f64) -> Markup {
    figure(key, seconds, &words::span(seconds))
}

/// How many.
pub(super) fn count(key: &str, count: u64) -> Markup {
    figure(key, count, &count.to_string())
}

/// What there may be; a dash where there is nothing.
pub(super) fn maybe(shown: Option<Markup>) -> Markup {
    shown.unwrap_or_else(|| html! { span.none aria-label="none" { "–" } })
}
