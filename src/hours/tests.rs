use super::*;
use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use proptest::prelude::*;

fn zone(name: &str) -> Zone {
    Zones::system().get(name).unwrap()
}

fn part(zone_name: &str, open: &[&str], closed: &[&str]) -> Part {
    Part {
        zone: zone(zone_name),
        open: open.iter().map(|e| e.parse().unwrap()).collect(),
        closed: closed.iter().map(|e| e.parse().unwrap()).collect(),
    }
}

fn several(zone_name: &str, parts: Vec<Part>, closed: &[&str]) -> ActiveHours {
    ActiveHours::new(zone(zone_name), parts, closed.iter().map(|e| e.parse().unwrap()).collect())
}

fn hours(zone_name: &str, open: &[&str], closed: &[&str]) -> ActiveHours {
    several(zone_name, vec![part(zone_name, open, &[])], closed)
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// `2026-11-23T08:00Z`, `-` for no edge.
fn told(edge: Option<DateTime<Utc>>) -> String {
    edge.map_or("-".to_owned(), |t| t.format("%FT%RZ").to_string())
}

fn windows(hours: &ActiveHours, from: &str, until: &str) -> Vec<String> {
    let windows = hours.windows(utc(from), utc(until));
    windows.iter().map(|w| format!("{} {}", told(w.opens), told(w.closes))).collect()
}

const ENDLESS: Stretch = Stretch { open: true, since: None, until: None };

#[test]
fn office_hours_open_and_close() {
    let office = hours("Europe/Berlin", &["Mon-Fri 08:00-20:00"], &[]);
    let (opens, closes) = (utc("2026-11-23T07:00:00Z"), utc("2026-11-23T19:00:00Z"));
    let open = Stretch { open: true, since: Some(opens), until: Some(closes) };
    assert_eq!(office.at(opens), open, "the start is inclusive");
    assert_eq!(office.at(closes - TimeDelta::nanoseconds(1)), open, "the end is exclusive");
    let before = Stretch { open: false, since: Some(utc("2026-11-20T19:00:00Z")), until: Some(opens) };
    assert_eq!(office.at(opens - TimeDelta::nanoseconds(1)), before);
    assert!(!office.at(closes).open);
    assert_eq!(office.zone().name(), "Europe/Berlin");
}

#[test]
fn what_never_closes_has_no_edge() {
    for open in [
        &["always"][..],
        &["00:00-24:00"],
        &["Mon-Fri 00:00-24:00", "weekends 00:00-00:01", "Sat-Sun 00:01-24:00"],
    ] {
        let always = hours("America/Sao_Paulo", open, &[]);
        for t in ["2018-11-04T03:00:00Z", "2026-11-23T12:00:00Z"] {
            assert_eq!(always.at(utc(t)), ENDLESS, "{open:?}");
            assert_eq!(windows(&always, t, "2030-01-01T00:00:00Z"), ["- -"], "{open:?}");
        }
    }
    // Of two entries, two parts, two zones: none of them alone.
    let parts = vec![part("UTC", &["00:00-12:00"], &[]), part("UTC", &["12:00-24:00"], &[])];
    assert_eq!(several("UTC", parts, &[]).at(utc("2026-11-23T12:00:00Z")), ENDLESS);
    let parts =
        vec![part("Europe/Berlin", &["08:00-20:00"], &[]), part("Europe/London", &["19:00-07:00"], &[])];
    assert_eq!(several("UTC", parts, &[]).at(utc("2026-11-23T12:00:00Z")), ENDLESS);
}

#[test]
fn what_never_opens_has_no_edge() {
    let noon = utc("2026-11-23T12:00:00Z");
    for closed in
        [&["11:00-14:00"][..], &["always"], &["0001-01-01..9999-12-31"], &["11:00-14:00", "9999-01-01"]]
    {
        let hours = hours("Europe/Berlin", &["12:00-13:00"], closed);
        let found = hours.at(noon);
        assert_eq!((found.open, found.until), (false, None), "{closed:?}");
        assert!(windows(&hours, "2026-11-23T12:00:00Z", "2027-01-01T00:00:00Z").is_empty());
    }
    let nothing = several("UTC", Vec::new(), &[]);
    assert_eq!(nothing.at(noon), Stretch { open: false, since: None, until: None });
}

#[test]
fn an_edge_in_a_gap_is_the_first_instant_after_it() {
    // 2026-03-29, 02:00 became 03:00 at 01:00Z.
    let day = ("2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z");
    for (open, expected) in [
        ("Sun 01:30-02:30", vec!["2026-03-29T00:30Z 2026-03-29T01:00Z"]),
        ("Sun 02:30-03:30", vec!["2026-03-29T01:00Z 2026-03-29T01:30Z"]),
        ("Sun 02:15-02:45", vec![]),
        ("Sun 02:00-03:00", vec![]),
        ("Sat 22:00-02:30", vec!["2026-03-28T21:00Z 2026-03-29T01:00Z"]),
    ] {
        assert_eq!(windows(&hours("Europe/Berlin", &[open], &[]), day.0, day.1), expected, "{open}");
    }
    let cut = hours("Europe/Berlin", &["Sun 01:00-05:00"], &["Sun 02:30-03:30"]);
    let expected = ["2026-03-29T00:00Z 2026-03-29T01:00Z", "2026-03-29T01:30Z 2026-03-29T03:00Z"];
    assert_eq!(windows(&cut, day.0, day.1), expected);
}

#[test]
fn in_a_fold_a_start_is_the_earlier_and_an_end_the_later() {
    // 2026-10-25, 03:00 became 02:00 at 01:00Z.
    let day = ("2026-10-24T22:30:00Z", "2026-10-25T12:00:00Z");
    for (open, expected) in [
        ("Sun 02:30-04:00", "2026-10-25T00:30Z 2026-10-25T03:00Z"),
        ("Sun 01:00-02:30", "2026-10-24T23:00Z 2026-10-25T01:30Z"),
        ("Sun 02:15-02:30", "2026-10-25T00:15Z 2026-10-25T01:30Z"),
        ("Sun 01:00-02:00", "2026-10-24T23:00Z 2026-10-25T01:00Z"),
    ] {
        assert_eq!(windows(&hours("Europe/Berlin", &[open], &[]), day.0, day.1), [expected], "{open}");
    }
    let cut = hours("Europe/Berlin", &["Sun 01:00-05:00"], &["Sun 02:30-02:45"]);
    let expected = ["2026-10-24T23:00Z 2026-10-25T00:30Z", "2026-10-25T01:45Z 2026-10-25T04:00Z"];
    assert_eq!(windows(&cut, day.0, day.1), expected);
    // Two windows of which the later starts before the earlier ends are one.
    let two = hours("Europe/Berlin", &["Sun 01:00-02:15", "Sun 02:30-04:00"], &[]);
    assert_eq!(windows(&two, day.0, day.1), ["2026-10-24T23:00Z 2026-10-25T03:00Z"]);
}

#[test]
fn windows_past_midnight_belong_to_the_day_they_start_on() {
    let night = hours("UTC", &["Fri 22:00-06:00"], &["2026-11-27"]);
    // Friday itself is closed, Saturday's morning is not.
    assert_eq!(
        windows(&night, "2026-11-26T00:00:00Z", "2026-12-05T00:00:00Z"),
        ["2026-11-28T00:00Z 2026-11-28T06:00Z", "2026-12-04T22:00Z 2026-12-05T06:00Z"]
    );
}

#[test]
fn closed_dates_cut_what_bears_them() {
    let always = hours("Pacific/Apia", &["always"], &["2011-12-30", "2012-01-01"]);
    assert_eq!(
        windows(&always, "2011-12-29T00:00:00Z", "2012-01-03T00:00:00Z"),
        ["- 2011-12-31T10:00Z", "2012-01-01T10:00Z -"]
    );
    let christmas = hours("Europe/Berlin", &["08:00-20:00"], &["2026-12-24..2026-12-26"]);
    let found = christmas.at(utc("2026-12-24T12:00:00Z"));
    assert_eq!(
        (told(found.since), told(found.until)),
        ("2026-12-23T19:00Z".into(), "2026-12-27T07:00Z".into())
    );
}

#[test]
fn named_hours_are_cut_alone_and_the_model_s_closed_cuts_all() {
    let parts = vec![
        part("Europe/Berlin", &["08:00-12:00"], &["2026-11-24"]),
        part("Asia/Kathmandu", &["18:00-19:00"], &[]),
    ];
    // New York's 25th runs from 05:00Z to 05:00Z.
    let model = several("America/New_York", parts, &["2026-11-25"]);
    assert_eq!(
        windows(&model, "2026-11-23T20:00:00Z", "2026-11-26T20:00:00Z"),
        [
            "2026-11-24T12:15Z 2026-11-24T13:15Z",
            "2026-11-26T07:00Z 2026-11-26T11:00Z",
            "2026-11-26T12:15Z 2026-11-26T13:15Z",
        ]
    );
}

#[test]
fn hours_that_part_for_some_weeks_of_the_year_are_found() {
    // 6 h apart, but for the weeks between the two changes of clocks.
    let parts =
        vec![part("Europe/Berlin", &["08:00-20:00"], &[]), part("America/New_York", &["14:00-02:00"], &[])];
    let model = several("UTC", parts, &[]);
    let found = model.at(utc("2026-07-01T00:00:00Z"));
    assert_eq!(
        (told(found.since), told(found.until)),
        ("2026-03-28T07:00Z".into(), "2026-10-25T06:00Z".into())
    );
}

#[test]
fn what_is_closed_for_long_is_one_stride() {
    let model = hours("Europe/Berlin", &["Mon-Fri 08:00-20:00"], &["2026-11-24..9999-12-31"]);
    let found = model.at(utc("2026-11-24T12:00:00Z"));
    assert_eq!((told(found.since), told(found.until)), ("2026-11-23T19:00Z".into(), "-".into()));
    let model = hours("Europe/Berlin", &["Mon-Fri 08:00-20:00"], &["2026-11-24..2400-01-01"]);
    assert_eq!(told(model.at(utc("2026-11-24T12:00:00Z")).until), "2400-01-03T07:00Z");
}

#[test]
fn a_single_closed_date_is_found_however_far() {
    let always = hours("UTC", &["always"], &["2400-02-29"]);
    let found = always.at(utc("2026-11-24T12:00:00Z"));
    assert_eq!((told(found.since), told(found.until)), ("-".into(), "2400-02-29T00:00Z".into()));
    assert_eq!(told(always.at(utc("2900-01-01T00:00:00Z")).since), "2400-03-01T00:00Z");
    // Also where every day has to be looked at.
    let parts =
        vec![part("UTC", &["00:00-12:00"], &["1990-01-01"]), part("Etc/GMT-1", &["13:00-01:00"], &[])];
    let found = several("UTC", parts, &["2400-02-29"]).at(utc("2026-11-24T12:00:00Z"));
    assert_eq!(
        (told(found.since), told(found.until)),
        ("1990-01-01T12:00Z".into(), "2400-02-29T00:00Z".into())
    );
}

#[test]
fn the_limits_of_time_do_not_panic() {
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    for open in ["always", "08:00-20:00", "Sun 23:00-02:00"] {
        for name in ["UTC", "Europe/Berlin", "Pacific/Apia"] {
            let model = hours(name, &[open], &["0000-01-01..0001-01-01", "9999-12-31"]);
            for t in [first, utc("9999-12-31T23:59:59Z"), utc("0000-01-01T00:00:00Z"), last] {
                model.at(t);
                model.windows(t, t + TimeDelta::zero());
                assert_eq!(model.open_within(t, t), Duration::ZERO);
            }
            model.pieces(last - TimeDelta::days(9), last);
            model.pieces(first, first + TimeDelta::days(9));
        }
    }
    let always = hours("UTC", &["always"], &[]);
    assert_eq!(always.pieces(first, last), [(first, last)]);
}

#[test]
fn pieces_are_clipped_to_the_fraction_of_a_second() {
    let office = hours("UTC", &["Mon-Fri 08:00-20:00"], &["12:00-13:00"]);
    let (from, to) = (utc("2026-11-23T11:59:59.250Z"), utc("2026-11-23T13:00:00.5Z"));
    let noon = utc("2026-11-23T12:00:00Z");
    assert_eq!(office.pieces(from, to), [(from, noon), (utc("2026-11-23T13:00:00Z"), to)]);
    assert_eq!(office.open_within(from, to), Duration::from_millis(1250));
    assert_eq!(office.open_within(to, from), Duration::ZERO);
}

#[test]
fn new_zones_move_the_same_hours() {
    let dir = tempfile::tempdir().unwrap();
    let system = Zones::system().folder().expect("the system has no zones: install tzdata").to_owned();
    std::fs::copy(system.join("Asia/Tokyo"), dir.path().join("UTC")).unwrap();
    let office = hours("UTC", &["08:00-20:00"], &["2026-11-25"]);
    let moved = office.rezone(&Zones::from_dir(dir.path())).unwrap();
    assert_eq!(office, moved, "as written, they are the same");
    assert_eq!(
        windows(&moved, "2026-11-24T12:00:00Z", "2026-11-26T00:00:00Z"),
        ["2026-11-25T23:00Z 2026-11-26T11:00Z"]
    );
    assert_ne!(office, hours("UTC", &["08:00-20:00"], &[]));
}

/// Whether the hours hold `t`, by looking at each day around it: the contract's words, one by one.
fn brute(model: &ActiveHours, t: DateTime<Utc>) -> bool {
    let shut = |zone: &Zone, closed: &[Closed]| closed.iter().any(|entry| closed_at(zone, *entry, t));
    let part = |part: &Part| {
        part.open.iter().any(|entry| open_at(&part.zone, *entry, t)) && !shut(&part.zone, &part.closed)
    };
    model.parts.iter().any(part) && !shut(&model.zone, &model.closed)
}

fn open_at(zone: &Zone, entry: Open, t: DateTime<Utc>) -> bool {
    let Open::Times(times) = entry else { return true };
    let today = zone.local(t).date_naive();
    (0..6).any(|n| {
        let day = today - Days::new(3) + Days::new(n);
        let clock = |minutes: u16| day.and_time(NaiveTime::MIN) + TimeDelta::minutes(minutes.into());
        let listed =
            times.days.iter().any(|d| u32::from(d) == chrono::Datelike::weekday(&day).num_days_from_monday());
        listed && zone.instants(clock(times.start)).start() <= t && t < zone.instants(clock(times.end)).end()
    })
}

fn closed_at(zone: &Zone, entry: Closed, t: DateTime<Utc>) -> bool {
    match entry {
        Closed::Window(window) => open_at(zone, window, t),
        Closed::Dates(first, last) => (first..=last).contains(&zone.local(t).date_naive()),
    }
}

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Pacific/Apia",
];

fn any_window() -> impl Strategy<Value = String> {
    let days =
        prop::sample::select(vec!["", "daily ", "weekends ", "Sat-Mon ", "Sun ", "Mon,Wed ", "Fri,Sun-Mon "]);
    let minutes = || prop_oneof![0_u16..1440, 0_u16..240, Just(0), Just(1380)];
    let window = (days, minutes(), minutes()).prop_map(|(days, start, end)| {
        let end = if (start, end) == (0, 0) { 1440 } else { end };
        format!("{days}{:02}:{:02}-{:02}:{:02}", start / 60, start % 60, end / 60, end % 60)
    });
    prop_oneof![1 => Just("always".to_owned()), 9 => window]
}

/// Midnights in the years of all these zones' oddities.
fn any_date() -> impl Strategy<Value = NaiveDate> {
    let near = |date: &'static str| {
        (-3_i64..3).prop_map(move |n| date.parse::<NaiveDate>().unwrap() + TimeDelta::days(n))
    };
    prop_oneof![
        near("2011-12-30"),
        near("2018-11-04"),
        near("2010-11-07"),
        near("2026-10-25"),
        near("2026-04-05"),
        (0_i64..30_000).prop_map(|n| NaiveDate::from_ymd_opt(1980, 1, 1).unwrap() + TimeDelta::days(n)),
    ]
}

fn any_closed() -> impl Strategy<Value = Vec<String>> {
    let dates = (any_date(), 0_u64..900).prop_map(|(date, n)| format!("{date}..{}", date + Days::new(n)));
    let entry = prop_oneof![any_window(), any_date().prop_map(|d| d.to_string()), dates];
    prop::collection::vec(entry, 0..3)
}

fn any_hours() -> impl Strategy<Value = ActiveHours> {
    let name = || prop::sample::select(ZONES.to_vec());
    let parts =
        prop::collection::vec((name(), prop::collection::vec(any_window(), 0..3), any_closed()), 0..3);
    (name(), parts, any_closed()).prop_map(|(zone_name, parts, closed)| {
        let parts = parts.into_iter().map(|(zone_name, open, closed)| {
            let open: Vec<&str> = open.iter().map(String::as_str).collect();
            part(zone_name, &open, &closed.iter().map(String::as_str).collect::<Vec<_>>())
        });
        several(zone_name, parts.collect(), &closed.iter().map(String::as_str).collect::<Vec<_>>())
    })
}

fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    (any_date(), 0_i64..2 * 86_400)
        .prop_map(|(date, s)| date.and_time(NaiveTime::MIN).and_utc() + TimeDelta::seconds(s))
}

proptest! {
    #[test]
    fn every_instant_is_as_the_words_say(model in any_hours(), t in any_instant()) {
        prop_assert_eq!(model.at(t).open, brute(&model, t));
    }

    #[test]
    fn edges_alternate_around_an_instant(model in any_hours(), t in any_instant()) {
        let found = model.at(t);
        prop_assert!(found.since.is_none_or(|since| since <= t) && found.until.is_none_or(|until| t < until));
        let second = TimeDelta::seconds(1);
        if let Some(until) = found.until {
            prop_assert_eq!(brute(&model, until - second), found.open);
            prop_assert_eq!(brute(&model, until), !found.open);
            let next = model.at(until);
            prop_assert_eq!((next.open, next.since), (!found.open, Some(until)));
        }
        if let Some(since) = found.since {
            prop_assert_eq!(brute(&model, since), found.open);
            prop_assert_eq!(brute(&model, since - second), !found.open);
            let last = model.at(since - second);
            prop_assert_eq!((last.open, last.until), (!found.open, Some(since)));
        }
    }

    #[test]
    fn windows_are_sorted_and_apart_and_as_at_says(model in any_hours(), from in any_instant(), days in 0_i64..40) {
        let until = from + TimeDelta::days(days);
        let windows = model.windows(from, until);
        for pair in windows.windows(2) {
            prop_assert!(pair[0].closes.unwrap() < pair[1].opens.unwrap());
        }
        for window in &windows {
            let inside = window.opens.unwrap_or(from).max(from);
            prop_assert_eq!(model.at(inside), Stretch { open: true, since: window.opens, until: window.closes });
            prop_assert!(window.closes.is_none_or(|closes| from < closes));
            prop_assert!(inside == from || inside < until);
        }

        let clipped = windows.iter().map(|w| (w.opens.unwrap_or(from).max(from), w.closes.unwrap_or(until).min(until)));
        let clipped: Vec<_> = clipped.filter(|(a, b)| a < b).collect();
        prop_assert_eq!(model.pieces(from, until), clipped);
    }
}
