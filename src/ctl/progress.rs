//! What takes long says so: one line on the terminal that is standard error, drawn over itself, and gone when it
//! is done. A pipe and a terminal that can't draw get none.

use super::failure::say;
use super::screen;
use super::session::Session;
use super::words;
use crate::clock::Stopwatch;
use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::time::Duration;

/// What is done by then shows nothing; what goes on is drawn again as often.
const PATIENCE: Duration = Duration::from_secs(1);

/// To the line's start, and all of it away.
const ERASE: &str = "\r\x1b[K";

/// Where it is shown, if anywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    shown: bool,
}

/// How many of how many are done.
#[derive(Debug)]
pub(super) struct Count {
    done: Cell<usize>,
    all: usize,
}

impl Progress {
    pub(super) fn of(session: &Session) -> Self {
        Self { shown: io::stderr().is_terminal() && !session.env.has_dumb_terminal() }
    }

    /// For what writes to standard output meanwhile: on one terminal they would write over one another.
    pub(super) fn beside_output(session: &Session) -> Self {
        let Self { shown } = Self::of(session);
        Self { shown: shown && !io::stdout().is_terminal() }
    }

    /// Does the work; meanwhile tells what `told` says, given for how long it has lasted.
    pub(super) async fn during<T>(self, work: impl Future<Output = T>, told: impl Fn(&str) -> String) -> T {
        if !self.shown {
            return work.await;
        }
        let watch = Stopwatch::start();
        let mut line = None;
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(PATIENCE) => {
                    line.get_or_insert_with(|| Line(io::stderr())).draw(&told(&words::span(watch.elapsed().as_secs_f64())));
                }
            }
        }
    }
}

impl Count {
    pub(super) fn to(all: usize) -> Self {
        Self { done: Cell::new(0), all }
    }

    pub(super) fn one_more(&self) {
        self.done.set(self.done.get() + 1);
    }

    /// `12 of 300 models`.
    pub(super) fn told(&self) -> String {
        format!("{} of {}", self.done.get(), words::count(self.all as u64, "model", "models"))
    }
}

/// The line; it goes, however the work ends.
struct Line(io::Stderr);

impl Line {
    fn draw(&self, text: &str) {
        let (columns, _) = screen::size(&self.0);
        // One that is full would break, and leave a part of itself behind each time.
        say(&format!("{ERASE}{}", screen::cut(text, columns - 1)));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        say(ERASE);
    }
}
