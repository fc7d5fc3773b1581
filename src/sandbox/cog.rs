//! Cog servers: one process each on its own port, as 0.9, 0.16 or 0.23 behaves.

mod handlers;
mod process;
mod replies;

use super::chance::{Chance, Spread};
use super::pool::Moment;
use super::server::{Server, Switch};
use super::truth::Truth;
use super::{origin, schema};
use crate::clock::{self, Stopwatch};
use process::Process;
use serde::Deserialize;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Which Cog it is: they differ in what a client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// 0.9: its health check hangs while it predicts, and it queues.
    Cog09,
    /// 0.14 and 0.16.
    Cog016,
    /// 0.17 to 0.23: the server in Rust.
    Cog023,
}

impl FromStr for Generation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "0.9" => Ok(Self::Cog09),
            "0.14" | "0.16" => Ok(Self::Cog016),
            "0.23" => Ok(Self::Cog023),
            _ => Err(format!("no Cog `{text}` here; there are 0.9, 0.14, 0.16 and 0.23")),
        }
    }
}

/// What stands in front of a Cog server and scales it to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxy {
    /// It holds what comes meanwhile until the boot is over.
    Holds,
    /// It answers 503 meanwhile.
    Answers503,
}

/// One Cog server.
#[derive(Debug, Clone)]
pub struct CogSettings {
    /// Of everything that is drawn by chance.
    pub seed: u64,
    /// Which Cog it is.
    pub generation: Generation,
    /// How long its setup takes.
    pub boot: Spread,
    /// How long a prediction runs.
    pub predict: Spread,
    /// Predictions at once.
    pub slots: usize,
    /// Its `OpenAPI` document; none: it has none to show.
    pub schema: Option<Value>,
    /// It starts anew, by itself, this long after each setup.
    pub restarts_every: Option<Duration>,
    /// What scales it to zero, and how long after its last prediction.
    pub scales_to_zero: Option<(Proxy, Duration)>,
    /// Its setup fails.
    pub setup_fails: bool,
    /// Its predictions fail, with this error.
    pub fails: Option<String>,
    /// The bearer token that it wants.
    pub token: Option<String>,
    /// Whether `GET /sandbox/truth` exists.
    pub expose_truth: bool,
}

impl Default for CogSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            generation: Generation::Cog023,
            boot: Spread::millis(3_000, 8_000),
            predict: Spread::millis(100, 400),
            slots: 1,
            schema: Some(schema::plain()),
            restarts_every: None,
            scales_to_zero: None,
            setup_fails: false,
            fails: None,
            token: None,
            expose_truth: false,
        }
    }
}

/// What may be done to a running Cog server, also by `POST /sandbox/faults`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fault", deny_unknown_fields)]
pub enum CogFault {
    /// Its process is killed, and another one starts.
    Restart,
    /// Its process is killed, and another one starts so many seconds later.
    Down {
        /// Seconds.
        seconds: u32,
    },
    /// Its health check says this (`UNHEALTHY`, `DEFUNCT` …), and it takes no predictions; null:
    /// it is well again.
    Health {
        /// Cog's word for it.
        status: Option<String>,
    },
}

/// A Cog server of the sandbox's, while it runs.
#[derive(Debug)]
pub struct Cog {
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug)]
struct Shared {
    watch: Stopwatch,
    process: Mutex<Process>,
    settings: CogSettings,
    /// Rung when something happened that nobody could foresee.
    changed: Notify,
    stop: CancellationToken,
}

impl Shared {
    /// The process as it is now.
    fn lock(&self) -> (MutexGuard<'_, Process>, Moment) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.watch.elapsed();
        process.advance(now);
        (process, now)
    }

    fn inflict(&self, fault: CogFault) {
        let (mut process, now) = self.lock();
        process.inflict(fault, now);
        drop(process);
        self.changed.notify_waiters();
    }

    /// Opens and shuts the port as the process comes and goes.
    async fn follow(self: Arc<Self>, mut switch: Switch) {
        // What serves from the start is the process that is there from the start.
        let mut life = self.lock().0.listening();
        loop {
            let changed = self.changed.notified();
            let pause = {
                let (process, now) = self.lock();
                let listening = process.listening();
                if life != listening {
                    // Another process is another set of connections.
                    switch.set(listening.is_some());
                    life = listening;
                }
                process.next().map(|at| at.saturating_sub(now))
            };
            tokio::select! {
                () = tokio::time::sleep(pause.unwrap_or(Duration::MAX)) => {}
                () = changed => {}
                () = self.stop.cancelled() => return,
            }
        }
    }
}

impl Cog {
    pub(super) fn start(listener: TcpListener, settings: CogSettings) -> io::Result<Self> {
        let address = origin(listener.local_addr()?);
        let (base, watch) = clock::civil_stopwatch();
        let process = Process::new(address, settings.clone(), Chance::new(settings.seed), base);
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            watch,
            process: Mutex::new(process),
            settings,
            changed: Notify::new(),
            stop: stop.clone(),
        });
        let mut server = Server::start(listener, handlers::router(&shared), stop)?;
        let switch = server.switch();
        server.beside(Arc::clone(&shared).follow(switch));
        Ok(Self { shared, server })
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// What `cog` in `warm.toml` must be.
    pub fn url(&self) -> String {
        origin(self.addr())
    }

    /// What really happened so far.
    pub fn truth(&self) -> Truth {
        self.shared.lock().0.truth()
    }

    /// Does something to it.
    pub fn inflict(&self, fault: CogFault) {
        self.shared.inflict(fault);
    }

    /// Stops serving; answers in flight are given a second to end.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}
