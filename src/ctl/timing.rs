//! One heartbeat in words: its verdict, what that rests on, and where its time went.

use super::look;
use super::words;
use crate::heartbeat::{Evidence, Outcome};
use crate::status::LastHeartbeat;

/// `cold, by its queue wait of 14.1 s`; `unreachable: connection refused`.
pub(super) fn verdict(heartbeat: &LastHeartbeat) -> String {
    let outcome = look::outcome(heartbeat.outcome).0;
    let mut text = outcome.to_owned();
    if let Some(evidence) = evidence(heartbeat) {
        text.push_str(", ");
        text.push_str(&evidence);
    }
    if let Some(error) = &heartbeat.error {
        text.push_str(": ");
        text.push_str(&words::tame(error));
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
            Some(wait) => format!("by its queue wait of {}", words::measured(wait)),
            None => "by its queue wait".to_owned(),
        },
        Evidence::Latency => match (heartbeat.total, heartbeat.predict) {
            (Some(total), Some(predict)) => {
                format!(
                    "by its latency: {} beside the prediction",
                    words::measured((total - predict).max(0.0))
                )
            }
            (Some(total), None) => format!("by its latency of {}", words::measured(total)),
            (None, _) => "by its latency".to_owned(),
        },
    })
}

/// Where its time went, a line a share, in one unit; nothing where it brought no answer. What a share is about
/// is told where all of them have the room.
pub(super) fn lines(heartbeat: &LastHeartbeat, room: usize) -> Vec<String> {
    let Some(total) = heartbeat.total else { return Vec::new() };
    let known = heartbeat.wait.unwrap_or(0.0) + heartbeat.predict.unwrap_or(0.0);
    let rest = (total - known).max(0.0);
    // Shares of one total are compared: they need one unit.
    let share =
        |time: f64| if total < 0.0995 { format!("{:.1} ms", time * 1e3) } else { format!("{time:.2} s") };
    let shares = [
        ("wait", heartbeat.wait, "queue and boot"),
        ("predict", heartbeat.predict, "as the provider tells it"),
        ("rest", Some(rest), "network and provider"),
        ("total", Some(total), ""),
    ];
    let shares: Vec<_> =
        shares.into_iter().filter_map(|(name, time, about)| Some((name, share(time?), about))).collect();
    let width = shares.iter().map(|(_, time, _)| time.chars().count()).max().unwrap_or(0);
    let told = |about: bool| {
        let line = |(name, time, words): &(&str, String, &str)| {
            format!("{name:9}{time:>width$}  {}", if about { words } else { "" }).trim_end().to_owned()
        };
        shares.iter().map(line).collect::<Vec<_>>()
    };
    let whole = told(true);
    if whole.iter().all(|line| line.chars().count() <= room) { whole } else { told(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeat(outcome: Outcome, evidence: Option<Evidence>, error: Option<&str>) -> LastHeartbeat {
        let at = "2026-11-23T08:00:00Z".parse().unwrap();
        let answered = matches!(outcome, Outcome::Warm | Outcome::Cold);
        LastHeartbeat {
            due_at: at,
            sent_at: at,
            outcome,
            evidence,
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
        assert_eq!(said(Outcome::Busy, None, None), "busy");
        assert_eq!(
            said(Outcome::TimedOut, None, Some("no answer\nwithin 10 s")),
            "timed out: no answer within 10 s"
        );
    }

    #[test]
    fn shares_add_up_and_line_up() {
        assert_eq!(
            lines(&heartbeat(Outcome::Cold, Some(Evidence::QueueWait), None), 80),
            [
                "wait     14.10 s  queue and boot",
                "predict   0.31 s  as the provider tells it",
                "rest      0.11 s  network and provider",
                "total    14.52 s"
            ]
        );
        let narrow = lines(&heartbeat(Outcome::Cold, Some(Evidence::QueueWait), None), 26);
        assert_eq!(narrow[1], "predict   0.31 s");
        assert!(lines(&heartbeat(Outcome::Busy, None, None), 80).is_empty());
    }
}
