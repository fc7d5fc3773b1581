//! Active hours against an independent oracle: Python's zoneinfo on the same `TZif` files, asked
//! minute by minute (`hours_oracle.py`). Needs `python3` of 3.9 or newer and the system's tzdata.

#![expect(clippy::unwrap_used, reason = "in a test, what is wrong ends it")]

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::process::{Command, Stdio};
use warmd::hours::zone::{Zone, Zones};
use warmd::hours::{ActiveHours, Part};

/// Zones with something of their own: shifts of 30 minutes and of two hours, Ramadan, negative
/// DST, gaps and folds at or over midnight, skipped days, offsets of 45 minutes.
const ZONES: [&str; 20] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Europe/Dublin",
    "America/St_Johns",
    "America/Havana",
    "America/Asuncion",
    "America/Nuuk",
    "America/Santiago",
    "Antarctica/Troll",
    "Africa/Cairo",
    "Asia/Gaza",
    "Asia/Tehran",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
    "UTC",
];

/// Changes that must be among those looked at: skipped days, midnights that are skipped or come
/// twice, 15 and 30 minutes.
const NOTABLE: [(&str, &str); 12] = [
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    ("America/St_Johns", "2010-11-07T02:31:00Z"),
    ("America/St_Johns", "2011-03-13T03:31:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
];

/// The years in which clocks are looked at: before, some offsets have seconds; those after 2037
/// come from the rule at the end of a zone's file.
const FIRST: &str = "1975-01-01T00:00:00Z";
const LAST: &str = "2100-01-01T00:00:00Z";

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

#[derive(Serialize)]
struct Asked {
    folder: String,
    stretches: Vec<Stretch>,
}

/// A stretch of time, and cases within it; Python asks its clocks once for all of them.
#[derive(Serialize)]
struct Stretch {
    base: i64,
    minutes: i64,
    zones: Vec<&'static str>,
    cases: Vec<Case>,
}

#[derive(Debug, Serialize)]
struct Case {
    zone: &'static str,
    parts: Vec<Entries>,
    closed: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Entries {
    zone: &'static str,
    open: Vec<String>,
    closed: Vec<String>,
}

#[derive(Deserialize)]
struct Answers {
    version: String,
    answers: Vec<Vec<Truth>>,
}

/// Every edge between `low` and `high`, in seconds.
#[derive(Debug, Deserialize)]
struct Truth {
    low: i64,
    high: i64,
    open_at_low: bool,
    edges: Vec<i64>,
}

#[test]
fn agrees_with_zoneinfo_minute_by_minute() {
    let zones = Zones::system();
    let folder = zones.folder().expect("the system has no zones: install tzdata").to_owned();
    let mut dice = Dice(0x5eed_2026);
    let mut stretches = Vec::new();
    for (zone, change) in NOTABLE {
        stretches.push(stretch(&mut dice, zone, seconds(change), 16, 30));
    }
    for (n, zone) in ZONES.into_iter().enumerate() {
        // The first seven are looked at harder.
        let (near, far) = if n < 7 { (10, 3) } else { (5, 2) };
        let changes = changes(&zones.get(zone).unwrap());
        for _ in 0..near.min(changes.len()) {
            let change = dice.pick(&changes);
            stretches.push(stretch(&mut dice, zone, change, 16, 16));
        }
        for _ in 0..far {
            let anywhere = dice.between(seconds(FIRST), seconds(LAST));
            stretches.push(stretch(&mut dice, zone, anywhere, 16, 10));
        }
        if n < 7 {
            let anywhere = dice.between(seconds(FIRST), seconds(LAST));
            stretches.push(stretch(&mut dice, zone, anywhere, 150, 10));
        }
    }

    let asked = Asked { folder: folder.display().to_string(), stretches };
    let told = ask_python(&asked);
    let (mut cases, mut edges) = (0, 0);
    assert_eq!(told.answers.len(), asked.stretches.len());
    for (stretch, truths) in asked.stretches.iter().zip(&told.answers) {
        assert_eq!(truths.len(), stretch.cases.len());
        for (case, truth) in stretch.cases.iter().zip(truths) {
            compare(&zones, case, truth, &mut dice);
            cases += 1;
            edges += truth.edges.len();
        }
    }
    println!("{cases} cases with {edges} edges agree with python {} on {}", told.version, zones.describe());
    assert!(cases > 2000 && edges > 10_000, "only {cases} cases with {edges} edges");
}

fn compare(zones: &Zones, case: &Case, truth: &Truth, dice: &mut Dice) {
    let hours = case.hours(zones);
    let context = || format!("{case:#?}\n{truth:?}");

    // At every edge, just before it, and anywhere: the state, and the edges around.
    let mut instants: Vec<i64> = truth.edges.iter().flat_map(|e| [e - 1, *e]).collect();
    instants.extend((0..20).map(|_| dice.between(truth.low, truth.high)));
    for t in instants.into_iter().filter(|t| (truth.low..truth.high).contains(t)) {
        let half_a_second_in = utc(t) + TimeDelta::milliseconds(500);
        let found = hours.at(half_a_second_in);
        assert_eq!(found.open, truth.open(t), "open at {}? {}", utc(t), context());
        match truth.edges.iter().rev().find(|e| **e <= t) {
            Some(e) => assert_eq!(found.since, Some(utc(*e)), "since, at {}: {}", utc(t), context()),
            None => {
                assert!(found.since.is_none_or(|s| s <= utc(truth.low)), "{found:?} at {t}: {}", context());
            }
        }
        match truth.edges.iter().find(|e| **e > t) {
            Some(e) => assert_eq!(found.until, Some(utc(*e)), "until, at {}: {}", utc(t), context()),
            None => {
                assert!(found.until.is_none_or(|u| u >= utc(truth.high)), "{found:?} at {t}: {}", context());
            }
        }
    }

    for _ in 0..5 {
        let (a, b) = (dice.between(truth.low, truth.high), dice.between(truth.low, truth.high));
        let (from, until) = (a.min(b), a.max(b));
        let expected = truth.windows(from, until);
        let found: Vec<_> = hours.windows(utc(from), utc(until));
        assert_eq!(found.len(), expected.len(), "windows {} to {}: {}", utc(from), utc(until), context());
        for (found, (opens, closes)) in found.iter().zip(&expected) {
            match opens {
                Some(e) => assert_eq!(found.opens, Some(utc(*e)), "{}", context()),
                None => assert!(found.opens.is_none_or(|t| t <= utc(truth.low)), "{}", context()),
            }
            match closes {
                Some(e) => assert_eq!(found.closes, Some(utc(*e)), "{}", context()),
                None => assert!(found.closes.is_none_or(|t| t >= utc(truth.high)), "{}", context()),
            }
        }

        let clipped: Vec<_> = expected
            .iter()
            .map(|(opens, closes)| (opens.unwrap_or(from).max(from), closes.unwrap_or(until).min(until)))
            .filter(|(a, b)| a < b)
            .collect();
        let pieces: Vec<_> = clipped.iter().map(|(a, b)| (utc(*a), utc(*b))).collect();
        assert_eq!(hours.pieces(utc(from), utc(until)), pieces, "{}", context());
        let open: i64 = clipped.iter().map(|(a, b)| b - a).sum();
        assert_eq!(hours.open_within(utc(from), utc(until)).as_secs(), open as u64, "{}", context());
    }
}

impl Truth {
    fn open(&self, t: i64) -> bool {
        let changes = self.edges.iter().filter(|e| **e <= t).count();
        self.open_at_low != (changes % 2 == 1)
    }

    /// The windows open at `from` or opening before `until`; an end that lies beyond is none.
    fn windows(&self, from: i64, until: i64) -> Vec<(Option<i64>, Option<i64>)> {
        let opens = self.edges.iter().enumerate().filter(|(n, _)| (n % 2 == 0) != self.open_at_low);
        let mut windows: Vec<_> = opens.map(|(n, e)| (Some(*e), self.edges.get(n + 1).copied())).collect();
        if self.open_at_low {
            windows.insert(0, (None, self.edges.first().copied()));
        }
        windows.retain(|(opens, closes)| {
            let (opens, closes) = (opens.unwrap_or(i64::MIN), closes.unwrap_or(i64::MAX));
            from < closes && (opens <= from || opens < until)
        });
        windows
    }
}

impl Case {
    fn hours(&self, zones: &Zones) -> ActiveHours {
        let part = |entries: &Entries| Part {
            zone: zones.get(entries.zone).unwrap(),
            open: entries.open.iter().map(|e| e.parse().unwrap()).collect(),
            closed: entries.closed.iter().map(|e| e.parse().unwrap()).collect(),
        };
        ActiveHours::new(
            zones.get(self.zone).unwrap(),
            self.parts.iter().map(part).collect(),
            self.closed.iter().map(|e| e.parse().unwrap()).collect(),
        )
    }
}

/// The days on which a zone's offset changes, as some instant before the change.
fn changes(zone: &Zone) -> Vec<i64> {
    let days = (seconds(FIRST)..seconds(LAST)).step_by(DAY as usize);
    days.filter(|day| zone.offset_at(utc(*day)) != zone.offset_at(utc(day + DAY))).collect()
}

/// Cases around an instant, within some days.
fn stretch(dice: &mut Dice, zone: &'static str, around: i64, days: i64, cases: usize) -> Stretch {
    let base = around - days * DAY / 2 + dice.between(-3 * DAY, 3 * DAY);
    let base = base.div_euclid(MINUTE) * MINUTE;
    let other = if dice.one_in(2) { dice.pick(&ZONES) } else { zone };
    let zones = if other == zone { vec![zone] } else { vec![zone, other] };
    let cases = (0..cases).map(|_| case(dice, &zones, around)).collect();
    Stretch { base, minutes: days * DAY / MINUTE, zones, cases }
}

fn case(dice: &mut Dice, zones: &[&'static str], around: i64) -> Case {
    let mut parts = Vec::new();
    for _ in 0..=dice.below(2) {
        let open = (0..=dice.below(3)).map(|_| window(dice)).collect();
        parts.push(Entries { zone: dice.pick(zones), open, closed: closed(dice, around) });
    }
    Case { zone: dice.pick(zones), parts, closed: closed(dice, around) }
}

fn closed(dice: &mut Dice, around: i64) -> Vec<String> {
    let mut entries = Vec::new();
    while dice.one_in(2) {
        entries.push(if dice.one_in(3) {
            window(dice)
        } else {
            let first = around + dice.between(-9, 9) * DAY;
            let length = if dice.one_in(8) { dice.between(0, 40_000) } else { dice.between(0, 4) };
            let (first, last) = (utc(first).date_naive(), utc(first + length * DAY).date_naive());
            if first == last { first.to_string() } else { format!("{first}..{last}") }
        });
    }
    entries
}

const DAYS: [&str; 7] = ["Mon", "tue", "WED", "Thursday", "friday", "Sat", "Sun"];

fn window(dice: &mut Dice) -> String {
    if dice.one_in(15) {
        return "always".to_owned();
    }
    let days = match dice.below(6) {
        0 => String::new(),
        1 => (dice.pick(&["daily ", "weekdays ", "weekends "])).to_owned(),
        2 => format!("{} ", dice.pick(&DAYS)),
        3 => format!("{},{}-{} ", dice.pick(&DAYS), dice.pick(&DAYS), dice.pick(&DAYS)),
        _ => format!("{}-{} ", dice.pick(&DAYS), dice.pick(&DAYS)),
    };
    loop {
        let (start, end) = (clock(dice), clock(dice));
        if start != "24:00" && (start.as_str(), end.as_str()) != ("00:00", "00:00") {
            return format!("{days}{start}-{end}");
        }
    }
}

/// Mostly times at which clocks change, or near them.
fn clock(dice: &mut Dice) -> String {
    const OFTEN: [i64; 16] =
        [0, 0, 1, 15, 30, 60, 90, 105, 120, 121, 150, 180, 240, 23 * 60, 23 * 60 + 30, 24 * 60];
    let minute = if dice.one_in(3) { dice.between(0, 24 * 60) } else { dice.pick(&OFTEN) };
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn ask_python(asked: &Asked) -> Answers {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hours_oracle.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("no python3 here: install python3, 3.9 or newer (Debian: apt-get install python3)");
    let question = serde_json::to_vec(asked).unwrap();
    // It reads everything before it writes anything, so that neither waits for the other.
    python.stdin.take().unwrap().write_all(&question).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "hours_oracle.py ended with {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

fn seconds(text: &str) -> i64 {
    text.parse::<DateTime<Utc>>().unwrap().timestamp()
}

fn utc(t: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(t, 0).unwrap()
}

/// `SplitMix64`: the same cases every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn between(&mut self, first: i64, end: i64) -> i64 {
        first + self.below((end - first) as u64).cast_signed()
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
