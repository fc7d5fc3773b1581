//! What there is to say about a heartbeat.

use super::{measured, model, tame};
use crate::heartbeat::{Evidence, Outcome};
use crate::status::LastHeartbeat;
use std::fmt::Write;

/// In per cent: from here on it goes without saying.
const CLEAR: f64 = 99.0;

/// `cold, by its queue wait of 14.1 s`; `warm, by its queue wait of 1.90 s, 72 % certain`; `unreachable: connection
/// refused`.
pub(crate) fn verdict(heartbeat: &LastHeartbeat) -> String {
    let mut text = model::outcome(heartbeat.outcome).to_owned();
    if let Some(evidence) = evidence(heartbeat) {
        text.push_str(", ");
        text.push_str(&evidence);
        let percent = (heartbeat.certainty.probability() * 100.0).floor();
        if percent < CLEAR {
            let _ = write!(text, ", {percent} % certain");
        }
    }
    if let Some(error) = &heartbeat.error {
        text.push_str(": ");
        text.push_str(&tame(error));
    }
    text
}

/// What the verdict rests on.
fn evidence(heartbeat: &LastHeartbeat) -> Option<String> {
    // Of a failed one, the error says more.
    let verdict = heartbeat.evidence.filter(|_| heartbeat.outcome != Outcome::Failed)?;
    let cold = heartbeat.outcome == Outcome::Cold;
    Some(match verdict {
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
        Evidence::Calibrated => "sent right after an answer".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heartbeat::Certainty;

    fn heartbeat(outcome: Outcome, evidence: Option<Evidence>, error: Option<&str>) -> LastHeartbeat {
        let at = "2026-11-23T08:00:00Z".parse().unwrap();
        let answered = matches!(outcome, Outcome::Warm | Outcome::Cold);
        LastHeartbeat {
            due_at: at,
            sent_at: at,
            outcome,
            evidence,
            certainty: Certainty::FULL,
            total: answered.then_some(14.52),
            wait: answered.then_some(14.1),
            predict: answered.then_some(0.31),
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn verdicts_name_their_evidence() {
        let said = |outcome, evidence, error| verdict(&heartbeat(outcome, evidence, error));
        assert_eq!(said(Outcome::Cold, Some(Evidence::QueueWait), None), "cold, by its queue wait of 14.1 s");
        assert_eq!(
            said(Outcome::Cold, Some(Evidence::Latency), None),
            "cold, by its latency: 14.2 s beside the prediction"
        );
        assert_eq!(
            said(Outcome::Warm, Some(Evidence::SetupTime), None),
            "warm, by its setup time: the setup was done before"
        );
        let doubtful = LastHeartbeat {
            certainty: Certainty::of(0.987),
            ..heartbeat(Outcome::Warm, Some(Evidence::QueueWait), None)
        };
        assert_eq!(verdict(&doubtful), "warm, by its queue wait of 14.1 s, 98 % certain");
        assert_eq!(said(Outcome::Busy, None, None), "busy");
        assert_eq!(
            said(Outcome::TimedOut, None, Some("no answer\nwithin 10 s")),
            "timed out: no answer within 10 s"
        );
    }
}
