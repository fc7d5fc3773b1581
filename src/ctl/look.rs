//! How things are shown: with or without colour, how wide, whether broken there, by which clocks; and the
//! colours.

use crate::config::Env;
use crate::heartbeat::Outcome;
use crate::status::State;
use crate::words;
use anstyle::{AnsiColor, Style};
use chrono::{DateTime, FixedOffset, Local, Utc};
use std::io::IsTerminal;

/// Prose for what is not a terminal gets this many columns.
const PIPE_WIDTH: usize = 100;

/// A terminal that tells no width gets that of the oldest ones.
const TERMINAL_WIDTH: usize = 80;

/// Below this many columns nothing can be laid out; above, lines are too long to read.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=160;

/// How things are shown.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether colours may be used.
    pub color: bool,
    /// How many columns there are.
    pub width: usize,
    /// Whether what is longer is broken there, as for a terminal. A program looks for something in a line: there
    /// a line stays a line.
    pub breaks: bool,
    /// What the reader's clocks show.
    pub local: fn(DateTime<Utc>) -> DateTime<FixedOffset>,
}

impl Look {
    /// As standard output has it: colour on a terminal alone, and only where nobody refused it.
    pub fn of_stdout(no_color: bool) -> Self {
        let stdout = std::io::stdout();
        let terminal = stdout.is_terminal();
        let untold = if terminal { TERMINAL_WIDTH } else { PIPE_WIDTH };
        let width = terminal_size::terminal_size_of(&stdout).map_or(untold, |(width, _)| width.0.into());
        Self {
            color: terminal && !no_color && Env::process().welcomes_color(),
            width: clamp(width),
            breaks: terminal,
            local: system_clocks,
        }
    }

    /// As on a terminal this wide, without colour and by UTC: what tests compare.
    pub fn plain(width: usize) -> Self {
        Self { color: false, width: clamp(width), breaks: true, local: |t| t.fixed_offset() }
    }

    /// The same in so many columns.
    pub(super) fn resized(self, columns: usize) -> Self {
        Self { width: clamp(columns), ..self }
    }

    /// As many columns as a line may have.
    pub(super) fn room(&self) -> usize {
        if self.breaks { self.width } else { usize::MAX }
    }

    /// `text` in a style, where colours may be used.
    pub(super) fn paint(&self, style: Style, text: &str) -> String {
        if self.color && style != Style::new() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(super) fn bold(&self, text: &str) -> String {
        self.paint(BOLD, text)
    }

    pub(super) fn dim(&self, text: &str) -> String {
        self.paint(DIM, text)
    }
}

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const CHILLY: Style = AnsiColor::Cyan.on_default();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// The word for a state, and its colour.
pub(super) const fn state(state: State) -> (&'static str, Style) {
    let style = match state {
        State::Disabled | State::Idle => DIM,
        State::Paused | State::Booting => WARNING,
        State::Blocked | State::Failing => BAD,
        State::Warm => GOOD,
        State::Cold => CHILLY,
        State::Unknown => PLAIN,
    };
    (state.name(), style)
}

/// The words for an outcome, and their colour.
pub(super) const fn outcome(outcome: Outcome) -> (&'static str, Style) {
    let style = match outcome {
        Outcome::Warm | Outcome::Busy | Outcome::Calibration => GOOD,
        Outcome::Cold => CHILLY,
        Outcome::Failed | Outcome::Rejected | Outcome::TimedOut | Outcome::Unreachable => BAD,
        Outcome::RateLimited => WARNING,
        Outcome::Skipped => DIM,
    };
    (words::model::outcome(outcome), style)
}

fn clamp(width: usize) -> usize {
    width.clamp(*WIDTHS.start(), *WIDTHS.end())
}

fn system_clocks(t: DateTime<Utc>) -> DateTime<FixedOffset> {
    t.with_timezone(&Local).fixed_offset()
}
