//! `[models.NAME]`: what is kept warm.

use super::field::{Field, Wrong};
use super::keys;
use super::named::{NamedHours, inner_table};
use super::nearest::nearest;
use super::report::{Finding, Report};
use super::rhythm::Rhythm;
use super::secret;
use super::section::{Section, join};
use super::sources;
use super::value::{ModelName, NameError};
use super::variable;
use super::{ColdAfter, Lead, Model, Probe, Target, input, reference};
use crate::hours::zone::{Zone, Zones};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The default of `interval`.
const INTERVAL: Duration = Duration::from_secs(30);
/// The default of `timeout`.
const TIMEOUT: Duration = Duration::from_mins(10);

/// What tells a model's kind; it has exactly one of them.
const TARGETS: [&str; 3] = ["replicate", "deployment", "cog"];

/// What every model is read with.
pub(super) struct Reader<'a> {
    pub(super) zones: &'a Zones,
    /// UTC, unless `[defaults]` has another.
    pub(super) zone: Zone,
    pub(super) defaults: Rhythm,
    pub(super) hours: NamedHours,
}

impl Reader<'_> {
    /// All models, in the file's order; the wrong ones are told, and left out.
    pub(super) fn models(
        &mut self,
        table: &DeTable<'_>,
        report: &mut Report<'_>,
        extent: impl Fn(usize) -> Range<usize>,
    ) -> Vec<Arc<Model>> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
            .into_iter()
            .filter_map(|(key, value)| self.model(key, value, extent(key.span().start), report))
            .map(Arc::new)
            .collect()
    }

    fn model(
        &mut self,
        key: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        extent: Range<usize>,
        report: &mut Report<'_>,
    ) -> Option<Model> {
        let name = name(key, report);
        let table = inner_table("models", key, value, report)?;
        let section =
            Section::open(report, join("models", key.get_ref()), key.span(), extent, table, keys::MODEL);
        let target = target(&section, report);
        let rhythm = Rhythm::read(&section, report, self.zones, &mut self.hours).or(&self.defaults);
        if rhythm.is_never_active() {
            section.missing(
                report,
                &["active"],
                "this model has no active hours, and [defaults] has none",
                "write active = [\"Mon-Fri 08:00-20:00\"], or active = [\"always\"]",
            );
        }
        let probe = probe(&section, report);
        let input = section.read(report, "input", input::table);
        let enabled = section.boolean(report, "enabled").unwrap_or(true);
        let token = sources::read(&section, report).given();
        let on_replicate = ["replicate", "deployment"];
        if let (None, Some((key, entry))) =
            (&token, on_replicate.iter().find_map(|key| Some((key, section.entry(key)?))))
        {
            // Where the account's token is needed, should nothing say where it is.
            report.add_token(
                Finding::warning(section.name(key), entry.key.clone(), "").value(entry.span.clone()),
            );
        }
        let zone = rhythm.timezone.clone().unwrap_or(self.zone.clone());
        let model = Model {
            name: name?,
            target: target.given()?,
            hours: rhythm.hours(zone.clone(), &self.hours)?,
            timezone: zone.name().to_owned(),
            interval: rhythm.interval.unwrap_or(INTERVAL),
            timeout: rhythm.timeout.unwrap_or(TIMEOUT),
            lead: rhythm.lead.unwrap_or(Lead::Auto),
            cold_after: rhythm.cold_after.unwrap_or(ColdAfter::Auto),
            calibrate: rhythm.calibrate.unwrap_or(true),
            probe,
            input: input.unwrap_or(serde_json::Map::new()),
            enabled,
            token,
        };
        warn(&model, &section, report);
        Some(model)
    }
}

fn name(key: &Spanned<Cow<'_, str>>, report: &mut Report<'_>) -> Option<ModelName> {
    let wrong = match key.get_ref().parse() {
        Ok(_) if secret::is_in(key.get_ref()) => Wrong::SECRET.to_owned(),
        Ok(name) => return Some(name),
        Err(error) => NameError::to_string(&error),
    };
    let shown = super::report::echo(key.get_ref());
    let title = format!("a model can't be called `{shown}`: {wrong}");
    let finding = Finding::error(join("models", key.get_ref()), key.span(), title);
    report.add(finding.help("give it another name, such as [models.llama-3]"));
    None
}

/// `replicate`, `deployment` or `cog`.
fn target(section: &Section<'_>, report: &mut Report<'_>) -> Field<Target> {
    let mut given: Vec<_> =
        TARGETS.iter().filter_map(|key| section.entry(key).map(|entry| (*key, entry))).collect();
    given.sort_by_key(|(_, entry)| entry.key.start);
    let Some(((_, first), others)) = given.split_first() else {
        section.missing(
            report, &TARGETS, "this model says nothing of what is to be kept warm",
            "write one of replicate = \"owner/name:version\", deployment = \"owner/name\" and cog = \"http://host:5000\"",
        );
        return Field::Wrong;
    };
    for (key, other) in others {
        let title =
            format!("`{key}`: a model is one of replicate, deployment and cog, and this is another already");
        let finding = Finding::error(section.name(key), other.key.clone(), title);
        report
            .add(finding.other(first.key.clone(), "first").help("take one out, or make two models of them"));
    }
    let [replicate, deployment, cog] = [
        section.text(report, "replicate", reference::replicate),
        section.text(report, "deployment", reference::deployment),
        section.text(report, "cog", |text| Ok(Target::Cog { base: reference::cog(text)? })),
    ];
    replicate.or(deployment).or(cog)
}

fn probe(section: &Section<'_>, report: &mut Report<'_>) -> Probe {
    let probe = section.text(report, "probe", |text| match text {
        "predict" => Ok(Probe::Predict),
        "health" => Ok(Probe::Health),
        _ => {
            let wrong = Wrong::new("it is neither \"predict\" nor \"health\"");
            Err(match nearest(text, ["predict", "health"]) {
                Some(near) => wrong.help(format!("did you mean \"{near}\"?")),
                None => wrong,
            })
        }
    });
    let on_replicate = section.entry("cog").is_none()
        && (section.entry("replicate").is_some() || section.entry("deployment").is_some());
    if let (Field::Given(_), true, Some(entry)) = (&probe, on_replicate, section.entry("probe")) {
        let title = "`probe`: only a Cog server can be probed, Replicate has no health check to ask";
        let finding = Finding::error(section.name("probe"), entry.key.clone(), title);
        report.add(finding.value(entry.span.clone()).help("take it out"));
    }
    probe.unwrap_or(Probe::Predict)
}

/// What works, and is perhaps not what was meant.
fn warn(model: &Model, section: &Section<'_>, report: &mut Report<'_>) {
    if let (Probe::Health, Some(entry)) = (model.probe, section.entry("input")) {
        let title = "`input`: with probe = \"health\" no prediction is sent, so that this is never used";
        report.add(Finding::warning(section.name("input"), entry.key.clone(), title));
    }
    let variables = model.input.iter().filter(|(_, value)| has_variable(value));
    let names: Vec<String> = variables.map(|(name, _)| name.clone()).collect();
    if let Some(entry) = section.entry("input")
        && !names.is_empty()
    {
        let names = crate::quote::names(&names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>());
        let title =
            format!("`input`: the value of {names} is sent as it is: variables are not replaced in it");
        let finding = Finding::warning(section.name("input"), entry.key.clone(), title);
        report.add(finding.help("write the value itself, if that is not what is meant"));
    }
    if let (Target::Cog { base }, Some(_), Some(entry)) = (&model.target, &model.token, section.entry("cog"))
        && base.scheme() == "http"
        && !reference::is_loopback(base)
    {
        let title = "`cog`: the token travels to this server in the clear";
        let finding = Finding::warning(section.name("cog"), entry.key.clone(), title);
        report.add(finding.value(entry.span.clone()).help("use https where others share the network"));
    }
}

/// Whether a value looks as if something should be put into it.
fn has_variable(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => {
            text.contains("${") && variable::in_braces(text).is_some() || variable::is_whole(text.trim())
        }
        serde_json::Value::Array(items) => items.iter().any(has_variable),
        serde_json::Value::Object(members) => members.values().any(has_variable),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => false,
    }
}
