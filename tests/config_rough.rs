//! What no file should do: panic, take minutes, or show a secret.

#![expect(clippy::unwrap_used, reason = "what a test unwraps is what it tests")]

use proptest::prelude::*;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use warmd::clock::Stopwatch;
use warmd::config::{self, Env, Loaded, Problems};
use warmd::hours::zone::Zones;

/// Far more than any of these takes, and far less than what grows with the square of a file.
const PATIENCE: Duration = Duration::from_mins(1);

const EXAMPLE: &str = include_str!("../warm.toml");
const EVERYTHING: &str = include_str!("config/everything.toml");
const BROKEN: &str = include_str!("config/broken.toml");

fn check(text: &str) -> Result<Loaded, Problems> {
    config::check_text(Path::new("warm.toml"), text, &Env::default(), &Zones::built_in())
}

/// Checks a text, tells all that is wrong with it, and that each place is one of the text.
fn survive(text: &str) {
    let Err(problems) = check(text) else { return };
    assert!(!problems.0.is_empty());
    let lines: Vec<_> = text.split('\n').collect();
    for problem in &problems.0 {
        let line = lines[problem.line as usize - 1];
        assert!(problem.column as usize <= line.chars().count() + 1, "{problem} in {text:?}");
    }
    let _ = problems.render(true, 80);
    let _ = problems.render(false, 0);
    serde_json::to_string(&problems).unwrap();
}

fn many(line: &dyn Fn(usize) -> String, count: usize) -> String {
    (0..count).map(line).collect()
}

fn quick(text: &str, least: usize) {
    let watch = Stopwatch::start();
    let problems = check(text).unwrap_err();
    assert!(problems.0.len() >= least, "{} problems", problems.0.len());
    let drawn = problems.render(false, 100);
    assert!(drawn.lines().count() < 2000, "the first hundred alone");
    serde_json::to_string(&problems).unwrap();
    assert!(watch.elapsed() < PATIENCE, "{:?}", watch.elapsed());
}

#[test]
fn ten_thousand_models_are_read() {
    let mut text = String::from("[hours.office]\nopen = [\"Mon-Fri 08:00-20:00\"]\n");
    for n in 0..10_000 {
        write!(text, "[models.m{n}]\nreplicate = \"a/b{n}\"\nactive = [\"office\"]\n").unwrap();
    }
    let watch = Stopwatch::start();
    let loaded = check(&text).unwrap();
    assert!(watch.elapsed() < PATIENCE, "{:?}", watch.elapsed());
    assert_eq!(loaded.config.models.len(), 10_000);
    assert_eq!(loaded.config.models[9_999].name.as_str(), "m9999", "in the file's order");
}

#[test]
fn ten_thousand_mistakes_are_told() {
    let many = |line: &dyn Fn(usize) -> String| many(line, 10_000);
    quick(&many(&|n| format!("[models.m{n}]\nintervl = \"1s\"\n")), 10_000);
    quick(&format!("[models.m]\n{}", many(&|n| format!("key{n} = {n}\n"))), 10_000);
    quick(&format!("[models.m]\n{}", many(&|_| "key = 1\n".to_owned())), 9_999);
    quick(&format!("[models.m]\nactive = [{}]", many(&|n| format!("\"offce{n}\","))), 10_000);
    quick(&many(&|n| format!("[models.m{n}]\ntimezone = \"Europe/Berl{n}\"\n")), 10_000);
    quick(&many(&|n| format!("key{n} {n}\n")), 10_000);
    quick(&many(&|n| format!("[models.m{n}\n")), 10_000);
    quick(&many(&|n| format!("key{n} = value{n}\n")), 10_000);
    let hours = many(&|n| format!("[hours.hours{n}x]\nopen = [\"always\"]\n"));
    quick(&(hours + &many(&|n| format!("[models.m{n}]\nactive = [\"hours{n}y\"]\n"))), 10_000);
}

#[test]
fn the_hundredth_is_drawn_and_the_rest_counted() {
    let text = many(&|n| format!("key{n} = 1\n"), 250);
    let drawn = check(&text).unwrap_err().render(false, 80);
    assert_eq!(drawn.matches("error: ").count(), 100);
    assert!(
        drawn.ends_with("251 problems in warm.toml; the first 100 are shown, --json tells all\n"),
        "{drawn}"
    );
}

#[test]
fn monsters_end() {
    for text in [
        "[".repeat(300_000),
        "a=[".repeat(100_000),
        "a = {".repeat(100_000),
        "a.".repeat(300_000),
        "[a.".repeat(100_000),
        format!("[{}", "a.".repeat(300_000)),
        "\"\"\"".repeat(100_000),
        "token = \"\"\"\n".repeat(50_000),
        "token = [\n".repeat(50_000),
        "'".repeat(500_000),
        "=".repeat(300_000),
        "://@".repeat(200_000),
        "a = \"x\n".repeat(50_000),
        format!("[models.\"{}\"]\n{}", "n".repeat(300_000), "k = 1\n".repeat(1_000)),
        format!("a = \"{}", "\u{1F600}".repeat(100_000)),
        format!("[models.m]\nreplicate = \"{}\"\n", "r8_".repeat(200_000)),
        "\r".repeat(200_000),
        "#".repeat(800_000),
    ] {
        let watch = Stopwatch::start();
        survive(&text);
        assert!(watch.elapsed() < PATIENCE, "{:?} for {:.20}", watch.elapsed(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(text in "(\\PC|[\n\t\"'\\[\\]={}#.])*") {
        survive(&text);
    }

    #[test]
    fn no_edit_of_a_file_panics(
        file in prop::sample::select(vec![EXAMPLE, EVERYTHING, BROKEN]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, "[\\[\\]{}=\"'#.,:\n a-z0-9\u{e9}\u{1F600}]{0,6}"), 1..6),
    ) {
        let mut chars: Vec<char> = file.chars().collect();
        for (place, length, put_in) in edits {
            let from = place.index(chars.len() + 1);
            let to = (from + length).min(chars.len());
            chars.splice(from..to, put_in.chars());
        }
        survive(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("warm.toml");
        std::fs::write(&path, &bytes).unwrap();
        prop_assert!(config::load(&path, &Env::default(), &Zones::built_in()).is_err());
    }

    #[test]
    fn no_edit_shows_a_secret(
        line in 0usize..60,
        edit in "[\\[\\]{}=\"'#., a-z]{0,5}",
    ) {
        let secret = "token = \"r8_hushhushhushhush\"\n";
        let mut lines: Vec<_> = EVERYTHING.split_inclusive('\n').collect();
        let place = line.min(lines.len());
        lines.insert(place, secret);
        lines.insert(place, &edit);
        if let Err(problems) = check(&lines.concat()) {
            let told = problems.render(false, 200) + &serde_json::to_string(&problems).unwrap();
            prop_assert!(!told.contains("hush"), "{told}");
        }
    }
}
