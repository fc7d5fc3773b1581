//! `warmctl status --watch`: over and over, until somebody ends it. A daemon that goes away meanwhile may come
//! back: only at the start it must be there.

use super::client::{Client, ClientError};
use super::failure::Failure;
use super::look::{BAD, Look};
use super::session::Session;
use super::stage::Stage;
use super::status::{self, Seen};
use super::{args, overview};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior};

/// From one picture to the next.
const PERIOD: Duration = Duration::from_secs(2);

pub(super) async fn run(session: &Session, client: &Client, args: &args::Status) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watcher = Watcher { session, client, args, ticks };
    let mut end = End::caught()?;
    let draws = std::io::stdout().is_terminal() && !session.json && !session.env.has_dumb_terminal();
    if draws { watcher.draw(&mut end).await } else { watcher.print(&mut end).await }
}

struct Watcher<'a> {
    session: &'a Session,
    client: &'a Client,
    args: &'a args::Status,
    ticks: Interval,
}

impl Watcher<'_> {
    /// One report under the other.
    async fn print(&mut self, end: &mut End) -> Result<(), Failure> {
        let mut first = true;
        loop {
            let seen = tokio::select! {
                () = end.came() => return Ok(()),
                seen = self.next() => seen,
            };
            match seen {
                Ok(seen) => {
                    let gap = if first || self.session.json { "" } else { "\n" };
                    self.session.tell(&format!("{gap}{}", seen.whole(&self.session.look)))?;
                }
                Err(error) if !first && is_away(&error) => error.line(),
                Err(error) => return Err(error),
            }
            first = false;
        }
    }

    /// One over the other, on a screen of its own. What is wrong from the start is told before that is taken, and
    /// what ends it after it is given back: where it stays to be read.
    async fn draw(&mut self, end: &mut End) -> Result<(), Failure> {
        let mut seen = tokio::select! {
            () = end.came() => return Ok(()),
            seen = self.next() => seen?,
        };
        let mut resized = signal(SignalKind::window_change())?;
        let mut stopped = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
        let mut away = None;
        let mut stage = Stage::enter()?;
        loop {
            let (columns, rows) = stage.size();
            let look = self.session.look.resized(columns);
            let picture = picture(&seen, away.as_ref(), &look, rows);
            stage.show(&self.session.letters.write(&picture))?;
            tokio::select! {
                () = end.came() => return Ok(()),
                _ = resized.recv() => {}
                _ = stopped.recv() => stage = stage.step_aside()?,
                next = self.next() => match next {
                    Ok(next) => (seen, away) = (next, None),
                    Err(error) if is_away(&error) => away = Some(error),
                    Err(error) => return Err(error),
                },
            }
        }
    }

    async fn next(&mut self) -> Result<Seen, Failure> {
        self.ticks.tick().await;
        status::see(self.session, self.client, self.args).await
    }
}

/// The latest picture; over it, where the daemon went away since, that it did.
fn picture(seen: &Seen, away: Option<&Failure>, look: &Look, rows: usize) -> String {
    let mut text = String::new();
    if let Some(error) = away {
        let told = format!("{error}; below, what it said last");
        overview::paragraph(&mut text, look, "  ", &told, |line| look.paint(BAD, line));
        text.push('\n');
    }
    let rows = rows.saturating_sub(text.lines().count());
    text + &seen.within(look, rows)
}

/// Whether the daemon may come back.
const fn is_away(failure: &Failure) -> bool {
    matches!(failure, Failure::Client(ClientError::Gone { .. } | ClientError::Silent { .. }))
}

/// Whatever ends a watch: Ctrl-C, a polite kill, a terminal that is closed.
struct End {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl End {
    fn caught() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
