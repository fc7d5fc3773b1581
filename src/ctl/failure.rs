//! Why a verb failed, told in one line, and the exit code that goes with it.

use super::client::ClientError;
use super::socket::SocketError;
use crate::config::Problems;
use crate::sandbox::cli::SandboxError;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use thiserror::Error;

/// It failed.
const FAILED: u8 = 1;

/// No daemon there: `EX_UNAVAILABLE` of sysexits.h.
const NO_DAEMON: u8 = 69;

/// Bad configuration: `EX_CONFIG` of sysexits.h.
pub(super) const BAD_CONFIGURATION: u8 = 78;

/// Why a verb failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// No daemon was found, or it must not be asked.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The daemon said no, or nothing.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The file can't be used.
    #[error("{0}")]
    Configuration(Problems),
    /// No such model in the file.
    #[error("no model is called `{name}` in {file}{}", nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    UnknownModel {
        /// As it was typed.
        name: String,
        /// The file.
        file: String,
        /// The nearest right one.
        nearest: Option<String>,
    },
    /// The time without an offset is another instant for each of the zones.
    #[error(
        "--from without an offset is ambiguous here, since the models lie in several zones ({zones}): write one, or name a model"
    )]
    SeveralZones {
        /// Some of them.
        zones: String,
    },
    /// The heartbeat was sent and found the model in no state to answer.
    #[error("the heartbeat of {model} was {outcome}{reason}; `warmctl status {model}` tells more")]
    Heartbeat {
        /// Whose.
        model: String,
        /// Its outcome.
        outcome: &'static str,
        /// Why, behind a colon.
        reason: String,
    },
    /// The file is good, and heartbeats would fail all the same.
    #[error("{}, as the report says; mend the configuration, the token or the model", if *troubled == 1 { "heartbeats of 1 model would fail".to_owned() } else { format!("heartbeats of {troubled} models would fail") })]
    Online {
        /// Of how many models.
        troubled: usize,
    },
    /// The stand-in can't run.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Output can't be written, or a runtime not be made.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// All has been said already.
    #[error("exit code {0}")]
    Told(u8),
}

impl Failure {
    /// Tells it on standard error, in colours on a terminal where they are wanted; the exit code to
    /// end with.
    pub(super) fn tell(&self, color: bool) -> ExitCode {
        match self {
            // Whoever read it has read enough.
            Self::Io(error) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::Told(_) => {}
            Self::Configuration(problems) => {
                let stderr = io::stderr();
                say(&problems.render(color && stderr.is_terminal(), 100));
            }
            Self::Socket(_)
            | Self::Client(_)
            | Self::UnknownModel { .. }
            | Self::SeveralZones { .. }
            | Self::Heartbeat { .. }
            | Self::Online { .. }
            | Self::Sandbox(_)
            | Self::Io(_) => self.line(),
        }
        ExitCode::from(self.code())
    }

    /// Tells it on standard error, in one line.
    pub(super) fn line(&self) {
        say(&format!("warmctl: {}\n", super::words::tame(&self.to_string())));
    }

    /// Whether the daemon is gone, so that there is no use in asking it further.
    pub(super) const fn is_final(&self) -> bool {
        matches!(self, Self::Client(ClientError::Gone { .. } | ClientError::Silent { .. }) | Self::Io(_))
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Socket(SocketError::Nobody(_)) | Self::Client(ClientError::Gone { .. }) => NO_DAEMON,
            Self::Configuration(_) => BAD_CONFIGURATION,
            Self::Told(code) => *code,
            Self::Socket(SocketError::Denied { .. })
            | Self::Client(
                ClientError::Silent { .. }
                | ClientError::Refused(_)
                | ClientError::Nonsense { .. }
                | ClientError::NoClient(_),
            )
            | Self::UnknownModel { .. }
            | Self::SeveralZones { .. }
            | Self::Heartbeat { .. }
            | Self::Online { .. }
            | Self::Sandbox(_)
            | Self::Io(_) => FAILED,
        }
    }
}

/// Writes to standard error; where that is closed, there is nowhere left to say so.
pub(super) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
