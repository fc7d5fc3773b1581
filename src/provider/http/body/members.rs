//! The members of a JSON object's top level, split off byte by byte.

use super::{KEPT, VALUES, Wanted, parse, values};
use memchr::memchr2;
use serde_json::{Map, Value};

/// The longest key that is kept, in bytes; a member with a longer one is left out.
const KEY: usize = 1024;

/// How many members are kept; further ones are left out. Answers have a dozen, schemas five.
const MEMBERS: usize = 1_000;

/// Splits an object into its members.
#[derive(Debug)]
pub(super) struct Members {
    place: Place,
    wanted: Wanted,
    done: Vec<Member>,
    /// The key that is being read, then the member whose value is.
    key: Vec<u8>,
    open: Option<Member>,
    /// Bytes kept of all members.
    kept: usize,
}

/// Where in the object the next byte is.
#[derive(Debug)]
enum Place {
    /// Before the opening brace.
    Start,
    /// Before a key, or the closing brace of an empty object.
    First,
    /// Before a key, after a comma.
    Next,
    /// In a key; whether the byte before was a backslash that escapes.
    Key { escaped: bool },
    /// Before the colon.
    Colon,
    /// Before a value.
    Before,
    /// In a value.
    In(Inside),
    /// After a value.
    After,
    /// After the closing brace.
    End,
    /// What came is no JSON object.
    Broken,
}

/// Where in a value the next byte is.
#[derive(Debug, Clone, Copy)]
struct Inside {
    /// Open brackets and braces.
    depth: usize,
    in_string: bool,
    escaped: bool,
}

#[derive(Debug)]
struct Member {
    /// With its quotes.
    key: Vec<u8>,
    /// The value's first byte.
    first: u8,
    /// The value's text; none where it isn't kept.
    text: Option<Vec<u8>>,
}

impl Members {
    pub(super) const fn new(wanted: Wanted) -> Self {
        Self { place: Place::Start, wanted, done: Vec::new(), key: Vec::new(), open: None, kept: 0 }
    }

    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if let Place::In(inside) = self.place {
                rest = self.value(inside, rest);
                continue;
            }
            rest = &rest[1..];
            self.step(byte);
        }
    }

    /// Takes a byte outside of values.
    fn step(&mut self, byte: u8) {
        let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.place = match (std::mem::replace(&mut self.place, Place::Broken), byte) {
            (Place::Key { escaped }, _) => {
                if self.key.len() <= KEY {
                    self.key.push(byte);
                }
                if byte == b'"' && !escaped {
                    Place::Colon
                } else {
                    Place::Key { escaped: byte == b'\\' && !escaped }
                }
            }
            (place, _) if blank => place,
            (Place::Start, b'{') => Place::First,
            (Place::First | Place::Next, b'"') => {
                self.key.clear();
                self.key.push(byte);
                Place::Key { escaped: false }
            }
            (Place::Colon, b':') => Place::Before,
            (Place::Before, _) if !matches!(byte, b',' | b'}' | b']' | b':') => self.begin(byte),
            (Place::After, b',') => Place::Next,
            (Place::First | Place::After, b'}') => Place::End,
            _ => Place::Broken,
        };
    }

    /// Begins a value with its first byte.
    fn begin(&mut self, first: u8) -> Place {
        let key = std::mem::take(&mut self.key);
        self.open = (key.len() <= KEY && self.done.len() < MEMBERS).then(|| {
            let is_wanted = self.wanted.is_none_or(|wanted| {
                serde_json::from_slice::<String>(&key).is_ok_and(|key| wanted.contains(&&*key))
            });
            let text = (is_wanted && self.kept < KEPT).then(Vec::new);
            self.kept += key.len();
            Member { key, first, text }
        });
        self.keep(&[first]);
        let depth = usize::from(matches!(first, b'[' | b'{'));
        Place::In(Inside { depth, in_string: first == b'"', escaped: false })
    }

    /// Takes as many bytes of a value as there are; what is left comes after it.
    fn value<'a>(&mut self, mut inside: Inside, bytes: &'a [u8]) -> &'a [u8] {
        let (taken, ended) = inside.take(bytes);
        let (own, rest) = bytes.split_at(taken);
        self.keep(own);
        if ended {
            self.done.extend(self.open.take());
            self.place = Place::After;
        } else {
            self.place = Place::In(inside);
        }
        rest
    }

    /// Adds bytes to the open member's text, where that is kept and there is room for it.
    fn keep(&mut self, bytes: &[u8]) {
        let Some(text) = self.open.as_mut().and_then(|member| member.text.as_mut()) else { return };
        text.extend_from_slice(bytes);
        self.kept += bytes.len();
        if self.kept > KEPT {
            self.kept -= text.len();
            self.open.iter_mut().for_each(|member| member.text = None);
        }
    }

    /// The object; none where what came isn't one.
    pub(super) fn end(self) -> Option<Value> {
        if !matches!(self.place, Place::End) {
            return None;
        }
        let mut left = VALUES;
        let members = self.done.into_iter().filter_map(|member| {
            let key = parse(&member.key)?;
            Some((key.as_str()?.to_owned(), member.value(&mut left)))
        });
        Some(Value::Object(members.collect::<Map<String, Value>>()))
    }
}

impl Inside {
    /// How many of these bytes belong to the value, and whether it ends there.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                } else if byte == b'\\' {
                    self.escaped = true;
                } else if byte == b'"' {
                    self.in_string = false;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                } else {
                    // Strings are most of what is large.
                    at += memchr2(b'"', b'\\', &bytes[at..]).unwrap_or(bytes.len() - at);
                    continue;
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'[' | b'{' => self.depth += 1,
                    b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r' if self.depth == 0 => {
                        return (at, true);
                    }
                    b']' | b'}' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            return (at + 1, true);
                        }
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        (at, false)
    }
}

impl Member {
    /// The value as it is kept, of which `left` values may be.
    fn value(self, left: &mut usize) -> Value {
        let text = self.text.as_deref();
        let count = text.map_or(0, values);
        let value = text.filter(|_| count <= *left).and_then(parse);
        if let Some(value) = value {
            *left -= count;
            return value;
        }
        match self.first {
            b'[' => Value::Array(Vec::new()),
            b'{' => Value::Object(Map::new()),
            b'"' => Value::String(String::new()),
            b't' | b'f' => Value::Bool(self.first == b't'),
            b'-' | b'0'..=b'9' => Value::from(0),
            // `null`, and what is no JSON: NaN, Infinity.
            _ => Value::Null,
        }
    }
}
