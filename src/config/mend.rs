//! A broken file, mended just so far that all of it can be checked in one go.
//!
//! The parser recovers from most mistakes by itself. Three it does not: a key without a value ends
//! its reading, a table's name that isn't closed loses the table, and a value's bracket that isn't
//! closed swallows what follows. Those are mended in a copy, and told.

use super::locate;
use super::report::echo;
use super::secret;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::de::{DeTable, Error};

/// How often a file is read anew after mending. Each time mends all mistakes of one kind, or one
/// bracket; what is left then is told as the parser tells it.
const ROUNDS: usize = 16;

/// A file's text, as it was and as it can be read.
#[derive(Debug)]
pub(super) struct Mended {
    source: String,
    /// The source with its secrets under stars: what messages repeat comes from here.
    masked: String,
    text: String,
    /// Up to which offset of `text` how much more was put in than there was.
    shifts: Vec<(usize, usize)>,
    /// What was wrong, where in the source.
    mistakes: Vec<Mistake>,
}

/// A mistake that was mended.
#[derive(Debug)]
pub(super) struct Mistake {
    /// Where the source has it.
    pub(super) place: Range<usize>,
    /// What is wrong.
    pub(super) title: String,
    /// What to write.
    pub(super) help: Option<String>,
}

/// What is to be done to the source.
struct Edits {
    /// The source, lines without a value blanked.
    blanked: Vec<u8>,
    /// What is put in, by its place in the source.
    inserts: BTreeMap<usize, &'static str>,
}

impl Mended {
    pub(super) fn new(source: &str) -> Self {
        let mut this = Self {
            source: source.to_owned(),
            masked: secret::mask(source, &[]),
            text: source.to_owned(),
            shifts: Vec::new(),
            mistakes: Vec::new(),
        };
        let mut edits = Edits { blanked: source.as_bytes().to_vec(), inserts: BTreeMap::new() };
        for _ in 0..ROUNDS {
            let (_, errors) = DeTable::parse_recoverable(&this.text);
            let found = this.mend(&errors, &mut edits);
            if found.is_empty() {
                break;
            }
            this.mistakes.extend(found);
            this.rebuild(&edits);
        }
        this
    }

    /// The text that can be read.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The text as it was.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The text as it was, its secrets under stars.
    pub(super) fn masked(&self) -> &str {
        &self.masked
    }

    /// What was mended.
    pub(super) fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Where the source has what the mended text has at an offset.
    pub(super) fn original(&self, offset: usize) -> usize {
        let passed = self.shifts.partition_point(|(from, _)| *from <= offset);
        let more = passed.checked_sub(1).map_or(0, |last| self.shifts[last].1);
        locate::floor(&self.source, offset.saturating_sub(more))
    }

    fn rebuild(&mut self, edits: &Edits) {
        let blanked = String::from_utf8_lossy(&edits.blanked);
        self.text.clear();
        self.shifts.clear();
        let (mut from, mut more) = (0, 0);
        for (place, insert) in &edits.inserts {
            self.text.push_str(&blanked[from..*place]);
            self.text.push_str(insert);
            more += insert.len();
            self.shifts.push((self.text.len(), more));
            from = *place;
        }
        self.text.push_str(&blanked[from..]);
    }

    /// Mends what can be mended at once, and tells it.
    fn mend(&self, errors: &[Error], edits: &mut Edits) -> Vec<Mistake> {
        let starting = |start: &'static str| {
            errors.iter().filter(move |error| error.message().starts_with(start)).filter_map(Error::span)
        };
        let mistakes: Vec<_> = starting("key with no value")
            .chain(starting("missing value for key"))
            .chain(starting("invalid key-value pair"))
            .filter_map(|span| self.blank(span.start, edits))
            .collect();
        if !mistakes.is_empty() {
            return mistakes;
        }
        let plain = starting("unclosed table").map(|span| (span, "]"));
        let array = starting("unclosed array table").map(|span| (span, "]]"));
        let mistakes: Vec<_> = plain
            .chain(array)
            .filter_map(|(span, close)| self.close_header(span.start, close, edits))
            .collect();
        if !mistakes.is_empty() {
            return mistakes;
        }
        if let Some(span) = starting("unexpected `=` in array").chain(starting("unclosed array")).next() {
            return self.close_value(span.start, '[', "]\n", edits).into_iter().collect();
        }
        if let Some(end) = starting("unclosed inline table").next() {
            let span = starting("missing comma between key-value pairs").next().unwrap_or(end);
            return self.close_value(span.start, '{', "}\n", edits).into_iter().collect();
        }
        Vec::new()
    }

    /// Takes the line around an offset out, which has no value.
    fn blank(&self, offset: usize, edits: &mut Edits) -> Option<Mistake> {
        let line = self.line(self.original(offset));
        let bytes = &mut edits.blanked[line.clone()];
        if bytes.iter().all(u8::is_ascii_whitespace) {
            // Two mistakes of one line.
            return None;
        }
        bytes.fill(b' ');
        let text = &self.source[line.clone()];
        let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let (key, rest) = text.split_at(text.find(|c| !word(c)).unwrap_or(text.len()));
        let key_or_character = key.len().max(text.chars().next().map_or(0, char::len_utf8));
        let key = self.echo(line.start..line.start + key.len());
        let (title, help) = if key.is_empty() {
            (
                "this is no line of TOML".to_owned(),
                "a line is `key = value`, `[table]` or `# comment`".to_owned(),
            )
        } else if rest.trim_start().starts_with(':') {
            (format!("`{key}` and its value are joined by `=`, not by `:`"), format!("write `{key} = …`"))
        } else {
            (format!("`{key}` has no `=` and no value"), format!("write `{key} = …`"))
        };
        Some(Mistake { place: line.start..line.start + key_or_character, title, help: Some(help) })
    }

    fn close_header(&self, offset: usize, close: &'static str, edits: &mut Edits) -> Option<Mistake> {
        let place = self.original(offset);
        let start = self.line(place).start.min(place);
        let halved = close == "]]" && self.source[start..place].ends_with(']');
        let close = if halved { "]" } else { close };
        edits.inserts.insert(place, close).is_none().then(|| Mistake {
            place: start..place,
            title: format!("the table's name isn't closed: `{close}` is missing"),
            help: Some(format!("write `{}{close}`", self.echo(start..place))),
        })
    }

    /// Closes the array or inline table that was opened last before an offset, after the lines that
    /// look as if they were its own.
    fn close_value(
        &self,
        offset: usize,
        bracket: char,
        close: &'static str,
        edits: &mut Edits,
    ) -> Option<Mistake> {
        let before = &self.source[..self.original(offset)];
        let mut end = before.len();
        let (start, open) = loop {
            let start = before[..end].rfind('\n').map_or(0, |at| at + 1);
            if let Some(opened) = opens(&before[start..end], bracket) {
                break (start, start + opened);
            }
            end = start.checked_sub(1)?;
        };
        let mut place = before[open..].find('\n').map(|at| open + at + 1)?;
        for line in self.source[place..].split_inclusive('\n') {
            if is_header(line) || is_assignment(line) {
                break;
            }
            place += line.len();
        }
        let close = if self.source[..place].ends_with('\n') { close } else { close.trim_end() };
        edits.inserts.insert(place, close).is_none().then(|| {
            let line = self.line(start);
            let name = self.source[line.clone()].split('=').next().unwrap_or_default().trim_end();
            let place = line.start..line.start + name.len();
            let name = self.echo(place.clone());
            let title = format!("the value of `{name}` isn't closed: `{}` is missing", close.trim_end());
            Mistake { place, title, help: None }
        })
    }

    /// A piece of the source for a message, in one line, without secrets, and cut where it is long.
    fn echo(&self, place: Range<usize>) -> String {
        echo(self.masked.get(place).unwrap_or_default())
    }

    /// The line around an offset of the source, without the blanks at its ends.
    fn line(&self, offset: usize) -> Range<usize> {
        let start = self.source[..offset].rfind('\n').map_or(0, |at| at + 1);
        let line = self.source[start..].split('\n').next().unwrap_or_default();
        let from = start + (line.len() - line.trim_start().len());
        from..from + line.trim().len()
    }
}

/// Where a line opens an array or an inline table as the value of a key.
fn opens(line: &str, bracket: char) -> Option<usize> {
    let value = line.find('=')? + 1;
    let blanks = line[value..].len() - line[value..].trim_start().len();
    line[value + blanks..].starts_with(bracket).then_some(value + blanks)
}

/// Whether a line looks like a `[table]`, and not like an array within an array, whose strings stand
/// in quotes.
fn is_header(line: &str) -> bool {
    let inner = line.trim().trim_start_matches('[');
    inner.len() < line.trim().len()
        && inner.starts_with(|c: char| c.is_ascii_alphabetic())
        && inner.contains(']')
}

/// Whether a line looks like `key = value`.
fn is_assignment(line: &str) -> bool {
    let key = line.split_once('=').map_or("", |(key, _)| key.trim());
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text as mended, and what was said.
    fn mended(source: &str) -> (String, Vec<String>) {
        let mended = Mended::new(source);
        let said =
            mended.mistakes().iter().map(|m| format!("{}: {}", &source[m.place.clone()], m.title)).collect();
        (mended.text().to_owned(), said)
    }

    #[test]
    fn what_is_right_stays_as_it_is() {
        assert_eq!(mended("a = 1\n[b]\nc = [\n1,\n]\n"), ("a = 1\n[b]\nc = [\n1,\n]\n".into(), vec![]));
    }

    #[test]
    fn a_key_without_a_value() {
        let (text, said) = mended("a 30\nb: 1\n{\nc = 1\n");
        assert_eq!(text, "    \n    \n \nc = 1\n");
        assert_eq!(
            said,
            [
                "a: `a` has no `=` and no value",
                "b: `b` and its value are joined by `=`, not by `:`",
                "{: this is no line of TOML"
            ]
        );
    }

    #[test]
    fn brackets_that_are_not_closed() {
        let (text, said) = mended("[x\na = [\"b\",\n  \"c\" # d\n[y]\nb = { c = 1\nd = 2\n");
        assert_eq!(text, "[x]\na = [\"b\",\n  \"c\" # d\n]\n[y]\nb = { c = 1\n}\nd = 2\n");
        assert_eq!(
            said,
            [
                "[x: the table's name isn't closed: `]` is missing",
                "a: the value of `a` isn't closed: `]` is missing",
                "b: the value of `b` isn't closed: `}` is missing"
            ]
        );
        let (text, _) = mended("a = [\"b\"");
        assert_eq!(text, "a = [\"b\"", "nothing comes after it, so nothing is lost");
    }

    #[test]
    fn places_lead_back_to_the_source() {
        let source = "[x\na = 1\n[y\nb = 2\n";
        let mended = Mended::new(source);
        assert_eq!(mended.text(), "[x]\na = 1\n[y]\nb = 2\n");
        for key in ["a", "[y", "b"] {
            let (here, there) = (mended.text().find(key).unwrap(), source.find(key).unwrap());
            assert_eq!(mended.original(here), there, "{key}");
        }
    }

    #[test]
    fn many_mistakes_end() {
        let _ = Mended::new(&"a\n".repeat(100_000));
        let _ = Mended::new(&"[x\n".repeat(100_000));
        let _ = Mended::new(&"a = [\n".repeat(50_000));
        let _ = Mended::new(&"a = {\n".repeat(50_000));
    }
}
