//! What `warmctl status` shows, whole: one Snapshot, drawn at several widths and compared line by
//! line with what a person has looked at and found good.
//!
//! `UPDATE_GOLDEN=1 cargo test --test ctl_status` writes the pictures anew, to be looked at again.

#![expect(clippy::unwrap_used, reason = "a test ends where what it rests on is not so")]

use std::path::{Path, PathBuf};
use warmd::ctl::{Look, overview, picture};
use warmd::status::Snapshot;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ctl_status").join(name)
}

fn snapshot() -> Snapshot {
    serde_json::from_str(&std::fs::read_to_string(file("snapshot.json")).unwrap()).unwrap()
}

#[track_caller]
fn golden(name: &str, drawn: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file(name), drawn).unwrap();
    }
    let kept = std::fs::read_to_string(file(name)).unwrap_or_default();
    assert_eq!(drawn, kept, "{name} is drawn otherwise:\n{drawn}");
}

fn model(snapshot: &Snapshot, name: &str, width: usize) -> String {
    let model = snapshot.models.iter().find(|model| model.name == name).unwrap();
    picture(snapshot, model, &Look::plain(width))
}

#[test]
fn all_models_at_three_widths() {
    for width in [60, 80, 140] {
        golden(&format!("all-{width}.txt"), &overview(&snapshot(), &Look::plain(width)));
    }
}

#[test]
fn each_model_s_picture() {
    for (name, width) in [("llama", 80), ("whisper-large-v3", 80), ("sdxl", 100), ("upscaler", 80)] {
        golden(&format!("{name}-{width}.txt"), &model(&snapshot(), name, width));
    }
}

#[test]
fn a_refused_configuration_is_told_first_and_loudly() {
    let mut snapshot = snapshot();
    snapshot.daemon.config_error =
        Some("warm.toml:3:1: unknown key `intervl`; did you mean `interval`? (and 4 more)".to_owned());
    snapshot.daemon.notes = vec!["[daemon] changed: restart warmd for it to take effect".to_owned()];
    snapshot.models.truncate(1);
    golden("refused-80.txt", &overview(&snapshot, &Look::plain(80)));
}

#[test]
fn a_daemon_without_models_says_so() {
    let mut snapshot = snapshot();
    snapshot.models.clear();
    golden("none-80.txt", &overview(&snapshot, &Look::plain(80)));
}

#[test]
fn many_models_with_one_reason_share_its_line() {
    let mut snapshot = snapshot();
    let blocked = snapshot.models.iter().find(|model| model.name == "flux").unwrap().clone();
    snapshot.models.clear();
    for n in 1..=20 {
        let mut model = blocked.clone();
        model.name = format!("flux-{n}");
        snapshot.models.push(model);
    }
    let text = overview(&snapshot, &Look::plain(120));
    assert_eq!(text.matches("insufficient credit:").count(), 1, "{text}");
    assert!(text.contains("\nflux-1, flux-2, flux-3 and 17 more blocked: "), "{text}");
}

#[test]
fn no_line_is_wider_than_the_screen() {
    let snapshot = snapshot();
    for width in 40..=160 {
        let look = Look { color: false, ..Look::plain(width) };
        let mut text = overview(&snapshot, &look);
        for model in &snapshot.models {
            text.push_str(&picture(&snapshot, model, &look));
        }
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
            assert_eq!(line, line.trim_end(), "{width}");
        }
    }
}

#[test]
fn colours_change_no_letter() {
    let snapshot = snapshot();
    let bare = |text: &str| {
        let mut bare = String::new();
        let mut in_code = false;
        for c in text.chars() {
            match c {
                '\u{1b}' => in_code = true,
                'm' if in_code => in_code = false,
                _ if in_code => {}
                _ => bare.push(c),
            }
        }
        bare
    };
    let plain = Look::plain(100);
    let colored = Look { color: true, ..plain };
    assert_ne!(overview(&snapshot, &colored), overview(&snapshot, &plain));
    assert_eq!(bare(&overview(&snapshot, &colored)), overview(&snapshot, &plain));
    for model in &snapshot.models {
        assert_eq!(bare(&picture(&snapshot, model, &colored)), picture(&snapshot, model, &plain));
    }
}

#[test]
fn what_a_provider_says_controls_no_terminal() {
    let mut snapshot = snapshot();
    let evil = "\u{1b}[2J\u{7}gone\r\nwarm".to_owned();
    for model in &mut snapshot.models {
        model.reason = Some(evil.clone());
        model.reference.clone_from(&evil);
        model.notes = vec![evil.clone()];
        if let Some(last) = &mut model.last {
            last.error = Some(evil.clone());
        }
    }
    snapshot.daemon.config_error = Some(evil.clone());
    let mut text = overview(&snapshot, &Look::plain(100));
    for model in &snapshot.models {
        text.push_str(&picture(&snapshot, model, &Look::plain(100)));
    }
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
}
