//! What one call of `warmctl` goes by: the flags, the environment, the look; and the way to the
//! daemon and to the file.

use super::args::Global;
use super::client::Client;
use super::failure::Failure;
use super::letters::Letters;
use super::look::Look;
use super::{output, salvage, socket};
use crate::config::env::Env;
use crate::config::{self, Config, Loaded, Model};
use crate::hours::zone::Zones;
use crate::quote;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One call of `warmctl`.
#[derive(Debug)]
pub(super) struct Session {
    /// Whether JSON alone is to be printed.
    pub(super) json: bool,
    /// How things are shown.
    pub(super) look: Look,
    /// In which letters people are told.
    pub(super) letters: Letters,
    /// The process's environment.
    pub(super) env: Env,
    socket: Option<PathBuf>,
    config: Option<PathBuf>,
}

impl Session {
    pub(super) fn new(global: Global) -> Self {
        let env = Env::process();
        Self {
            json: global.json,
            look: Look::of_stdout(global.no_color),
            // JSON is UTF-8 whatever the locale.
            letters: if global.json { Letters::Any } else { Letters::of_locale(&env) },
            env,
            socket: global.socket,
            config: global.config,
        }
    }

    /// Tells people on standard output.
    pub(super) fn tell(&self, text: &str) -> Result<(), Failure> {
        output::text(&self.letters.write(text))
    }

    /// The same, a line each.
    pub(super) fn tell_lines(&self, lines: &[String]) -> Result<(), Failure> {
        self.tell(&lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>())
    }

    /// The daemon.
    pub(super) async fn client(&self) -> Result<Client, Failure> {
        let own = || {
            let file = self.file();
            let loaded = self.load(&file).or_else(|_| salvage::daemon(&file, &self.env)).ok()?;
            Some(loaded.config.daemon.socket)
        };
        let candidates = socket::candidates(self.socket.as_deref(), own, &self.env);
        Ok(Client::new(socket::first_that_answers(candidates).await?)?)
    }

    /// The configuration's file, found as everywhere.
    pub(super) fn file(&self) -> PathBuf {
        config::find(self.config.as_deref(), &self.env)
    }

    /// A configuration, checked.
    pub(super) fn load(&self, file: &Path) -> Result<Loaded, config::Problems> {
        config::load(file, &self.env, &Zones::system())
    }
}

/// The models of a file that a verb is about: all, or the one named.
pub(super) fn select<'a>(config: &'a Config, name: Option<&str>) -> Result<Vec<&'a Arc<Model>>, Failure> {
    let Some(name) = name else { return Ok(config.models.iter().collect()) };
    match config.models.iter().find(|model| model.name.as_str() == name) {
        Some(model) => Ok(vec![model]),
        None => Err(Failure::UnknownModel {
            name: name.to_owned(),
            file: quote::path(&config.path),
            nearest: config::nearest::nearest(name, config.models.iter().map(|model| model.name.as_str()))
                .map(str::to_owned),
        }),
    }
}
