//! What exists: models, versions and deployments, listed or made up when they are asked for.

use super::chance::hex_of;
use super::schema;
use super::settings::{Conduct, DeploymentSettings, Kind, ModelSettings, Settings, VersionSettings};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The most of each that is made up or created; the next one does not exist.
const LIMIT: usize = 10_000;

/// A deployment and its current release.
#[derive(Debug, Clone)]
pub(super) struct Deployment {
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) model: String,
    pub(super) version: String,
    pub(super) hardware: String,
    pub(super) min_instances: u8,
    pub(super) max_instances: u8,
    pub(super) released_at: DateTime<Utc>,
    pub(super) conduct: Conduct,
}

#[derive(Debug)]
pub(super) struct Catalog {
    models: BTreeMap<String, Arc<ModelSettings>>,
    /// Which of them nobody listed: they have every version.
    made_up: HashSet<String>,
    /// Of versions: `owner/name`.
    owners: HashMap<String, String>,
    deployments: BTreeMap<String, Deployment>,
    others: Option<Conduct>,
    /// When the listed things were made.
    pub(super) since: DateTime<Utc>,
}

/// 64 lowercase hex digits.
pub(super) fn is_version(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Catalog {
    pub(super) fn new(settings: &Settings, since: DateTime<Utc>) -> Self {
        let mut catalog = Self {
            models: BTreeMap::new(),
            made_up: HashSet::new(),
            owners: HashMap::new(),
            deployments: BTreeMap::new(),
            others: settings.others.clone(),
            since,
        };
        for model in &settings.models {
            catalog.add(model.clone());
        }
        for deployment in &settings.deployments {
            catalog.deploy(deployment, since);
        }
        catalog
    }

    fn add(&mut self, model: ModelSettings) -> Arc<ModelSettings> {
        let path = format!("{}/{}", model.owner, model.name);
        for version in &model.versions {
            self.owners.insert(version.id.clone(), path.clone());
        }
        let model = Arc::new(model);
        self.models.insert(path, Arc::clone(&model));
        model
    }

    fn deploy(&mut self, settings: &DeploymentSettings, at: DateTime<Utc>) {
        let version = settings.version.clone().unwrap_or_else(|| {
            let listed = self.models.get(&settings.model).and_then(|model| model.versions.first());
            listed.map_or_else(|| hex_of(&settings.model), |version| version.id.clone())
        });
        let deployment = Deployment {
            owner: settings.owner.clone(),
            name: settings.name.clone(),
            number: 1,
            model: settings.model.clone(),
            version,
            hardware: "cpu".to_owned(),
            min_instances: settings.min_instances,
            max_instances: 1,
            released_at: at,
            conduct: settings.conduct.clone(),
        };
        self.deployments.insert(format!("{}/{}", settings.owner, settings.name), deployment);
    }

    /// What is listed, and what was made up so far.
    pub(super) fn models(&self) -> impl DoubleEndedIterator<Item = &Arc<ModelSettings>> {
        self.models.values()
    }

    pub(super) fn deployments(&self) -> impl DoubleEndedIterator<Item = &Deployment> {
        self.deployments.values()
    }

    pub(super) fn model(&mut self, owner: &str, name: &str) -> Option<Arc<ModelSettings>> {
        if let Some(model) = self.models.get(&format!("{owner}/{name}")) {
            return Some(Arc::clone(model));
        }
        let conduct =
            self.others.clone().filter(|_| is_name(owner) && is_name(name) && owner != "missing")?;
        if self.models.len() >= LIMIT {
            return None;
        }
        self.made_up.insert(format!("{owner}/{name}"));
        let kind = if owner == "official" { Kind::Official } else { Kind::Community };
        Some(self.add(ModelSettings::new(owner, name, conduct).kind(kind)))
    }

    /// One version of a model. A model that was made up has every version.
    pub(super) fn version(&mut self, owner: &str, name: &str, id: &str) -> Option<VersionSettings> {
        let model = self.model(owner, name)?;
        if let Some(version) = model.versions.iter().find(|version| version.id == id) {
            return Some(version.clone());
        }
        let path = format!("{owner}/{name}");
        if !self.made_up.contains(&path) || !is_version(id) {
            return None;
        }
        if self.owners.len() < LIMIT {
            self.owners.insert(id.to_owned(), path);
        }
        Some(VersionSettings { id: id.to_owned(), schema: schema::plain() })
    }

    /// What `version` of a create names: 64 hex digits, the same behind `owner/name:`, or
    /// `owner/name` of an official model, for which the version is none.
    pub(super) fn resolve(&mut self, text: &str) -> Option<(Arc<ModelSettings>, Option<VersionSettings>)> {
        let (path, id) = match text.split_once(':') {
            Some((path, id)) => (path.to_owned(), Some(id)),
            None if is_version(text) => (self.owner_of(text)?, Some(text)),
            None => (text.to_owned(), None),
        };
        let (owner, name) = path.split_once('/')?;
        let model = self.model(owner, name)?;
        match id {
            Some(id) => {
                let version = self.version(owner, name, id)?;
                Some((model, Some(version)))
            }
            None => (model.kind == Kind::Official).then_some((model, None)),
        }
    }

    /// Where a bare version belongs; one that nobody named before belongs to a model of its own.
    fn owner_of(&self, id: &str) -> Option<String> {
        let made_up = || self.others.is_some().then(|| format!("unnamed/{}", &id[..12]));
        self.owners.get(id).cloned().or_else(made_up)
    }

    pub(super) fn deployment(&mut self, owner: &str, name: &str) -> Option<&mut Deployment> {
        let path = format!("{owner}/{name}");
        if !self.deployments.contains_key(&path) {
            let conduct = self.others.clone()?;
            if self.deployments.len() >= LIMIT {
                return None;
            }
            self.model(owner, name)?;
            let settings = DeploymentSettings {
                owner: owner.to_owned(),
                name: name.to_owned(),
                model: path.clone(),
                version: None,
                min_instances: 0,
                conduct,
            };
            let since = self.since;
            self.deploy(&settings, since);
        }
        self.deployments.get_mut(&path)
    }

    /// False where one of that name exists, or there are too many.
    pub(super) fn create_deployment(&mut self, settings: &DeploymentSettings, at: DateTime<Utc>) -> bool {
        let path = format!("{}/{}", settings.owner, settings.name);
        let free = !self.deployments.contains_key(&path) && self.deployments.len() < LIMIT;
        if free {
            self.deploy(settings, at);
        }
        free
    }

    pub(super) fn delete_deployment(&mut self, owner: &str, name: &str) -> bool {
        self.deployments.remove(&format!("{owner}/{name}")).is_some()
    }

    /// Gives a model a new latest version; false where there is no such model.
    pub(super) fn publish(&mut self, owner: &str, name: &str, version: VersionSettings) -> bool {
        let Some(model) = self.model(owner, name) else { return false };
        let mut model = (*model).clone();
        model.versions.insert(0, version);
        self.add(model);
        true
    }

    /// Takes a version away; whoever asks for it is told that it does not exist.
    pub(super) fn withdraw(&mut self, owner: &str, name: &str, id: &str) {
        let Some(model) = self.model(owner, name) else { return };
        let mut model = (*model).clone();
        model.versions.retain(|version| version.id != id);
        self.add(model);
    }
}

/// What may stand for an owner or a name in a path.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=128).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00000000000000000000000000000000000000000000000000000000000000ab";

    fn catalog(settings: &Settings) -> Catalog {
        Catalog::new(settings, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn what_is_not_listed_is_made_up_and_what_is_missing_is_missing() {
        let mut catalog = catalog(&Settings::default());
        assert_eq!(catalog.model("a", "b").unwrap().kind, Kind::Community);
        assert_eq!(catalog.model("official", "b").unwrap().kind, Kind::Official);
        assert!(catalog.model("missing", "b").is_none());
        assert!(catalog.model("a", "b/c").is_none());
        assert!(catalog.resolve(&format!("a/b:{HEX}")).is_some());
        // Once named, the bare version belongs to that model.
        assert_eq!(catalog.resolve(HEX).unwrap().0.name, "b");
        assert!(catalog.resolve("a/b").is_none(), "a community model needs its version");
        assert!(catalog.resolve("official/b").unwrap().1.is_none());
        assert!(catalog.resolve("missing/b").is_none());
        assert!(catalog.resolve("").is_none());
        assert!(catalog.deployment("a", "d").is_some());
        assert!(catalog.deployment("missing", "d").is_none());
    }

    #[test]
    fn where_nothing_is_made_up_only_what_is_listed_exists() {
        let model = ModelSettings::new("a", "b", Conduct::default());
        let known = model.versions[0].id.clone();
        let mut catalog = catalog(&Settings { models: vec![model], others: None, ..Settings::default() });
        assert!(catalog.resolve(&known).is_some());
        assert!(catalog.resolve(&format!("a/b:{HEX}")).is_none());
        assert!(catalog.resolve(HEX).is_none());
        assert!(catalog.model("a", "c").is_none());
        assert!(catalog.publish("a", "b", VersionSettings { id: HEX.to_owned(), schema: schema::plain() }));
        assert_eq!(catalog.model("a", "b").unwrap().versions[0].id, HEX);
        catalog.withdraw("a", "b", &known);
        assert!(catalog.resolve(&known).is_none());
    }
}
