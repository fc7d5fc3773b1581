//! Why there is no answer, in words for whoever runs the machine: what the libraries say of it names
//! neither the place nor the cure.

use super::CONNECT_TIMEOUT;
use super::names::Unresolved;
use crate::quote;
use chrono::DateTime;
use rustls::pki_types::UnixTime;
use rustls::{CertificateError, Error as Tls, InvalidMessage};
use std::error::Error;
use std::fs::File;
use std::io;

/// How much of what a library says is told, in characters.
const LIMIT: usize = 300;

/// What failed.
pub(super) fn of(error: &reqwest::Error) -> String {
    // Where a name was to be looked up, the system blames that on the name.
    if error.is_connect()
        && (is_file_limit(error) || File::open("/dev/null").is_err_and(|error| is_file_limit(&error)))
    {
        return "not sent: warmd may open no more files; raise its limit (LimitNOFILE= in its unit, `ulimit -n`)"
            .to_owned();
    }
    let mut cause: &(dyn Error + 'static) = error;
    loop {
        if let Some(reason) = known(cause, error.is_connect()) {
            return reason;
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None if error.is_connect() && error.is_timeout() => {
                return format!("no connection within {} s", CONNECT_TIMEOUT.as_secs());
            }
            // The innermost says what failed, unlike the outermost.
            None => return quote::start(&cause.to_string(), LIMIT),
        }
    }
}

/// That this process may open no more files is its own trouble, and none of the server's.
fn is_file_limit(error: &(dyn Error + 'static)) -> bool {
    let system = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    // ENFILE, EMFILE: too many open files, in the system or in this process.
    matches!(system, Some(23 | 24)) || error.source().is_some_and(is_file_limit)
}

/// Why, where it is of a kind that is known here; `connecting` tells whether there was a connection yet.
fn known(cause: &(dyn Error + 'static), connecting: bool) -> Option<String> {
    if let Some(name) = cause.downcast_ref::<Unresolved>() {
        return Some(name.to_string());
    }
    if let Some(tls) = cause.downcast_ref::<Tls>() {
        return Some(of_tls(tls));
    }
    if let Some(http) = cause.downcast_ref::<hyper::Error>() {
        return of_http(http).map(str::to_owned);
    }
    let io = cause.downcast_ref::<io::Error>()?;
    // What an io::Error wraps is not among its sources.
    if let Some(reason) = io.get_ref().and_then(|inner| known(inner, connecting)) {
        return Some(reason);
    }
    if matches!(io.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) {
        return Some(format!("what came is broken: {}", quote::start(&io.to_string(), LIMIT)));
    }
    of_io(io.kind(), connecting).map(str::to_owned)
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
fn of_tls(error: &Tls) -> String {
    match error {
        Tls::InvalidCertificate(certificate) => of_certificate(certificate),
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "what answers there does not speak TLS (is it http:// ?)".to_owned()
        }
        other => format!("no TLS connection: {}", quote::start(&other.to_string(), LIMIT)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors are many, and grow")]
fn of_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "its TLS certificate is signed by nobody whom this system trusts: \
             add its issuer to the system's CA certificates"
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
                "its TLS certificate is that of an issuer, as self-signed ones often are: give it one that \
                 is signed by an issuer among the system's CA certificates"
                    .to_owned()
            }
            told => format!("its TLS certificate is wrong: {}", quote::start(&told, LIMIT)),
        },
    }
}

/// Names without the kind that they are told with: `DnsName("example.com")`.
fn plain(names: &[String]) -> Vec<String> {
    let plain = |name: &String| name.trim_start_matches("DnsName(\"").trim_end_matches("\")").to_owned();
    names.iter().map(plain).collect()
}

fn day(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    time.map_or_else(|| "an unknown day".to_owned(), |time| time.format("%Y-%m-%d").to_string())
}
