//! The command line, read by clap; its words are told as anything else that comes from outside.

use crate::quote;
use clap::Parser;
use std::ffi::OsString;
use std::io::Write;
use std::process;

/// The exit code of a wrong command line, as clap has it.
const USAGE: i32 = 2;

/// Reads the command line, or ends the program with what is wrong with it.
pub(crate) fn parse<T: Parser>() -> T {
    let given: Vec<OsString> = std::env::args_os().collect();
    T::try_parse_from(&given).unwrap_or_else(|error| {
        // clap repeats words as they are.
        let shown: Vec<OsString> =
            given.iter().map(|word| quote::whole(&word.to_string_lossy()).into()).collect();
        if shown == given {
            error.exit();
        }
        let Err(error) = T::try_parse_from(shown) else {
            // Only as it is written is it wrong.
            let _ = writeln!(std::io::stderr(), "{}", quote::whole(&error.to_string()));
            process::exit(USAGE);
        };
        error.exit()
    })
}
