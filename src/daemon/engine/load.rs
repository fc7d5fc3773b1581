//! Taking up a configuration: at the start and at every reload, swapped whole.
//!
//! A model whose interval did not change keeps its rhythm; one whose reference changed starts anew;
//! what is known of a removed one sleeps until it comes back.

use super::slot::Slot;
use super::{Engine, clock};
use crate::config::value::{ModelName, Token};
use crate::config::{Config, Model};
use crate::daemon::account::Account;
use crate::daemon::configuration::Configuration;
use crate::heartbeat::Rejection;
use crate::hours::zone::Zones;
use crate::journal::{Entry, What};
use crate::provider::Provider;
use crate::state::digest;
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often hours are looked at that passed without a heartbeat.
const SETTLE: Duration = Duration::from_secs(15);

impl Engine {
    /// Runs by `configuration` from now on; tells what changed, a line each.
    pub(super) fn load(&mut self, configuration: Configuration, starting: bool) -> Vec<String> {
        let now = clock::now();
        let changes = self.running.config.diff(&configuration.config);
        let before = std::mem::replace(&mut self.running, configuration);
        self.config_error = None;
        self.load_alerts();
        self.load_accounts();
        let mut slots = std::mem::take(&mut self.slots);
        let new = self.running.clone();
        for model in &new.config.models {
            let old = slots.remove(&model.name);
            let added = old.is_none();
            let (slot, wants) = match old {
                Some(old) => self.change(*old, model, &before, now),
                None => (self.add(model, starting, now), true),
            };
            self.slots.insert(model.name.clone(), Box::new(slot));
            if added {
                self.settle(&model.name, starting, now);
            }
            self.aim(model, now);
            if wants || self.slots.get(&model.name).is_some_and(|slot| slot.known.block.is_some()) {
                self.want(&model.name, now);
            }
        }
        for (name, slot) in slots {
            self.retire(name, *slot, now);
        }
        self.counts.retain(|name| self.slots.contains_key(name));
        for known in self.dormant.values_mut() {
            // Out of the file they have no hours, from when they were taken out on.
            known.accounted_to = None;
        }
        self.restore_blocks();
        let instant = clock::instant();
        for account in self.accounts.values_mut() {
            account.look_now(instant);
        }
        // Who is active decides who is held, and who is held must not be sent to first.
        for slot in self.slots.values_mut() {
            slot.replan(now);
        }
        self.apply_holds();
        self.look_at_all();
        self.look_out_for_config(now);
        changes.lines()
    }

    /// Takes up new zones: the same windows, at other instants perhaps.
    pub(super) fn rezone(&mut self, zones: Zones) {
        let now = clock::now();
        let mut config = Config::clone(&self.running.config);
        for model in &mut config.models {
            let mut rezoned = Model::clone(model);
            match model.hours.rezone(&zones) {
                Ok(hours) => rezoned.hours = hours,
                Err(error) => {
                    tracing::warn!("{}: keeps its zone as it was: {error}", model.name.as_str());
                    continue;
                }
            }
            *model = Arc::new(rezoned);
            if let Some(slot) = self.slots.get(&model.name) {
                self.record_all(digest::accounted(&slot.known, &slot.model, now));
            }
            if let Some(slot) = self.slots.get_mut(&model.name) {
                slot.model = model.clone();
            }
        }
        self.running.config = Arc::new(config);
        self.running.zones = zones;
        let version = self.running.zones.describe();
        tracing::info!("the time zones are now {version}; windows are worked out anew");
        self.look_at_all();
    }

    /// Accounts that are still there keep their pace; new ones begin.
    fn load_accounts(&mut self) {
        let limit = self.running.config.replicate.creates_per_minute;
        for account in self.accounts.values_mut() {
            account.models.clear();
        }
        for model in self.running.config.models.iter().filter(|model| model.target.is_replicate()) {
            let Some(token) = self.running.tokens.get(&model.name) else { continue };
            let account = self.accounts.entry(token.clone()).or_insert_with(|| Account::new(limit));
            account.models.push(model.name.clone());
        }
        self.accounts.retain(|_, account| !account.models.is_empty());
        for account in self.accounts.values_mut() {
            account.pace.reconfigure(limit);
        }
    }

    fn add(&mut self, model: &Arc<Model>, starting: bool, now: DateTime<Utc>) -> Slot {
        let mut known = self.dormant.remove(&model.name).unwrap_or_default();
        if starting {
            // What the process before this one was told of its state is no longer so.
            known.state = known.state.filter(|(_, since)| *since <= now);
        }
        let mut slot = Slot::new(model.clone(), None, known);
        self.equip(&mut slot, None);
        slot
    }

    /// A model that was there before: keeps what it can. True where one is wanted at once.
    fn change(
        &mut self,
        mut slot: Slot,
        model: &Arc<Model>,
        before: &Configuration,
        now: DateTime<Utc>,
    ) -> (Slot, bool) {
        let old = std::mem::replace(&mut slot.model, model.clone());
        if old.hours != model.hours || old.enabled != model.enabled {
            for entry in digest::accounted(&slot.known, &old, now) {
                slot.learn(&entry);
                self.counts.count(&entry);
                self.store.append(entry);
            }
        }
        let re_aimed = old.target != model.target;
        if re_aimed {
            slot.flight = None;
            slot.calibrates_after = None;
            slot.asked = None;
        }
        let was_held = !old.enabled || !slot.plan.active;
        if old.interval != model.interval {
            slot.cursor.dealt = now;
        }
        self.equip(&mut slot, Some((&old, before)));
        (slot, re_aimed || was_held)
    }

    /// Gives a slot its provider, and its account; keeps the provider, with what it has looked up,
    /// where all that it was made from is the same.
    fn equip(&mut self, slot: &mut Slot, old: Option<(&Arc<Model>, &Configuration)>) {
        let model = &slot.model;
        let token = self.running.tokens.get(&model.name).cloned();
        let same = old.is_some_and(|(old, before)| {
            old.target == model.target
                && old.input == model.input
                && old.probe == model.probe
                && old.timeout == model.timeout
                && before.tokens.get(&model.name) == token.as_ref()
                && before.config.replicate.base_url == self.running.config.replicate.base_url
        });
        slot.account = token.clone().filter(|_| model.target.is_replicate());
        if slot.account.is_none() {
            // What an account held is free without it.
            slot.held = None;
        }
        if same && slot.provider.is_some() {
            return;
        }
        if slot.known.aimed.as_ref().is_some_and(|aimed| *aimed != aim_of(model)) {
            self.forget_input(&model.name);
        }
        let equipped = token.is_some() || !self.running.tokenless.contains_key(&model.name);
        slot.provider = equipped.then(|| {
            let provider =
                Provider::new(model, &self.running.config.replicate, token, self.services.client.clone());
            self.recall_input(&model.name, &provider);
            Arc::new(provider)
        });
    }

    /// Accounts for the hours up to now of a model that comes (back): while the daemon was down,
    /// they were spent unknown; while the model was not in the file, there were none.
    fn settle(&mut self, name: &ModelName, starting: bool, now: DateTime<Utc>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let entries = if starting {
            digest::accounted(&slot.known, &slot.model, now)
        } else {
            digest::tracked(&slot.known, &slot.model, now).into_iter().collect()
        };
        // Not counted: what is counted began with this process.
        for entry in &entries {
            slot.learn(entry);
        }
        self.store.append_all(entries);
    }

    /// Accounts for the hours that no answer can vouch for any more, of models that wait long for their next:
    /// what is counted would stand still else, while a model is blocked or paused.
    pub(super) fn settle_what_passed(&mut self, now: DateTime<Utc>) {
        let instant = clock::instant();
        let mut entries = Vec::new();
        for slot in self.slots.values_mut() {
            // One in flight may still tell that its hours were spent cold.
            if slot.flight.is_none() && instant.duration_since(slot.settled_at) >= SETTLE {
                slot.settled_at = instant;
                entries.extend(digest::beyond_vouching(&slot.known, &slot.model, now));
            }
        }
        self.record_all(entries);
    }

    /// Forgets what was learned of another reference than the one that is kept warm now.
    fn aim(&mut self, model: &Arc<Model>, now: DateTime<Utc>) {
        let at = aim_of(model);
        let aimed = self.slots.get(&model.name).and_then(|slot| slot.known.aimed.as_ref());
        if aimed != Some(&at) {
            self.record(Entry { model: model.name.clone(), at: now, what: What::Aimed { at } });
        }
    }

    fn retire(&mut self, name: ModelName, mut slot: Slot, now: DateTime<Utc>) {
        self.timers.end(&mut slot.timer, &name);
        for entry in digest::unvouched(&slot.known, &slot.model, now) {
            slot.learn(&entry);
            self.store.append(entry);
        }
        self.dormant.insert(name, Arc::unwrap_or_clone(slot.known));
    }

    /// Whether a model of the account has answered since: what refused another one then is over, even
    /// where that one has not been asked again yet.
    fn answered_since(&self, token: &Token, at: DateTime<Utc>) -> bool {
        let mut of_account = self.slots.values().filter(|slot| slot.account.as_ref() == Some(token));
        of_account.any(|slot| slot.known.answered_at.is_some_and(|answered| answered > at))
    }

    /// An account that was blocked when the process before this one ended still is: one heartbeat
    /// looks again, not one of each model.
    fn restore_blocks(&mut self) {
        let instant = clock::instant();
        let mut blocks = HashMap::new();
        for slot in self.slots.values() {
            if let (Some(token), Some(block)) = (&slot.account, &slot.known.block)
                && matches!(block.rejection, Rejection::Token | Rejection::Credit)
                && !self.answered_since(token, block.at)
            {
                blocks.insert(token.clone(), block.clone());
            }
        }
        for (token, block) in blocks {
            if let Some(account) = self.accounts.get_mut(&token) {
                account.block(block.rejection, block.error, instant, instant);
            }
        }
    }
}

/// What a model is aimed at, as its journal has it.
fn aim_of(model: &Model) -> String {
    format!("{} {}", model.target.kind(), model.target)
}
