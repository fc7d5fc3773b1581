//! DNS that fails, hangs and lies, and names with several addresses.

use super::namespace::{names, within};
use super::peer::{Peer, well_and_gone};
use super::tls::Authority;
use super::trial::{memory, says};
use crate::support::{Home, PATIENCE, wait_until};
use serde_json::Value;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use warmd::clock::Stopwatch;

/// What a DNS server does with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dns {
    Silent,
    ServerFailure,
    NoSuchName,
    Address(Ipv4Addr),
}

const HERE: Dns = Dns::Address(Ipv4Addr::LOCALHOST);

/// A DNS server at the one address where the system asks; names that begin with `hangs` it never heard of.
struct Server(Arc<Mutex<(Dns, Vec<String>)>>);

impl Server {
    fn start(does: Dns) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 53)).unwrap();
        let state = Arc::new(Mutex::new((does, Vec::new())));
        let server = Self(Arc::clone(&state));
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let asked = name_in(&question[..length]);
                let mut state = state.lock().unwrap();
                let does = if asked.starts_with("hangs") { Dns::Silent } else { state.0 };
                state.1.push(asked);
                if let Some(answer) = answer(&question[..length], does) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        server
    }

    fn does(&self, does: Dns) {
        self.0.lock().unwrap().0 = does;
    }

    fn asked(&self, name: &str) -> usize {
        self.0.lock().unwrap().1.iter().filter(|asked| asked.as_str() == name).count()
    }
}

/// The name that a question asks for: its labels, each behind its length, from the 13th byte on.
fn name_in(question: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = question.get(12..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first().filter(|(length, _)| **length > 0) {
        let (label, after) = after.split_at(usize::from(*length).min(after.len()));
        labels.push(String::from_utf8_lossy(label).into_owned());
        rest = after;
    }
    labels.join(".")
}

/// The question sent back, with a code, and with an address where one of IPv4 was asked for.
fn answer(question: &[u8], does: Dns) -> Option<Vec<u8>> {
    let (code, address) = match does {
        Dns::Silent => return None,
        Dns::ServerFailure => (2, None),
        Dns::NoSuchName => (3, None),
        Dns::Address(address) => (0, Some(address)),
    };
    let end = 12 + question.get(12..)?.iter().position(|byte| *byte == 0)? + 5;
    let of_ipv4 = question.get(end - 4..end)? == [0, 1, 0, 1];
    let address = address.filter(|_| of_ipv4);
    let mut answer = question[..end].to_vec();
    answer[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    if let Some(address) = address {
        // The name is that of the question; type A, class IN, no time to live, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

/// Replicate's API at `api.test`.
fn api(authority: &Authority) -> (Peer, String) {
    let peer = Peer::start();
    peer.speaks_tls(authority.signs("api.test", |_| {}));
    let base = format!("https://api.test:{}/v1", peer.address.port());
    (peer, base)
}

const REPLICATE: &str = "[models.replicate]\nreplicate = \"acme/m\"\n";

/// A peer whose every answer is over a connection of its own, to its name.
fn asked_by_name() -> Peer {
    let peer = Peer::start();
    peer.does(well_and_gone);
    peer
}

fn model(name: &str, host: &str, peer: &Peer) -> String {
    format!("[models.{name}]\ncog = \"http://{host}:{}\"\n", peer.address.port())
}

fn file(base: &str, models: &[String]) -> String {
    format!(
        "[replicate]\nbase_url = \"{base}\"\n\
         [defaults]\nactive = [\"always\"]\ninterval = \"1s\"\ntimeout = \"20s\"\n{}",
        models.concat()
    )
}

fn warm(model: &Value) -> bool {
    model["state"] == "warm"
}

fn count(home: &Home, name: &str, outcome: &str) -> u64 {
    home.model(name)["counts"][outcome].as_u64().unwrap()
}

/// Waits for so many more warm heartbeats of a model, with no other ones between them.
fn stays_warm(home: &Home, name: &str, more: u64) {
    let bad = || ["unreachable", "timed_out", "failed"].map(|outcome| count(home, name, outcome));
    let (before, bad_before) = (count(home, name, "warm"), bad());
    home.model_when(name, "goes on", |model| model["counts"]["warm"].as_u64() >= Some(before + more));
    assert_eq!(bad(), bad_before, "{name}");
}

fn recovers(home: &Home, names: &[&str], what: &str) {
    let since = Stopwatch::start();
    for name in names {
        home.model_when(name, "warm again", warm);
    }
    println!("measured: {what}: warm again in {:.1} s", since.elapsed().as_secs_f64());
}

#[test]
fn dns_fails() {
    if !within("faults::network::dns::dns_fails") {
        return;
    }
    let _names = names("127.0.0.1 other.test\n");
    let dns = Server::start(Dns::ServerFailure);
    let peer = asked_by_name();
    let authority = Authority::new();
    let (_api, base) = api(&authority);
    let models = [model("cog", "box.test", &peer), REPLICATE.to_owned(), model("well", "other.test", &peer)];
    let home = Home::at_trace(&file(&base, &models));
    let warmd = authority.start(&home, &[]);
    let both = ["cog", "replicate"];
    let meets = |outcome: &str, why: [&str; 2]| {
        for (name, why) in both.into_iter().zip(why) {
            let met = home.model_when(name, "meets the fault", |model| {
                model["last"]["outcome"] == outcome && model["last"]["error"].to_string().contains(why)
            });
            println!("{name}: {}", met["last"]["error"]);
        }
        stays_warm(&home, "well", 2);
    };
    meets(
        "unreachable",
        [
            "the name box.test can't be resolved: Temporary failure in name resolution",
            "GET /models/acme/m could not be sent: the name api.test can't be resolved: Temporary failure",
        ],
    );
    dns.does(HERE);
    recovers(&home, &both, "DNS fails");
    // What is known serves while no server answers.
    dns.does(Dns::ServerFailure);
    for name in both {
        stays_warm(&home, name, 3);
    }
    // But not against a server's own word.
    dns.does(Dns::NoSuchName);
    meets(
        "unreachable",
        [
            "the name box.test can't be resolved: Name or service not known",
            "POST /predictions could not be sent: the name api.test can't be resolved: Name or service not known",
        ],
    );
    dns.does(HERE);
    recovers(&home, &both, "no such name");
    warmd.tells(&["no DNS server answers for the name box.test"]);
    assert!(warmd.stop().success());
}

#[test]
fn dns_hangs() {
    if !within("faults::network::dns::dns_hangs") {
        return;
    }
    let _names = names("127.0.0.1 other.test\n");
    let dns = Server::start(HERE);
    let peer = asked_by_name();
    let models = [model("known", "box.test", &peer), model("well", "other.test", &peer)];
    let authority = Authority::new();
    let (_api, base) = api(&authority);
    let home = Home::at_trace(&file(&base, &models));
    let warmd = authority.start(&home, &[]);
    home.model_when("known", "warm", warm);
    dns.does(Dns::Silent);
    let unknown = [model("cog", "new.test", &peer), REPLICATE.to_owned()];
    home.write(&file(&base, &[models.concat(), unknown.concat()]));
    let both = ["cog", "replicate"];
    for name in both {
        let met = home.model_when(name, "meets the fault", |model| !model["last"].is_null());
        println!("{name}: {}", met["last"]["error"]);
        says(&met["last"], "unreachable", "can't be resolved: no DNS server answered within 8 s");
    }
    for name in ["known", "well"] {
        stays_warm(&home, name, 3);
    }
    assert!(dns.asked("box.test") > 2, "it is asked again all the while");
    dns.does(HERE);
    recovers(&home, &both, "DNS hangs");
    assert!(warmd.stop().success());
}

/// More names that hang than the runtime has threads to wait for them.
#[test]
fn more_names_hang_than_there_are_threads() {
    if !within("faults::network::dns::more_names_hang_than_there_are_threads") {
        return;
    }
    let _names = names("127.0.0.1 other.test\n");
    let _dns = Server::start(HERE);
    let peer = asked_by_name();
    let well = [model("known", "box.test", &peer), model("well", "other.test", &peer)];
    let home = Home::at_trace(&file("http://127.0.0.1:9", &well));
    let warmd = home.start();
    home.model_when("known", "warm", warm);
    let mut all = well.concat();
    for number in 0..600 {
        let hangs = model(&format!("hangs-{number}"), &format!("hangs-{number}.test"), &peer);
        writeln!(all, "{hangs}interval = \"10s\"").unwrap();
    }
    home.write(&file("http://127.0.0.1:9", &[all]));
    home.model_when("hangs-0", "hangs", |model| model["last"]["outcome"] == "unreachable");
    for name in ["known", "well"] {
        stays_warm(&home, name, 3);
    }
    // Reading a file takes a thread too.
    assert!(home.ctl(&["reload"]).status.success());
    let threads = std::fs::read_dir(format!("/proc/{}/task", warmd.id())).unwrap().count();
    println!("measured: 600 names hang: {threads} threads, {} MiB", memory(&warmd) / 1024);
    assert!(threads < 300 && memory(&warmd) < 256 * 1024);
    let stopping = Stopwatch::start();
    assert!(warmd.stop().success());
    // The grace of 5 s, the flush, and what a busy machine adds: the lookups alone would take longer.
    println!("measured: 600 names hang: stopped in {:.1} s", stopping.elapsed().as_secs_f64());
    assert!(stopping.elapsed() < Duration::from_secs(9), "{:?}", stopping.elapsed());
}

#[test]
fn the_first_of_several_addresses_is_dead() {
    if !within("faults::network::dns::the_first_of_several_addresses_is_dead") {
        return;
    }
    let _names = names(
        "127.0.0.2 refused.test\n127.0.0.3 refused.test\n127.0.0.2 silent.test\n127.0.0.3 silent.test\n",
    );
    let addresses: Vec<_> = ("silent.test", 0).to_socket_addrs().unwrap().map(|at| at.ip()).collect();
    let [first, second] = addresses[..] else { panic!("{addresses:?}") };
    let refused = Peer::at((second, 0).into());
    let silent = Peer::at((second, 0).into());
    for peer in [&refused, &silent] {
        peer.does(well_and_gone);
    }
    let _full = Full::at((first, silent.address.port()).into());
    let home = Home::at_trace(&file(
        "http://127.0.0.1:9",
        &[model("refused", "refused.test", &refused), model("silent", "silent.test", &silent)],
    ));
    let warmd = home.start();
    stays_warm(&home, "refused", 3);
    // The first time costs what a dead address costs; from then on the one that works goes first.
    wait_until("it answers", PATIENCE, || !silent.heard().is_empty());
    stays_warm(&home, "silent", 4);
    let later = home.model("silent");
    assert!(later["counts"]["busy"].as_u64() <= Some(1), "{later}");
    assert!(warmd.stop().success());
}

/// A listener whose queue is full, so that the system answers nobody who wants to connect.
struct Full {
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Full {
    fn at(address: std::net::SocketAddr) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&address.into()).unwrap();
        socket.listen(0).unwrap();
        let mut queue = Vec::new();
        while let Ok(connection) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            queue.push(connection);
        }
        Self { _listener: socket.into(), _queue: queue }
    }
}
