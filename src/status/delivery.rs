//! What the user should know of how alerts arrive: one sentence for all of them. Pure.

use super::AlertStatus;
use crate::quote;

/// So many are told by name.
const NAMED: usize = 3;

/// How much is told of why one does not arrive, in characters.
const WHY_LIMIT: usize = 80;

/// Of the alerts that are not told at present, if there are any. What was given up is told until something
/// arrives again: the counters have it after that.
pub fn note(alerts: &[AlertStatus]) -> Option<String> {
    let failing: Vec<&AlertStatus> = alerts.iter().filter(|alert| alert.is_failing()).collect();
    let sum = |of: fn(&AlertStatus) -> u64| failing.iter().map(|alert| of(alert)).sum::<u64>();
    let mut told = match (failing.len(), alerts.len()) {
        (0, _) => return None,
        (1, 1) => vec!["what they tell can't be delivered".to_owned()],
        (some, all) => vec![format!("{some} of {all} can't be delivered")],
    };
    match sum(|alert| alert.waiting) {
        0 => {}
        1 => told.push("1 event waits".to_owned()),
        many => told.push(format!("{many} events wait")),
    }
    match sum(|alert| alert.dropped_since_sent) {
        0 => {}
        1 => told.push("1 event was given up".to_owned()),
        many => told.push(format!("{many} events were given up")),
    }
    let mut names: Vec<String> = failing.iter().take(NAMED).map(|alert| alert.named()).collect();
    names.extend((failing.len() > NAMED).then(|| "…".to_owned()));
    Some(format!("alerts: {}: {}", told.join(", "), names.join(", ")))
}

impl AlertStatus {
    fn is_failing(&self) -> bool {
        (self.waiting > 0 && self.last_error.is_some()) || self.dropped_since_sent > 0
    }

    fn named(&self) -> String {
        match &self.last_error {
            Some(why) => format!("{} ({})", self.name, quote::start(why, WHY_LIMIT)),
            None => self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(name: &str, waiting: u64, dropped: u64, why: Option<&str>) -> AlertStatus {
        AlertStatus {
            name: name.to_owned(),
            to: "https://example.com".to_owned(),
            sent: 7,
            failed_attempts: 3,
            dropped: 9,
            dropped_since_sent: dropped,
            waiting,
            last_sent_at: None,
            last_error: why.map(str::to_owned),
        }
    }

    #[test]
    fn one_sentence_tells_of_all_and_names_three() {
        let well = [alert("a", 0, 0, None), alert("b", 12, 0, None)];
        assert_eq!(note(&well), None, "what waits and has not failed is under way");
        let one = [alert("ops", 1, 0, Some("connection refused"))];
        let told = "alerts: what they tell can't be delivered, 1 event waits: ops (connection refused)";
        assert_eq!(note(&one).as_deref(), Some(told));
        let all = [
            alert("ops", 40, 0, Some("connection refused")),
            alert("well", 0, 0, None),
            alert("pager", 7, 1, Some("ended with code 1")),
            alert("old", 0, 2, None),
            alert("more", 1, 0, Some("no")),
        ];
        assert_eq!(
            note(&all).unwrap(),
            "alerts: 4 of 5 can't be delivered, 48 events wait, 3 events were given up: \
             ops (connection refused), pager (ended with code 1), old, …"
        );
    }

    #[test]
    fn however_many_fail_and_whatever_they_say_it_is_one_short_line() {
        let why = "long\n".repeat(1000);
        let alerts: Vec<AlertStatus> = (0..32)
            .map(|number| alert(&format!("{}{number}", "n".repeat(60)), 1000, 1, Some(&why)))
            .collect();
        let told = note(&alerts).unwrap();
        assert!(told.chars().count() < 600 && !told.contains('\n'), "{told}");
    }
}
