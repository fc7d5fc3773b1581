//! The daemon: the wiring of everything else to clocks, sockets, signals and files.

mod account;
mod api;
mod calendar;
pub mod cli;
pub mod command;
pub mod configuration;
mod demo;
mod engine;
mod logs;
mod reload;
mod signals;
mod socket;
mod systemd;
mod tasks;
mod telling;

use crate::config::env::Env;
use crate::config::value::ModelName;
use crate::provider::http::Client;
use crate::state::Known;
use crate::store::{Recovered, Store};
use anyhow::Context;
use api::Api;
use command::Handle;
use configuration::Configuration;
use engine::Engine;
use reload::Reloader;
use signals::Signals;
use std::collections::HashMap;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use systemd::Notifier;
use tasks::Tasks;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What answers may take that were worked out when the engine ended.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// What comes after the grace for heartbeats in flight: the last flush.
const LAST_FLUSH: Duration = Duration::from_secs(10);

/// A daemon that is set up and runs; `wait` sees it to its end.
#[derive(Debug)]
pub struct Daemon {
    /// The way to its engine.
    pub engine: Handle,
    /// Stops it.
    pub stop: CancellationToken,
    tasks: Tasks,
    grace: Duration,
    socket: PathBuf,
}

impl Daemon {
    /// Starts a daemon that runs `configuration`.
    pub async fn start(mut configuration: Configuration, env: Env) -> anyhow::Result<Self> {
        let signals = Signals::catch().context("can't catch signals")?;
        let settings = configuration.config.daemon.clone();
        let (store, recovered) = Store::open(&settings.state, settings.retention)?;
        let store = Arc::new(store);
        let listener = socket::open(&settings.socket)?;
        let tcp = match settings.listen {
            None => None,
            // Warming matters more than the page: a taken port is told, not died of.
            Some(address) => match TcpListener::bind(address).await {
                Ok(tcp) => Some(tcp),
                Err(error) => {
                    let told = format!(
                        "listen = \"{address}\" can't be opened ({error}): the report is not read there"
                    );
                    tracing::error!("{told}");
                    configuration.warnings.push(told);
                    None
                }
            },
        };
        let client = Client::new().context("can't set up the HTTP client")?;
        let (engine, commands) = Handle::new();
        let (reloader, requests) = Reloader::new();
        let stop = CancellationToken::new();
        let mut tasks = Tasks::default();
        let (path, zones) = (configuration.config.path.clone(), configuration.zones.clone());
        tracing::info!(
            "warmd {} starts on {}; state {}, socket {}, time zones {}",
            env!("CARGO_PKG_VERSION"),
            path.display(),
            settings.state.display(),
            settings.socket.display(),
            zones.describe()
        );
        let run = Engine::new(configuration, known(recovered), store.clone(), client, Notifier::new());
        tasks.start("engine", run.run(commands, stop.clone()));
        let api = Api { engine: engine.clone(), store: store.clone(), reloader: reloader.clone() };
        let stopped = stop.clone().cancelled_owned();
        let socket = axum::serve(listener, api::everything(api.clone())).with_graceful_shutdown(stopped);
        tasks.start("socket", serve(socket.into_future(), engine.clone()));
        if let Some(tcp) = tcp {
            let stopped = stop.clone().cancelled_owned();
            let page = axum::serve(tcp, api::reads(api)).with_graceful_shutdown(stopped);
            tasks.start("listen", serve(page.into_future(), engine.clone()));
        }
        tasks.start("reload", reload::run(path, env, engine.clone(), requests, stop.clone()));
        tasks.start("calendar", calendar::run(engine.clone(), zones, stop.clone()));
        let (file, stopped) = (store.clone(), stop.clone());
        tasks.start("store", async move {
            tokio::select! {
                () = stopped.cancelled() => Ok(()),
                () = file.ended() => anyhow::bail!("the thread that writes the state file has ended"),
            }
        });
        tasks.start("signals", signals.run(reloader, stop.clone()));
        systemd::ready();
        Ok(Self { engine, stop, tasks, grace: settings.shutdown_grace, socket: settings.socket })
    }

    /// Runs until it is stopped; an error if one of its tasks ended before that.
    pub async fn wait(mut self) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = self.stop.cancelled() => None,
            ended = self.tasks.next_ended() => ended,
        };
        let stopped = self.stop.is_cancelled();
        systemd::stopping();
        self.stop.cancel();
        self.tasks.join_all(self.grace + LAST_FLUSH).await;
        // Nobody answers there any more; one that is left behind is replaced at the next start.
        let _ = std::fs::remove_file(&self.socket);
        match ended {
            Some((name, Err(error))) => Err(error.context(format!("the task `{name}` died"))),
            Some((name, Ok(()))) if !stopped => anyhow::bail!("the task `{name}` ended before its time"),
            Some(_) | None => Ok(()),
        }
    }
}

/// Serves until it is told to stop, and those who were being served have their answers; whoever has
/// not asked to the end by the time that the engine is gone does not hold up the process.
async fn serve(served: impl Future<Output = std::io::Result<()>>, engine: Handle) -> anyhow::Result<()> {
    let cut = async {
        engine.ended().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        served = served => Ok(served?),
        () = cut => Ok(()),
    }
}

/// What was known when the process before this one ended: its checkpoint, and what came after.
fn known(recovered: Recovered) -> HashMap<ModelName, Known> {
    let mut known: HashMap<ModelName, Known> = HashMap::new();
    for (name, saved) in recovered.checkpoints {
        match serde_json::from_str(&saved) {
            Ok(saved) => drop(known.insert(name, saved)),
            Err(error) => {
                tracing::warn!("{}: what was learned of it can't be read: {error}", name.as_str());
            }
        }
    }
    for entry in &recovered.tail {
        known.entry(entry.model.clone()).or_default().apply(entry);
    }
    known
}
