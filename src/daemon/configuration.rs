//! A configuration ready to be run: checked, its tokens read, its zones at hand.

use crate::clock;
use crate::config::env::Env;
use crate::config::value::{ModelName, Token};
use crate::config::{self, Config, Problems};
use crate::hours::zone::Zones;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// A configuration ready to be run.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// As checked.
    pub config: Arc<Config>,
    /// The token of each model that has one.
    pub tokens: HashMap<ModelName, Token>,
    /// Why a disabled model has no token although it would need one.
    pub tokenless: HashMap<ModelName, String>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// Where the zones of its hours came from.
    pub zones: Zones,
    /// When it was read.
    pub loaded_at: DateTime<Utc>,
}

/// Why a file can't be run.
#[derive(Debug, Error)]
pub enum ConfigurationError {
    /// The file itself.
    #[error("{0}")]
    Problems(Problems),
    /// A token that an enabled model needs.
    #[error("models.{model}: {reason}")]
    Token {
        /// The first model that needs it.
        model: ModelName,
        /// What was tried, and what to do.
        reason: String,
    },
}

/// Reads and checks `path`, and the tokens that it names.
pub fn read(path: &Path, env: &Env, zones: &Zones) -> Result<Configuration, ConfigurationError> {
    let loaded = config::load(path, env, zones).map_err(ConfigurationError::Problems)?;
    equip(loaded, env, zones)
}

/// Reads the tokens that a checked configuration names.
pub fn equip(loaded: config::Loaded, env: &Env, zones: &Zones) -> Result<Configuration, ConfigurationError> {
    let config::Loaded { config, warnings } = loaded;
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let (mut tokens, mut tokenless) = (HashMap::new(), HashMap::new());
    // Most models share one: it is read once.
    let mut read = HashMap::new();
    for model in &config.models {
        let Some(source) = model.token_source(&config.replicate) else { continue };
        match read.entry(source).or_insert_with(|| source.read(env)) {
            Ok((token, told)) => {
                tokens.insert(model.name.clone(), token.clone());
                warnings.append(told);
            }
            Err(error) if model.enabled => {
                return Err(ConfigurationError::Token {
                    model: model.name.clone(),
                    reason: error.to_string(),
                });
            }
            Err(error) => {
                tokenless.insert(model.name.clone(), error.to_string());
            }
        }
    }
    warnings.sort();
    warnings.dedup();
    Ok(Configuration {
        config: Arc::new(config),
        tokens,
        tokenless,
        warnings,
        zones: zones.clone(),
        loaded_at: clock::now(),
    })
}
