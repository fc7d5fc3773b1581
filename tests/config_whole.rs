//! Whole files in, whole outputs out: what a user of `warmctl check` sees.

#![expect(clippy::unwrap_used, reason = "what a test unwraps is what it tests")]

use std::fs;
use std::path::Path;
use warmd::config::{self, Env, Loaded, Problems};
use warmd::ctl::{Look, check};
use warmd::hours::zone::Zones;

fn check_text(text: &str) -> Result<Loaded, Problems> {
    config::check_text(Path::new("warm.toml"), text, &Env::default(), &Zones::built_in())
}

fn load(path: &Path) -> Result<Loaded, Problems> {
    config::load(path, &Env::default(), &Zones::built_in())
}

fn said(path: &Path) -> String {
    let problems = load(path).unwrap_err();
    assert_eq!(problems.0.len(), 1);
    problems.to_string()
}

#[test]
fn ten_mistakes_are_ten_problems() {
    let problems = check_text(include_str!("config/ten.toml")).unwrap_err();
    assert_eq!(problems.0.len(), 10);
    let drawn = problems.render(false, 100);
    assert_eq!(drawn, include_str!("config/ten.txt"), "as drawn now:\n{drawn}");
    assert!(!drawn.contains("r8_0123"), "a secret");
}

#[test]
fn broken_syntax_does_not_hide_what_follows() {
    let problems = check_text(include_str!("config/broken.toml")).unwrap_err();
    let drawn = problems.render(false, 100);
    assert_eq!(drawn, include_str!("config/broken.txt"), "as drawn now:\n{drawn}");
}

#[test]
fn the_json_has_the_contract_s_keys() {
    let problems =
        check_text("[models.sdxl]\ncog = \"http://box\"\nactive = [\"always\"]\nintervl = \"30s\"\n");
    let report = serde_json::to_value(check::refused(problems.unwrap_err())).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["ok"], false);
    assert_eq!(report["models"], serde_json::json!([]));
    let problem = report["problems"][0].as_object().unwrap();
    assert_eq!(problem.keys().collect::<Vec<_>>(), ["file", "line", "column", "key", "message"]);
    assert_eq!(problem["file"], "warm.toml");
    assert_eq!((&problem["line"], &problem["column"]), (&4.into(), &1.into()));
    assert_eq!(problem["key"], "models.sdxl.intervl");
    let message = problem["message"].as_str().unwrap();
    assert!(
        message.starts_with("unknown key `intervl` in [models.sdxl]; did you mean `interval`?"),
        "{message}"
    );
    let back: Problems = serde_json::from_value(report["problems"].clone()).unwrap();
    assert!(back.render(false, 100).contains("warm.toml:4:1"), "what came over a wire is drawn too");
}

#[test]
fn check_tells_whom_alerts_tell_of_what() {
    let loaded = check_text(
        "[models.llama]\ncog = \"http://box\"\nactive = [\"always\"]\n\
         [[alerts]]\nname = \"ops\"\nwhen = [\"cold\", \"recovered\"]\nafter = 3\nrepeat = \"4h\"\n\
         webhook = \"https://hooks.slack.com/services/hush\"\nformat = \"slack\"\n\
         [[alerts]]\nmodels = [\"llama\"]\nafter = \"2m\"\ncommand = [\"/bin/tell\", \"hush\"]\n\
         [[alerts]]\nwebhook_env = \"NOWHERE\"\n[[alerts]]\ncommand = [\"x\"]\nenabled = false\n",
    );
    let report = check::report(&loaded.unwrap(), warmd::clock::now(), &Env::default());
    let text = report.text(&Look::plain(200));
    for line in [
        "alert ops: cold, recovered of all models, after 3 in a row, again every 4h → https://hooks.slack.com (slack)",
        "alert alert-2: cold, failing, blocked, config_error, recovered of llama, after 2m → /bin/tell",
        "alert alert-4: disabled",
        "no URL: tried $NOWHERE (not set); put it there; warmd will not start without it",
    ] {
        assert!(text.contains(line), "no {line} in:\n{text}");
    }
    assert!(!text.contains("hush"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    let ops = &json["alerts"][0];
    assert_eq!((&ops["to"], &ops["after_count"]), (&"https://hooks.slack.com".into(), &3.into()));
    assert_eq!((&ops["repeat"], &ops["format"]), (&14_400.0.into(), &"slack".into()));
    assert_eq!(json["alerts"][1]["after_seconds"], 120.0);
    assert_eq!(json["warnings"][0]["key"], "alerts[3].webhook_env");
}

#[test]
fn the_shipped_file_passes_and_has_nothing_to_warn_of() {
    let loaded = check_text(include_str!("../warm.toml")).unwrap();
    assert_eq!(loaded.warnings, []);
    let names: Vec<_> = loaded.config.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["sdxl", "whisper"]);
}

/// The shipped file's commented keys, too, are right, and are the defaults.
#[test]
fn the_shipped_file_s_comments_are_the_defaults() {
    let shipped = include_str!("../warm.toml");
    let is_key = |line: &str| {
        let word = line.split('=').next().unwrap_or_default().trim_end();
        !word.is_empty() && line.contains('=') && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    };
    let uncommented: Vec<_> = shipped
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some("[daemon]") => "[daemon]",
            Some(key) if is_key(key) && !key.starts_with("token_") && !key.starts_with("probe") => {
                if key.starts_with("enabled") { "enabled = true" } else { key }
            }
            _ => line,
        })
        .collect();
    // Where the service runs.
    let env = Env::from([("RUNTIME_DIRECTORY", "/run/warmd"), ("STATE_DIRECTORY", "/var/lib/warmd")]);
    let config = |text: &str| {
        config::check_text(Path::new("warm.toml"), text, &env, &Zones::built_in()).unwrap().config
    };
    let changes = config(shipped).diff(&config(&uncommented.join("\n")));
    assert_eq!(changes.lines(), Vec::<String>::new());
}

#[test]
fn the_shipped_file_s_alerts_work_once_their_marks_are_taken_away() {
    let shipped = include_str!("../warm.toml");
    // Remarks have a blank behind their mark.
    let lines = shipped.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with("[[") || rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
        Some(_) | None => line,
    });
    let loaded = check_text(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    let told: Vec<_> =
        loaded.config.alerts.iter().map(|alert| (alert.name.as_str(), alert.target.place())).collect();
    assert_eq!(
        told,
        [
            ("ops", "the URL in /etc/warmd/slack-webhook".to_owned()),
            ("pager", "/usr/local/bin/page".to_owned())
        ]
    );
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let missing = folder.path().join("warm.toml");
    assert_eq!(
        said(&missing),
        format!(
            "{}:1:1: there is no such file: write one, or name another with --config or $WARMD_CONFIG",
            missing.display()
        )
    );
    assert!(said(folder.path()).contains("this is a directory"));
    assert!(said(&file("large", &vec![b'#'; 1_000_001])).contains("larger than 1 MB"));
    assert!(said(&file("binary", b"a = 1\n\xc3\xa9\xff = 2")).contains("binary:2:2: byte 8 is not UTF-8"));
    assert!(said(&file("zero", b"a = 1\nb\0 = 2")).contains("zero:2:2: a zero byte"));
    for (name, text) in
        [("empty", ""), ("comment", "# nothing\n"), ("no-models", "[models]\n"), ("bom", "\u{feff}")]
    {
        let said = said(&file(name, text.as_bytes()));
        assert!(said.contains("no models") && said.contains("active = [\"always\"]"), "{name}: {said}");
    }
    let marked = load(&file("marked", "\u{feff}cog = 1\n".as_bytes())).unwrap_err();
    assert_eq!((marked.0[0].line, marked.0[0].column), (1, 1));
}

#[test]
fn the_file_is_found_where_it_was_named() {
    let named = Env::from([("WARMD_CONFIG", "/of/the/variable.toml")]);
    assert_eq!(config::find(Some(Path::new("/of/the/flag.toml")), &named), Path::new("/of/the/flag.toml"));
    assert_eq!(config::find(None, &named), Path::new("/of/the/variable.toml"));
    // Tests run where the crate's own warm.toml is.
    assert_eq!(config::find(None, &Env::default()), Path::new("warm.toml"));
}

#[test]
fn check_tells_windows_heartbeats_and_the_share_of_the_limit() {
    let loaded = check_text(
        r#"
        [replicate]
        creates_per_minute = 5
        [models.office]
        replicate = "me/office"
        active = ["Mon-Fri 08:00-20:00"]
        timezone = "Europe/Berlin"
        [models.other]
        replicate = "me/other"
        active = ["always"]
        interval = "10s"
        closed = ["2026-11-20..2026-11-22"]
        [models.cog]
        cog = "http://127.0.0.1:5000"
        active = ["always"]
        [models.off]
        deployment = "me/off"
        active = ["always"]
        enabled = false
        "#,
    )
    .unwrap();
    let env = Env::from([("REPLICATE_API_TOKEN", "r8_hush")]);
    let report = check::report(&loaded, "2026-11-20T12:00:00Z".parse().unwrap(), &env);
    let text = report.text(&Look::plain(120));
    assert_eq!(text, include_str!("config/report.txt"), "as told now:\n{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(json["problems"], serde_json::json!([]));
    let a_day = json["models"][0]["heartbeats_per_day"].as_f64().unwrap();
    assert!((a_day - 60.0 / 7.0 * 120.0).abs() < 1e-6, "{a_day}");
    assert_eq!(json["models"][0]["share"], 0.4);
    assert_eq!(json["models"][1]["window"]["opens_at"], "2026-11-23T00:00:00.000Z");
    assert_eq!(json["models"][2]["share"], serde_json::Value::Null);
    assert_eq!(json["accounts"][0]["held"], serde_json::json!(["other"]));
}

#[test]
fn check_warns_of_a_missing_token_once_and_only_where_it_is_needed() {
    let report = |text: &str| {
        let loaded = check_text(text).unwrap();
        let report = check::report(&loaded, "2026-11-20T12:00:00Z".parse().unwrap(), &Env::default());
        report.warnings.iter().map(|warning| warning.key.clone()).collect::<Vec<_>>()
    };
    let model = |name: &str, rest: &str| format!("[models.{name}]\nactive = [\"always\"]\n{rest}\n");
    let replicate = "replicate = \"me/mine\"";
    assert_eq!(report(&(model("a", replicate) + &model("b", replicate))), ["models.a.replicate"]);
    assert_eq!(report(&model("a", "cog = \"http://box\"")), [""; 0]);
    assert_eq!(report(&model("a", &format!("{replicate}\nenabled = false"))), [""; 0]);
    assert_eq!(report(&model("a", &format!("{replicate}\ntoken_env = \"OTHER\""))), ["models.a.token_env"]);
}
