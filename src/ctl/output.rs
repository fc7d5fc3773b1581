//! Standard output. Whoever reads it may stop at any time: see [`super::failure`].

use super::failure::Failure;
use serde::Serialize;
use std::io::{self, Write};

/// Prints a text.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Prints a value as JSON, on one line.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut told = serde_json::to_string(value).map_err(io::Error::from)?;
    told.push('\n');
    text(&told)
}
