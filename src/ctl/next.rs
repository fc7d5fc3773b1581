//! `warmctl next`: the coming windows, as JSON and for people.
//!
//! Owns the shape and the words alone; [`crate::hours`] knows the windows.

use super::words;
use crate::hours::{ActiveHours, Window};
use chrono::{DateTime, FixedOffset, SubsecRound as _, TimeDelta, Timelike as _, Utc};
use serde::Serialize;
use std::fmt::{self, Display, Formatter};

/// The version of the shape below.
pub const VERSION: u32 = 1;

/// What `warmctl next --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextReport {
    /// [`VERSION`].
    pub version: u32,
    /// From when on.
    pub from: DateTime<Utc>,
    /// Windows that open before this are told.
    pub until: DateTime<Utc>,
    /// A model each, in the order given.
    pub models: Vec<NextModel>,
}

/// The coming windows of one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextModel {
    /// Its name in `warm.toml`.
    pub name: String,
    /// The zone that the local times are told in.
    pub timezone: String,
    /// Each window open at `from`, and each that opens before `until`.
    pub windows: Vec<NextWindow>,
    /// Where there is no window: when the first one opens after all, for people.
    #[serde(skip)]
    pub beyond: Option<DateTime<FixedOffset>>,
}

/// A window; an end is none where there is no edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NextWindow {
    /// When it opens.
    pub opens_at: Option<DateTime<Utc>>,
    /// When it closes.
    pub closes_at: Option<DateTime<Utc>>,
    /// When it opens, on the clocks of the model's zone.
    pub opens_local: Option<DateTime<FixedOffset>>,
    /// When it closes, on the same clocks.
    pub closes_local: Option<DateTime<FixedOffset>>,
}

/// The windows of these models that are open at `from` or open within `days` × 24 h of it.
pub fn report(models: &[(&str, &ActiveHours)], from: DateTime<Utc>, days: u32) -> NextReport {
    let from = from.trunc_subsecs(3);
    let until = from.checked_add_signed(TimeDelta::days(days.into())).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let model = |&(name, hours): &(&str, &ActiveHours)| {
        let windows: Vec<NextWindow> =
            hours.windows(from, until).into_iter().map(|window| NextWindow::new(hours, window)).collect();
        let beyond = if windows.is_empty() { hours.at(from).until } else { None };
        NextModel {
            name: name.to_owned(),
            timezone: hours.zone().name().to_owned(),
            windows,
            beyond: beyond.map(|t| hours.zone().local(t)),
        }
    };
    NextReport { version: VERSION, from, until, models: models.iter().map(model).collect() }
}

impl NextWindow {
    fn new(hours: &ActiveHours, window: Window) -> Self {
        let local = |t: Option<DateTime<Utc>>| t.map(|t| hours.zone().local(t));
        Self {
            opens_at: window.opens,
            closes_at: window.closes,
            opens_local: local(window.opens),
            closes_local: local(window.closes),
        }
    }
}

impl NextReport {
    /// A block a model: its name and zone, and a line a window; lines longer than `room` are broken.
    pub fn text(&self, room: usize) -> String {
        let mut text = String::new();
        for (n, model) in self.models.iter().enumerate() {
            text.push_str(if n > 0 { "\n" } else { "" });
            told(&mut text, room, "", &format!("{}  ({})", model.name, model.timezone));
            match model.beyond {
                Some(opens) => {
                    let (until, local, utc) =
                        (Reading::utc(self.until), Reading::local(opens), Reading::utc(opens));
                    let words = format!("nothing opens before {until}; next {local}, {utc}");
                    told(&mut text, room, "  ", &words);
                }
                None if model.windows.is_empty() => text.push_str("  never opens\n"),
                None => {}
            }
            let lines: Vec<Line> = model.windows.iter().map(|window| window.line(self.from)).collect();
            let width = lines.iter().map(|line| line.local.chars().count()).max().unwrap_or(0);
            let rest = lines.iter().map(|line| line.rest.chars().count()).max().unwrap_or(0);
            let beside = width.saturating_add(rest + 5) <= room;
            for Line { local, rest } in lines {
                if beside {
                    told(&mut text, room, "  ", format!("{local:width$}   {rest}").trim_end());
                } else {
                    told(&mut text, room, "  ", &local);
                    told(&mut text, room, "    ", &rest);
                }
            }
        }
        text
    }
}

/// Adds a line, unless it is empty; where there is no room for it, several, the others further in.
fn told(text: &mut String, room: usize, indent: &str, line: &str) {
    if line.is_empty() {
        return;
    }
    if indent.len() + line.chars().count() <= room {
        text.extend([indent, line, "\n"]);
        return;
    }
    for (n, part) in words::wrap(line, room - indent.len() - 2).iter().enumerate() {
        text.extend([indent, if n > 0 { "  " } else { "" }, part.trim(), "\n"]);
    }
}

/// A window for people: by local clocks, in a column, and in UTC.
struct Line {
    local: String,
    rest: String,
}

impl NextWindow {
    fn line(&self, from: DateTime<Utc>) -> Line {
        let (local, rest) = match (self.opens_local, self.closes_local) {
            (None, None) => ("always open".to_owned(), String::new()),
            (None, Some(closes)) => {
                (format!("open until {}", Reading::local(closes)), Reading::utc(closes).to_string())
            }
            (Some(opens), None) => {
                (format!("opens {}, for good", Reading::local(opens)), Reading::utc(opens).to_string())
            }
            (Some(opens), Some(closes)) => {
                let utc = Reading::utc(opens).to(&Reading::utc(closes));
                let now = if opens <= from { "   open now" } else { "" };
                let rest = format!("{utc}   {}{now}", Length(closes - opens));
                (Reading::local(opens).to(&Reading::local(closes)), rest)
            }
        };
        Line { local, rest }
    }
}

/// What a clock and a calendar read: `Mon 2026-11-23`, `08:00 +01:00`; in UTC `2026-11-23`,
/// `07:00Z`. Seconds where there are any.
struct Reading {
    day: String,
    clock: String,
}

impl Reading {
    fn local(t: DateTime<FixedOffset>) -> Self {
        let clock = if t.second() == 0 { "%R %:z" } else { "%T %:z" };
        Self { day: t.format("%a %F").to_string(), clock: t.format(clock).to_string() }
    }

    fn utc(t: impl Into<DateTime<Utc>>) -> Self {
        let t: DateTime<Utc> = t.into();
        let clock = if t.second() == 0 { "%RZ" } else { "%TZ" };
        Self { day: t.format("%F").to_string(), clock: t.format(clock).to_string() }
    }

    /// From here to there; the day is told again only where it is another one.
    fn to(&self, end: &Self) -> String {
        if self.day == end.day { format!("{self} → {}", end.clock) } else { format!("{self} → {end}") }
    }
}

impl Display for Reading {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.day, self.clock)
    }
}

/// `12h`, `7h30m`, `3d 2h`.
struct Length(TimeDelta);

impl Display for Length {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let minutes = self.0.num_minutes();
        let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        if days > 0 {
            write!(f, "{days}d")?;
        }
        if days > 0 && (hours, minutes) != (0, 0) {
            write!(f, " ")?;
        }
        if hours > 0 || days == 0 && minutes == 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 { write!(f, "{minutes}m") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hours::Part;
    use crate::hours::zone::Zones;

    fn hours(zone: &str, open: &[&str], closed: &[&str]) -> ActiveHours {
        let zone = Zones::built_in().get(zone).unwrap();
        let open = open.iter().map(|e| e.parse().unwrap()).collect();
        let part = Part { zone: zone.clone(), open, closed: Vec::new() };
        ActiveHours::new(zone, vec![part], closed.iter().map(|e| e.parse().unwrap()).collect())
    }

    fn t(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_json_is_the_contract_s() {
        let office = hours("Europe/Berlin", &["Mon-Fri 08:00-20:00"], &[]);
        let always = hours("UTC", &["always"], &[]);
        let report = report(&[("llama", &office), ("sdxl", &always)], t("2026-11-23T12:00:00Z"), 1);
        assert_eq!(
            serde_json::to_value(&report).unwrap(),
            serde_json::json!({
                "version": 1, "from": "2026-11-23T12:00:00Z", "until": "2026-11-24T12:00:00Z",
                "models": [
                    {"name": "llama", "timezone": "Europe/Berlin", "windows": [
                        {"opens_at": "2026-11-23T07:00:00Z", "closes_at": "2026-11-23T19:00:00Z",
                         "opens_local": "2026-11-23T08:00:00+01:00", "closes_local": "2026-11-23T20:00:00+01:00"},
                        {"opens_at": "2026-11-24T07:00:00Z", "closes_at": "2026-11-24T19:00:00Z",
                         "opens_local": "2026-11-24T08:00:00+01:00", "closes_local": "2026-11-24T20:00:00+01:00"},
                    ]},
                    {"name": "sdxl", "timezone": "UTC", "windows": [
                        {"opens_at": null, "closes_at": null, "opens_local": null, "closes_local": null},
                    ]},
                ],
            })
        );
    }

    #[test]
    fn the_text_says_in_words_what_has_no_edges() {
        let models = [
            ("office", hours("Europe/Berlin", &["Mon-Fri 08:00-20:30"], &[])),
            ("night", hours("Europe/Berlin", &["Sun 22:00-14:00", "Tue 00:30-01:30"], &[])),
            ("always", hours("UTC", &["daily 00:00-24:00"], &[])),
            ("never", hours("UTC", &["12:00-13:00"], &["11:00-14:00"])),
            ("later", hours("Asia/Kathmandu", &["always"], &["2000-01-01..2026-12-31"])),
            ("ends", hours("UTC", &["always"], &["2026-11-25..9999-12-31"])),
        ];
        let models: Vec<(&str, &ActiveHours)> = models.iter().map(|(name, hours)| (*name, hours)).collect();
        let text = report(&models, t("2026-11-23T12:00:00.5Z"), 2).text(usize::MAX);
        assert_eq!(
            text,
            "office  (Europe/Berlin)
  Mon 2026-11-23 08:00 +01:00 → 20:30 +01:00   2026-11-23 07:00Z → 19:30Z   12h30m   open now
  Tue 2026-11-24 08:00 +01:00 → 20:30 +01:00   2026-11-24 07:00Z → 19:30Z   12h30m
  Wed 2026-11-25 08:00 +01:00 → 20:30 +01:00   2026-11-25 07:00Z → 19:30Z   12h30m

night  (Europe/Berlin)
  Sun 2026-11-22 22:00 +01:00 → Mon 2026-11-23 14:00 +01:00   2026-11-22 21:00Z → 2026-11-23 13:00Z   16h   open now
  Tue 2026-11-24 00:30 +01:00 → 01:30 +01:00                  2026-11-23 23:30Z → 2026-11-24 00:30Z   1h

always  (UTC)
  always open

never  (UTC)
  never opens

later  (Asia/Kathmandu)
  nothing opens before 2026-11-25 12:00Z; next Fri 2027-01-01 00:00 +05:45, 2026-12-31 18:15Z

ends  (UTC)
  open until Wed 2026-11-25 00:00 +00:00   2026-11-25 00:00Z
"
        );
    }

    #[test]
    fn lengths_read_as_people_say_them() {
        let length = |minutes| Length(TimeDelta::minutes(minutes)).to_string();
        assert_eq!(
            [0, 45, 60, 90, 1440, 1500, 1441].map(length),
            ["0h", "45m", "1h", "1h30m", "1d", "1d 1h", "1d 1m"]
        );
    }

    #[test]
    fn no_span_is_too_long() {
        let ends = hours("UTC", &["always"], &["2026-11-25"]);
        assert_eq!(
            report(&[("ends", &ends)], t("2026-11-23T12:00:00Z"), u32::MAX).models[0].windows.len(),
            2
        );
    }
}
