//! Looks at what the system says nothing of when it changes: the socket's file, the state file, the time zones, a
//! configuration on a network drive.
//!
//! On a thread of its own, which sleeps between them: a daemon that has nothing to do is woken once for all of
//! them, and what they wait for holds nobody else up.

use crate::drill;
use anyhow::Context;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// From one look to the next.
pub(super) const LOOK: Duration = Duration::from_secs(20);

/// One of them. It blocks, and wakes whoever is to know.
pub(super) type Look = Box<dyn FnMut() + Send>;

/// A look that a drive may hold for ever: taken on a thread that ends with it, and not again before it has.
pub(super) fn apart(look: impl FnMut() + Send + 'static) -> Look {
    let look = Arc::new(Mutex::new(look));
    Box::new(move || {
        if look.try_lock().is_err() {
            return;
        }
        let look = Arc::clone(&look);
        let taken = std::thread::Builder::new().name("a look".to_owned()).spawn(move || {
            if let Ok(mut look) = look.try_lock() {
                look();
            }
        });
        if let Err(error) = taken {
            tracing::debug!("no thread to look at a file on: {error}");
        }
    })
}

/// The thread.
#[derive(Debug)]
pub(super) struct Looks {
    /// Never told anything; the thread ends with it.
    _goes_on: Sender<()>,
    /// The same the other way.
    lives: oneshot::Receiver<()>,
}

impl Looks {
    /// Starts to take these looks, one after the other.
    pub(super) fn start(looks: Vec<Look>) -> anyhow::Result<Self> {
        let (goes_on, ends) = channel();
        let (living, lives) = oneshot::channel();
        std::thread::Builder::new()
            .name("looks".to_owned())
            .spawn(move || {
                let _living = living;
                take(looks, &ends);
            })
            .context("can't start a thread to look at files")?;
        Ok(Self { _goes_on: goes_on, lives })
    }

    /// Comes back once the thread has ended, which it never does by itself.
    pub(super) async fn ended(&mut self) {
        let _ = (&mut self.lives).await;
    }
}

fn take(mut looks: Vec<Look>, ends: &Receiver<()>) {
    while ends.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        drill::panic_in("looks' thread");
        for look in &mut looks {
            look();
        }
    }
}
