//! What others may ask of the engine, and how they ask it.

use super::configuration::Configuration;
use crate::config::Config;
use crate::config::value::ModelName;
use crate::drill;
use crate::heartbeat::Heartbeat;
use crate::hours::zone::Zones;
use crate::metrics::counts::Counts;
use crate::status::Snapshot;
use crate::status::assemble::{LiveStatus, assemble};
use crate::store::{Asked, Hourly, Intervals, StoreError, Summaries};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// How many commands may wait; whoever sends one more waits too.
const QUEUE: usize = 64;

/// Stretches of time.
pub type Pieces = Vec<(DateTime<Utc>, DateTime<Utc>)>;

/// Those of each model.
pub type PiecesByModel = Vec<(ModelName, Pieces)>;

/// A command, and where its answer goes.
pub enum Command {
    /// What is known now, and what is summed up by now, from then on.
    Live(DateTime<Utc>, oneshot::Sender<(LiveStatus, Asked<Summaries>)>),
    /// The active hours that nothing has accounted for by now, by model, and what is summed up of the others, by
    /// the hour, from then on.
    Hourly(DateTime<Utc>, oneshot::Sender<(PiecesByModel, Asked<Hourly>)>),
    /// The same of one model, with all that is summed up.
    Intervals(ModelName, DateTime<Utc>, oneshot::Sender<(Pieces, Asked<Intervals>)>),
    /// What is known now, and what was counted since the process started.
    Scrape(oneshot::Sender<(LiveStatus, Counts)>),
    /// Nothing but an answer.
    Answer(oneshot::Sender<()>),
    /// Whether it keeps a model of that name warm.
    Find(String, oneshot::Sender<Result<(), Refusal>>),
    /// One heartbeat now, or the one in flight.
    Beat(String, oneshot::Sender<Result<BeatAnswer, Refusal>>),
    /// Hold a model's heartbeats, for that long.
    Pause(String, Option<Duration>, oneshot::Sender<Result<Option<DateTime<Utc>>, Refusal>>),
    /// Free them; answers whether they were held.
    Resume(String, oneshot::Sender<Result<bool, Refusal>>),
    /// Run by another configuration from now on; answers what changed, a line each.
    Load(Box<Configuration>, oneshot::Sender<Vec<String>>),
    /// The file as it is now can't be run: say so, and go on.
    LoadFailed(String),
    /// Reading it, or a file that it names, takes too long: say so, until it is told that it ended.
    ReadHangs(Option<String>),
    /// The system's zones have changed.
    Rezone(Zones),
    /// Fold the journal: calendar work.
    Fold,
}

/// A heartbeat that was asked for.
#[derive(Debug, Clone)]
pub struct BeatAnswer {
    /// As it was judged.
    pub heartbeat: Heartbeat,
    /// Whether a calibration heartbeat follows it.
    pub calibration: bool,
}

/// Why the engine won't.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum Refusal {
    /// No such model.
    #[error("no model is called `{name}`{}", .nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownModel {
        /// As asked for.
        name: String,
        /// The nearest right one.
        nearest: Option<String>,
    },
    /// It can't be sent a heartbeat.
    #[error("`{name}` can't be sent a heartbeat: {reason}")]
    Unequipped {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// Its entry was changed or removed, or the daemon stops, while its heartbeat was in flight.
    #[error("the heartbeat of `{0}` was given up: the daemon stops, or the model's entry changed")]
    GivenUp(String),
}

/// The engine is gone: the daemon is stopping.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
#[error("the daemon is stopping")]
pub struct Stopping;

/// Why there is no Snapshot.
#[derive(Debug, Error)]
pub enum NoSnapshot {
    /// The engine is gone.
    #[error(transparent)]
    Stopping(#[from] Stopping),
    /// The sums can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The one Snapshot, and what it was made from.
#[derive(Debug)]
pub struct Report {
    /// What is told.
    pub snapshot: Snapshot,
    /// The configuration that runs.
    pub config: Arc<Config>,
    /// What the store has summed up.
    pub sums: Summaries,
}

/// The way to the engine.
#[derive(Debug, Clone)]
pub struct Handle(mpsc::Sender<Command>);

impl Handle {
    /// A way, and its other end.
    pub fn new() -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), receiver)
    }

    /// Comes back when the engine is gone.
    pub async fn ended(&self) {
        self.0.closed().await;
    }

    /// Sends a command that has no answer.
    pub async fn tell(&self, command: Command) -> Result<(), Stopping> {
        self.0.send(command).await.map_err(|_| Stopping)
    }

    /// The same from a thread of its own, which it blocks until there is room.
    pub fn tell_blocking(&self, command: Command) -> Result<(), Stopping> {
        self.0.blocking_send(command).map_err(|_| Stopping)
    }

    /// Sends a command and waits for its answer.
    pub async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Stopping> {
        let (sender, receiver) = oneshot::channel();
        self.tell(command(sender)).await?;
        receiver.await.map_err(|_| Stopping)
    }

    /// The one Snapshot, summed up from `since` on. The engine itself asks for the sums: so they
    /// hold what it knows, and no heartbeat that has landed since, whose hours would count twice.
    pub async fn snapshot(&self, since: DateTime<Utc>) -> Result<Snapshot, NoSnapshot> {
        self.report(since).await.map(|report| report.snapshot)
    }

    /// As [`Self::snapshot`], with what it was made from.
    pub async fn report(&self, since: DateTime<Utc>) -> Result<Report, NoSnapshot> {
        drill::panic_in("snapshot");
        let (live, sums) = self.ask(|reply| Command::Live(since, reply)).await?;
        let sums = sums.in_time().await?;
        Ok(Report { snapshot: assemble(&live, &sums), config: live.config, sums })
    }

    /// How the hours of all models were spent from `since` on, up to now.
    pub async fn hourly(&self, since: DateTime<Utc>) -> Result<Hourly, NoSnapshot> {
        let (pending, hourly) = self.ask(|reply| Command::Hourly(since, reply)).await?;
        let mut hourly = hourly.in_time().await?;
        for (model, pieces) in &pending {
            hourly.add_unknown(model, pieces);
        }
        Ok(hourly)
    }

    /// All that happened to a model from `since` on, up to `now`, by the hour and the day.
    pub async fn intervals(
        &self,
        model: ModelName,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Intervals, NoSnapshot> {
        let (pending, intervals) = self.ask(|reply| Command::Intervals(model, since, reply)).await?;
        let mut intervals = intervals.in_time().await?;
        intervals.add_unknown(&pending, now);
        Ok(intervals)
    }
}
