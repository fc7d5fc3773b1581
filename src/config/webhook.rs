//! The address of a webhook: a secret, since whoever knows it may post there.
//!
//! Owns what of it may be shown: scheme, host and port. There is no Display, and Debug shows no more.

use super::alert::Format;
use super::env::Env;
use super::field::Wrong;
use super::value::{TokenError, TokenSource, is_loopback};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use url::Url;

/// A shorter piece of an address, in bytes, may be any word that a server says.
const TELLING: usize = 6;

/// The address of a webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(Arc<Url>);

/// Why there is no address. None of them holds any of it.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// It can't be read.
    #[error(transparent)]
    Source(#[from] TokenError),
    /// What was read is none.
    #[error("what {place} holds can't be posted to: {why}")]
    Unfit {
        /// Where it was looked for.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Webhook {
    /// Reads one in the `format` that is to be posted there. Nothing of it is repeated in what is wrong.
    pub(super) fn parse(text: &str, format: Format) -> Result<Self, Wrong> {
        let text = text.trim();
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.filter(|url| url.host_str().is_some_and(|host| !host.is_empty())).ok_or_else(|| {
            Wrong::new("it is no URL that begins with http:// or https://")
                .help("write one such as \"https://example.com/hook\"")
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Wrong::new("a URL has no place for a password")
                .help("name a token with token_env, token_file or token_credential"));
        }
        if url.fragment().is_some() {
            return Err(Wrong::new("what comes after a `#` is not sent: take it out"));
        }
        let webhook = Self(Arc::new(url));
        if format == Format::Ntfy && webhook.topic().is_none() {
            return Err(Wrong::new("with format = \"ntfy\", the URL's path is the topic and nothing else")
                .help("write one such as \"https://ntfy.sh/my-topic\""));
        }
        Ok(webhook)
    }

    /// Reads the one that `source` names, with warnings where others could read it too, there or on its way.
    pub fn read(
        source: &TokenSource,
        format: Format,
        env: &Env,
    ) -> Result<(Self, Vec<String>), WebhookError> {
        let (text, mut warnings) = source.read_a("URL", env)?;
        let webhook = Self::parse(text.text(), format)
            .map_err(|wrong| WebhookError::Unfit { place: source.to_string(), why: wrong.what })?;
        if webhook.is_in_the_clear() {
            warnings.push(format!(
                "the URL in {source} begins with http://: it, and all that is posted there, travel in the \
                 clear; use https:// where others share the network"
            ));
        }
        Ok((webhook, warnings))
    }

    /// The whole of it, for the request alone.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// What of it may be shown: `https://hooks.slack.com`.
    pub fn place(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether others who share the network could read it when it is posted to.
    pub fn is_in_the_clear(&self) -> bool {
        self.0.scheme() == "http" && !is_loopback(&self.0)
    }

    /// The topic that an address of ntfy's ends in: its path's only part.
    pub fn topic(&self) -> Option<&str> {
        let mut parts = self.0.path_segments()?;
        let topic = parts.next().filter(|topic| !topic.is_empty())?;
        parts.all(str::is_empty).then_some(topic)
    }

    /// Whether a text repeats a piece of the address beyond what may be shown.
    pub fn is_in(&self, said: &str) -> bool {
        let path = self.0.path_segments().into_iter().flatten();
        let query = self.0.query().into_iter().flat_map(|query| query.split(['&', '=']));
        path.chain(query).any(|piece| piece.len() >= TELLING && said.contains(piece))
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Webhook {
        Webhook::parse(text, Format::Json).unwrap()
    }

    #[test]
    fn scheme_host_and_port_may_be_shown_and_nothing_else() {
        let webhook = of("https://hooks.slack.com/services/T000/B000/hushhush?k=whisper");
        assert_eq!(webhook.place(), "https://hooks.slack.com");
        assert_eq!(format!("{webhook:?}"), "Webhook(https://hooks.slack.com)");
        assert!(webhook.is_in("POST /services/… hushhush") && webhook.is_in("whisper"));
        assert!(!webhook.is_in("no_service: B000"));
        assert_eq!(of("http://127.0.0.1:8080/x").place(), "http://127.0.0.1:8080");
    }

    #[test]
    fn what_can_not_be_posted_to_is_refused_and_never_told() {
        for text in ["", "hush", "ftp://hush/x", "https://", "https://me:hush@host/x", "https://host/#hush"] {
            let wrong = Webhook::parse(text, Format::Json).unwrap_err();
            assert!(!wrong.what.contains("hush"), "{}", wrong.what);
        }
    }

    #[test]
    fn http_beyond_this_machine_is_in_the_clear() {
        for text in ["http://hooks.lan/x", "http://192.168.1.7:8080/x", "http://[fd00::1]/x"] {
            assert!(of(text).is_in_the_clear(), "{text}");
        }
        for text in ["https://hooks.lan/x", "http://127.0.0.1:8080/x", "http://[::1]/x", "http://localhost/x"]
        {
            assert!(!of(text).is_in_the_clear(), "{text}");
        }
    }

    #[test]
    fn a_source_that_holds_one_in_the_clear_is_warned_of_without_it() {
        let source = TokenSource { env: Some("HOOK".to_owned()), ..TokenSource::default() };
        let told = |url| {
            let env = Env::from([("HOOK", url)]);
            Webhook::read(&source, Format::Json, &env).unwrap().1
        };
        let warned = told("http://hooks.lan/hushhush");
        assert!(
            warned.len() == 1 && warned[0].starts_with("the URL in $HOOK begins with http://"),
            "{warned:?}"
        );
        assert!(warned[0].contains("https://") && !warned[0].contains("hush"), "{warned:?}");
        assert!(told("https://hooks.lan/hushhush").is_empty());
    }

    #[test]
    fn an_address_of_ntfys_ends_in_its_topic() {
        let topic = |text| Webhook::parse(text, Format::Ntfy).ok().and_then(|w| w.topic().map(str::to_owned));
        assert_eq!(topic("https://ntfy.sh/my-topic").as_deref(), Some("my-topic"));
        assert_eq!(topic("https://ntfy.sh/my-topic/").as_deref(), Some("my-topic"));
        assert_eq!(topic("https://ntfy.sh/"), None);
        assert_eq!(topic("https://ntfy.sh/a/b"), None);
    }
}
