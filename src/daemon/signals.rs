//! Signals: SIGTERM and SIGINT stop the daemon, SIGHUP reloads.

use super::reload::Reloader;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals, caught from when this is made.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Catches them.
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Passes them on until `stop`, which the first SIGTERM or SIGINT brings about.
    pub(super) async fn run(mut self, reloader: Reloader, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = self.terminate.recv() => tracing::info!("SIGTERM: stopping"),
                _ = self.interrupt.recv() => tracing::info!("SIGINT: stopping"),
                _ = self.hang_up.recv() => {
                    tracing::info!("SIGHUP: reloading");
                    if reloader.hang_up().await.is_err() {
                        return Ok(());
                    }
                    continue;
                }
            }
            stop.cancel();
        }
    }
}
