//! `warmctl check`: what is wrong with a file, and what it would do: as JSON and for people.
//!
//! Owns the shape, the words and the sums; [`crate::config`] knows what is wrong. Asks nobody: what
//! only a provider knows is no part of this.

mod alert;

pub use alert::CheckedAlert;

use crate::classify::calibration::A_DAY;
use crate::config::value::TokenSource;
use crate::config::{Config, Env, Loaded, Model, Probe, Problem, Problems, Severity};
use crate::ctl::peak::{self, Peak};
use crate::ctl::table::{Cell, Column, Row, Table};
use crate::ctl::{Look, look, overview, words};
use crate::hours::ActiveHours;
use crate::quote;
use crate::status::WindowStatus;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// The version of the shape below.
pub const VERSION: u32 = 1;

/// What a day is averaged over, so that weekends count: seven days from now.
const WEEK: TimeDelta = TimeDelta::days(7);

/// What `warmctl check --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// [`VERSION`].
    pub version: u32,
    /// Whether the file can be used.
    pub ok: bool,
    /// Every error.
    pub problems: Vec<Problem>,
    /// What works, and is perhaps not what was meant.
    pub warnings: Vec<Problem>,
    /// A model each, in the file's order; empty where there are problems.
    pub models: Vec<CheckedModel>,
    /// An account of Replicate each.
    pub accounts: Vec<Account>,
    /// An alert each, in the file's order.
    pub alerts: Vec<CheckedAlert>,
    #[serde(skip)]
    file: String,
}

/// What a model would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedModel {
    /// Its name in `warm.toml`.
    pub name: String,
    /// `replicate`, `deployment` or `cog`.
    pub kind: &'static str,
    /// The reference as written.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Whether it is kept warm at all.
    pub enabled: bool,
    /// The zone that its windows are shown in.
    pub timezone: String,
    /// The window around now, or the next.
    pub window: WindowStatus,
    /// Seconds.
    pub interval: f64,
    /// Of the next seven days, on the average.
    pub heartbeats_per_day: f64,
    /// Calibration heartbeats beside those, at most.
    pub calibrations_per_day: u32,
    /// While it is open; null for what counts against no account.
    pub creates_per_minute: Option<f64>,
    /// Of its account's `creates_per_minute`, from 0 to 1 and beyond; null as above.
    pub share: Option<f64>,
    /// For people: `window` on the clocks of the zone.
    #[serde(skip)]
    window_text: String,
}

/// What all models of one account of Replicate would send together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// Where its token comes from.
    pub token: String,
    /// The most that its open models send at one time within the next seven days.
    pub creates_per_minute: f64,
    /// When that is first so; null where nothing is ever sent.
    pub at: Option<DateTime<Utc>>,
    /// warmd's share of its creates.
    pub limit: u32,
    /// The models that are held then, since they don't fit.
    pub held: Vec<String>,
}

/// What a file that can be used would do.
pub fn report(loaded: &Loaded, now: DateTime<Utc>, env: &Env) -> CheckReport {
    let config = &loaded.config;
    let file = quote::path(&config.path);
    let mut warnings = loaded.warnings.clone();
    warnings.extend(token_warnings(loaded, env));
    warnings.extend(alert::warnings(loaded, env));
    let accounts = accounts(config, now);
    for account in accounts.iter().filter(|account| !account.held.is_empty()) {
        let key = "replicate.creates_per_minute";
        warnings.push(Problem::placeless(&file, key, Severity::Warning, &account.too_much()));
    }
    let models = config.models.iter().map(|model| CheckedModel::new(model, config, now)).collect();
    let alerts = config.alerts.iter().map(|alert| CheckedAlert::new(alert)).collect();
    CheckReport { version: VERSION, ok: true, problems: Vec::new(), warnings, models, accounts, alerts, file }
}

/// What is wrong with a file that can't be used.
pub fn refused(problems: Problems) -> CheckReport {
    CheckReport {
        version: VERSION,
        ok: false,
        file: problems.0.first().map_or_else(String::new, |problem| problem.file.to_string()),
        problems: problems.0,
        warnings: Vec::new(),
        models: Vec::new(),
        accounts: Vec::new(),
        alerts: Vec::new(),
    }
}

impl CheckReport {
    /// For people.
    pub fn text(&self, look: &Look) -> String {
        if !self.ok {
            return Problems(self.problems.clone()).render(look.color, look.width);
        }
        let mut text = crate::config::render::draw(&self.warnings, look.color, look.width);
        text.push_str(&self.table().render(look));
        text.push('\n');
        let lines = self.accounts.iter().map(Account::text).chain(self.alerts.iter().map(CheckedAlert::text));
        for told in lines {
            overview::paragraph(&mut text, look, "  ", &told, str::to_owned);
        }
        if let Some(told) = self.calibrations() {
            overview::paragraph(&mut text, look, "  ", &told, str::to_owned);
        }
        let models = words::count(self.models.len() as u64, "model", "models");
        let warnings = match self.warnings.len() {
            0 => String::new(),
            some => format!(", {}", words::count(some as u64, "warning", "warnings")),
        };
        let good = format!("{} is good: {models}{warnings}", self.file);
        overview::paragraph(&mut text, look, "  ", &good, str::to_owned);
        text
    }

    /// What learning cold from warm costs beside the heartbeats.
    fn calibrations(&self) -> Option<String> {
        let models = self.models.iter().filter(|model| model.calibrations_per_day > 0).count();
        let each = match models {
            0 => return None,
            1 => "for one model".to_owned(),
            some => format!("for each of {some} models"),
        };
        Some(format!("at most {A_DAY} calibration heartbeats a day more {each}, to learn cold from warm"))
    }

    fn table(&self) -> Table {
        let column = |title, right, worth| Column { group: "", title, right, worth };
        let row = |model: &CheckedModel| {
            let window = if model.enabled { model.window_text.as_str() } else { "disabled" };
            let share = model.share.map(|share| format!("{:.1} %", share * 100.0));
            let cells = vec![
                Cell::new(model.kind, look::PLAIN),
                Cell::new(window, look::PLAIN),
                Cell::new(format!("{:.0}", model.heartbeats_per_day), look::PLAIN),
                Cell::maybe(share),
            ];
            Row { name: model.name.clone(), cells }
        };
        Table {
            title: "MODEL",
            columns: vec![
                column("KIND", false, 1),
                column("NEXT WINDOW", false, 4),
                column("BEATS/DAY", true, 3),
                column("SHARE", true, 2),
            ],
            rows: self.models.iter().map(row).collect(),
        }
    }
}

impl CheckedModel {
    fn new(model: &Model, config: &Config, now: DateTime<Utc>) -> Self {
        let window = window(&model.hours, now);
        let interval = model.interval.as_secs_f64();
        let open = model.hours.open_within(now, now + WEEK).as_secs_f64();
        let share =
            creates_per_minute(model).map(|rate| rate / f64::from(config.replicate.creates_per_minute));
        Self {
            name: model.name.to_string(),
            kind: model.target.kind(),
            reference: model.target.to_string(),
            enabled: model.enabled,
            timezone: model.timezone.clone(),
            window_text: window_text(&model.hours, &window, now),
            window,
            interval,
            heartbeats_per_day: if model.enabled { open / 7.0 / interval } else { 0.0 },
            calibrations_per_day: if model.enabled && model.may_calibrate() { A_DAY } else { 0 },
            creates_per_minute: creates_per_minute(model),
            share,
        }
    }
}

impl Account {
    fn text(&self) -> String {
        let Some(at) = self.at else {
            return format!("{}: sends nothing in the next seven days", self.token);
        };
        format!(
            "{}: at most {:.1} of {} creates a minute, first at {}",
            self.token,
            self.creates_per_minute,
            self.limit,
            at.format("%a %F %RZ")
        )
    }

    fn too_much(&self) -> String {
        let shown: Vec<_> = self.held.iter().take(5).map(String::as_str).collect();
        let more = match self.held.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "{}: open together, its models need {:.1} creates a minute, and creates_per_minute is {}: {}{more} \
             would be held; raise the limit, or the interval of some",
            self.token,
            self.creates_per_minute,
            self.limit,
            shown.join(", ")
        )
    }
}

/// What a model sends against its account's limit while it is open; none where it sends no creates.
fn creates_per_minute(model: &Model) -> Option<f64> {
    let sends = model.enabled && model.target.is_replicate() && model.probe == Probe::Predict;
    sends.then(|| Duration::from_mins(1).as_secs_f64() / model.interval.as_secs_f64())
}

/// Each account, in the order of its first model.
fn accounts(config: &Config, now: DateTime<Utc>) -> Vec<Account> {
    let mut sources: Vec<&TokenSource> = Vec::new();
    let mut models: HashMap<&TokenSource, Vec<(&Model, f64)>> = HashMap::new();
    for model in &config.models {
        if let (Some(rate), Some(source)) = (creates_per_minute(model), model.token_source(&config.replicate))
        {
            let models = models.entry(source).or_default();
            if models.is_empty() {
                sources.push(source);
            }
            models.push((model, rate));
        }
    }
    let limit = config.replicate.creates_per_minute;
    let account = |source: &TokenSource| {
        let models = models.get(source)?;
        let hours: Vec<_> = models.iter().map(|(model, rate)| (&model.hours, *rate)).collect();
        let Peak { rate, at } = peak::of(&hours, now, now + WEEK);
        let held = match at {
            Some(at) => peak::beyond(&hours, at, f64::from(limit)),
            None => Vec::new(),
        };
        let held = held.into_iter().filter_map(|n| models.get(n)).map(|(model, _)| model.name.to_string());
        Some(Account { token: source.to_string(), creates_per_minute: rate, at, limit, held: held.collect() })
    };
    sources.into_iter().filter_map(account).collect()
}

/// What is wrong with the tokens that enabled models need; each source is told once.
fn token_warnings(loaded: &Loaded, env: &Env) -> Vec<Problem> {
    let config = &loaded.config;
    let mut told = std::collections::HashSet::new();
    let mut warnings = Vec::new();
    for model in config.models.iter().filter(|model| model.enabled) {
        let Some(source) =
            model.token_source(&config.replicate).filter(|source| told.insert((*source).clone()))
        else {
            continue;
        };
        let texts = match source.read(env) {
            Ok((_, texts)) => texts,
            Err(error) => vec![format!("{error}; warmd will not start without it")],
        };
        let warning = |text: String| loaded.token_problem(model, Severity::Warning, &text);
        warnings.extend(texts.into_iter().map(warning));
    }
    warnings
}

/// The window around now, or the next.
fn window(hours: &ActiveHours, now: DateTime<Utc>) -> WindowStatus {
    let stretch = hours.at(now);
    if stretch.open {
        WindowStatus { open: true, opens_at: stretch.since, closes_at: stretch.until }
    } else {
        let closes_at = stretch.until.and_then(|opens| hours.at(opens).until);
        WindowStatus { open: false, opens_at: stretch.until, closes_at }
    }
}

fn window_text(hours: &ActiveHours, window: &WindowStatus, now: DateTime<Utc>) -> String {
    let local = |t: DateTime<Utc>| hours.zone().local(t);
    let day_and_time = |t| local(t).format("%a %F %R").to_string();
    let end = |opens, closes| {
        let same_day = local(opens).date_naive() == local(closes).date_naive();
        local(closes).format(if same_day { "%R %:z" } else { "%a %F %R %:z" }).to_string()
    };
    match (window.open, window.opens_at, window.closes_at) {
        (true, _, Some(closes)) => format!("open, until {}", end(now, closes)),
        (true, _, None) => "always open".to_owned(),
        (false, Some(opens), Some(closes)) => {
            format!("{}, until {}", day_and_time(opens), end(opens, closes))
        }
        (false, Some(opens), None) => format!("{}, for good", local(opens).format("%a %F %R %:z")),
        (false, None, _) => "never opens".to_owned(),
    }
}
