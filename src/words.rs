//! Figures as people say them: `0.42 s`, `2m 10s`, `99.7 %`, `Mon 08:00`; and the sentences that terminals and
//! pages share.

pub(crate) mod event;
pub(crate) mod heartbeat;
pub(crate) mod model;

use crate::quote;
use chrono::{DateTime, FixedOffset, TimeDelta, Timelike, Utc};

/// What the clocks read that a time is told by.
pub(crate) type Clocks<'a> = &'a dyn Fn(DateTime<Utc>) -> DateTime<FixedOffset>;

/// A measured time, to three digits: `4 ms`, `0.42 s`, `14.2 s`, `2m 10s`.
pub(crate) fn measured(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "?".to_owned(),
        s if s <= 0.0 => "0 s".to_owned(),
        s if s < 0.000_95 => format!("{:.0} µs", s * 1e6),
        s if s < 0.0095 => format!("{:.1} ms", s * 1e3),
        s if s < 0.0995 => format!("{:.0} ms", s * 1e3),
        s if s < 9.995 => format!("{s:.2} s"),
        s if s < 99.95 => format!("{s:.1} s"),
        s => span(s),
    }
}

/// A length in whole units, the two largest: `12 s`, `2m 10s`, `3h 05m`, `4d 2h`.
pub(crate) fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".to_owned();
    }
    let seconds = seconds.max(0.0).round() as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: char, small: u64, smaller: char, digits: usize| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit} {small:0digits$}{smaller}"),
    };
    match seconds {
        0..100 => format!("{seconds} s"),
        100..3_600 => two(minutes, 'm', seconds % 60, 's', 2),
        3_600..172_800 => two(seconds / 3_600, 'h', minutes, 'm', 2),
        _ => two(days, 'd', hours, 'h', 1),
    }
}

/// The time between two instants, in seconds; none is negative.
pub(crate) fn between(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).max(TimeDelta::zero()).as_seconds_f64()
}

/// A share. Rounded down, so that 100 % is said of nothing less; of nothing there is no share.
pub(crate) fn share(part: f64, whole: f64) -> Option<String> {
    if whole <= 0.0 {
        return None;
    }
    // A part that is whole but for the last bits of its sum is whole.
    let percent = if whole - part < 1e-6 { 100.0 } else { (part / whole * 1000.0).floor() / 10.0 };
    Some(if percent >= 100.0 { "100 %".to_owned() } else { format!("{percent:.1} %") })
}

/// `1 boot`, `2 boots`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A time as one says it at `now`: `08:00` today, `Mon 08:00` within six days, else with its date.
pub(crate) fn clock(t: DateTime<FixedOffset>, now: DateTime<FixedOffset>) -> String {
    let days = (t.date_naive() - now.date_naive()).num_days();
    let format = match days {
        0 => "%H:%M",
        -6..=6 => "%a %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    t.format(format).to_string()
}

/// The same with its seconds, where they are not zero.
pub(crate) fn clock_to_the_second(t: DateTime<FixedOffset>, now: DateTime<FixedOffset>) -> String {
    let text = clock(t, now);
    if t.second() == 0 { text } else { format!("{text}:{:02}", t.second()) }
}

/// What came from elsewhere, fit for a terminal: one line, in which nothing is hidden.
pub(crate) fn tame(text: &str) -> String {
    quote::start(text, usize::MAX)
}

/// Lines of at most `width` characters, broken between words; a word longer than a line is broken
/// too.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in words(&tame(text)) {
        let mut word: Vec<char> = word.chars().collect();
        if used > 0 && used + 1 + word.len() > width {
            lines.push(String::new());
            used = 0;
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.extend([word.into_iter().collect(), String::new()]);
            word = rest;
        }
        let Some(line) = lines.last_mut() else { break };
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        used += word.len();
        line.extend(word);
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// What a line is broken between: a figure stays with its unit.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let unit =
            matches!(word.trim_end_matches([',', ';', ')', ':', '.']), "%" | "s" | "ms" | "µs" | "min" | "h");
        match words.last_mut() {
            Some(figure) if unit && figure.ends_with(|c: char| c.is_ascii_digit()) => {
                figure.push(' ');
                figure.push_str(word);
            }
            Some(_) | None => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_times() {
        let said: Vec<String> =
            [0.0, 0.000_2, 0.004_21, 0.042, 0.0996, 0.42, 9.994, 9.996, 14.23, 99.96, 130.0, f64::NAN]
                .map(measured)
                .into();
        assert_eq!(
            said,
            [
                "0 s", "200 µs", "4.2 ms", "42 ms", "0.10 s", "0.42 s", "9.99 s", "10.0 s", "14.2 s",
                "1m 40s", "2m 10s", "?"
            ]
        );
    }

    #[test]
    fn spans() {
        let said: Vec<String> =
            [-3.0, 0.4, 12.0, 99.4, 99.6, 120.0, 130.0, 3_599.0, 11_100.0, 86_400.0, 352_800.0, 604_800.0]
                .map(span)
                .into();
        assert_eq!(
            said,
            [
                "0 s", "0 s", "12 s", "99 s", "1m 40s", "2m", "2m 10s", "59m 59s", "3h 05m", "24h", "4d 2h",
                "7d"
            ]
        );
    }

    #[test]
    fn a_hundred_percent_is_said_of_nothing_less() {
        assert_eq!(share(28_799.9, 28_800.0).as_deref(), Some("99.9 %"));
        assert_eq!(share(28_800.0, 28_800.0).as_deref(), Some("100 %"));
        assert_eq!(share(0.1 + 0.2, 0.3).as_deref(), Some("100 %"));
        assert_eq!(share(0.0, 10.0).as_deref(), Some("0.0 %"));
        assert_eq!(share(0.0, 0.0), None);
    }

    #[test]
    fn clocks_name_the_day_where_it_is_another() {
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap();
        let now = at("2026-11-20T19:35:00+01:00");
        assert_eq!(clock(at("2026-11-20T23:59:59+01:00"), now), "23:59");
        assert_eq!(clock(at("2026-11-21T08:00:00+01:00"), now), "Sat 08:00");
        assert_eq!(clock(at("2026-11-27T08:00:00+01:00"), now), "2026-11-27 08:00");
        assert_eq!(clock(at("2026-11-19T08:00:00+01:00"), now), "Thu 08:00");
        assert_eq!(clock_to_the_second(at("2026-11-20T19:35:20+01:00"), now), "19:35:20");
        assert_eq!(clock_to_the_second(at("2026-11-21T08:00:00+01:00"), now), "Sat 08:00");
    }

    #[test]
    fn lines_fit_and_hold_no_control_characters() {
        assert_eq!(
            wrap("the last 3 brought\nno \u{1b}[31manswer", 16),
            ["the last 3", "brought no", "\\u{1b}[31manswer"]
        );
        assert_eq!(wrap("a abcdefghij b", 4), ["a", "abcd", "efgh", "ij b"]);
        assert_eq!(wrap("  ", 4), Vec::<String>::new());
        assert_eq!(wrap("idle for 12 s, 99.7 % warm", 12), ["idle for", "12 s, 99.7 %", "warm"]);
    }
}
