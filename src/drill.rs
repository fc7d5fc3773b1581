//! What a debug build does on purpose, so that tests can show what follows: it panics in the place that
//! `WARMD_PANIC_IN` names, and with `WARMD_BELIEVE_CLOCK` it believes the clock from the start on, and folds.
//! A release build has none of it.

#[cfg(debug_assertions)]
pub(crate) use armed::{believes_the_clock, panic_amid, panic_in};
#[cfg(not(debug_assertions))]
pub(crate) use unarmed::{believes_the_clock, panic_amid, panic_in};

#[cfg(debug_assertions)]
mod armed {
    use crate::clock::Stopwatch;
    use std::sync::OnceLock;
    use std::time::Duration;

    const VARIABLE: &str = "WARMD_PANIC_IN";

    /// Not before something was done that could be lost.
    const AFTER: Duration = Duration::from_secs(2);

    /// Panics, where this is the place that was asked for.
    pub(crate) fn panic_in(place: &str) {
        static RUNNING: OnceLock<Stopwatch> = OnceLock::new();
        let running = RUNNING.get_or_init(Stopwatch::start);
        assert!(!asked_for(place) || running.elapsed() < AFTER, "{VARIABLE}={place}");
    }

    /// Does the work, and panics amid it where this is the place that was asked for.
    pub(crate) async fn panic_amid<T>(place: &str, work: impl Future<Output = T>) -> T {
        if !asked_for(place) {
            return work.await;
        }
        tokio::select! {
            done = work => done,
            () = tokio::time::sleep(AFTER) => panic!("{VARIABLE}={place}"),
        }
    }

    /// Whether the clock is one to go by although it may have been set a moment ago.
    pub(crate) fn believes_the_clock() -> bool {
        std::env::var_os("WARMD_BELIEVE_CLOCK").is_some()
    }

    fn asked_for(place: &str) -> bool {
        std::env::var_os(VARIABLE).is_some_and(|asked| asked == place)
    }
}

#[cfg(not(debug_assertions))]
mod unarmed {
    pub(crate) const fn believes_the_clock() -> bool {
        false
    }

    pub(crate) const fn panic_in(_place: &str) {}

    pub(crate) fn panic_amid<W>(_place: &str, work: W) -> W {
        work
    }
}
