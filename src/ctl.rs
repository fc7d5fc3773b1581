//! `warmctl`: its verbs and exit codes.
//!
//! Owns what a person types and reads. Knows the daemon by its socket's API alone, and shows what
//! the Snapshot says without judging it again.

mod alert;
mod args;
mod beat;
pub mod check;
mod checking;
mod client;
mod coming;
mod export;
mod failure;
mod from;
mod glance;
pub mod history;
mod hold;
mod letters;
pub mod look;
mod model;
pub mod next;
mod online;
mod output;
mod overview;
pub mod past;
mod peak;
mod progress;
mod reload;
mod salvage;
mod screen;
mod session;
mod socket;
mod stage;
mod status;
mod table;
mod timing;
mod watch;

pub use look::Look;
pub use model::picture;
pub use overview::overview;
pub use screen::Screen;

use crate::command_line;
use crate::config::Env;
use crate::words;
use args::{Cli, Verb};
use clap::CommandFactory;
use failure::Failure;
use session::Session;
use std::process::ExitCode;

/// The command line as it is defined: for the manual and the completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The program.
pub fn main() -> ExitCode {
    // `check` reads tokens, and is not the worse for a system that can't seal the memory they are in.
    let _ = crate::memory::seal();
    let cli: Cli = command_line::parse();
    let color = !cli.global.no_color && Env::process().welcomes_color();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::Io(error).tell(color),
    };
    match runtime.block_on(run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(color),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let session = Session::new(cli.global);
    match cli.verb {
        Verb::Status(args) => status::run(&session, &args).await,
        Verb::History(args) => history::run(&session, &args).await,
        Verb::Export(args) => export::run(&session, &args).await,
        Verb::Check(args) => checking::run(&session, &args).await,
        Verb::Next(args) => coming::run(&session, &args),
        Verb::Beat { model } => beat::run(&session, &model).await,
        Verb::Pause { models, length } => hold::pause(&session, &models, length).await,
        Verb::Resume { models } => hold::resume(&session, &models).await,
        Verb::Alert(args::Alert::Test { name }) => alert::test(&session, name.as_deref()).await,
        Verb::Reload => reload::run(&session).await,
        Verb::Sandbox(args) => Ok(crate::sandbox::cli::run(&args).await?),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "warmctl", &mut script);
            output::text(&String::from_utf8_lossy(&script))
        }
    }
}
