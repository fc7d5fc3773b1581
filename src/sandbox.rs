//! The embedded stand-in for Replicate and Cog: real HTTP, scale to zero, ground truth kept apart.
//!
//! Owns servers that behave as the real ones do, for rehearsals, the demo and tests. What really
//! happened (was this one cold?) is in [`Truth`] and never in an answer that a client could see.
//! Of the rest of the program it knows the clock, and how a duration is written.

mod api;
mod catalog;
mod chance;
pub mod cli;
pub mod cog;
mod control;
pub mod demo;
mod fault;
mod limits;
mod pool;
mod prediction;
mod problem;
pub mod schema;
mod server;
mod settings;
mod truth;
mod wire;
mod world;

pub use chance::{Spread, SpreadError};
pub use cog::{Cog, CogSettings};
pub use fault::{Fault, FaultOrder, On};
pub use settings::{
    AccountSettings, Conduct, Credit, DeploymentSettings, Kind, ModelSettings, Rate, Settings,
    VersionSettings,
};
pub use truth::{BootTruth, PredictionTruth, Truth};

use crate::clock::{self, Stopwatch};
use catalog::Catalog;
use fault::Faults;
use limits::Limits;
use pool::Moment;
use server::Server;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use world::World;

/// A sandbox that stands in for Replicate, while it runs. Dropped without a `stop`, it ends too,
/// though nobody waits for it.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    server: Server,
}

/// What all of a sandbox's requests share.
#[derive(Debug)]
struct Shared {
    watch: Stopwatch,
    state: Mutex<State>,
    /// Rung when something happened that nobody could foresee: a cancel.
    changed: Notify,
    stop: CancellationToken,
    expose_truth: bool,
}

#[derive(Debug)]
struct State {
    world: World,
    catalog: Catalog,
    faults: Faults,
    limits: Limits,
    files: api::files::Files,
}

impl Shared {
    fn now(&self) -> Moment {
        self.watch.elapsed()
    }

    /// The state and the time, read in that order, so that time never runs backwards in it.
    fn lock(&self) -> (MutexGuard<'_, State>, Moment) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        (state, now)
    }
}

impl Sandbox {
    /// Serves on `listener` until it is stopped.
    pub fn start(listener: TcpListener, settings: Settings) -> io::Result<Self> {
        // Together, and before what takes time: else all that is told of when something happened is early.
        let (base, watch) = clock::civil_stopwatch();
        let mut state = State {
            world: World::new(base, settings.seed, settings.keep),
            catalog: Catalog::new(&settings, base),
            faults: Faults::default(),
            limits: Limits::new(&settings),
            files: api::files::Files::default(),
        };
        for order in settings.faults {
            state.faults.set(order);
        }
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            watch,
            state: Mutex::new(state),
            changed: Notify::new(),
            stop: stop.clone(),
            expose_truth: settings.expose_truth,
        });
        let server = Server::start(listener, api::router(&shared), stop)?;
        Ok(Self { shared, server })
    }

    /// Starts a Cog server of the sandbox's.
    pub fn cog(listener: TcpListener, settings: CogSettings) -> io::Result<Cog> {
        Cog::start(listener, settings)
    }

    /// Where it listens.
    pub const fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// What `base_url` in `warm.toml` must be.
    pub fn base_url(&self) -> String {
        format!("{}/v1", origin(self.addr()))
    }

    /// What really happened so far.
    pub fn truth(&self) -> Truth {
        let (mut state, now) = self.shared.lock();
        state.world.truth(now)
    }

    /// Sets a fault; false where there are too many set already.
    pub fn set_fault(&self, order: FaultOrder) -> bool {
        self.shared.lock().0.faults.set(order)
    }

    /// Clears all faults that have not struck yet.
    pub fn clear_faults(&self) {
        self.shared.lock().0.faults.clear();
    }

    /// Gives a model a new latest version; false where there is no such model.
    pub fn publish(&self, owner: &str, name: &str, version: VersionSettings) -> bool {
        self.shared.lock().0.catalog.publish(owner, name, version)
    }

    /// Takes a version away: from now on it does not exist.
    pub fn withdraw(&self, owner: &str, name: &str, version: &str) {
        self.shared.lock().0.catalog.withdraw(owner, name, version);
    }

    /// Stops serving; answers in flight are given a second to end.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// `http://host:port` at which an address is reached from this machine.
fn origin(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() {
        format!("http://127.0.0.1:{}", addr.port())
    } else {
        format!("http://{addr}")
    }
}
