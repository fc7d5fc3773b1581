//! What was learned of the models' inputs, kept over restarts as a note for each model.

use super::Engine;
use crate::config::value::ModelName;
use crate::provider::Provider;
use crate::provider::input::Learned;
use crate::secrets;
use std::collections::{BTreeMap, HashMap};

/// What the names of its notes begin with.
const KEPT: &str = "input/";

/// What the store has noted down, as JSON.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Inputs(HashMap<ModelName, String>);

impl Inputs {
    /// Goes on from what was noted down when the process before this one ended. What can't be read is left out: it
    /// is learned again.
    pub(in crate::daemon) fn read(notes: &BTreeMap<String, String>) -> Self {
        let kept = notes.iter().filter_map(|(name, body)| Some((name.strip_prefix(KEPT)?, body)));
        let read = |(name, body): (&str, &String)| {
            let readable = Learned::read(body).is_some();
            name.parse().ok().filter(|_| readable).map(|name| (name, body.clone()))
        };
        Self(kept.filter_map(read).collect())
    }

    fn of(&self, model: &ModelName) -> Option<Learned> {
        Learned::read(self.0.get(model)?)
    }
}

fn note(model: &ModelName) -> String {
    format!("{KEPT}{}", model.as_str())
}

impl Engine {
    /// Has a new provider of a model go on from what was learned of its inputs.
    pub(super) fn recall_input(&self, model: &ModelName, provider: &Provider) {
        if let Some(learned) = self.inputs.of(model) {
            provider.recall(learned);
        }
    }

    /// Keeps what was learned of a model's inputs by its last heartbeat.
    pub(super) fn keep_input(&mut self, model: &ModelName) {
        let Some(provider) = self.slots.get(model).and_then(|slot| slot.provider.clone()) else { return };
        let learned = provider.learned();
        // A server chooses the names of its inputs.
        let json = learned.to_json().map(|json| secrets::strike(&json).into_owned());
        if json.as_ref() == self.inputs.0.get(model) {
            return;
        }
        let before = self.inputs.of(model).unwrap_or_default();
        match &json {
            Some(json) => self.inputs.0.insert(model.clone(), json.clone()),
            None => self.inputs.0.remove(model),
        };
        if learned.in_words() != before.in_words() {
            let (model, sends) = (model.as_str(), learned.in_words());
            tracing::info!(model, "{model}: its next heartbeat sends {sends}");
        }
        self.store.note([(note(model), json)]);
    }

    /// Forgets what was learned of the inputs of a model that is another one by now.
    pub(super) fn forget_input(&mut self, model: &ModelName) {
        if self.inputs.0.remove(model).is_some() {
            self.store.note([(note(model), None)]);
        }
    }

    /// Notes all of it down again: the state file has been begun anew.
    pub(super) fn keep_all_inputs(&self) {
        self.store.note(self.inputs.0.iter().map(|(model, json)| (note(model), Some(json.clone()))));
    }

    /// Forgets it of models of which nothing else is kept any more.
    pub(super) fn forget_old_inputs(&mut self) {
        let gone =
            |model: &&ModelName| !self.slots.contains_key(*model) && !self.dormant.contains_key(*model);
        let gone: Vec<ModelName> = self.inputs.0.keys().filter(gone).cloned().collect();
        for model in gone {
            self.forget_input(&model);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cant_be_read_is_left_out() {
        let note = |name: &str, body: &str| (name.to_owned(), body.to_owned());
        let good = r#"[{"version":"v1","worked":true}]"#;
        let notes = BTreeMap::from([
            note("input/llama", good),
            note("input/whisper", "{"),
            note("input/no name", good),
            note("event/llama", good),
            note("input/long", &format!("{good}{}", " ".repeat(100_000))),
        ]);
        let inputs = Inputs::read(&notes);
        assert_eq!(inputs.0.len(), 1);
        assert!(inputs.of(&"llama".parse().unwrap()).is_some());
    }
}
