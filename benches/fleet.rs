//! The fleet: how `warmd` does with many models, beside a bare loop that makes the same calls.
//!
//! `cargo bench --bench fleet -- --help` tells what it measures and how.

#[path = "fleet/aged.rs"]
mod aged;
#[path = "fleet/bare.rs"]
mod bare;
#[path = "fleet/daemon.rs"]
mod daemon;
#[path = "fleet/fairness.rs"]
mod fairness;
#[path = "fleet/history.rs"]
mod history;
#[path = "fleet/idle.rs"]
mod idle;
#[path = "fleet/machine.rs"]
mod machine;
#[path = "fleet/measure.rs"]
mod measure;
#[path = "fleet/peers.rs"]
mod peers;
#[path = "fleet/plot.rs"]
mod plot;
#[path = "fleet/process.rs"]
mod process;
#[path = "fleet/row.rs"]
mod row;
#[path = "fleet/sandbox.rs"]
mod sandbox;
#[path = "fleet/table.rs"]
mod table;
#[path = "fleet/tally.rs"]
mod tally;
#[path = "fleet/tls.rs"]
mod tls;
#[path = "fleet/way.rs"]
mod way;

use aged::Aged;
use anyhow::Result;
use clap::{Parser, ValueEnum};
use fairness::Fairness;
use idle::Idle;
use mimalloc::MiMalloc;
use row::Row;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use way::{Provider, Setting};

/// The daemon's, so that the bare loop has it too.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Starts of which the median time to the first heartbeat is told.
const STARTS: usize = 5;

/// Measures warmd with fleets of models against a sandbox on loopback
#[derive(Debug, Parser)]
struct Args {
    /// Some two minutes in all, for a first look
    #[arg(long)]
    quick: bool,
    /// Also 10,000 models every 10 s
    #[arg(long)]
    ten_thousand: bool,
    /// So many models on Replicate alone, instead of all the settings
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5_000))]
    models: Option<u16>,
    /// How often each of those is sent a heartbeat, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1, requires = "models", value_parser = clap::value_parser!(u8).range(1..))]
    interval: u8,
    /// One part alone
    #[arg(long, value_enum)]
    part: Option<Part>,
    /// Draw what a run has printed, read from standard input, into this file, and measure nothing
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// As which of its processes this one runs
    #[arg(long, hide = true)]
    role: Option<Role>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

/// The parts, in the order in which they are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Rhythm, CPU, memory, writes of fleets of all sizes
    Fleets,
    /// Whether models in trouble delay the others
    Fairness,
    /// The daemon on months of history
    Histories,
    /// How soon it is at work
    Starts,
    /// How much it does while there is nothing to do
    Idle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    Sandbox,
    Bare,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    match args.role {
        Some(Role::Sandbox) => sandbox::serve()?,
        Some(Role::Bare) => bare::run()?,
        None => match &args.plot {
            Some(file) => std::fs::write(file, plot::draw(&std::io::read_to_string(std::io::stdin())?)?)?,
            None => return bench(&args),
        },
    }
    Ok(ExitCode::SUCCESS)
}

fn bench(args: &Args) -> Result<ExitCode> {
    println!("{}", machine::told()?);
    if !rustix::process::geteuid().is_root() {
        println!("Not run by root, who alone is told what the daemon writes: that is left out.\n");
    }
    if peers::exporter().is_none() {
        println!("{}\n", peers::INSTALL);
    }
    let mut well = true;
    for part in Part::value_variants() {
        if args.part.is_none_or(|asked| asked == *part) && (*part != Part::Idle || !args.quick) {
            well &= measure(*part, args).unwrap_or_else(|error| {
                println!("{part:?}: {error:#}\n");
                false
            });
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures a part, and prints it; whether all went well.
fn measure(part: Part, args: &Args) -> Result<bool> {
    let lasts = Duration::from_secs(if args.quick { 5 } else { 10 });
    let of_replicate = |models| setting(Provider::Replicate, false, models);
    match part {
        Part::Fleets => return Ok(fleets(args, lasts)),
        Part::Fairness => {
            let setting = of_replicate(if args.quick { 100 } else { 300 });
            eprintln!("measuring {setting}, some of them in trouble");
            let row = Fairness::measure(&setting, 2 * lasts)?;
            println!(
                "{}: lags of those that are well, one in twenty hanging to its time-out, and one in a hundred \
                 answering with a megabyte or more:\n\n{}",
                row.setting,
                table::fairness(&row)
            );
            return Ok([&row.with, &row.without].iter().all(|tally| tally.lost + tally.doubled == 0));
        }
        Part::Histories => {
            let ages: &[(usize, u32)] = if args.quick { &[(100, 30)] } else { &[(300, 90), (1_000, 30)] };
            let mut rows = Vec::new();
            for &(models, days) in ages {
                eprintln!("measuring {models} models with {days} days of history");
                rows.push(Aged::measure(models, days)?);
            }
            println!("On a history, every 30 s around the clock:\n\n{}", table::aged(&rows));
        }
        Part::Starts => {
            let first = row::first_heartbeat(&of_replicate(10), STARTS)?.as_secs_f64() * 1e3;
            println!("From exec to the first heartbeat, 10 models, median of {STARTS} starts: {first:.1} ms");
            let size = std::fs::metadata(env!("CARGO_BIN_EXE_warmd"))?.len() as f64 / 1e6;
            println!("The program: {size:.1} MB\n");
        }
        Part::Idle => {
            eprintln!("measuring 100 models outside of their hours");
            let Idle { wakes, cpu } = Idle::measure(&of_replicate(100))?;
            println!("100 models outside of their hours: a minute takes {wakes} wakes and {cpu:.1?} of CPU");
        }
    }
    Ok(true)
}

/// Measures fleets of all sizes.
fn fleets(args: &Args, lasts: Duration) -> bool {
    let (mut rows, mut whole) = (Vec::new(), true);
    for (setting, with_peers) in settings(args) {
        eprintln!("measuring {setting}");
        // Two rounds at the least, of long ones one.
        let rounds = if setting.interval > lasts { 1 } else { 2 };
        match Row::measure(&setting, lasts.max(rounds * setting.interval), with_peers) {
            Ok(row) => rows.push(row),
            Err(error) => {
                whole = false;
                println!("{setting}: {error:#}\n");
            }
        }
    }
    println!("{}", table::rhythm(&rows));
    println!("CPU of a heartbeat:\n\n{}", table::cpu(&rows));
    println!("{}", table::costs(&rows));
    let exact = rows.iter().all(Row::is_exact);
    if !exact {
        println!("heartbeats were lost, doubled, or counted otherwise than they came\n");
    }
    exact && whole
}

/// What is measured, and whether beside the peers.
fn settings(args: &Args) -> Vec<(Setting, bool)> {
    let mut settings = Vec::new();
    if let Some(models) = args.models {
        let interval = Duration::from_secs(args.interval.into());
        return vec![(Setting { interval, ..setting(Provider::Replicate, false, models.into()) }, true)];
    }
    if args.quick {
        settings.push((setting(Provider::Replicate, false, 100), true));
        settings.push((setting(Provider::Cog, false, 100), false));
        return settings;
    }
    let seconds = |seconds, setting| Setting { interval: Duration::from_secs(seconds), ..setting };
    // As people have it: the models that an account's limit carries, at the usual interval.
    settings.push((seconds(30, setting(Provider::Replicate, false, 300)), false));
    settings.extend([10, 100, 300, 1_000].map(|models| (setting(Provider::Replicate, false, models), true)));
    settings.push((setting(Provider::Replicate, true, 300), true));
    settings.push((setting(Provider::Cog, false, 100), true));
    settings.push((setting(Provider::Cog, false, 1_000), false));
    settings.push((setting(Provider::Cog, true, 100), false));
    // Connections to servers that are asked more seldom than once a second are made anew each time.
    settings.push((seconds(5, setting(Provider::Cog, true, 100)), false));
    if args.ten_thousand {
        let interval = Duration::from_secs(10);
        settings.push((Setting { interval, ..setting(Provider::Replicate, false, 10_000) }, false));
    }
    settings
}

fn setting(provider: Provider, tls: bool, models: usize) -> Setting {
    Setting { provider, tls, models, interval: Duration::from_secs(1), troubled: false, idle: false }
}
