//! What a heartbeat sends: the input made from `GET /openapi.json`, kept per setup, since another
//! setup may be another version of the model.

use super::{Cog, refusal};
use crate::heartbeat::{Answer, Rejection};
use crate::provider::http::{HttpError, Reply};
use crate::provider::input::{self, InputError, Ladder, Learned};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many setups' recipes are kept: as many replicas may answer at one address by turns.
const KEPT: usize = 8;

/// The path of the schema, as messages name it.
const PATH: &str = "/openapi.json";

/// The input of one setup, and what it was made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    setup: Option<DateTime<Utc>>,
    user: Map<String, Value>,
    has_schema: bool,
    made: input::MadeInput,
    /// What was known of the version when it was made.
    ladder: Ladder,
}

/// What `GET /openapi.json` brings.
#[derive(Debug)]
pub(super) enum Schema {
    /// The `OpenAPI` document.
    There(Value),
    /// This server publishes none, as 0.23 without the file in its image.
    None,
    /// A proxy's, which has no server to ask at the moment; in words.
    Gateway(String),
    /// A page of HTML: a proxy's that waits for a server, or one that has nothing else at this path.
    Page(String),
    /// What keeps it from being told.
    Refused(Answer),
}

impl Schema {
    /// Asks for it.
    pub(super) async fn ask(cog: &Cog, deadline: Instant) -> Result<Self, HttpError> {
        cog.get(&["openapi.json"], deadline).await.map(|reply| Self::of(&reply))
    }

    /// What `reply` brings.
    pub(super) fn of(reply: &Reply) -> Self {
        let body = reply.json().filter(Value::is_object);
        match (reply.status.as_u16(), body, refusal::gateway(reply)) {
            // Cog's own 503 is JSON; that of a proxy is told by having no error of this kind.
            (503, Some(body), _) if body.get("error").and_then(Value::as_str).is_some_and(is_cogs) => {
                Self::None
            }
            (200, _, Some(said)) => Self::Page(said),
            (_, _, Some(said)) => Self::Gateway(said),
            (200..=299, Some(schema), None) => Self::There(schema),
            (300..=399 | 401..=403 | 429, ..) => Self::Refused(refusal::answer(reply, PATH)),
            _ => Self::None,
        }
    }
}

fn is_cogs(error: &str) -> bool {
    error.to_ascii_lowercase().contains("schema")
}

impl Recipe {
    /// Makes it, from `schema` where there is one, and by what was `learned` of it. Without, and without keys of
    /// the user's, an empty input is tried: a model may well need none.
    pub(super) fn make(
        setup: Option<DateTime<Utc>>,
        schema: Option<&Value>,
        user: &Map<String, Value>,
        learned: &Learned,
    ) -> Result<Self, Answer> {
        // Setups come and go with every boot: a version of the model is known by its schema.
        let version = schema.map(|schema| format!("{:08x}", input::fingerprint(&schema.to_string())));
        let user_keys = Value::Object(user.clone()).to_string();
        let ladder = learned.of(&version.unwrap_or_default(), input::fingerprint(&user_keys));
        let made = match input::minimal(schema.unwrap_or(&Value::Null), None, user, ladder.rung()) {
            Ok(made) => made,
            Err(InputError::Unknown) => input::MadeInput::default(),
            Err(error) => return Err(Answer::Rejected(Rejection::Input, error.to_string())),
        };
        Ok(Self { setup, user: user.clone(), has_schema: schema.is_some(), made, ladder })
    }

    /// What to send.
    pub(super) const fn input(&self) -> &Map<String, Value> {
        &self.made.input
    }

    /// Whether the input was made without knowing what the model wants.
    pub(super) fn is_blind(&self) -> bool {
        !self.has_schema && self.user.is_empty()
    }

    /// The keys whose values were made up.
    pub(super) fn guessed(&self) -> &[String] {
        &self.made.guessed
    }
}

/// The recipes of one model, and what was learned of its inputs.
#[derive(Debug, Default)]
pub(super) struct Recipes(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The last used one last.
    kept: Vec<Arc<Recipe>>,
    learned: Learned,
}

impl Recipes {
    /// The one for a setup and the user's keys, where it was made before and nothing was learned since.
    pub(super) fn find(
        &self,
        setup: Option<DateTime<Utc>>,
        user: &Map<String, Value>,
    ) -> Option<Arc<Recipe>> {
        let Inner { kept, learned } = &mut *self.inner();
        let is_it = |recipe: &Recipe| recipe.setup == setup && recipe.user == *user;
        let at = kept.iter().position(|recipe| is_it(recipe) && learned.agrees_with(&recipe.ladder))?;
        let found = kept.remove(at);
        kept.push(Arc::clone(&found));
        Some(found)
    }

    /// Keeps one, in place of an earlier one for its setup.
    pub(super) fn keep(&self, recipe: Recipe) -> Arc<Recipe> {
        let recipe = Arc::new(recipe);
        let kept = &mut self.inner().kept;
        kept.retain(|other| other.setup != recipe.setup);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(Arc::clone(&recipe));
        recipe
    }

    /// Forgets one that the server refused, so that the next heartbeat makes it anew.
    pub(super) fn forget(&self, recipe: &Recipe) {
        self.inner().kept.retain(|other| other.setup != recipe.setup);
    }

    /// What was learned of the model's inputs so far.
    pub(super) fn learned(&self) -> Learned {
        self.inner().learned.clone()
    }

    /// Goes on from what was learned before.
    pub(super) fn recall(&self, learned: Learned) {
        self.inner().learned = learned;
    }

    /// Learns from how a prediction ended that ran.
    pub(super) fn ended(&self, recipe: &Recipe, answer: &Answer) {
        let learned = &mut self.inner().learned;
        match answer {
            Answer::Succeeded => learned.succeeded(&recipe.ladder),
            Answer::Failed(why) => {
                learned.failed(&recipe.ladder, why, &recipe.made.steps);
            }
            Answer::Busy
            | Answer::Rejected(..)
            | Answer::RateLimited(_)
            | Answer::TimedOut(_)
            | Answer::Unreachable(_) => {}
        }
    }

    /// Leaves alone what the server refused of what was chosen. False where that is nothing: the refusal is about
    /// something else.
    pub(super) fn refused(&self, recipe: &Recipe, keys: &BTreeSet<String>) -> bool {
        let chosen: Vec<String> = recipe.made.chosen().filter(|key| keys.contains(*key)).cloned().collect();
        !chosen.is_empty() && self.inner().learned.refused(&recipe.ladder, chosen)
    }

    /// The keys that were made up for the last used one.
    pub(super) fn guessed(&self) -> Vec<String> {
        self.inner().kept.last().map(|recipe| recipe.guessed().to_vec()).unwrap_or_default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;
    use serde_json::json;

    fn of(status: u16, body: &str) -> Schema {
        let status = StatusCode::from_u16(status).unwrap();
        Schema::of(&Reply::new(status, HeaderMap::new(), body.as_bytes()))
    }

    fn at(second: i64) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(1_800_000_000 + second, 0)
    }

    #[test]
    fn a_missing_schema_is_told_from_a_missing_server() {
        assert!(matches!(of(200, r#"{"components":{}}"#), Schema::There(_)));
        assert!(matches!(of(503, r#"{"error":"OpenAPI schema not available"}"#), Schema::None));
        assert!(matches!(of(503, r#"{"error":"no healthy upstream"}"#), Schema::Gateway(_)));
        assert!(matches!(of(503, ""), Schema::Gateway(_)));
        assert!(matches!(of(523, ""), Schema::Gateway(_)));
        assert!(matches!(of(202, r#"{"components":{}}"#), Schema::Gateway(_)));
        assert!(matches!(of(404, ""), Schema::None));
        assert!(matches!(of(500, ""), Schema::None));
        assert!(matches!(of(200, "<html>"), Schema::Page(_)));
        assert!(matches!(of(200, "OK"), Schema::None));
        assert!(matches!(of(401, ""), Schema::Refused(Answer::Rejected(Rejection::Token, _))));
    }

    #[test]
    fn without_a_schema_the_users_keys_go_alone() {
        let user = json!({"prompt": "hi"}).as_object().cloned().unwrap();
        let recipe = Recipe::make(None, None, &user, &Learned::default()).unwrap();
        assert_eq!(recipe.input(), &user);
        assert!(!recipe.is_blind());
        let blind = Recipe::make(None, None, &Map::new(), &Learned::default()).unwrap();
        assert!(blind.is_blind() && blind.input().is_empty());
    }

    #[test]
    fn a_recipe_belongs_to_its_setup_and_to_the_users_keys() {
        let (recipes, none) = (Recipes::default(), Map::new());
        let user = json!({"prompt": "hi"}).as_object().cloned().unwrap();
        for second in 0..20 {
            recipes.keep(Recipe::make(at(second), None, &none, &Learned::default()).unwrap());
        }
        assert!(recipes.find(at(19), &none).is_some());
        assert!(recipes.find(at(19), &user).is_none(), "an edit of warm.toml counts at once");
        assert!(recipes.find(at(0), &none).is_none(), "only so many are kept");
        recipes.forget(&recipes.find(at(19), &none).unwrap());
        assert!(recipes.find(at(19), &none).is_none());
    }
}
