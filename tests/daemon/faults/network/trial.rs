//! A daemon, a peer that is about to fail, and one that stays well beside it.

use super::peer::{Heard, Peer, Then};
use crate::support::{Home, PATIENCE, Warmd, model_of, wait_until};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::fs;
use std::io;
use std::net::TcpStream;
use warmd::clock::Stopwatch;

/// The models of the peer that is about to fail: as a Cog server, and as Replicate's API.
pub(crate) const SICK: [&str; 2] = ["cog", "replicate"];

/// The most memory that a daemon of these tests may take, in KiB: half of what its unit allows.
const MOST_MEMORY: u64 = 256 * 1024;

pub(crate) struct Trial {
    pub(crate) sick: Peer,
    well: Peer,
    pub(crate) home: Home,
    warmd: Warmd,
}

impl Trial {
    /// One in which all models are warm; `timeout` is that of a heartbeat.
    pub(crate) fn start(timeout: &str) -> Self {
        let (sick, well) = (Peer::start(), Peer::start());
        let home = Home::at_trace(&config(&sick, &well, timeout));
        let warmd = home.start();
        let trial = Self { sick, well, home, warmd };
        trial.all_warm();
        trial
    }

    /// What the models' heartbeats come to once the peer does so; the other peer's must go on.
    pub(crate) fn meets(
        &self,
        act: impl Fn(&mut TcpStream, &Heard) -> io::Result<Then> + Send + Sync + 'static,
    ) -> [Value; 2] {
        self.sick.does(act);
        self.met()
    }

    /// As [`Self::meets`], where the fault is there already.
    pub(crate) fn met(&self) -> [Value; 2] {
        let since = warmd::clock::now();
        let met = SICK.map(|name| {
            let met = |last: &Value| {
                let sent: Option<DateTime<Utc>> = last["sent_at"].as_str().and_then(|at| at.parse().ok());
                sent > Some(since) && last["outcome"] != "warm"
            };
            let model = self.home.model_when(name, "meets the fault", |model| met(&model["last"]));
            println!("{name}: {}: {}", model["last"]["outcome"], model["last"]["error"]);
            model["last"].clone()
        });
        self.the_other_goes_on();
        met
    }

    /// What a heartbeat by hand comes to.
    pub(crate) fn beat(&self, name: &str) -> Value {
        let told: Value = serde_json::from_slice(&self.home.ctl(&["beat", name, "--json"]).stdout).unwrap();
        told["heartbeat"].clone()
    }

    fn the_other_goes_on(&self) {
        let before = self.count("well", "warm");
        let asked = self.well.predictions();
        wait_until("the other goes on", PATIENCE, || self.count("well", "warm") >= before + 2);
        assert!(self.well.predictions() > asked);
        let after = self.home.model("well");
        for outcome in ["failed", "rejected", "rate_limited", "timed_out", "unreachable"] {
            assert_eq!(after["counts"][outcome], 0, "{after}");
        }
    }

    pub(crate) fn count(&self, name: &str, outcome: &str) -> usize {
        self.home.model(name)["counts"][outcome].as_u64().unwrap() as usize
    }

    pub(crate) fn all_warm(&self) {
        wait_until("all are warm", PATIENCE, || {
            let status = self.home.status();
            ["cog", "replicate", "well"].iter().all(|name| model_of(&status, name)["state"] == "warm")
        });
    }

    /// The fault goes away: how long until all are warm again. Then the daemon ends well, and took no
    /// more memory than it may.
    pub(crate) fn recovers(self, what: &str) {
        self.sick.is_well();
        let since = Stopwatch::start();
        self.all_warm();
        let most = memory(&self.warmd);
        println!(
            "measured: {what}: warm again in {:.1} s; {} MiB",
            since.elapsed().as_secs_f64(),
            most / 1024
        );
        assert!(most < MOST_MEMORY, "{most} KiB");
        assert!(self.warmd.stop().success());
    }
}

/// The most memory that a daemon has taken so far, in KiB.
pub(crate) fn memory(warmd: &Warmd) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", warmd.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Whether a heartbeat ended so, and says why.
pub(crate) fn says(heartbeat: &Value, outcome: &str, why: &str) {
    assert_eq!(heartbeat["outcome"], outcome, "{heartbeat}");
    assert!(heartbeat["error"].as_str().is_some_and(|error| error.contains(why)), "{why}: {heartbeat}");
}

/// A file with two models of `sick`, and one of `well`.
pub(crate) fn config(sick: &Peer, well: &Peer, timeout: &str) -> String {
    let (sick, well) = (sick.url(), well.url());
    format!(
        "[replicate]\nbase_url = \"{sick}/v1\"\n\
         [defaults]\nactive = [\"always\"]\ninterval = \"1s\"\ntimeout = \"{timeout}\"\n\
         [models.cog]\ncog = \"{sick}\"\n\
         [models.replicate]\nreplicate = \"acme/sick\"\n\
         [models.well]\ncog = \"{well}\"\n"
    )
}
