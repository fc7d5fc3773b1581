//! The instance that runs one version of a model: off, booting or up, and its queue.
//!
//! Owns scale-to-zero. A pure machine: nothing happens between two looks at it, and a look first
//! lets everything happen that was due, in order and at the very instants at which it was due. So
//! its times are exact however late somebody looks, and no task has to run for a prediction.

use super::chance::Chance;
use super::settings::Conduct;
use std::collections::VecDeque;
use std::time::Duration;

/// Time since the sandbox began, on the monotonic clock.
pub(super) type Moment = Duration;

/// Whoever looks after a day must not have to live through a million boots.
pub(super) const LEAST_BETWEEN_RESTARTS: Duration = Duration::from_secs(1);

/// Nobody shuts an instance down that has just answered.
const LEAST_BEFORE_EVICTION: Duration = Duration::from_millis(100);

/// A prediction on its way through the pool.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    /// Which prediction.
    pub(super) seq: u64,
    pub(super) created: Moment,
    /// When a warm instance would take it: the queue's own delay.
    pub(super) ready: Moment,
    pub(super) predict: Duration,
    pub(super) deadline: Option<Moment>,
    /// It never leaves the queue.
    pub(super) stuck: bool,
}

/// What happened in a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A boot is over; `alone` where nobody had asked for it.
    Booted { from: Moment, until: Moment, alone: bool },
    /// A prediction began to run; with the boot it had to wait for, where there was one.
    Started { seq: u64, at: Moment, boot: Option<Duration> },
    /// A prediction ran to its end.
    Finished { seq: u64, at: Moment },
    /// A prediction met its deadline.
    Expired { seq: u64, at: Moment, running: bool, booting: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    Off,
    Booting { since: Moment, until: Moment, alone: bool },
    Up { since: Moment, boot: Duration },
}

#[derive(Debug)]
struct Run {
    ticket: Ticket,
    ends: Moment,
}

/// Where a prediction was when it was canceled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removed {
    Waiting { booting: bool },
    Running,
}

#[derive(Debug)]
pub(super) struct Pool {
    conduct: Conduct,
    always_on: bool,
    power: Power,
    waiting: VecDeque<Ticket>,
    stuck: Vec<Ticket>,
    running: Vec<Run>,
    /// When it last had something to do.
    idle_since: Moment,
    /// The instant up to which everything has happened: nothing happens before it any more.
    last: Moment,
}

impl Pool {
    pub(super) fn new(conduct: Conduct, always_on: bool, now: Moment) -> Self {
        let power =
            if always_on { Power::Up { since: Moment::ZERO, boot: Duration::ZERO } } else { Power::Off };
        Self {
            conduct,
            always_on,
            power,
            waiting: VecDeque::new(),
            stuck: Vec::new(),
            running: Vec::new(),
            idle_since: now,
            last: now,
        }
    }

    pub(super) const fn conduct(&self) -> &Conduct {
        &self.conduct
    }

    /// Nothing would be lost by forgetting it.
    pub(super) fn is_forgettable(&self) -> bool {
        self.power == Power::Off && self.waiting.is_empty() && self.stuck.is_empty()
    }

    /// Takes a prediction in; the caller has let time pass up to `now`. Wakes a cold instance.
    pub(super) fn submit(&mut self, ticket: Ticket, now: Moment, chance: &mut Chance) {
        if ticket.stuck {
            self.stuck.push(ticket);
            return;
        }
        let is_at_rest = now.saturating_sub(self.idle_since) > LEAST_BEFORE_EVICTION;
        let per_mille = u64::from(self.conduct.evicted_per_mille);
        if is_at_rest && per_mille > 0 && chance.below(1000) < per_mille {
            self.evict();
        }
        self.waiting.push_back(ticket);
        if self.power == Power::Off {
            self.boot(now, false, chance);
        }
    }

    /// Takes a prediction out before its end; none where it isn't here.
    pub(super) fn cancel(&mut self, seq: u64, now: Moment) -> Option<Removed> {
        let booting = matches!(self.power, Power::Booting { .. });
        if let Some(at) = self.stuck.iter().position(|ticket| ticket.seq == seq) {
            self.stuck.swap_remove(at);
            return Some(Removed::Waiting { booting: false });
        }
        if let Some(at) = self.waiting.iter().position(|ticket| ticket.seq == seq) {
            self.waiting.remove(at);
            self.rest(now);
            return Some(Removed::Waiting { booting });
        }
        let at = self.running.iter().position(|run| run.ticket.seq == seq)?;
        self.running.swap_remove(at);
        self.rest(now);
        Some(Removed::Running)
    }

    /// Shuts an idle instance down, as a platform that needs the room does.
    pub(super) fn evict(&mut self) {
        if self.is_idle() && !self.always_on {
            self.power = Power::Off;
        }
    }

    /// Everything due by `now` happens.
    pub(super) fn advance(&mut self, now: Moment, chance: &mut Chance, events: &mut Vec<Event>) {
        while let Some(at) = self.next().filter(|at| *at <= now) {
            // A slot may have come free only after the head of the queue was ready for it.
            self.last = self.last.max(at);
            self.step(self.last, chance, events);
        }
    }

    /// When something will happen next by itself.
    pub(super) fn next(&self) -> Option<Moment> {
        let ends = self.running.iter().map(|run| run.ends.min(run.ticket.deadline.unwrap_or(Moment::MAX)));
        let deadlines = self.waiting.iter().chain(&self.stuck).filter_map(|ticket| ticket.deadline);
        let power = match self.power {
            Power::Off => None,
            Power::Booting { until, .. } => Some(until),
            Power::Up { since, .. } => {
                [self.start_due(since), self.restart_due(since), self.idle_out()].into_iter().flatten().min()
            }
        };
        ends.chain(deadlines).chain(power).min()
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_empty()
    }

    /// When the head of the queue gets a slot, as far as is known now.
    fn start_due(&self, up_since: Moment) -> Option<Moment> {
        if self.running.len() >= self.conduct.slots.max(1) {
            return None;
        }
        self.waiting.front().map(|ticket| ticket.ready.max(up_since))
    }

    fn restart_due(&self, up_since: Moment) -> Option<Moment> {
        let every = self.conduct.restarts_every.filter(|_| self.is_idle())?;
        Some((up_since + every.max(LEAST_BETWEEN_RESTARTS)).max(self.idle_since))
    }

    fn idle_out(&self) -> Option<Moment> {
        (self.is_idle() && !self.always_on).then(|| self.idle_since + self.conduct.idle_timeout)
    }

    fn boot(&mut self, at: Moment, alone: bool, chance: &mut Chance) {
        let until = at + self.conduct.boot.draw(chance);
        self.power = Power::Booting { since: at, until, alone };
    }

    fn rest(&mut self, at: Moment) {
        self.idle_since = self.idle_since.max(at);
        self.last = self.last.max(at);
    }

    /// One thing that is due at `at`. What ends comes before what begins, and an end before a
    /// deadline of the same instant.
    fn step(&mut self, at: Moment, chance: &mut Chance, events: &mut Vec<Event>) {
        if let Some(i) = self.running.iter().position(|run| run.ends <= at) {
            let run = self.running.swap_remove(i);
            self.rest(at);
            events.push(Event::Finished { seq: run.ticket.seq, at });
            return;
        }
        if let Some((seq, removed)) = self.expired(at).and_then(|seq| Some((seq, self.cancel(seq, at)?))) {
            let running = removed == Removed::Running;
            let booting = removed == Removed::Waiting { booting: true };
            events.push(Event::Expired { seq, at, running, booting });
            return;
        }
        match self.power {
            Power::Booting { since, until, alone } if until <= at => {
                self.power = Power::Up { since: until, boot: until.saturating_sub(since) };
                self.rest(until);
                events.push(Event::Booted { from: since, until, alone });
            }
            Power::Up { since, boot } if self.start_due(since).is_some_and(|due| due <= at) => {
                if let Some(ticket) = self.waiting.pop_front() {
                    // Cold is what was created before the instance that ran it was up.
                    let boot = (ticket.created < since).then_some(boot);
                    events.push(Event::Started { seq: ticket.seq, at, boot });
                    self.running.push(Run { ends: at + ticket.predict, ticket });
                }
            }
            Power::Up { since, .. } if self.restart_due(since).is_some_and(|due| due <= at) => {
                self.boot(at, true, chance);
            }
            Power::Up { .. } if self.idle_out().is_some_and(|due| due <= at) => self.power = Power::Off,
            Power::Off | Power::Booting { .. } | Power::Up { .. } => {}
        }
    }

    fn expired(&self, at: Moment) -> Option<u64> {
        let running = self.running.iter().map(|run| &run.ticket);
        self.waiting
            .iter()
            .chain(&self.stuck)
            .chain(running)
            .find(|ticket| ticket.deadline.is_some_and(|deadline| deadline <= at))
            .map(|ticket| ticket.seq)
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
