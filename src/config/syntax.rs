//! What is wrong with a file as TOML, told in the words of somebody who writes a `warm.toml`.

use super::locate;
use super::mend::Mended;
use super::report::{Finding, Report, cut};
use super::section::join;
use super::twice;
use super::value::parse_duration;
use std::collections::HashMap;
use std::ops::Range;
use toml::de::Error;

/// How far before a mistake its key is looked for, in bytes.
const LOOK_BACK: usize = 200;

/// The longest name of a table in a key's path, in characters.
const PATH_LIMIT: usize = 100;

/// Tells what was mended, and what the parser found in the mended text.
pub(super) fn tell(mended: &Mended, errors: &[Error], report: &mut Report<'_>) {
    let source = Headers::new(mended.masked());
    for mistake in mended.mistakes() {
        let key = mended.source().get(mistake.place.clone()).unwrap_or_default();
        let finding = Finding::error(
            source.path(mistake.place.start, key),
            mistake.place.clone(),
            mistake.title.as_str(),
        );
        report.add_in_source(match &mistake.help {
            Some(help) => finding.help(help.as_str()),
            None => finding,
        });
    }
    let twice = |error: &Error| error.message().starts_with("duplicate key");
    let firsts = if errors.iter().any(twice) { twice::first_places(mended.text()) } else { HashMap::new() };
    let masked = report.masked().to_owned();
    let headers = Headers::new(&masked);
    let mut last = None;
    for error in errors {
        let span = error.span().unwrap_or_default();
        // One mistake in one place is enough.
        if last.replace(span.start) == Some(span.start) {
            continue;
        }
        let finding = if twice(error) {
            duplicate(&headers, span.clone(), firsts.get(&span.start), report)
        } else {
            report.add_broken(&span);
            told(error.message(), &headers, span, mended.text(), report)
        };
        report.add(finding);
    }
}

/// The lines that look like a `[table]`, to name the key that a mistake is about: the parser tells
/// only its place.
#[derive(Debug)]
struct Headers<'a> {
    /// Where each starts and ends, and its name.
    lines: Vec<(Range<usize>, &'a str)>,
}

impl<'a> Headers<'a> {
    fn new(text: &'a str) -> Self {
        let mut lines = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            if line.starts_with('[') {
                let name =
                    line.trim_matches(['[', ' ', '\t', '\r', '\n']).split(']').next().unwrap_or_default();
                lines.push((start..start + line.len(), name));
            }
            start += line.len();
        }
        Self { lines }
    }

    /// A key's name from the top; the table's own where the key is in its header.
    fn path(&self, offset: usize, key: &str) -> String {
        let before = self.lines.partition_point(|(range, _)| range.start <= offset);
        let header = before.checked_sub(1).map(|last| &self.lines[last]);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        match header {
            Some((range, table)) if range.contains(&offset) => cut(table, PATH_LIMIT),
            Some((_, table)) if key.is_empty() || !key.chars().all(plain) => cut(table, PATH_LIMIT),
            Some((_, table)) => join(&cut(table, PATH_LIMIT), key),
            None if key.chars().all(plain) => join("", key),
            None => String::new(),
        }
    }
}

fn duplicate(
    headers: &Headers<'_>,
    span: Range<usize>,
    first: Option<&Range<usize>>,
    report: &Report<'_>,
) -> Finding {
    let key = report.echo(&span);
    let path = headers.path(span.start, &key);
    match first {
        Some(first) => {
            Finding::error(path, span, format!("`{key}` stands twice")).other(first.clone(), "first")
        }
        None => Finding::error(path, span, format!("`{key}` is defined already, in another form")),
    }
}

/// What the parser said, with what to write where that is plain.
fn told(
    message: &str,
    headers: &Headers<'_>,
    span: Range<usize>,
    text: &str,
    report: &Report<'_>,
) -> Finding {
    let near = &text[locate::floor(text, span.start.saturating_sub(LOOK_BACK))..span.start];
    let line = near.rsplit('\n').next().unwrap_or_default();
    let key = line.split('=').next().unwrap_or_default().trim();
    let is_key =
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let key = if is_key { key } else { "" };
    let error = |title: String| Finding::error(headers.path(span.start, key), span.clone(), title);
    let wrong = report.echo(&span);
    let starts = |start| message.starts_with(start);
    if starts("string values must be quoted") && wrong.trim().is_empty() {
        error(format!("`{key}` has no value")).help("strings stand in quotes")
    } else if wrong.contains(['“', '”', '‘', '’', '„']) {
        error("these are not TOML's quotes".to_owned())
            .help(format!("write \"{}\"", wrong.trim_matches(is_quote)))
    } else if starts("invalid float") {
        // An address, say: only its end is what the parser can't take for a number.
        error("this is no number; strings stand in quotes".to_owned())
    } else if starts("string values must be quoted")
        || starts("invalid datetime")
        || starts("invalid date-time")
    {
        let what = if parse_duration(&wrong).is_ok() { "a duration stands" } else { "strings stand" };
        let error = error(format!("{what} in quotes"));
        // Nobody is to write a secret here, nor to see it.
        if wrong.contains('*') { error } else { error.help(format!("write \"{wrong}\"")) }
    } else if starts("invalid boolean") {
        error(format!("`{wrong}` is no value")).accepted("true, false, or a string in quotes")
    } else if starts("invalid basic string") || starts("invalid literal string") {
        error("the string isn't closed: the quote at its end is missing".to_owned())
    } else if starts("invalid multi-line") {
        error("the string isn't closed: the three quotes at its end are missing".to_owned())
    } else if starts("recursion limit") || starts("cannot recurse") {
        error("nested too deep".to_owned())
    } else {
        error(message.replace(", expected nothing", ""))
    }
}

fn is_quote(c: char) -> bool {
    matches!(c, '“' | '”' | '‘' | '’' | '„')
}
