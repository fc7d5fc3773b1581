use super::super::tzdata::built_in_names;
use super::*;
use proptest::prelude::*;
use std::fs;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn civil(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

/// The system's and the built-in copy, which agree where nothing moved lately.
fn both(name: &str) -> Vec<Zone> {
    [Zones::system(), Zones::built_in()].iter().map(|zones| zones.get(name).unwrap()).collect()
}

#[test]
fn gaps_and_folds_are_told_apart() {
    for berlin in both("Europe/Berlin") {
        let once = Instants::Once(utc("2026-07-01T10:00:00Z"));
        assert_eq!(berlin.instants(civil("2026-07-01T12:00:00")), once);

        let after = Instants::Gap { after: utc("2026-03-29T01:00:00Z") };
        assert_eq!(berlin.instants(civil("2026-03-29T02:00:00")), after);
        assert_eq!(berlin.instants(civil("2026-03-29T02:59:59")), after);
        assert_eq!(
            berlin.instants(civil("2026-03-29T03:00:00")),
            Instants::Once(utc("2026-03-29T01:00:00Z"))
        );

        let fold = Instants::Fold {
            first: utc("2026-10-25T00:30:00Z"),
            change: utc("2026-10-25T01:00:00Z"),
            second: utc("2026-10-25T01:30:00Z"),
        };
        assert_eq!(berlin.instants(civil("2026-10-25T02:30:00")), fold);
        assert_eq!((fold.start(), fold.end()), (utc("2026-10-25T00:30:00Z"), utc("2026-10-25T01:30:00Z")));
        assert_eq!(
            berlin.instants(civil("2026-10-25T03:00:00")),
            Instants::Once(utc("2026-10-25T02:00:00Z"))
        );
    }
}

#[test]
fn a_skipped_day_is_a_gap_of_a_day() {
    for apia in both("Pacific/Apia") {
        let after = Instants::Gap { after: utc("2011-12-30T10:00:00Z") };
        for skipped in ["2011-12-30T00:00:00", "2011-12-30T12:00:00", "2011-12-30T23:59:59"] {
            assert_eq!(apia.instants(civil(skipped)), after);
        }
        assert_eq!(apia.local(utc("2011-12-30T10:00:00Z")).to_rfc3339(), "2011-12-31T00:00:00+14:00");
    }
}

#[test]
fn the_rule_at_the_end_of_a_file_holds_in_far_years() {
    let berlin = Zones::system().get("Europe/Berlin").unwrap();
    assert_eq!(berlin.offset_at(utc("2500-07-01T00:00:00Z")).local_minus_utc(), 7200);
    assert_eq!(
        berlin.instants(civil("2500-03-28T02:30:00")),
        Instants::Gap { after: utc("2500-03-28T01:00:00Z") }
    );
}

#[test]
fn every_zone_answers_up_to_the_limits_of_time() {
    for zones in [Zones::system(), Zones::built_in()] {
        for name in built_in_names() {
            let Ok(zone) = zones.get(&name) else { continue };
            for t in [DateTime::<Utc>::MIN_UTC, utc("0001-01-01T00:00:00Z"), utc("9999-12-31T23:59:59Z")] {
                zone.offset_at(t);
            }
            zone.offset_at(DateTime::<Utc>::MAX_UTC);
            for clock in ["-9999-01-01T00:00:00", "0000-01-01T00:00:00", "9999-12-31T23:59:59"] {
                zone.instants(civil(clock));
            }
            zone.instants(NaiveDateTime::MIN);
            zone.instants(NaiveDateTime::MAX);
        }
    }
}

proptest! {
    #[test]
    fn damaged_files_do_not_panic(
        name in prop::sample::select(vec!["Europe/Berlin", "Africa/Casablanca", "America/Nuuk", "UTC"]),
        bites in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
        clocks in prop::collection::vec(-70_000_000_000_i64..260_000_000_000, 8),
    ) {
        let mut bytes = fs::read(Zones::system().folder().unwrap().join(name)).unwrap();
        for (at, byte) in bites {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(tz) = jiff::tz::TimeZone::tzif("Damaged", &bytes) {
            let zone = Zone::new("Damaged", Rules::System(tz));
            for clock in clocks {
                zone.offset_of(clock);
                zone.instants_of(clock);
            }
        }
    }

    /// Instants and what clocks read are each other's inverse, in every zone.
    #[test]
    fn what_clocks_read_leads_back(
        name in any::<prop::sample::Index>(),
        t in -2_000_000_000_i64..8_000_000_000,
        built_in: bool,
    ) {
        let names: Vec<String> = built_in_names().into_iter().collect();
        let zones = if built_in { Zones::built_in() } else { Zones::system() };
        let zone = zones.get(&names[name.index(names.len())]).unwrap();
        let back = zone.instants_of(t + zone.offset_of(t));
        match back {
            Instants::Once(one) => prop_assert_eq!(one, t),
            Instants::Fold { first, change, second } => {
                prop_assert!(t == first || t == second);
                prop_assert!(first < change && change <= second);
                prop_assert_ne!(zone.offset_of(change - 1), zone.offset_of(change));
            }
            Instants::Gap { .. } => prop_assert!(false, "{t} reads what no clock reads"),
        }
    }
}
