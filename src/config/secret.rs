//! What must not be shown: tokens that stand in a file where only the name of a source should.
//!
//! Works on the text alone, so that it holds for a file whose syntax is broken too. Rather hides too
//! much than too little: a drawn line keeps its shape under the stars.

mod find;

use std::borrow::Cow;
use std::ops::Range;

/// A secret that is shorter than this may be any word, in bytes.
const LEAST_BODY: usize = 8;

/// So many secrets of one file are looked for where they should not be.
const BODIES: usize = 64;

/// Keys whose values are secrets, wherever they stand.
const KEYS: [&str; 10] = [
    "token",
    "secret",
    "password",
    "passwd",
    "api_key",
    "api-key",
    "apikey",
    "bearer",
    "authorization",
    // Whoever knows the address of one may post there.
    "webhook",
];

/// Keys that name where a secret is.
const SOURCES: [&str; 6] =
    ["token_env", "token_file", "token_credential", "webhook_env", "webhook_file", "webhook_credential"];

/// Whether a key's value is a secret. The keys that name where a token is are not among them, nor
/// are the inputs that count tokens.
pub(super) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !SOURCES.contains(&key.as_str()) && !key.ends_with("tokens") && KEYS.iter().any(|word| key.contains(word))
}

/// Whether a text holds a secret that is known by its look.
pub(super) fn is_in(text: &str) -> bool {
    !find::secrets(text).is_empty()
}

/// As [`is_in`], of a text that may be a URL: whoever reads that says what is wrong with its password or query.
pub(super) fn is_in_url(text: &str) -> bool {
    !find::tokens(text).is_empty()
}

/// Whether a text that should name a source looks like the token itself.
pub(super) fn looks_secret(text: &str) -> bool {
    let text = text.trim();
    let has = |test: fn(char) -> bool| text.chars().any(test);
    // A file at the root has no such name either.
    let name = text.strip_prefix('/').unwrap_or(text);
    let random = name.chars().count() >= 20
        && has(|c| c.is_ascii_digit())
        && has(|c| c.is_ascii_lowercase())
        && !name.contains(['/', '.']);
    random || text.starts_with("r8_") || text.starts_with("Bearer ") || is_in(text)
}

/// A text without the tokens and the URLs' credentials in it.
pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let mut hidden = find::secrets(text);
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    hidden.sort_by_key(|range| range.start);
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for range in hidden {
        if range.start >= from {
            shown.push_str(&text[from..range.start]);
            shown.push('…');
        }
        from = from.max(range.end);
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// The secrets of a text, each without what tells that it is one. So many at the most: who puts more into
/// one file puts anything there.
pub(super) fn bodies(text: &str) -> Vec<&str> {
    let mut hidden = find::secrets(text);
    by_key(text, &mut hidden);
    let bodies = hidden.into_iter().map(|range| text[range].trim_matches(['"', '\'', ' ']));
    bodies.filter(|body| body.len() >= LEAST_BODY).take(BODIES).collect()
}

/// A text without these: broken syntax may have cut off what tells that they are secrets.
pub(super) fn without(text: String, bodies: &[&str]) -> String {
    bodies.iter().fold(text, |text, body| if text.contains(body) { text.replace(body, "…") } else { text })
}

/// A file's text with every secret in it under stars, byte by byte, so that places stay the same.
pub(super) fn mask(text: &str, further: &[Range<usize>]) -> String {
    let mut hidden = find::secrets(text);
    hidden.extend_from_slice(further);
    by_key(text, &mut hidden);
    let mut bytes = text.as_bytes().to_vec();
    for range in hidden {
        for byte in &mut bytes[range] {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b'*';
            }
        }
    }
    // Whole characters were replaced, so nothing is lost here.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The values of keys that hold secrets, in TOML or in what was meant to be TOML.
fn by_key(text: &str, hidden: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(found) = text[from..].find(['=', ':']) {
        let separator = from + found;
        from = separator + 1;
        if !is_secret_key(key_before(&text[..separator])) {
            continue;
        }
        let value = &text[from..];
        let start = from + (value.len() - value.trim_start_matches([' ', '\t', '=']).len());
        let end = start + value_length(&text[start..]);
        hidden.push(start..end);
        from = end;
    }
}

/// The last word before a separator, without its quotes; a bounded look back.
fn key_before(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '\t', '"', '\'']);
    let start = text
        .char_indices()
        .rev()
        .take(64)
        .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '-'))
        .last()
        .map_or(text.len(), |(index, _)| index);
    &text[start..]
}

/// How far a list may go before its end is no longer looked for, in bytes.
const LIST_LIMIT: usize = 4096;

/// How far a value goes that begins a text; to the end where it is a string that isn't closed. Looks
/// no further than that, so that many values in one line cost no more than the line.
fn value_length(text: &str) -> usize {
    let until = |stops: &[char]| text.find(stops).unwrap_or(text.len());
    for quotes in ["\"\"\"", "'''"] {
        if let Some(inner) = text.strip_prefix(quotes) {
            return inner.find(quotes).map_or(text.len(), |end| end + 2 * quotes.len());
        }
    }
    if let Some(inner) = text.strip_prefix('\'') {
        let end = inner.find(['\'', '\n']).unwrap_or(inner.len());
        return to_the_end(text, end + 1 + usize::from(inner[end..].starts_with('\'')));
    }
    if let Some(inner) = text.strip_prefix('"') {
        // An escaped quote doesn't close it.
        let mut escaped = false;
        let end = inner.find(|c: char| {
            let ends = c == '\n' || c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = end.unwrap_or(inner.len());
        return to_the_end(text, end + 1 + usize::from(inner[end..].starts_with('"')));
    }
    if text.starts_with('[') {
        let near = &text[..super::locate::floor(text, LIST_LIMIT)];
        return near.find(']').unwrap_or_else(|| until(&['\n']));
    }
    until(&[',', '}', '#', '\n'])
}

/// The end of a quoted value; of its line, where the quote at `end` stood within the secret.
fn to_the_end(text: &str, end: usize) -> usize {
    let rest = &text[end..];
    let ends = rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n', ',', '}', ']', '#']);
    if ends { end } else { end + rest.find('\n').unwrap_or(rest.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_secret_keys_go_under_stars() {
        for (text, shown) in [
            ("token = \"hush\" # x", "token = ****** # x"),
            ("api_key='hush'", "api_key=******"),
            ("\"token\": \"hush\",", "\"token\": ******,"),
            ("input = { secret = \"a\\\"b\", n = 1 }", "input = { secret = ******, n = 1 }"),
            ("token = hush\nnext = 1", "token = ****\nnext = 1"),
            ("token = \"hu\"sh\" # x\nnext = 1", "token = ***********\nnext = 1"),
            ("token = \"\"\"a\nb\"\"\"\nn = 1", "token = ****\n****\nn = 1"),
            ("token = \"\"\"a\nb", "token = ****\n*"),
            ("tokens = [\"a\"]", "tokens = [\"a\"]"),
            ("token_env = \"NAME\"", "token_env = \"NAME\""),
            ("webhook = \"https://a/b\"", "webhook = *************"),
            ("webhook_file = \"/a/b\"", "webhook_file = \"/a/b\""),
            ("input = { max_tokens = 1 }", "input = { max_tokens = 1 }"),
            ("token", "token"),
        ] {
            assert_eq!(mask(text, &[]), shown);
        }
    }

    #[test]
    fn tokens_are_known_by_their_look() {
        assert_eq!(mask("replicate = \"r8_abcDEF\"", &[]), "replicate = \"r8_******\"");
        assert_eq!(mask("cog = \"http://me:hush@box:5000\"", &[]), "cog = \"http://*******@box:5000\"");
        assert_eq!(
            mask("x = \"https://hooks.slack.com/services/T/B\"", &[]),
            "x = \"https://hooks.slack.com/************\""
        );
        assert_eq!(mask("task-list disk-based r8_ab", &[]), "task-list disk-based r8_ab");
        assert_eq!(redact("`r8_abcDEF` and http://me:hush@box"), "`r8_…` and http://…@box");
        assert_eq!(redact("a plain text"), "a plain text");
    }

    #[test]
    fn names_of_sources_do_not_look_like_tokens() {
        for name in
            ["REPLICATE_API_TOKEN", "replicate-token", "GPU_BOX_TOKEN_2", "/run/secrets/token-number-1"]
        {
            assert!(!looks_secret(name), "{name}");
        }
        for token in ["r8_abc", "0123456789abcdef0123456789", "Bearer x"] {
            assert!(looks_secret(token), "{token}");
        }
    }
}
