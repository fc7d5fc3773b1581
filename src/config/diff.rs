//! What a reload changes: models that come, go or change, and what needs a restart.

use super::alert::Alert;
use super::value::ModelName;
use super::{Config, Daemon, Model, Replicate};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The difference between the configuration that runs and the one that is to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Models that are new.
    pub added: Vec<ModelName>,
    /// Models that are gone.
    pub removed: Vec<ModelName>,
    /// Models that stay, and the keys of each that are different; a change of `[defaults]` or of
    /// named hours shows here, in the models that it reaches.
    pub changed: Vec<(ModelName, Vec<&'static str>)>,
    /// Whether the models that stay come in another order, by which a short limit is shared out.
    pub reordered: bool,
    /// The keys of `[replicate]` that are different.
    pub replicate: Vec<&'static str>,
    /// What is different in `[[alerts]]`, a line each.
    pub alerts: Vec<String>,
    /// The keys of `[daemon]` that are different: they need a restart.
    pub daemon: Vec<&'static str>,
}

impl Config {
    /// What is different in `new`.
    pub fn diff(&self, new: &Self) -> Changes {
        let old_models: HashMap<_, _> = self.models.iter().map(|model| (&model.name, model)).collect();
        let new_models: HashMap<_, _> = new.models.iter().map(|model| (&model.name, model)).collect();
        let mut changes = Changes {
            replicate: replicate(&self.replicate, &new.replicate),
            alerts: alerts(&self.alerts, &new.alerts),
            daemon: daemon(&self.daemon, &new.daemon),
            ..Changes::default()
        };
        for model in &new.models {
            match old_models.get(&model.name) {
                None => changes.added.push(model.name.clone()),
                Some(old) => match keys(old, model) {
                    keys if keys.is_empty() => {}
                    keys => changes.changed.push((model.name.clone(), keys)),
                },
            }
        }
        let gone = self.models.iter().filter(|model| !new_models.contains_key(&model.name));
        changes.removed = gone.map(|model| model.name.clone()).collect();
        let old_order =
            self.models.iter().map(|model| &model.name).filter(|name| new_models.contains_key(name));
        let new_order =
            new.models.iter().map(|model| &model.name).filter(|name| old_models.contains_key(name));
        changes.reordered = !old_order.eq(new_order);
        changes
    }
}

impl Changes {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something takes effect only after a restart.
    pub fn needs_restart(&self) -> bool {
        !self.daemon.is_empty()
    }

    /// A line for each change, for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.added.iter().map(|name| format!("{name}: added")).collect();
        lines.extend(self.removed.iter().map(|name| format!("{name}: removed, its history stays")));
        lines.extend(self.changed.iter().map(|(name, keys)| format!("{name}: changed {}", keys.join(", "))));
        if self.reordered {
            lines.push("models come in another order".to_owned());
        }
        if !self.replicate.is_empty() {
            lines.push(format!("[replicate]: changed {}", self.replicate.join(", ")));
        }
        lines.extend(self.alerts.iter().cloned());
        if self.needs_restart() {
            lines.push(format!("[daemon]: changed {}; restart warmd for this", self.daemon.join(", ")));
        }
        lines
    }
}

impl fmt::Display for Changes {
    /// One line, for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() { f.write_str("nothing changed") } else { f.write_str(&self.lines().join("; ")) }
    }
}

/// The names of those that are different.
fn different<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter().filter_map(|(key, same)| (!same).then_some(key)).collect()
}

// Taken apart by name, so that a new field can't be forgotten.

fn keys(old: &Model, new: &Model) -> Vec<&'static str> {
    let Model {
        name: _,
        target,
        hours,
        timezone,
        interval,
        timeout,
        lead,
        cold_after,
        calibrate,
        probe,
        input,
        enabled,
        token,
    } = old;
    let same_zone = *timezone == new.timezone;
    let kind = match (target.kind() == new.target.kind(), new.target.kind()) {
        (true, kind) => kind,
        (false, _) => "what it is",
    };
    different([
        (kind, *target == new.target),
        // Another zone makes other hours of the same windows.
        ("timezone", same_zone),
        ("active hours", *hours == new.hours || !same_zone),
        ("interval", *interval == new.interval),
        ("timeout", *timeout == new.timeout),
        ("lead", *lead == new.lead),
        ("cold_after", *cold_after == new.cold_after),
        ("calibrate", *calibrate == new.calibrate),
        ("probe", *probe == new.probe),
        ("input", *input == new.input),
        ("enabled", *enabled == new.enabled),
        ("token", *token == new.token),
    ])
}

fn alerts(old: &[Arc<Alert>], new: &[Arc<Alert>]) -> Vec<String> {
    let find = |all: &[Arc<Alert>], name| all.iter().find(|alert| alert.name == name).cloned();
    let mut lines = Vec::new();
    for alert in new {
        match find(old, alert.name.clone()) {
            None => lines.push(format!("alert {}: added", alert.name)),
            Some(old) => match alert_keys(&old, alert) {
                keys if keys.is_empty() => {}
                keys => lines.push(format!("alert {}: changed {}", alert.name, keys.join(", "))),
            },
        }
    }
    let gone = old.iter().filter(|alert| find(new, alert.name.clone()).is_none());
    lines.extend(gone.map(|alert| format!("alert {}: removed, what waits for it too", alert.name)));
    lines
}

fn alert_keys(old: &Alert, new: &Alert) -> Vec<&'static str> {
    let Alert { name: _, when, models, after, repeat, target, timeout, enabled } = old;
    different([
        ("when", *when == new.when),
        ("models", *models == new.models),
        ("after", *after == new.after),
        ("repeat", *repeat == new.repeat),
        ("where to", *target == new.target),
        ("timeout", *timeout == new.timeout),
        ("enabled", *enabled == new.enabled),
    ])
}

fn replicate(old: &Replicate, new: &Replicate) -> Vec<&'static str> {
    let Replicate { token, base_url, creates_per_minute } = old;
    different([
        ("token", *token == new.token),
        ("base_url", *base_url == new.base_url),
        ("creates_per_minute", *creates_per_minute == new.creates_per_minute),
    ])
}

fn daemon(old: &Daemon, new: &Daemon) -> Vec<&'static str> {
    let Daemon { state, socket, listen, retention, shutdown_grace } = old;
    different([
        ("state", *state == new.state),
        ("socket", *socket == new.socket),
        ("listen", *listen == new.listen),
        ("retention", *retention == new.retention),
        ("shutdown_grace", *shutdown_grace == new.shutdown_grace),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::{Env, check_text};
    use super::*;
    use crate::hours::zone::Zones;
    use std::path::Path;

    fn config(text: &str) -> Config {
        let zones = Zones::built_in();
        check_text(Path::new("warm.toml"), text, &Env::default(), &zones).unwrap().config
    }

    const OLD: &str = r#"
        [hours.office]
        open = ["Mon-Fri 08:00-20:00"]
        [models.a]
        cog = "http://a:5000"
        active = ["office"]
        [models.b]
        replicate = "me/b"
        active = ["always"]
        [models.c]
        cog = "http://c:5000"
        active = ["always"]
    "#;

    #[test]
    fn nothing() {
        let changes = config(OLD).diff(&config(&format!("# a comment\n{OLD}")));
        assert!(changes.is_empty());
        assert_eq!(changes.to_string(), "nothing changed");
    }

    #[test]
    fn alerts_come_go_and_change() {
        let alert = |name: &str, more: &str| {
            format!("[[alerts]]\nname = \"{name}\"\nwebhook = \"http://box/{name}\"\n{more}\n")
        };
        let old = config(&format!("{OLD}\n{}{}", alert("ops", ""), alert("old", "")));
        let new =
            config(&format!("{OLD}\n{}{}", alert("new", ""), alert("ops", "after = 3\nformat = \"slack\"")));
        let changes = old.diff(&new);
        assert!(!changes.needs_restart());
        assert_eq!(
            changes.lines(),
            [
                "alert new: added",
                "alert ops: changed after, where to",
                "alert old: removed, what waits for it too"
            ]
        );
    }

    #[test]
    fn everything() {
        let new = r#"
            [daemon]
            listen = "off"
            [replicate]
            token_env = "OTHER"
            [hours.office]
            open = ["Mon-Fri 08:00-18:00"]
            [models.b]
            cog = "http://b:5000"
            active = ["always"]
            timezone = "Europe/Berlin"
            interval = "10s"
            [models.a]
            cog = "http://a:6000"
            active = ["office"]
            [models.d]
            cog = "http://d:5000"
            active = ["always"]
        "#;
        let changes = config(OLD).diff(&config(new));
        assert!(changes.needs_restart());
        assert_eq!(
            changes.lines(),
            [
                "d: added",
                "c: removed, its history stays",
                "b: changed what it is, timezone, interval",
                "a: changed cog, active hours",
                "models come in another order",
                "[replicate]: changed token",
                "[daemon]: changed listen; restart warmd for this",
            ]
        );
    }
}
