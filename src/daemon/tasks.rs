//! The daemon's tasks: each is named, owned here, and joined. When one ends before its time, the
//! daemon says which, and ends with an error for its service manager to restart it.

use super::panics;
use crate::drill;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::{Id, JoinError, JoinSet};

/// A set of named tasks.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    set: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts one.
    pub(super) fn start<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.start_on(&Handle::current(), name, task);
    }

    /// Starts one on another runtime than this.
    pub(super) fn start_on<F>(&mut self, runtime: &Handle, name: &'static str, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.set.spawn_on(drill::panic_amid(name, task), runtime);
        self.names.insert(handle.id(), name);
    }

    /// Waits for the next one to end; none when all have.
    pub(super) async fn next_ended(&mut self) -> Option<(&'static str, anyhow::Result<()>)> {
        let (id, result) = match self.set.join_next_with_id().await? {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(died(error))),
        };
        Some((self.names.remove(&id).unwrap_or("unnamed"), result))
    }

    /// Waits for all to end, for at most `grace`; says which did not, and ends them. The first error
    /// that one ended with is the answer.
    pub(super) async fn join_all(mut self, grace: Duration) -> anyhow::Result<()> {
        let mut first = Ok(());
        let all = async {
            while let Some((name, result)) = self.next_ended().await {
                if let Err(error) = result {
                    tracing::error!("the task `{name}` failed while stopping: {error:#}");
                    first = std::mem::replace(&mut first, Ok(())).and(Err(error));
                }
            }
        };
        if tokio::time::timeout(grace, all).await.is_err() {
            for name in self.names.values() {
                tracing::warn!("the task `{name}` did not end in time, and is ended");
            }
            // Not waited for: one that a drive holds does not even end so.
            self.set.abort_all();
            self.set.detach_all();
        }
        first
    }
}

fn died(error: JoinError) -> anyhow::Error {
    match error.try_into_panic() {
        Ok(payload) => anyhow::anyhow!("it panicked: {}", panics::words(&*payload)),
        Err(error) => anyhow::Error::new(error),
    }
}
