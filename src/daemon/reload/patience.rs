//! Reads that a dead drive may hold up: said once one takes too long, and taken back when it ends.

use crate::daemon::command::{Command, Handle};
use crate::quote;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A read that takes longer than this is said to hang. On a drive that is there it takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom to tell, and what is being read.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    engine: Handle,
    reading: Reading,
}

/// What is being read just now: written by whoever reads, which may be held up from then on.
#[derive(Debug, Clone, Default)]
pub(super) struct Reading(Arc<Mutex<String>>);

impl Reading {
    /// This is read from now on.
    pub(super) fn note(&self, what: &str) {
        what.clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn what(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Patience {
    pub(super) fn new(engine: Handle) -> Self {
        Self { engine, reading: Reading::default() }
    }

    /// Waits for work that begins with reading `path`, and notes what it goes on to.
    pub(super) async fn with<T>(&self, path: &Path, work: impl AsyncFnOnce(Reading) -> T) -> T {
        self.reading.note(&quote::path(path));
        let mut work = std::pin::pin!(work(self.reading.clone()));
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        let told = format!(
            "reading {} has been going on for more than {} s: the drive that it is on may be gone; what was read \
             before goes on",
            self.reading.what(),
            PATIENCE.as_secs()
        );
        tracing::error!("{told}");
        // An engine that is gone needs no word.
        let _ = self.engine.tell(Command::ReadHangs(Some(told))).await;
        let done = work.await;
        tracing::warn!("reading {} has ended", self.reading.what());
        let _ = self.engine.tell(Command::ReadHangs(None)).await;
        done
    }
}
