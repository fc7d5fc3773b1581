//! The page, in a real browser.

use crate::browser::Browser;
use crate::metrics::samples;
use crate::past::{self, Past};
use crate::sandboxed::Replicate;
use crate::support::{Home, PATIENCE, Warmd, wait_until};
use crate::web::{get, home_at, port};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use warmd::clock::Stopwatch;
use warmd::sandbox::{Conduct, Spread};

/// A daemon with a past, and where it is looked at.
struct Shown {
    home: Home,
    warmd: Warmd,
    replicate: Replicate,
    address: SocketAddr,
    url: String,
}

impl Shown {
    /// Models like those of a small team.
    fn team() -> Self {
        let conduct = Conduct { boot: Spread::fixed(Duration::from_millis(300)), ..Conduct::default() };
        let replicate = Replicate::of_models(4, &conduct);
        let now = warmd::clock::now();
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
                Some((from, to)) => {
                    from[..2].parse::<i64>().unwrap() - shift..to[..2].parse::<i64>().unwrap() - shift
                }
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
            "\n[models.upscaler]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"1s\"\n\
             \n[models.old-model]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\nenabled = false\n",
        );
        Self::with(&text, &pasts, replicate, now)
    }

    /// So many models, closed for good: nothing changes any more.
    fn fleet(count: u32) -> Self {
        let now = warmd::clock::now();
        let always = "active = [\"always\"]\nclosed = [\"2020-01-01..2099-12-31\"]";
        let mut text = String::new();
        let mut pasts = Vec::new();
        for name in (0..count).map(|number| format!("model-{number:03}")) {
            write!(text, "[models.{name}]\ncog = \"http://127.0.0.1:1\"\n{always}\n").unwrap();
            pasts.push(Past {
                model: name,
                since: now - TimeDelta::hours(20),
                until: now,
                interval: TimeDelta::minutes(10),
                hours: 0..24,
                one_cold_in: 20,
                silent: TimeDelta::minutes(30),
                millis: 400,
            });
        }
        Self::with(&text, &pasts, Replicate::of_models(0, &Conduct::default()), now)
    }

    fn with(text: &str, pasts: &[Past], replicate: Replicate, now: DateTime<Utc>) -> Self {
        let home = home_at("127.0.0.1:0", text);
        past::write(&home.path("warmd.db"), pasts, now);
        let warmd = home.start();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&warmd)));
        Self { home, warmd, replicate, address, url: format!("http://{address}/") }
    }

    /// Waits until the team's models have been asked, and asks no more.
    fn settle(&self) {
        for name in ["llama-3-70b", "sdxl", "whisper-large"] {
            self.home.model_when(name, "asked, or closed", |model| {
                model["last"] != Value::Null || model["window"]["open"] == false
            });
        }
        self.home.model_when("upscaler", "failing", |model| model["state"] == "failing");
        assert!(self.home.ctl(&["pause", "--all"]).status.success());
        let mut before = Value::Null;
        wait_until("nothing is in flight", PATIENCE, || {
            std::thread::sleep(Duration::from_secs(1));
            let counts: Value = self.models("24h").values().map(|model| model["counts"].clone()).collect();
            std::mem::replace(&mut before, counts.clone()) == counts
        });
    }

    /// Asserts that the export of a model adds up to what the report says of it.
    fn export_adds_up(&self, name: &str, since: &str, model: &Value) {
        let export = self.home.json(&["export", name, "--format", "json", "--since", since]);
        let intervals = export["intervals"].as_array().unwrap();
        let sum = |part: &str, key: &str| -> f64 {
            intervals.iter().map(|interval| interval[part][key].as_f64().unwrap_or(0.0)).sum()
        };
        for (outcome, count) in model["counts"].as_object().unwrap() {
            assert_eq!(Some(sum("counts", outcome)), count.as_f64(), "{name}: {outcome}");
        }
        let later = &self.models(since)[name];
        for key in ["warm", "cold", "unknown", "open", "cold_heartbeats"] {
            let (sum, before) = (sum("hours", key), model["hours"][key].as_f64().unwrap());
            let after = later["hours"][key].as_f64().unwrap();
            assert!(
                (before - 1e-3..=after + 1e-3).contains(&sum),
                "{name}: hours {key}: {before} {sum} {after}"
            );
        }
    }

    /// The report, by model.
    fn models(&self, since: &str) -> BTreeMap<String, Value> {
        let report = self.home.json(&["status", "--since", since]);
        let models = report["models"].as_array().unwrap();
        models.iter().map(|model| (model["name"].as_str().unwrap().to_owned(), model.clone())).collect()
    }
}

/// The figures that a page shows of each model, by their keys in the report.
const FIGURES: &str = r#"
    const models = {};
    for (const model of document.querySelectorAll("[data-model]")) {
        const figures = models[model.dataset.model] = {};
        for (const figure of model.querySelectorAll("data[data-of]")) {
            const key = figure.dataset.of;
            if (key in figures && figures[key] !== figure.value) throw new Error(`${key} is told twice`);
            figures[key] = figure.value;
        }
    }
    return models;
"#;

/// Asserts that what is shown of a model is what the report says of it: before it was shown, after it, or
/// between the two, since what no answer vouches for grows with the time.
fn agree(shown: &Value, before: &Value, after: &Value) -> usize {
    let at = |model: &Value, key: &str| key.split('.').fold(model.clone(), |value, key| value[key].clone());
    let figures = shown.as_object().unwrap();
    for (key, shown) in figures {
        let (before, after) = (at(before, key), at(after, key));
        let shown = shown.as_str().unwrap();
        if let (Some(before), Some(after)) = (before.as_f64(), after.as_f64()) {
            let shown: f64 = shown.parse().unwrap();
            // A reader of JSON may err in a number's last bit.
            let (least, most) = (before.min(after) * (1.0 - 1e-12), before.max(after) * (1.0 + 1e-12));
            assert!((least..=most).contains(&shown), "{key}: {before} {shown} {after}");
        } else {
            assert_eq!(Some(shown), after.as_str(), "{key}");
        }
    }
    figures.len()
}

/// What a reader would stumble over, of any page.
fn is_sound(browser: &Browser) {
    let wrong = browser.run(
        r#"
        const wrong = [];
        const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
        if (new Set(ids).size !== ids.length) wrong.push("an id is there twice");
        if (document.documentElement.scrollWidth > innerWidth) wrong.push("it is wider than the window");
        for (const picture of document.querySelectorAll("svg:not([aria-hidden])")) {
            if (!picture.getAttribute("aria-label")) wrong.push("a picture without words");
        }
        // Labels of pictures lie within them.
        for (const label of document.querySelectorAll("svg text")) {
            const [own, paper] = [label, label.ownerSVGElement].map((element) => element.getBoundingClientRect());
            if (own.left < paper.left - 1 || own.right > paper.right + 1) wrong.push(`"${label.textContent}" is cut off`);
        }
        for (const input of document.querySelectorAll("input[type=search]")) {
            if (!input.labels.length) wrong.push("a field without a label");
        }
        const levels = [...document.querySelectorAll("h1, h2, h3")].map((heading) => Number(heading.localName[1]));
        if (levels[0] !== 1 || levels.some((level, n) => n && level > levels[n - 1] + 1)) wrong.push(`headings ${levels}`);
        // Contrast as the Web Content Accessibility Guidelines 2.2 define it; 4.5 for text.
        const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
            .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
        // Every state that there may be is judged, not only those that there are.
        const states = ["disabled", "paused", "idle", "blocked", "failing", "booting", "warm", "cold", "unknown"];
        const pills = document.querySelector("table.models tbody td.how");
        if (pills) pills.innerHTML += states.map((state) => `<span class="pill ${state}">${state}</span>`).join(" ");
        const parts = (color) => color.match(/[\d.]+/g).map(Number);
        const ground = (element) => {
            for (let at = element; at; at = at.parentElement) {
                const color = parts(getComputedStyle(at).backgroundColor);
                if (color.length === 3 || color[3] === 1) return color;
            }
            return [255, 255, 255];
        };
        for (const element of document.querySelectorAll("main *, footer *")) {
            const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
            if (!own || element.closest("svg, .unseen") || !element.checkVisibility()) continue;
            const [a, b] = [parts(getComputedStyle(element).color), ground(element)].map(light);
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (contrast < 4.5) wrong.push(`${element.className || element.localName}: ${contrast.toFixed(2)}`);
            for (let at = element; at; at = at.parentElement) {
                if (getComputedStyle(at).opacity !== "1") wrong.push(`${at.className}: seen through`);
            }
        }
        return [...new Set(wrong)];
        "#,
    );
    assert_eq!(wrong, json!([]));
}

/// Asserts that nothing went wrong, and that nobody else was asked.
fn kept_to_itself(browser: &Browser, url: &str) {
    assert_eq!(browser.console(), [""; 0]);
    let requests = browser.requests();
    assert!(requests.len() >= 3, "{requests:?}");
    for request in requests {
        let own = request.starts_with(url) || request.starts_with("data:") || request.starts_with("about:");
        assert!(own || request.starts_with("chrome://"), "{request}");
    }
}

#[test]
fn its_figures_are_those_of_the_report() {
    let shown = Shown::team();
    shown.settle();
    let browser = Browser::start();
    for since in ["24h", "7d"] {
        let before = shown.models(since);
        browser.open(&format!("{}?since={since}", shown.url));
        let pages = browser.run(FIGURES);
        let after = shown.models(since);
        assert_eq!(pages.as_object().unwrap().len(), before.len());
        for (name, before) in &before {
            let of_all = agree(&pages[name], before, &after[name]);
            // A disabled model has its state alone.
            assert!(of_all >= if name == "old-model" { 1 } else { 3 }, "{name}: {pages}");
            let before = &shown.models(since)[name];
            browser.open(&format!("{}models/{name}?since={since}", shown.url));
            let of_one = agree(&browser.run(FIGURES)[name], before, &shown.models(since)[name]);
            assert!(of_one >= of_all, "{name}");
            if before["latency"]["cold"] != Value::Null {
                assert!(of_one >= 20, "{name}: {of_one} figures");
            }
            shown.export_adds_up(name, since, before);
            assert_eq!(before["hours"]["open"] == 0.0, name == "old-model", "{before}");
        }
    }
    kept_to_itself(&browser, &shown.url);
}

#[test]
fn three_hundred_models_are_one_page_and_more_are_several() {
    let shown = Shown::fleet(301);
    let browser = Browser::start();
    let report = shown.models("24h");
    let mut told = BTreeSet::new();
    for page in ["", "?page=2"] {
        browser.open(&format!("{}{page}", shown.url));
        for (name, figures) in browser.run(FIGURES).as_object().unwrap() {
            assert!(agree(figures, &report[name], &report[name]) >= 7, "{name}: {figures}");
            assert!(told.insert(name.clone()), "{name} is on both");
        }
        let expected = if page.is_empty() { 300 } else { 301 };
        assert_eq!(told.len(), expected);
        is_sound(&browser);
    }
    // To look for one asks the server, as without a script.
    browser.open(&shown.url);
    browser.run(
        "document.getElementById('name').value = 'L-29'; document.querySelector('form').requestSubmit();",
    );
    browser.wait_for("the ten that are called so", "document.querySelectorAll('[data-model]').length === 10");
    browser.run("document.querySelector('nav.states a.idle').click();");
    browser.wait_for("they are idle, too", "location.search === '?name=L-29&state=idle'");
    kept_to_itself(&browser, &shown.url);
}

#[test]
fn a_thousand_models_are_shown_in_bounded_time_and_memory() {
    let shown = Shown::fleet(1000);
    let resident =
        || samples(&get(shown.address, "/metrics", "text/plain").body)["process_resident_memory_bytes"];
    let page = || get(shown.address, "/", "text/html").body;
    let (first, before) = (page(), resident());
    assert_eq!(first.matches("data-model=").count(), 300);
    let watch = Stopwatch::start();
    for _ in 0..5 {
        page();
    }
    println!(
        "measured: 300 of a thousand models: {:.1} MB a page, {:.0} ms; memory {:.0} → {:.0} MB",
        first.len() as f64 / 1e6,
        watch.elapsed().as_secs_f64() * 200.0,
        before / 1e6,
        resident() / 1e6
    );
    assert!(first.len() < 4 << 20, "{} bytes", first.len());
    assert!(watch.elapsed() < PATIENCE, "{:?}", watch.elapsed());
    assert!(resident() < before + 64e6, "it does not pile up");
}

#[test]
fn it_is_sound_on_any_screen() {
    let shown = Shown::team();
    shown.home.model_when("upscaler", "failing", |model| model["state"] == "failing");
    let browser = Browser::start();
    for scheme in ["light", "dark"] {
        for width in [320, 390, 800, 1280, 2000] {
            browser.look(width, scheme);
            for path in
                ["", "?since=30d", "models/llama-3-70b", "models/upscaler", "models/nobody", "?state=failing"]
            {
                browser.open(&format!("{}{path}", shown.url));
                is_sound(&browser);
            }
        }
    }
    // What was not found is told by the browser, too.
    let console = browser.console();
    assert!(console.iter().all(|line| line.contains("models/nobody") && line.contains("404")), "{console:?}");
}

#[test]
fn keys_and_the_pointer_reach_what_lies_behind_a_picture() {
    let shown = Shown::team();
    shown.settle();
    let browser = Browser::start();
    browser.look(1280, "light");
    browser.open(&shown.url);
    browser.press("Tab");
    assert_eq!(browser.run("return document.activeElement.textContent"), "Skip to the report");
    let at_strip = "document.activeElement.matches('[data-model=sdxl] svg.strip')";
    for _ in 0..40 {
        browser.press("Tab");
        if browser.run(&format!("return {at_strip}")) == true {
            break;
        }
    }
    assert_eq!(browser.run(&format!("return {at_strip}")), true);
    let tip =
        "return document.querySelector('.tip').hidden ? null : document.querySelector('.tip').textContent";
    let latest = browser.run(tip);
    assert!(latest.as_str().unwrap().contains(':'), "{latest}");
    browser.press("ArrowLeft");
    let before = browser.run(tip);
    assert!(before.as_str().unwrap().contains(':') && before != latest, "{before}");
    browser.press("ArrowRight");
    assert_eq!(browser.run(tip), latest);
    let place = browser.run(
        "const of = document.querySelector('[data-model=whisper-large] .run .warm').getBoundingClientRect();
         return [of.left + of.width / 2, of.top + of.height / 2]",
    );
    browser.point(place[0].as_f64().unwrap(), place[1].as_f64().unwrap());
    browser.wait_for("the tip tells of it", "document.querySelector('.tip').textContent.includes('warm')");
    kept_to_itself(&browser, &shown.url);
}

#[test]
fn it_follows_what_happens_and_says_when_nobody_answers() {
    let shown = Shown::team();
    shown.settle();
    let browser = Browser::start();
    browser.open(&format!("{}models/whisper-large", shown.url));
    browser.run(
        "document.querySelector('details summary').click(); document.querySelector('svg.week').focus();",
    );
    let count = "Number(document.querySelector('[data-of=\"counts.warm\"]').value)";
    let before = browser.run(&format!("return {count}"));
    assert_eq!(shown.home.json(&["beat", "whisper-large"])["heartbeat"]["outcome"], "warm");
    browser.wait_for("one more", &format!("{count} === {before} + 1"));
    assert_eq!(browser.run("return document.querySelector('details').open"), true);
    assert_eq!(browser.run("return document.activeElement.matches('svg.week')"), true);
    assert_eq!(browser.run("return document.querySelectorAll('.run title').length"), 0);
    kept_to_itself(&browser, &shown.url);
    let port = shown.url.rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let Shown { home, warmd, replicate: _replicate, .. } = shown;
    assert!(warmd.stop().success());
    browser.wait_for("it says so", "!document.getElementById('lost').hidden");
    let config = std::fs::read_to_string(home.config()).unwrap();
    home.write_whole(&config.replace("127.0.0.1:0", &format!("127.0.0.1:{port}")));
    let _warmd = home.start();
    browser.wait_for("it is back", "document.getElementById('lost').hidden");
}

#[test]
fn without_a_script_it_shows_the_same_and_what_is_asked_of_it_stays_text() {
    let shown = Shown::team();
    shown.settle();
    for path in ["/", "/models/sdxl"] {
        let page = get(shown.address, path, "text/html");
        assert_eq!(page.status, 200);
        assert!(
            page.headers
                .contains("content-security-policy: default-src 'none'; style-src 'self'; script-src")
        );
        assert!(!page.headers.contains("unsafe"), "{}", page.headers);
        assert!(
            page.body.contains("<noscript><meta http-equiv=\"refresh\" content=\"60\">"),
            "{}",
            page.body
        );
        assert!(
            page.body.contains("data-of=\"latency.cold.p50\"") && page.body.contains("<title>"),
            "{}",
            page.body
        );
        for unruly in [" style=", " onclick=", "<style", "javascript:", "http://www", "https://"] {
            assert!(!page.body.contains(unruly), "{path}: {unruly}");
        }
    }
    let browser = Browser::start();
    browser.scripts(false);
    browser.open(&shown.url);
    // What the tests ask the page needs a script; the page has been read without any by now.
    browser.scripts(true);
    assert_eq!(browser.run("return document.querySelector('meta[http-equiv=refresh]').content"), "60");
    assert_eq!(browser.run("return document.querySelector('.tip')"), Value::Null);
    assert_eq!(browser.run(FIGURES).as_object().unwrap().len(), 6);
    is_sound(&browser);
    kept_to_itself(&browser, &shown.url);
    let hostile = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for (path, status) in [
        (format!("/?name={hostile}"), 200),
        (format!("/?since={hostile}"), 400),
        (format!("/?{hostile}=1"), 400),
        (format!("/models/{hostile}"), 404),
        (format!("/models/sdxl?since={hostile}"), 400),
        ("/?page=999999999999999999999".to_owned(), 400),
    ] {
        let page = get(shown.address, &path, "text/html");
        assert_eq!(page.status, status, "{path}: {}", page.body);
        assert!(
            page.headers.contains("content-type: text/html") && !page.body.contains("<script>"),
            "{path}"
        );
    }
    assert_eq!(get(shown.address, "/assets/page.html", "*/*").status, 404);
    for (name, kind) in
        [("page.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        let asset = get(shown.address, &format!("/assets/{name}"), "*/*");
        assert!(asset.status == 200 && asset.headers.contains(&format!("content-type: {kind}")), "{name}");
    }
}

/// Draws the pictures of the documents.
#[test]
#[ignore = "writes pictures to look at"]
fn pictures_for_the_documents() {
    let shown = Shown::team();
    for name in ["llama-3-70b", "sdxl", "whisper-large"] {
        shown
            .home
            .model_when(name, "warm", |model| model["state"] == "warm" || model["window"]["open"] == false);
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
