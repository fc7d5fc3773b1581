//! `[[alerts]]`: the walk over its tables.

use super::alert::{Address, After, Alert, AlertName, Condition, Format, Target, When};
use super::field::{Field, Wrong};
use super::keys;
use super::report::{Finding, Report, echo};
use super::section::{Section, duration, kind};
use super::sources::{self, WEBHOOK};
use super::value::{ModelName, is_loopback};
use super::webhook::Webhook;
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
const MOST: u32 = 1_000_000;
/// The most alerts of a file: each may have a thousand messages that wait.
const ALERTS: usize = 32;

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
    if list.len() > ALERTS {
        let title = format!("{} alerts: at most {ALERTS} are told", list.len());
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
    let target = target(section, report);
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
    let number = number.filter(|number| (1..=MOST).contains(number));
    number.map(After::Count).ok_or_else(|| Wrong::new(format!("as a number, from 1 to {MOST}")))
}

/// `webhook`, one of its sources, or `command`: exactly one of them.
fn target(section: &Section<'_>, report: &mut Report<'_>) -> Option<Target> {
    let format = format(section, report);
    let shape = match &format {
        Field::Given(format) => *format,
        Field::Absent | Field::Wrong => Format::Json,
    };
    let here = section.text(report, "webhook", |text| Webhook::parse(text, shape));
    let named = sources::webhook(section, report);
    let token = sources::read(section, report);
    let command = command(section, report);
    let mut ways: Vec<_> = ["webhook", "command"]
        .into_iter()
        .chain(WEBHOOK)
        .filter_map(|key| Some((key, section.entry(key)?)))
        .collect();
    ways.sort_by_key(|(_, entry)| entry.key.start);
    let Some(((first_key, first), others)) = ways.split_first() else {
        let help = "write one of webhook = \"https://…\", webhook_env = \"VARIABLE\", webhook_file = \"/path\", \
                    webhook_credential = \"NAME\" and command = [\"/path/to/program\"]";
        section.missing(report, &["webhook", "command"], "this alert says nothing of where to tell it", help);
        return None;
    };
    for (key, other) in others {
        // Several places of one address are tried in turn, as those of a token are.
        if WEBHOOK.contains(key) && WEBHOOK.contains(first_key) {
            continue;
        }
        let title = format!("`{key}`: an alert goes to one place, and this is another already");
        let finding = Finding::error(section.name(key), other.key.clone(), title);
        report
            .add(finding.other(first.key.clone(), "first").help("take one out, or make two alerts of them"));
    }
    let to_command = *first_key == "command";
    for key in ["format", "token_credential", "token_env", "token_file"] {
        if let (true, Some(entry)) = (to_command, section.entry(key)) {
            let title =
                format!("`{key}`: a command takes the event as JSON on its standard input, and no more");
            report.add(Finding::error(section.name(key), entry.key.clone(), title).help("take it out"));
        }
    }
    let address = here.map(Address::Here).or(named.map(Address::In));
    if to_command {
        command.given()
    } else {
        let target = Target::Webhook {
            address: address.given()?,
            format: format.unwrap_or(Format::Json),
            token: token.given(),
        };
        warn(&target, section, report);
        Some(target)
    }
}

fn format(section: &Section<'_>, report: &mut Report<'_>) -> Field<Format> {
    section.text(report, "format", |text| {
        Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let wrong = Wrong::new("there is no such format");
            match super::nearest::nearest(text, Format::ALL.map(Format::name)) {
                Some(near) => wrong.help(format!("did you mean \"{near}\"?")),
                None => wrong,
            }
        })
    })
}

fn command(section: &Section<'_>, report: &mut Report<'_>) -> Field<Target> {
    let argv = section.list(report, "command", |report, text, span| {
        let fit = !text.contains('\0');
        if !fit {
            let title = "`command`: no argument holds a zero byte";
            report.add(Finding::error(section.name("command"), span, title));
        }
        fit.then(|| text.to_owned())
    });
    let (Field::Given(argv), Some(entry)) = (&argv, section.entry("command")) else {
        return argv.map(Target::Command);
    };
    let wrong = match argv.first().map(String::as_str) {
        None | Some("") => Wrong::new("the program is missing"),
        // It runs in `/`: what is meant to lie beside the file is not there.
        Some(program) if program.contains('/') && !program.starts_with('/') => {
            Wrong::new("the program's path begins with `/`, or it has none and is looked for in $PATH")
        }
        Some(_) => return Field::Given(Target::Command(argv.clone())),
    };
    section.wrong(report, "command", entry, wrong);
    Field::Wrong
}

/// What works, and is perhaps not what was meant.
fn warn(target: &Target, section: &Section<'_>, report: &mut Report<'_>) {
    if let (Target::Webhook { address: Address::Here(webhook), token: Some(_), .. }, Some(entry)) =
        (target, section.entry("webhook"))
        && webhook.url().scheme() == "http"
        && !is_loopback(webhook.url())
    {
        let title = "`webhook`: the token travels there in the clear";
        let finding = Finding::warning(section.name("webhook"), entry.key.clone(), title);
        report.add(finding.help("use https where others share the network"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Env, Problems, check_text};
    use crate::hours::zone::Zones;
    use std::path::Path;

    fn checked(text: &str) -> Result<Config, Problems> {
        let text = format!("{text}\n[models.llama]\ncog = \"http://box:5000\"\nactive = [\"always\"]\n");
        let loaded = check_text(Path::new("warm.toml"), &text, &Env::default(), &Zones::built_in());
        loaded.map(|loaded| loaded.config)
    }

    fn minutes(count: u64) -> Duration {
        Duration::from_mins(count)
    }

    /// What is wrong, each in a line.
    fn refused(alert: &str) -> Vec<String> {
        let problems = checked(alert).unwrap_err();
        problems.0.iter().map(|problem| format!("{} {}", problem.line, problem.message)).collect()
    }

    #[test]
    fn the_least_that_works_tells_of_everything_at_once() {
        let config = checked("[[alerts]]\nwebhook = \"https://example.com/hook\"\n").unwrap();
        let alert = &*config.alerts[0];
        assert_eq!((alert.name.as_str(), &alert.when, &alert.models), ("alert-1", &When::all(), &None));
        assert_eq!((alert.after, alert.repeat, alert.enabled), (After::Count(1), None, true));
        assert_eq!(alert.target.place(), "https://example.com");
    }

    #[test]
    fn every_key_is_read() {
        let config = checked(
            "[[alerts]]\nname = \"ops\"\nwhen = [\"cold\", \"recovered\"]\nmodels = [\"llama\"]\n\
             after = \"2m\"\nrepeat = \"4h\"\nwebhook_env = \"HOOK\"\nwebhook_file = \"/hook\"\n\
             format = \"ntfy\"\ntoken_env = \"TOKEN\"\ntimeout = \"30s\"\nenabled = false\n\
             [[alerts]]\ncommand = [\"tell\", \"me\"]\nafter = 3\n",
        )
        .unwrap();
        let [ops, second] = config.alerts.as_slice() else { panic!("{:?}", config.alerts) };
        assert_eq!(ops.when.names(), ["cold", "recovered"]);
        assert_eq!((ops.after, ops.repeat), (After::Lasting(minutes(2)), Some(minutes(240))));
        assert_eq!(ops.target.place(), "the URL in $HOOK or /hook");
        assert_eq!((ops.target.format(), ops.enabled), (Some(Format::Ntfy), false));
        assert!(ops.models.as_ref().is_some_and(|names| names.len() == 1));
        assert_eq!((second.name.as_str(), second.after), ("alert-2", After::Count(3)));
        assert_eq!(second.target, Target::Command(vec!["tell".to_owned(), "me".to_owned()]));
    }

    #[test]
    fn every_mistake_of_an_alert_is_told_at_once_in_its_place() {
        let told = refused(
            "[[alerts]]\nname = \"-\"\nwhen = [\"cold\", \"faling\"]\nmodels = [\"lama\"]\nafter = 0\n\
             repeat = \"1s\"\nwebhook = \"ftp://hush\"\nformat = \"slak\"\ntimeout = \"1h\"\nafer = 1\n",
        );
        let parts = [
            "2 `name`: a name starts with",
            "3 `when`: there is no `faling`; did you mean \"failing\"?",
            "4 `models`: no model is called `lama`; did you mean \"llama\"?",
            "5 `after`: as a number, from 1 to 1000000",
            "6 `repeat`: 1s is too short: at least 1m",
            "7 `webhook`: it is no URL that begins with http:// or https://",
            "8 `format`: there is no such format; did you mean \"slack\"?",
            "9 `timeout`: 1h is too long: at most 5m",
            "10 unknown key `afer` in [alerts[1]]; did you mean `after`?",
        ];
        assert_eq!(told.len(), parts.len(), "{told:#?}");
        for (told, part) in told.iter().zip(parts) {
            assert!(told.starts_with(part), "{told}\nis not\n{part}");
        }
        assert!(!told.concat().contains("hush"), "{told:#?}");
    }

    #[test]
    fn an_alert_goes_to_one_place() {
        for (alert, said) in [
            ("", "1 this alert says nothing of where to tell it"),
            ("webhook = \"http://a\"\ncommand = [\"b\"]", "3 `command`: an alert goes to one place"),
            ("webhook = \"http://a\"\nwebhook_env = \"B\"", "3 `webhook_env`: an alert goes to one place"),
            ("command = [\"b\"]\nformat = \"slack\"", "3 `format`: a command takes the event as JSON"),
            ("command = [\"b\"]\ntoken_env = \"B\"", "3 `token_env`: a command takes the event as JSON"),
            ("command = []", "2 `command`: the program is missing"),
            ("command = [\"./b\"]", "2 `command`: the program's path begins with `/`"),
            ("command = \"b\"", "2 `command`: a string is no list"),
            ("webhook = \"http://a/b/c\"\nformat = \"ntfy\"", "2 `webhook`: with format = \"ntfy\""),
            ("webhook = \"http://a\"\nwhen = []", "3 `when`: this alert would tell of nothing"),
            ("webhook = \"http://a\"\nwhen = [\"recovered\"]", "3 `when`: what is not told of"),
            ("webhook = \"http://a\"\nmodels = []", "3 `models`: this alert would be of no model"),
            ("url = \"http://hush\"", "2 unknown key `url` in [alerts[1]]; it is called `webhook` here"),
        ] {
            let told = refused(&format!("[[alerts]]\n{alert}\n"));
            assert_eq!(told.len(), 1, "{alert}: {told:#?}");
            assert!(told[0].starts_with(said), "{alert}: {told:#?}");
            assert!(!told[0].contains("hush"), "{told:#?}");
        }
        let twice =
            "[[alerts]]\nname = \"a\"\ncommand = [\"b\"]\n[[alerts]]\nname = \"a\"\ncommand = [\"b\"]\n";
        assert_eq!(
            refused(twice),
            ["5 two alerts are called `a` (first in line 2); give one of them another `name`"]
        );
        let told = refused("[alerts]\nwebhook = \"http://a\"\n");
        assert!(told[0].starts_with("1 `alerts`: a single table stands where tables should"), "{told:?}");
    }

    #[test]
    fn a_secret_is_drawn_nowhere() {
        for line in [
            "webhook = \"https://hooks.slack.com/services/T/B/hush\"\ntimeuot = 1",
            "webhok = \"https://example.com/hush\"",
            "webhook = \"https://example.com/hush",
            "webhook_env = \"https://example.com/hush\"",
            "name = \"https://hooks.slack.com/services/T/B/hush\"",
        ] {
            let drawn = checked(&format!("[[alerts]]\n{line}\n")).unwrap_err().render(false, 100);
            assert!(!drawn.contains("hush"), "{line}:\n{drawn}");
        }
    }
}
