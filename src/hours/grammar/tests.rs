use super::*;
use proptest::prelude::*;

fn times(text: &str) -> (Vec<u8>, u16, u16) {
    match text.parse() {
        Ok(Open::Times(t)) => (t.days.iter().collect(), t.start, t.end),
        other => panic!("{text}: {other:?}"),
    }
}

fn open_error(text: &str) -> String {
    text.parse::<Open>().expect_err(text).to_string()
}

fn closed_error(text: &str) -> String {
    text.parse::<Closed>().expect_err(text).to_string()
}

#[test]
fn days_are_lists_ranges_and_names_in_any_case() {
    for (text, days) in [
        ("08:00-20:00", vec![0, 1, 2, 3, 4, 5, 6]),
        ("daily 08:00-20:00", vec![0, 1, 2, 3, 4, 5, 6]),
        ("Weekdays 08:00-20:00", vec![0, 1, 2, 3, 4]),
        ("WEEKENDS 08:00-20:00", vec![5, 6]),
        ("Mon-Fri 08:00-20:00", vec![0, 1, 2, 3, 4]),
        ("Fri-Mon 08:00-20:00", vec![0, 4, 5, 6]),
        ("sat,SUN 08:00-20:00", vec![5, 6]),
        ("Wednesday 08:00-20:00", vec![2]),
        ("monday-Wed,fri-FRI 08:00-20:00", vec![0, 1, 2, 4]),
        ("  Mon , Wed - Thu   08:00 - 20:00 ", vec![0, 2, 3]),
    ] {
        assert_eq!(times(text), (days, 480, 1200), "{text}");
    }
}

#[test]
fn an_end_at_or_before_the_start_runs_past_midnight() {
    assert_eq!(times("22:00-06:00"), ((0..7).collect(), 1320, 1800));
    assert_eq!(times("Mon 08:00-08:00"), (vec![0], 480, 1920));
    assert_eq!(times("Mon 20:00-00:00"), (vec![0], 1200, 1440));
    assert_eq!(times("Mon 20:00-24:00"), (vec![0], 1200, 1440));
    assert_eq!(times("Mon 00:00-24:00"), (vec![0], 0, 1440));
}

#[test]
fn always_in_any_case() {
    assert_eq!(" Always ".parse(), Ok(Open::Always));
    assert_eq!("always".parse(), Ok(Closed::Window(Open::Always)));
}

#[test]
fn errors_say_what_is_accepted() {
    for (text, said) in [
        ("", "an empty entry"),
        ("Mon-Fri", "`Mon-Fri` has no times"),
        ("weekdays", "`weekdays` has no times"),
        ("alwys", "did you mean `always`?"),
        ("Mondey 08:00-20:00", "`Mondey` is no day; did you mean `Monday`?"),
        ("Mon-Fry 08:00-20:00", "`Fry` is no day; did you mean `Fri`?"),
        ("Tues 08:00-20:00", "did you mean `Tue`?"),
        ("weekday 08:00-20:00", "did you mean `weekdays`?"),
        ("Samstag 08:00-20:00", "`Samstag` is no day: write Mon to Sun"),
        ("Mon,,Fri 08:00-20:00", "`` is no day: write Mon to Sun"),
        ("weekdays,Sat 08:00-20:00", "`weekdays` stands alone: write Mon-Fri"),
        ("Mon-Fri08:00-20:00", "write HH:MM-HH:MM"),
        ("8:00-20:00", "`8:00` is no time: write HH:MM"),
        ("08.00-20.00", "`08.00` is no time: write HH:MM"),
        ("08:00", "write HH:MM-HH:MM"),
        ("Mon-Fri 8am-5pm", "`8am` is no time: write HH:MM"),
        ("25:00-26:00", "there is no time 25:00"),
        ("08:00-24:01", "there is no time 24:01"),
        ("08:60-12:00", "there is no time 08:60"),
        ("24:00-08:00", "24:00 may end a window, not start one"),
        ("00:00-00:00", "write 00:00-24:00"),
        ("Mon 00:00-00:00", "write 00:00-24:00"),
        ("08:00-12:00, 13:00-17:00", "write each as an entry of its own"),
        ("Mon 08:00-09:00 Tue 08:00-09:00", "write each as an entry of its own"),
    ] {
        let error = open_error(text);
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn dates_ranges_and_windows_may_be_closed() {
    let date = |text: &str| text.parse::<NaiveDate>().unwrap();
    for (text, from, to) in [
        ("2026-11-27", "2026-11-27", "2026-11-27"),
        ("2026-12-24..2026-12-26", "2026-12-24", "2026-12-26"),
        ("2026-12-24 .. 2026-12-24", "2026-12-24", "2026-12-24"),
        ("2028-02-29", "2028-02-29", "2028-02-29"),
        ("0001-01-01..9999-12-31", "0001-01-01", "9999-12-31"),
    ] {
        assert_eq!(text.parse(), Ok(Closed::Dates(date(from), date(to))), "{text}");
    }
    let lunch = "Mon-Fri 12:00-13:00";
    assert_eq!(lunch.parse(), Ok(Closed::Window(lunch.parse().unwrap())));
    assert_eq!("12:00-13:00".parse(), Ok(Closed::Window("12:00-13:00".parse().unwrap())));
}

#[test]
fn wrong_dates_say_why() {
    for (text, said) in [
        ("2026-02-30", "there is no date 2026-02-30: 2026-02 has the days 01 to 28"),
        ("2026-13-01", "months run from 01 to 12"),
        ("2026-1-1", "write YYYY-MM-DD"),
        ("24.12.2026", "write YYYY-MM-DD"),
        ("20261224", "write YYYY-MM-DD"),
        ("Christmas", "write YYYY-MM-DD"),
        ("2026-12-26..2026-12-24", "ends before it starts: write 2026-12-24..2026-12-26"),
        ("2026-12-24..", "`2026-12-24..` is no date"),
        ("2026-12-24...2026-12-26", "write YYYY-MM-DD"),
        ("2026-12-24..2026-12-32", "2026-12 has the days 01 to 31"),
        ("Mon 25:00-26:00", "there is no time 25:00"),
        ("Mondey 12:00-13:00", "did you mean `Monday`?"),
    ] {
        let error = closed_error(text);
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn windows_are_told_from_names_of_hours() {
    for window in
        ["always", "Alwys", "Mon-Fri 08:00-20:00", "08:00-20:00", "Mon-Fri", "weekdays", "Sat,Sun", ""]
    {
        assert!(Open::looks_like_window(window), "{window}");
    }
    for name in ["office", "offce", "night-shift", "mon.team", "24x7", "sunny"] {
        assert!(!Open::looks_like_window(name), "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<Open>().map_err(|e| e.to_string());
        let _ = text.parse::<Closed>().map_err(|e| e.to_string());
        let _ = Open::looks_like_window(&text);
    }

    #[test]
    fn nearly_right_text_does_not_panic(text in "[MonFriSat,. 0-9:é-]{0,24}") {
        let _ = text.parse::<Open>().map_err(|e| e.to_string());
        let _ = text.parse::<Closed>().map_err(|e| e.to_string());
    }

    #[test]
    fn every_window_parses(first in 0_u8..7, last in 0_u8..7, start in 0_u16..1440, end in 0_u16..=1440) {
        prop_assume!((start, end) != (0, 0));
        let clock = |m: u16| format!("{:02}:{:02}", m / 60, m % 60);
        let (from, to) = (DAYS[usize::from(first)], DAYS[usize::from(last)]);
        let (days, begins, ends) = times(&format!("{}-{to} {}-{}", &from[..3], clock(start), clock(end)));
        prop_assert!(days.contains(&first) && days.contains(&last));
        prop_assert_eq!(days.len(), usize::from((last + 7 - first) % 7 + 1));
        prop_assert_eq!(begins, start);
        prop_assert!(ends > begins && ends - begins <= 1440 && ends % 1440 == end % 1440);
    }
}
