//! The values of `warm.toml` that have a shape of their own: names, durations, tokens.

use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// A model's name: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModelName(Arc<str>);

impl ModelName {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a token is to be read; tried in this order, the first that is there is taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TokenSource {
    /// The name of a file in `$CREDENTIALS_DIRECTORY`.
    pub credential: Option<String>,
    /// The name of an environment variable.
    pub env: Option<String>,
    /// A file.
    pub file: Option<PathBuf>,
}

/// A bearer token: neither Debug's output nor Display tells it; the one way out is the header that
/// [`Token::header`] makes, which is marked sensitive.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(Arc<str>);

impl Token {
    /// `Authorization`'s value.
    pub fn header(&self) -> HeaderValue {
        unimplemented!("{}", self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}
