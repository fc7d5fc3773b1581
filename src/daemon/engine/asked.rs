//! What others ask of the engine, carried out.

use super::Engine;
use super::slot::{Asked, Slot, Waiters};
use crate::clock;
use crate::config::nearest::nearest;
use crate::config::value::{ModelName, format_duration};
use crate::daemon::command::{BeatAnswer, Command, Refusal};
use crate::heartbeat::Outcome;
use crate::journal::{Entry, State, What};
use crate::state::{delta, digest};
use crate::status::assemble::{LiveModel, LiveStatus};
use crate::status::delivery;
use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio::sync::oneshot;

/// Whoever asks for a heartbeat by hand waits this long for the account's pace: a limit is one of
/// creates a minute.
const ASKED_PATIENCE: Duration = Duration::from_mins(1);

impl Engine {
    /// Carries out a command, and answers it.
    pub(super) fn obey(&mut self, command: Command) {
        let now = clock::now();
        // Whoever asked may have gone away meanwhile: an answer that nobody takes is no error.
        match command {
            Command::Live(since, reply) => {
                drop(reply.send((self.live(now), self.store.summaries(since, now))));
            }
            Command::Hourly(since, reply) => {
                let pending =
                    |slot: &Slot| (slot.model.name.clone(), digest::pending(&slot.known, &slot.model, now));
                let pending = self.slots.values().map(|slot| pending(slot)).collect();
                drop(reply.send((pending, self.store.hourly(since, now))));
            }
            Command::Intervals(name, since, reply) => {
                let slot = self.slots.get(&name);
                let pending = slot.map(|slot| digest::pending(&slot.known, &slot.model, now));
                let intervals = self.store.intervals(name, since, now);
                drop(reply.send((pending.unwrap_or_default(), intervals)));
            }
            Command::Scrape(reply) => drop(reply.send((self.live(now), self.counts.clone()))),
            Command::Answer(reply) => drop(reply.send(())),
            Command::Find(name, reply) => drop(reply.send(self.find(&name).map(drop))),
            Command::Beat(name, reply) => self.beat(&name, now, reply),
            Command::Pause(name, length, reply) => drop(reply.send(self.pause(&name, length, now))),
            Command::Resume(name, reply) => drop(reply.send(self.resume(&name, now))),
            Command::Load(configuration, reply) => drop(reply.send(self.load(*configuration, false))),
            Command::LoadFailed(error) => self.refuse(error, now),
            Command::ReadHangs(told) => self.read_hangs = told,
            Command::Rezone(zones) => self.rezone(zones),
            Command::Fold => self.fold(),
        }
    }

    fn refuse(&mut self, error: String, now: DateTime<Utc>) {
        self.watch.refused(&error, now);
        self.look_out_for_config(now);
        self.config_error = Some(error);
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
                next_at: slot.plan.due.or_else(|| self.looks_at(slot, state, now)),
                facts: slot.provider.as_ref().map(|provider| provider.facts()).unwrap_or_default(),
            }
        };
        let mut notes = self.running.warnings.clone();
        notes.extend(self.trouble.note());
        let health = self.store.health();
        notes.extend(health.notes());
        let alerts = self.mail.status();
        notes.extend(delivery::note(&alerts));
        if self.running.config.daemon != self.settings {
            notes.push("[daemon] was changed since warmd started: restart it for that".to_owned());
        }
        LiveStatus {
            at: now,
            started_at: self.started_at,
            tzdata: self.running.zones.describe(),
            config: self.running.config.clone(),
            config_loaded_at: self.running.loaded_at,
            config_error: self.read_hangs.clone().or_else(|| self.config_error.clone()),
            notes,
            alerts,
            saved: health.is_saved(),
            models: models.map(|slot| model(slot)).collect(),
        }
    }

    /// When a model whose account is blocked is asked for again, itself or by another one that looks.
    fn looks_at(&self, slot: &Slot, state: State, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let account = self.accounts.get(slot.account.as_ref()?).filter(|_| state == State::Blocked)?;
        let wait = account.looks_at()?.saturating_duration_since(clock::instant());
        Some(now + delta(wait))
    }

    fn beat(&mut self, name: &str, now: DateTime<Utc>, reply: oneshot::Sender<Result<BeatAnswer, Refusal>>) {
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
        // A calibration heartbeat is not the one that was asked for.
        if let Some(flight) = slot.flight.as_mut().filter(|flight| !flight.calibrates) {
            flight.waiters.join(reply);
        } else {
            let until = clock::instant() + ASKED_PATIENCE;
            let anew = || Asked { at: now, until, waiters: Waiters::of(name.clone()) };
            slot.asked.get_or_insert_with(anew).waiters.join(reply);
        }
        self.look_at(&name);
    }

    /// One that was asked for goes as soon as the account's pace lets it; not at all where that is
    /// too late for somebody who waits. Tells when to look at it again.
    pub(super) fn deal_with_asked(&mut self, name: &ModelName, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let slot = self.slots.get_mut(name)?;
        let until = slot.asked.as_ref()?.until;
        if slot.provider.is_none() {
            // Its token went with a reload.
            slot.asked = None;
            return None;
        }
        if let Some(waits) = self.waits_for_calibration(name, None, now) {
            return Some(waits);
        }
        let slot = self.slots.get_mut(name)?;
        let instant = clock::instant();
        let account = slot.account.as_ref().and_then(|token| self.accounts.get(token));
        let ready = account.map_or(instant, |account| account.pace.ready_at(instant));
        if ready <= instant {
            self.send(name, now, now);
            return None;
        }
        let ready_at = now + delta(ready - instant);
        if ready <= until {
            return Some(ready_at);
        }
        let asked = slot.asked.take()?;
        let why = format!(
            "not sent: the account's limit allows its next create in {}",
            format_duration(Duration::from_secs((ready - instant).as_secs() + 1))
        );
        let entry = digest::not_sent(&slot.model, Outcome::RateLimited, asked.at, now, &why);
        if let What::Heartbeat { heartbeat, .. } = &entry.what {
            asked.waiters.tell(&BeatAnswer { heartbeat: heartbeat.clone(), calibration: false });
        }
        self.record(entry);
        None
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

    fn resume(&mut self, name: &str, now: DateTime<Utc>) -> Result<bool, Refusal> {
        let name = self.find(name)?;
        let Some(slot) = self.slots.get(&name) else { return Ok(false) };
        let (paused, account) = (slot.known.pause.is_some(), slot.account.clone());
        if paused {
            self.record(Entry { model: name.clone(), at: now, what: What::Resumed });
        }
        if paused || self.slots.get(&name).is_some_and(|slot| slot.known.block.is_some()) {
            self.want(&name, now);
        }
        if let Some(token) = account
            && let Some(account) = self.accounts.get_mut(&token)
        {
            account.look_now(clock::instant());
            self.apply_holds_of(&token);
        }
        self.look_at(&name);
        Ok(paused)
    }

    fn find(&self, name: &str) -> Result<ModelName, Refusal> {
        if let Some((name, _)) = self.slots.get_key_value(name) {
            return Ok(name.clone());
        }
        // In the file's order, so that the same mistake gets the same answer.
        let names = self.running.config.models.iter().map(|model| model.name.as_str());
        let nearest = nearest(name, names).map(str::to_owned);
        Err(Refusal::UnknownModel { name: name.to_owned(), nearest })
    }
}
