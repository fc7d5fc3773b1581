//! `[hours.NAME]`: hours that models share.

use super::field::{Field, Wrong};
use super::keys;
use super::report::{Finding, Report};
use super::rhythm;
use super::secret;
use super::section::{Section, join, kind};
use super::value::ModelName;
use crate::hours::Part;
use crate::hours::grammar::{Closed, Open};
use crate::hours::zone::{Zone, Zones};
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// All of them, those that are wrong too: whoever names them is not to blame.
#[derive(Debug, Default)]
pub(super) struct NamedHours(BTreeMap<String, Hours>);

#[derive(Debug)]
struct Hours {
    place: Range<usize>,
    /// None for the model's own.
    zone: Option<Zone>,
    open: Field<Vec<Open>>,
    closed: Vec<Closed>,
    used: bool,
}

impl NamedHours {
    pub(super) fn read(
        table: &DeTable<'_>,
        report: &mut Report<'_>,
        zones: &Zones,
        extent: impl Fn(usize) -> Range<usize>,
    ) -> Self {
        let mut all = BTreeMap::new();
        for (key, value) in table {
            check_name(key, report);
            let Some(inner) = inner_table("hours", key, value, report) else { continue };
            let place = key.span();
            let path = join("hours", key.get_ref());
            let section = Section::open(report, path, place.clone(), extent(place.start), inner, keys::HOURS);
            let open = rhythm::open(&section, report);
            if matches!(open, Field::Absent) {
                section.missing(
                    report,
                    &["open"],
                    "these hours are never open",
                    "write open = [\"Mon-Fri 08:00-20:00\"]",
                );
            }
            let zone = rhythm::zone(&section, report, zones).given();
            let closed = rhythm::closed(&section, report).unwrap_or(Vec::new());
            all.insert(key.get_ref().to_string(), Hours { place, zone, open, closed, used: false });
        }
        Self(all)
    }

    /// Whether there are hours of that name; they count as used then.
    pub(super) fn take(&mut self, name: &str) -> bool {
        self.0.get_mut(name).map(|hours| hours.used = true).is_some()
    }

    /// Their names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The hours of that name in a model of that zone; none where they are wrong.
    pub(super) fn part(&self, name: &str, zone: &Zone) -> Option<Part> {
        let hours = self.0.get(name)?;
        let open = hours.open.clone().given()?;
        Some(Part { zone: hours.zone.as_ref().unwrap_or(zone).clone(), open, closed: hours.closed.clone() })
    }

    /// Tells which nobody uses.
    pub(super) fn tell_unused(&self, report: &mut Report<'_>) {
        for (name, hours) in self.0.iter().filter(|(_, hours)| !hours.used) {
            let title = format!("nothing uses the hours `{}`", super::report::echo(name));
            let finding = Finding::warning(join("hours", name), hours.place.clone(), title);
            report.add(finding.help("name them in the `active` of a model, or of [defaults]"));
        }
    }
}

fn check_name(key: &Spanned<std::borrow::Cow<'_, str>>, report: &mut Report<'_>) {
    let name = key.get_ref();
    let wrong = match name.parse::<ModelName>() {
        Err(error) => error.to_string(),
        Ok(_) if secret::is_in(name) => Wrong::SECRET.to_owned(),
        Ok(_) if Open::looks_like_window(name) => "in `active` this would be read as a window".to_owned(),
        Ok(_) => return,
    };
    let title = format!("hours can't be called `{}`: {wrong}", super::report::echo(name));
    report.add(Finding::error(join("hours", name), key.span(), title).help("give them another name"));
}

/// The table of a name in `[hours]` or `[models]`.
pub(super) fn inner_table<'a>(
    family: &str,
    key: &Spanned<std::borrow::Cow<'_, str>>,
    value: &'a Spanned<DeValue<'a>>,
    report: &mut Report<'_>,
) -> Option<&'a DeTable<'a>> {
    let table = value.get_ref().as_table();
    if table.is_none() && !report.is_broken(&value.span()) {
        let name = super::report::echo(&secret::redact(key.get_ref()));
        let title = format!("`{name}` is {}, where a table stands", kind(value.get_ref()));
        let finding = Finding::error(join(family, key.get_ref()), key.span(), title);
        report.add(finding.value(value.span()).help(format!("write [{family}.NAME], and its keys below")));
    }
    table
}
