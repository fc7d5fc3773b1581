//! The TCP listener: reads alone, for this machine alone, and nobody holds it up.

use super::network::trial::memory;
use crate::cogs::Cogs;
use crate::support::{Home, PATIENCE, Warmd, text, wait_until};
use crate::web::{home_at, listening, port};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;
use warmd::clock::Stopwatch;

/// A model that is there, and asks nobody.
const ASLEEP: &str =
    "[models.asleep]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\nenabled = false\n";

/// A command run by another one, with the same environment.
pub(super) fn under(outer: &[&str], command: &Command) -> Command {
    let mut whole = Command::new(outer[0]);
    whole.args(&outer[1..]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    whole.current_dir(command.get_current_dir().unwrap());
    whole
}

/// A command in the place of a shell that has done something before.
pub(super) fn through(before: &str, command: &Command) -> Command {
    // Whoever runs the tests in the background has the shell ignore some signals.
    let exec = format!("{before}; exec env --default-signal \"$0\" \"$@\"");
    under(&["sh", "-c", &exec], command)
}

/// Either listener's client.
pub(super) trait Client: Read + Write {
    fn patient(&self);
    /// Nothing more is said by this side.
    fn done(&self);
}

impl Client for TcpStream {
    fn patient(&self) {
        self.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    fn done(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Client for UnixStream {
    fn patient(&self) {
        self.set_read_timeout(Some(PATIENCE)).unwrap();
    }

    fn done(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

pub(super) fn to_socket(home: &Home) -> UnixStream {
    UnixStream::connect(home.path("warmd.sock")).unwrap()
}

/// All that comes back until the other side closes; it must.
pub(super) fn rest(mut client: impl Client) -> String {
    client.patient();
    let (mut answer, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    loop {
        match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            // Closed with something unread, perhaps.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => break,
            Err(error) => panic!("it is not closed: {error}; so far: {}", text(&answer)),
        }
    }
    text(&answer)
}

/// What a request brings, of which the client says nothing more.
pub(super) fn asked(mut client: impl Client, request: &[u8]) -> String {
    // It may be refused before it is whole.
    let _ = client.write_all(request);
    rest(client)
}

fn tcp(address: SocketAddr, request: &str) -> String {
    asked(TcpStream::connect(address).unwrap(), request.as_bytes())
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
}

#[test]
fn a_page_that_has_its_name_resolve_to_this_machine_reads_nothing() {
    let (_home, warmd, address) = listening(ASLEEP);
    let port = address.port();
    for host in
        ["localhost", &format!("localhost:{port}"), "127.0.0.1", "127.0.0.1:8080", "[::1]", "LOCALHOST:1"]
    {
        let answer = tcp(address, &get("/v1/status", host));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"asleep\""), "{host}: {answer}");
    }
    let close = "connection: close\r\n\r\n";
    for request in [
        get("/v1/status", "evil.example"),
        get("/v1/status", &format!("evil.example:{port}")),
        get("/v1/models/asleep", "localhost.evil.example"),
        get("/v1/status", "127.0.0.1.nip.io"),
        get("/v1/status", "localhost@evil.example"),
        get("/v1/status", "localhost evil.example"),
        get("/v1/status", ""),
        get("/nowhere", "evil.example"),
        format!("POST /v1/status HTTP/1.1\r\nhost: evil.example\r\ncontent-length: 0\r\n{close}"),
        format!("GET /v1/status HTTP/1.1\r\n{close}"),
        "GET /v1/status HTTP/1.0\r\n\r\n".to_owned(),
        format!("GET /v1/status HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n{close}"),
        format!("GET http://evil.example/v1/status HTTP/1.1\r\nhost: localhost\r\n{close}"),
        format!("GET http://localhost/v1/status HTTP/1.1\r\nhost: evil.example\r\n{close}"),
    ] {
        let answer = tcp(address, &request);
        assert!(
            answer.starts_with("HTTP/1.1 421 ") || answer.starts_with("HTTP/1.0 421 "),
            "{request}: {answer}"
        );
        assert!(answer.contains("content-type: application/problem+json"), "{request}: {answer}");
        assert!(answer.contains("send `Host: localhost`"), "{request}: {answer}");
        assert!(!answer.contains("asleep"), "{request}: {answer}");
    }
    assert!(warmd.stop().success());
}

#[test]
fn browsers_are_told_to_keep_the_report_to_themselves() {
    let (_home, warmd, address) = listening(ASLEEP);
    let with = |method: &str, path: &str, host: &str| {
        tcp(
            address,
            &format!(
                "{method} {path} HTTP/1.1\r\nhost: {host}\r\norigin: http://evil.example\r\nconnection: close\r\n\r\n"
            ),
        )
    };
    for (answer, status) in [
        (with("GET", "/v1/status", "localhost"), 200),
        (with("HEAD", "/v1/status", "localhost"), 200),
        (with("GET", "/v1/models/nobody", "localhost"), 404),
        (with("GET", "/", "localhost"), 200),
        (with("GET", "/models/nobody", "localhost"), 404),
        (with("GET", "/assets/page.js", "localhost"), 200),
        (with("GET", "/nowhere", "localhost"), 404),
        (with("OPTIONS", "/v1/status", "localhost"), 405),
        (with("DELETE", "/v1/models/asleep", "localhost"), 405),
        (with("POST", "/v1/reload", "localhost"), 404),
        (with("POST", "/v1/models/asleep/pause", "localhost"), 404),
        (with("GET", "/v1/status", "evil.example"), 421),
        (with("GET", "/", "evil.example"), 421),
    ] {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        for told in [
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'; ",
            "frame-ancestors 'none'; base-uri 'none'",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
            "x-frame-options: DENY",
        ] {
            assert!(answer.contains(told), "{told}: {answer}");
        }
        assert!(!answer.contains("access-control"), "{answer}");
    }
    let (whole, head) = (with("GET", "/v1/status", "localhost"), with("HEAD", "/v1/status", "localhost"));
    assert!(whole.contains("\"asleep\"") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(warmd.stop().success());
}

/// What is no request, or no good one.
fn nonsense() -> Vec<(&'static str, Vec<u8>)> {
    let lines = |more: &str| format!("GET /v1/status HTTP/1.1\r\nhost: localhost\r\n{more}\r\n").into_bytes();
    let pause = |more: &str| {
        format!("POST /v1/models/asleep/pause HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{more}")
            .into_bytes()
    };
    vec![
        ("nothing", Vec::new()),
        ("a greeting of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20)),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
        ("zeros", vec![0; 4096]),
        ("every byte", (0..=255).cycle().take(4096).collect()),
        ("another protocol", b"EHLO localhost\r\n".to_vec()),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec()),
        ("HTTP/3.7", b"GET / HTTP/3.7\r\nhost: localhost\r\n\r\n".to_vec()),
        ("a tunnel", b"CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()),
        ("a line without end", b"GET /".iter().copied().chain(b"a".repeat(100_000)).collect()),
        ("a header without end", lines(&format!("x: {}\r\n", "a".repeat(100_000)))),
        ("a thousand headers", lines(&"x: y\r\n".repeat(1000))),
        ("a folded header", lines("x: y\r\n z\r\n")),
        ("a length below zero", pause("content-length: -1\r\n\r\n")),
        ("two lengths", pause("content-length: 2\r\ncontent-length: 3\r\n\r\n{}")),
        ("a length beyond all", pause("content-length: 99999999999999999999999\r\n\r\n")),
        ("a chunk of what is no size", pause("transfer-encoding: chunked\r\n\r\nxyz\r\n")),
        ("a chunk beyond all", pause("transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n")),
        ("chunks of gzip", pause("transfer-encoding: gzip\r\n\r\n")),
        ("a body without end", [pause("content-length: 999999999\r\n\r\n"), vec![b'x'; 200_000]].concat()),
        ("an upgrade", lines("connection: upgrade\r\nupgrade: websocket\r\n")),
    ]
}

#[test]
fn what_is_no_request_is_closed_and_harms_nobody() {
    let (home, warmd, address) = listening(ASLEEP);
    let nonsense = nonsense();
    std::thread::scope(|scope| {
        for (what, bytes) in &nonsense {
            let home = &home;
            scope.spawn(move || {
                for over_tcp in [true, false] {
                    let answer = if over_tcp {
                        let client = TcpStream::connect(address).unwrap();
                        let _ = (&client).write_all(bytes);
                        client.done();
                        rest(client)
                    } else {
                        let client = to_socket(home);
                        let _ = (&client).write_all(bytes);
                        client.done();
                        rest(client)
                    };
                    let first = answer.lines().next().unwrap_or_default();
                    let harmless = *what == "an upgrade" && first == "HTTP/1.1 200 OK";
                    let refused = first.starts_with("HTTP/1.1 4") || first.starts_with("HTTP/1.0 4");
                    assert!(first.is_empty() || refused || harmless, "{what}: {first}");
                }
            });
        }
    });
    let hundred = get("/v1/status", "localhost").replace("connection: close\r\n", "").repeat(99);
    let answers = tcp(address, &(hundred + &get("/v1/status", "localhost")));
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 100, "one connection, a hundred requests at once");
    assert_eq!(home.model("asleep")["paused_until"], serde_json::Value::Null);
    let panics = warmd.log().iter().filter(|line| line.contains("panicked")).count();
    assert_eq!(panics, 0);
    assert!(warmd.stop().success());
}

#[test]
fn three_hundred_that_hang_hold_up_nobody() {
    let (home, warmd, address) = listening(ASLEEP);
    let half = b"GET /v1/status HTTP/1.1\r\nhost: loc";
    let mut hung: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut hung_too: Vec<UnixStream> = (0..300).map(|_| to_socket(&home)).collect();
    for (nth, client) in hung.iter_mut().enumerate() {
        // Some have said nothing at all.
        if nth % 3 > 0 {
            let _ = client.write_all(half);
        }
    }
    for client in &mut hung_too {
        let _ = client.write_all(half);
    }
    // A round of 64 that are waited for in vain takes 10 s: behind 300 that would be 50 s.
    let answer = tcp(address, &get("/v1/status", "localhost"));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(home.status()["models"][0]["name"], "asleep");
    assert!(warmd.stop().success());
}

#[test]
fn readers_that_read_nothing_hold_up_no_scrape_of_a_thousand_models() {
    let cogs = Cogs::start();
    let mut models = cogs.model("well", "active = [\"always\"]\ninterval = \"1s\"");
    for number in 1..1000 {
        models += &ASLEEP.replace("asleep", &format!("asleep-{number}"));
    }
    let (home, warmd, address) = listening(&models);
    let scrape = tcp(address, &get("/metrics", "localhost"));
    assert_eq!(scrape.matches("\nwarmd_model_warm{").count(), 1000);
    let (page, before) = (tcp(address, &get("/", "localhost")).len(), memory(&warmd));
    home.model_when("well", "warm", |model| model["state"] == "warm");
    for (count, path) in [(120, "/metrics"), (300, "/metrics"), (120, "/"), (120, "/v1/status")] {
        let request = get(path, "localhost");
        let sent = warmd.outcomes("well").len();
        let hung: Vec<TcpStream> = (0..count)
            .map(|_| {
                let mut client = TcpStream::connect(address).unwrap();
                client.write_all(request.as_bytes()).unwrap();
                client
            })
            .collect();
        let timed = |ask: &dyn Fn()| {
            let watch = Stopwatch::start();
            ask();
            let took = watch.elapsed();
            assert!(took < PATIENCE, "behind {count} that asked for {path}: {took:?}");
            took.as_secs_f64()
        };
        // Behind all of them at once, as each of these would be.
        let (scraped, shown, healthy, status) = std::thread::scope(|scope| {
            let scraped = scope.spawn(|| {
                timed(&|| {
                    let answer = tcp(address, &get("/metrics", "localhost"));
                    assert!(answer.len() > scrape.len() * 9 / 10, "{} bytes", answer.len());
                })
            });
            let shown = scope.spawn(|| {
                timed(&|| {
                    let answer = tcp(address, &get("/", "localhost"));
                    assert!(answer.len() > page * 9 / 10, "{} bytes", answer.len());
                })
            });
            let healthy = scope.spawn(|| {
                timed(&|| {
                    let answer = tcp(address, &get("/-/healthy", "localhost"));
                    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
                })
            });
            let status = timed(&|| assert!(home.ctl(&["status"]).status.success()));
            (scraped.join().unwrap(), shown.join().unwrap(), healthy.join().unwrap(), status)
        });
        println!(
            "measured: behind {count} that asked for {path} and read nothing: /metrics after {scraped:.1} s, \
             / {shown:.1} s, /-/healthy {healthy:.1} s, warmctl status {status:.1} s; memory {} → {} MiB at most",
            before / 1024,
            memory(&warmd) / 1024
        );
        wait_until("heartbeats go on", PATIENCE, || warmd.outcomes("well").len() > sent);
        drop(hung);
    }
    // What answers may take, one more, and what it takes to put one together.
    assert!(memory(&warmd) < before + 96 * 1024, "{} → {} KiB", before, memory(&warmd));
    assert!(warmd.outcomes("well").iter().skip(1).all(|outcome| outcome == "warm"));
    assert!(warmd.stop().success());
}

#[test]
fn whoever_takes_too_long_is_cut_off_but_not_whoever_waits_for_an_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = format!(
        "[models.slow]\ncog = \"http://{}\"\nactive = [\"always\"]\ninterval = \"1d\"\ntimeout = \"13s\"\n",
        silent.local_addr().unwrap()
    );
    let (home, warmd, address) = listening(&slow);
    std::thread::scope(|scope| {
        let beat = scope.spawn(|| home.ctl(&["beat", "slow"]));
        let hang = |said: &'static [u8], drip: Option<u8>| {
            let home = &home;
            scope.spawn(move || {
                let mut over_tcp = TcpStream::connect(address).unwrap();
                let mut over_socket = to_socket(home);
                over_tcp.write_all(said).unwrap();
                over_socket.write_all(said).unwrap();
                let watch = Stopwatch::start();
                let (mut left, mut open) = (true, true);
                over_tcp.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
                over_socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
                while left || open {
                    assert!(watch.elapsed() < PATIENCE, "it is not cut off: {}", text(said));
                    if let Some(byte) = drip {
                        let _ = over_tcp.write_all(&[byte]);
                        let _ = over_socket.write_all(&[byte]);
                    }
                    left = left && is_open(&mut over_tcp);
                    open = open && is_open(&mut over_socket);
                }
            })
        };
        hang(b"", None);
        hang(b"GET /v1/status HTTP/1.1\r\nhost: loc", None);
        hang(b"GET /v1/status HTTP/1.1\r\nhost: localhost\r\nx: ", Some(b'y'));
        hang(b"POST /v1/models/slow/pause HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000\r\n\r\n", None);
        hang(
            b"POST /v1/models/slow/pause HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000\r\n\r\n",
            Some(b' '),
        );
        // Answered, and idle from then on.
        hang(b"GET /v1/models/slow HTTP/1.1\r\nhost: localhost\r\n\r\n", None);
        let beat = beat.join().unwrap();
        let told = text(&beat.stderr);
        assert!(beat.status.code() == Some(1) && told.contains("timed out"), "{told}");
    });
    assert_eq!(home.model("slow")["paused_until"], serde_json::Value::Null);
    assert!(warmd.stop().success());
}

fn is_open(client: &mut impl Read) -> bool {
    match client.read(&mut [0; 16 * 1024]) {
        Ok(0) => false,
        Ok(_) => true,
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// The processor time of a process, in seconds.
fn busy(warmd: &Warmd) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", warmd.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // `utime` and `stime`, in hundredths.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[test]
fn without_a_file_descriptor_left_it_waits_and_does_not_spin() {
    let home = home_at("127.0.0.1:0", ASLEEP);
    let warmd = Warmd::spawn(through("ulimit -n 48", &home.warmd()));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&warmd)));
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let clients: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(address).unwrap()).collect();
    warmd.tells(&["connections have to wait"]);
    let (before, watch) = (busy(&warmd), Stopwatch::start());
    std::thread::sleep(Duration::from_secs(3));
    let share = (busy(&warmd) - before) / watch.elapsed().as_secs_f64();
    assert!(share < 0.2, "it takes {:.0} % of a processor", 100.0 * share);
    assert_eq!(home.status()["models"][0]["name"], "asleep", "those who hang make room for those who ask");
    assert!(tcp(address, &get("/v1/status", "localhost")).starts_with("HTTP/1.1 200 "));
    let told = warmd.log().iter().filter(|line| line.contains("connections have to wait")).count();
    assert!(told <= 4, "told {told} times");
    drop(clients);
    assert!(warmd.stop().success());
}

#[test]
fn an_address_that_others_reach_is_warned_of_and_still_serves_reads_alone() {
    let home = home_at("0.0.0.0:0", ASLEEP);
    let warned = home.json(&["check"])["warnings"][0].clone();
    assert_eq!((&warned["line"], &warned["key"]), (&4.into(), &"daemon.listen".into()), "{warned}");
    assert!(warned["message"].as_str().unwrap().contains("may read the report"), "{warned}");
    let warmd = home.start();
    let notes = home.status()["daemon"]["notes"].to_string();
    assert!(notes.contains("may read the report"), "{notes}");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&warmd)));
    let answer = tcp(address, &get("/v1/status", "gpu-box.lan:9845"));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("x-frame-options: DENY"), "{answer}");
    let post =
        "POST /v1/reload HTTP/1.1\r\nhost: gpu-box.lan\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert!(tcp(address, post).starts_with("HTTP/1.1 404 "));
    assert!(warmd.stop().success());
}

#[test]
fn an_address_that_is_taken_is_told_and_opened_once_it_is_free() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let home = home_at(&address.to_string(), ASLEEP);
    let warmd = home.start();
    let noted = || home.status()["daemon"]["notes"].to_string().contains("can't be opened");
    assert!(noted());
    warmd.tells(&["can't be opened (Address", "the report is not read there"]);
    // Nothing of the file has to do with it.
    assert!(home.ctl(&["reload"]).status.success());
    assert!(noted(), "{}", home.status()["daemon"]);
    drop(taken);
    wait_until("it is open", PATIENCE, || TcpStream::connect(address).is_ok());
    assert!(tcp(address, &get("/v1/status", "localhost")).starts_with("HTTP/1.1 200"));
    wait_until("and told so", PATIENCE, || !noted());
    assert!(warmd.stop().success());
}
