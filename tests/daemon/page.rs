//! The page, in a real browser.

use crate::browser::Browser;
use crate::past::{self, Past};
use crate::sandboxed::Replicate;
use crate::support::{Home, Warmd};
use crate::web::{home_at, port};
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;
use warmd::sandbox::{Conduct, Spread};

/// A daemon with a past, and where it is looked at.
struct Shown {
    home: Home,
    _warmd: Warmd,
    _replicate: Replicate,
    url: String,
}

impl Shown {
    /// Models like those of a small team.
    fn team() -> Self {
        let conduct = Conduct { boot: Spread::fixed(Duration::from_secs(2)), ..Conduct::default() };
        let replicate = Replicate::of_models(4, &conduct);
        let now = Utc::now();
        let hours = |from: i64, to: i64| format!("{from:02}:00-{to:02}:00");
        let models = [
            ("llama-3-70b", hours(6, 23), 400, 420, 0),
            ("sdxl", hours(7, 22), 90, 1900, 0),
            ("whisper-large", "always".to_owned(), 100_000, 260, 45),
            ("embeddings", hours(1, 5), 700, 90, 0),
        ];
        let mut text = format!("[replicate]\nbase_url = \"{}\"\n", replicate.sandbox().base_url());
        let mut pasts = Vec::new();
        for (number, (name, active, one_cold_in, millis, silent)) in models.into_iter().enumerate() {
            let zone = if number == 0 { "Europe/Berlin" } else { "UTC" };
            let shift = i64::from(number == 0);
            let hours = match active.split_once('-') {
                Some((from, to)) => from[..2].parse::<i64>().unwrap() - shift..to[..2].parse::<i64>().unwrap() - shift,
                None => 0..24,
            };
            write!(
                text,
                "\n[models.{name}]\nreplicate = \"acme/model-{number:02}\"\nactive = [\"{active}\"]\n\
                 timezone = \"{zone}\"\ninterval = \"10s\"\n"
            )
            .unwrap();
            pasts.push(Past {
                model: name.to_owned(),
                since: now - TimeDelta::hours(60),
                until: now,
                interval: TimeDelta::seconds(30),
                hours,
                one_cold_in,
                silent: TimeDelta::minutes(silent),
                millis,
            });
        }
        text.push_str(
            "\n[models.upscaler]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"5s\"\n\
             \n[models.old-model]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\nenabled = false\n",
        );
        Self::with(&text, &pasts, replicate, now)
    }

    fn with(text: &str, pasts: &[Past], replicate: Replicate, now: DateTime<Utc>) -> Self {
        let home = home_at("127.0.0.1:0", text);
        past::write(&home.path("warmd.db"), pasts, now);
        let warmd = home.start();
        let url = format!("http://127.0.0.1:{}/", port(&warmd));
        Self { home, _warmd: warmd, _replicate: replicate, url }
    }
}

/// Draws the pictures of the documents.
#[test]
#[ignore = "writes pictures to look at"]
fn pictures_for_the_documents() {
    let shown = Shown::team();
    for name in ["llama-3-70b", "sdxl", "whisper-large"] {
        shown.home.model_when(name, "warm", |model| model["state"] == "warm");
    }
    shown.home.model_when("upscaler", "failing", |model| model["state"] == "failing");
    let browser = Browser::start();
    let folder = std::env::var("PICTURES").unwrap_or_else(|_| "target/pictures".to_owned());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (page, path) in [("all", ""), ("one", "models/sdxl")] {
        for scheme in ["light", "dark"] {
            for (size, width) in [("wide", 1280), ("narrow", 390)] {
                browser.look(width, scheme);
                browser.open(&format!("{}{path}", shown.url));
                let file = folder.join(format!("page-{page}-{scheme}-{size}.png"));
                std::fs::write(file, browser.picture()).unwrap();
            }
        }
    }
}
