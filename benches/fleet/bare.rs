//! The limit: reqwest in a loop that keeps the pace and makes a heartbeat's calls, and nothing more. With the
//! libraries, the allocator and the build that the daemon has.

use crate::process::{Core, Owned};
use crate::sandbox::{Place, StandIn};
use crate::way::{Provider, Setting};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use warmd::clock;

/// How it is told, on the command line, that it is one.
pub(crate) const ROLE: &str = "bare";

/// As long as warmd keeps an idle connection, so that it opens as many.
const IDLE_CONNECTION: Duration = Duration::from_secs(1);

/// Starts one on a core. With an exporter's URL, to which a model's is added, that is asked instead to make
/// the call.
pub(crate) fn start(
    setting: &Setting,
    sandbox: &StandIn,
    exporter: Option<String>,
    core: Core,
) -> Result<Owned> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--role", ROLE]).stdin(Stdio::piped()).stdout(Stdio::null());
    // As the daemon has it.
    command.env("MIMALLOC_PURGE_DELAY", "0");
    let mut child = core.start(&mut command)?;
    let mut tell = child.0.stdin.take().context("it has no input")?;
    writeln!(tell, "{}", serde_json::to_string(&(setting, &sandbox.place, exporter))?)?;
    Ok(child)
}

struct Caller {
    client: reqwest::Client,
    place: Place,
    provider: Provider,
    exporter: Option<String>,
}

/// The other end of it: calls until it is ended.
pub(crate) fn run() -> Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let (setting, place, exporter): (Setting, Place, Option<String>) = serde_json::from_str(&line)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(pace(&setting, place, exporter))
}

async fn pace(setting: &Setting, place: Place, exporter: Option<String>) -> Result<()> {
    // A second call finds the first one's provider in place, which is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut client = reqwest::Client::builder().no_proxy().pool_idle_timeout(IDLE_CONNECTION);
    if let Some(pem) = &place.authority {
        client = client.tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes())?]);
    }
    let caller = Arc::new(Caller { client: client.build()?, place, provider: setting.provider, exporter });
    let (start, step) = (clock::instant(), setting.interval.div_f64(setting.models as f64));
    let mut flights = JoinSet::new();
    for turn in 0_u64.. {
        // Not a product of `step`, in which rounding would add up.
        let due = step.mul_f64(turn as f64);
        tokio::time::sleep_until((start + due).into()).await;
        let (caller, number) = (Arc::clone(&caller), (turn % setting.models as u64) as usize);
        flights.spawn(async move { caller.call(number).await });
        while let Some(landed) = flights.try_join_next() {
            landed??;
        }
    }
    Ok(())
}

impl Caller {
    /// What a heartbeat asks of a model.
    async fn call(&self, number: usize) -> Result<()> {
        if let Some(probe) = &self.exporter {
            let target = match self.provider {
                Provider::Replicate => &self.place.base_url,
                Provider::Cog => &self.place.cogs[number],
            };
            let told = self.client.get(format!("{probe}{target}/predictions")).send().await?.text().await?;
            anyhow::ensure!(told.contains("\nprobe_success 1\n"), "a probe failed:\n{told}");
            return Ok(());
        }
        let input = json!({"prompt": "hello", "max_tokens": 1});
        match self.provider {
            Provider::Replicate => {
                let version = format!("acme/{}:{number:064x}", Setting::name(number));
                let create = self.client.post(format!("{}/predictions", self.place.base_url));
                let create = create.bearer_auth("r8_benchmark").header("prefer", "wait=10");
                let body = json!({"version": version, "input": input});
                let created: Value = create.json(&body).send().await?.error_for_status()?.json().await?;
                let id = created["id"].as_str().context("a prediction without id")?;
                let look = self.client.get(format!("{}/predictions/{id}", self.place.base_url));
                let look = look.bearer_auth("r8_benchmark");
                let _: Value = look.send().await?.error_for_status()?.json().await?;
            }
            Provider::Cog => {
                let url = &self.place.cogs[number];
                let look = self.client.get(format!("{url}/health-check"));
                let _: Value = look.send().await?.error_for_status()?.json().await?;
                let create = self.client.post(format!("{url}/predictions")).json(&json!({"input": input}));
                let _: Value = create.send().await?.error_for_status()?.json().await?;
            }
        }
        Ok(())
    }
}
