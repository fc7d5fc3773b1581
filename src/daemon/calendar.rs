//! Calendar work: folding and retention by the hour, a look at the time zones by the minute.
//!
//! Written as cron, and rung by a cron scheduler; heartbeats are not: it looks at its jobs twice a
//! second, and hands them over a short queue. It knows when a job is next due and nothing else, so that a
//! clock set back would silence it for as long: it is set up anew then.

use super::clockwatch::ClockWatch;
use super::command::{Command, Handle};
use crate::clock::Stopwatch;
use crate::hours::zone::Zones;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

/// Two minutes past each hour: the hour that ended is complete by then.
const FOLD: &str = "0 2 * * * *";

/// Half past each minute.
const ZONES: &str = "30 * * * * *";

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A scheduler that has rung nothing for this long, though it has something to ring each minute, is dead.
const SILENT: Duration = Duration::from_mins(3);

/// What there is to be done.
#[derive(Debug, Clone, Copy)]
enum Work {
    Fold,
    Zones,
}

/// Does the calendar's work until `stop`.
pub(super) async fn run(
    engine: Handle,
    zones: Arc<Mutex<Zones>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (bell, mut rung) = mpsc::channel(8);
    let mut scheduler = set_up(&bell).await?;
    let (mut clock_watch, mut silent) = (ClockWatch::start(), Stopwatch::start());
    loop {
        let work = tokio::select! {
            () = stop.cancelled() => break,
            work = rung.recv() => work,
            () = tokio::time::sleep(LOOK) => None,
        };
        if work.is_some() {
            silent = Stopwatch::start();
        }
        // Only a stopping engine takes no command: nothing is left to be done then.
        let _ = match work {
            Some(Work::Fold) => engine.tell(Command::Fold).await,
            Some(Work::Zones) => match changed(&zones) {
                Some(new) => engine.tell(Command::Rezone(new)).await,
                None => Ok(()),
            },
            None => Ok(()),
        };
        let set_back = clock_watch.moved().is_some_and(|moved| moved.seconds() < 0.0);
        if set_back || silent.elapsed() > SILENT {
            tracing::debug!("the calendar is set up anew");
            scheduler.shutdown().await?;
            scheduler = set_up(&bell).await?;
            silent = Stopwatch::start();
        }
    }
    scheduler.shutdown().await?;
    Ok(())
}

/// A scheduler that rings for each piece of work; the work itself is the caller's.
async fn set_up(bell: &mpsc::Sender<Work>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    for (when, work) in [(FOLD, Work::Fold), (ZONES, Work::Zones)] {
        let bell = bell.clone();
        let ring = move |_, _| {
            // Where so much waits already, this is among it.
            let _ = bell.try_send(work);
            Box::pin(async {}) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
        };
        scheduler.add(Job::new_async(when, ring)?).await?;
    }
    scheduler.start().await?;
    Ok(scheduler)
}

/// The system's zones, if they are others than those known.
fn changed(zones: &Mutex<Zones>) -> Option<Zones> {
    let mut known = zones.lock().unwrap_or_else(PoisonError::into_inner);
    known.changed().then(|| {
        *known = known.reread();
        known.clone()
    })
}
