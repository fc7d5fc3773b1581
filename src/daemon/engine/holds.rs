//! What an account grants its models: who of them is held, and who looks again.

use super::Engine;
use crate::clock;
use crate::config::value::Token;
use crate::daemon::account::Demand;

impl Engine {
    /// Works out, for every account, which of its models are held, and who looks again.
    pub(super) fn apply_holds(&mut self) {
        for token in self.accounts.keys().cloned().collect::<Vec<_>>() {
            self.apply_holds_of(&token);
        }
    }

    /// As above, for one account.
    pub(super) fn apply_holds_of(&mut self, token: &Token) {
        let (now, instant) = (clock::now(), clock::instant());
        let Some(account) = self.accounts.get_mut(token) else { return };
        let slots = account.models.iter().filter_map(|name| self.slots.get(name));
        let demands: Vec<Demand> = slots.map(|slot| slot.demand(now)).collect();
        let (holds, looks) = account.holds(&demands, instant);
        let mut changed = Vec::new();
        for (Demand { model: name, .. }, held) in demands.into_iter().zip(holds) {
            let Some(slot) = self.slots.get_mut(&name) else { continue };
            let looks = looks.as_ref() == Some(&name);
            if slot.held != held || looks {
                if slot.held.is_some() && held.is_none() {
                    slot.want(now);
                    if looks && slot.flight.is_none() {
                        slot.cursor.wanted = Some(now);
                    }
                }
                slot.held = held;
                changed.push(name);
            }
        }
        for name in changed {
            self.look_at(&name);
        }
    }
}
