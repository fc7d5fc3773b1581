//! The sandbox in a process of its own: this program again, in another role.
//!
//! It is told a setting on its standard input, tells where it serves, and from then on what it truly saw
//! each time that it is asked.

use crate::process::{Core, Owned};
use crate::tls::Authority;
use crate::way::{Provider, Setting, Trouble};
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use tokio::net::TcpListener;
use warmd::sandbox::{Cog, CogSettings, Conduct, ModelSettings, Rate, Sandbox, Settings, Spread};

/// How it is told, on the command line, that it is one.
pub(crate) const ROLE: &str = "sandbox";

/// As fast as a model may be: what is measured is not its time, but what is between.
const PREDICT: Duration = Duration::from_millis(5);
const WAIT: Duration = Duration::from_millis(1);
const BOOT: Duration = Duration::from_millis(20);

/// How long the predictions of a model run that hangs.
const FOREVER: Duration = Duration::from_hours(1);

/// So many that a peer may ask one model alone.
const SLOTS: usize = 1_000;

/// More than any setting asks for.
const UNLIMITED: Rate = Rate::per_minute(100_000_000);
const KEEP: usize = 1_000_000;

/// Where it serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) base_url: String,
    pub(crate) cogs: Vec<String>,
    /// The certificate that vouches for it.
    pub(crate) authority: Option<String>,
    /// By what a server is known to itself: the number of its model.
    names: HashMap<String, usize>,
}

/// The sandbox, as the benchmark has it.
#[derive(Debug)]
pub(crate) struct StandIn {
    _child: Owned,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
    pub(crate) place: Place,
}

/// When a prediction came, in microseconds since 1970, and for which model.
pub(crate) type Arrival = (usize, i64);

impl StandIn {
    pub(crate) fn start(setting: &Setting) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--role", ROLE]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Core::Others.start(&mut command)?;
        let mut ask = child.0.stdin.take().context("the sandbox has no input")?;
        let mut told = BufReader::new(child.0.stdout.take().context("the sandbox has no output")?);
        writeln!(ask, "{}", serde_json::to_string(setting)?)?;
        let place = answer(&mut told)?;
        Ok(Self { _child: child, ask, told, place })
    }

    /// Every prediction that came so far.
    pub(crate) fn arrivals(&mut self) -> Result<Vec<Arrival>> {
        writeln!(self.ask, "arrivals")?;
        answer(&mut self.told)
    }
}

fn answer<T: serde::de::DeserializeOwned>(told: &mut BufReader<ChildStdout>) -> Result<T> {
    let mut line = String::new();
    if told.read_line(&mut line)? == 0 {
        bail!("the sandbox has ended");
    }
    Ok(serde_json::from_str(&line)?)
}

/// The other end of it: serves until its input ends.
pub(crate) fn serve() -> Result<()> {
    let mut lines = std::io::stdin().lines();
    let setting: Setting = serde_json::from_str(&lines.next().context("there is no setting")??)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (sandbox, cogs, place) = runtime.block_on(start(&setting))?;
    println!("{}", serde_json::to_string(&place)?);
    for line in lines {
        if line?.is_empty() {
            break;
        }
        let mut arrivals: Vec<Arrival> = Vec::new();
        for truth in std::iter::once(sandbox.truth()).chain(cogs.iter().map(Cog::truth)) {
            let named = |model: &str| {
                let number = model.split_once("/m").and_then(|(_, number)| number.parse().ok());
                place.names.get(model).copied().or(number)
            };
            arrivals.extend(truth.predictions.iter().filter_map(|prediction| {
                Some((named(&prediction.model)?, prediction.created_at.timestamp_micros()))
            }));
        }
        println!("{}", serde_json::to_string(&arrivals)?);
    }
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(())
}

async fn start(setting: &Setting) -> Result<(Sandbox, Vec<Cog>, Place)> {
    let listener = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let conduct = Conduct {
        idle_timeout: Duration::from_hours(1),
        boot: Spread::fixed(BOOT),
        wait: Spread::fixed(WAIT),
        predict: Spread::fixed(PREDICT),
        slots: SLOTS,
        ..Conduct::default()
    };
    let troubled = |number| {
        let conduct = match Trouble::of(number).filter(|_| setting.troubled)? {
            Trouble::Hangs => Conduct { predict: Spread::fixed(FOREVER), ..conduct.clone() },
            Trouble::Large(bytes) => Conduct { fails: Some("x".repeat(bytes)), ..conduct.clone() },
        };
        Some(ModelSettings::new("acme", &Setting::name(number), conduct))
    };
    let settings = Settings {
        models: (0..setting.models).filter_map(troubled).collect(),
        others: Some(conduct),
        creates: UNLIMITED,
        calls: UNLIMITED,
        keep: KEEP,
        ..Settings::default()
    };
    let sandbox = Sandbox::start(listener().await?, settings)?;
    let mut cogs = Vec::new();
    if setting.provider == Provider::Cog {
        for _ in 0..setting.models {
            let settings = CogSettings {
                boot: Spread::fixed(BOOT),
                predict: Spread::fixed(PREDICT),
                slots: SLOTS,
                ..CogSettings::default()
            };
            cogs.push(Sandbox::cog(listener().await?, settings)?);
        }
        // The loop that is measured beside the daemon knows no boots.
        tokio::time::sleep(BOOT * 5).await;
    }
    let names = cogs.iter().enumerate().map(|(number, cog)| (cog.url(), number)).collect();
    let mut place = Place {
        base_url: sandbox.base_url(),
        cogs: cogs.iter().map(Cog::url).collect(),
        authority: None,
        names,
    };
    if setting.tls {
        let authority = Authority::new()?;
        place.base_url = format!("{}/v1", authority.stand_before(sandbox.addr()).await?);
        for (url, cog) in place.cogs.iter_mut().zip(&cogs) {
            *url = authority.stand_before(cog.addr()).await?;
        }
        place.authority = Some(authority.pem);
    }
    Ok((sandbox, cogs, place))
}
