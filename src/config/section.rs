//! One table of the file, read key by key: what is unknown in it, and what has the wrong type.

use super::field::{Field, Wrong};
use super::keys::Keys;
use super::misplaced;
use super::report::{Finding, Report};
use super::unknown;
use super::value::{format_duration, parse_duration};
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// A table of the file whose unknown keys have been told.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// Its name from the top, as messages tell it: `models.sdxl`.
    pub(super) path: String,
    /// Where its name stands.
    pub(super) span: Range<usize>,
    /// From its name to the next table's.
    extent: Range<usize>,
    keys: Keys,
    entries: HashMap<&'a str, Entry<'a>>,
    /// Whether all it has is unknown tables: its name was meant to have a dot.
    only_tables: bool,
    /// The keys that its unknown ones were perhaps meant as.
    meant: Vec<&'static str>,
}

/// A key that is there.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    /// Where the key stands.
    pub(super) key: Range<usize>,
    /// Where its value stands.
    pub(super) span: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
}

impl<'a> Entry<'a> {
    /// Its value, if that is a string.
    pub(super) fn text(&self) -> Option<&'a str> {
        self.value.as_str()
    }
}

impl<'a> Section<'a> {
    /// Takes a table's known keys, and tells its unknown ones.
    pub(super) fn open(
        report: &mut Report<'_>,
        path: String,
        span: Range<usize>,
        extent: Range<usize>,
        table: &'a DeTable<'a>,
        keys: Keys,
    ) -> Self {
        let mut entries = HashMap::new();
        let mut only_tables = !table.is_empty();
        let mut meant = Vec::new();
        for (key, value) in table {
            let entry = Entry { key: key.span(), span: value.span(), value: value.get_ref() };
            if keys.iter().any(|known| known.name == key.get_ref().as_ref()) {
                only_tables = false;
                entries.insert(key.get_ref().as_ref(), entry);
            } else {
                only_tables &= entry.value.is_table();
                meant.extend(unknown::tell(report, &path, key, &entry, keys));
            }
        }
        Self { path, span, extent, keys, entries, only_tables, meant }
    }

    /// The entry of a key, if it is there.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry<'a>> {
        self.entries.get(key)
    }

    /// A key's name from the top.
    pub(super) fn name(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Tells that one of these keys is missing, unless what could not be read may have been it.
    pub(super) fn missing(&self, report: &mut Report<'_>, keys: &[&str], title: &str, help: &str) {
        let is_meant = self.meant.iter().any(|key| keys.contains(key));
        if !is_meant && !self.only_tables && !report.is_broken(&self.extent) {
            report.add(Finding::error(&*self.path, self.span.clone(), title).help(help));
        }
    }

    /// Tells that a key's value is wrong.
    pub(super) fn wrong(&self, report: &mut Report<'_>, key: &str, entry: &Entry<'_>, wrong: Wrong) {
        let finding = Finding::error(self.name(key), entry.key.clone(), format!("`{key}`: {}", wrong.what))
            .value(entry.span.clone());
        let finding = finding.accepted(self.accepted(key));
        report.add(match wrong.help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }

    /// What a key accepts, for a message.
    pub(super) fn accepted(&self, key: &str) -> &'static str {
        self.keys.iter().find(|known| known.name == key).map_or("", |known| known.accepted)
    }

    /// A key's value, read by `read`.
    pub(super) fn read<T>(
        &self,
        report: &mut Report<'_>,
        key: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Result<T, Wrong>,
    ) -> Field<T> {
        let Some(entry) = self.entry(key) else { return Field::Absent };
        if report.is_broken(&entry.span) {
            return Field::Wrong;
        }
        match read(entry.value) {
            Ok(value) => Field::Given(value),
            Err(wrong) => {
                self.wrong(report, key, entry, wrong);
                Field::Wrong
            }
        }
    }

    /// A string, read by `read`. One that holds a secret is refused, so that nothing repeats it, neither what
    /// would be wrong with it nor what is read from here on.
    pub(super) fn text<T>(
        &self,
        report: &mut Report<'_>,
        key: &str,
        read: impl FnOnce(&'a str) -> Result<T, Wrong>,
    ) -> Field<T> {
        self.read(report, key, |value| match value.as_str() {
            Some(text) if text.trim().is_empty() => Err(Wrong::new("it is empty")),
            Some(text) => misplaced::in_text(key, text).map_or_else(|| read(text), Err),
            None => Err(Wrong::new(format!("{} is no string", kind(value)))),
        })
    }

    pub(super) fn boolean(&self, report: &mut Report<'_>, key: &str) -> Field<bool> {
        self.read(report, key, |value| {
            value.as_bool().ok_or_else(|| Wrong::new(format!("{} is neither true nor false", kind(value))))
        })
    }

    /// A duration within a range.
    pub(super) fn duration(
        &self,
        report: &mut Report<'_>,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Field<Duration> {
        self.read(report, key, |value| duration(value, &range))
    }

    /// A duration within a range; none for `"auto"`.
    pub(super) fn duration_or_auto(
        &self,
        report: &mut Report<'_>,
        key: &str,
        range: RangeInclusive<Duration>,
    ) -> Field<Option<Duration>> {
        self.read(report, key, |value| match value.as_str() {
            Some("auto") => Ok(None),
            Some(text) if text.starts_with(|c: char| c.is_alphabetic()) => {
                let neither = || Wrong::new("it is neither \"auto\" nor a duration");
                Err(misplaced::in_text(key, text).unwrap_or_else(neither))
            }
            _ => duration(value, &range).map(Some),
        })
    }

    /// A list of strings; `read` tells each one's mistakes itself, and answers none then.
    pub(super) fn list<T>(
        &self,
        report: &mut Report<'_>,
        key: &str,
        mut read: impl FnMut(&mut Report<'_>, &'a str, Range<usize>) -> Option<T>,
    ) -> Field<Vec<T>> {
        let list = self.read(report, key, |value| match value {
            DeValue::Array(list) => Ok(list),
            DeValue::String(text) => Err(misplaced::in_text(key, text).unwrap_or_else(|| {
                Wrong::new("a string is no list")
                    .help(format!("write {key} = [\"{}\"]", super::report::echo(text)))
            })),
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => Err(Wrong::new(format!("{} is no list", kind(value)))),
        });
        let Field::Given(list) = list else { return list.map(|_| Vec::new()) };
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            if let Some(text) = item.get_ref().as_str() {
                match misplaced::in_text(key, text) {
                    Some(wrong) => {
                        let title = format!("`{key}`: {}", wrong.what);
                        let finding = Finding::error(self.name(key), item.span(), title);
                        report.add(finding.help(wrong.help.unwrap_or_default()));
                    }
                    None => items.extend(read(report, text, item.span())),
                }
            } else {
                let title = format!("`{key}`: {} is no string", kind(item.get_ref()));
                report.add(Finding::error(self.name(key), item.span(), title).accepted(self.accepted(key)));
            }
        }
        if items.len() == list.len() { Field::Given(items) } else { Field::Wrong }
    }
}

/// The length of a name in a key's path, in characters; none that is right is longer.
const PATH_PART: usize = 63;

/// A key's name from the top.
pub(super) fn join(path: &str, key: &str) -> String {
    let key = super::report::cut(key, PATH_PART);
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

pub(super) fn duration(value: &DeValue<'_>, range: &RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let text = match value {
        DeValue::String(text) => match misplaced::in_text("", text) {
            Some(wrong) => return Err(wrong),
            None => text,
        },
        DeValue::Integer(number) => {
            let number = super::report::echo(number.as_str());
            return Err(Wrong::new("a number has no unit").help(format!("write \"{number}s\" for seconds")));
        }
        DeValue::Float(_) => {
            return Err(Wrong::new("a number has no unit, and only whole ones count")
                .help("write \"1s500ms\" for 1.5 seconds"));
        }
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            return Err(Wrong::new(format!("{} is no duration", kind(value))));
        }
    };
    let duration = parse_duration(text)?;
    let told = format_duration(duration);
    if duration < *range.start() {
        Err(Wrong::new(format!("{told} is too short: at least {}", format_duration(*range.start()))))
    } else if duration > *range.end() {
        Err(Wrong::new(format!("{told} is too long: at most {}", format_duration(*range.end()))))
    } else {
        Ok(duration)
    }
}

/// What a value is, for a message.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
