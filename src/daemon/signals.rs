//! Signals: SIGTERM and SIGINT stop the daemon, a second one at once; SIGHUP reloads; at SIGCHLD, orphans are
//! waited for.

use super::command::Handle;
use super::orphans;
use super::reload::Reloader;
use crate::clock::Stopwatch;
use rustix::process::Signal as Number;
use std::task::Poll;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A second signal this soon is the first one's echo: a wrapper, such as `timeout`, signals its child and then
/// its whole group.
const ECHO: Duration = Duration::from_secs(1);

/// The signals, caught from when this is made.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    child: Signal,
    /// Those that would end the process, by their names, and mean nothing here: a file that may grow no
    /// further is the store's to deal with, and what rotates logs may say so by the first.
    others: Vec<(&'static str, Signal)>,
}

/// How the daemon is stopped.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop {
    /// Nothing new is begun; what is in flight has its grace.
    pub(super) asked: CancellationToken,
    /// The grace is over.
    pub(super) at_once: CancellationToken,
}

impl Signals {
    /// Catches them.
    pub(super) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            child: signal(SignalKind::child())?,
            others: vec![
                ("SIGUSR1", signal(SignalKind::user_defined1())?),
                ("SIGUSR2", signal(SignalKind::user_defined2())?),
                ("SIGALRM", signal(SignalKind::alarm())?),
                ("SIGXFSZ", signal(SignalKind::from_raw(Number::XFSZ.as_raw()))?),
            ],
        })
    }

    /// Passes them on until the daemon was stopped, and its engine has ended.
    pub(super) async fn run(mut self, reloader: Reloader, engine: Handle, stop: Stop) -> anyhow::Result<()> {
        let over = async {
            stop.asked.cancelled().await;
            engine.ended().await;
        };
        tokio::pin!(over);
        // Those that ended before the signals were caught.
        orphans::reap();
        let mut asked: Option<Stopwatch> = None;
        loop {
            let signal = tokio::select! {
                () = &mut over => return Ok(()),
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.interrupt.recv() => "SIGINT",
                _ = self.hang_up.recv() => {
                    if !stop.asked.is_cancelled() {
                        tracing::info!("SIGHUP: reloading");
                        reloader.hang_up();
                    }
                    continue;
                }
                _ = self.child.recv() => {
                    orphans::reap();
                    continue;
                }
                name = next_of(&mut self.others) => {
                    tracing::warn!("{name}: it means nothing to warmd");
                    continue;
                }
            };
            match &asked {
                None => {
                    tracing::info!("{signal}: stopping");
                    stop.asked.cancel();
                    asked = Some(Stopwatch::start());
                }
                Some(asked) if asked.elapsed() < ECHO => {}
                Some(_) => {
                    tracing::info!("{signal} again: what is in flight is left to end by itself");
                    stop.at_once.cancel();
                }
            }
        }
    }
}

/// The next of them that comes.
async fn next_of(signals: &mut [(&'static str, Signal)]) -> &'static str {
    std::future::poll_fn(|context| {
        let mut come = signals.iter_mut().filter_map(|(name, signal)| match signal.poll_recv(context) {
            Poll::Ready(Some(())) => Some(*name),
            Poll::Ready(None) | Poll::Pending => None,
        });
        come.next().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
