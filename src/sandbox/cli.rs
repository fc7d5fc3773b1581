//! `warmctl sandbox`: the sandbox as a program, to rehearse a `warm.toml` without spending.

use super::cog::Generation;
use super::settings::{AccountSettings, Conduct, Credit, Rate, Settings};
use super::{Cog, CogSettings, Sandbox, Spread};
use crate::config::Env;
use crate::config::value::{format_duration, parse_duration};
use clap::Args as ClapArgs;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Told under the flags of `warmctl sandbox --help`.
const AFTER_HELP: &str = "\
Any `owner/name` and any version exists, so that a warm.toml of your own can be rehearsed unchanged \
but for its base_url: models of the owner `official` are official, those of `missing` do not exist.

Faults are set while it runs, and strike the next creates (or calls) in turn:
  curl -X POST http://127.0.0.1:9846/sandbox/faults -d '{\"fault\": \"bad-gateway\", \"times\": 3}'
    fault  unauthenticated, no-credit, not-found, invalid-version, invalid-input, throttled-header, \
throttled-body, throttled-text, server-error, bad-gateway, garbage, reset, hang, lost-reply, evicted, fails, \
stuck, unknown-status
    model  \"owner/name\" of the only one it befalls
    token  of the only account it befalls
    on     create (the default), call (everything else) or any
    times  1 by default; null: until cleared
  GET lists those that are set, DELETE clears them.
A Cog server takes, at its own port: {\"fault\": \"restart\"}, {\"fault\": \"down\", \"seconds\": 10}, \
{\"fault\": \"health\", \"status\": \"UNHEALTHY\"}, and a status of null to be well again.";

/// Runs a stand-in for Replicate and Cog, to rehearse a warm.toml without spending
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = AFTER_HELP)]
pub struct Args {
    /// Where to serve; Cog servers take the ports after it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9846")]
    pub listen: SocketAddr,
    /// How long after its last prediction a model goes cold
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = parse_duration)]
    pub idle_timeout: Duration,
    /// How long a boot takes: a duration, or two to draw between
    #[arg(long, value_name = "FROM..TO", default_value = "5s..30s")]
    pub boot: Spread,
    /// How long a warm model lets a prediction wait
    #[arg(long, value_name = "FROM..TO", default_value = "50ms..300ms")]
    pub warm: Spread,
    /// How long a prediction runs
    #[arg(long, value_name = "FROM..TO", default_value = "100ms..400ms")]
    pub predict: Spread,
    /// Predictions that a model runs at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub slots: u16,
    /// Models also boot by themselves, so long after each boot
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub restarts_every: Option<Duration>,
    /// How many models to write into the example
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub models: u16,
    /// How many Cog servers to run beside
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=100))]
    pub cog: u16,
    /// Which Cog they are: 0.9, 0.14, 0.16 or 0.23
    #[arg(long, value_name = "VERSION", default_value = "0.23")]
    pub cog_version: Generation,
    /// How many predictions an account may create a minute
    #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..))]
    pub creates_per_minute: u32,
    /// The only token to accept; any by default
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Of all that is drawn by chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print a line a request
    #[arg(long)]
    pub verbose: bool,
    /// Serve what really happened, at /sandbox/truth
    #[arg(long, hide = true)]
    pub expose_truth: bool,
}

/// Why the sandbox could not run.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The address is taken, or not this machine's.
    #[error("can't listen on {addr}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// No handler for SIGTERM or SIGINT.
    #[error("can't catch signals: {0}")]
    Signals(io::Error),
}

impl Args {
    fn conduct(&self) -> Conduct {
        Conduct {
            idle_timeout: self.idle_timeout,
            boot: self.boot,
            wait: self.warm,
            predict: self.predict,
            slots: usize::from(self.slots),
            evicted_per_mille: 0,
            restarts_every: self.restarts_every,
            fails: None,
        }
    }

    /// The sandbox that these flags ask for.
    pub fn settings(&self) -> Settings {
        let account = |token: &String| AccountSettings { token: token.clone(), credit: Credit::Good };
        Settings {
            seed: self.seed,
            others: Some(self.conduct()),
            accounts: self.token.iter().map(account).collect(),
            creates: Rate::per_minute(self.creates_per_minute),
            expose_truth: self.expose_truth,
            ..Settings::default()
        }
    }

    fn cog_settings(&self, n: u16) -> CogSettings {
        CogSettings {
            seed: self.seed.wrapping_add(u64::from(n)),
            generation: self.cog_version,
            boot: self.boot,
            predict: self.predict,
            slots: usize::from(self.slots),
            restarts_every: self.restarts_every,
            expose_truth: self.expose_truth,
            ..CogSettings::default()
        }
    }
}

/// Runs until Ctrl-C or SIGTERM.
pub async fn run(args: &Args) -> Result<(), SandboxError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(SandboxError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(SandboxError::Signals)?;
    if args.verbose {
        show_requests();
    }
    let failed = |addr| move |source| SandboxError::Listen { addr, source };
    let listener = TcpListener::bind(args.listen).await.map_err(failed(args.listen))?;
    let sandbox = Sandbox::start(listener, args.settings()).map_err(failed(args.listen))?;
    let mut cogs = Vec::new();
    for n in 1..=args.cog {
        let port = if args.listen.port() == 0 { 0 } else { args.listen.port().saturating_add(n) };
        let addr = SocketAddr::new(args.listen.ip(), port);
        let listener = TcpListener::bind(addr).await.map_err(failed(addr))?;
        cogs.push(Sandbox::cog(listener, args.cog_settings(n)).map_err(failed(addr))?);
    }
    if !args.listen.ip().is_loopback() {
        say_error("warning: other machines can reach this sandbox, and set its faults");
    }
    say(&introduction(args, &sandbox, &cogs));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    sandbox.stop().await;
    for cog in cogs {
        cog.stop().await;
    }
    Ok(())
}

/// What is served, as a `warm.toml` to paste.
fn introduction(args: &Args, sandbox: &Sandbox, cogs: &[Cog]) -> String {
    let token = args.token.as_deref().map_or("any token is accepted", |_| "the token given is accepted");
    let mut text = format!(
        "# The sandbox serves until Ctrl-C; {token}: REPLICATE_API_TOKEN must be set.\n\
         # Models boot in {}, wait {} when warm, run {}, and go cold after {}.\n\n\
         [replicate]\nbase_url = \"{}\"\n",
        args.boot,
        args.warm,
        args.predict,
        format_duration(args.idle_timeout),
        sandbox.base_url()
    );
    // Writing to a string can't fail.
    for n in 1..=args.models {
        let _ =
            write!(text, "\n[models.model-{n}]\nreplicate = \"sandbox/model-{n}\"\nactive = [\"always\"]\n");
    }
    for (n, cog) in cogs.iter().enumerate() {
        let _ = write!(text, "\n[models.cog-{}]\ncog = \"{}\"\nactive = [\"always\"]\n", n + 1, cog.url());
    }
    text
}

/// Says something to whoever reads; nobody reading is no error.
fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

fn say_error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Requests are logged under this room's name; where the program logs already, it shows them.
fn show_requests() {
    let lines = tracing_subscriber::fmt()
        .with_env_filter("warmd::sandbox=debug")
        .with_target(false)
        .with_level(false)
        .with_ansi(io::stdout().is_terminal() && Env::process().welcomes_color())
        .with_writer(io::stdout);
    let _ = lines.try_init();
}

#[cfg(test)]
mod tests {
    use super::super::Fault;
    use super::*;
    use clap::{Parser, ValueEnum};

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_flags_make_the_settings() {
        let line = "x --idle-timeout 6s --boot 2s..5s --warm 1ms --creates-per-minute 6 --token t";
        let args = Program::try_parse_from(line.split(' ')).unwrap().args;
        let settings = args.settings();
        let conduct = settings.others.unwrap();
        assert_eq!(conduct.idle_timeout, Duration::from_secs(6));
        assert_eq!(conduct.boot, Spread::millis(2_000, 5_000));
        assert_eq!((settings.creates, settings.accounts.len()), (Rate::per_minute(6), 1));
        assert!(!settings.expose_truth);
    }

    #[test]
    fn wrong_flags_are_refused() {
        for line in ["x --boot 5s..2s", "x --boot 5", "x --listen here", "x --slots 0", "x --cog-version 0.1"]
        {
            assert!(Program::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn the_help_lists_every_fault() {
        for fault in Fault::value_variants() {
            let name = serde_json::to_value(fault).unwrap();
            let name = name.as_str().unwrap();
            assert!(AFTER_HELP.contains(name), "{name}");
        }
    }
}
