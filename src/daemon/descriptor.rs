//! Descriptors of the system's that tell when there is something to read.

use rustix::fd::OwnedFd;
use std::io;
use tokio::io::unix::AsyncFd;

/// Waits for `descriptor` on this runtime from now on.
#[expect(deprecated, reason = "what is given is owned: the descriptor is no other's while this lives")]
pub(super) fn awaited(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(descriptor)
}
