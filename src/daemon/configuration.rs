//! A configuration ready to be run: checked, its tokens read, its zones at hand.

use super::file_state::FileState;
use crate::clock;
use crate::config::alert::{Address, AlertName, Target};
use crate::config::env::Env;
use crate::config::value::{ModelName, Token, TokenSource};
use crate::config::webhook::Webhook;
use crate::config::{self, Config, Problem, Problems, Secret, Severity};
use crate::hours::zone::Zones;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// A configuration ready to be run.
#[derive(Clone)]
pub struct Configuration {
    /// As checked.
    pub config: Arc<Config>,
    /// The token of each model that has one.
    pub tokens: HashMap<ModelName, Token>,
    /// The way to each enabled alert that is posted.
    pub aims: HashMap<AlertName, Aim>,
    /// Why a disabled model has no token although it would need one.
    pub tokenless: HashMap<ModelName, String>,
    /// Its file, before it was read.
    pub file: FileState,
    /// The files that these secrets may be read from, before they were read.
    pub secret_files: BTreeMap<PathBuf, FileState>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Where the zones of its hours came from.
    pub zones: Zones,
    /// When it was read.
    pub loaded_at: DateTime<Utc>,
}

/// Where an alert is posted, and with which token.
#[derive(Clone, PartialEq, Eq)]
pub struct Aim {
    /// Where to.
    pub address: Webhook,
    /// Sent along.
    pub token: Option<Token>,
}

/// Why a file can't be run: all that is wrong with it, or with the tokens that its enabled models
/// need.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct ConfigurationError(pub Problems);

/// Reads and checks `path`, and the tokens that it names.
pub fn read(path: &Path, env: &Env, zones: &Zones) -> Result<Configuration, ConfigurationError> {
    let file = FileState::of(path);
    let loaded = config::load(path, env, zones).map_err(ConfigurationError)?;
    equip(loaded, file, env, zones, &|_| {})
}

/// The same while the daemon runs: nothing that takes a file's place is waited for. Before it reads another
/// file, it hands its name to `reading`.
pub fn read_again(
    path: &Path,
    env: &Env,
    zones: &Zones,
    reading: &dyn Fn(&str),
) -> Result<Configuration, ConfigurationError> {
    let file = FileState::of(path);
    let loaded = config::load_again(path, env, zones).map_err(ConfigurationError)?;
    equip(loaded, file, env, zones, reading)
}

/// Reads the tokens that a checked configuration names, of which `file` was the state before it was read; hands
/// the place of each token to `reading` before.
pub fn equip(
    loaded: config::Loaded,
    file: FileState,
    env: &Env,
    zones: &Zones,
    reading: &dyn Fn(&str),
) -> Result<Configuration, ConfigurationError> {
    read_secrets(&loaded.config, env, reading);
    let mut warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let (mut tokens, mut tokenless) = (HashMap::new(), HashMap::new());
    let (mut problems, mut told) = (Vec::new(), HashSet::new());
    let mut secret_files = BTreeMap::new();
    for model in &loaded.config.models {
        let Some(source) = model.token_source(&loaded.config.replicate) else { continue };
        reading(&source.to_string());
        note_files(&mut secret_files, source, env);
        match source.read(env) {
            Ok((token, told)) => {
                tokens.insert(model.name.clone(), token);
                warnings.extend(told);
            }
            Err(error) if model.enabled => {
                if told.insert(source.clone()) {
                    problems.push(loaded.token_problem(model, Severity::Error, &error.to_string()));
                }
            }
            Err(error) => {
                tokenless.insert(model.name.clone(), error.to_string());
            }
        }
    }
    for alert in loaded.config.alerts.iter().filter(|alert| alert.enabled) {
        alert.target.sources().for_each(|source| note_files(&mut secret_files, source, env));
    }
    let aims = aims(&loaded, env, reading, &mut problems, &mut warnings);
    if !problems.is_empty() {
        return Err(ConfigurationError(Problems(problems)));
    }
    warnings.sort();
    warnings.dedup();
    Ok(Configuration {
        config: Arc::new(loaded.config),
        tokens,
        aims,
        tokenless,
        file,
        secret_files,
        warnings,
        zones: zones.clone(),
        loaded_at: clock::now(),
    })
}

/// Reads every secret that a configuration names, those of what is disabled too: from then on they are known, and
/// struck from what others say. What can't be read is the matter of who needs it. Hands the place of each to `reading`
/// before.
pub fn read_secrets(config: &Config, env: &Env, reading: &dyn Fn(&str)) {
    for source in config.models.iter().filter_map(|model| model.token_source(&config.replicate)) {
        reading(&source.to_string());
        let _ = source.read(env);
    }
    for alert in &config.alerts {
        let Target::Webhook { address, format, token } = &alert.target else { continue };
        if let Address::In(source) = address {
            reading(&source.to_string());
            let _ = Webhook::read(source, *format, env);
        }
        if let Some(source) = token {
            reading(&source.to_string());
            let _ = source.read(env);
        }
    }
}

/// Notes the state of the files of a secret that is about to be read; of one that was read before, the state then.
fn note_files(files: &mut BTreeMap<PathBuf, FileState>, source: &TokenSource, env: &Env) {
    for file in source.files(env) {
        let state = FileState::of(&file);
        files.entry(file).or_insert(state);
    }
}

/// Reads where each enabled alert is to be posted.
fn aims(
    loaded: &config::Loaded,
    env: &Env,
    reading: &dyn Fn(&str),
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<String>,
) -> HashMap<AlertName, Aim> {
    let mut aims = HashMap::new();
    for (place, alert) in loaded.config.alerts.iter().enumerate().filter(|(_, alert)| alert.enabled) {
        let Target::Webhook { address, format, token } = &alert.target else { continue };
        let mut problem = |what, why: String| {
            problems.push(loaded.alert_problem(place, what, Severity::Error, &why));
        };
        let address = match address {
            Address::Here(webhook) => Some(webhook.clone()),
            Address::In(source) => {
                reading(&source.to_string());
                match Webhook::read(source, *format, env) {
                    Ok((webhook, told)) => {
                        warnings.extend(told);
                        Some(webhook)
                    }
                    Err(error) => {
                        problem(Secret::Webhook, error.to_string());
                        None
                    }
                }
            }
        };
        let read = |source: &TokenSource| {
            reading(&source.to_string());
            source.read(env)
        };
        let token = match token.as_ref().map(read) {
            Some(Ok((token, told))) => {
                warnings.extend(told);
                Some(token)
            }
            Some(Err(error)) => {
                problem(Secret::Token, error.to_string());
                None
            }
            None => None,
        };
        aims.extend(address.map(|address| (alert.name.clone(), Aim { address, token })));
    }
    aims
}
