//! The real `warmd` at work in a folder of its own, and `warmctl` to ask it.

use crate::process::{Core, Owned};
use crate::sandbox::StandIn;
use crate::way::{Provider, Setting};
use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Timelike, Utc};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use warmd::clock::{self, Stopwatch};

/// What Replicate allows an account, in creates a minute: of so many models is an account.
const AN_ACCOUNT: f64 = 600.0;
/// What warmd is allowed: at its start, a model's first heartbeat is one more.
const ALLOWED: u32 = 1200;

/// How long anything may take that happens at once.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running daemon.
pub(crate) struct Warmd {
    folder: TempDir,
    child: Owned,
    /// Just before it was started.
    pub(crate) begun: DateTime<Utc>,
}

/// What it counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Warm or cold.
    pub(crate) answered: u64,
    /// Any other end.
    pub(crate) otherwise: u64,
}

impl Warmd {
    /// Starts one on the measured core, with a state of its own that is new.
    pub(crate) fn start(setting: &Setting, sandbox: &StandIn) -> Result<Self> {
        Self::start_in(folder()?, setting, sandbox)
    }

    /// As above, in a folder, with the state that is there.
    pub(crate) fn start_in(folder: TempDir, setting: &Setting, sandbox: &StandIn) -> Result<Self> {
        fs::write(folder.path().join("warm.toml"), config(setting, sandbox, folder.path())?)?;
        let mut command = clean(env!("CARGO_BIN_EXE_warmd"));
        if let Some(pem) = &sandbox.place.authority {
            fs::write(folder.path().join("authority.pem"), pem)?;
            command.env("SSL_CERT_FILE", folder.path().join("authority.pem"));
        }
        for account in 0..=setting.models / of_an_account(setting) {
            command.env(token(account), format!("r8_benchmark_of_no_account_{account}"));
        }
        // As its unit has it.
        command.env("MIMALLOC_PURGE_DELAY", "0");
        command.arg("--config").arg(folder.path().join("warm.toml"));
        let log = File::create(folder.path().join("log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let begun = clock::now();
        let child = Core::Measured.start(&mut command)?;
        Ok(Self { folder, child, begun })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Runs `warmctl` to its end.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = clean(env!("CARGO_BIN_EXE_warmctl"));
        command.arg("--socket").arg(self.folder.path().join("warmd.sock")).args(arguments);
        Ok(command.stdin(Stdio::null()).output()?)
    }

    /// Waits until it answers.
    pub(crate) fn ready(&self) -> Result<()> {
        let watch = Stopwatch::start();
        while !self.ctl(&["status", "--json"])?.status.success() {
            ensure!(watch.elapsed() < PATIENCE, "warmd does not answer; its log:\n{}", self.log()?);
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> Result<String> {
        let log = fs::read_to_string(self.folder.path().join("log"))?;
        let lines: Vec<&str> = log.lines().collect();
        Ok(lines[lines.len().saturating_sub(10)..].join("\n"))
    }

    /// What a verb takes as a whole process, in order of how long.
    pub(crate) fn times(&self, arguments: &[&str], runs: usize) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for _ in 0..runs {
            let watch = Stopwatch::start();
            let output = self.ctl(arguments)?;
            times.push(watch.elapsed());
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success(),
                "warmctl {arguments:?} failed: {said}; warmd's log:\n{}",
                self.log()?
            );
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Holds all heartbeats, waits for those in flight, and tells what it counted since its start.
    pub(crate) fn counted(&self) -> Result<Counted> {
        ensure!(self.ctl(&["pause", "--all"])?.status.success(), "warmctl pause failed");
        let mut before = self.counts()?;
        let watch = Stopwatch::start();
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = self.counts()?;
            if now == before {
                return Ok(now);
            }
            ensure!(watch.elapsed() < PATIENCE, "heartbeats go on through a pause");
            before = now;
        }
    }

    /// How many heartbeats of a model ended so.
    pub(crate) fn count(&self, number: usize, outcome: &str) -> Result<u64> {
        let output = self.ctl(&["status", &Setting::name(number), "--json"])?;
        let status: Value = serde_json::from_slice(&output.stdout).context("status --json")?;
        status["models"][0]["counts"][outcome].as_u64().context("a model without counts")
    }

    fn counts(&self) -> Result<Counted> {
        let output = self.ctl(&["status", "--json"])?;
        let status: Value = serde_json::from_slice(&output.stdout).context("status --json")?;
        let mut counted = Counted::default();
        for model in status["models"].as_array().context("a status without models")? {
            for (outcome, count) in model["counts"].as_object().context("a model without counts")? {
                let count = count.as_u64().unwrap_or_default();
                match outcome.as_str() {
                    "warm" | "cold" | "calibration" => counted.answered += count,
                    // Not sent: within what is measured, the sandbox tells of them as lost.
                    "skipped" | "rate_limited" => {}
                    _ => counted.otherwise += count,
                }
            }
        }
        Ok(counted)
    }

    /// Of the state file, its log and its tail, in bytes.
    pub(crate) fn state_size(&self) -> u64 {
        let state = state(self.folder.path());
        let size = |suffix| fs::metadata(state.with_extension(suffix)).map_or(0, |file| file.len());
        size("db") + size("db-wal") + size("db-tail")
    }
}

/// A folder for a daemon, beside what was built: the temporary folder may be no disk.
pub(crate) fn folder() -> Result<TempDir> {
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// Its state file: in a folder of its own, as a service has it.
pub(crate) fn state(folder: &Path) -> PathBuf {
    folder.join("state/warmd.db")
}

/// A program with the environment of a user who has set nothing.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in [
        "REPLICATE_API_TOKEN",
        "REPLICATE_BASE_URL",
        "WARMD_CONFIG",
        "WARMD_SOCKET",
        "STATE_DIRECTORY",
        "RUNTIME_DIRECTORY",
        "CREDENTIALS_DIRECTORY",
        "XDG_RUNTIME_DIR",
        "NOTIFY_SOCKET",
        "RUST_LOG",
        "SSL_CERT_FILE",
    ] {
        command.env_remove(name);
    }
    command
}

/// The `warm.toml`: the page and the metrics served, an alert that follows all models. Models on Replicate are
/// spread over as many accounts as Replicate's limit makes necessary.
fn config(setting: &Setting, sandbox: &StandIn, folder: &Path) -> Result<String> {
    let mut text = format!(
        "[daemon]\nstate = \"{}\"\nsocket = \"{}\"\nlisten = \"127.0.0.1:0\"\n\n\
         [defaults]\nactive = [\"{}\"]\ntimezone = \"UTC\"\ninterval = \"{}ms\"\n\n\
         [replicate]\nbase_url = \"{}\"\ncreates_per_minute = {ALLOWED}\n",
        state(folder).display(),
        folder.join("warmd.sock").display(),
        if setting.idle { in_six_hours() } else { "always".to_owned() },
        setting.interval.as_millis(),
        sandbox.place.base_url,
    );
    text.push_str("\n[[alerts]]\nafter = \"1h\"\ncommand = [\"/bin/true\"]\n");
    if setting.troubled {
        text = text.replacen("[defaults]\n", "[defaults]\ntimeout = \"10s\"\n", 1);
    }
    for number in 0..setting.models {
        let name = Setting::name(number);
        match setting.provider {
            Provider::Replicate => {
                let token = token(number / of_an_account(setting));
                write!(text, "\n[models.{name}]\nreplicate = \"acme/{name}\"\ntoken_env = \"{token}\"\n")?;
            }
            Provider::Cog => write!(text, "\n[models.{name}]\ncog = \"{}\"\n", sandbox.place.cogs[number])?,
        }
    }
    Ok(text)
}

/// Hours that don't begin while this is measured.
fn in_six_hours() -> String {
    let hour = (clock::now().hour() + 6) % 24;
    format!("daily {hour:02}:00-{hour:02}:30")
}

/// How many models Replicate's limit allows an account.
fn of_an_account(setting: &Setting) -> usize {
    (AN_ACCOUNT / 60.0 * setting.interval.as_secs_f64()).floor().max(1.0) as usize
}

/// The variable with an account's token: short, since a `warm.toml` is at most a MB.
fn token(account: usize) -> String {
    format!("T{account}")
}
