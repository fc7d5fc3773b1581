//! Secrets of each kind at each key of `warm.toml`: none is repeated, wherever it stands.

#![expect(clippy::unwrap_used, reason = "what a test unwraps is what it tests")]

use std::path::Path;
use warmd::config::{self, Env};
use warmd::ctl::{Look, check};
use warmd::hours::zone::Zones;

#[path = "config/secrets.rs"]
mod secrets;

use secrets::{KEYS, SECRETS};

/// All that is said of a file, to people and to programs; and whether it is refused.
fn said(text: &str) -> (String, bool) {
    let env = Env::from([("HOOK", "https://example.com/x")]);
    match config::check_text(Path::new("warm.toml"), text, &env, &Zones::built_in()) {
        Err(problems) => {
            let report = check::refused(problems.clone());
            let json = serde_json::to_string_pretty(&report).unwrap();
            (format!("{}{problems}{json}", problems.render(false, 400)), true)
        }
        Ok(loaded) => {
            let report = check::report(&loaded, warmd::clock::now(), &env);
            let json = serde_json::to_string_pretty(&report).unwrap();
            let nothing = config::check_text(Path::new("x"), secrets::GOOD, &env, &Zones::built_in());
            let changes = nothing.unwrap().config.diff(&loaded.config).lines().concat();
            let warnings: String = loaded.warnings.iter().map(ToString::to_string).collect();
            (format!("{}{json}{changes}{warnings}", report.text(&Look::plain(400))), false)
        }
    }
}

#[test]
fn no_secret_at_any_key_is_repeated() {
    for secret in SECRETS {
        for key in KEYS {
            let text = key.file(secret.text);
            let (said, refused) = said(&text);
            for hidden in secret.hidden {
                assert!(!said.contains(hidden), "{} at {}:\n{text}\n{said}", secret.text, key.name);
            }
            assert!(refused || key.may_hold, "{} at {}:\n{text}\n{said}", secret.text, key.name);
        }
    }
}

/// A text as TOML's escapes have it.
fn escape(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<Vec<_>>().concat()
}

/// As above, where TOML's escapes hide what it is from whoever reads the text alone.
#[test]
fn nor_behind_escapes() {
    for secret in SECRETS {
        let escaped = escape(secret.text);
        for key in KEYS {
            let text = key.file(&escaped);
            let (said, _) = said(&text);
            for hidden in secret.hidden {
                let behind = escape(hidden);
                assert!(
                    !said.contains(hidden) && !said.contains(&behind),
                    "{} at {}:\n{text}\n{said}",
                    secret.text,
                    key.name
                );
            }
        }
    }
}

/// The quotes around it are missing, at its end or at both.
#[test]
fn nor_where_the_syntax_is_broken() {
    for secret in SECRETS {
        for key in KEYS {
            let whole = key.file(secret.text);
            let open = whole.replacen(&format!("{}\"", secret.text), secret.text, 1);
            let bare = open.replacen(&format!("\"{}", secret.text), secret.text, 1);
            for text in [open, bare] {
                let (said, _) = said(&text);
                // The dots of a JSON Web Token part a bare name into tables; its first part is no secret.
                let names = ["hours.NAME", "models.NAME", "a table", "models' value"];
                let in_a_name = secret.text.starts_with("eyJ") && names.contains(&key.name);
                for hidden in secret.hidden.iter().skip(usize::from(in_a_name)) {
                    assert!(!said.contains(hidden), "{} at {}:\n{text}\n{said}", secret.text, key.name);
                }
            }
        }
    }
}
