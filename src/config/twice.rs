//! Where a key that stands twice stood first.
//!
//! The parser tells the second place alone, and where two tables of one name were merged, nothing of
//! what it built tells the first one any more: so the text is read once more, for its keys alone.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use toml_parser::decoder::Encoding;
use toml_parser::parser::{EventReceiver, RecursionGuard, parse_document};
use toml_parser::{ErrorSink, Raw, Source, Span};

/// How deep tables may nest before they are not looked into; the parser refuses them there too.
const DEPTH: u32 = 80;

/// Of each key that stands a second time: where it starts there → where it stood first.
pub(super) fn first_places(text: &str) -> HashMap<usize, Range<usize>> {
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut keys = Keys {
        source,
        table: Path::default(),
        open: Vec::new(),
        key: None,
        in_header: false,
        seen: HashMap::new(),
        twice: HashMap::new(),
    };
    parse_document(&tokens, &mut RecursionGuard::new(&mut keys, DEPTH), &mut ());
    keys.twice
}

/// A key with all that it hangs from, as a hash: texts would make long names in long files costly,
/// and two that collide cost no more than a wrong hint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Path(u64);

impl Path {
    fn join(self, part: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.0, part).hash(&mut hasher);
        Self(hasher.finish())
    }
}

struct Keys<'a> {
    source: Source<'a>,
    /// The `[table]` that is being filled.
    table: Path,
    /// The inline tables that are open, and the arrays, whose values have no path.
    open: Vec<Option<Path>>,
    /// The key that is being read, and its last part's place.
    key: Option<(Path, Span)>,
    in_header: bool,
    seen: HashMap<Path, Range<usize>>,
    twice: HashMap<usize, Range<usize>>,
}

impl Keys<'_> {
    /// What a key in this place hangs from; none within an array.
    fn parent(&self) -> Option<Path> {
        if self.in_header {
            Some(Path::default())
        } else {
            self.open.last().copied().unwrap_or(Some(self.table))
        }
    }

    /// Notes the key that was read whole.
    fn note(&mut self) {
        let Some((path, last)) = self.key else { return };
        let place = last.start()..last.end();
        match self.seen.get(&path) {
            Some(first) => {
                self.twice.insert(place.start, first.clone());
            }
            None => {
                self.seen.insert(path, place);
            }
        }
    }

    fn close_header(&mut self, table: Path) {
        self.table = table;
        self.in_header = false;
        self.key = None;
    }
}

impl EventReceiver for Keys<'_> {
    fn std_table_open(&mut self, _span: Span, _error: &mut dyn ErrorSink) {
        self.in_header = true;
        self.open.clear();
        self.key = None;
    }

    fn std_table_close(&mut self, _span: Span, _error: &mut dyn ErrorSink) {
        self.note();
        self.close_header(self.key.map(|(path, _)| path).unwrap_or_default());
    }

    fn array_table_open(&mut self, span: Span, error: &mut dyn ErrorSink) {
        self.std_table_open(span, error);
    }

    fn array_table_close(&mut self, span: Span, _error: &mut dyn ErrorSink) {
        // Each is a table of its own: its place makes it one of a kind.
        self.close_header(self.key.map(|(path, _)| path).unwrap_or_default().join(span.start()));
    }

    fn inline_table_open(&mut self, _span: Span, _error: &mut dyn ErrorSink) -> bool {
        self.open.push(self.key.take().map(|(path, _)| path));
        true
    }

    fn inline_table_close(&mut self, _span: Span, _error: &mut dyn ErrorSink) {
        self.open.pop();
        self.key = None;
    }

    fn array_open(&mut self, _span: Span, _error: &mut dyn ErrorSink) -> bool {
        self.open.push(None);
        self.key = None;
        true
    }

    fn array_close(&mut self, _span: Span, _error: &mut dyn ErrorSink) {
        self.open.pop();
        self.key = None;
    }

    fn simple_key(&mut self, span: Span, encoding: Option<Encoding>, _error: &mut dyn ErrorSink) {
        let mut part = std::borrow::Cow::Borrowed("");
        if let Some(raw) = self.source.get(span) {
            Raw::new_unchecked(raw.as_str(), encoding, span).decode_key(&mut part, &mut ());
        }
        let before = self.key.map(|(path, _)| path).or_else(|| self.parent());
        self.key = before.map(|before| (before.join(part), span));
    }

    fn key_val_sep(&mut self, _span: Span, _error: &mut dyn ErrorSink) {
        self.note();
    }

    fn scalar(&mut self, _span: Span, _kind: Option<Encoding>, _error: &mut dyn ErrorSink) {
        self.key = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first place's and the second's offsets, in the order of the second.
    fn twice(text: &str) -> Vec<(usize, usize)> {
        let mut places: Vec<_> =
            first_places(text).into_iter().map(|(second, first)| (first.start, second)).collect();
        places.sort_by_key(|(_, second)| *second);
        places
    }

    #[test]
    fn keys_tables_and_dotted_keys() {
        assert_eq!(twice("a = 1\nb = 2\na = 3"), [(0, 12)]);
        assert_eq!(twice("[m.a]\nx = 1\n[m.b]\nx = 2\n[m.\"a\"]\nx = 3\n"), [(3, 27), (6, 32)]);
        assert_eq!(twice("x = { a = 1, b = { a = 2, a = 3 } }"), [(19, 26)]);
        assert_eq!(twice("a.b = 1\na.c = 2\na.b = 3"), [(2, 18)]);
        assert_eq!(twice("[[m]]\na = 1\n[[m]]\na = 2\n"), []);
        assert_eq!(twice("a = [{ b = 1 }, { b = 2 }]"), []);
    }

    #[test]
    fn deep_nesting_ends() {
        let _ = first_places(&"a = ".chars().chain("[".repeat(50_000).chars()).collect::<String>());
        let _ = first_places(&"a={".repeat(50_000));
    }
}
