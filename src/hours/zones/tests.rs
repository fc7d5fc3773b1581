use super::*;
use chrono::{DateTime, Utc};
use std::fs;

/// A `TZif` file of version 1 or 2: an offset, and a change to another at some instant.
fn tzif(before: i32, change: i64, after: i32, footer: Option<&str>) -> Vec<u8> {
    let block = |wide: bool| {
        let mut bytes = b"TZif".to_vec();
        bytes.push(if footer.is_some() { b'2' } else { 0 });
        bytes.extend([0; 15]);
        for count in [0, 0, 0, 1, 2, 8_u32] {
            bytes.extend(count.to_be_bytes());
        }
        if wide {
            bytes.extend(change.to_be_bytes());
        } else {
            bytes.extend((change as i32).to_be_bytes());
        }
        bytes.push(1);
        for (offset, name) in [(before, 0), (after, 4)] {
            bytes.extend(offset.to_be_bytes());
            bytes.extend([0, name]);
        }
        bytes.extend(b"OLD\0NEW\0");
        bytes
    };
    let mut bytes = block(false);
    if let Some(footer) = footer {
        bytes.extend(block(true));
        bytes.extend(format!("\n{footer}\n").into_bytes());
    }
    bytes
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn names_that_are_no_zones_are_refused() {
    let zones = Zones::system();
    for name in [
        "",
        "..",
        "../zoneinfo/UTC",
        "/usr/share/zoneinfo/UTC",
        "Europe/../UTC",
        "Europe//Berlin",
        "Europe/",
        "posix/UTC",
        "right/UTC",
        "localtime",
        "posixrules",
        "tzdata.zi",
        "UTC\0",
        "Ünal",
        "5EST",
        "zone.tab",
    ] {
        assert!(zones.get(name).is_err(), "{name}");
    }
    for name in ["Europe", "America/Argentina", "UTC/Berlin"] {
        assert!(matches!(zones.get(name), Err(ZoneError::Unknown { .. })), "{name}");
    }
    let long = "x".repeat(1 << 20);
    assert!(zones.get(&long).unwrap_err().to_string().len() < 300);
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    for zones in [Zones::system(), Zones::built_in()] {
        for (wrong, right) in [
            ("Europe/Berln", "`Europe/Berln`; did you mean Europe/Berlin?"),
            ("europe/berlin", "did you mean Europe/Berlin?"),
            ("Berlin", "did you mean Europe/Berlin?"),
            ("America/New York", "did you mean America/New_York?"),
            ("/Europe/Berlin", "did you mean Europe/Berlin?"),
            ("utc", "did you mean UTC"),
            ("CEST", "write an IANA name such as Europe/Berlin"),
            ("Middle/Earth", "write an IANA name"),
        ] {
            let error = zones.get(wrong).unwrap_err().to_string();
            assert!(error.contains(right), "{error}");
        }
    }
}

#[test]
fn the_version_is_told() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Zones::from_dir(dir.path()).describe(), Zones::built_in().describe());
    assert_eq!(Zones::built_in().describe(), format!("built-in {}", chrono_tz::IANA_TZDB_VERSION));

    fs::write(dir.path().join("UTC"), tzif(0, 0, 0, None)).unwrap();
    assert_eq!(Zones::from_dir(dir.path()).describe(), "system");
    fs::write(dir.path().join("+VERSION"), "2024a\n").unwrap();
    assert_eq!(Zones::from_dir(dir.path()).describe(), "system 2024a");
    fs::write(dir.path().join("tzdata.zi"), "# version 2026f\n# more\n").unwrap();
    assert_eq!(Zones::from_dir(dir.path()).describe(), "system 2026f");
    fs::write(dir.path().join("tzdata.zi"), "\u{1b}[31m\n").unwrap();
    fs::write(dir.path().join("+VERSION"), [0xff; 5000]).unwrap();
    assert_eq!(Zones::from_dir(dir.path()).describe(), "system");
}

#[test]
fn files_of_version_1_and_2_are_read() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("Test")).unwrap();
    fs::write(dir.path().join("Test/V1"), tzif(3600, 1_000_000_000, 7200, None)).unwrap();
    fs::write(dir.path().join("Test/V2"), tzif(3600, 1_000_000_000, 7200, Some("NEW-2"))).unwrap();
    let zones = Zones::from_dir(dir.path());
    for name in ["Test/V1", "Test/V2"] {
        let zone = zones.get(name).unwrap();
        assert!(!zone.is_built_in());
        assert_eq!(zone.offset_of(999_999_999), 3600);
        assert_eq!(zone.offset_of(1_000_000_000), 7200);
    }
}

#[test]
fn the_built_in_copy_serves_for_what_is_damaged_or_missing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("Europe")).unwrap();
    fs::write(dir.path().join("UTC"), tzif(0, 0, 0, None)).unwrap();
    fs::write(dir.path().join("Europe/Berlin"), "TZif2, but not really").unwrap();
    fs::write(dir.path().join("Europe/Paris"), "").unwrap();
    fs::write(dir.path().join("Nowhere"), "no zone").unwrap();
    let zones = Zones::from_dir(dir.path());
    for name in ["Europe/Berlin", "Europe/Paris", "Europe/Rome"] {
        let zone = zones.get(name).unwrap();
        assert!(zone.is_built_in());
        assert_eq!(zone.offset_at(utc("2026-07-01T00:00:00Z")).local_minus_utc(), 7200);
    }
    let error = zones.get("Nowhere").unwrap_err().to_string();
    assert!(error.contains("Nowhere: not a TZif file; write an IANA name"), "{error}");
}

#[test]
fn a_replaced_file_is_noticed_and_read_anew() {
    let system = Zones::system().folder().expect("the system has no zones: install tzdata").to_owned();
    let dir = tempfile::tempdir().unwrap();
    let copy = |file: &str| {
        fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
        fs::copy(system.join(file), dir.path().join(file)).unwrap();
    };
    for file in ["UTC", "Europe/Berlin", "Asia/Tokyo", "Asia/Kathmandu"] {
        copy(file);
    }
    let zones = Zones::from_dir(dir.path());
    let berlin = zones.get("Europe/Berlin").unwrap();
    assert!(!zones.changed());

    // In place.
    fs::copy(system.join("Asia/Tokyo"), dir.path().join("Europe/Berlin")).unwrap();
    assert!(zones.changed());
    let now = utc("2026-07-01T00:00:00Z");
    let read = zones.reread();
    assert!(!read.changed());
    assert_eq!(read.get("Europe/Berlin").unwrap().offset_at(now).local_minus_utc(), 9 * 3600);
    // What was handed out stays as it was.
    assert_eq!(berlin.offset_at(now).local_minus_utc(), 2 * 3600);

    // By a rename, as packages do it, with the time and size of the file that was there.
    let (target, new) = (dir.path().join("Europe/Berlin"), dir.path().join("Europe/new"));
    let meta = fs::metadata(&target).unwrap();
    fs::write(&new, fs::read(&target).unwrap()).unwrap();
    fs::File::options().write(true).open(&new).unwrap().set_modified(meta.modified().unwrap()).unwrap();
    assert!(!read.changed());
    fs::rename(&new, &target).unwrap();
    assert!(read.changed());

    // One that was missing appears.
    let read = read.reread();
    assert!(read.get("Europe/Paris").unwrap().is_built_in());
    assert!(!read.changed());
    copy("Europe/Paris");
    assert!(read.changed());

    // A new version, whichever zones it touches.
    let read = read.reread();
    fs::write(dir.path().join("tzdata.zi"), "# version 2026f\n").unwrap();
    assert!(read.changed());

    // All of it goes.
    let read = read.reread();
    assert!(!read.changed());
    fs::remove_dir_all(dir.path()).unwrap();
    assert!(read.changed());
    let read = read.reread();
    assert!(read.describe().starts_with("built-in "));
    assert!(!read.changed());
}
