//! Why there is no answer, in words for whoever runs the machine: what the libraries say of it names
//! neither the place nor the cure.

use super::names::Unresolved;
use super::transport::ConnectError;
use super::trust::Trust;
use crate::quote;
use chrono::DateTime;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as Tls, InvalidMessage};
use std::error::Error;
use std::fs::File;
use std::io;

/// How much of what a library says is told, in characters.
const LIMIT: usize = 300;

/// An error of the libraries, with what is known of the moment at which it came.
#[derive(Clone, Copy)]
struct Cause<'a> {
    error: &'a (dyn Error + 'static),
    /// There was no connection yet.
    connecting: bool,
    /// The certificates that are trusted.
    trust: &'a Trust,
}

/// What failed. `connecting` tells whether there was no connection yet; `trust` which certificates are trusted.
pub(super) fn of(error: &(dyn Error + 'static), connecting: bool, trust: &Trust) -> String {
    // Where a name was to be looked up, the system blames that on the name.
    if connecting
        && (is_file_limit(error) || File::open("/dev/null").is_err_and(|error| is_file_limit(&error)))
    {
        return "not sent: warmd may open no more files; raise its limit (LimitNOFILE= in its unit, `ulimit -n`)"
            .to_owned();
    }
    Cause { error, connecting, trust }.reason()
}

impl<'a> Cause<'a> {
    fn reason(self) -> String {
        match (self.known(), self.error.source()) {
            (Some(reason), _) => reason,
            (None, Some(inner)) => self.of(inner).reason(),
            // The innermost says what failed, unlike the outermost.
            (None, None) => quote::start(&self.error.to_string(), LIMIT),
        }
    }

    fn of(self, error: &'a (dyn Error + 'static)) -> Self {
        Self { error, ..self }
    }

    /// Why, where it is of a kind that is known here.
    fn known(self) -> Option<String> {
        if let Some(name) = self.error.downcast_ref::<Unresolved>() {
            return Some(name.to_string());
        }
        if let Some(connect) = self.error.downcast_ref::<ConnectError>() {
            return Some(self.of_connect(connect));
        }
        if let Some(tls) = self.error.downcast_ref::<Tls>() {
            return Some(of_tls(tls, self.trust));
        }
        if let Some(http) = self.error.downcast_ref::<hyper::Error>() {
            return of_http(http).map(str::to_owned);
        }
        let io = self.error.downcast_ref::<io::Error>()?;
        // What an io::Error wraps is not among its sources.
        if let Some(reason) = io.get_ref().and_then(|inner| self.of(inner).known()) {
            return Some(reason);
        }
        if matches!(io.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) {
            return Some(format!("what came is broken: {}", quote::start(&io.to_string(), LIMIT)));
        }
        of_io(io.kind(), self.connecting).map(str::to_owned)
    }

    /// A proxy is named by the environment: whoever reads of it has to know that it is not the server's trouble.
    fn of_connect(self, error: &'a ConnectError) -> String {
        const NAMED: &str = "named by HTTPS_PROXY, HTTP_PROXY or ALL_PROXY in the environment";
        match error {
            ConnectError::TimedOut => error.to_string(),
            ConnectError::ProxyKind(_) => format!("{error}; it is {NAMED}"),
            ConnectError::ProxyAway(proxy, source) => {
                format!("the proxy {proxy}, {NAMED}, can't be reached: {}", self.of(&**source).reason())
            }
            ConnectError::ProxyRefused(proxy, source) => match source.source() {
                Some(inner) => self.of(inner).reason(),
                // The library's error has no public type: only its words tell the kinds apart.
                None if source.to_string().contains("authorization") => format!(
                    "the proxy {proxy}, {NAMED}, wants a user and a password (407): write them there as \
                     http://user:password@host:port"
                ),
                None => format!("the proxy {proxy}, {NAMED}, leads no connection to this server"),
            },
        }
    }
}

/// That this process may open no more files is its own trouble, and none of the server's.
fn is_file_limit(error: &(dyn Error + 'static)) -> bool {
    let system = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    // ENFILE, EMFILE: too many open files, in the system or in this process.
    matches!(system, Some(23 | 24)) || error.source().is_some_and(is_file_limit)
}

fn of_http(error: &hyper::Error) -> Option<&'static str> {
    if error.is_incomplete_message() {
        Some("the connection was closed before the answer came")
    } else if error.is_parse_too_large() {
        Some("the answer's headers are too long")
    } else if error.is_parse() {
        Some("what answers there does not speak HTTP, or speaks it over TLS (https://)")
    } else {
        None
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the system's errors are many, and grow")]
fn of_io(kind: io::ErrorKind, connecting: bool) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => "connection refused: nobody listens there",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection was reset",
        io::ErrorKind::UnexpectedEof if connecting => "it hung up before TLS was agreed on",
        io::ErrorKind::UnexpectedEof => "the connection was closed in the middle of the answer",
        io::ErrorKind::HostUnreachable => "no way leads to this host",
        io::ErrorKind::NetworkUnreachable => "no way leads to its network",
        // The system's own, which waits for less than ours.
        io::ErrorKind::TimedOut => "the host does not answer",
        _ => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors are many, and grow")]
fn of_tls(error: &Tls, trust: &Trust) -> String {
    match error {
        Tls::InvalidCertificate(certificate) => of_certificate(certificate, trust),
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what answers there does not speak TLS (is it http:// ?)".to_owned()
        }
        other => format!("no TLS connection: {}", quote::start(&other.to_string(), LIMIT)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors are many, and grow")]
fn of_certificate(error: &CertificateError, trust: &Trust) -> String {
    let place = &trust.place;
    match error {
        CertificateError::UnknownIssuer => match &trust.trouble {
            Some(trouble) => format!("its TLS certificate is signed by nobody whom warmd trusts: {trouble}"),
            None => format!(
                "its TLS certificate is signed by nobody whom this system trusts: add its issuer to {place}"
            ),
        },
        CertificateError::BadSignature => format!(
            "its TLS certificate names an issuer whom this system trusts, and is not signed by it: where the issuer \
             was made again under its old name, add the new one to {place}"
        ),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "its TLS certificate is for no name at all (it has no subjectAltName): give it one with this name in it"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("its TLS certificate is not for this name, but for {}", quote::names(&plain(presented)))
        }
        CertificateError::NotValidForName => "its TLS certificate is not for this name".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its TLS certificate expired on {}", day(*not_after))
        }
        CertificateError::Expired => "its TLS certificate has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("its TLS certificate is valid from {} on: is the clock right here?", day(*not_before))
        }
        other => match other.to_string() {
            // So called by the library beneath, whose errors have no type here.
            told if told.contains("CaUsedAsEndEntity") => {
                format!(
                    "its TLS certificate is that of an issuer, as self-signed ones often are: give it one that \
                     is signed by an issuer among {place}"
                )
            }
            told => format!("its TLS certificate is wrong: {}", quote::start(&told, LIMIT)),
        },
    }
}

/// Names without the kind that they are told with: `DnsName("example.com")`.
fn plain(names: &[String]) -> Vec<String> {
    let plain = |name: &String| {
        let inner = ["DnsName(\"", "IpAddress("].iter().find_map(|kind| name.strip_prefix(kind));
        inner.unwrap_or(name).trim_end_matches(')').trim_end_matches('"').to_owned()
    };
    names.iter().map(plain).collect()
}

fn day(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| "an unknown day".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}
