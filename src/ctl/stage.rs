//! A screen of one's own on the terminal that is standard output, for as long as it is watched: what the terminal
//! showed before is there again at the end, and so is the cursor, however it ends.

use super::failure::Failure;
use super::{output, screen};
use rustix::process::{Signal, getpid, kill_process};
use std::io::{self, Stdout};

/// The other screen, empty; without a cursor, and with lines that end at the edge.
const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// The screen, while this lives.
#[derive(Debug)]
pub(super) struct Stage {
    terminal: Stdout,
}

impl Stage {
    pub(super) fn enter() -> Result<Self, Failure> {
        output::text(ENTER)?;
        Ok(Self { terminal: io::stdout() })
    }

    /// The size there is to draw on, at the moment.
    pub(super) fn size(&self) -> (usize, usize) {
        screen::size(&self.terminal)
    }

    pub(super) fn show(&self, picture: &str) -> Result<(), Failure> {
        output::text(&screen::over(picture, self.size()))
    }

    /// Ctrl-Z: the terminal is the shell's until it has this process go on.
    pub(super) fn step_aside(self) -> Result<Self, Failure> {
        drop(self);
        kill_process(getpid(), Signal::STOP).map_err(io::Error::from)?;
        Self::enter()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing put back.
        let _ = output::text(LEAVE);
    }
}
