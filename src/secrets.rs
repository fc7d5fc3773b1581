//! The secrets of this process, and how text from outside is cleared of them.
//!
//! Every token and every webhook's address is known here from when it is read. The list belongs to the process, not to
//! a part of it: a server may repeat what another server, or the environment, was given. A secret is recognised as it
//! is, in any case, behind JSON's, URLs' and HTML's escapes, in base64, in hexadecimal digits, and, where it has [`LONG`] characters, in pieces of
//! [`PIECE`] or more.

mod text;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use text::{Visible, encoded};

/// A shorter secret, in characters, might be any word that a server says: it is not looked for.
const SHORTEST: usize = 8;

/// A piece of a secret is looked for from this length on, in characters.
const PIECE: usize = 8;

/// Pieces of a secret are looked for where it has this many characters; of a shorter one, a piece would be too much of
/// it to be chance, and too little to be told from a word.
const LONG: usize = 16;

/// How many characters of a secret that is looked for as a whole are looked up at once: it has no fewer.
const START: usize = 6;

/// How much of a text is looked at at a time, in bytes, and how much of it again with what follows: more than a piece of
/// a secret takes, however it is escaped.
const LOOKED_AT: usize = 64 * 1024;
const OVERLAP: usize = 512;

/// So many secrets are known at the most while some of them are used no more: then those are forgotten.
const MOST: usize = 20_000;

/// What stands in the place of a secret.
const STRUCK: &str = "[secret]";

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

/// A secret text. It has neither Display nor a Debug that shows it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Secret(Arc<str>);

/// The secrets, and the pieces of them that are looked for, in lower case.
#[derive(Default)]
struct Known {
    secrets: HashSet<Arc<str>>,
    /// Of long secrets.
    pieces: HashSet<[u8; PIECE]>,
    /// Of shorter ones, by how they begin.
    whole: HashMap<[u8; START], Vec<Box<[u8]>>>,
    /// Whether any of both begins with these two bytes: nearly all of a text begins with others.
    starts: Starts,
}

/// A set of pairs of bytes.
struct Starts(Box<[bool]>);

impl Default for Starts {
    fn default() -> Self {
        Self(vec![false; 1 << 16].into())
    }
}

impl Starts {
    fn place(bytes: &[u8]) -> usize {
        usize::from(bytes[0]) << 8 | usize::from(bytes[1])
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0[Self::place(bytes)] = true;
    }

    fn has(&self, bytes: &[u8]) -> bool {
        self.0[Self::place(bytes)]
    }
}

impl Secret {
    /// Makes a secret known.
    pub(crate) fn new(text: &str) -> Self {
        Self::of_at_least(text, SHORTEST)
    }

    /// Makes a secret known that is looked for though it is shorter than others: `shortest` characters or more, and no
    /// fewer than [`START`].
    pub(crate) fn of_at_least(text: &str, shortest: usize) -> Self {
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        Self(known.add(text, shortest.max(START)))
    }

    /// The secret itself.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A text without the secrets that are known.
pub(crate) fn strike(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    if known.secrets.is_empty() || text.len() < START {
        return text.into();
    }
    let mut hidden = Vec::new();
    let mut from = 0;
    // Piece by piece, as what is looked at takes many times its length in memory.
    loop {
        let end = text.floor_char_boundary(from + LOOKED_AT);
        known.look_at(&text[from..end], from, &mut hidden);
        if end == text.len() {
            break;
        }
        from = text.floor_char_boundary(end - OVERLAP);
    }
    if hidden.is_empty() {
        return text.into();
    }
    without(text, hidden).into()
}

/// A text with [`STRUCK`] in the place of what is hidden: ranges of its bytes.
fn without(text: &str, mut hidden: Vec<(usize, usize)>) -> String {
    hidden.sort_unstable();
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    let mut hidden = hidden.into_iter().peekable();
    while let Some((start, mut end)) = hidden.next() {
        while let Some(next) = hidden.next_if(|next| next.0 <= end) {
            end = end.max(next.1);
        }
        shown.push_str(&text[at..start]);
        shown.push_str(STRUCK);
        at = end;
    }
    shown.push_str(&text[at..]);
    shown
}

impl Known {
    fn add(&mut self, text: &str, shortest: usize) -> Arc<str> {
        if let Some(known) = self.secrets.get(text) {
            return known.clone();
        }
        if self.secrets.len() >= MOST {
            self.forget_unused();
        }
        let secret: Arc<str> = text.into();
        self.look_for(text, shortest);
        self.secrets.insert(secret.clone());
        secret
    }

    fn look_for(&mut self, text: &str, shortest: usize) {
        let lower = Visible::of(text).lower();
        if lower.len() >= LONG {
            lower.windows(2).for_each(|start| self.starts.add(start));
            self.pieces.extend(lower.windows(PIECE).filter_map(|piece| <[u8; PIECE]>::try_from(piece).ok()));
        } else if lower.len() >= shortest
            && let Some(start) = lower.first_chunk()
        {
            self.starts.add(start);
            self.whole.entry(*start).or_default().push(lower.into());
        }
    }

    /// What nobody uses any more is looked for no more.
    fn forget_unused(&mut self) {
        let used: HashSet<Arc<str>> =
            self.secrets.drain().filter(|secret| Arc::strong_count(secret) > 1).collect();
        self.pieces.clear();
        self.whole.clear();
        self.starts = Starts::default();
        // Short parts of webhooks' addresses among them are looked for as before.
        for secret in &used {
            self.look_for(secret, START);
        }
        self.secrets = used;
    }

    /// Adds where in `text`, which begins at `from`, secrets or pieces of them are hidden.
    fn look_at(&self, text: &str, from: usize, hidden: &mut Vec<(usize, usize)>) {
        let visible = Visible::of(text);
        let mut add = |(start, end)| {
            let (start, end) = visible.place(start, end);
            hidden.push((from + start, from + end));
        };
        self.found(&visible.lower()).into_iter().for_each(&mut add);
        for (at, bytes) in visible.as_base64(START) {
            let found = self.found(&bytes).into_iter().map(encoded);
            found.map(|(start, end)| (at + start, at + end)).for_each(&mut add);
        }
        for (at, bytes) in visible.as_hex(START) {
            let found = self.found(&bytes).into_iter();
            found.map(|(start, end)| (at + 2 * start, at + 2 * end)).for_each(&mut add);
        }
    }

    /// Where secrets, or pieces of them, begin and end in `bytes`, which are in lower case.
    fn found(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (at, start) in bytes.windows(START).enumerate() {
            if !self.starts.has(start) {
                continue;
            }
            let rest = &bytes[at..];
            if rest.first_chunk().is_some_and(|piece| self.pieces.contains(piece)) {
                found.push((at, at + PIECE));
            }
            let whole = rest.first_chunk().and_then(|start| self.whole.get(start)).into_iter().flatten();
            found.extend(whole.filter(|whole| rest.starts_with(whole)).map(|whole| (at, at + whole.len())));
        }
        found
    }
}

#[cfg(test)]
mod tests;
