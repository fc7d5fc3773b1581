//! Which parts of a text are secrets, by their look alone.
//!
//! One list for all: what is refused in `warm.toml` is what is hidden in messages. A name such as
//! `hf_token` or `sk-learn-model` is none of them.

use std::ops::Range;

/// How the tokens of a service look.
struct Kind {
    /// Their first characters.
    prefix: &'static str,
    /// What they hold besides letters and digits.
    also: &'static str,
    /// The fewest characters behind the prefix, where one of them is a digit or a capital.
    least: usize,
    /// The fewest where none is: shorter ones may be words.
    plain: usize,
}

const fn kind(prefix: &'static str, also: &'static str, least: usize, plain: usize) -> Kind {
    Kind { prefix, also, least, plain }
}

/// No word is that long.
const NO_WORD: usize = 20;

const KINDS: [Kind; 38] = [
    kind("r8_", "_-", 6, 8),
    kind("hf_", "", 10, NO_WORD),
    kind("ghp_", "", 6, 8),
    kind("gho_", "", 6, 8),
    kind("ghu_", "", 6, 8),
    kind("ghs_", "", 6, 8),
    kind("ghr_", "", 6, 8),
    kind("github_pat_", "_", 6, 8),
    kind("glpat-", "_-", 6, 8),
    kind("xoxa-", "-", 6, 8),
    kind("xoxb-", "-", 6, 8),
    kind("xoxc-", "-", 6, 8),
    kind("xoxd-", "-", 6, 8),
    kind("xoxe-", "-", 6, 8),
    kind("xoxo-", "-", 6, 8),
    kind("xoxp-", "-", 6, 8),
    kind("xoxr-", "-", 6, 8),
    kind("xoxs-", "-", 6, 8),
    kind("xapp-", "-", 6, 8),
    kind("AKIA", "", 16, 16),
    kind("ASIA", "", 16, 16),
    kind("AIza", "_-", 30, 35),
    kind("whsec_", "+/=", 6, 8),
    kind("sk_live_", "", 6, 8),
    kind("sk_test_", "", 6, 8),
    kind("rk_live_", "", 6, 8),
    kind("rk_test_", "", 6, 8),
    kind("rpa_", "", 10, NO_WORD),
    kind("gsk_", "", 10, NO_WORD),
    kind("tskey-", "-", 10, NO_WORD),
    kind("hvs.", "_-", 10, NO_WORD),
    kind("ya29.", "_-", 10, NO_WORD),
    kind("SG.", "_-.", 20, NO_WORD),
    kind("dckr_pat_", "_-", 6, 8),
    kind("npm_", "", NO_WORD, NO_WORD),
    kind("nvapi-", "_-", 10, NO_WORD),
    kind("Bearer ", "_-.~+/=", 4, 4),
    kind("bearer ", "_-.~+/=", NO_WORD, NO_WORD),
];

/// What the names of tokens and of their files are made of.
const NAMES: [&str; 14] = [
    "access",
    "account",
    "api",
    "credential",
    "file",
    "key",
    "prod",
    "read",
    "replicate",
    "secret",
    "staging",
    "token",
    "warmd",
    "write",
];

/// The many services whose tokens begin like that also have names that do, `sk-learn-model`: so many letters
/// and digits in a row, one of them a digit, are a token.
const SK: &str = "sk-";
const SK_ROW: usize = 16;

/// How the parts of a JSON Web Token begin, and how long each is at least.
const JWT: &str = "eyJ";
const JWT_PART: usize = 4;

/// What comes before the secret in the addresses of the webhooks in use.
const WEBHOOKS: [&str; 10] = [
    "hooks.slack.com/",
    "discord.com/api/webhooks/",
    "discordapp.com/api/webhooks/",
    "webhook.office.com/",
    "outlook.office.com/webhook/",
    "logic.azure.com/",
    "logic.azure.com:443/",
    "chat.googleapis.com/v1/spaces/",
    "api.telegram.org/bot",
    "hooks.zapier.com/",
];

/// How far a word is looked back through for the start of its credentials, in bytes.
const LOOK_BACK: usize = 256;

/// Where a text has them. Some may overlap, and they come in no order.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = tokens(text);
    urls(text, &mut found);
    found
}

/// Where it has tokens, addresses of webhooks, and passwords outside of a URL.
pub(super) fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for kind in &KINDS {
        starts(text, kind.prefix, &mut found, |rest| {
            let length = run(rest, kind.also);
            let body = &rest[..length];
            let least = if is_plain(body) { kind.plain } else { kind.least };
            (length, length >= least && !is_a_name(body))
        });
    }
    starts(text, SK, &mut found, |rest| {
        let length = run(rest, "_-");
        let rows = rest[..length].split(['_', '-']);
        let token = |row: &str| row.len() >= SK_ROW && row.contains(|c: char| c.is_ascii_digit());
        (length, rows.into_iter().any(token))
    });
    starts(text, JWT, &mut found, |rest| {
        let length = run(rest, "_-.=");
        let parts: Vec<&str> = rest[..length].split('.').collect();
        let long = parts.iter().take(2).all(|part| part.len() >= JWT_PART);
        (length, long && (2..=5).contains(&parts.len()))
    });
    for webhook in WEBHOOKS {
        starts(text, webhook, &mut found, |rest| (word_length(rest, &[',']), true));
    }
    credentials(text, &mut found);
    found.retain(|range| !range.is_empty());
    found
}

/// What follows a prefix: how far a token would go, and whether it is one. The same characters are looked at
/// once, however often the prefix is repeated in them.
fn starts(text: &str, prefix: &str, found: &mut Vec<Range<usize>>, is_token: impl Fn(&str) -> (usize, bool)) {
    let mut covered = 0;
    for (start, _) in text.match_indices(prefix) {
        // `task-list` is no token.
        let within_a_word = text[..start].ends_with(|c: char| c.is_ascii_alphanumeric());
        if within_a_word || start < covered {
            continue;
        }
        let from = start + prefix.len();
        let (length, is_token) = is_token(&text[from..]);
        covered = from + length;
        if is_token {
            found.push(from..covered);
        }
    }
}

/// The user and the password of URLs, their queries and fragments. Of a word that holds several, its end is
/// looked for once.
fn urls(text: &str, found: &mut Vec<Range<usize>>) {
    let (mut end, mut last_at, mut query) = (0, None, 0);
    for (start, separator) in text.match_indices("://") {
        let from = start + separator.len();
        if end < from {
            let word = &text[from..from + word_length(&text[from..], &[])];
            end = from + word.len();
            last_at = word.rfind('@').map(|at| from + at);
            query = word.find(['?', '#']).map_or(end, |mark| from + mark + 1);
            if query < end {
                found.push(query..end);
            }
        } else if start > query {
            continue;
        }
        let rest = &text[from..end];
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
        // A password may have a slash in it: what looks like a port is its beginning.
        let at = match authority.rfind('@') {
            None if port.contains(|c: char| !c.is_ascii_digit() && c != ']') => last_at,
            at => at.map(|at| from + at),
        };
        if let Some(at) = at.filter(|at| *at > from) {
            found.push(from..at);
        }
    }
}

/// The password in `user:password@`, outside of a URL.
fn credentials(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices('@') {
        // A reference with a digest.
        if text[at + 1..].starts_with("sha256:") {
            continue;
        }
        let near = &text[super::super::locate::floor(text, at.saturating_sub(LOOK_BACK))..at];
        let word = near.rsplit(is_end).next().unwrap_or_default();
        // What comes before the path of a URL is looked at as such.
        let word = match word.rsplit_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => word,
        };
        if let Some((user, password)) = word.split_once(':')
            && !user.is_empty()
            && !user.ends_with('/')
        {
            found.push(at - password.len()..at);
        }
    }
}

/// How many characters of a token a text begins with.
fn run(text: &str, also: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && !also.contains(c)).unwrap_or(text.len())
}

fn is_plain(text: &str) -> bool {
    !text.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
}

/// Whether it is what people call the file of a token.
fn is_a_name(text: &str) -> bool {
    text.split(['_', '-']).all(|word| NAMES.contains(&word))
}

/// How far a word goes that begins a text.
fn word_length(text: &str, stops: &[char]) -> usize {
    text.find(|c: char| is_end(c) || stops.contains(&c)).unwrap_or(text.len())
}

/// Whether a character ends a word.
fn is_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '`')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for range in secrets(text) {
            bytes[range].fill(b'*');
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn tokens_are_known_by_their_look() {
        for (text, shown) in [
            ("r8_abcDEF", "r8_******"),
            ("/etc/r8_hushhushhush/x", "/etc/r8_************/x"),
            ("hf_AbCdEf0123456789", "hf_****************"),
            ("ghp_0123456789abcdef", "ghp_****************"),
            ("gho_hushhushhush", "gho_************"),
            ("github_pat_11AAA_hush", "github_pat_**********"),
            ("glpat-hush_hush-0", "glpat-***********"),
            ("xoxb-12-34-hush", "xoxb-**********"),
            ("AKIA0123456789ABCDEF", "AKIA****************"),
            ("sk-0123456789abcdef", "sk-****************"),
            ("sk-ant-api03-0123456789abcdef-x", "sk-****************************"),
            ("eyJhbGci.eyJzdWIi.c2ln x", "eyJ******************* x"),
            ("Bearer hush", "Bearer ****"),
            ("https://hooks.slack.com/services/T/B/x y", "https://hooks.slack.com/************** y"),
            ("hooks.slack.com/services/T", "hooks.slack.com/**********"),
            ("http://me:hush@box:5000/a", "http://*******@box:5000/a"),
            ("http://me:hu/sh@box/a", "http://********@box/a"),
            ("http://box/a?k=hush#x \"", "http://box/a?******** \""),
            ("me:hush@box", "me:****@box"),
            ("/a/me:hush@box", "/a/me:****@box"),
            ("http://box/a/me:hush@box", "http://box/a/me:****@box"),
        ] {
            assert_eq!(hidden(text), shown);
        }
    }

    #[test]
    fn names_are_none() {
        for text in [
            "/etc/warmd/hf_token",
            "r8_token.txt",
            "/etc/warmd/r8_replicate_api_token",
            "/run/credentials/ghp_access_token",
            "hf_whisper-large-v3",
            "hf_transformers",
            "sk-learn-model",
            "sk-learn-model-2024-01-31",
            "task-list disk-based",
            "AKIA_KEY",
            "eyJ.a.b",
            "http://box:5000/a/b",
            "http://[::1]:5000/@x",
            "https://ghcr.io/@me/x",
            "owner/name:0123456789",
            "r8.im/owner/name:tag@sha256:0123456789abcdef",
            "Mon-Fri 08:00-20:00",
            "me@example.com",
            "did you mean `x`? a token",
        ] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn what_is_repeated_costs_no_more_than_its_length() {
        for piece in ["sk-", "eyJ", "eyJ.", "://", "://a?", "a:b@", "r8_", "@", "me:", "hooks.slack.com/"] {
            secrets(&piece.repeat(100_000));
        }
    }
}
