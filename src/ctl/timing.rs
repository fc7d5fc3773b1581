//! Where a heartbeat's time went.

use crate::status::LastHeartbeat;

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
    use crate::heartbeat::{Certainty, Outcome};

    fn heartbeat(outcome: Outcome) -> LastHeartbeat {
        let at = "2026-11-23T08:00:00Z".parse().unwrap();
        let answered = outcome == Outcome::Cold;
        LastHeartbeat {
            due_at: at,
            sent_at: at,
            outcome,
            evidence: None,
            certainty: Certainty::FULL,
            total: answered.then_some(14.52),
            wait: answered.then_some(14.1),
            predict: answered.then_some(0.31),
            error: None,
        }
    }

    #[test]
    fn shares_add_up_and_line_up() {
        assert_eq!(
            lines(&heartbeat(Outcome::Cold), 80),
            [
                "wait     14.10 s  queue and boot",
                "predict   0.31 s  as the provider tells it",
                "rest      0.11 s  network and provider",
                "total    14.52 s"
            ]
        );
        let narrow = lines(&heartbeat(Outcome::Cold), 26);
        assert_eq!(narrow[1], "predict   0.31 s");
        assert!(lines(&heartbeat(Outcome::Busy), 80).is_empty());
    }
}
