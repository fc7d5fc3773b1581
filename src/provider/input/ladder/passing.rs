//! Errors that say nothing of the input's size.

use super::place_of;

/// Codes of Replicate and HTTP.
const CODES: [&str; 5] = ["E005", "E1001", "E6716", "E8765", "429"];

const PHRASES: [&str; 33] = [
    "please retry",
    "code: pa",
    "try again later",
    "interrupted",
    "director: unexpected error",
    "canceled",
    "cancelled",
    "timed out",
    "time-out",
    "timeout",
    "timeouts",
    "timeouterror",
    "readtimeout",
    "connecttimeout",
    "rate limit",
    "rate limits",
    "rate limited",
    "rate-limited",
    "ratelimiterror",
    "too many requests",
    "overloaded",
    "unavailable",
    "connection refused",
    "connection reset",
    "connection aborted",
    "connection error",
    "name resolution",
    "out of memory",
    "flagged",
    "nsfw",
    "content policy",
    "sensitive content",
    "moderation",
];

/// Whether an error passes by itself, comes from elsewhere, or is about what is in the input.
pub(super) fn is_passing(error: &str) -> bool {
    PHRASES.iter().any(|phrase| has_phrase(phrase, error))
        || CODES.iter().any(|code| place_of(code, error).is_some())
}

/// Whether a phrase stands in `text` as whole words: "sensitive content" does not in "case-sensitive content".
fn has_phrase(phrase: &str, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(phrase).any(|(at, _)| {
        let before = &text[..at];
        !before.ends_with(part_of_word)
            && !before.ends_with('-')
            && !text[at + phrase.len()..].starts_with(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_errors_that_pass_count_as_whole_words() {
        for error in [
            "Prediction interrupted; please retry (code: PA)",
            "HTTPSConnectionPool(host='example.com'): Read timed out.",
            "requests.exceptions.ReadTimeout: none",
            "NSFW-content was found",
            "Rate limited",
            "Unexpected status 429",
        ] {
            assert!(is_passing(error), "{error}");
        }
        for error in [
            "the tokenizer found case-sensitive content",
            "noninterrupted runs need two frames",
            "unflagged",
            "request_timeout_s has to be set",
            "expected 4290 samples",
        ] {
            assert!(!is_passing(error), "{error}");
        }
    }
}
