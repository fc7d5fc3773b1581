//! `[[alerts]]`: the walk over its tables.

#[cfg(test)]
mod tests;
mod way;

use super::alert::{After, Alert, AlertName, Condition, MOST, When};
use super::field::{Field, Wrong};
use super::keys;
use super::report::{Finding, Report, echo};
use super::section::{Section, duration, kind};
use super::value::ModelName;
use std::collections::{BTreeSet, HashMap};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;
use toml::de::{DeArray, DeTable, DeValue};

/// The default of `timeout`, and its range.
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(5);
/// The range of `after` as a duration.
const LASTING: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 30);
/// The range of `repeat`: more often than each minute is no help to anybody.
const REPEATS: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24 * 30);
/// The most of `after` as a number.
const LONGEST_ROW: u32 = 1_000_000;

/// The name of one's table, as messages tell it; `place` is from 0.
pub(super) fn section(place: usize) -> String {
    format!("alerts[{}]", place + 1)
}

/// All alerts, in the file's order; `models` are the names that the file has.
pub(super) fn read(
    root: &Section<'_>,
    report: &mut Report<'_>,
    models: &[&str],
    extent: impl Fn(usize) -> Range<usize>,
) -> Vec<Arc<Alert>> {
    let list = root.read(report, "alerts", |value| {
        value.as_array().filter(|list| tables(list).all(|(_, table)| table.is_some())).ok_or_else(|| {
            let what = if value.is_table() { "a single table" } else { kind(value) };
            Wrong::new(format!("{what} stands where tables should"))
                .help("write [[alerts]] above each alert, with both pairs of brackets")
        })
    });
    let (Field::Given(list), Some(entry)) = (list, root.entry("alerts")) else { return Vec::new() };
    if list.len() > MOST {
        let title = format!("{} alerts: at most {MOST} are told", list.len());
        report.add(Finding::error("alerts", entry.key.clone(), title));
    }
    let mut named: HashMap<AlertName, Range<usize>> = HashMap::new();
    let mut alerts = Vec::new();
    for (place, (span, table)) in tables(list).enumerate() {
        let Some(table) = table else { continue };
        let reach = extent(span.start);
        let section = Section::open(report, section(place), span, reach, table, keys::ALERT);
        let name = name(&section, place, &mut named, report);
        alerts.extend(alert(&section, name, models, report).map(Arc::new));
    }
    alerts
}

fn tables<'a>(list: &'a DeArray<'a>) -> impl Iterator<Item = (Range<usize>, Option<&'a DeTable<'a>>)> {
    list.iter().map(|item| (item.span(), item.get_ref().as_table()))
}

fn alert(
    section: &Section<'_>,
    name: Option<AlertName>,
    models: &[&str],
    report: &mut Report<'_>,
) -> Option<Alert> {
    let when = when(section, report);
    let models = of_models(section, models, report);
    let after = section.read(report, "after", after);
    let repeat = section.duration(report, "repeat", REPEATS).given();
    let target = way::target(section, report);
    let timeout = section.duration(report, "timeout", TIMEOUTS).unwrap_or(TIMEOUT);
    let enabled = section.boolean(report, "enabled").unwrap_or(true);
    Some(Alert {
        name: name?,
        when: when.unwrap_or(When::all()),
        models: models.given(),
        after: after.unwrap_or(After::Count(1)),
        repeat,
        target: target?,
        timeout,
        enabled,
    })
}

/// The name, or one by the place; each belongs to one alert alone.
fn name(
    section: &Section<'_>,
    place: usize,
    named: &mut HashMap<AlertName, Range<usize>>,
    report: &mut Report<'_>,
) -> Option<AlertName> {
    let given = section.text(report, "name", |text| text.parse::<AlertName>().map_err(Wrong::from));
    let name = match given {
        Field::Given(name) => name,
        Field::Absent => format!("alert-{}", place + 1).parse().ok()?,
        Field::Wrong => return None,
    };
    let span = section.entry("name").map_or(section.span.clone(), |entry| entry.key.clone());
    if let Some(first) = named.get(&name) {
        let title = format!("two alerts are called `{name}`");
        let finding = Finding::error(section.name("name"), span, title).other(first.clone(), "first");
        report.add(finding.help("give one of them another `name`"));
        return None;
    }
    named.insert(name.clone(), span);
    Some(name)
}

fn when(section: &Section<'_>, report: &mut Report<'_>) -> Field<When> {
    let words = || Condition::ALL.map(Condition::name).into_iter().chain([When::RECOVERED]);
    let given = section.list(report, "when", |report, text, span| {
        let word = words().find(|word| *word == text);
        if word.is_none() {
            let title = format!("`when`: there is no `{}`", echo(text));
            let finding = Finding::error(section.name("when"), span, title);
            let nearest = report.speller.nearest(text, words());
            report.add(match nearest {
                Some(near) => finding.help(format!("did you mean \"{near}\"?")),
                None => finding.accepted(section.accepted("when")),
            });
        }
        word
    });
    let given = given.map(|words| When {
        recovered: words.contains(&When::RECOVERED),
        conditions: Condition::ALL.into_iter().filter(|one| words.contains(&one.name())).collect(),
    });
    if let (Field::Given(when), Some(entry)) = (&given, section.entry("when"))
        && when.conditions.is_empty()
    {
        let title = if when.recovered {
            "`when`: what is not told of can't be told to have recovered"
        } else {
            "`when`: this alert would tell of nothing"
        };
        let finding = Finding::error(section.name("when"), entry.key.clone(), title);
        report.add(finding.value(entry.span.clone()).accepted(section.accepted("when")));
    }
    given
}

fn of_models(section: &Section<'_>, known: &[&str], report: &mut Report<'_>) -> Field<BTreeSet<ModelName>> {
    let given = section.list(report, "models", |report, text, span| {
        if known.contains(&text) {
            return text.parse::<ModelName>().ok();
        }
        let title = format!("`models`: no model is called `{}`", echo(text));
        let finding = Finding::error(section.name("models"), span, title);
        let nearest = report.speller.nearest(text, known.iter().copied());
        report.add(match nearest {
            Some(near) => finding.help(format!("did you mean \"{}\"?", echo(near))),
            None => finding,
        });
        None
    });
    if let (Field::Given(names), Some(entry)) = (&given, section.entry("models"))
        && names.is_empty()
    {
        let title = "`models`: this alert would be of no model";
        let finding = Finding::error(section.name("models"), entry.key.clone(), title);
        report.add(finding.help("take it out for all models"));
    }
    given.map(|names| names.into_iter().collect())
}

fn after(value: &DeValue<'_>) -> Result<After, Wrong> {
    let Some(number) = value.as_integer() else { return duration(value, &LASTING).map(After::Lasting) };
    let number = u32::from_str_radix(number.as_str(), number.radix()).ok();
    let number = number.filter(|number| (1..=LONGEST_ROW).contains(number));
    number.map(After::Count).ok_or_else(|| Wrong::new(format!("as a number, from 1 to {LONGEST_ROW}")))
}
