//! Serving a listener: each connection a task, all of them watched over by one.

use super::connection::{Connection, Kept, Phase, Watched};
use super::desk::Desk;
use super::stream::{Listener, Stream};
use crate::clock;
use crate::daemon::command::Handle;
use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// What answers may take that were worked out when the engine ended.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// No request's line and headers are longer, in bytes; and no more of a request is held at a time.
pub(super) const HEAD_LIMIT: usize = 16 * 1024;

/// No request has more headers.
pub(super) const HEADERS_LIMIT: usize = 64;

/// How long a connection may be idle, and a request may take to come, while others wait for their turn.
const PATIENCE_CROWDED: Duration = Duration::from_secs(1);

/// How long a whole answer may take to be read meanwhile, by one who reads on.
pub(super) const READING_CROWDED: Duration = Duration::from_secs(3);

/// At how many looks in a row one may be found meanwhile who reads nothing at all.
///
/// What the kernel holds of an answer is filled up by the third, 85 KiB (on the Unix socket by three
/// quarters, 150 KiB): whoever takes longer for that than 300 ms would not have read the 5 MB about a
/// thousand models in time either. All of them go at one look: so while nobody reads, all connections
/// change hands in 300 to 400 ms, and the time that it takes to put together two reports of each kind
/// that is asked for.
pub(super) const STALLED_CROWDED: u32 = 3;

/// How often connections are looked at, while there are any.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// A system that has no room for connections is complained about this often.
const COMPLAINT: Duration = Duration::from_mins(1);

/// How a listener is called in the log, and what it bears.
#[derive(Debug, Clone, Copy)]
pub(in crate::daemon) struct Limits {
    pub(in crate::daemon) name: &'static str,
    /// How many connections there are at a time.
    pub(in crate::daemon) connections: usize,
    /// How long a connection may be idle, and how long a whole request may take to come.
    pub(in crate::daemon) receiving: Duration,
    /// How long a whole answer may take to be read.
    pub(in crate::daemon) sending: Duration,
}

impl Limits {
    /// The socket's: room for everyone who waits for a heartbeat, and again as much.
    pub(in crate::daemon) const SOCKET: Self = Self { name: "socket", connections: 256, ..Self::LISTEN };

    /// The TCP address's. An answer about ten thousand models has 7 MB.
    pub(in crate::daemon) const LISTEN: Self = Self {
        name: "listen",
        connections: 64,
        receiving: Duration::from_secs(10),
        sending: Duration::from_secs(15),
    };

    /// Whether a peer has kept its connection for too long; while others wait, whoever reads on goes last.
    pub(super) fn are_passed(&self, kept: Kept, crowded: bool) -> bool {
        match kept.phase {
            Phase::Sending if crowded => kept.stalled >= STALLED_CROWDED || kept.time >= READING_CROWDED,
            Phase::Sending => kept.time >= self.sending,
            Phase::Idle | Phase::Receiving | Phase::Answering if crowded => kept.time >= PATIENCE_CROWDED,
            Phase::Idle | Phase::Receiving | Phase::Answering => kept.time >= self.receiving,
        }
    }
}

/// Serves until it is told to stop, and those who were being served have their answers; whoever has
/// not asked to the end by the time that the engine is gone does not hold up the process.
pub(in crate::daemon) async fn serve<L: Listener>(
    listener: L,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
    engine: Handle,
) -> anyhow::Result<()> {
    let cut = async {
        engine.ended().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    let mut connections = Connections::new(routes, limits, stop);
    tokio::select! {
        () = connections.run(listener) => {}
        () = cut => {}
    }
    Ok(())
}

/// The connections of one listener.
struct Connections {
    limits: Limits,
    tasks: JoinSet<()>,
    open: HashMap<Id, Arc<Connection>>,
    desk: Arc<Desk>,
    stop: CancellationToken,
    /// The system had no room for another one: there is no use in asking it again before the next look.
    starved: bool,
    complained: Option<Instant>,
}

impl Connections {
    fn new(routes: Router, limits: Limits, stop: CancellationToken) -> Self {
        Self {
            limits,
            tasks: JoinSet::new(),
            open: HashMap::new(),
            desk: Arc::new(Desk::new(routes)),
            stop,
            starved: false,
            complained: None,
        }
    }

    /// Takes connections until it is told to stop, then sees those that are there to their end.
    async fn run<L: Listener>(&mut self, listener: L) {
        let mut look = tokio::time::interval(LOOK);
        // One after a long time without any counts once.
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.stop.clone();
        loop {
            let room = self.open.len() < self.limits.connections && !self.starved;
            tokio::select! {
                () = stop.cancelled() => break,
                _ = look.tick(), if self.starved || !self.open.is_empty() => self.look(clock::instant()),
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                accepted = listener.accept(), if room => match accepted {
                    Ok(stream) => self.take(stream),
                    Err(error) => self.missed(&error),
                },
            }
        }
        drop(listener);
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.ended(ended);
        }
    }

    fn take<S: Stream>(&mut self, stream: S) {
        let connection = Connection::new();
        let talk = converse(stream, connection.clone(), self.desk.clone(), self.stop.clone());
        let task = self.tasks.spawn(talk);
        self.open.insert(task.id(), connection);
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                if error.is_panic() {
                    tracing::error!("{}: a request was not answered: {error}", self.limits.name);
                }
                error.id()
            }
        };
        self.open.remove(&id);
    }

    /// Ends those whose peers have taken too long; sooner while others wait.
    fn look(&mut self, now: Instant) {
        let crowded = self.starved || self.open.len() >= self.limits.connections || self.desk.crowded();
        for connection in self.open.values() {
            let Some(kept) = connection.look(now) else { continue };
            if self.limits.are_passed(kept, crowded) {
                tracing::debug!("{}: a connection is ended: {kept:?}", self.limits.name);
                connection.cut.cancel();
            }
        }
        self.starved = false;
    }

    /// A connection could not be taken.
    fn missed(&mut self, error: &std::io::Error) {
        // It was given up before it was taken: nothing is wrong with the next one.
        if matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
        ) {
            return;
        }
        self.starved = true;
        let now = clock::instant();
        if self.complained.is_none_or(|last| now.saturating_duration_since(last) >= COMPLAINT) {
            self.complained = Some(now);
            tracing::warn!("{}: connections have to wait: {error}", self.limits.name);
        }
    }
}

/// A connection from its first request to its end.
async fn converse<S: Stream>(
    stream: S,
    connection: Arc<Connection>,
    desk: Arc<Desk>,
    stop: CancellationToken,
) {
    let (cut, watched) = (connection.cut.clone(), connection.clone());
    let service = service_fn(move |request| {
        let (desk, connection) = (desk.clone(), connection.clone());
        async move { Ok::<_, Infallible>(desk.answer(request, &connection).await) }
    });
    let mut http = http1::Builder::new();
    http.max_buf_size(HEAD_LIMIT).max_headers(HEADERS_LIMIT);
    let io = TokioIo::new(Watched { stream, connection: watched });
    let mut served = pin!(http.serve_connection(io, service));
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("a connection ended: {error}");
                }
                return;
            }
            () = cut.cancelled() => return,
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}
