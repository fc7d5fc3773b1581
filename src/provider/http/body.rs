//! A body, read as it comes, in bounded memory.
//!
//! Of a JSON object the top-level members are kept one by one; a member that nobody asked for, or that is
//! too large, is read past and leaves an empty value of its type. So an output of any size hides neither the
//! status nor the times beside it. A member that is no JSON (a NaN, a byte that is no UTF-8) reads as empty too, and
//! spoils no other. Anything but an object is kept as its bytes.
//!
//! All text of a body, keys too, is struck of the secrets of this process when it is parsed: whatever is made of it,
//! shown or kept, has none.

mod members;

use crate::secrets;
use members::Members;
use serde_json::Value;

/// How much of a body is kept, in bytes.
pub(super) const KEPT: usize = 16 * 1024 * 1024;

/// How much of a body is read, in bytes. A heartbeat's time-out ends a slow one earlier.
pub(super) const READ: usize = 1024 * 1024 * 1024;

/// How many of a body's first bytes are kept as they came, for a message.
const START: usize = 4 * 1024;

/// How many of these are left out where more came, since a secret may be cut off there.
const CUT: usize = 256;

/// How many values of a body are kept; schemas have some thousands. A value takes forty times its two bytes in
/// memory.
const VALUES: usize = 100_000;

/// The byte order mark that some servers put before JSON.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Which members of an object are kept; the others leave an empty value of their type.
pub type Wanted = Option<&'static [&'static str]>;

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Reader {
    form: Form,
    start: Vec<u8>,
    /// How many bytes have come.
    read: usize,
    wanted: Wanted,
}

#[derive(Debug)]
enum Form {
    /// Not known yet: only blanks have come, or a part of the mark.
    Unknown(Vec<u8>),
    Object(Members),
    Other(Vec<u8>),
}

/// A body that was read to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Body {
    /// Its JSON; none where it isn't JSON.
    pub(super) json: Option<Value>,
    start: Vec<u8>,
}

impl Body {
    /// Its first bytes as text, without the secrets of this process.
    pub(super) fn start(&self) -> String {
        let text = String::from_utf8_lossy(&self.start);
        let struck = secrets::strike(&text);
        // A secret that is cut off is not recognised.
        let shown = if self.start.len() < START { struck.len() } else { struck.len().saturating_sub(CUT) };
        struck[..struck.floor_char_boundary(shown)].to_owned()
    }
}

/// A body is larger than what is kept, or read, of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge(pub(super) usize);

impl Reader {
    pub(super) const fn new(wanted: Wanted) -> Self {
        Self { form: Form::Unknown(Vec::new()), start: Vec::new(), read: 0, wanted }
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        self.read += bytes.len();
        if self.read > READ {
            return Err(TooLarge(READ));
        }
        self.start.extend_from_slice(&bytes[..bytes.len().min(START - self.start.len())]);
        match &mut self.form {
            Form::Object(members) => members.feed(bytes),
            Form::Other(kept) => keep(kept, bytes)?,
            Form::Unknown(blank) => {
                let mut all = std::mem::take(blank);
                all.extend_from_slice(bytes);
                let text = all.strip_prefix(MARK).unwrap_or(&all).trim_ascii_start();
                if text.starts_with(b"{") {
                    let mut members = Members::new(self.wanted);
                    members.feed(text);
                    self.form = Form::Object(members);
                } else if text.is_empty() || MARK.starts_with(text) {
                    keep(blank, &all)?;
                } else {
                    let mut kept = Vec::new();
                    keep(&mut kept, &all)?;
                    self.form = Form::Other(kept);
                }
            }
        }
        Ok(())
    }

    /// How many bytes are kept of what has come.
    pub(super) fn kept(&self) -> usize {
        match &self.form {
            Form::Object(members) => members.kept(),
            Form::Unknown(kept) | Form::Other(kept) => kept.len(),
        }
    }

    /// The whole, once all has come.
    pub(super) fn end(self) -> Body {
        let json = match self.form {
            Form::Object(members) => members.end(),
            Form::Unknown(kept) | Form::Other(kept) if values(&kept) <= VALUES => {
                parse(kept.strip_prefix(MARK).unwrap_or(&kept))
            }
            Form::Unknown(_) | Form::Other(_) => None,
        };
        Body { json, start: self.start }
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TooLarge> {
    if kept.len() + bytes.len() > KEPT {
        return Err(TooLarge(KEPT));
    }
    kept.extend_from_slice(bytes);
    Ok(())
}

/// A value; bytes that are no UTF-8 are replaced.
fn parse(text: &[u8]) -> Option<Value> {
    serde_json::from_str(&String::from_utf8_lossy(text)).ok()
}

/// How many values there are at the most in a text that may be JSON: as many as it has openings, and
/// commas between them, outside of its strings.
fn values(text: &[u8]) -> usize {
    let (mut values, mut in_string, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            b'"' if !escaped => in_string = !in_string,
            b'[' | b'{' | b',' if !in_string => values += 1,
            _ => {}
        }
        escaped = in_string && !escaped && *byte == b'\\';
    }
    values
}

#[cfg(test)]
mod tests;
