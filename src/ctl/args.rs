//! `warmctl`'s command line: the verbs, their flags, and what is refused before anything is done.

use crate::config::value::{parse_duration, parse_pause};
use chrono::DateTime;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;
use std::time::Duration;

/// Asks and commands the daemon that keeps models warm, and checks its configuration
#[derive(Debug, Parser)]
#[command(name = "warmctl", version, after_help = EXIT_CODES, subcommand_required = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 it failed, 2 usage, 69 no daemon there, 78 bad configuration";

const SOCKET: &str = "The daemon's socket [default: $WARMD_SOCKET, else the first that answers of the config's own, \
                      $XDG_RUNTIME_DIR/warmd.sock, /run/warmd/warmd.sock]";

const CONFIG: &str =
    "The configuration [default: $WARMD_CONFIG, else ./warm.toml, else /etc/warmd/warm.toml]";

/// What goes with every verb.
#[derive(Debug, Clone, Args)]
#[command(next_display_order = 900)]
pub(super) struct Global {
    #[arg(long, global = true, value_name = "PATH", help = SOCKET)]
    pub(super) socket: Option<PathBuf>,
    #[arg(long, global = true, value_name = "PATH", help = CONFIG)]
    pub(super) config: Option<PathBuf>,
    /// Print JSON alone
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print without colour, as in a pipe or with `NO_COLOR` set
    #[arg(long, global = true)]
    pub(super) no_color: bool,
}

/// What `warmctl` does.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show how warm the models are and how fast they answer; with a MODEL its whole picture
    Status(Status),
    /// Show what happened: cold heartbeats, boots, failures, changes of state
    History(History),
    /// Write out what was measured, by the hour and the day, for other programs
    Export(Export),
    /// Check a configuration and show what it will do
    Check(Check),
    /// Show the coming windows, in local time and in UTC, from the configuration alone
    Next(Next),
    /// Send one heartbeat now, whatever hours, pause or block say, and show its timing
    Beat {
        /// The model's name
        model: String,
    },
    /// Hold models: no heartbeats until they are resumed
    Pause {
        #[command(flatten)]
        models: Models,
        /// Resume by itself after this long [default: never]
        #[arg(long = "for", value_name = "DURATION", value_parser = parse_pause)]
        length: Option<Duration>,
    },
    /// Free paused models
    Resume {
        #[command(flatten)]
        models: Models,
    },
    /// Have the daemon read its configuration again, and show what changed or every problem
    Reload,
    /// Try the alerts of the configuration
    #[command(subcommand)]
    Alert(Alert),
    /// Run a stand-in for Replicate and Cog, to rehearse a warm.toml without spending
    Sandbox(Box<crate::sandbox::cli::Args>),
    /// Print the completions of a shell
    Completions {
        /// bash, zsh or fish
        #[arg(value_parser = shell)]
        shell: Shell,
    },
}

/// What `warmctl alert` does.
#[derive(Debug, Subcommand)]
pub(super) enum Alert {
    /// Send a test event to each alert's receiver now, once, and show whether it arrived
    Test {
        /// Only this alert
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Only this model, and all of it
    pub(super) model: Option<String>,
    /// From when on figures are summed up: a duration, or an RFC 3339 time
    #[arg(long, default_value = "24h", value_parser = since)]
    pub(super) since: String,
    /// Show it again every two seconds, until Ctrl-C; on a screen too small for all, the worst first
    #[arg(long)]
    pub(super) watch: bool,
}

#[derive(Debug, Args)]
pub(super) struct History {
    /// Only this model; one that is not in the file any more, too
    pub(super) model: Option<String>,
    /// From when on: a duration, or an RFC 3339 time
    #[arg(long, default_value = "24h", value_parser = since)]
    pub(super) since: String,
    /// The latest so many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Only this model; one that is not in the file any more, too
    pub(super) model: Option<String>,
    /// How: a table; an interval log of `HdrHistogram`s, tagged with model and warm, cold or boot; or JSON, a
    /// line a model
    #[arg(long, value_enum, default_value = "csv")]
    pub(super) format: ExportFormat,
    /// From when on: a duration, or an RFC 3339 time; rounded outward to whole hours, or days before the last week
    #[arg(long, default_value = "24h", value_parser = since)]
    pub(super) since: String,
}

/// In which form measurements are written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    Csv,
    Hlog,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The file to check [default: the configuration]
    pub(super) file: Option<PathBuf>,
    /// Ask the providers too: is the token good, does the model exist, does the input fit
    #[arg(long)]
    pub(super) online: bool,
}

#[derive(Debug, Args)]
pub(super) struct Next {
    /// Only this model
    pub(super) model: Option<String>,
    /// From when on: RFC 3339; or YYYY-MM-DD or YYYY-MM-DDTHH:MM by the model's clocks [default: now]
    #[arg(long, value_name = "TIME", value_parser = str::parse::<super::from::From>)]
    pub(super) from: Option<super::from::From>,
    /// How many days of 24 h
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub(super) days: u32,
}

/// `MODEL… | --all`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Models {
    /// The models' names
    #[arg(value_name = "MODEL", conflicts_with = "all")]
    pub(super) models: Vec<String>,
    /// Every model
    #[arg(long)]
    pub(super) all: bool,
}

/// Refuses here what the daemon would refuse: a wrong span is wrong usage.
fn since(text: &str) -> Result<String, String> {
    if DateTime::parse_from_rfc3339(text).is_err()
        && let Err(error) = parse_duration(text)
    {
        return Err(format!("{error}; or an RFC 3339 time such as 2026-11-23T08:00:00Z"));
    }
    Ok(text.to_owned())
}

/// The three shells that completions are tested with.
fn shell(text: &str) -> Result<Shell, String> {
    match text {
        "bash" => Ok(Shell::Bash),
        "zsh" => Ok(Shell::Zsh),
        "fish" => Ok(Shell::Fish),
        _ => Err("one of bash, zsh, fish".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    fn parse(line: &str) -> Result<Cli, ErrorKind> {
        Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_is_understood() {
        for line in [
            "warmctl status",
            "warmctl status llama --since 1h30m --watch --json",
            "warmctl status --since 2026-11-23T08:00:00+01:00",
            "warmctl history",
            "warmctl history llama --since 7d --limit 20 --json",
            "warmctl export",
            "warmctl export llama --format hlog --since 7d",
            "warmctl check",
            "warmctl check other.toml --online",
            "warmctl next llama --from 2026-11-23T08:00:00Z --days 14",
            "warmctl next --from 2026-11-23",
            "warmctl --socket /tmp/s --config w.toml beat llama",
            "warmctl pause a b --for 2h",
            "warmctl pause --all",
            "warmctl resume --all --no-color",
            "warmctl reload",
            "warmctl alert test",
            "warmctl alert test ops --json",
            "warmctl completions zsh",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn wrong_usage_is_refused() {
        for (line, kind) in [
            ("warmctl", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("warmctl stauts", ErrorKind::InvalidSubcommand),
            ("warmctl status --since 5", ErrorKind::ValueValidation),
            ("warmctl status --since yesterday", ErrorKind::ValueValidation),
            ("warmctl history --since 5", ErrorKind::ValueValidation),
            ("warmctl history --limit 0", ErrorKind::ValueValidation),
            ("warmctl export --format xml", ErrorKind::InvalidValue),
            ("warmctl beat", ErrorKind::MissingRequiredArgument),
            ("warmctl pause", ErrorKind::MissingRequiredArgument),
            ("warmctl pause a --all", ErrorKind::ArgumentConflict),
            ("warmctl pause a --for 2", ErrorKind::ValueValidation),
            ("warmctl pause a --for 0s", ErrorKind::ValueValidation),
            ("warmctl pause a --for 9999999d", ErrorKind::ValueValidation),
            ("warmctl resume", ErrorKind::MissingRequiredArgument),
            ("warmctl alert", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
            ("warmctl next --days 0", ErrorKind::ValueValidation),
            ("warmctl next --from tomorrow", ErrorKind::ValueValidation),
            ("warmctl completions tcsh", ErrorKind::ValueValidation),
        ] {
            assert_eq!(parse(line).err(), Some(kind), "{line}");
        }
    }
}
