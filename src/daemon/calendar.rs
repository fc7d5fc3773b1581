//! Calendar work: folding and retention by the hour, a look at the time zones by the minute.
//!
//! Written as cron, and run by a cron scheduler; heartbeats are not: it looks at its jobs twice a
//! second, and hands them over a short queue.

use super::command::{Command, Handle};
use crate::hours::zone::Zones;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

/// Two minutes past each hour: the hour that ended is complete by then.
const FOLD: &str = "0 2 * * * *";

/// Half past each minute.
const ZONES: &str = "30 * * * * *";

/// Does the calendar's work until `stop`.
pub(super) async fn run(engine: Handle, zones: Zones, stop: CancellationToken) -> anyhow::Result<()> {
    let mut calendar = JobScheduler::new().await?;
    let fold = engine.clone();
    calendar
        .add(Job::new_async(FOLD, move |_, _| {
            let engine = fold.clone();
            // Only a stopping engine takes no command: nothing is left to be done then.
            Box::pin(async move {
                let _ = engine.tell(Command::Fold).await;
            })
        })?)
        .await?;
    let zones = Arc::new(Mutex::new(zones));
    calendar
        .add(Job::new_async(ZONES, move |_, _| {
            let (engine, zones) = (engine.clone(), zones.clone());
            Box::pin(async move {
                if let Some(new) = changed(&zones) {
                    let _ = engine.tell(Command::Rezone(new)).await;
                }
            })
        })?)
        .await?;
    calendar.start().await?;
    stop.cancelled().await;
    calendar.shutdown().await?;
    Ok(())
}

/// The system's zones, if they are others than those known.
fn changed(zones: &Mutex<Zones>) -> Option<Zones> {
    let mut known = zones.lock().unwrap_or_else(PoisonError::into_inner);
    known.changed().then(|| {
        *known = known.reread();
        known.clone()
    })
}
