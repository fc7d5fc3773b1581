//! Looks for secrets in what the programs wrote, in whatever form they may have been repeated.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The token of every daemon of these tests.
pub(crate) const TOKEN: &str = "r8_Tq7vZ1mXk4WbY9nLc2RdHs6JgPa3EfUo8KiVt";

/// The token of a Cog server, that of an alert's receiver, and the secret part of its address.
pub(crate) const BOX_TOKEN: &str = "bx-5hG8rJ2kW9qN4vC7zM1pL6sD3f";
pub(crate) const RECEIVER_TOKEN: &str = "rc_0YtR4eWq8UiO2pAs6DfG1hJ5k";
pub(crate) const HOOK: &str = "T9XK27QLM/B5VW83RNZ/qZ7xC3vB9nM1aS5dF8gH";

/// The password of a proxy that the environment names.
pub(crate) const PROXY_PASSWORD: &str = "px-8sWd2FhLm7ZtYq3KbNv";

/// Every secret that these tests' daemons hold.
const SECRETS: [&str; 5] = [TOKEN, BOX_TOKEN, RECEIVER_TOKEN, HOOK, PROXY_PASSWORD];

/// A piece of a secret, in characters, that nobody writes by chance.
const PIECE: usize = 8;

/// The forms in which a secret may be repeated: each with its name.
pub(crate) fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let each = |write: &dyn Fn(char) -> String| secret.chars().map(write).collect::<Vec<_>>().concat();
    vec![
        ("plain", secret.to_owned()),
        ("capitals", secret.to_uppercase()),
        ("a piece", secret[3..3 + 10].to_owned()),
        ("escaped", each(&|c| format!("\\u{:04x}", u32::from(c)))),
        ("escaped twice", each(&|c| format!("\\\\u{:04X}", u32::from(c)))),
        ("percent-encoded", each(&|c| format!("%{:02x}", u32::from(c)))),
        ("in HTML", each(&|c| format!("&#{};", u32::from(c)))),
        ("in hexadecimal", each(&|c| format!("{:02x}", u32::from(c)))),
        ("in colours", {
            let characters: Vec<char> = secret.chars().collect();
            let parts: Vec<String> = characters.chunks(6).map(String::from_iter).collect();
            parts.join("\\u001b[0m")
        }),
        ("in base64", BASE64_STANDARD.encode(format!("Bearer {secret}"))),
        ("in base64 for URLs", BASE64_URL_SAFE.encode(format!("x{secret}?"))),
    ]
}

/// Which secret is in some bytes, and in which form; none where none is.
pub(crate) fn found(bytes: &[u8]) -> Option<String> {
    let plain = bytes.to_ascii_lowercase();
    let unescaped = unescaped(&plain);
    in_text(&plain).or_else(|| in_text(&unescaped)).or_else(|| in_text(&without_colours(&unescaped)))
}

fn in_text(text: &[u8]) -> Option<String> {
    let Pieces { all, starts } = pieces();
    let mut windows = text.windows(PIECE);
    windows.find_map(|window| if starts[start(window)] { all.get(window).cloned() } else { None })
}

/// The pieces of every secret, in lower case, as they are and in base64.
struct Pieces {
    all: HashMap<Vec<u8>, String>,
    /// Whether a piece begins with these three bytes: logs are long.
    starts: Vec<bool>,
}

fn start(window: &[u8]) -> usize {
    usize::from(window[0]) << 16 | usize::from(window[1]) << 8 | usize::from(window[2])
}

fn pieces() -> &'static Pieces {
    static PIECES: OnceLock<Pieces> = OnceLock::new();
    PIECES.get_or_init(|| {
        let mut pieces = HashMap::new();
        for secret in SECRETS {
            for window in secret.to_ascii_lowercase().as_bytes().windows(PIECE) {
                pieces.insert(window.to_vec(), format!("{secret} as it is"));
            }
            for shift in 0..3 {
                let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
                // Eight characters of the secret, in twice as many digits, begin with these.
                for window in hex.as_bytes().windows(PIECE).step_by(2) {
                    pieces.insert(window.to_vec(), format!("{secret} in hexadecimal"));
                }
                for engine in [&BASE64_STANDARD, &BASE64_URL_SAFE] {
                    let whole = engine.encode([&b"???"[..shift], secret.as_bytes()].concat());
                    // Only what no neighbour of it has a bit in.
                    let own = &whole.as_bytes()[4..whole.len() - 4];
                    for window in own.to_ascii_lowercase().windows(PIECE) {
                        pieces.insert(window.to_vec(), format!("{secret} in base64"));
                    }
                }
            }
        }
        let mut starts = vec![false; 1 << 24];
        for piece in pieces.keys() {
            starts[start(piece)] = true;
        }
        Pieces { all: pieces, starts }
    })
}

/// Escapes undone: those of JSON, however often they were escaped, and those of URLs.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let marks = rest.iter().take_while(|byte| **byte == b'\\').count();
        let escape = match rest.get(marks) {
            Some(b'u') if marks > 0 => number(&rest[marks + 1..], 4).map(|byte| (byte, marks + 5)),
            Some(b'x') if marks > 0 => number(&rest[marks + 1..], 2).map(|byte| (byte, marks + 3)),
            _ if *first == b'%' => number(after, 2).map(|byte| (byte, 3)),
            _ if rest.starts_with(b"&#") => entity(rest),
            _ => None,
        };
        let (byte, length) = escape.unwrap_or((*first, 1));
        plain.push(byte.to_ascii_lowercase());
        rest = &rest[length..];
    }
    plain
}

/// A decimal entity of HTML.
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    let end = text.iter().take(8).position(|byte| *byte == b';')?;
    Some((str::from_utf8(&text[2..end]).ok()?.parse().ok()?, end + 1))
}

/// Without a terminal's colours, `ESC [ … m`, however the first of them is written.
fn without_colours(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text).replace("\\u{1b}[", "\u{1b}[");
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let others = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';'));
    let others: String = others.map(|part| part.strip_prefix('m').unwrap_or(part)).collect();
    (first + &others).into_bytes()
}

fn number(text: &[u8], digits: usize) -> Option<u8> {
    u8::from_str_radix(str::from_utf8(text.get(..digits)?).ok()?, 16).ok()
}

#[test]
fn the_look_for_secrets_finds_each_form_of_each() {
    for secret in SECRETS {
        for (form, text) in forms(secret) {
            let told = found(format!("{{\"error\":\"no {text} here\"}}").as_bytes());
            assert!(told.as_ref().is_some_and(|told| told.starts_with(secret)), "{form}: {told:?}");
        }
        assert_eq!(found(&secret.as_bytes()[..7]), None);
    }
    assert_eq!(found(b"100 % of \\u and % or \\\\ are no secrets"), None);
}
