//! What `warmctl check` says of alerts.

use crate::config::alert::{Address, After, Alert, Format, Target};
use crate::config::value::format_duration;
use crate::config::webhook::Webhook;
use crate::config::{Env, Loaded, Problem, Secret, Severity};
use serde::Serialize;

/// Whom an alert would tell of what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckedAlert {
    /// Its name, or the one that its place gives it.
    pub name: String,
    /// Whether it tells anybody at all.
    pub enabled: bool,
    /// What it tells of.
    pub when: Vec<&'static str>,
    /// Of which models; null for all.
    pub models: Option<Vec<String>>,
    /// How many heartbeats in a row there must be; null where it is to last.
    pub after_count: Option<u32>,
    /// How long it must last, in seconds; null where it is counted.
    pub after_seconds: Option<f64>,
    /// After how many seconds it is told again; null for never.
    pub repeat: Option<f64>,
    /// Where it leads: scheme and host, or the program.
    pub to: String,
    /// In which shape; null for a command.
    pub format: Option<&'static str>,
    /// Seconds.
    pub timeout: f64,
    #[serde(skip)]
    text: String,
}

impl CheckedAlert {
    pub(super) fn new(alert: &Alert) -> Self {
        let (count, lasting) = match alert.after {
            After::Count(count) => (Some(count), None),
            After::Lasting(long) => (None, Some(long)),
        };
        Self {
            name: alert.name.to_string(),
            enabled: alert.enabled,
            when: alert.when.names(),
            models: alert.models.as_ref().map(|names| names.iter().map(ToString::to_string).collect()),
            after_count: count,
            after_seconds: lasting.map(|long| long.as_secs_f64()),
            repeat: alert.repeat.map(|repeat| repeat.as_secs_f64()),
            to: alert.target.place(),
            format: alert.target.format().map(Format::name),
            timeout: alert.timeout.as_secs_f64(),
            text: text(alert),
        }
    }

    /// In a line.
    pub(super) fn text(&self) -> String {
        self.text.clone()
    }
}

fn text(alert: &Alert) -> String {
    if !alert.enabled {
        return format!("alert {}: disabled", alert.name);
    }
    let models = match &alert.models {
        Some(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        None => "all models".to_owned(),
    };
    let after = match alert.after {
        After::Count(1) => String::new(),
        After::Count(count) => format!(", after {count} in a row"),
        After::Lasting(long) => format!(", after {}", format_duration(long)),
    };
    let again =
        alert.repeat.map(|repeat| format!(", again every {}", format_duration(repeat))).unwrap_or_default();
    let format = match alert.target.format() {
        Some(format) if format != Format::Json => format!(" ({})", format.name()),
        Some(_) | None => String::new(),
    };
    let when = alert.when.names().join(", ");
    format!("alert {}: {when} of {models}{after}{again} → {}{format}", alert.name, alert.target.place())
}

/// What is missing of where alerts go: warmd would not start.
pub(super) fn warnings(loaded: &Loaded, env: &Env) -> Vec<Problem> {
    let mut warnings = Vec::new();
    for (place, alert) in loaded.config.alerts.iter().enumerate().filter(|(_, alert)| alert.enabled) {
        let Target::Webhook { address, format, token } = &alert.target else { continue };
        let mut warn = |what, texts: Vec<String>| {
            let warning = |text: String| loaded.alert_problem(place, what, Severity::Warning, &text);
            warnings.extend(texts.into_iter().map(warning));
        };
        let missing = |error: String| vec![format!("{error}; warmd will not start without it")];
        if let Address::In(source) = address {
            let read = Webhook::read(source, *format, env);
            warn(Secret::Webhook, read.map_or_else(|error| missing(error.to_string()), |(_, told)| told));
        }
        if let Some(source) = token {
            let read = source.read(env);
            warn(Secret::Token, read.map_or_else(|error| missing(error.to_string()), |(_, told)| told));
        }
    }
    warnings
}
