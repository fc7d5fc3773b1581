//! A text as secrets are looked for in it.

/// A text's visible ASCII characters, escapes undone: a secret has no others, so that whatever else stands between
/// them breaks it up for the eye alone.
pub(super) struct Visible {
    bytes: Vec<u8>,
    /// Where in the text each of them begins and ends.
    places: Vec<(usize, usize)>,
}

impl Visible {
    pub(super) fn of(text: &str) -> Self {
        let (mut bytes, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
        let mut at = 0;
        while let Some(byte) = text.as_bytes().get(at) {
            let escaped = match byte {
                b'\\' => of_backslash(&text[at..]),
                b'%' => of_percent(&text[at..]),
                b'&' => of_ampersand(&text[at..]),
                _ => None,
            };
            // A part of a character that is none of ASCII's is not visible here either.
            let (c, mut length) = escaped.unwrap_or((char::from(*byte), 1));
            if c == '\u{1b}' {
                length += colour(&text[at + length..]);
            }
            if c.is_ascii_graphic() {
                bytes.push(c as u8);
                places.push((at, at + length));
            }
            at += length;
        }
        Self { bytes, places }
    }

    /// In lower case.
    pub(super) fn lower(&self) -> Vec<u8> {
        self.bytes.to_ascii_lowercase()
    }

    /// The parts that may be base64 and are long enough for `least` bytes: where each begins, and what it says, in lower
    /// case, wherever in it a group of four characters begins.
    pub(super) fn as_base64(&self, least: usize) -> impl Iterator<Item = (usize, Vec<u8>)> {
        let runs = self.runs((least * 4).div_ceil(3), |c| digit(c).is_some());
        runs.flat_map(|(start, run)| (0..4).map(move |skipped| (start + skipped, decoded(&run[skipped..]))))
    }

    /// The same for hexadecimal digits, of which two are a byte.
    pub(super) fn as_hex(&self, least: usize) -> impl Iterator<Item = (usize, Vec<u8>)> {
        let runs = self.runs(least * 2, |c| c.is_ascii_hexdigit());
        runs.flat_map(|(start, run)| (0..2).map(move |skipped| (start + skipped, of_hex(&run[skipped..]))))
    }

    /// The parts of at least so many characters of a kind, and where each begins.
    fn runs(&self, least: usize, is_one: fn(u8) -> bool) -> impl Iterator<Item = (usize, &[u8])> {
        let mut from = 0;
        self.bytes.split(move |c| !is_one(*c)).filter_map(move |run| {
            let start = from;
            from += run.len() + 1;
            (run.len() >= least).then_some((start, run))
        })
    }

    /// Where in the text the characters from `start` to `end` are.
    pub(super) fn place(&self, start: usize, end: usize) -> (usize, usize) {
        let last = end.min(self.places.len()) - 1;
        (self.places[start].0, self.places[last].1)
    }
}

/// Which characters those bytes of base64 come from that begin and end so: four characters are three bytes.
pub(super) fn encoded((from, to): (usize, usize)) -> (usize, usize) {
    (from * 4 / 3, (to * 4).div_ceil(3))
}

/// The bytes that base64 characters stand for, in lower case.
fn decoded(characters: &[u8]) -> Vec<u8> {
    let bytes = characters.chunks(4).flat_map(|group| {
        let digits = group.iter().map(|c| digit(*c).unwrap_or_default());
        let bits = digits.chain([0; 3]).take(4).fold(0_u32, |bits, digit| bits << 6 | digit);
        [bits >> 16, bits >> 8, bits].map(|byte| (byte as u8).to_ascii_lowercase())
    });
    bytes.collect()
}

/// The bytes that hexadecimal digits stand for, in lower case.
fn of_hex(digits: &[u8]) -> Vec<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default() as u8;
    digits.chunks_exact(2).map(|pair| (value(pair[0]) << 4 | value(pair[1])).to_ascii_lowercase()).collect()
}

fn digit(c: u8) -> Option<u32> {
    Some(u32::from(match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

/// The character that an escape of JSON's stands for, `\u0041`, and its length. An escape may itself be escaped, so
/// that any number of backslashes may begin it, and a row of them counts as one.
fn of_backslash(text: &str) -> Option<(char, usize)> {
    let marks = text.len() - text.trim_start_matches('\\').len();
    let escaped = match text.as_bytes().get(marks) {
        Some(b'u') => hex(text, marks + 1, 4),
        Some(b'x') => hex(text, marks + 1, 2),
        Some(c @ (b'/' | b'"' | b'\'')) => Some((char::from(*c), marks + 1)),
        Some(b'n' | b't' | b'r' | b'b' | b'f') => Some((' ', marks + 1)),
        Some(_) | None => None,
    };
    escaped.or(Some(('\\', marks)))
}

/// The character that an entity of HTML stands for, and its length.
fn of_ampersand(text: &str) -> Option<(char, usize)> {
    const NAMED: [(&str, char); 5] =
        [("&quot;", '"'), ("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&apos;", '\'')];
    if let Some((name, c)) = NAMED.into_iter().find(|(name, _)| text.starts_with(name)) {
        return Some((c, name.len()));
    }
    let number = text.strip_prefix("&#")?;
    let end = number.bytes().take(8).position(|byte| byte == b';')?;
    let number = &number[..end];
    let value = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    let c = char::from_u32(value.ok()?).filter(char::is_ascii)?;
    Some((c, "&#;".len() + end))
}

/// How long a terminal's colour is behind its ESC: `[`, digits and semicolons, and a letter.
fn colour(text: &str) -> usize {
    let Some(sequence) = text.strip_prefix('[') else { return 0 };
    let end = sequence.bytes().take(32).position(|byte| byte.is_ascii_alphabetic());
    end.map_or(0, |end| "[".len() + end + 1)
}

/// The character that an escape of URLs' stands for, `%41`, and its length; `%2541` is one that was escaped again.
fn of_percent(text: &str) -> Option<(char, usize)> {
    let mut marks = 1;
    while text[marks..].starts_with("25") {
        marks += 2;
    }
    hex(text, marks, 2)
}

/// The ASCII character whose number stands in `digits` hexadecimal digits after the first `skipped` bytes; how many
/// bytes that takes in all.
fn hex(text: &str, skipped: usize, digits: usize) -> Option<(char, usize)> {
    let number = text.get(skipped..skipped + digits)?;
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let c = u32::from_str_radix(number, 16).ok().and_then(char::from_u32)?;
    c.is_ascii().then_some((c, skipped + digits))
}
