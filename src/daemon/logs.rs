//! The log: to the journal where the service manager connects standard error to it, else to
//! standard error, as text or as JSON.

use super::telling::TOLD;
use crate::config::Env;
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

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Errors alone: where something else is shown.
    Errors,
    /// `-q`.
    Quiet,
    /// What a person wants to know.
    Usual,
    /// `-v`: each heartbeat.
    Verbose,
    /// `-vv`: everything, the libraries' too.
    Everything,
}

impl Level {
    /// As `-v`, counted, and `-q` ask for.
    pub(super) fn asked(louder: u8, quiet: bool) -> Self {
        match (quiet, louder) {
            (true, _) => Self::Quiet,
            (false, 0) => Self::Usual,
            (false, 1) => Self::Verbose,
            (false, _) => Self::Everything,
        }
    }
}

/// Starts logging. `RUST_LOG` wins over `level`.
pub(super) fn start(format: Format, level: Level) -> anyhow::Result<()> {
    let level = match level {
        Level::Errors => "error",
        Level::Quiet => "warn",
        Level::Usual => "warmd=info,warn",
        Level::Verbose => "warmd=debug,warn",
        Level::Everything => "trace",
    };
    let filter = match std::env::var("RUST_LOG") {
        Ok(own) if !own.is_empty() => EnvFilter::try_new(&own)
            .map_err(|error| anyhow::anyhow!("RUST_LOG={own:?} is not a log filter: {error}"))?,
        Ok(_) | Err(_) => EnvFilter::new(level),
    };
    let stderr = fmt::layer().with_writer(std::io::stderr).with_target(false);
    // What the message tells needs no telling twice.
    let told_once = fmt::format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{value:?}"),
        name if TOLD.contains(&name) => Ok(()),
        name => write!(writer, " {name}={value:?}"),
    });
    let layer = match format {
        Format::Json => stderr.json().flatten_event(true).boxed(),
        Format::Auto if to_journal() => match tracing_journald::layer() {
            Ok(journal) => journal.with_syslog_identifier("warmd".to_owned()).boxed(),
            Err(_) => stderr.fmt_fields(told_once).without_time().with_ansi(false).boxed(),
        },
        Format::Auto | Format::Text => {
            let color = std::io::stderr().is_terminal() && Env::process().welcomes_color();
            stderr.fmt_fields(told_once).with_ansi(color).boxed()
        }
    };
    tracing_subscriber::registry().with(filter).with(layer).try_init()?;
    Ok(())
}

/// Whether standard error leads to the journal: `$JOURNAL_STREAM` names its device and inode.
fn to_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    std::fs::metadata("/proc/self/fd/2").is_ok_and(|meta| stream == format!("{}:{}", meta.dev(), meta.ino()))
}
