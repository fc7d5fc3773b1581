//! The tool.

use std::process::ExitCode;

fn main() -> ExitCode {
    warmd::ctl::main()
}
