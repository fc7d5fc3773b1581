//! The daemon: the wiring of everything else to clocks, sockets, signals and files.

mod account;
mod alarm;
mod alerts;
mod api;
mod calendar;
pub mod cli;
mod clockset;
mod clockwatch;
pub mod command;
pub mod configuration;
mod demo;
mod descriptor;
mod engine;
pub mod file_state;
mod listen;
mod logs;
mod looks;
mod orphans;
mod panics;
mod problem;
mod reload;
mod signals;
mod systemd;
mod tasks;
mod telling;

use crate::config::env::Env;
use crate::config::value::ModelName;
use crate::provider::http::Client;
use crate::quote;
use crate::state::Known;
use crate::store::{Recovered, Store};
use alerts::Alerts;
use anyhow::Context;
use api::Api;
use command::Handle;
use configuration::Configuration;
use engine::{Engine, Inputs, Services};
use listen::socket::{Socket, SocketFile};
use listen::tcp::{Tcp, Trouble};
use listen::{Limits, serve};
use looks::Looks;
use reload::{Reload, Reloader, SecretFiles};
use signals::{Signals, Stop};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use systemd::Notifier;
use tasks::Tasks;
use tokio::runtime;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What comes after the grace for heartbeats in flight: the last flush.
const LAST_FLUSH: Duration = Duration::from_secs(10);

/// One of its tasks has ended before its time, and the daemon with it.
#[derive(Debug, thiserror::Error)]
#[error("the task `{name}` died: {why:#}")]
pub struct Died {
    name: &'static str,
    why: anyhow::Error,
}

/// A daemon that is set up and runs; `wait` sees it to its end.
#[derive(Debug)]
pub struct Daemon {
    /// The way to its engine.
    pub engine: Handle,
    /// Stops it.
    pub stop: CancellationToken,
    tasks: Tasks,
    grace: Duration,
    socket: SocketFile,
}

impl Daemon {
    /// Starts a daemon that runs `configuration`: its engine, and with it all heartbeats, on the runtime
    /// `heartbeats`, and all else on this one.
    pub async fn start(
        configuration: Configuration,
        env: Env,
        heartbeats: &runtime::Handle,
    ) -> anyhow::Result<Self> {
        let signals = Signals::catch().context("can't catch signals")?;
        let settings = configuration.config.daemon.clone();
        let (store, recovered) = Store::open(&settings.state, settings.retention)?;
        let store = Arc::new(store);
        let listener = Arc::new(Socket::open(&settings.socket).await?);
        let (socket, trouble) = (listener.file(), Trouble::default());
        let tcp = settings.listen.map(|address| Tcp::open(address, trouble.clone()));
        let client = Client::new();
        let (engine, commands) = Handle::new();
        let (reloader, requests) = Reloader::new();
        let ending = Stop::default();
        let stop = ending.asked.clone();
        let mut tasks = Tasks::default();
        let (path, zones) = (configuration.config.path.clone(), configuration.zones.clone());
        let started_with = configuration.file;
        tracing::info!(
            "warmd {} starts on {}; state {}, socket {}, page {}, time zones {}",
            env!("CARGO_PKG_VERSION"),
            quote::path(&path),
            quote::path(&settings.state),
            quote::path(&settings.socket),
            match &tcp {
                Some(tcp) if tcp.is_open() => format!("http://{}/", tcp.address()),
                Some(_) | None => "off".to_owned(),
            },
            zones.describe()
        );
        let (zones, seen) = (Arc::new(Mutex::new(zones)), Arc::new(Notify::new()));
        let secret_files = SecretFiles::default();
        secret_files.are(configuration.secret_files.clone());
        let socket_file = Arc::downgrade(&listener);
        let mut looks = Looks::start(vec![
            Box::new(move || {
                if let Some(socket) = socket_file.upgrade() {
                    socket.look();
                }
            }),
            Box::new(Store::look(&store, settings.state.clone())),
            Box::new(calendar::look(zones.clone(), engine.clone())),
            looks::apart(reload::watch::look(path.clone(), seen.clone())),
            looks::apart({
                let client = client.clone();
                move || client.look_at_trust()
            }),
            looks::apart({
                let (files, reloader) = (secret_files.clone(), reloader.clone());
                move || files.look(&reloader)
            }),
        ])?;
        let alerts = Alerts::new(&recovered.notes, store.clone(), &client, &env);
        tasks.start("alerts", alerts.courier.run(ending.clone()));
        let inputs = Inputs::read(&recovered.notes);
        let (known, watch) = ((known(recovered), inputs), (alerts.watch, alerts.mail));
        let clock_set = Arc::new(Notify::new());
        let services = Services { client, notifier: Notifier::new(), clock_set: clock_set.clone() };
        let (file, stop_engine) = (store.clone(), ending.clone());
        // Made there, for its timers and what it sends are of the runtime that they are begun on.
        tasks.start_on(heartbeats, "engine", async move {
            Engine::new(configuration, known, file, watch, services, trouble).run(commands, stop_engine).await
        });
        let api = Api::new(engine.clone(), store.clone(), reloader.clone(), alerts.trial);
        let everything = api::everything(api.clone());
        tasks.start("socket", serve(listener, everything, Limits::SOCKET, stop.clone(), engine.clone()));
        if let Some(tcp) = tcp {
            let reads = listen::tcp::guarded(api::reads(api), tcp.address());
            tasks.start("listen", serve(tcp, reads, Limits::LISTEN, stop.clone(), engine.clone()));
        }
        let stopped = stop.clone();
        tasks.start("looks", async move {
            tokio::select! {
                () = stopped.cancelled() => Ok(()),
                () = looks.ended() => anyhow::bail!("the thread that looks at files has ended"),
            }
        });
        let reload = Reload { path, env, zones, engine: engine.clone(), seen, started_with, secret_files };
        tasks.start("reload", reload.run(requests, stop.clone()));
        tasks.start("calendar", calendar::run(engine.clone(), clock_set, stop.clone()));
        let (file, stopped) = (store.clone(), stop.clone());
        tasks.start("store", async move {
            tokio::select! {
                () = stopped.cancelled() => Ok(()),
                () = file.ended() => anyhow::bail!("the thread that writes the state file has ended"),
            }
        });
        tasks.start("signals", signals.run(reloader, engine.clone(), ending));
        systemd::ready();
        Ok(Self { engine, stop, tasks, grace: settings.shutdown_grace, socket })
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
        let joined = self.tasks.join_all(self.grace + LAST_FLUSH).await;
        // Nobody answers there any more.
        self.socket.remove();
        match ended {
            // It was asked to end, and this is how it ended.
            Some((_, Err(why))) if stopped => Err(why),
            Some((name, Err(why))) => Err(Died { name, why }.into()),
            Some((name, Ok(()))) if !stopped => {
                Err(Died { name, why: anyhow::anyhow!("it ended before its time") }.into())
            }
            Some(_) | None => joined,
        }
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
