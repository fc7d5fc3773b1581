//! The engine: the one task that owns every model's state, and carries out what the pure rooms
//! decide. Everything else asks it by [`Command`].
//!
//! Owns the timers and the heartbeats in flight; reads no file, and waits for nothing but events.

mod clockwatch;
mod load;
mod slot;

use super::account::{Account, Demand};
use super::command::{Command, Refusal};
use super::configuration::Configuration;
use super::systemd::Notifier;
use crate::clock;
use crate::config::value::{ModelName, Token};
use crate::heartbeat::{Heartbeat, Observation, Order, Outcome, Phase};
use crate::journal::{Entry, What};
use crate::provider::http::Client;
use crate::schedule::{self, grid};
use crate::state::{InFlight, Known, delta, digest};
use crate::status::assemble::{LiveModel, LiveStatus};
use crate::store::{Store, StoreError};
use chrono::{DateTime, Utc};
use clockwatch::ClockWatch;
use futures_util::StreamExt;
use slot::{Flight, Slot};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::time::DelayQueue;

/// How often the clocks are compared, accounts and states looked at, and the watchdog fed.
const TICK: Duration = Duration::from_secs(1);

/// No timer runs for longer than this: far instants are looked at again on the way.
const LONGEST_TIMER: Duration = Duration::from_secs(60 * 60);

/// The engine.
#[derive(Debug)]
pub struct Engine {
    running: Configuration,
    config_error: Option<String>,
    started_at: DateTime<Utc>,
    client: Client,
    store: Arc<Store>,
    notifier: Notifier,
    slots: HashMap<ModelName, Slot>,
    /// What is known of models that are not in the file any more.
    dormant: HashMap<ModelName, Known>,
    accounts: HashMap<Token, Account>,
    timers: DelayQueue<ModelName>,
    flights: JoinSet<Landed>,
    /// Which model a flight is of, and which flight of it, for one that panics.
    aboard: HashMap<Id, (ModelName, u64)>,
    flown: u64,
    clock_watch: ClockWatch,
    /// Folding, in the background.
    chores: JoinSet<()>,
    /// Nothing new is sent.
    stopping: bool,
}

/// A heartbeat that has come back.
#[derive(Debug)]
struct Landed {
    model: ModelName,
    flight: u64,
    order: Order,
    due_at: DateTime<Utc>,
    seen: Observation,
}

impl Engine {
    /// An engine that runs `configuration`, and goes on from what is `known`.
    pub fn new(
        configuration: Configuration,
        known: HashMap<ModelName, Known>,
        store: Arc<Store>,
        client: Client,
        notifier: Notifier,
    ) -> Self {
        let mut engine = Self {
            running: configuration.clone(),
            config_error: None,
            started_at: clock::now(),
            client,
            store,
            notifier,
            slots: HashMap::new(),
            dormant: known,
            accounts: HashMap::new(),
            timers: DelayQueue::new(),
            flights: JoinSet::new(),
            aboard: HashMap::new(),
            flown: 0,
            clock_watch: ClockWatch::start(),
            chores: JoinSet::new(),
            stopping: false,
        };
        engine.load(configuration, true);
        engine
    }

    /// Runs until `stop`, then lets heartbeats in flight end within the configured grace, and saves.
    pub async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.tell_service_manager();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(expired) = self.timers.next() => {
                    let name = expired.into_inner();
                    if let Some(slot) = self.slots.get_mut(&name) {
                        slot.timer = None;
                    }
                    self.look_at(&name);
                }
                Some(landed) = self.flights.join_next_with_id() => self.landed(landed),
                Some(_) = self.chores.join_next() => {}
                Some(command) = commands.recv() => self.obey(command),
                _ = tick.tick() => self.tick(),
            }
        }
        self.drain().await
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
        // Each round deals with one due; the grid's next lies in the future then.
        let mut at = None;
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
        let at = [at, slot.plan.look_again_at].into_iter().flatten().min();
        let wait = at.map_or(LONGEST_TIMER, |at| (at - now).to_std().unwrap_or_default());
        slot.arm(&mut self.timers, wait.min(LONGEST_TIMER));
        self.tell_state(name, now);
    }

    /// A due that has come: sends it, skips it, drops it, or waits for the account's pace.
    fn deal_with(&mut self, name: &ModelName, due: DateTime<Utc>, now: DateTime<Utc>) -> Dealt {
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
        if let Some(account) = slot.account.as_ref().and_then(|token| self.accounts.get(token)) {
            let ready = account.pace.ready_at(instant);
            if ready > instant {
                let ready_at = now + delta(ready - instant);
                if ready_at < grid::after(name, slot.model.interval, now.max(due)) {
                    return Dealt::Wait(ready_at);
                }
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

    /// Sends a heartbeat that was due at `due`.
    fn send(&mut self, name: &ModelName, due: DateTime<Utc>, now: DateTime<Utc>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        slot.cursor.dealt = slot.cursor.dealt.max(now);
        slot.cursor.wanted = None;
        let Some(provider) = slot.provider.clone() else { return };
        if let Some(account) = slot.account.as_ref().and_then(|token| self.accounts.get_mut(token)) {
            account.pace.send(clock::instant());
        }
        let order = Order {
            model: slot.model.clone(),
            cold_after: slot.known.cold_after(&slot.model),
            known_setups: slot.known.setups.iter().copied().collect(),
        };
        self.flown += 1;
        let (flight, model) = (self.flown, name.clone());
        let (phase_sender, phase) = watch::channel(Phase::Sent);
        let handle = self.flights.spawn(async move {
            let seen = provider.beat(&order, &phase_sender).await;
            Landed { model, flight, order, due_at: due, seen }
        });
        self.aboard.insert(handle.id(), (name.clone(), flight));
        let in_flight = InFlight { due_at: due, sent_at: now, phase: Phase::Sent };
        slot.flight = Some(Flight { number: flight, handle, phase, in_flight, waiters: Vec::new() });
    }

    /// Takes in a heartbeat that has come back.
    fn landed(&mut self, landed: Result<(Id, Landed), tokio::task::JoinError>) {
        let landed = match landed {
            Ok((id, landed)) => {
                self.aboard.remove(&id);
                landed
            }
            Err(error) => {
                let Some((model, flight)) = self.aboard.remove(&error.id()) else { return };
                if error.is_panic() {
                    tracing::error!(model = model.as_str(), "a heartbeat panicked: {error}");
                }
                if let Some(slot) = self.slots.get_mut(&model)
                    && slot.flight.as_ref().is_some_and(|now| now.number == flight)
                {
                    slot.flight = None;
                    self.look_at(&model);
                }
                return;
            }
        };
        let Some(slot) = self.slots.get_mut(&landed.model) else { return };
        if slot.flight.as_ref().is_none_or(|flight| flight.number != landed.flight) {
            return;
        }
        let waiters = slot.take_waiters();
        let entries = digest::digest(&slot.known, &landed.order, landed.due_at, &landed.seen);
        let account = slot.account.clone();
        let Some(What::Heartbeat { heartbeat, .. }) = entries.first().map(|entry| entry.what.clone()) else {
            return;
        };
        for entry in entries {
            self.record(entry);
        }
        if let Some(account) = account {
            self.tell_account(&account, &heartbeat, &landed.seen);
        }
        for waiter in waiters {
            // Whoever asked may have gone away meanwhile.
            let _ = waiter.send(Ok(heartbeat.clone()));
        }
        self.look_at(&landed.model);
    }

    /// Lets the account know what one of its heartbeats met.
    fn tell_account(&mut self, token: &Token, heartbeat: &Heartbeat, seen: &Observation) {
        let instant = clock::instant();
        let Some(account) = self.accounts.get_mut(token) else { return };
        let refused = heartbeat.outcome == Outcome::RateLimited;
        account.pace.told(&seen.limits, refused, instant);
        let freed = account.landed(heartbeat, instant);
        self.apply_holds();
        if freed {
            let now = clock::now();
            for name in self.running.config.models.iter().map(|model| model.name.clone()).collect::<Vec<_>>()
            {
                if self.slots.get(&name).is_some_and(|slot| slot.account.as_ref() == Some(token)) {
                    self.want(&name, now);
                    self.look_at(&name);
                }
            }
        }
    }

    /// Works out, for every account, which of its models are held, and who looks again.
    fn apply_holds(&mut self) {
        let (now, instant) = (clock::now(), clock::instant());
        let mut changed = Vec::new();
        for (token, account) in &mut self.accounts {
            let of_account: Vec<&ModelName> = self
                .running
                .config
                .models
                .iter()
                .map(|model| &model.name)
                .filter(|name| self.slots.get(*name).is_some_and(|slot| slot.account.as_ref() == Some(token)))
                .collect();
            let demands: Vec<Demand> = of_account
                .iter()
                .filter_map(|name| self.slots.get(*name).map(|slot| slot.demand(now)))
                .collect();
            let (holds, looks) = account.holds(&demands, instant);
            for (name, held) in of_account.into_iter().zip(holds) {
                let Some(slot) = self.slots.get_mut(name) else { continue };
                let looks = looks.as_ref() == Some(name);
                if slot.held != held || looks {
                    if slot.held.is_some() && held.is_none() {
                        slot.cursor.wanted =
                            if looks { Some(now) } else { schedule::want(&slot.model, &slot.known, now) };
                    }
                    slot.held = held;
                    changed.push(name.clone());
                }
            }
        }
        for name in changed {
            self.look_at(&name);
        }
    }

    /// Notes that a heartbeat is wanted at once, where that is due at all.
    fn want(&mut self, name: &ModelName, now: DateTime<Utc>) {
        if let Some(slot) = self.slots.get_mut(name) {
            slot.cursor.wanted = schedule::want(&slot.model, &slot.known, now);
        }
    }

    /// Takes an entry into what is known, the journal, and the log.
    fn record(&mut self, entry: Entry) {
        let Some(slot) = self.slots.get_mut(&entry.model) else { return };
        slot.known.apply(&entry);
        super::telling::log(&entry);
        self.store.append(entry);
    }

    /// Records a change of state, if there is one.
    fn tell_state(&mut self, name: &ModelName, now: DateTime<Utc>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let (state, reason) = slot.standing(now);
        match slot.known.state {
            Some((before, _)) if before == state => {}
            before => {
                let from = before.map_or(crate::journal::State::Unknown, |(state, _)| state);
                let what = What::State { from, to: state, reason };
                self.record(Entry { model: name.clone(), at: now, what });
            }
        }
    }

    fn tick(&mut self) {
        let now = clock::now();
        if let Some(jump) = self.clock_watch.jumped() {
            tracing::warn!(seconds = jump, "the wall clock was moved; dues and windows are worked out anew");
            for slot in self.slots.values_mut() {
                slot.cursor.dealt = slot.cursor.dealt.min(now);
            }
            self.look_at_all();
        }
        self.apply_holds();
        for name in self.slots.keys().cloned().collect::<Vec<_>>() {
            self.tell_state(&name, now);
        }
        self.tell_service_manager();
    }

    fn look_at_all(&mut self) {
        for name in self.slots.keys().cloned().collect::<Vec<_>>() {
            self.look_at(&name);
        }
    }

    fn tell_service_manager(&mut self) {
        let states = self.slots.values().filter_map(|slot| slot.known.state.map(|(state, _)| state));
        self.notifier.alive(&super::telling::headline(states, self.config_error.is_some()));
    }

    fn obey(&mut self, command: Command) {
        let now = clock::now();
        // Whoever asked may have gone away meanwhile: an answer that nobody takes is no error.
        match command {
            Command::Live(reply) => drop(reply.send(self.live(now))),
            Command::Beat(name, reply) => self.beat(&name, now, reply),
            Command::Pause(name, length, reply) => drop(reply.send(self.pause(&name, length, now))),
            Command::Resume(name, reply) => drop(reply.send(self.resume(&name, now))),
            Command::Load(configuration, reply) => drop(reply.send(self.load(*configuration, false))),
            Command::LoadFailed(error) => self.config_error = Some(error),
            Command::Rezone(zones) => self.rezone(zones),
            Command::Fold => self.fold(),
        }
    }

    fn live(&self, now: DateTime<Utc>) -> LiveStatus {
        let models = self.running.config.models.iter().filter_map(|model| self.slots.get(&model.name));
        let model = |slot: &Slot| {
            let (state, reason) = slot.standing(now);
            let since = match slot.known.state {
                Some((told, since)) if told == state => since,
                Some(_) | None => now,
            };
            LiveModel {
                model: slot.model.clone(),
                known: slot.known.clone(),
                state: (state, since, reason),
                next_at: slot.plan.due,
                facts: slot.provider.as_ref().map(|provider| provider.facts()).unwrap_or_default(),
            }
        };
        let mut notes = self.running.warnings.clone();
        notes.extend(self.store.health().warning());
        LiveStatus {
            at: now,
            started_at: self.started_at,
            tzdata: self.running.zones.describe(),
            config: self.running.config.clone(),
            config_loaded_at: self.running.loaded_at,
            config_error: self.config_error.clone(),
            notes,
            models: models.map(model).collect(),
        }
    }

    fn beat(&mut self, name: &str, now: DateTime<Utc>, reply: oneshot::Sender<Result<Heartbeat, Refusal>>) {
        let name = match self.find(name) {
            Ok(name) => name,
            Err(refusal) => return drop(reply.send(Err(refusal))),
        };
        let Some(slot) = self.slots.get_mut(&name) else { return };
        if slot.provider.is_none() {
            let reason = self.running.tokenless.get(&name).cloned().unwrap_or_default();
            let refusal = Refusal::Unequipped { name: name.as_str().to_owned(), reason };
            return drop(reply.send(Err(refusal)));
        }
        if slot.flight.is_none() {
            self.send(&name, now, now);
        }
        let Some(slot) = self.slots.get_mut(&name) else { return };
        if let Some(flight) = &mut slot.flight {
            flight.waiters.push(reply);
        }
        self.look_at(&name);
    }

    fn pause(
        &mut self,
        name: &str,
        length: Option<Duration>,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Refusal> {
        let name = self.find(name)?;
        let until = length.and_then(|length| now.checked_add_signed(delta(length)));
        self.record(Entry { model: name.clone(), at: now, what: What::Paused { until } });
        self.look_at(&name);
        Ok(until)
    }

    fn resume(&mut self, name: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        let name = self.find(name)?;
        let Some(slot) = self.slots.get(&name) else { return Ok(()) };
        let (paused, account) = (slot.known.pause.is_some(), slot.account.clone());
        if paused {
            self.record(Entry { model: name.clone(), at: now, what: What::Resumed });
        }
        if paused || self.slots.get(&name).is_some_and(|slot| slot.known.block.is_some()) {
            self.want(&name, now);
        }
        if let Some(account) = account.and_then(|token| self.accounts.get_mut(&token)) {
            account.look_now(clock::instant());
            self.apply_holds();
        }
        self.look_at(&name);
        Ok(())
    }

    fn find(&self, name: &str) -> Result<ModelName, Refusal> {
        if let Some((name, _)) = self.slots.get_key_value(name) {
            return Ok(name.clone());
        }
        let names = self.slots.keys().map(ModelName::as_str);
        let nearest = crate::config::nearest::nearest(name, names).map(str::to_owned);
        Err(Refusal::UnknownModel { name: name.to_owned(), nearest })
    }

    /// Saves what is known, and lets the store fold what is saved.
    fn fold(&mut self) {
        let (saved, store) = (self.checkpoint(), self.store.clone());
        self.chores.spawn(async move {
            let folded = async {
                saved.await?;
                store.fold(clock::now()).await
            };
            match folded.await {
                Ok(folded) => tracing::debug!(?folded, "journal folded"),
                Err(error) => tracing::warn!("the journal can't be folded now: {error}"),
            }
        });
    }

    /// Hands what is known to the store, in order with the entries that led to it.
    fn checkpoint(&self) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let of_slots = self.slots.iter().map(|(name, slot)| (name, &slot.known));
        let all = of_slots.chain(self.dormant.iter());
        let saved = all.filter_map(|(name, known)| Some((name.clone(), serde_json::to_string(known).ok()?)));
        self.store.checkpoint(saved.collect())
    }

    /// The end: nothing new is sent, what is in flight may end within the grace, everything is saved.
    async fn drain(mut self) -> anyhow::Result<()> {
        let grace = self.running.config.daemon.shutdown_grace;
        if !self.flights.is_empty() {
            tracing::info!(in_flight = self.flights.len(), ?grace, "waiting for heartbeats in flight");
        }
        self.timers.clear();
        self.stopping = true;
        let landings = async {
            while let Some(landed) = self.flights.join_next_with_id().await {
                self.landed(landed);
            }
        };
        if tokio::time::timeout(grace, landings).await.is_err() {
            let names: Vec<&str> = self.aboard.values().map(|(name, _)| name.as_str()).collect();
            tracing::warn!(
                models = names.join(", "),
                "left in flight: a prediction still booting ends by itself"
            );
            self.flights.abort_all();
        }
        for (name, slot) in &mut self.slots {
            for waiter in slot.take_waiters() {
                let _ = waiter.send(Err(Refusal::GivenUp(name.as_str().to_owned())));
            }
        }
        while self.chores.join_next().await.is_some() {}
        Ok(self.checkpoint().await?)
    }
}

/// What became of a due.
enum Dealt {
    /// It is dealt with.
    Done,
    /// The account's pace delays it until then.
    Wait(DateTime<Utc>),
}
