//! A week of civil time: windows that come again every week, and where they fall in a zone.
//!
//! Windows are joined as civil time, before any zone is known. That is exact: a start never comes
//! after an end of the same civil time (in a gap both are the first instant after it; in a fold
//! the start is the earlier and the end the later), and both only grow with civil time. So a week
//! without a hole is always open, in every zone and through every change.

use super::grammar::Open;
use super::span::{DAY, Seconds, Span, join};
use super::zone::Zone;

/// Seconds in a week.
const WEEK: Seconds = 7 * DAY;

/// 1970-01-01 was a Thursday: civil seconds are shifted by this to begin on a Monday.
const MONDAY: Seconds = 3 * DAY;

/// The windows of every week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Week {
    /// No hole.
    Always,
    /// Civil windows `[start, end)` in seconds from Monday 00:00: starts lie in the week, sorted;
    /// no two windows touch, not around the week's end either. None: never.
    Windows(Vec<(Seconds, Seconds)>),
}

impl Week {
    /// Joins the windows of these entries.
    pub(super) fn new(entries: impl IntoIterator<Item = Open>) -> Self {
        let mut windows = Vec::new();
        for entry in entries {
            let times = match entry {
                Open::Always => return Self::Always,
                Open::Times(times) => times,
            };
            windows.extend(times.days.iter().map(|day| {
                let at = |minute: u16| Seconds::from(day) * DAY + Seconds::from(minute) * 60;
                (at(times.start), at(times.end))
            }));
        }
        let mut windows = join(windows);
        // A window that runs past Sunday night swallows those of Monday that it reaches.
        while let (Some(&first), Some(&(start, end))) = (windows.first(), windows.last()) {
            if first.0 + WEEK > end {
                break;
            }
            if windows.len() == 1 {
                return Self::Always;
            }
            windows.pop();
            windows.push((start, end.max(first.1 + WEEK)));
            windows.remove(0);
        }
        Self::Windows(windows)
    }

    /// The span around `t`.
    pub(super) fn span(&self, zone: &Zone, t: Seconds) -> Span {
        let windows = match self {
            Self::Always => return Span::endless(true),
            Self::Windows(windows) if windows.is_empty() => return Span::endless(false),
            Self::Windows(windows) => windows,
        };
        let start = |turn: Turn| zone.instants_of(turn.monday + windows[turn.window].0).start();
        let end = |turn: Turn| zone.instants_of(turn.monday + windows[turn.window].1).end();

        // The last window to start at or before t by civil time, which a fold or a gap between the
        // two may put some windows off.
        let clock = t + zone.offset_of(t) + MONDAY;
        let (monday, second) = (clock - clock.rem_euclid(WEEK) - MONDAY, clock.rem_euclid(WEEK));
        let begun = windows.partition_point(|(start, _)| *start <= second);
        let mut last = Turn { monday, window: begun }.before(windows.len());
        let mut next = last.after(windows.len());
        while start(last) > t {
            (next, last) = (last, last.before(windows.len()));
        }
        while start(next) <= t {
            (last, next) = (next, next.after(windows.len()));
        }

        let ended = end(last);
        if t < ended {
            Span { open: true, since: start(last), until: ended }
        } else {
            Span { open: false, since: ended, until: start(next) }
        }
    }
}

/// One of the windows, in a certain week.
#[derive(Debug, Clone, Copy)]
struct Turn {
    /// The civil second of that week's Monday 00:00.
    monday: Seconds,
    /// Its place among the windows.
    window: usize,
}

impl Turn {
    fn before(self, windows: usize) -> Self {
        match self.window.checked_sub(1) {
            Some(window) => Self { window, ..self },
            None => Self { monday: self.monday - WEEK, window: windows - 1 },
        }
    }

    fn after(self, windows: usize) -> Self {
        match self.window + 1 {
            window if window < windows => Self { window, ..self },
            _ => Self { monday: self.monday + WEEK, window: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(entries: &[&str]) -> Week {
        Week::new(entries.iter().map(|e| e.parse().unwrap()))
    }

    const HOUR: Seconds = 3600;

    #[test]
    fn a_week_without_a_hole_is_always() {
        for entries in [
            &["always"][..],
            &["00:00-24:00"],
            &["daily 08:00-08:00"],
            &["Mon-Fri 00:00-24:00", "weekends 00:00-12:00", "Sat,Sun 12:00-00:00"],
            &["Mon 08:00-08:00", "Tue-Sun 08:00-08:00"],
            &["20:00-08:00", "07:00-21:00"],
        ] {
            assert_eq!(week(entries), Week::Always, "{entries:?}");
        }
    }

    #[test]
    fn a_hole_of_a_minute_is_a_hole() {
        assert_eq!(week(&["Mon-Sat 00:00-24:00", "Sun 00:00-23:59"]), Week::Windows(vec![(0, WEEK - 60)]));
    }

    #[test]
    fn windows_join_around_the_end_of_the_week() {
        assert_eq!(
            week(&["Sun 20:00-06:00", "Mon 05:00-09:00", "Wed 10:00-11:00"]),
            Week::Windows(vec![
                (2 * DAY + 10 * HOUR, 2 * DAY + 11 * HOUR),
                (6 * DAY + 20 * HOUR, 7 * DAY + 9 * HOUR),
            ])
        );
    }

    #[test]
    fn nothing_is_never() {
        assert_eq!(week(&[]), Week::Windows(Vec::new()));
    }
}
