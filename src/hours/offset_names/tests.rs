use super::*;

fn both() -> [Zones; 2] {
    [Zones::system(), Zones::built_in()]
}

/// What is said of a name, an IANA name or not.
fn said(zones: &Zones, name: &str) -> String {
    match zones.get(name) {
        Ok(zone) => zones
            .caution(&zone)
            .map_or_else(String::new, |meaning| format!("{}; {}", meaning.what, meaning.write)),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn the_inverted_sign_is_named() {
    for zones in both() {
        assert_eq!(
            said(&zones, "Etc/GMT+2"),
            "`Etc/GMT+2` is UTC-2: the sign in these names is inverted; write an IANA name of a place: \
             America/Noronha (UTC-2 all year); for UTC+2 the name is \"Etc/GMT-2\""
        );
        assert_eq!(
            said(&zones, "GMT+2"),
            "error: `GMT+2` is no IANA name; write an IANA name of a place: Europe/Athens (UTC+2, in summer \
             UTC+3) or Africa/Johannesburg (UTC+2 all year); or \"Etc/GMT-2\", which is UTC+2: the sign in \
             these names is inverted"
        );
        for (name, right) in [
            ("UTC+2", "\"Etc/GMT-2\", which is UTC+2"),
            ("utc +2", "\"Etc/GMT-2\", which is UTC+2"),
            ("GMT2", "\"Etc/GMT-2\", which is UTC+2"),
            ("GMT-5", "\"Etc/GMT+5\", which is UTC-5"),
            ("GMT\u{2212}5", "\"Etc/GMT+5\", which is UTC-5"),
            ("Etc/UTC-5", "America/New_York (UTC-5, in summer UTC-4) or America/Bogota (UTC-5 all year)"),
            ("+02:00", "Europe/Athens"),
            ("+0200", "Europe/Athens"),
            ("-08", "America/Los_Angeles (UTC-8, in summer UTC-7)"),
            ("UTC+05:30", "Asia/Kolkata (UTC+5:30 all year)"),
            ("GMT+5:45", "Asia/Kathmandu (UTC+5:45 all year)"),
            ("UTC+0", "write \"UTC\""),
            ("+00:00", "write \"UTC\""),
            ("Z", "write \"UTC\""),
            ("etc/gmt+2", "`etc/gmt+2` is UTC-2"),
            ("Etc/GMT+13", "is UTC-13: the sign in these names is inverted; and there is no such"),
        ] {
            let said = said(&zones, name);
            assert!(said.starts_with("error: ") && said.contains(right), "{name}: {said}");
            assert!(!said.contains("did you mean"), "{name}: {said}");
        }
        for name in ["UTC+05:30", "GMT+5:45", "Etc/GMT+13"] {
            assert!(!said(&zones, name).contains("\"Etc/"), "{name}");
        }
    }
}

#[test]
fn abbreviations_say_what_they_mean() {
    for zones in both() {
        for (name, meant, place) in [
            ("EST", "is UTC-5 all year, without daylight saving", "America/New_York"),
            ("MST", "is UTC-7 all year, without daylight saving", "America/Denver"),
            ("HST", "is UTC-10 all year, without daylight saving", "Pacific/Honolulu"),
            ("CET", "follows the clocks of Europe/Brussels (UTC+1, in summer UTC+2)", "Europe/Berlin"),
            ("MET", "follows the clocks of Europe/Brussels (UTC+1, in summer UTC+2)", "Europe/Berlin"),
            ("EET", "follows the clocks of Europe/Athens (UTC+2, in summer UTC+3)", "Europe/Helsinki"),
            ("WET", "follows the clocks of Europe/Lisbon (UTC, in summer UTC+1)", "Europe/Lisbon"),
            ("EST5EDT", "follows the clocks of America/New_York", "(UTC-5, in summer UTC-4)"),
            ("CST6CDT", "follows the clocks of America/Chicago", "(UTC-6, in summer UTC-5)"),
            ("MST7MDT", "follows the clocks of America/Denver", "(UTC-7, in summer UTC-6)"),
            ("PST8PDT", "follows the clocks of America/Los_Angeles", "(UTC-8, in summer UTC-7)"),
        ] {
            let said = said(&zones, name);
            assert!(said.starts_with(&format!("`{name}` {meant}")) && said.contains(place), "{said}");
        }
        for (name, place) in [
            ("PST", "America/Los_Angeles (UTC-8, in summer UTC-7)"),
            ("edt", "America/New_York"),
            ("CEST", "Europe/Berlin (UTC+1, in summer UTC+2)"),
            ("BST", "Europe/London (UTC, in summer UTC+1) or Asia/Dhaka (UTC+6 all year)"),
            ("IST", "Asia/Kolkata (UTC+5:30 all year) or Europe/Dublin (UTC, in summer UTC+1) or"),
            ("AEST", "Australia/Sydney (UTC+10, in summer UTC+11) or Australia/Brisbane"),
            ("MSK-3", "Europe/Moscow"),
            ("CET-1CEST", "Europe/Brussels"),
            ("EST5EDT,M3.2.0,M11.1.0", "America/New_York"),
        ] {
            let said = said(&zones, name);
            assert!(said.starts_with("error: ") && said.contains(place), "{name}: {said}");
            assert!(said.contains("is no IANA name"), "{name}: {said}");
        }
    }
}

#[test]
fn other_names_are_left_alone() {
    let utc = ["UTC", "GMT", "Etc/UTC", "Etc/GMT", "Zulu", "UCT", "Universal", "Greenwich", "GMT0"];
    let utc = utc.into_iter().chain(["GMT+0", "GMT-0", "Etc/GMT0", "Etc/GMT+0", "Etc/GMT-0"]);
    let places = ["Europe/Berlin", "US/Eastern", "GB", "NZ", "PRC", "ROK", "Asia/Kolkata"];
    for zones in both() {
        for name in utc.clone().chain(places) {
            assert_eq!(said(&zones, name), "", "{name}");
        }
        for name in ["UTC+25", "GMT+2:75", "Etc/GMT+2x", "GMT+2+2", "+", "Best", "EST_", "Etc/GM"] {
            let said = said(&zones, name);
            assert!(said.starts_with("error: ") && !said.contains("did you mean Etc/GMT+"), "{name}: {said}");
        }
    }
}

/// Whoever writes what is proposed is not sent on.
#[test]
fn every_place_is_a_zone_and_none_of_these() {
    for zones in both() {
        for place in ABBREVIATIONS.iter().flat_map(|(_, places)| *places).chain(PLACES) {
            let zone = zones.get(place).unwrap();
            assert_eq!(zones.caution(&zone), None, "{place}");
        }
    }
}
