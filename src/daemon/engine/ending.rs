//! The end: what is in flight may end, and everything is saved.

use super::Engine;
use crate::config::value::format_duration;
use crate::daemon::signals::Stop;
use crate::store::Asked;
use std::time::Duration;

impl Engine {
    /// Hands what is known to the store, in order with the entries that led to it.
    pub(super) fn checkpoint(&self) -> Asked<()> {
        let of_slots = self.slots.iter().map(|(name, slot)| (name, &*slot.known));
        let all = of_slots.chain(self.dormant.iter());
        let saved = all.filter_map(|(name, known)| Some((name.clone(), serde_json::to_string(known).ok()?)));
        self.store.checkpoint(saved.collect())
    }

    /// The end: nothing new is sent, what is in flight may end within the grace, everything is saved.
    pub(super) async fn drain(mut self, stop: &Stop) -> anyhow::Result<()> {
        // Where nothing can be kept any more, there is nothing to wait for.
        let lost = self.store.health().stopped;
        let grace = if lost { Duration::ZERO } else { self.settings.shutdown_grace };
        if !self.flights.is_empty() {
            let count = self.flights.len();
            tracing::info!("waiting up to {} for {count} in flight", format_duration(grace));
        }
        self.timers.end_all();
        self.stopping = true;
        for slot in self.slots.values_mut() {
            slot.asked = None;
            slot.flight.take_if(|flight| flight.calibrates);
        }
        let landings = async {
            while let Some(landed) = self.flights.join_next_with_id().await {
                self.landed(landed);
            }
        };
        let landed = tokio::select! {
            landed = tokio::time::timeout(grace, landings) => landed.is_ok(),
            () = stop.at_once.cancelled() => false,
        };
        if !landed {
            let names: Vec<&str> = self.aboard.values().map(|(name, _)| name.as_str()).collect();
            tracing::warn!("left in flight, to end by themselves: {}", names.join(", "));
            self.flights.abort_all();
        }
        for slot in self.slots.values_mut() {
            slot.flight = None;
        }
        self.post(Vec::new());
        while self.chores.join_next().await.is_some() {}
        let saved = self.checkpoint().await;
        if let Some(lost) = self.store.health().lost() {
            anyhow::bail!("stopped, but {lost}");
        }
        if let Err(error) = saved {
            tracing::warn!(
                "what is known of the models is not saved, and will be read from the journal: {error}"
            );
        }
        Ok(())
    }
}
