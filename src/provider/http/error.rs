//! Why there is no whole answer.

use super::body::TooLarge;
use reqwest::Method;
use std::time::Duration;
use thiserror::Error;

/// Why there is no whole answer.
#[derive(Debug, Clone, Error)]
pub enum HttpError {
    /// The time allowed ran out.
    #[error(
        "{method} {url}: {} within {} s",
        if *.begun { "the answer was not whole" } else { "no answer" }, .waited.as_secs_f64().ceil()
    )]
    TimedOut {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// The time allowed.
        waited: Duration,
        /// Whether a part of the answer had come.
        begun: bool,
    },
    /// No connection could be made: nothing was sent.
    #[error("{method} {url}: {reason}")]
    Connect {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// What failed: DNS, refused, TLS.
        reason: String,
    },
    /// The connection broke, or what came was no HTTP.
    #[error("{method} {url}: {reason}")]
    Broken {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// What failed.
        reason: String,
    },
    /// What came is larger than what is read.
    #[error("{method} {url}: {what}")]
    TooLarge {
        /// The request's method.
        method: Method,
        /// Its URL, without query or credentials.
        url: String,
        /// What of it, and the limit.
        what: String,
    },
}

/// Why a body was not read to its end.
pub(super) enum Cut {
    Broken(hyper::Error),
    TooLarge(TooLarge),
}

impl From<hyper::Error> for Cut {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<TooLarge> for Cut {
    fn from(error: TooLarge) -> Self {
        Self::TooLarge(error)
    }
}
