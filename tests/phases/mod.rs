//! The phases that a heartbeat tells while it is in flight.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs, each of which uses a part")]

use std::pin::pin;
use tokio::sync::watch;
use warmd::heartbeat::{Observation, Phase};

/// Runs the heartbeat that `beat` makes of a sender, and lists the phases that it told.
pub async fn phases_of(
    beat: impl AsyncFnOnce(&watch::Sender<Phase>) -> Observation,
) -> (Observation, Vec<Phase>) {
    let (tell, mut told) = watch::channel(Phase::Sent);
    let mut phases = Vec::new();
    let mut beat = pin!(beat(&tell));
    loop {
        tokio::select! {
            biased;
            Ok(()) = told.changed() => phases.push(*told.borrow_and_update()),
            seen = &mut beat => {
                if told.has_changed().unwrap() {
                    phases.push(*told.borrow_and_update());
                }
                return (seen, phases);
            }
        }
    }
}
