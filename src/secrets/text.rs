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
        while at < text.len() {
            let (c, length) = character(&text[at..]);
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

    /// What it says where it is base64, in lower case, if a group of four characters begins after `skipped` ones.
    pub(super) fn as_base64(&self, skipped: usize) -> Vec<u8> {
        decoded(self.bytes.get(skipped..).unwrap_or_default())
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

/// The bytes that base64 characters stand for, in lower case; a character that is none of base64's leaves bytes that
/// are no secret's.
fn decoded(characters: &[u8]) -> Vec<u8> {
    let bytes = characters.chunks(4).flat_map(|group| {
        let digits = group.iter().map(|c| digit(*c));
        let bits = digits.chain([0; 3]).take(4).fold(0_u32, |bits, digit| bits << 6 | digit);
        [bits >> 16, bits >> 8, bits].map(|byte| (byte as u8).to_ascii_lowercase())
    });
    bytes.collect()
}

fn digit(c: u8) -> u32 {
    u32::from(match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => 0,
    })
}

/// The character that a text begins with, its escape undone, and how many bytes it takes there.
fn character(text: &str) -> (char, usize) {
    let plain = text.chars().next().unwrap_or(' ');
    let escaped = match plain {
        // An escape may itself be escaped: `\\u0041`, `%2541`.
        '\\' => {
            let marks = text.len() - text.trim_start_matches('\\').len();
            match text.as_bytes().get(marks) {
                Some(b'u') => hex(text, marks + 1, 4),
                Some(b'x') => hex(text, marks + 1, 2),
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
    let number = text.get(skipped..skipped + digits)?;
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let c = u32::from_str_radix(number, 16).ok().and_then(char::from_u32)?;
    c.is_ascii().then_some((c, skipped + digits))
}
