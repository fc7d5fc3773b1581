//! The active hours of the coming week, a line a day, and where the clocks are changed.

use super::axis::place;
use crate::hours::ActiveHours;
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use maud::{Markup, html};

/// The paper.
const WIDTH: f64 = 440.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 422.0;
const LINE: f64 = 24.0;
const DAYS: u64 = 7;
/// Seconds of a day of civil time.
const DAY: f64 = 86_400.0;

/// A day of civil time.
struct Day {
    date: NaiveDate,
    /// What is open, as shares of the civil day, and how that is said.
    open: Vec<(f64, f64, String)>,
    change: Option<Change>,
}

/// The clocks are changed.
struct Change {
    /// What they read before, as a share of the civil day.
    at: f64,
    told: String,
}

/// The picture.
pub(super) fn draw(hours: &ActiveHours, at: DateTime<Utc>) -> Markup {
    let today = hours.zone().local(at).date_naive();
    let days: Vec<Day> =
        (0..DAYS).filter_map(|n| day(hours, today.checked_add_days(Days::new(n))?)).collect();
    let height = LINE * days.len() as f64 + 22.0;
    let along = |share: f64| LEFT + (RIGHT - LEFT) * share;
    let now = share_of(hours.zone().local(at).time());
    html! {
        svg.plot.week viewBox={ "0 0 " (WIDTH) " " (height) } role="img" tabindex="0" aria-label=(about(&days)) {
            @for hour in [0_u32, 6, 12, 18, 24] {
                @let x = place(along(f64::from(hour) / 24.0));
                line.grid x1=(x) x2=(x) y1="2" y2=(height - 20.0) {}
                text.foot x=(x) y=(height - 5.0) { (format!("{hour:02}:00")) }
            }
            @for (n, day) in days.iter().enumerate() {
                @let top = LINE * n as f64;
                text.side.today[n == 0] x=(LEFT - 8.0) y=(place(top + LINE / 2.0 + 4.0)) {
                    (day.date.format("%a %-d %b"))
                }
                rect.shut x=(LEFT) y=(place(top + 6.0)) width=(RIGHT - LEFT) height=(LINE - 10.0) {}
                @for (from, to, told) in &day.open {
                    g.run {
                        title { (day.date.format("%a %-d %b")) " " (told) }
                        rect.opens x=(place(along(*from))) y=(place(top + 6.0))
                            width=(place(along(*to) - along(*from))) height=(LINE - 10.0) {}
                    }
                }
                @if let Some(change) = &day.change {
                    g.run.change {
                        title { (day.date.format("%a %-d %b")) ": " (change.told) }
                        line x1=(place(along(change.at))) x2=(place(along(change.at)))
                            y1=(place(top + 2.0)) y2=(place(top + LINE)) {}
                        text x=(place(along(change.at) + 4.0)) y=(place(top + LINE / 2.0 + 4.5)) { "DST" }
                        rect.hit x=(place(along(change.at) - 6.0)) y=(place(top)) width="40" height=(LINE) {}
                    }
                }
            }
            line.now x1=(place(along(now))) x2=(place(along(now))) y1="2" y2=(LINE) {}
        }
        @for change in days.iter().filter_map(|day| Some((day.date, day.change.as_ref()?))) {
            p.quiet { (change.0.format("%A, %-d %B")) ": " (change.1.told) "." }
        }
    }
}

fn day(hours: &ActiveHours, date: NaiveDate) -> Option<Day> {
    let zone = hours.zone();
    let midnight = |date: NaiveDate| zone.instants(date.and_time(NaiveTime::MIN)).start();
    let (begin, end) = (midnight(date), midnight(date.succ_opt()?));
    let share = |t: DateTime<Utc>| if t >= end { 1.0 } else { share_of(zone.local(t).time()) };
    let clock = |t: DateTime<Utc>| {
        if t >= end { "24:00".to_owned() } else { zone.local(t).format("%H:%M").to_string() }
    };
    let open = hours.pieces(begin, end).into_iter().map(|(from, to)| {
        let told = format!("{}–{}", clock(from), clock(to));
        // In an hour that is had twice an end may read less than its beginning.
        (share(from).min(share(to)), share(to).max(share(from)), told)
    });
    let open = open.collect();
    Some(Day { date, open, change: change(hours, date, begin, end) })
}

/// The change of the clocks within a day, if there is one: two of one day are not to be had. One at midnight
/// belongs to the day that it cuts: where clocks go forward that begins later, where they go back it lasts longer.
fn change(hours: &ActiveHours, date: NaiveDate, begin: DateTime<Utc>, end: DateTime<Utc>) -> Option<Change> {
    let zone = hours.zone();
    let (mut old, mut new) = (begin.timestamp() - 1, end.timestamp() - 1);
    let offset_at = |t: i64| Some(zone.offset_at(DateTime::from_timestamp(t, 0)?));
    let (before, after) = (offset_at(old)?, offset_at(new)?);
    if before == after {
        return None;
    }
    while new - old > 1 {
        let middle = old + (new - old) / 2;
        if offset_at(middle)? == before { old = middle } else { new = middle }
    }
    let at = DateTime::from_timestamp(new, 0)?;
    let (from, to) = (at.with_timezone(&before).naive_local(), at.with_timezone(&after).naive_local());
    let way = if to > from { "forward" } else { "back" };
    let clock = |t: NaiveDateTime| {
        if t.date() > date { "24:00".to_owned() } else { t.format("%H:%M").to_string() }
    };
    let told = format!("clocks go {way} from {} to {}", clock(from), clock(to));
    let share = (from - date.and_time(NaiveTime::MIN)).as_seconds_f64() / DAY;
    Some(Change { at: share.clamp(0.0, 1.0), told })
}

fn share_of(time: NaiveTime) -> f64 {
    f64::from(time.num_seconds_from_midnight()) / DAY
}

/// All of it in words.
fn about(days: &[Day]) -> String {
    let said = days.iter().map(|day| {
        let open: Vec<&str> = day.open.iter().map(|(.., told)| told.as_str()).collect();
        let open = if open.is_empty() { "closed".to_owned() } else { open.join(", ") };
        let change = day.change.as_ref().map(|change| format!(" ({})", change.told)).unwrap_or_default();
        format!("{} {open}{change}", day.date.format("%A"))
    });
    said.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hours::{Part, grammar::Open, zone::Zones};

    fn week(zone: &str, windows: &[&str], at: &str) -> String {
        let zone = Zones::built_in().get(zone).unwrap();
        let open = windows.iter().map(|window| window.parse::<Open>().unwrap()).collect();
        let part = Part { zone: zone.clone(), open, closed: Vec::new() };
        draw(&ActiveHours::new(zone, vec![part], Vec::new()), at.parse().unwrap()).into_string()
    }

    #[test]
    fn days_are_civil_and_changes_of_the_clocks_are_told() {
        let drawn =
            week("Europe/Berlin", &["Mon-Fri 08:00-20:00", "Sun 01:00-04:00"], "2026-10-23T23:30:00Z");
        let all = "Saturday closed; Sunday 01:00–04:00 (clocks go back from 03:00 to 02:00); \
                   Monday 08:00–20:00; Tuesday 08:00–20:00; Wednesday 08:00–20:00; Thursday 08:00–20:00; \
                   Friday 08:00–20:00";
        assert!(drawn.contains(&format!("aria-label=\"{all}\"")), "{drawn}");
        assert!(drawn.contains("Sunday, 25 October: clocks go back from 03:00 to 02:00."), "{drawn}");
        // From a twenty-fourth to four: an eighth of the paper, whatever the clocks do meanwhile.
        assert!(
            drawn.contains(r#"<rect class="opens" x="98.1" y="30" width="42.2" height="14">"#),
            "{drawn}"
        );
        let drawn = week("Europe/Berlin", &["always"], "2026-03-28T12:00:00Z");
        assert!(drawn.contains("Sunday 00:00–24:00 (clocks go forward from 02:00 to 03:00)"), "{drawn}");
        // At midnight: forward, so that Sunday begins at 01:00; back, so that Saturday's last hour is had twice.
        let drawn = week("Atlantic/Azores", &["always"], "2027-03-25T12:00:00Z");
        assert!(drawn.contains("Sunday, 28 March: clocks go forward from 00:00 to 01:00."), "{drawn}");
        assert_eq!(drawn.matches("clocks go").count(), 3, "{drawn}");
        let drawn = week("America/Santiago", &["always"], "2027-04-01T12:00:00Z");
        assert!(drawn.contains("Saturday, 3 April: clocks go back from 24:00 to 23:00."), "{drawn}");
        assert_eq!(drawn.matches("clocks go").count(), 3, "{drawn}");
        let drawn = week("UTC", &["22:00-06:00"], "2026-03-28T12:00:00Z");
        assert!(drawn.contains("Saturday 00:00–06:00, 22:00–24:00; Sunday"), "{drawn}");
        assert!(!drawn.contains("clocks"), "{drawn}");
    }
}
