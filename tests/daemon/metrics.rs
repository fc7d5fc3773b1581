//! The metrics, judged by those who read them: promtool, Prometheus, its Python library.

use crate::port::Port;
use crate::python::{python_with, text as said};
use crate::sandboxed::Replicate;
use crate::support::{Home, PATIENCE, Warmd, wait_until};
use crate::web::{Reply, get, listening};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use warmd::clock::Stopwatch;
use warmd::heartbeat::Outcome;
use warmd::sandbox::{Conduct, Spread};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";
const CLASSIC: &str = "text/plain; version=0.0.4";

/// A daemon whose models have met warm and cold ones, and failures.
struct Seen {
    home: Home,
    _warmd: Warmd,
    address: SocketAddr,
    _replicate: Replicate,
}

impl Seen {
    fn all() -> Self {
        let seen = Self::started(Duration::from_secs(3));
        seen.wait();
        seen
    }

    /// One whose models have it all before them, beginning with boots that take so long.
    fn started(boot: Duration) -> Self {
        let conduct = Conduct { boot: Spread::fixed(boot), ..Conduct::default() };
        let replicate = Replicate::of_models(2, &conduct);
        let config = replicate.config(2, "1s")
            + "\n[models.nobody]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"1s\"\n"
            + "\n[models.off]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\nenabled = false\n"
            + "\n[[alerts]]\nname = \"ops\"\ncommand = [\"true\"]\n";
        let (home, warmd, address) = listening(&config);
        Self { home, _warmd: warmd, address, _replicate: replicate }
    }

    fn wait(&self) {
        for name in ["model-00", "model-01"] {
            self.home.model_when(name, "warm and cold ones", |model| {
                model["counts"]["warm"].as_u64() >= Some(4) && model["counts"]["cold"].as_u64() >= Some(1)
            });
        }
        self.home.model_when("nobody", "failing", |model| model["state"] == "failing");
    }

    fn metrics(&self, accept: &str) -> String {
        let Reply { status, headers, body } = get(self.address, "/metrics", accept);
        assert_eq!(status, 200, "{body}");
        assert!(headers.contains(&format!("content-type: {accept}; charset=utf-8")), "{headers}");
        body
    }

    /// Nothing is counted any more.
    fn hold(&self) {
        assert!(self.home.ctl(&["pause", "--all"]).status.success());
        let mut before = Value::Null;
        wait_until("nothing is in flight", PATIENCE, || {
            let models = self.home.status()["models"].clone();
            let counts: Vec<&Value> =
                models.as_array().unwrap().iter().map(|model| &model["counts"]).collect();
            let counts = serde_json::to_value(counts).unwrap();
            std::thread::sleep(Duration::from_secs(1));
            std::mem::replace(&mut before, counts.clone()) == counts
        });
    }
}

/// A program of Debian's package `prometheus`: installed, or unpacked by `tests/run`.
fn program(name: &str) -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/prometheus/usr/bin").join(name);
    if unpacked.exists() { unpacked } else { PathBuf::from(name) }
}

/// What `promtool` says, given `input`, and whether it is content.
fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new(program("promtool"));
    command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/monitoring"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool: tests/run fetches it (Debian's prometheus)");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), said(&output))
}

/// The samples of a text: names with labels as they are written, and values.
pub(crate) fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn promtool_and_the_python_library_find_nothing_wrong() {
    let seen = Seen::all();
    let classic = seen.metrics(CLASSIC);
    // It takes the `hours` in a name for a unit.
    let (_, said_of_it) = promtool(&["check", "metrics"], &classic);
    let taken = "use base unit \"seconds\" instead of \"hours\"";
    assert!(said_of_it.lines().all(|line| line.ends_with(taken)), "{said_of_it}");
    // Each has what the other has.
    seen.hold();
    let (classic, open_metrics) = (seen.metrics(CLASSIC), seen.metrics(OPEN_METRICS));
    let own = |series: &String| !series.starts_with("process_");
    let of = |text: &str| samples(text).into_iter().filter(|(series, _)| own(series)).collect::<Vec<_>>();
    assert_eq!(of(&classic), of(&open_metrics));
    let script = "import sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict\n\
        from prometheus_client.parser import text_string_to_metric_families as classic\n\
        text = open(sys.argv[2]).read()\n\
        for family in (strict if sys.argv[1] == 'strict' else classic)(text):\n\
        \x20   for sample in family.samples: print(sample.name, sorted(sample.labels.items()), sample.value)\n";
    let read = |how: &str, text: &str| {
        let file = seen.home.path("metrics.txt");
        fs::write(&file, text).unwrap();
        let mut command = Command::new(python_with("prometheus_client==0.23.1"));
        let output = command.args(["-c", script, how]).arg(file).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let lines: BTreeSet<String> =
            said(&output).lines().filter(|line| !line.starts_with("process_")).map(str::to_owned).collect();
        lines
    };
    let strict = read("strict", &open_metrics);
    assert_eq!(strict, read("classic", &classic));
    assert_eq!(strict.len(), of(&classic).len());
}

#[test]
fn the_list_of_metrics_is_the_documents() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let documented: Vec<[String; 4]> = document
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<String> =
                line.trim_matches('|').split(" |").map(|cell| cell.trim().to_owned()).collect();
            cells.try_into().unwrap()
        })
        .collect();
    let seen = Seen::all();
    let text = seen.metrics(CLASSIC);
    let told: Vec<[String; 4]> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP "))
        .map(|line| {
            let (name, help) = line.split_once(' ').unwrap();
            let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
            [format!("`{name}`"), kind.to_owned(), labels(&text, name), help.to_owned()]
        })
        .collect();
    assert_eq!(told, documented);
    for word in ["http", "127.0.0.1", "acme"] {
        assert!(!text.contains(word), "{word}");
    }
}

/// The labels of a family's first sample, as the document names them.
fn labels(text: &str, name: &str) -> String {
    let sample = text.lines().find(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| {
            [' ', '{'].iter().any(|next| rest.starts_with(*next)) || rest.starts_with("_count")
        })
    });
    let labels = sample.unwrap().split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
    let names = labels.split("\",").filter_map(|label| Some(format!("`{}`", label.split_once('=')?.0)));
    names.collect::<Vec<_>>().join(", ")
}

#[test]
fn counts_and_sums_are_those_of_status() {
    let seen = Seen::all();
    seen.hold();
    let metrics = samples(&seen.metrics(OPEN_METRICS));
    let value = |series: &str| *metrics.get(series).unwrap_or_else(|| panic!("no {series}"));
    let near = |told: f64, exact: f64| (told - exact).abs() < 1e-6;
    assert_eq!(value("warmd_window_open{model=\"model-00\"}"), 1.0);
    assert_eq!(value("warmd_window_open{model=\"off\"}"), 0.0, "a disabled model has no active hours");
    let status = seen.home.status();
    for model in status["models"].as_array().unwrap() {
        let name = model["name"].as_str().unwrap();
        let provider = if model["kind"] == "cog" { "cog" } else { "replicate" };
        for outcome in Outcome::ALL.map(Outcome::name) {
            let series = format!(
                "warmd_heartbeats_total{{model=\"{name}\",provider=\"{provider}\",outcome=\"{outcome}\"}}"
            );
            assert_eq!(Some(value(&series) as u64), model["counts"][outcome].as_u64(), "{series}");
        }
        let hours = &model["hours"];
        let cold = value(&format!("warmd_cold_in_hours_total{{model=\"{name}\"}}")) as u64;
        assert_eq!(Some(cold), hours["cold_heartbeats"].as_u64());
        for how in ["warm", "cold"] {
            let spent = value(&format!("warmd_hours_seconds_total{{model=\"{name}\",spent=\"{how}\"}}"));
            assert!(near(spent, hours[how].as_f64().unwrap()), "{name} {how}: {spent}, {hours}");
            let of = format!("{{model=\"{name}\",outcome=\"{how}\"}}");
            let Some(count) = model["latency"][how]["count"].as_f64() else {
                assert_eq!(value(&format!("warmd_heartbeat_duration_seconds_count{of}")), 0.0);
                continue;
            };
            let mean = model["latency"][how]["mean"].as_f64().unwrap();
            assert_eq!(value(&format!("warmd_heartbeat_duration_seconds_count{of}")), count);
            assert!(near(value(&format!("warmd_heartbeat_duration_seconds_sum{of}")), mean * count));
        }
        if let Some(boots) = model["boot"]["count"].as_f64() {
            assert_eq!(value(&format!("warmd_boot_duration_seconds_count{{model=\"{name}\"}}")), boots);
        }
        // What an answer may yet vouch for is unknown in the report, and not counted: two intervals, and the
        // time from one look to the next.
        let unknown = value(&format!("warmd_hours_seconds_total{{model=\"{name}\",spent=\"unknown\"}}"));
        assert!(unknown <= hours["unknown"].as_f64().unwrap(), "{name}: {unknown}, {hours}");
        let warm = value(&format!("warmd_model_warm{{model=\"{name}\"}}"));
        assert_eq!(warm == 1.0, model["state"] == "warm");
        let state = model["state"].as_str().unwrap();
        assert_eq!(value(&format!("warmd_model_state{{model=\"{name}\",state=\"{state}\"}}")), 1.0);
    }
    // Paused, they have nobody who vouches for their hours: that is counted, too, though nothing is sent.
    let unknown = "warmd_hours_seconds_total{model=\"model-00\",spent=\"unknown\"}";
    wait_until("unknown hours are counted", PATIENCE * 2, || {
        samples(&seen.metrics(CLASSIC))[unknown] > value(unknown) + 10.0
    });
    let off = "warmd_hours_seconds_total{model=\"off\",spent=\"unknown\"}";
    assert_eq!(value(off), 0.0);
    assert_eq!(value("warmd_state_last_write_successful"), 1.0);
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(get(seen.address, path, "*/*").status, 200);
    }
    seen.home.write("[models.broken");
    wait_until("the refused file shows", PATIENCE, || {
        samples(&seen.metrics(CLASSIC))["warmd_config_last_reload_successful"] == 0.0
    });
}

#[test]
fn a_thousand_models_are_scraped_in_bounded_time_and_memory() {
    let model = |number: u32| {
        format!(
            "[models.model-{number:04}]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\nenabled = false\n"
        )
    };
    let (_home, warmd, address) = listening(&(0..1000).map(model).collect::<String>());
    let resident = |text: &str| samples(text)["process_resident_memory_bytes"];
    let first = get(address, "/metrics", CLASSIC).body;
    assert!(first.len() < 8 << 20, "{} bytes", first.len());
    assert_eq!(first.matches("warmd_model_warm{").count(), 1000);
    let watch = Stopwatch::start();
    let mut last = String::new();
    for _ in 0..20 {
        last = get(address, "/metrics", OPEN_METRICS).body;
    }
    println!(
        "measured: a thousand models: {:.1} MB a scrape, {:.0} ms; memory {:.0} → {:.0} MB",
        last.len() as f64 / 1e6,
        watch.elapsed().as_secs_f64() * 50.0,
        resident(&first) / 1e6,
        resident(&last) / 1e6
    );
    assert!(watch.elapsed() < PATIENCE, "{:?}", watch.elapsed());
    assert!(resident(&last) < resident(&first) + 64e6, "it does not pile up");
    assert!(warmd.stop().success());
}

#[test]
fn the_alert_rules_fire_when_they_should() {
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let (content, said) = promtool(&arguments, "");
        assert!(content, "{said}");
    }
}

/// A Prometheus that scrapes a daemon every second.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _port: Port,
    _folder: TempDir,
}

impl Prometheus {
    fn of(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/monitoring/alerts.yml");
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules:?}]\n\
             scrape_configs:\n  - job_name: warmd\n    static_configs: [{{targets: [\"{target}\"]}}]\n"
        );
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let port = Port::reserve();
        let address = port.address;
        let mut command = Command::new(program("prometheus"));
        command.current_dir(folder.path()).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={address}"));
        command.stderr(fs::File::create(folder.path().join("log")).unwrap());
        let child = command.spawn().expect("prometheus: tests/run fetches it (Debian's prometheus)");
        let own = Self { child, address, _port: port, _folder: folder };
        wait_until("Prometheus answers", PATIENCE, || {
            std::net::TcpStream::connect(address).is_ok() && get(address, "/-/ready", "*/*").status == 200
        });
        own
    }

    /// What a query brings now, by the labels' values in the order of their names.
    fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let reply = get(self.address, &format!("/api/v1/query?query={encoded}"), "application/json");
        assert_eq!(reply.status, 200, "{query}: {}", reply.body);
        let answer: Value = serde_json::from_str(&reply.body).unwrap();
        let results = answer["data"]["result"].as_array().unwrap();
        let value = |result: &Value| result["value"][1].as_str().unwrap().parse().unwrap();
        results.iter().map(|result| (result["metric"].clone(), value(result))).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_prometheus_scrapes_what_status_tells_and_the_dashboard_asks() {
    // What has been there before the first scrape is no rise.
    let seen = Seen::started(Duration::from_secs(8));
    let prometheus = Prometheus::of(seen.address);
    seen.wait();
    wait_until("it has scraped some heartbeats", PATIENCE, || {
        let rate = prometheus.query("sum(rate(warmd_heartbeats_total{outcome=\"warm\"}[10s]))");
        rate.first().is_some_and(|(_, rate)| *rate > 0.5)
    });
    assert_eq!(prometheus.query("up{job=\"warmd\"}").first().map(|(_, up)| *up), Some(1.0));
    let dashboard =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/monitoring/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            // Two hosts may each have a model of that name: they are two, and add up to none.
            assert!(!query.contains("by (model)"), "{query}");
            let legend = target["legendFormat"].as_str().unwrap();
            assert!(!legend.contains("{{model}}") || legend.contains("{{instance}}"), "{legend}");
            let filled = ["$__range", "$__rate_interval"]
                .iter()
                .fold(query.to_owned(), |query, span| query.replace(span, "1m"));
            let filled = filled.replace("$instance", ".*").replace("$model", ".*");
            assert!(!filled.contains('$'), "{filled}");
            wait_until(&format!("{}: {filled} brings something", panel["title"]), PATIENCE, || {
                prometheus.query(&filled).iter().any(|(_, value)| value.is_finite())
            });
            asked += 1;
        }
    }
    assert!(asked >= 15, "{asked}");
    seen.hold();
    let status = seen.home.status();
    wait_until("the last scrape has what status tells", PATIENCE, || {
        let told = prometheus.query("sum by (model) (warmd_heartbeats_total)");
        let models = status["models"].as_array().unwrap();
        models.iter().all(|model| {
            let all: u64 = model["counts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
            told.contains(&(serde_json::json!({ "model": model["name"] }), all as f64))
        })
    });
    // The alert for the model that nobody answers for is on its way.
    let pending = prometheus
        .query("ALERTS{alertname=\"WarmdModelFailing\"} or ALERTS{alertname=\"WarmdModelColdInHours\"}");
    assert!(!pending.is_empty());
}
