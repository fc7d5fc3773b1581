//! The address of a webhook: a secret, since whoever knows it may post there.
//!
//! Owns what of it may be shown: scheme, host and port. There is no Display, and Debug shows no more.

use super::alert::Format;
use super::env::Env;
use super::field::Wrong;
use super::value::{TokenError, TokenSource, is_loopback};
use crate::secrets::Secret;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;
use url::Url;

/// A shorter part of an address, in bytes, may be any word that a server says.
const TELLING: usize = 6;

/// Parts of addresses that tell nothing: receivers say them in their answers.
const WORDS: [&str; 9] =
    ["api", "hook", "hooks", "incoming", "message", "notify", "services", "webhook", "webhooks"];

/// The address of a webhook.
#[derive(Clone)]
pub struct Webhook(Arc<Inner>);

struct Inner {
    url: Url,
    /// The parts of it that must not be shown; kept for as long as they are looked for in what others say.
    _secrets: Vec<Secret>,
}

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
        let webhook = Self(Arc::new(Inner { _secrets: secrets(&url), url }));
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
        let (text, mut warnings) = source.read_text("URL", env)?;
        let webhook = Self::parse(&text, format)
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
        &self.0.url
    }

    /// What of it may be shown: `https://hooks.slack.com`.
    pub fn place(&self) -> String {
        self.url().origin().ascii_serialization()
    }

    /// Whether others who share the network could read it when it is posted to.
    pub fn is_in_the_clear(&self) -> bool {
        self.url().scheme() == "http" && !is_loopback(self.url())
    }

    /// The topic that an address of ntfy's ends in: its path's only part.
    pub fn topic(&self) -> Option<&str> {
        let mut parts = self.url().path_segments()?;
        let topic = parts.next().filter(|topic| !topic.is_empty())?;
        parts.all(str::is_empty).then_some(topic)
    }
}

/// What of an address must not be shown: its path and query as one, whose pieces are looked for, and each part of them.
fn secrets(url: &Url) -> Vec<Secret> {
    let path: Vec<&str> =
        url.path_segments().into_iter().flatten().skip_while(|part| WORDS.contains(part)).collect();
    let query = url.query().unwrap_or_default();
    let whole = format!("{}{}{query}", path.join("/"), if query.is_empty() { "" } else { "?" });
    let parts = path.into_iter().chain(query.split(['&', '=']));
    let parts = parts.filter(|part| !WORDS.contains(part)).map(|part| Secret::of_at_least(part, TELLING));
    parts.chain([Secret::new(&whole)]).collect()
}

impl PartialEq for Webhook {
    fn eq(&self, other: &Self) -> bool {
        self.url() == other.url()
    }
}

impl Eq for Webhook {}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote;

    fn of(text: &str) -> Webhook {
        Webhook::parse(text, Format::Json).unwrap()
    }

    /// The scheme and the host of an address that was read from elsewhere are no secrets.
    #[test]
    fn what_may_be_shown_of_an_address_is_not_struck() {
        let env = Env::from([("HOOK", "https://hooks.example.com/services/vB7nM2kL9qWz4xRt")]);
        let source = TokenSource { env: Some("HOOK".to_owned()), ..TokenSource::default() };
        let (webhook, _) = Webhook::read(&source, Format::Json, &env).unwrap();
        let said = "https://hooks.example.com/services is not https://other.example";
        assert_eq!(quote::start(said, 100), said);
        assert_eq!(quote::start("vB7nM2kL9qWz4xRt", 100), "[secret]");
        assert_eq!(webhook.place(), "https://hooks.example.com");
    }

    #[test]
    fn scheme_host_and_port_may_be_shown_and_nothing_else() {
        let webhook = of("https://hooks.slack.com/services/T000/B000/hushhush?k=whisper");
        assert_eq!(webhook.place(), "https://hooks.slack.com");
        assert_eq!(format!("{webhook:?}"), "Webhook(https://hooks.slack.com)");
        assert_eq!(of("http://127.0.0.1:8080/x").place(), "http://127.0.0.1:8080");
    }

    #[test]
    fn what_a_receiver_repeats_of_it_is_struck() {
        let webhook =
            of("https://hooks.slack.com/services/T0AB1CD2E/B9ZY8XW7V/tQ4rW6yU8iO0pA2s?k=flabbergast");
        for part in [
            "T0AB1CD2E",
            "t0ab1cd2e/b9zy8xw7v",
            "TQ4RW6YU8IO0PA2S",
            "Q4rW6yU8",
            "flabbergast",
            "%51%34rW6yU8iO0p",
        ] {
            let told = quote::start(&format!("no {part} here"), 100);
            assert_eq!(told, "no [secret] here", "{part}");
        }
        for word in ["no_service", "404 services", "B9ZY"] {
            assert_eq!(quote::start(word, 100), word);
        }
        assert_eq!(webhook.place(), "https://hooks.slack.com");
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
