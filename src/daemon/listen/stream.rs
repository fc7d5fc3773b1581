//! What both listeners have in common: streams come out of them.

use std::future::Future;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// What a connection goes over.
pub(in crate::daemon) trait Stream:
    AsyncRead + AsyncWrite + Unpin + Send + 'static
{
    /// It is about to be closed on a peer that is waited for in vain: what was written is not to be
    /// kept for it any longer.
    fn give_up(&self);
}

impl Stream for UnixStream {
    fn give_up(&self) {}
}

impl Stream for TcpStream {
    fn give_up(&self) {
        // Where that is not so, the kernel gives it up by itself, later.
        let _ = self.set_zero_linger();
    }
}

/// A listener.
pub(in crate::daemon) trait Listener: Send + 'static {
    /// What comes out of it.
    type Stream: Stream;

    /// The next one.
    fn accept(&self) -> impl Future<Output = std::io::Result<Self::Stream>> + Send;
}
