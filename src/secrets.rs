//! The secrets that this process holds, and how text from outside is cleared of them.
//!
//! Every token and every webhook's address is held here from when it is read until the last copy of it is dropped.
//! The list belongs to the process, not to a part of it: a server may repeat what another server, or the environment,
//! was given. A secret is recognised as it is, in any case, behind JSON's and URLs' escapes, in base64, and, where it
//! has [`LONG`] characters, in pieces of [`PIECE`] or more.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, Weak};

/// A shorter secret, in characters, might be any word that a server says: it is not looked for.
const SHORTEST: usize = 8;

/// A piece of a secret is looked for from this length on, in characters.
const PIECE: usize = 8;

/// Pieces of a secret are looked for where it has this many characters; of a shorter one, a piece would be too much of
/// it to be chance, and too little to be told from a word.
const LONG: usize = 16;

/// What stands in the place of a secret.
const STRUCK: &str = "[secret]";

/// The secrets that are held.
static HELD: RwLock<Vec<Weak<Forms>>> = RwLock::new(Vec::new());

/// A secret text, held while this or a copy of it lives. It has neither Display nor a Debug that shows it.
#[derive(Clone)]
pub(crate) struct Secret(Arc<Forms>);

/// The forms in which a secret is looked for, in lower case.
struct Forms {
    /// The secret itself, as it is.
    text: Box<str>,
    lower: Vec<Vec<u8>>,
    /// How much of a form has to be there at the least; none where all of it has to.
    piece: Option<usize>,
}

impl Secret {
    /// Holds a secret.
    pub(crate) fn new(text: &str) -> Self {
        Self::of_at_least(text, SHORTEST)
    }

    /// Holds a secret that is looked for though it is shorter than others: `shortest` characters or more.
    pub(crate) fn of_at_least(text: &str, shortest: usize) -> Self {
        let visible: Vec<u8> = text.bytes().filter(u8::is_ascii_graphic).collect();
        let lower = if visible.len() < shortest { Vec::new() } else { forms(&visible) };
        let piece = (visible.len() >= LONG).then_some(PIECE);
        let secret = Arc::new(Forms { text: text.into(), lower, piece });
        let mut held = HELD.write().unwrap_or_else(PoisonError::into_inner);
        held.retain(|held| held.strong_count() > 0);
        held.push(Arc::downgrade(&secret));
        Self(secret)
    }

    /// The secret itself.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Secret {}

impl std::hash::Hash for Secret {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A text without the secrets that are held.
pub(crate) fn strike(text: &str) -> String {
    let held: Vec<Arc<Forms>> = {
        let held = HELD.read().unwrap_or_else(PoisonError::into_inner);
        held.iter().filter_map(Weak::upgrade).collect()
    };
    let read = Read::of(text);
    if held.is_empty() || read.bytes.len() < START {
        return text.to_owned();
    }
    let places = read.places();
    let mut hidden: Vec<Range<usize>> =
        held.iter().flat_map(|secret| secret.found(&read.bytes, &places)).collect();
    if hidden.is_empty() {
        return text.to_owned();
    }
    hidden.sort_by_key(|range| range.start);
    read.without(text, &hidden)
}

/// A secret in each of its forms, in lower case: as it is, and in base64, whatever comes before it there.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_ascii_lowercase()];
    for alphabet in [&STANDARD, &URL_SAFE] {
        let engine = GeneralPurpose::new(alphabet, NO_PAD);
        for before in 0..3 {
            let encoded = engine.encode([&vec![0; before], secret].concat());
            // The first characters hold bits of what comes before, the last one perhaps of what comes after.
            let first = (before * 8).div_ceil(6);
            let end = (before + secret.len()) * 8 / 6;
            let form = encoded.as_bytes()[first..end].to_ascii_lowercase();
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
    }
    forms
}

impl Forms {
    /// Where the secret, or a piece of it, is in `bytes`.
    fn found(&self, bytes: &[u8], places: &HashMap<&[u8], Vec<usize>>) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for form in &self.lower {
            let length = self.piece.unwrap_or(form.len());
            for piece in form.windows(length) {
                let Some(places) = places.get(&piece[..START.min(length)]) else { continue };
                let here = places.iter().filter(|at| bytes[**at..].starts_with(piece));
                found.extend(here.map(|at| *at..at + length));
            }
        }
        found
    }
}

/// How many bytes of a piece are looked up at once.
const START: usize = 6;

/// A text as a secret is looked for in it: its visible ASCII characters in lower case, escapes undone.
struct Read {
    bytes: Vec<u8>,
    /// Where in the text each of them begins and ends.
    from: Vec<Range<usize>>,
}

impl Read {
    fn of(text: &str) -> Self {
        let (mut bytes, mut from) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
        let mut at = 0;
        while at < text.len() {
            let (c, length) = character(&text[at..]);
            if c.is_ascii_graphic() {
                bytes.push(c.to_ascii_lowercase() as u8);
                from.push(at..at + length);
            }
            at += length;
        }
        Self { bytes, from }
    }

    /// Where each run of [`START`] bytes is.
    fn places(&self) -> HashMap<&[u8], Vec<usize>> {
        let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (at, start) in self.bytes.windows(START).enumerate() {
            places.entry(start).or_default().push(at);
        }
        places
    }

    /// `text` without what is hidden: ranges of bytes, by their starts.
    fn without(&self, text: &str, hidden: &[Range<usize>]) -> String {
        let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
        let mut hidden = hidden.iter().peekable();
        while let Some(first) = hidden.next() {
            let mut end = first.end;
            while let Some(next) = hidden.next_if(|next| next.start <= end) {
                end = end.max(next.end);
            }
            shown.push_str(&text[at..self.from[first.start].start]);
            shown.push_str(STRUCK);
            at = self.from[end - 1].end;
        }
        shown.push_str(&text[at..]);
        shown
    }
}

/// The character that a text begins with, its escape undone, and how many bytes it takes there.
fn character(text: &str) -> (char, usize) {
    let plain = text.chars().next().unwrap_or(' ');
    let escaped = match plain {
        // An escape may itself be escaped: `\\u0041`, `%2541`.
        '\\' => {
            let marks = text.len() - text.trim_start_matches('\\').len();
            let rest = &text[marks..];
            match rest.bytes().next() {
                Some(b'u') => hex(rest, 1, 4).map(|(c, length)| (c, marks + length)),
                Some(b'x') => hex(rest, 1, 2).map(|(c, length)| (c, marks + length)),
                Some(b'/') => Some(('/', marks + 1)),
                _ => None,
            }
        }
        '%' => {
            let mut marks = 1;
            while text[marks..].starts_with("25") {
                marks += 2;
            }
            hex(text, marks, 2)
        }
        _ => None,
    };
    escaped.unwrap_or((plain, plain.len_utf8()))
}

/// The ASCII character whose number stands in `digits` hexadecimal digits after the first `skipped` bytes; how many
/// bytes that takes in all.
fn hex(text: &str, skipped: usize, digits: usize) -> Option<(char, usize)> {
    let number =
        text.get(skipped..skipped + digits).filter(|number| number.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let c = u32::from_str_radix(number, 16).ok().and_then(char::from_u32)?;
    c.is_ascii().then_some((c, skipped + digits))
}

#[cfg(test)]
mod tests;
