//! A network that fails, hangs, lies and cuts.

mod dns;
mod namespace;
pub(crate) mod peer;
mod proxy;
mod tls;
pub(crate) mod trial;

use crate::support::{Home, PATIENCE, wait_until};
use peer::{Heard, Peer, Then, hang, pause, say, well};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use trial::{SICK, Trial, says};

#[test]
fn nobody_listens() {
    let mut trial = Trial::start("10s");
    trial.sick.close();
    for met in trial.met() {
        says(&met, "unreachable", "connection refused: nobody listens there");
    }
    trial.sick.reopen();
    trial.recovers("nobody listens");
}

#[test]
fn reset_in_mid_answer() {
    let trial = Trial::start("10s");
    let met = trial.meets(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"status\"")?;
        pause(0.1);
        reset(connection);
        Ok(Then::Close)
    });
    for met in met {
        says(&met, "unreachable", "the connection was reset");
    }
    trial.recovers("reset in mid-answer");
}

#[test]
fn half_a_chunk() {
    let trial = Trial::start("10s");
    let met = trial.meets(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{\"status\"")?;
        Ok(Then::Close)
    });
    for met in met {
        says(&met, "unreachable", "the connection was closed in the middle of the answer");
    }
    let met = trial.meets(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4z\r\n{\"status\"")?;
        hang(connection)
    });
    for met in met {
        says(&met, "unreachable", "what came is broken");
    }
    trial.recovers("half a chunk");
}

#[test]
fn hung_up_without_an_answer() {
    let trial = Trial::start("10s");
    let creates = trial.sick.predictions();
    for met in trial.meets(|_, heard| if heard.is_create() { Ok(Then::Close) } else { Err(gone()) }) {
        says(&met, "unreachable", "the connection was closed before the answer came");
    }
    // Cog's health check came first, and got no further.
    assert_eq!(trial.sick.predictions() - creates, trial.count("replicate", "unreachable"));
    trial.recovers("hung up without an answer");
}

#[test]
fn accepts_and_says_nothing() {
    let trial = Trial::start("2s");
    let met = trial.meets(|connection, _| hang(connection));
    says(&met[0], "timed_out", "/health-check did not answer within 2 s");
    says(&met[1], "timed_out", "POST /predictions brought no answer within 2 s");
    trial.recovers("accepts and says nothing");
}

#[test]
fn a_byte_a_second() {
    let trial = Trial::start("2s");
    let met = trial.meets(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n")?;
        loop {
            connection.write_all(b" ")?;
            pause(1.0);
        }
    });
    says(&met[0], "timed_out", "the answer of http://127.0.0.1");
    says(&met[0], "timed_out", "/health-check was not whole within 2 s");
    says(&met[1], "timed_out", "POST /predictions brought no whole answer within 2 s");
    trial.recovers("a byte a second");
}

#[test]
fn a_gigabyte() {
    let trial = Trial::start("30s");
    let met = trial.meets(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n")?;
        spill(connection, 1024)
    });
    says(&met[0], "unreachable", "the answer is larger than 16 MiB");
    says(&met[1], "unreachable", "POST /predictions: the answer is larger than 16 MiB");
    trial.recovers("a gigabyte");
}

#[test]
fn endless_headers() {
    let trial = Trial::start("30s");
    let met = trial.meets(|connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nx-long: ")?;
        spill(connection, 1024)
    });
    for met in met {
        says(&met, "unreachable", "the answer's headers are too long");
    }
    trial.recovers("endless headers");
}

#[test]
fn something_else_than_http() {
    let trial = Trial::start("10s");
    let met = trial.meets(|connection, _| {
        connection.write_all(b"\x1b[2JSSH-2.0-OpenSSH_9.6\r\n")?;
        hang(connection)
    });
    for met in met {
        says(&met, "unreachable", "what answers there does not speak HTTP");
    }
    trial.recovers("something else than HTTP");
}

/// Whoever listens where a redirect leads hears nothing, least of all the token.
#[test]
fn redirects() {
    let trial = Trial::start("10s");
    let elsewhere = Peer::start();
    let to = format!("{}/there", elsewhere.url());
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {to}?key=hush#hush\r\n");
        trial.sick.does(move |connection, _| say(connection, status, &location, b""));
        let met = SICK.map(|name| trial.beat(name));
        says(&met[0], "unreachable", &format!(") to {to}, which is not followed"));
        says(&met[1], "unreachable", &format!(", to {to}; redirects are not followed: check base_url"));
        assert!(!met[0].to_string().contains("hush") && !met[1].to_string().contains("hush"));
    }
    assert_eq!(elsewhere.heard().len(), 0);
    let sent = trial.sick.heard();
    let with_token = sent.iter().filter(|heard| heard.token.is_some()).count();
    assert!(with_token >= 5, "the token was there to be carried on");
    trial.recovers("redirects");
}

#[test]
fn http_1_0() {
    let trial = Trial::start("10s");
    trial.sick.does(|connection, heard| {
        let (status, body) = heard.well();
        // No length: it ends where the connection does.
        write!(connection, "HTTP/1.0 {status} OK\r\nserver: old\r\n\r\n{body}")?;
        Ok(Then::Close)
    });
    let before = SICK.map(|name| trial.count(name, "warm"));
    for (name, before) in SICK.into_iter().zip(before) {
        let model = trial.home.model_when(name, "warm over HTTP/1.0", |model| {
            model["counts"]["warm"].as_u64() >= Some(before as u64 + 3)
        });
        assert_eq!(model["counts"]["unreachable"], 0, "{model}");
    }
    trial.recovers("HTTP/1.0");
}

/// Closes every connection that long after its last answer, without a word of it in the answer.
fn forgets_after(seconds: f64) -> impl Fn(&mut TcpStream, &Heard) -> std::io::Result<Then> + Send + Sync {
    move |connection, heard| {
        well(connection, heard)?;
        connection.set_read_timeout(Some(Duration::from_secs_f64(seconds)))?;
        Ok(Then::Keep)
    }
}

/// Idle connections are closed between heartbeats, also at the very moment when the next is due: what is
/// sent into a connection that is closing would be lost.
#[test]
fn idle_connections_are_closed() {
    let intervals = ["1s", "2s", "3s"];
    let after = [0.75, 0.995, 1.0, 1.005, 1.995, 2.0, 2.995, 3.0];
    let peers: Vec<Peer> = after.iter().map(|_| Peer::start()).collect();
    // An account has one address, so that Replicate's models get the three in the middle by turns.
    let mut config = String::from("[defaults]\nactive = [\"always\"]\n");
    for (number, (peer, after)) in peers.iter().zip(after).enumerate() {
        peer.does(forgets_after(after));
        for interval in intervals {
            writeln!(
                config,
                "[models.cog-{number}-{interval}]\ncog = \"{}\"\ninterval = \"{interval}\"",
                peer.url()
            )
            .unwrap();
        }
    }
    let account = Peer::start();
    account.does(forgets_after(1.0));
    writeln!(config, "[replicate]\nbase_url = \"{}/v1\"", account.url()).unwrap();
    for interval in intervals {
        writeln!(config, "[models.replicate-{interval}]\nreplicate = \"acme/m\"\ninterval = \"{interval}\"")
            .unwrap();
    }
    let home = Home::at_trace(&config);
    let warmd = home.start();
    let all = |outcome: &str| -> Vec<u64> {
        let status = home.status();
        let models = status["models"].as_array().unwrap().iter();
        models.map(|model| model["counts"][outcome].as_u64().unwrap()).collect()
    };
    wait_until("each model is asked four times", PATIENCE, || all("warm").iter().all(|warm| *warm >= 4));
    for outcome in ["unreachable", "timed_out", "failed"] {
        assert!(all(outcome).iter().all(|count| *count == 0), "{outcome}: {:?}", all(outcome));
    }
    assert!(warmd.stop().success());
}

/// An address in brackets, and its port behind it.
#[test]
fn an_ipv6_literal() {
    let Ok(free) = std::net::TcpListener::bind("[::1]:0").map(|listener| listener.local_addr().unwrap())
    else {
        eprintln!("this machine has no IPv6: nothing was tested");
        return;
    };
    let peer = Peer::at(free);
    let home = Home::at_trace(&trial::config(&peer, &peer, "10s"));
    assert!(std::fs::read_to_string(home.config()).unwrap().contains("http://[::1]:"));
    let warmd = home.start();
    for name in SICK {
        home.model_when(name, "warm", |model: &Value| model["state"] == "warm");
    }
    assert!(warmd.stop().success());
}

fn gone() -> std::io::Error {
    std::io::ErrorKind::ConnectionAborted.into()
}

/// Has the connection end in a reset.
fn reset(connection: &TcpStream) {
    socket2::SockRef::from(connection).set_linger(Some(Duration::ZERO)).unwrap();
}

/// As many MiB as are taken.
fn spill(connection: &mut TcpStream, mib: usize) -> std::io::Result<Then> {
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..mib {
        connection.write_all(&chunk)?;
    }
    Ok(Then::Close)
}
