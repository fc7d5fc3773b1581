//! From a file's text to a [`Config`], or to every problem that it has.
//!
//! Owns the walk over the top, `[daemon]` and `[replicate]`; the other tables have rooms of their
//! own. Reads no file and no clock.

use super::env::Env;
use super::field::{Field, Wrong};
use super::keys::{self, Keys};
use super::mend::Mended;
use super::model::Reader;
use super::named::NamedHours;
use super::problem::{Problem, Problems};
use super::report::{Finding, Report};
use super::rhythm::{DAY, Rhythm};
use super::section::{Section, kind};
use super::value::TokenSource;
use super::{Config, Daemon, Loaded, Replicate, alerts, folders, hide, reference, sources, syntax};
use crate::hours::zone::Zones;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use toml::de::{DeTable, DeValue};
use url::Url;

/// The default of `base_url`.
const BASE_URL: &str = "https://api.replicate.com/v1";
/// Replicate's own host.
const REPLICATE_HOST: &str = "api.replicate.com";
/// The variable in which the official clients have the base URL, without `/v1`.
const BASE_URL_VARIABLE: &str = "REPLICATE_BASE_URL";
/// The default of `creates_per_minute`: half of Replicate's limit, the rest is for real traffic.
const CREATES_PER_MINUTE: u32 = 300;
/// Replicate's limit for a whole account, in creates a minute.
const REPLICATE_LIMIT: u32 = 600;
/// The most of `creates_per_minute`: far beyond what any account has, short of what overflows.
const MOST_CREATES: u32 = 100_000;
/// The default of `listen`.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9845);
/// The default of `retention`.
const RETENTION: Duration = Duration::from_hours(90 * 24);
/// The most of `retention`: ten years.
const LONGEST_RETENTION: Duration = Duration::from_hours(3650 * 24);
/// The default of `shutdown_grace`.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

/// Checks a text that came from `path`. Reads nothing but the zones.
pub fn check_text(path: &Path, text: &str, env: &Env, zones: &Zones) -> Result<Loaded, Problems> {
    let mended = Mended::new(text.strip_prefix('\u{feff}').unwrap_or(text));
    let (table, errors) = DeTable::parse_recoverable(mended.text());
    let mut report = Report::new(&mended);
    syntax::tell(&mended, &errors, &mut report);
    let file = path.display().to_string();
    let config = config(path, table.get_ref(), mended.text().len(), &mut report, env, zones);
    match (config, report.finish(&file)) {
        (Some(config), (None, warnings, tokens)) => {
            let section = |key: &str| match key.rsplit_once('.') {
                Some((section, key)) if key.starts_with("webhook") => format!("{section}.webhook"),
                Some((section, _)) => section.to_owned(),
                None => String::new(),
            };
            let tokens = tokens.into_iter().map(|token| (section(&token.key), token)).collect();
            Ok(Loaded { config, warnings, tokens })
        }
        (_, (Some(problems), ..)) => Err(problems),
        (None, (None, ..)) => {
            let message = "it can't be used, and why can't be told";
            Err(Problems::one(Problem::of_file(&file, (1, 1), message)))
        }
    }
}

fn config(
    path: &Path,
    table: &DeTable<'_>,
    length: usize,
    report: &mut Report<'_>,
    env: &Env,
    zones: &Zones,
) -> Option<Config> {
    hide::secrets_in(table, report);
    let extents = Extents::new(table, length);
    let extent = |start| extents.of(start);
    let root = Section::open(report, String::new(), 0..0, 0..length, table, keys::ROOT);
    let daemon = daemon(part(&root, "daemon", keys::DAEMON, report, &extents).as_ref(), report, env);
    let replicate =
        replicate(part(&root, "replicate", keys::REPLICATE, report, &extents).as_ref(), report, env);
    let hours = match root.read(report, "hours", |value| table_of("hours", value)) {
        Field::Given(table) => NamedHours::read(table, report, zones, extent),
        Field::Absent | Field::Wrong => NamedHours::default(),
    };
    let Ok(utc) = zones.get("UTC") else {
        report.add(Finding::placeless(
            "defaults.timezone",
            "there is no time zone UTC: install the system's tzdata",
        ));
        return None;
    };
    let mut reader = Reader { zones, zone: utc, defaults: Rhythm::NONE, hours };
    if let Some(section) = part(&root, "defaults", keys::DEFAULTS, report, &extents) {
        reader.defaults = Rhythm::read(&section, report, zones, &mut reader.hours);
    }
    let models = match root.read(report, "models", |value| table_of("models", value)) {
        Field::Given(table) if !table.is_empty() => reader.models(table, report, extent),
        Field::Given(_) | Field::Absent => {
            no_models(&root, table, report);
            Vec::new()
        }
        Field::Wrong => Vec::new(),
    };
    reader.hours.tell_unused(report);
    let names = root.entry("models").and_then(|entry| entry.value.as_table());
    let names: Vec<&str> =
        names.into_iter().flat_map(|table| table.keys()).map(|name| name.get_ref().as_ref()).collect();
    let alerts = alerts::read(&root, report, &names, extent);
    Some(Config { path: path.to_owned(), daemon, replicate, models, alerts })
}

/// Tells that there are no models, unless what is there was meant to be some.
fn no_models(root: &Section<'_>, table: &DeTable<'_>, report: &mut Report<'_>) {
    let mut meant = table.keys().map(toml::Spanned::get_ref);
    let is_meant = meant.any(|key| report.speller.nearest(key, ["models"]).is_some());
    if root.entry("models").is_none() && (is_meant || report.is_broken(&(0..usize::MAX))) {
        return;
    }
    let help = "the least that works is [models.NAME] with active = [\"always\"] and one of \
                replicate = \"owner/name:version\", deployment = \"owner/name\" and cog = \"http://host:5000\"";
    let title = "no models: there is nothing to keep warm";
    report.add(match root.entry("models") {
        Some(entry) => Finding::error("models", entry.key.clone(), title).help(help),
        None => Finding::placeless("models", title).help(help),
    });
}

/// One of the tables at the top that have keys of their own.
fn part<'a>(
    root: &Section<'a>,
    key: &'static str,
    keys: Keys,
    report: &mut Report<'_>,
    extents: &Extents,
) -> Option<Section<'a>> {
    let place = root.entry(key)?.key.clone();
    let table = root.read(report, key, |value| table_of(key, value)).given()?;
    let extent = extents.of(place.start);
    Some(Section::open(report, key.to_owned(), place, extent, table, keys))
}

fn table_of<'a>(key: &str, value: &'a DeValue<'a>) -> Result<&'a DeTable<'a>, Wrong> {
    value.as_table().ok_or_else(|| {
        let help = match (key, value) {
            ("hours" | "models", _) => format!("write [{key}.NAME], and its keys below"),
            _ => format!("write [{key}], and its keys below"),
        };
        Wrong::new(format!("{} stands where a table should", kind(value))).help(help)
    })
}

fn daemon(section: Option<&Section<'_>>, report: &mut Report<'_>, env: &Env) -> Daemon {
    let Some(section) = section else {
        let state = folders::state(env);
        let socket = folders::socket(env, &state);
        tell_long_socket(&socket, report);
        return Daemon {
            state,
            socket,
            listen: Some(LISTEN),
            retention: RETENTION,
            shutdown_grace: SHUTDOWN_GRACE,
        };
    };
    let state = section.text(report, "state", folders::file).unwrap_or(folders::state(env));
    let socket = match section.text(report, "socket", folders::socket_file) {
        Field::Given(socket) => socket,
        Field::Wrong => folders::socket(env, &state),
        Field::Absent => {
            let socket = folders::socket(env, &state);
            tell_long_socket(&socket, report);
            socket
        }
    };
    if let (true, Some(entry)) = (state == socket, section.entry("socket").or(section.entry("state"))) {
        let title = "the state and the socket can't be the same file";
        report.add(Finding::error("daemon.socket", entry.key.clone(), title).help("give them two paths"));
    }
    Daemon {
        state,
        socket,
        listen: listens(section, report),
        retention: section.duration(report, "retention", DAY..=LONGEST_RETENTION).unwrap_or(RETENTION),
        shutdown_grace: section
            .duration(report, "shutdown_grace", Duration::ZERO..=Duration::from_hours(1))
            .unwrap_or(SHUTDOWN_GRACE),
    }
}

fn tell_long_socket(socket: &Path, report: &mut Report<'_>) {
    if let Some(wrong) = folders::too_long(socket) {
        let title = format!("{}: {}", socket.display(), wrong.what);
        report.add(Finding::placeless("daemon.socket", title).help("name a shorter one: socket in [daemon]"));
    }
}

fn listens(section: &Section<'_>, report: &mut Report<'_>) -> Option<SocketAddr> {
    let address = section.text(report, "listen", listen).unwrap_or(Some(LISTEN));
    if let (Some(elsewhere), Some(entry)) =
        (address.filter(|address| !address.ip().is_loopback()), section.entry("listen"))
    {
        let title = "`listen`: whoever reaches this address from the network may read the report";
        let help = format!(
            "listen on \"127.0.0.1:{}\" behind a tunnel or a proxy that asks who it is, or let a firewall choose \
             who gets there",
            elsewhere.port()
        );
        let finding = Finding::warning("daemon.listen", entry.key.clone(), title);
        report.add(finding.value(entry.span.clone()).help(help));
    }
    address
}

fn listen(text: &str) -> Result<Option<SocketAddr>, Wrong> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let wrong = Wrong::new("it is neither an IP address with a port nor \"off\"");
        match port {
            Some(port) => {
                wrong.help(format!("write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for every network"))
            }
            None => wrong,
        }
    })
}

fn replicate(section: Option<&Section<'_>>, report: &mut Report<'_>, env: &Env) -> Replicate {
    let token = section.map_or(Field::Absent, |section| sources::read(section, report));
    let base_url = match section.map_or(Field::Absent, |section| base_url(section, report)) {
        Field::Given(url) => Some(url),
        Field::Wrong => None,
        Field::Absent => base_url_of(env, report),
    };
    let base_url = base_url.unwrap_or_else(|| Url::parse(BASE_URL).expect("the constant is a URL"));
    let creates = section.map_or(Field::Absent, |section| creates_per_minute(section, report));
    let creates_per_minute = creates.unwrap_or(CREATES_PER_MINUTE);
    let entry = section.and_then(|section| section.entry("creates_per_minute"));
    if let (true, Some(entry)) = (creates_per_minute > REPLICATE_LIMIT, entry)
        && base_url.host_str() == Some(REPLICATE_HOST)
    {
        let title = format!("`creates_per_minute`: Replicate allows {REPLICATE_LIMIT} for the whole account");
        let finding = Finding::warning("replicate.creates_per_minute", entry.key.clone(), title);
        report.add(finding.value(entry.span.clone()).help("leave some of them to real traffic"));
    }
    Replicate { token: token.unwrap_or(TokenSource::replicate()), base_url, creates_per_minute }
}

fn base_url(section: &Section<'_>, report: &mut Report<'_>) -> Field<Url> {
    let url = section.text(report, "base_url", reference::base_url);
    if let (Field::Given(url), Some(entry)) = (&url, section.entry("base_url"))
        && url.path() == "/"
    {
        let title = "`base_url`: it has no path, and the API's calls are below /v1";
        let finding = Finding::warning("replicate.base_url", entry.key.clone(), title);
        report.add(finding.value(entry.span.clone()).help(format!("write \"{url}v1\"")));
    }
    url
}

/// The URL of the environment, to which `/v1` is added where it is missing. Its value is not told:
/// it may hold a password.
fn base_url_of(env: &Env, report: &mut Report<'_>) -> Option<Url> {
    let text = env.text(BASE_URL_VARIABLE)?;
    match reference::base_url(text) {
        Ok(url) => {
            let path = url.path().trim_end_matches('/');
            let path = if path.ends_with("/v1") { path.to_owned() } else { format!("{path}/v1") };
            let mut url = url.clone();
            url.set_path(&path);
            Some(url)
        }
        Err(wrong) => {
            let finding =
                Finding::placeless("replicate.base_url", format!("${BASE_URL_VARIABLE}: {}", wrong.what));
            report.add(finding.accepted("a URL such as \"https://api.replicate.com\""));
            None
        }
    }
}

fn creates_per_minute(section: &Section<'_>, report: &mut Report<'_>) -> Field<u32> {
    section.read(report, "creates_per_minute", |value| {
        let Some(number) = value.as_integer() else {
            return Err(Wrong::new(format!("{} is no whole number", kind(value))));
        };
        let number = u32::from_str_radix(number.as_str(), number.radix()).ok();
        number.filter(|number| (1..=MOST_CREATES).contains(number)).ok_or_else(|| Wrong::new("out of range"))
    })
}

/// How far the tables reach: each from its name to the next one's.
#[derive(Debug)]
struct Extents {
    starts: Vec<usize>,
    length: usize,
}

impl Extents {
    fn new(table: &DeTable<'_>, length: usize) -> Self {
        let mut starts = Vec::new();
        for (key, value) in table {
            match value.get_ref() {
                // The brackets of the first come before the key.
                DeValue::Array(list) => starts.extend(list.iter().map(|table| table.span().start)),
                DeValue::Table(inner) if matches!(key.get_ref().as_ref(), "hours" | "models") => {
                    starts.push(key.span().start);
                    starts.extend(inner.keys().map(|key| key.span().start));
                }
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Table(_) => starts.push(key.span().start),
            }
        }
        starts.sort_unstable();
        Self { starts, length }
    }

    fn of(&self, start: usize) -> Range<usize> {
        let next = self.starts.partition_point(|other| *other <= start);
        start..self.starts.get(next).copied().unwrap_or(self.length)
    }
}
