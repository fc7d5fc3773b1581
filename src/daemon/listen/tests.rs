//! Serving over real connections: what answers take that are not read, who is answered meanwhile, and a
//! request that panics. Who goes first where there is no room. And whether `SECURITY.md` knows the limits.

use super::connection::{Kept, Phase};
use super::desk::{ANSWERS, BODY_LIMIT};
use super::serve::{HEAD_LIMIT, HEADERS_LIMIT, LOOK, READING_CROWDED, STALLED_CROWDED};
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

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into_bytes()
}

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

/// How many pages there are, the most that there were, and all that were made.
#[derive(Clone, Default)]
struct Count {
    alive: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    made: Arc<AtomicUsize>,
}

/// A listener that serves pages, with little patience.
fn start() -> (SocketAddr, Count, JoinSet<anyhow::Result<()>>) {
    let (count, bytes) = (Count::default(), Arc::from(vec![b'x'; PAGE]));
    let of_pages = count.clone();
    let page = move || {
        let alive = of_pages.alive.fetch_add(1, Ordering::SeqCst) + 1;
        of_pages.most.fetch_max(alive, Ordering::SeqCst);
        of_pages.made.fetch_add(1, Ordering::SeqCst);
        let page = Page { bytes: Arc::clone(&bytes), alive: of_pages.alive.clone() };
        async { Bytes::from_owner(page) }
    };
    serving(Router::new().route("/page", get(page)).route("/broken", get(broken)), count)
}

fn serving(routes: Router, count: Count) -> (SocketAddr, Count, JoinSet<anyhow::Result<()>>) {
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
    for nth in 0..8 {
        // Each another one: who asks for the same may share it.
        hung.push(ask(address, &request(&format!("/page?{nth}"))).await);
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
        let answer = whole(ask(address, &request("/broken")).await).await;
        assert_eq!(answer, b"");
    }
    let mut waiting = waiting;
    waiting.write_all(REQUEST).await.unwrap();
    assert!(whole(waiting).await.starts_with(b"HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_read_nothing_share_what_they_asked_for() {
    let (address, count, _serving) = start();
    let mut hung = Vec::new();
    // Twice as many as there are connections.
    for _ in 0..2 * Limits::LISTEN.connections {
        hung.push(ask(address, REQUEST).await);
    }
    let answer = whole(ask(address, REQUEST).await).await;
    assert!(answer.len() > PAGE, "{} bytes", answer.len());
    let (most, made) = (count.most.load(Ordering::SeqCst), count.made.load(Ordering::SeqCst));
    assert!(most <= 3, "{most} at once");
    assert!(made <= 32, "{made} of {}: they were not shared", hung.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_waits_for_no_report_and_nobody_gets_one_that_was_begun_before_they_asked() {
    let (begun, open) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let (nth, gate) = (begun.clone(), open.clone());
    let report = move || {
        let (nth, gate) = (nth.fetch_add(1, Ordering::SeqCst) + 1, gate.clone());
        async move {
            gate.cancelled().await;
            nth.to_string()
        }
    };
    let routes = Router::new().route("/report", get(report)).route("/-/healthy", get(async || "well"));
    let (address, _, _serving) = serving(routes, Count::default());
    let first = ask(address, &request("/report")).await;
    while begun.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let second = ask(address, &request("/report")).await;
    assert!(whole(ask(address, &request("/-/healthy")).await).await.ends_with(b"\r\n\r\nwell"));
    open.cancel();
    assert!(whole(first).await.ends_with(b"\r\n\r\n1"));
    assert!(whole(second).await.ends_with(b"\r\n\r\n2"));
}

#[test]
fn whoever_reads_nothing_goes_first_and_whoever_reads_on_goes_last() {
    let kept = |phase, millis, stalled| Kept { phase, time: Duration::from_millis(millis), stalled };
    for (kept, crowded, is_passed) in [
        (kept(Phase::Sending, 300, STALLED_CROWDED), true, true),
        (kept(Phase::Sending, 300, STALLED_CROWDED - 1), true, false),
        (kept(Phase::Sending, 2_999, 0), true, false),
        (kept(Phase::Sending, 3_000, 0), true, true),
        (kept(Phase::Sending, 14_999, 149), false, false),
        (kept(Phase::Sending, 15_000, 0), false, true),
        (kept(Phase::Idle, 999, 9), true, false),
        (kept(Phase::Receiving, 1_000, 9), true, true),
        (kept(Phase::Receiving, 9_999, 99), false, false),
        (kept(Phase::Idle, 10_000, 99), false, true),
    ] {
        assert_eq!(Limits::LISTEN.are_passed(kept, crowded), is_passed, "{kept:?}, crowded: {crowded}");
    }
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
        format!("whoever reads nothing for {} ms", (LOOK * STALLED_CROWDED).as_millis()),
        format!("has read on for {} s", READING_CROWDED.as_secs()),
    ] {
        assert!(page.contains(&told), "{told}");
    }
    assert_eq!((socket.receiving, socket.sending), (listen.receiving, listen.sending));
}
