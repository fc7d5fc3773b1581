//! `warmd`'s command line.

use super::{Daemon, Died, configuration, demo, logs, panics};
use crate::command_line;
use crate::config;
use crate::config::env::Env;
use crate::config::value::parse_duration;
use crate::daemon::configuration::ConfigurationError;
use crate::hours::zone::Zones;
use crate::memory;
use crate::quote;
use crate::store::StoreError;
use anyhow::Context;
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};

/// The configuration, or the state file, is not one that can be run: `EX_CONFIG`.
const BAD_CONFIGURATION: u8 = 78;

/// Threads for all but the heartbeats, which have the first one to themselves. One would do, if it were never
/// held: what is told of ten thousand models takes its time, and a drive may hold whoever asks for a file there.
const WORKERS: usize = 2;

/// Those, the store's, the one that looks at files, and some in which names are looked up.
const THREADS: usize = WORKERS + 4;

/// What still blocks a thread at the end is waited for so long: a name that is looked up, a read that hangs.
const LAST_WORK: Duration = Duration::from_millis(500);

/// Keeps hosted models warm in the hours when people use them, and measures whether it works.
#[derive(Debug, Parser)]
#[command(name = "warmd", version)]
pub struct Args {
    /// The configuration; else `$WARMD_CONFIG`, `./warm.toml`, `/etc/warmd/warm.toml`
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,
    /// Run on an embedded stand-in for Replicate and Cog, with a live status: needs nothing
    #[arg(long)]
    pub demo: bool,
    /// End the demo after this long
    #[arg(long = "for", value_name = "DURATION", requires = "demo", value_parser = parse_duration)]
    pub length: Option<Duration>,
    /// How the log is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: logs::Format,
    /// Log more: each heartbeat; twice: everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log warnings and errors alone
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The program.
pub fn main() -> ExitCode {
    let sealed = memory::seal();
    let args: Args = command_line::parse();
    // The demo shows its own picture: the log would tear it.
    let level = if args.demo && args.verbose == 0 {
        logs::Level::Errors
    } else {
        logs::Level::asked(args.verbose, args.quiet)
    };
    if let Err(error) = logs::start(args.log_format, level) {
        return failed(&error, 1);
    }
    panics::log();
    if let Err(error) = sealed {
        tracing::warn!("a core file may come to hold the token, since the memory can't be sealed: {error}");
    }
    raise_file_limit();
    if let Err(error) = try_threads() {
        let told = format!("can't start {THREADS} threads: {error}; raise `TasksMax`, or `ulimit -u`");
        return failed(&anyhow::anyhow!(told), 1);
    }
    match on_runtimes(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = exit_code(&error);
            failed(&error, code)
        }
    }
}

/// Heartbeats run on this thread alone: most of what one costs beyond its calls would be waking others up for
/// it. All else has threads of its own, so that nothing holds a heartbeat up.
fn on_runtimes(args: Args) -> anyhow::Result<()> {
    const FAILED: &str = "can't start the runtime";
    let heartbeats = Builder::new_current_thread().enable_all().build().context(FAILED)?;
    let others = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().context(FAILED)?;
    let here = heartbeats.handle().clone();
    let daemon = others.spawn(async move {
        if args.demo { demo::run(args.length, &here).await } else { run(&args, &here).await }
    });
    let ended = heartbeats.block_on(daemon);
    // What may still block in the background must not hold the exit up.
    others.shutdown_timeout(LAST_WORK);
    heartbeats.shutdown_timeout(LAST_WORK);
    ended.unwrap_or_else(|panic| Err(panic.into()))
}

/// Whether there may be as many threads as there will be at least: the runtime panics where there may not, and
/// waits for those that it has for ever.
fn try_threads() -> std::io::Result<()> {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        // They are all there before the first one ends.
        let _shut = gate.lock();
        let waits = || drop(gate.lock());
        (0..THREADS).try_for_each(|_| std::thread::Builder::new().spawn_scoped(scope, waits).map(drop))
    })
}

/// A connection a model: the usual limit of 1024 guards programs that know no better, and may be raised.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be, heartbeats say so once it is met.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

async fn run(args: &Args, heartbeats: &Handle) -> anyhow::Result<()> {
    let env = Env::process();
    let path = config::find(args.config.as_deref(), &env);
    let configuration = configuration::read(&path, &env, &Zones::system())?;
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
    Daemon::start(configuration, env, heartbeats).await?.wait().await
}

fn exit_code(error: &anyhow::Error) -> u8 {
    let bad_state = error.downcast_ref::<StoreError>().is_some_and(StoreError::is_misconfiguration);
    if bad_state || error.downcast_ref::<ConfigurationError>().is_some() { BAD_CONFIGURATION } else { 1 }
}

fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    // Where it ran, and left a log, whoever asks why it ended looks there.
    if error.is::<Died>() && tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!("{error:#}; warmd ends, to be started anew");
        return ExitCode::from(code);
    }
    let mut stderr = std::io::stderr().lock();
    let told = match error.downcast_ref::<ConfigurationError>() {
        Some(ConfigurationError(problems)) => {
            problems.render(stderr.is_terminal() && Env::process().welcomes_color(), 100)
        }
        None => format!("warmd: {}\n", quote::whole(&format!("{error:#}"))),
    };
    // There is nowhere left to tell that standard error is closed.
    let _ = stderr.write_all(told.as_bytes());
    ExitCode::from(code)
}
