//! Connections that can be cut: what a real network does to an answer, and a process that dies to
//! all of them.
//!
//! Owns the listener of a sandbox. While the server it stands for is down, nothing listens and so
//! connections are refused.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long to wait before accepting anew, or before binding anew, where that failed.
const AGAIN: Duration = Duration::from_millis(50);

/// A hand on one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Tap(Arc<AtomicBool>);

impl Tap {
    /// The connection is reset as soon as its answer would be written.
    pub(super) fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Door>> for Tap {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

/// Whether the server is there; each time it goes, its connections go with it.
#[derive(Debug, Clone)]
pub(super) enum Presence {
    /// With what ends when it goes.
    Up(CancellationToken),
    Down,
}

/// A listener that opens and shuts as the server behind it comes and goes.
#[derive(Debug)]
pub(super) struct Door {
    addr: SocketAddr,
    listener: Option<TcpListener>,
    presence: watch::Receiver<Presence>,
}

impl Door {
    pub(super) fn new(listener: TcpListener, presence: watch::Receiver<Presence>) -> io::Result<Self> {
        Ok(Self { addr: listener.local_addr()?, listener: Some(listener), presence })
    }

    /// A connection, or none where the server went meanwhile.
    async fn accept_one(&mut self, up: CancellationToken) -> Option<Wire> {
        let listener = match &mut self.listener {
            Some(listener) => listener,
            slot @ None => slot.insert(TcpListener::bind(self.addr).await.ok()?),
        };
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted;
                // Small answers go out at once; a socket that refuses this serves all the same.
                let _ = stream.set_nodelay(true);
                Some(Wire { stream, tap: Tap::default(), gone: Box::pin(up.cancelled_owned()) })
            }
            () = up.clone().cancelled_owned() => None,
        }
    }
}

impl Listener for Door {
    type Io = Wire;
    type Addr = Tap;

    async fn accept(&mut self) -> (Wire, Tap) {
        loop {
            let presence = self.presence.borrow_and_update().clone();
            match presence {
                Presence::Up(up) if !up.is_cancelled() => {
                    if let Some(wire) = self.accept_one(up).await {
                        let tap = wire.tap.clone();
                        return (wire, tap);
                    }
                    tokio::time::sleep(AGAIN).await;
                }
                Presence::Up(_) => tokio::time::sleep(AGAIN).await,
                Presence::Down => {
                    self.listener = None;
                    if self.presence.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Tap> {
        Ok(Tap::default())
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    tap: Tap,
    gone: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Wire {
    /// An error once the connection is to end; what is dropped then ends in a reset, not in a
    /// polite close.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.tap.0.load(Ordering::Relaxed) || self.gone.as_mut().poll(cx).is_ready() {
            // Without it the client sees an end of file, which is an error to it as well.
            let _ = self.stream.set_zero_linger();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
