//! Makes inputs: reads a model per line, `{"schema": …, "example": …}`, and writes what was made of it per line.

use serde_json::{Map, Value, json};
use std::io::{self, BufRead, Write};
use warmd::provider::input::{self, Rung};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let model: Value = serde_json::from_str(&line?)?;
        let made = input::minimal(&model["schema"], model.get("example"), &Map::new(), &Rung::default());
        let made = match made {
            Ok(made) => json!({"input": made.input, "guessed": made.guessed, "shrunk": made.shrunk}),
            Err(error) => json!({"blocked": error.to_string()}),
        };
        writeln!(out, "{made}")?;
    }
    out.flush()
}
