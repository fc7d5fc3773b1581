//! The fleet: how `warmd` does with many models, beside the least that such calls can cost.
//!
//! `cargo bench --bench fleet -- --help` tells what it measures and how.

#[path = "fleet/aged.rs"]
mod aged;
#[path = "fleet/bare.rs"]
mod bare;
#[path = "fleet/daemon.rs"]
mod daemon;
#[path = "fleet/history.rs"]
mod history;
#[path = "fleet/machine.rs"]
mod machine;
#[path = "fleet/measure.rs"]
mod measure;
#[path = "fleet/peers.rs"]
mod peers;
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
use row::Row;
use std::process::ExitCode;
use std::time::Duration;
use way::{Provider, Setting};

/// Starts of which the median time to the first heartbeat is told.
const STARTS: usize = 5;

/// Measures warmd with fleets of models against a sandbox on loopback
#[derive(Debug, Parser)]
struct Args {
    /// About a minute in all, for a first look
    #[arg(long)]
    quick: bool,
    /// Also 10,000 models every 10 s
    #[arg(long)]
    ten_thousand: bool,
    /// So many models as Replicate alone, once a second, instead of all the settings
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5_000))]
    models: Option<u16>,
    /// The histories alone
    #[arg(long)]
    aged: bool,
    /// As which of its processes this one runs
    #[arg(long, hide = true)]
    role: Option<Role>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
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
        None => return bench(&args),
    }
    Ok(ExitCode::SUCCESS)
}

fn bench(args: &Args) -> Result<ExitCode> {
    println!("{}", machine::told()?);
    if peers::exporter().is_none() {
        println!("{}\n", peers::INSTALL);
    }
    let lasts = Duration::from_secs(if args.quick { 5 } else { 10 });
    let (mut rows, mut whole) = (Vec::new(), true);
    for (setting, with_peers) in settings(args) {
        eprintln!("measuring {setting}");
        match Row::measure(&setting, lasts.max(2 * setting.interval), with_peers) {
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
    let (aged, all_aged) = aged(args);
    whole &= all_aged;
    println!("On a history, every 30 s around the clock:\n\n{}", table::aged(&aged));
    let ten = setting(Provider::Replicate, false, 10);
    let first = row::first_heartbeat(&ten, STARTS)?;
    let first = first.as_secs_f64() * 1e3;
    println!("From exec to the first heartbeat, 10 models, median of {STARTS} starts: {first:.1} ms");
    let size = std::fs::metadata(env!("CARGO_BIN_EXE_warmd"))?.len() as f64 / 1e6;
    println!("The program: {size:.1} MB");
    let exact = rows.iter().all(Row::is_exact);
    if !exact {
        eprintln!("heartbeats were lost, doubled, or counted otherwise than they came");
    }
    Ok(if exact && whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Measures the daemon on histories; whether that went well.
fn aged(args: &Args) -> (Vec<Aged>, bool) {
    let ages: &[(usize, u32)] = if args.quick { &[(100, 30)] } else { &[(300, 90), (1_000, 30)] };
    let (mut rows, mut whole) = (Vec::new(), true);
    for &(models, days) in ages {
        eprintln!("measuring {models} models with {days} days of history");
        match Aged::measure(models, days) {
            Ok(row) => rows.push(row),
            Err(error) => {
                whole = false;
                println!("{models} models with {days} days of history: {error:#}\n");
            }
        }
    }
    (rows, whole)
}

/// What is measured, and whether beside the peers.
fn settings(args: &Args) -> Vec<(Setting, bool)> {
    let mut settings = Vec::new();
    if args.aged {
        return settings;
    }
    if let Some(models) = args.models {
        return vec![(setting(Provider::Replicate, false, models.into()), true)];
    }
    if args.quick {
        settings.push((setting(Provider::Replicate, false, 100), true));
        settings.push((setting(Provider::Cog, false, 100), false));
        return settings;
    }
    settings.extend(
        [10, 100, 300, 1_000].map(|models| (setting(Provider::Replicate, false, models), models >= 100)),
    );
    settings.push((setting(Provider::Replicate, true, 300), false));
    settings.extend([100, 1_000].map(|models| (setting(Provider::Cog, false, models), false)));
    settings.push((setting(Provider::Cog, true, 100), false));
    if args.ten_thousand {
        let interval = Duration::from_secs(10);
        settings.push((Setting { interval, ..setting(Provider::Replicate, false, 10_000) }, false));
    }
    settings
}

fn setting(provider: Provider, tls: bool, models: usize) -> Setting {
    Setting { provider, tls, models, interval: Duration::from_secs(1) }
}
