//! What there is to say about a heartbeat.

use super::{measured, model, tame};
use crate::heartbeat::{Evidence, Outcome};
use crate::status::LastHeartbeat;

/// `cold, by its queue wait of 14.1 s`; `unreachable: connection refused`.
pub(crate) fn verdict(heartbeat: &LastHeartbeat) -> String {
    let mut text = model::outcome(heartbeat.outcome).to_owned();
    if let Some(evidence) = evidence(heartbeat) {
        text.push_str(", ");
        text.push_str(&evidence);
    }
    if let Some(error) = &heartbeat.error {
        text.push_str(": ");
        text.push_str(&tame(error));
    }
    text
}

/// What the verdict rests on.
fn evidence(heartbeat: &LastHeartbeat) -> Option<String> {
    let cold = heartbeat.outcome == Outcome::Cold;
    Some(match heartbeat.evidence? {
        Evidence::SetupTime if cold => "by its setup time: it waited for a new setup".to_owned(),
        Evidence::SetupTime => "by its setup time: the setup was done before".to_owned(),
        Evidence::QueueWait => match heartbeat.wait {
            Some(wait) => format!("by its queue wait of {}", measured(wait)),
            None => "by its queue wait".to_owned(),
        },
        Evidence::Latency => match (heartbeat.total, heartbeat.predict) {
            (Some(total), Some(predict)) => {
                format!("by its latency: {} beside the prediction", measured((total - predict).max(0.0)))
            }
            (Some(total), None) => format!("by its latency of {}", measured(total)),
            (None, _) => "by its latency".to_owned(),
        },
    })
}
