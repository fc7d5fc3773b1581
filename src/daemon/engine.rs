//! The engine: the one task that owns every model's state, and carries out what the pure rooms
//! decide. Everything else asks it by [`Command`].
//!
//! Owns the timers and the heartbeats in flight; reads no file, and waits for nothing but events.

mod asked;
mod calibration;
mod chores;
mod ending;
mod flight;
mod holds;
mod inputs;
mod load;
mod lookout;
mod slot;
mod timers;

use super::account::Account;
use super::alarm::Alarm;
use super::alerts::Mail;
use super::clockset::ClockSet;
use super::clockwatch::{ClockWatch, Moved};
use super::command::Command;
use super::configuration::Configuration;
use super::listen::tcp::Trouble;
use super::signals::Stop;
use super::systemd::Notifier;
use crate::alerts::Watch;
use crate::clock;
use crate::config;
use crate::config::value::{ModelName, Token};
use crate::heartbeat::Outcome;
use crate::journal::{Entry, What};
use crate::metrics::counts::Counts;
use crate::provider::http::Client;
use crate::schedule::grid;
use crate::state::{Known, delta, digest};
use crate::store::Store;
use chores::Chore;
use chrono::{DateTime, Utc};
use flight::Landed;
pub(super) use inputs::Inputs;
use slot::Slot;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use timers::Timers;
use tokio::sync::{Notify, mpsc};
use tokio::task::{Id, JoinSet};

/// How often the clocks are compared, accounts and states looked at, and the watchdog fed.
const TICK: Duration = Duration::from_secs(1);

/// The same while nothing is to be kept warm, and nothing waits.
const QUIET_TICK: Duration = Duration::from_mins(1);

/// What the engine asks, and tells.
pub(super) struct Services {
    pub(super) client: Client,
    pub(super) notifier: Notifier,
    /// Told when the civil clock was moved.
    pub(super) clock_set: Arc<Notify>,
}

/// The engine.
pub(super) struct Engine {
    running: Configuration,
    config_error: Option<String>,
    /// What is said of a reload that can't go on.
    read_hangs: Option<String>,
    started_at: DateTime<Utc>,
    /// `[daemon]` as the process started with it; changes of it wait for a restart.
    settings: config::Daemon,
    services: Services,
    store: Arc<Store>,
    /// Whether the TCP address could be opened.
    trouble: Trouble,
    /// Boxed, for a map keeps almost as many empty places as full ones.
    slots: HashMap<ModelName, Box<Slot>>,
    /// What is known of models that are not in the file any more.
    dormant: HashMap<ModelName, Known>,
    accounts: HashMap<Token, Account>,
    /// What was learned of the models' inputs.
    inputs: Inputs,
    timers: Timers,
    flights: JoinSet<Landed>,
    /// Which model a flight is of, and which flight of it, for one that panics.
    aboard: HashMap<Id, (ModelName, u64)>,
    flown: u64,
    /// What happened since the process started.
    counts: Counts,
    /// What happens, followed for the alerts.
    watch: Watch,
    mail: Arc<Mail>,
    clock_watch: ClockWatch,
    /// What the store does for it meanwhile.
    chores: JoinSet<Chore>,
    /// One of them takes back what was told of time to come.
    taking_back: bool,
    /// When it last ticked, and whether nothing has happened since that might have to be looked after.
    ticked: Instant,
    quiet: bool,
    /// Nothing new is sent.
    stopping: bool,
}

impl Engine {
    /// An engine that runs `configuration`, and goes on from what is `known`.
    pub(super) fn new(
        configuration: Configuration,
        (known, inputs): (HashMap<ModelName, Known>, Inputs),
        store: Arc<Store>,
        (watch, mail): (Watch, Arc<Mail>),
        services: Services,
        trouble: Trouble,
    ) -> Self {
        let mut engine = Self {
            running: configuration.clone(),
            config_error: None,
            read_hangs: None,
            started_at: clock::now(),
            settings: configuration.config.daemon.clone(),
            services,
            store,
            trouble,
            slots: HashMap::new(),
            dormant: known,
            accounts: HashMap::new(),
            inputs,
            timers: Timers::default(),
            flights: JoinSet::new(),
            aboard: HashMap::new(),
            flown: 0,
            counts: Counts::default(),
            watch,
            mail,
            clock_watch: ClockWatch::start(),
            chores: JoinSet::new(),
            taking_back: false,
            ticked: clock::instant(),
            quiet: false,
            stopping: false,
        };
        engine.load(configuration, true);
        engine
    }

    /// Runs until `stop`, then lets heartbeats in flight end within the configured grace, and saves.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        stop: Stop,
    ) -> anyhow::Result<()> {
        let (mut clock_set, mut alarm) = (ClockSet::listen(), Alarm::new());
        self.tell_service_manager();
        loop {
            self.services.client.lulls.end_at(clock::instant());
            // Whatever happens to a quiet one begins with an event; that the clock is set is one.
            let quiet = self.quiet && clock_set.is_told();
            let tick = if quiet { self.services.notifier.at_most(QUIET_TICK, TICK) } else { TICK };
            let tick_at = self.ticked + tick;
            let rings_at = self.timers.first().map_or(tick_at, |first| first.min(tick_at));
            tokio::select! {
                biased;
                () = stop.asked.cancelled() => break,
                // Before what may never cease to come.
                () = alarm.rings(rings_at) => {
                    let now = clock::instant();
                    if now >= tick_at {
                        self.tick();
                        continue;
                    }
                    if let Some(name) = self.timers.ended(now) {
                        self.ended(&name);
                    }
                }
                () = clock_set.told() => self.follow_the_clock(),
                Some(landed) = self.flights.join_next_with_id() => {
                    self.follow_the_clock();
                    self.landed(landed);
                }
                Some(done) = self.chores.join_next() => self.done(&done),
                Some(command) = commands.recv() => {
                    self.follow_the_clock();
                    self.obey(command);
                }
            }
            self.quiet = false;
        }
        self.drain(&stop).await
    }

    /// A model's timer has ended.
    fn ended(&mut self, name: &ModelName) {
        if let Some(slot) = self.slots.get_mut(name) {
            slot.timer = None;
        }
        self.follow_the_clock();
        self.look_at(name);
    }

    /// Carries out a model's plan, and sets its timer.
    fn look_at(&mut self, name: &ModelName) {
        if self.stopping {
            return;
        }
        let now = clock::now();
        let Some(slot) = self.slots.get_mut(name) else { return };
        if slot.known.pause.is_some() && !slot.known.paused(now) {
            self.record(Entry { model: name.clone(), at: now, what: What::Resumed });
            self.want(name, now);
        }
        let asked_again_at = self.deal_with_asked(name, now);
        let mut at = None;
        // Each round deals with one due; the grid's next lies in the future then.
        for _ in 0..3 {
            let Some(slot) = self.slots.get_mut(name) else { return };
            let plan = slot.replan(now);
            match plan.due {
                Some(due) if due <= now => match self.deal_with(name, due, now) {
                    Dealt::Done => {}
                    Dealt::Wait(ready) => {
                        at = Some(ready);
                        break;
                    }
                },
                due => {
                    at = due;
                    break;
                }
            }
        }
        let Some(slot) = self.slots.get_mut(name) else { return };
        let at = [at, asked_again_at, slot.plan.look_again_at].into_iter().flatten().min();
        let wait = at.map_or(timers::LONGEST, |at| (at - now).to_std().unwrap_or_default());
        self.timers.set(&mut slot.timer, name, wait);
        self.tell_state(name, now);
    }

    /// A due that has come: sends it, skips it, drops it, or waits for the account's pace.
    fn deal_with(&mut self, name: &ModelName, due: DateTime<Utc>, now: DateTime<Utc>) -> Dealt {
        if let Some(until) = self.waits_for_calibration(name, Some(due), now) {
            return Dealt::Wait(until);
        }
        let Some(slot) = self.slots.get_mut(name) else { return Dealt::Done };
        if slot.flight.is_some() {
            slot.cursor.dealt = now;
            slot.cursor.wanted = None;
            let why = "the one before it was still in flight";
            let entry = digest::not_sent(&slot.model, Outcome::Skipped, due, now, why);
            self.record(entry);
            return Dealt::Done;
        }
        let instant = clock::instant();
        if let Some(account) = slot.account.as_ref().and_then(|token| self.accounts.get_mut(token)) {
            let ready = account.pace.ready_at(instant);
            if ready > instant {
                let ready_at = now + delta(ready - instant);
                if ready_at < grid::after(name, slot.model.interval, now.max(due)) {
                    return Dealt::Wait(ready_at);
                }
                account.pace.dropped(instant);
                slot.cursor.dealt = now;
                slot.cursor.wanted = None;
                let why = "the account's pace would have delayed it past its next due";
                let entry = digest::not_sent(&slot.model, Outcome::RateLimited, due, now, why);
                self.record(entry);
                return Dealt::Done;
            }
        }
        self.send(name, due, now);
        Dealt::Done
    }

    /// Notes that a heartbeat is wanted at once, where that is due at all.
    fn want(&mut self, name: &ModelName, now: DateTime<Utc>) {
        if let Some(slot) = self.slots.get_mut(name) {
            slot.want(now);
        }
    }

    /// Takes an entry into what is known, the journal, and the log.
    fn record(&mut self, entry: Entry) {
        self.record_all(vec![entry]);
    }

    /// As [`Self::record`], entries that belong together: after a crash all of them are there, or none.
    fn record_all(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            if let Some(slot) = self.slots.get_mut(&entry.model) {
                slot.learn(entry);
                self.counts.count(entry);
                self.watch.saw(entry);
                super::telling::log(entry);
            }
        }
        self.store.append_all(entries);
    }

    /// Records a change of state, if there is one.
    fn tell_state(&mut self, name: &ModelName, now: DateTime<Utc>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let (state, reason) = slot.standing(now);
        match slot.known.state {
            Some((before, _)) if before == state => {}
            before => {
                let reason = reason.clone();
                let from = before.map_or(crate::journal::State::Unknown, |(state, _)| state);
                let what = What::State { from, to: state, reason };
                self.record(Entry { model: name.clone(), at: now, what });
            }
        }
        self.look_out(name, (state, reason.as_deref()), now);
    }

    /// Plans anew where the clock was moved. Asked before anything is done by the clock: one that is set
    /// forth and back between two ticks would leave plans behind that are an hour off.
    fn follow_the_clock(&mut self) {
        let Some(moved) = self.clock_watch.moved() else { return };
        match moved {
            Moved::Jumped(_) => tracing::warn!("{moved}; dues and windows are worked out anew"),
            Moved::Drifted(_) => tracing::debug!("{moved}; dues and windows are worked out anew"),
        }
        self.services.clock_set.notify_one();
        let now = clock::now();
        for slot in self.slots.values_mut() {
            slot.cursor.dealt = slot.cursor.dealt.min(now);
            slot.cursor.wanted = slot.cursor.wanted.map(|wanted| wanted.min(now));
        }
        self.look_at_all();
    }

    fn tick(&mut self) {
        self.ticked = clock::instant();
        self.follow_the_clock();
        let now = clock::now();
        self.take_back(now);
        self.settle_what_passed(now);
        self.apply_holds();
        for name in self.slots.keys().cloned().collect::<Vec<_>>() {
            self.tell_state(&name, now);
        }
        self.look_out_for_config(now);
        if self.store.wants_checkpoint() {
            self.watch.keep_all();
            self.mail.keep_all();
            self.keep_all_inputs();
            self.save();
        }
        self.tell_service_manager();
        self.quiet = self.is_quiet();
    }

    /// Whether nothing is to be kept warm, is on its way, or goes on.
    fn is_quiet(&self) -> bool {
        let rests = |slot: &Slot| !slot.plan.active && slot.flight.is_none() && slot.asked.is_none();
        let chores = self.taking_back || !self.chores.is_empty();
        let busy = chores || self.watch.has_incidents() || !self.store.is_settled();
        !busy && self.slots.values().all(|slot| rests(slot))
    }

    /// Looks at every model, in the file's order: the first come first where not all can.
    fn look_at_all(&mut self) {
        let config = self.running.config.clone();
        for model in &config.models {
            self.look_at(&model.name);
        }
    }

    fn tell_service_manager(&mut self) {
        let states = self.slots.values().filter_map(|slot| slot.known.state.map(|(state, _)| state));
        self.services.notifier.alive(&super::telling::headline(states, self.config_error.is_some()));
    }
}

/// What became of a due.
enum Dealt {
    /// It is dealt with.
    Done,
    /// It waits until then: for the account's pace, or for the end of a calibration heartbeat.
    Wait(DateTime<Utc>),
}
