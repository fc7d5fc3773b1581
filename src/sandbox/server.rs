//! A server task that is owned, stopped and joined.

use super::wire::{Door, Presence, Tap};
use axum::Router;
use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long answers in flight may take to end at a stop; then their connections are cut.
const GRACE: Duration = Duration::from_secs(1);

/// Lets the process behind a port come and go.
#[derive(Debug)]
pub(super) struct Switch {
    presence: watch::Sender<Presence>,
    /// Ends the connections of the process that is there now.
    up: CancellationToken,
    cut: CancellationToken,
}

impl Switch {
    /// Whoever was there is gone, and its connections with it; then somebody else is there, or
    /// nobody.
    pub(super) fn set(&mut self, up: bool) {
        self.up.cancel();
        self.up = self.cut.child_token();
        self.presence.send_replace(if up { Presence::Up(self.up.clone()) } else { Presence::Down });
    }
}

#[derive(Debug)]
pub(super) struct Server {
    addr: SocketAddr,
    presence: watch::Sender<Presence>,
    /// The first process's connections.
    up: CancellationToken,
    tasks: JoinSet<()>,
    stop: DropGuard,
    /// Ends the connections, whatever they do.
    cut: CancellationToken,
    cut_at_end: DropGuard,
}

impl Server {
    /// Serves `router` on `listener` until `stop` is cancelled, or this is dropped.
    pub(super) fn start(listener: TcpListener, router: Router, stop: CancellationToken) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let cut = CancellationToken::new();
        let up = cut.child_token();
        let (presence, seen) = watch::channel(Presence::Up(up.clone()));
        let door = Door::new(listener, seen)?;
        let service = router.into_make_service_with_connect_info::<Tap>();
        let serving = axum::serve(door, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // It has no errors: accepting goes on whatever happens.
            let _ = serving.into_future().await;
        });
        Ok(Self {
            addr,
            presence,
            up,
            tasks,
            stop: stop.drop_guard(),
            cut: cut.clone(),
            cut_at_end: cut.drop_guard(),
        })
    }

    pub(super) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Runs something beside the server, which is ended with it.
    pub(super) fn beside(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Lets the process behind the port come and go.
    pub(super) fn switch(&self) -> Switch {
        Switch { presence: self.presence.clone(), up: self.up.clone(), cut: self.cut.clone() }
    }

    pub(super) async fn stop(mut self) {
        drop(self.stop);
        let joined = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, joined).await.is_err() {
            drop(self.cut_at_end);
            while self.tasks.join_next().await.is_some() {}
        }
    }
}
