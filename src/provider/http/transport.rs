//! Connections: by TCP or TLS, straight to a server or through a proxy that the environment names.
//!
//! Owns the pool of connections and what a connection may cost before an answer begins. It is hyper's own client:
//! one that hides hyper can't bound the interim answers (1xx) that come before the final one.

use super::CONNECT_TIMEOUT;
use super::names::Names;
use crate::quote;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::PROXY_AUTHORIZATION;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Request, Response, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::legacy::{self, Client};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::coop;
use tower_service::Service;

/// How long an unused connection is kept: for as long as a heartbeat's own requests follow one another.
/// Servers close idle ones too (uvicorn, under Cog, after 5 s, some proxies after 2); a request that
/// meets the close on its way is lost, and a prediction is not sent twice.
const IDLE_CONNECTION: Duration = Duration::from_secs(1);

/// Unused connections that are kept to one host at the most: as many as a thousand heartbeats a second to one
/// API pass on to each other.
const IDLE_A_HOST: usize = 32;

/// How long a peer may leave data, or a sign of life, unacknowledged. A heartbeat may wait minutes
/// for a model that boots; it must not wait for a host that is gone.
const DEAD_PEER: Duration = Duration::from_secs(30);

/// The largest head of an answer, in bytes, and the most that is read of a connection at a time.
const HEAD: usize = 64 * 1024;

/// Interim answers to one request: how many, and how many headers and bytes of them in all. A proxy that sends one a
/// second while a model boots stays below it for a quarter of an hour.
const INTERIM_ANSWERS: usize = 1_000;
const INTERIM_HEADERS: usize = 4_000;
const INTERIM_BYTES: usize = 1024 * 1024;

/// What a read costs of what a task may do before it lets others go on, which is 128: a read has up to [`HEAD`]
/// bytes, and a server that never stops sending has one ready each time.
const READ_COSTS: usize = 16;

type BoxError = Box<dyn Error + Send + Sync>;
type Direct = HttpsConnector<HttpConnector<Names>>;

/// A pool of connections; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: Client<Connector, Full<Bytes>>,
    proxies: Option<Arc<Matcher>>,
}

/// Why a request brought no answer.
#[derive(Debug, Error)]
pub(super) enum TransportError {
    /// By the library.
    #[error(transparent)]
    Client(#[from] legacy::Error),
    /// More interim answers than are read.
    #[error("more than {INTERIM_ANSWERS} interim answers (1xx), or {INTERIM_HEADERS} headers or {} KiB of them, came before an answer", INTERIM_BYTES / 1024)]
    Interim,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub(super) enum ConnectError {
    /// It took too long.
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
    /// The proxy on the way can't be reached.
    #[error("the proxy {0} can't be reached")]
    ProxyAway(String, #[source] BoxError),
    /// The proxy was reached, and leads no further.
    #[error("the proxy {0} leads no connection there")]
    ProxyRefused(String, #[source] BoxError),
    /// The environment names a proxy of a kind that is not supported.
    #[error("the proxy {0} is not one for http: a proxy's address begins with http:// or https://")]
    ProxyKind(String),
}

impl Transport {
    /// A pool whose connections go through `proxies`, where one of them is for the destination.
    pub(super) fn new(names: &Names, tls: &Arc<ClientConfig>, proxies: Option<Arc<Matcher>>) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(names.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(DEAD_PEER / 3));
        tcp.set_keepalive_interval(Some(DEAD_PEER / 3));
        tcp.set_keepalive_retries(Some(2));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(DEAD_PEER));
        let direct = HttpsConnector::from((tcp, tls.clone()));
        let connector = Connector { direct, tls: tls.clone(), proxies: proxies.clone() };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(IDLE_A_HOST)
            .http1_max_buf_size(HEAD)
            .build(connector);
        Self { client, proxies }
    }

    /// The proxy that a request to `destination` goes through, as messages name it.
    pub(super) fn proxy_for(&self, destination: &Uri) -> Option<String> {
        self.intercept(destination).map(|proxy| shown(&proxy))
    }

    /// Sends a request; comes back with the answer's head.
    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TransportError> {
        let proxy = self.intercept(request.uri()).filter(|_| request.uri().scheme_str() == Some("http"));
        if let Some(auth) = proxy.as_ref().and_then(Intercept::basic_auth) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, auth.clone());
        }
        let too_many = Arc::new(Notify::new());
        count_interim(&mut request, too_many.clone());
        // Whichever ends first: dropped, the request closes its connection.
        tokio::select! {
            biased;
            () = too_many.notified() => Err(TransportError::Interim),
            answer = self.client.request(request) => Ok(answer?),
        }
    }

    fn intercept(&self, destination: &Uri) -> Option<Intercept> {
        self.proxies.as_ref()?.intercept(destination)
    }
}

/// Rings `too_many` once more interim answers have come to this request than are read.
fn count_interim(request: &mut Request<Full<Bytes>>, too_many: Arc<Notify>) {
    let [answers, headers, bytes] = [const { AtomicUsize::new(0) }; 3];
    let add = |count: &AtomicUsize, more| count.fetch_add(more, Ordering::Relaxed) + more;
    hyper::ext::on_informational(request, move |interim| {
        let length: usize =
            interim.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let answers = add(&answers, 1);
        let headers = add(&headers, interim.headers().len());
        let bytes = add(&bytes, length);
        if answers > INTERIM_ANSWERS || headers > INTERIM_HEADERS || bytes > INTERIM_BYTES {
            too_many.notify_one();
        }
    });
}

/// A proxy's address without its user and password, which the library keeps apart.
fn shown(proxy: &Intercept) -> String {
    quote::start(&proxy.uri().to_string(), 200).trim_end_matches('/').to_owned()
}

/// Makes connections.
#[derive(Debug, Clone)]
struct Connector {
    direct: Direct,
    tls: Arc<ClientConfig>,
    proxies: Option<Arc<Matcher>>,
}

impl Connector {
    async fn connect(mut self, destination: Uri) -> Result<Stream, BoxError> {
        let proxy = self.proxies.as_ref().and_then(|proxies| proxies.intercept(&destination));
        let Some(proxy) = proxy else {
            return Ok(Stream { io: Box::new(self.direct.call(destination).await?), by_proxy: false });
        };
        let name = shown(&proxy);
        if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
            return Err(ConnectError::ProxyKind(name).into());
        }
        let mut to_proxy = ToProxy { direct: self.direct, name: name.clone() };
        if destination.scheme_str() != Some("https") {
            let io = to_proxy.call(proxy.uri().clone()).await?;
            return Ok(Stream { io: Box::new(io), by_proxy: true });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        let tunnel = Leading { tunnel, name };
        let io = HttpsConnector::from((tunnel, self.tls)).call(destination).await?;
        Ok(Stream { io: Box::new(io), by_proxy: false })
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Connecting<Stream, BoxError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let connecting = self.clone().connect(destination);
        Box::pin(async {
            tokio::time::timeout(CONNECT_TIMEOUT, connecting)
                .await
                .unwrap_or_else(|_| Err(ConnectError::TimedOut.into()))
        })
    }
}

type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Connects to a proxy, and says so where it fails.
#[derive(Debug, Clone)]
struct ToProxy {
    direct: Direct,
    name: String,
}

impl Service<Uri> for ToProxy {
    type Response = <Direct as Service<Uri>>::Response;
    type Error = ConnectError;
    type Future = Connecting<Self::Response, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, proxy: Uri) -> Self::Future {
        let (connecting, name) = (self.direct.call(proxy), self.name.clone());
        Box::pin(async { connecting.await.map_err(|error| ConnectError::ProxyAway(name, error)) })
    }
}

/// Has a proxy lead a tunnel, and says so where it doesn't.
#[derive(Debug, Clone)]
struct Leading {
    tunnel: Tunnel<ToProxy>,
    name: String,
}

impl Service<Uri> for Leading {
    type Response = <ToProxy as Service<Uri>>::Response;
    type Error = ConnectError;
    type Future = Connecting<Self::Response, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let (leading, name) = (self.tunnel.call(destination), self.name.clone());
        Box::pin(async {
            leading.await.map_err(|error| {
                // Where the proxy can't be reached, that is among its sources.
                ConnectError::ProxyRefused(name, error.into())
            })
        })
    }
}

/// A connection, whatever it goes through.
struct Stream {
    io: Box<dyn Io>,
    /// A proxy is asked to fetch what is asked for, and so gets its whole address.
    by_proxy: bool,
}

trait Io: Read + Write + Connection + Send + Unpin {}

impl<T: Read + Write + Connection + Send + Unpin> Io for T {}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.io.connected().proxy(self.by_proxy)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        for _ in 1..READ_COSTS {
            ready!(coop::poll_proceed(cx)).made_progress();
        }
        Pin::new(&mut *self.io).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write_vectored(cx, parts)
    }
}
