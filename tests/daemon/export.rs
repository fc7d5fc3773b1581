//! What was measured, written out for other programs, and read back by them.

use crate::python::{python_with, text as said};
use crate::sandboxed::Replicate;
use crate::support::{Home, PATIENCE, text, wait_until};
use serde_json::Value;
use std::fs;
use std::process::Command;
use std::time::Duration;
use warmd::sandbox::{Conduct, Spread};

/// A home with the history of two models, which goes on no more.
fn measured() -> (Home, crate::support::Warmd, Replicate) {
    let conduct = Conduct { boot: Spread::fixed(Duration::from_secs(3)), ..Conduct::default() };
    let replicate = Replicate::of_models(2, &conduct);
    let home = Home::new(&replicate.config(2, "1s"));
    let warmd = home.start();
    for name in ["model-00", "model-01"] {
        home.model_when(name, "a cold one and warm ones", |model| {
            model["counts"]["cold"].as_u64() >= Some(1) && model["counts"]["warm"].as_u64() >= Some(5)
        });
    }
    assert!(home.ctl(&["pause", "--all"]).status.success());
    let mut before = Value::Null;
    wait_until("nothing is in flight", PATIENCE, || {
        std::thread::sleep(Duration::from_secs(1));
        let counts: Value =
            ["model-00", "model-01"].map(|name| home.model(name)["counts"].clone()).to_vec().into();
        std::mem::replace(&mut before, counts.clone()) == counts
    });
    (home, warmd, replicate)
}

fn export(home: &Home, arguments: &[&str]) -> String {
    let output = home.ctl(&[&["export"], arguments].concat());
    assert!(output.status.success(), "{}", said(&output));
    text(&output.stdout)
}

fn near(told: f64, exact: f64) -> bool {
    (told - exact).abs() <= exact * 0.01
}

#[test]
fn an_independent_reader_of_the_interval_log_finds_the_same_percentiles() {
    let (home, warmd, _replicate) = measured();
    let log = home.path("export.hlog");
    fs::write(&log, export(&home, &["--format", "hlog"])).unwrap();
    // By the nearest rank above, as warmd does; the library rounds ranks, which differs where values are few.
    let script = "import json, math, sys\n\
        from hdrh.histogram import HdrHistogram\n\
        from hdrh.log import HistogramLogReader\n\
        merged = HdrHistogram(1, 3600000000, 2)\n\
        reader = HistogramLogReader(sys.argv[1], merged)\n\
        tags = {}\n\
        while True:\n\
        \x20   found = reader.get_next_interval_histogram()\n\
        \x20   if found is None: break\n\
        \x20   tags.setdefault(found.get_tag(), HdrHistogram(1, 3600000000, 2)).add(found)\n\
        def at(h, percent):\n\
        \x20   n = h.get_total_count()\n\
        \x20   return h.get_value_at_percentile(100 * math.ceil(percent * n / 100) / n) / 1e6\n\
        print(json.dumps({tag: {'count': h.get_total_count(), \
        **{f'p{percent}': at(h, percent) for percent in (50, 90, 99)}} for tag, h in tags.items()}))\n";
    let output =
        Command::new(python_with("hdrhistogram==0.10.3")).args(["-c", script]).arg(&log).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read.as_object().unwrap().len(), 6, "{read}");
    for name in ["model-00", "model-01"] {
        let status = home.model(name);
        let latency = &status["latency"];
        for (kind, told) in
            [("warm", &latency["warm"]), ("cold", &latency["cold"]), ("boot", &status["boot"])]
        {
            let read = &read[format!("{name}.{kind}")];
            assert_eq!(read["count"], told["count"], "{name}.{kind}: {read}, {told}");
            for percentile in ["p50", "p90", "p99"] {
                if let Some(exact) = told[percentile].as_f64() {
                    assert!(near(read[percentile].as_f64().unwrap(), exact), "{name}.{kind}: {read}, {told}");
                }
            }
        }
    }
    assert!(warmd.stop().success());
}

#[test]
fn the_table_and_the_json_add_up_to_what_status_tells() {
    let (home, warmd, _replicate) = measured();
    let table = export(&home, &["--format", "csv"]);
    let rows: Vec<Vec<&str>> = table.split_terminator("\r\n").map(|line| line.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{table}");
    let sum = |model: &str, title: &str| -> f64 {
        let column = rows[0].iter().position(|column| *column == title).unwrap();
        rows.iter().filter(|row| row[0] == model).map(|row| row[column].parse::<f64>().unwrap()).sum()
    };
    let lines = export(&home, &["--json"]);
    let all: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(all.len(), 2);
    for json in &all {
        let name = json["model"].as_str().unwrap();
        let status = home.model(name);
        for (outcome, count) in status["counts"].as_object().unwrap() {
            assert_eq!(sum(name, outcome), count.as_f64().unwrap(), "{name} {outcome}");
        }
        for (title, how) in [("hours_warm_s", "warm"), ("hours_cold_s", "cold")] {
            let told = status["hours"][how].as_f64().unwrap();
            assert!((sum(name, title) - told).abs() < 1e-6, "{name} {title}");
            let intervals = json["intervals"].as_array().unwrap();
            let spent: f64 = intervals.iter().map(|interval| interval["hours"][how].as_f64().unwrap()).sum();
            assert!((spent - told).abs() < 1e-6, "{name} {how}");
        }
        assert_eq!(sum(name, "warm_count"), status["latency"]["warm"]["count"].as_f64().unwrap());
        assert_eq!(sum(name, "boot_count"), status["boot"]["count"].as_f64().unwrap());
    }
    // One of them, from the start on, over a restart; and a name that is none.
    assert!(warmd.stop().success());
    let warmd = home.start();
    let one = export(&home, &["model-01", "--since", "2026-01-01T00:00:00Z"]);
    assert!(one.lines().count() >= 2 && !one.contains("model-00"), "{one}");
    let wrong = home.ctl(&["export", "model-0"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("did you mean `model-00`?"), "{}", text(&wrong.stderr));
    assert!(warmd.stop().success());
}
