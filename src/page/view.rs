//! What of the report someone wants to see: the query of the page's address.

use crate::status::{ModelStatus, State};
use serde::Deserialize;

/// This many models are shown at once: what a browser and its reader can still take in, and a bound on what
/// an answer costs.
pub(super) const AT_ONCE: usize = 300;

/// What is asked for; all of it is where nothing is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct View {
    /// The span of the figures: a duration, or an RFC 3339 time.
    pub since: Option<String>,
    /// Models whose names have this in them.
    pub name: Option<String>,
    /// Models of this state.
    pub state: Option<State>,
    /// Which of the pages, from 1 on.
    pub page: Option<usize>,
}

impl View {
    /// Whether a model is among those asked for.
    pub(super) fn takes(&self, model: &ModelStatus) -> bool {
        let named = self
            .name
            .as_deref()
            .is_none_or(|part| model.name.to_lowercase().contains(part.trim().to_lowercase().as_str()));
        named && self.state.is_none_or(|state| model.state == state)
    }

    /// Whether it leaves any out.
    pub(super) fn narrows(&self) -> bool {
        self.state.is_some() || self.name.as_deref().is_some_and(|part| !part.trim().is_empty())
    }

    /// The query that asks for it, behind a path.
    pub(super) fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if let Some(since) = &self.since {
            query.append_pair("since", since);
        }
        if let Some(name) = self.name.as_deref().filter(|name| !name.is_empty()) {
            query.append_pair("name", name);
        }
        if let Some(state) = self.state {
            query.append_pair("state", state.name());
        }
        if let Some(page) = self.page.filter(|page| *page > 1) {
            query.append_pair("page", &page.to_string());
        }
        match query.finish() {
            query if query.is_empty() => String::new(),
            query => format!("?{query}"),
        }
    }

    /// The same with another span.
    pub(super) fn since(&self, since: Option<&str>) -> Self {
        Self { since: since.map(str::to_owned), ..self.clone() }
    }

    /// The same for models of one state, or of any.
    pub(super) fn of_state(&self, state: Option<State>) -> Self {
        Self { state, page: None, ..self.clone() }
    }

    /// The same on another page.
    pub(super) fn on_page(&self, page: usize) -> Self {
        Self { page: Some(page), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_asks_for_what_is_seen() {
        let view = View {
            since: Some("7d".to_owned()),
            name: Some("a&b <c>".to_owned()),
            state: Some(State::Cold),
            page: Some(2),
        };
        assert_eq!(view.query(), "?since=7d&name=a%26b+%3Cc%3E&state=cold&page=2");
        assert_eq!(view.of_state(None).query(), "?since=7d&name=a%26b+%3Cc%3E");
        assert_eq!(View::default().query(), "");
        assert_eq!(View::default().on_page(1).query(), "");
    }
}
