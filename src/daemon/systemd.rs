//! Telling the service manager: ready, reloading, stopping, alive, and a line for people.
//!
//! Without a service manager (`$NOTIFY_SOCKET` unset) all of it does nothing.

use crate::clock::Stopwatch;
use sd_notify::NotifyState;
use std::time::Duration;

/// The service manager, as the engine sees it.
#[derive(Debug)]
pub(super) struct Notifier {
    /// Half of what the service manager allows between two signs of life.
    watchdog: Option<Duration>,
    fed: Stopwatch,
    line: String,
}

impl Notifier {
    /// The one of this process.
    pub(super) fn new() -> Self {
        let watchdog = sd_notify::watchdog_enabled().map(|allowed| allowed / 2);
        Self { watchdog, fed: Stopwatch::start(), line: String::new() }
    }

    /// So long a pause, or a shorter one where the watchdog is to be fed before that; none is shorter than
    /// `least`.
    pub(super) fn at_most(&self, pause: Duration, least: Duration) -> Duration {
        let until_fed = self.watchdog.map(|every| every.saturating_sub(self.fed.elapsed()));
        until_fed.map_or(pause, |until_fed| until_fed.clamp(least, pause))
    }

    /// Feeds the watchdog when it is time, and passes on the line when it changed. Called from the
    /// engine's own loop alone: a wedged engine must look wedged.
    pub(super) fn alive(&mut self, line: &str) {
        if self.watchdog.is_some_and(|every| self.fed.elapsed() + Duration::from_secs(1) >= every) {
            notify(&[NotifyState::Watchdog]);
            self.fed = Stopwatch::start();
        }
        if self.line != line {
            line.clone_into(&mut self.line);
            notify(&[NotifyState::Status(line)]);
        }
    }
}

impl Default for Notifier {
    fn default() -> Self {
        Self::new()
    }
}

/// The daemon has started, or is done reloading.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// The daemon reloads.
pub(super) fn reloading() {
    // The service manager tells this reload from others by the monotonic time, in µs.
    match NotifyState::monotonic_usec_now() {
        Ok(at) => notify(&[NotifyState::Reloading, at]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// The daemon stops.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    // Nothing depends on the service manager hearing it; a word in the log is all there is to do.
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("could not notify the service manager: {error}");
    }
}
