//! One connection: where it stands, and for how long its peer has kept it there.

use super::stream::Stream;
use crate::clock;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a request has come.
    Idle,
    /// A request has begun to come.
    Receiving,
    /// It is being answered; that takes as long as it takes.
    Answering,
    /// The answer goes out.
    Sending,
}

/// A connection, as its stream, its requests and the listener know it.
#[derive(Debug)]
pub(super) struct Connection {
    standing: Mutex<Standing>,
    /// Ends it.
    pub(super) cut: CancellationToken,
}

#[derive(Debug)]
struct Standing {
    phase: Phase,
    since: Instant,
    /// How often it was looked at since it last went on.
    stalled: u32,
    #[expect(dead_code, reason = "held until the answer is sent: its part of the room that there is")]
    weight: Option<Arc<OwnedSemaphorePermit>>,
}

/// Where a peer has kept a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) phase: Phase,
    /// Since when it is there.
    pub(super) time: Duration,
    /// How many looks in a row have found it there without a byte more written. Looks, and not time:
    /// where the daemon itself was late, its peers have not been.
    pub(super) stalled: u32,
}

impl Connection {
    pub(super) fn new() -> Arc<Self> {
        let standing = Standing { phase: Phase::Idle, since: clock::instant(), stalled: 0, weight: None };
        Arc::new(Self { standing: Mutex::new(standing), cut: CancellationToken::new() })
    }

    /// A whole request has come.
    pub(super) fn answers(&self) {
        self.enter(Phase::Answering, None);
    }

    /// It is answered.
    pub(super) fn sends(&self, weight: Option<Arc<OwnedSemaphorePermit>>) {
        self.enter(Phase::Sending, weight);
    }

    /// Looks at where its peer has kept it; none while it is being answered.
    pub(super) fn look(&self, now: Instant) -> Option<Kept> {
        let mut standing = self.standing();
        standing.stalled = standing.stalled.saturating_add(1);
        let (phase, stalled) = (standing.phase, standing.stalled);
        let time = now.saturating_duration_since(standing.since);
        (phase != Phase::Answering).then_some(Kept { phase, time, stalled })
    }

    /// Bytes have come.
    fn has_read(&self) {
        if self.phase() == Phase::Idle {
            self.enter(Phase::Receiving, None);
        }
    }

    /// Bytes have gone.
    fn has_written(&self) {
        self.standing().stalled = 0;
    }

    /// All that was to be written has been.
    fn has_flushed(&self) {
        if self.phase() == Phase::Sending {
            self.enter(Phase::Idle, None);
        }
    }

    fn phase(&self) -> Phase {
        self.standing().phase
    }

    fn enter(&self, phase: Phase, weight: Option<Arc<OwnedSemaphorePermit>>) {
        *self.standing() = Standing { phase, since: clock::instant(), stalled: 0, weight };
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stream that tells its connection what goes over it.
#[derive(Debug)]
pub(super) struct Watched<S: Stream> {
    pub(super) stream: S,
    pub(super) connection: Arc<Connection>,
}

impl<S: Stream> Drop for Watched<S> {
    fn drop(&mut self) {
        if self.connection.cut.is_cancelled() {
            self.stream.give_up();
        }
    }
}

impl<S: Stream> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.connection.has_read();
        }
        read
    }
}

impl<S: Stream> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.connection.has_written();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            self.connection.has_flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        if written.is_ready() {
            self.connection.has_written();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::time::timeout;

    #[tokio::test]
    async fn whoever_reads_on_has_not_stalled() {
        let (stream, mut peer) = UnixStream::pair().unwrap();
        let connection = Connection::new();
        let mut watched = Watched { stream, connection: connection.clone() };
        connection.answers();
        assert!(connection.look(clock::instant()).is_none(), "that takes as long as it takes");
        connection.sends(None);
        let looked = || connection.look(clock::instant()).map(|kept| kept.stalled);
        // As much as is taken of what nobody reads.
        let at_most = Duration::from_millis(50);
        let mut fill = async || while timeout(at_most, watched.write(&[0; 4096])).await.is_ok() {};
        fill().await;
        assert_eq!((looked(), looked(), looked()), (Some(1), Some(2), Some(3)));
        let mut buffer = vec![0; 64 * 1024];
        while timeout(at_most, peer.read(&mut buffer)).await.is_ok() {}
        fill().await;
        assert_eq!((looked(), looked()), (Some(1), Some(2)));
    }
}
