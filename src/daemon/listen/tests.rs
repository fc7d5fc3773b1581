//! Serving over real connections: what answers take that are not read, and a request that panics. And
//! whether `SECURITY.md` knows the limits.

use super::desk::{ANSWERS, BODY_LIMIT};
use super::serve::{HEAD_LIMIT, HEADERS_LIMIT};
use super::{Limits, serve, tcp};
use crate::clock::Stopwatch;
use crate::daemon::api::BEATS;
use crate::daemon::command::Handle;
use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Half of what the answers of a listener may take.
const PAGE: usize = 8 << 20;

const REQUEST: &[u8] = b"GET /page HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

/// A large answer, which counts how many of it there are.
struct Page {
    bytes: Arc<[u8]>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Page {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How many pages there are, and the most that there were.
#[derive(Clone, Default)]
struct Count {
    alive: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A listener that serves pages, with little patience.
fn start() -> (SocketAddr, Count, JoinSet<anyhow::Result<()>>) {
    let (count, bytes) = (Count::default(), Arc::from(vec![b'x'; PAGE]));
    let of_pages = count.clone();
    let page = move || {
        let alive = of_pages.alive.fetch_add(1, Ordering::SeqCst) + 1;
        of_pages.most.fetch_max(alive, Ordering::SeqCst);
        let page = Page { bytes: Arc::clone(&bytes), alive: of_pages.alive.clone() };
        async { Bytes::from_owner(page) }
    };
    let routes = Router::new().route("/page", get(page)).route("/broken", get(broken));
    let listener = tcp::Tcp::open("127.0.0.1:0".parse().unwrap(), tcp::Trouble::default());
    let address = listener.address();
    let limits = Limits { sending: Duration::from_secs(2), ..Limits::LISTEN };
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        // The engine is there as long as its end of the way to it.
        let (engine, _commands) = Handle::new();
        serve(listener, routes, limits, CancellationToken::new(), engine).await
    });
    (address, count, serving)
}

async fn broken() {
    panic!("a request that goes wrong");
}

async fn ask(address: SocketAddr, request: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(request).await.unwrap();
    client
}

async fn whole(mut client: TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_mins(1), client.read_to_end(&mut answer));
    let _ = read.await.expect("it ends");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_take_bounded_memory_and_are_given_up() {
    let (address, count, _serving) = start();
    let mut hung = Vec::new();
    for _ in 0..8 {
        hung.push(ask(address, REQUEST).await);
    }
    // Behind all of them, and read at once.
    let answer = whole(ask(address, REQUEST).await).await;
    assert!(answer.len() > PAGE, "{} bytes", answer.len());
    let most = count.most.load(Ordering::SeqCst);
    assert!(most <= 3, "{most} at once: more than fill the room, and the one that waits for some");
    let watch = Stopwatch::start();
    while count.alive.load(Ordering::SeqCst) > 0 {
        assert!(watch.elapsed() < Duration::from_secs(30), "some are kept for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for client in hung {
        let came = whole(client).await.len();
        assert!(came < PAGE, "{came} bytes: it was not given up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_panics_ends_its_connection_alone() {
    let (address, _, _serving) = start();
    let waiting = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        let answer = whole(ask(address, &[b"GET /broken", &REQUEST[9..]].concat()).await).await;
        assert_eq!(answer, b"");
    }
    let mut waiting = waiting;
    waiting.write_all(REQUEST).await.unwrap();
    assert!(whole(waiting).await.starts_with(b"HTTP/1.1 200 "));
}

#[test]
fn the_page_on_security_knows_the_limits() {
    let page = include_str!("../../../SECURITY.md");
    let (socket, listen) = (Limits::SOCKET, Limits::LISTEN);
    for told in [
        format!("idle for {} s, and a request may take {0} s to come", listen.receiving.as_secs()),
        format!("an answer may take {} s to be read", listen.sending.as_secs()),
        format!("The socket has {} connections at a time, of which {BEATS} may wait", socket.connections),
        format!("the TCP address has {}", listen.connections),
        format!("line and headers have at most {} KiB and {HEADERS_LIMIT} headers", HEAD_LIMIT >> 10),
        format!("its body {} KiB", BODY_LIMIT >> 10),
        format!("take at most {} MiB", ANSWERS >> 10),
    ] {
        assert!(page.contains(&told), "{told}");
    }
    assert_eq!((socket.receiving, socket.sending), (listen.receiving, listen.sending));
}
