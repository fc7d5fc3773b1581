//! The daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    warmd::daemon::cli::main()
}
