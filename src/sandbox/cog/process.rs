//! The process behind a Cog server's port: gone, in its setup, or up. Pure, as the pools are.

use super::super::chance::Chance;
use super::super::pool::{LEAST_BETWEEN_RESTARTS, Moment};
use super::super::truth::{BootTruth, PredictionTruth, Truth, TruthLog};
use super::{CogFault, CogSettings, Generation};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// How long a new process takes until it listens, in milliseconds: 0.2 s for 0.23, else 0.6 s.
const fn until_listening(generation: Generation) -> Duration {
    match generation {
        Generation::Cog09 | Generation::Cog016 => Duration::from_millis(600),
        Generation::Cog023 => Duration::from_millis(200),
    }
}

/// How long a supervisor lets a process rest that exited by itself.
const RESPAWN: Duration = Duration::from_secs(1);

/// How many lines of truth are kept.
const KEEP: usize = 100_000;

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// Nothing listens until then.
    Gone { until: Moment },
    /// Scaled to zero; the next request wakes it.
    Asleep,
    /// Its setup runs.
    Setup { since: Moment, until: Moment },
    /// It takes predictions.
    Up { since: Moment, ready: Moment },
    /// Its setup failed, and it stays (0.23).
    Failed { since: Moment, at: Moment },
}

/// A prediction that occupies a slot.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) started: Moment,
    pub(super) ends: Moment,
}

#[derive(Debug)]
pub(super) struct Process {
    settings: CogSettings,
    address: String,
    chance: Chance,
    base: DateTime<Utc>,
    pub(super) life: Life,
    pub(super) runs: Vec<Run>,
    /// What its health check says, whatever is true.
    pub(super) ailment: Option<String>,
    idle_since: Moment,
    next_number: u64,
    /// Which process it is.
    incarnation: u64,
    truth: TruthLog,
}

impl Process {
    pub(super) fn new(address: String, settings: CogSettings, chance: Chance, base: DateTime<Utc>) -> Self {
        let mut process = Self {
            settings,
            address,
            chance,
            base,
            life: Life::Asleep,
            runs: Vec::new(),
            ailment: None,
            idle_since: Moment::ZERO,
            next_number: 0,
            incarnation: 0,
            truth: TruthLog::new(KEEP),
        };
        if process.settings.scales_to_zero.is_none() {
            process.set_up(Moment::ZERO);
        }
        process
    }

    pub(super) fn date(&self, at: Moment) -> DateTime<Utc> {
        self.base + at
    }

    pub(super) fn truth(&self) -> Truth {
        self.truth.snapshot()
    }

    /// Which process listens; none while there is none. A proxy in front always listens.
    pub(super) fn listening(&self) -> Option<u64> {
        match self.life {
            Life::Gone { .. } => None,
            Life::Asleep => Some(0),
            Life::Setup { .. } | Life::Up { .. } | Life::Failed { .. } => {
                Some(if self.settings.scales_to_zero.is_some() { 0 } else { self.incarnation })
            }
        }
    }

    /// When something will happen next by itself.
    pub(super) fn next(&self) -> Option<Moment> {
        let ends = self.runs.iter().map(|run| run.ends).min();
        let life = match self.life {
            Life::Gone { until } | Life::Setup { until, .. } => Some(until),
            Life::Asleep | Life::Failed { .. } => None,
            Life::Up { ready, .. } => [self.restart_due(ready), self.sleep_due()].into_iter().flatten().min(),
        };
        ends.into_iter().chain(life).min()
    }

    /// Everything due by `now` happens.
    pub(super) fn advance(&mut self, now: Moment) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            self.step(at);
        }
    }

    /// A request came: what was asleep wakes.
    pub(super) fn wake(&mut self, now: Moment) {
        if self.life == Life::Asleep {
            self.set_up(now);
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.runs.len() >= self.settings.slots.max(1)
    }

    /// Takes a prediction that came at `came`; the caller has seen that there is a slot.
    pub(super) fn begin(&mut self, id: Option<&str>, came: Moment, now: Moment) -> Run {
        let number = self.next_number;
        self.next_number += 1;
        let id =
            id.map_or_else(|| self.chance.text(b"abcdefghijklmnopqrstuvwxyz0123456789", 26), str::to_owned);
        let ends = now + self.settings.predict.draw(&mut self.chance);
        let run = Run { number, id, started: now, ends };
        self.runs.push(run.clone());
        let boot = match self.life {
            Life::Up { since, ready } if came < ready => Some(ready.saturating_sub(since).as_secs_f64()),
            Life::Up { .. } | Life::Gone { .. } | Life::Asleep | Life::Setup { .. } | Life::Failed { .. } => {
                None
            }
        };
        self.truth.prediction(PredictionTruth {
            id: run.id.clone(),
            model: self.address.clone(),
            cold: boot.is_some(),
            boot,
            queue_wait: Some(now.saturating_sub(came).as_secs_f64()),
            created_at: self.date(came),
            started_at: Some(self.date(now)),
        });
        run
    }

    /// Whether this run still occupies its slot.
    pub(super) fn is_running(&self, number: u64) -> bool {
        self.runs.iter().any(|run| run.number == number)
    }

    /// Ends a run before its time.
    pub(super) fn end(&mut self, number: u64, now: Moment) {
        self.runs.retain(|run| run.number != number);
        self.idle_since = self.idle_since.max(now);
    }

    pub(super) fn inflict(&mut self, fault: CogFault, now: Moment) {
        match fault {
            CogFault::Restart => self.die(now + until_listening(self.settings.generation)),
            CogFault::Down { seconds } => self.die(now + Duration::from_secs(u64::from(seconds))),
            CogFault::Health { status } => self.ailment = status,
        }
    }

    fn set_up(&mut self, at: Moment) {
        self.incarnation += 1;
        self.life = Life::Setup { since: at, until: at + self.settings.boot.draw(&mut self.chance) };
    }

    fn die(&mut self, until: Moment) {
        self.runs.clear();
        self.life = Life::Gone { until };
    }

    fn restart_due(&self, ready: Moment) -> Option<Moment> {
        let every = self.settings.restarts_every.filter(|_| self.runs.is_empty())?;
        Some((ready + every.max(LEAST_BETWEEN_RESTARTS)).max(self.idle_since))
    }

    fn sleep_due(&self) -> Option<Moment> {
        let (_, after) = self.settings.scales_to_zero.filter(|_| self.runs.is_empty())?;
        Some(self.idle_since + after)
    }

    fn step(&mut self, at: Moment) {
        if let Some(ended) = self.runs.iter().find(|run| run.ends <= at).map(|run| run.number) {
            self.end(ended, at);
            return;
        }
        match self.life {
            Life::Gone { .. } if self.settings.scales_to_zero.is_some() => self.life = Life::Asleep,
            Life::Gone { .. } => self.set_up(at),
            Life::Setup { since, .. } if self.settings.setup_fails => {
                if self.settings.generation == Generation::Cog023 {
                    self.life = Life::Failed { since, at };
                } else {
                    self.die(at + RESPAWN);
                }
            }
            Life::Setup { since, .. } => {
                self.life = Life::Up { since, ready: at };
                self.idle_since = at;
                self.truth.boot(BootTruth {
                    model: self.address.clone(),
                    started_at: self.date(since),
                    took: at.saturating_sub(since).as_secs_f64(),
                    alone: self.settings.scales_to_zero.is_none(),
                });
            }
            Life::Up { ready, .. } => {
                if self.restart_due(ready).is_some_and(|due| due <= at) {
                    self.die(at + until_listening(self.settings.generation));
                } else if self.sleep_due().is_some_and(|due| due <= at) {
                    self.life = Life::Asleep;
                }
            }
            Life::Asleep | Life::Failed { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::chance::Spread;
    use super::super::Proxy;
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn process(change: impl FnOnce(&mut CogSettings)) -> Process {
        let mut settings =
            CogSettings { boot: Spread::fixed(s(3)), predict: Spread::fixed(s(1)), ..CogSettings::default() };
        change(&mut settings);
        Process::new("cog".to_owned(), settings, Chance::new(1), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn it_sets_up_restarts_by_itself_and_every_setup_is_another() {
        let mut process = process(|settings| settings.restarts_every = Some(s(10)));
        process.advance(s(2));
        assert_eq!(process.life, Life::Setup { since: s(0), until: s(3) });
        let first = process.listening();
        process.advance(s(13));
        assert_eq!(
            (process.life, process.listening()),
            (Life::Gone { until: s(13) + until_listening(Generation::Cog023) }, None)
        );
        process.advance(s(20));
        assert!(
            matches!(process.life, Life::Up { ready, .. } if ready == s(16) + Duration::from_millis(200))
        );
        assert_ne!(process.listening(), first);
        assert_eq!(process.truth().boots.len(), 2);
    }

    #[test]
    fn it_sleeps_when_nobody_asks_and_who_wakes_it_is_cold() {
        let mut process = process(|settings| settings.scales_to_zero = Some((Proxy::Holds, s(5))));
        assert_eq!(process.life, Life::Asleep);
        process.wake(s(10));
        process.advance(s(13));
        process.begin(None, s(10), s(13));
        process.advance(s(14));
        process.begin(None, s(15), s(15));
        process.advance(s(22));
        assert_eq!(process.life, Life::Asleep);
        let cold: Vec<_> = process.truth().predictions.iter().map(|prediction| prediction.cold).collect();
        assert_eq!(cold, [true, false]);
    }

    #[test]
    fn a_setup_that_fails_stays_in_rust_and_exits_in_python() {
        let mut rust = process(|settings| settings.setup_fails = true);
        rust.advance(s(60));
        assert_eq!(rust.life, Life::Failed { since: s(0), at: s(3) });
        let mut python = process(|settings| {
            settings.setup_fails = true;
            settings.generation = Generation::Cog016;
        });
        python.advance(s(3));
        assert_eq!(python.life, Life::Gone { until: s(4) });
        python.advance(s(5));
        assert!(matches!(python.life, Life::Setup { .. }));
    }

    #[test]
    fn a_kill_takes_what_runs_with_it() {
        let mut process = process(|_| {});
        process.advance(s(4));
        let run = process.begin(Some("x"), s(4), s(4));
        assert!(process.is_busy() && process.is_running(run.number));
        process.inflict(CogFault::Down { seconds: 5 }, s(4));
        assert!(!process.is_running(run.number));
        process.advance(s(9));
        assert!(matches!(process.life, Life::Setup { .. }));
    }
}
