//! The TCP address: reads alone, which no page of another origin gets to see.

use super::stream::Listener;
use crate::clock::Stopwatch;
use crate::daemon::problem::Problem;
use axum::Router;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// What a browser is told with every answer, unless the answer says otherwise. No
/// `Access-Control-Allow-Origin` is among them: no other origin may read.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What the kernel holds of an answer that is not read, in bytes; it would be megabytes a connection.
const KERNELS_PART: u32 = 128 * 1024;

/// How many may wait to be taken.
const BACKLOG: u32 = 1024;

/// How often an address that can't be opened is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// The TCP address. One that can't be opened is told, and tried again: warming matters more than the page.
#[derive(Debug)]
pub(in crate::daemon) struct Tcp {
    address: SocketAddr,
    listener: OnceLock<TcpListener>,
    tried: Mutex<Stopwatch>,
    trouble: Trouble,
}

/// Why the TCP address is not open; empty where it is.
#[derive(Debug, Clone, Default)]
pub(in crate::daemon) struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    /// In a sentence.
    pub(in crate::daemon) fn note(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, note: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = note;
    }
}

impl Tcp {
    /// Opens it, or will; `trouble` tells how that stands.
    pub(in crate::daemon) fn open(address: SocketAddr, trouble: Trouble) -> Self {
        let (listener, tried) = (OnceLock::new(), Mutex::new(Stopwatch::start()));
        let own = Self { address, listener, tried, trouble };
        if let Err(why) = own.try_now() {
            tracing::error!("{why}");
        }
        own
    }

    /// Where it is; where it is to be, while it is not open.
    pub(in crate::daemon) fn address(&self) -> SocketAddr {
        self.listener.get().and_then(|listener| listener.local_addr().ok()).unwrap_or(self.address)
    }

    /// Whether it is open.
    pub(in crate::daemon) fn is_open(&self) -> bool {
        self.listener.get().is_some()
    }

    fn try_now(&self) -> Result<(), String> {
        match open(self.address) {
            Ok(listener) => {
                let _ = self.listener.set(listener);
                self.trouble.set(None);
                Ok(())
            }
            Err(why) => {
                self.trouble.set(Some(why.clone()));
                Err(why)
            }
        }
    }
}

impl Listener for Tcp {
    type Stream = TcpStream;

    async fn accept(&self) -> std::io::Result<TcpStream> {
        let tried = || self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(listener) = self.listener.get() {
                let (stream, _) = listener.accept().await?;
                // An answer is written whole: nothing is gained by holding its end back.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            let wait = AGAIN.saturating_sub(tried().elapsed());
            tokio::time::sleep(wait).await;
            *tried() = Stopwatch::start();
            if self.try_now().is_ok() {
                tracing::info!("listen = \"{}\" is open now: the report is read there", self.address);
            }
        }
    }
}

/// Opens it; or why it is not, for people.
fn open(address: SocketAddr) -> Result<TcpListener, String> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.set_send_buffer_size(KERNELS_PART)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|error: std::io::Error| {
        format!(
            "listen = \"{address}\" can't be opened ({error}): the report is not read there; it is tried again \
             every {} s",
            AGAIN.as_secs()
        )
    })
}

/// The routes as they are served at `address`.
///
/// A loopback address is for this machine alone, and its browsers are on it: a page from anywhere can
/// have its own name resolve to 127.0.0.1, and then is of the same origin as what answers there. What
/// gives it away is the name that the browser asks for.
pub(in crate::daemon) fn guarded(routes: Router, address: SocketAddr) -> Router {
    let routes = if address.ip().is_loopback() {
        let check = move |request: Request, next: Next| async move {
            match for_this_machine(&request, address.ip()) {
                Ok(()) => next.run(request).await,
                Err(problem) => problem.into_response(),
            }
        };
        routes.layer(middleware::from_fn(check))
    } else {
        routes
    };
    routes.layer(middleware::map_response(hardened))
}

async fn hardened(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Whether a request is for this machine by each name that it gives: in its target, and in `Host`.
fn for_this_machine(request: &Request, ip: IpAddr) -> Result<(), Problem> {
    let refused = |why: String| {
        let detail = format!(
            "{why}; this address answers requests for localhost and {} alone; ask by one of these, or have \
             the proxy before it send `Host: localhost`",
            literal(ip)
        );
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected request", detail)
    };
    let of_target = request.uri().authority();
    let of_host = host(request.headers()).map_err(|why| refused(why.to_owned()))?;
    for authority in of_target.into_iter().chain([&of_host]) {
        if !is_own(authority, ip) {
            return Err(refused("the request is for another host".to_owned()));
        }
    }
    Ok(())
}

fn host(headers: &HeaderMap) -> Result<Authority, &'static str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            Authority::try_from(host.as_bytes()).map_err(|_| "the request's `Host` is no host")
        }
        (None, _) => Err("the request names no `Host`"),
        (Some(_), Some(_)) => Err("the request names more than one `Host`"),
    }
}

/// Any port will do: a tunnel has another than this one.
fn is_own(authority: &Authority, ip: IpAddr) -> bool {
    let host = authority.host();
    let named = host.eq_ignore_ascii_case("localhost");
    let written = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let literal = written.parse::<IpAddr>().is_ok_and(|written| written == ip || is_usual(written));
    (named || literal) && !authority.as_str().contains('@')
}

/// `127.0.0.1` and `::1`, by which a tunnel to any loopback address is asked.
fn is_usual(ip: IpAddr) -> bool {
    ip == IpAddr::from([127, 0, 0, 1]) || ip == IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16])
}

fn literal(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &str) -> bool {
        Authority::try_from(host).is_ok_and(|authority| is_own(&authority, [127, 0, 0, 53].into()))
    }

    #[test]
    fn names_of_this_machine_and_of_others() {
        for own in [
            "localhost",
            "LOCALHOST:9845",
            "127.0.0.1",
            "127.0.0.1:9845",
            "127.0.0.53:1",
            "[::1]",
            "[::1]:9845",
            "[0:0:0:0:0:0:0:1]",
        ] {
            assert!(asked(own), "{own}");
        }
        for other in [
            "",
            "evil.com",
            "localhost.evil.com",
            "127.0.0.1.nip.io",
            "a.localhost",
            "localhost.",
            "localhost@evil.com",
            "evil.com@localhost",
            "127.0.0.2",
            "2130706433",
            "0x7f000001",
            "127.1",
            "0.0.0.0",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::1",
        ] {
            assert!(!asked(other), "{other}");
        }
    }
}
