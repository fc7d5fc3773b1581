//! What the state file holds.

use super::flow::{self, CONFIG};
use crate::clock;
use crate::state::Known;
use crate::store::fuzzing as store;
use std::time::Duration;

/// Rows of the journal, tails, histograms, rows of sums and checkpoints, as the first byte says: whatever they
/// hold, they are read, or refused, and nothing else.
pub fn blobs(data: &[u8]) {
    match data.split_first() {
        Some((b'j', body)) => {
            let mut known = Known::default();
            for entry in store::journal(body) {
                known.apply(&entry);
                look_at(&known);
            }
        }
        Some((b't', bytes)) => store::tail(bytes),
        Some((b'h', bytes)) => store::histogram(bytes),
        Some((b's', bytes)) => store::sums(bytes),
        Some((b'c', text)) => {
            if let Ok(known) = serde_json::from_slice::<Known>(text) {
                look_at(&known);
            }
        }
        _ => {}
    }
}

/// What a restart goes on from, and saves again.
fn look_at(known: &Known) {
    let now = clock::now();
    for model in &CONFIG.models {
        let _ = (known.lead(model), known.cold_after(model), known.touched_at());
        let _ = known.ended_within(Duration::from_secs(30), now);
        flow::plan(model, known, now);
    }
    let saved = serde_json::to_string(known).expect("what is known can be saved");
    serde_json::from_str::<Known>(&saved).expect("what was saved is known again");
}
