//! The log: to the journal where the service manager connects standard error to it, else to
//! standard error, as text or as JSON.

use clap::ValueEnum;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// The journal's own where standard error leads there, else text.
    #[default]
    Auto,
    /// A line an event.
    Text,
    /// A JSON object a line.
    Json,
}

/// Starts logging. `louder` counts `-v`; `quiet` is `-q`. `RUST_LOG` wins over both.
pub(super) fn start(format: Format, louder: u8, quiet: bool) -> anyhow::Result<()> {
    let level = match (quiet, louder) {
        (true, _) => "warn",
        (false, 0) => "warmd=info,warn",
        (false, 1) => "warmd=debug,warn",
        (false, _) => "trace",
    };
    let filter = match std::env::var("RUST_LOG") {
        Ok(own) if !own.is_empty() => EnvFilter::try_new(&own)
            .map_err(|error| anyhow::anyhow!("RUST_LOG={own:?} is not a log filter: {error}"))?,
        Ok(_) | Err(_) => EnvFilter::new(level),
    };
    let stderr = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let layer = match format {
        Format::Json => stderr.json().flatten_event(true).boxed(),
        Format::Auto if to_journal() => match tracing_journald::layer() {
            Ok(journal) => journal.with_syslog_identifier("warmd".to_owned()).boxed(),
            Err(_) => stderr.without_time().with_ansi(false).boxed(),
        },
        Format::Auto | Format::Text => stderr.with_ansi(std::io::stderr().is_terminal()).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(layer).try_init()?;
    Ok(())
}

/// Whether standard error leads to the journal: `$JOURNAL_STREAM` names its device and inode.
fn to_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|meta| stream == format!("{}:{}", meta.dev(), meta.ino()))
}
