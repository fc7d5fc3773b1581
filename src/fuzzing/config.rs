//! `warm.toml`.

use super::{assert_plain, flow};
use crate::config::{Env, Problem, check_text};
use crate::hours::zone::Zones;
use crate::state::Known;
use std::path::Path;
use std::sync::LazyLock;

/// Stands for a token in an input.
const MARK: char = '§';

/// What must not be shown of a token.
const HUSH: &str = "hushhush";

/// Any text is checked to its end; every problem has its place in it; no secret in it is repeated.
pub fn config(data: &[u8]) {
    static ZONES: LazyLock<Zones> = LazyLock::new(Zones::built_in);
    // A fuzzer learns what it is compared with.
    let text = String::from_utf8_lossy(data).replace(HUSH, "x");
    let text = with_tokens(&text);
    let env = Env::from([("HOME", "/home/somebody"), ("XDG_RUNTIME_DIR", "/run/user/1000")]);
    match check_text(Path::new("warm.toml"), &text, &env, &ZONES) {
        Ok(loaded) => {
            assert!(!loaded.config.models.is_empty());
            for model in &loaded.config.models {
                flow::plan(model, &Known::default(), flow::sent());
            }
            for warning in &loaded.warnings {
                look_at(warning, &text);
            }
        }
        Err(problems) => {
            assert!(!problems.0.is_empty());
            for problem in &problems.0 {
                look_at(problem, &text);
            }
            let drawn = problems.render(false, 100);
            assert_plain(&drawn);
            for shown in [drawn, problems.render(true, 56), problems.to_string()] {
                assert!(!shown.contains(HUSH), "a secret is shown: {shown}");
            }
        }
    }
}

fn look_at(problem: &Problem, text: &str) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.split('\n').nth(problem.line as usize - 1);
    let columns = line.map(|line| line.chars().count() + 1);
    assert!(
        columns.is_some_and(|columns| (1..=columns).contains(&(problem.column as usize))),
        "no such place: {problem}"
    );
    assert!(text.get(problem.span.clone()).is_some(), "{:?} is no span: {problem}", problem.span);
    for words in [&problem.message, &problem.key] {
        assert_plain(words);
        assert!(!words.contains('\n'), "more than a line: {words:?}");
        assert!(!words.contains(HUSH), "a secret is told: {words}");
        assert!(words.len() < 4096, "endless: {words}");
    }
}

/// The text with a token in place of each mark: one that is known by its key alone, or by its beginning.
fn with_tokens(text: &str) -> String {
    let by_key = text.replace(&format!("token = \"{MARK}"), &format!("token = \"{HUSH}0123456789"));
    let mut parts = by_key.split(MARK);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // What stands within a word is a part of the word; behind a backslash, `r` would be one of an escape.
        if !all.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '\\') {
            all.push_str("r8_");
            all.push_str(HUSH);
        }
        all.push_str(part);
    }
    all
}
