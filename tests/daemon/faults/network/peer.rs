//! A server on loopback that is a Cog server and Replicate's API at once: it answers well, until it is
//! told to do something else with whoever asks.

use chrono::SecondsFormat;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How the version of a model on Replicate begins whose name ends with `sick`.
const SICK_VERSION: &str = "dead";

/// A request, as far as the tests look at it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// `POST /predictions`.
    pub(crate) what: String,
    /// The value of `Authorization`.
    pub(crate) token: Option<String>,
    pub(crate) body: Value,
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

/// What a request is answered with, on its connection.
pub(crate) type Act = Arc<dyn Fn(&mut TcpStream, &Heard) -> io::Result<Then> + Send + Sync>;

/// The server.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    act: Mutex<Option<Act>>,
    heard: Mutex<Vec<Heard>>,
    connections: Mutex<HashMap<SocketAddr, TcpStream>>,
    closed: AtomicBool,
    /// Where it speaks TLS: its certificate and key.
    tls: Mutex<Option<Arc<ServerConfig>>>,
}

impl Peer {
    pub(crate) fn start() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into())
    }

    pub(crate) fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let shared = Arc::new(Shared {
            act: Mutex::default(),
            heard: Mutex::default(),
            connections: Mutex::default(),
            closed: AtomicBool::new(false),
            tls: Mutex::default(),
        });
        let address = listener.local_addr().unwrap();
        let accepting = Some(accept(listener, &shared));
        Self { address, shared, accepting }
    }

    /// From now on requests are dealt with so.
    pub(crate) fn does(
        &self,
        act: impl Fn(&mut TcpStream, &Heard) -> io::Result<Then> + Send + Sync + 'static,
    ) {
        *self.shared.act.lock().unwrap() = Some(Arc::new(act));
    }

    /// From now on requests are answered well; what hangs is cut off.
    pub(crate) fn is_well(&self) {
        *self.shared.act.lock().unwrap() = None;
        self.shared.hang_up();
    }

    /// From now on new connections are TLS.
    pub(crate) fn speaks_tls(&self, config: Arc<ServerConfig>) {
        *self.shared.tls.lock().unwrap() = Some(config);
        self.shared.hang_up();
    }

    /// Nobody listens here any more.
    pub(crate) fn close(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
        self.shared.hang_up();
    }

    /// Somebody listens again.
    pub(crate) fn reopen(&mut self) {
        self.shared.closed.store(false, Ordering::SeqCst);
        self.accepting = Some(accept(TcpListener::bind(self.address).unwrap(), &self.shared));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// How many predictions were asked for.
    pub(crate) fn predictions(&self) -> usize {
        self.heard().iter().filter(|heard| heard.is_create()).count()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if self.accepting.is_some() {
            self.close();
        }
    }
}

impl Shared {
    fn hang_up(&self) {
        for (_, connection) in self.connections.lock().unwrap().drain() {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    fn serve(&self, connection: &mut TcpStream) -> io::Result<()> {
        connection.set_nodelay(true)?;
        let tls = self.tls.lock().unwrap().clone();
        if let Some(config) = tls {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(session, connection);
            if let Some(heard) = read(&mut stream)? {
                self.heard.lock().unwrap().push(heard.clone());
                well_and_gone(&mut stream, &heard)?;
            }
            return Ok(());
        }
        loop {
            let heard = match read(connection) {
                Ok(Some(heard)) => heard,
                Ok(None) => break,
                // No text: as a server of HTTP answers to TLS.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    say(connection, 400, "", b"")?;
                    break;
                }
                Err(error) => return Err(error),
            };
            let act = self.act.lock().unwrap().clone();
            self.heard.lock().unwrap().push(heard.clone());
            let then = match act {
                Some(act) => act(connection, &heard)?,
                None => well(connection, &heard)?,
            };
            if then == Then::Close {
                break;
            }
        }
        Ok(())
    }
}

fn accept(listener: TcpListener, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        for mut connection in listener.incoming().map_while(Result::ok) {
            if shared.closed.load(Ordering::SeqCst) {
                return;
            }
            let (Ok(from), Ok(twin)) = (connection.peer_addr(), connection.try_clone()) else { continue };
            shared.connections.lock().unwrap().insert(from, twin);
            let shared = Arc::clone(&shared);
            // Ends when its connection does.
            std::thread::spawn(move || {
                let _ = shared.serve(&mut connection);
                shared.connections.lock().unwrap().remove(&from);
            });
        }
    })
}

/// Reads a request to its end; none where the connection is at its.
pub(crate) fn read(connection: &mut impl Read) -> io::Result<Option<Heard>> {
    // Nobody here asks before the answer has come: what is read ahead is of this request.
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let Some((what, _)) = first.trim_end().rsplit_once(' ') else { return Ok(None) };
    let (mut token, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => token = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Some(Heard { what: what.to_owned(), token, body }))
}

impl Heard {
    pub(crate) fn is_create(&self) -> bool {
        self.what.starts_with("POST ") && self.what.ends_with("/predictions")
    }

    /// Whether it is about a model on Replicate whose name ends with `sick`.
    pub(crate) fn is_about_the_sick(&self) -> bool {
        let version = self.body["version"].as_str().unwrap_or_default();
        self.what.ends_with("sick") || version.starts_with(SICK_VERSION)
    }

    /// What a server that is well answers.
    pub(crate) fn well(&self) -> (u16, Value) {
        let now = warmd::clock::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let setup = "2026-11-20T08:00:00.5+00:00";
        let body = match self.what.as_str() {
            "GET /health-check" => json!({
                "status": "READY",
                "setup": {"started_at": setup, "completed_at": setup, "status": "succeeded", "logs": ""},
            }),
            "POST /predictions" => {
                json!({"id": "p", "output": "hi", "status": "succeeded", "metrics": {"predict_time": 0.001}})
            }
            what if what.starts_with("GET /v1/models/") => json!({
                "visibility": "public",
                "is_official": false,
                "latest_version": {"id": version_of(what), "openapi_schema": schema(&json!({}))},
            }),
            what if what.starts_with("POST /v1/predictions") || what.starts_with("GET /v1/predictions/") => {
                json!({
                    "id": "p1", "status": "succeeded", "output": "hi", "error": null, "created_at": now,
                    "started_at": now, "completed_at": now, "metrics": {"predict_time": 0.001},
                })
            }
            _ => return (404, json!({"detail": "Not Found"})),
        };
        (200, body)
    }
}

/// The version of the model that a call names, so that its creates can be told from another's.
fn version_of(what: &str) -> String {
    if what.ends_with("sick") { SICK_VERSION.repeat(16) } else { "5c7d".repeat(16) }
}

/// An `OpenAPI` document whose Input has these properties.
pub(crate) fn schema(properties: &Value) -> Value {
    json!({"components": {"schemas": {"Input": {"type": "object", "properties": properties}}}})
}

/// Answers as a server that is well.
pub(crate) fn well(connection: &mut impl Write, heard: &Heard) -> io::Result<Then> {
    let (status, body) = heard.well();
    say(connection, status, "", body.to_string().as_bytes())
}

/// Answers well, and lets go of the connection.
pub(crate) fn well_and_gone(connection: &mut impl Write, heard: &Heard) -> io::Result<Then> {
    let (status, body) = heard.well();
    say(connection, status, "connection: close\r\n", body.to_string().as_bytes())?;
    Ok(Then::Close)
}

/// A plain answer; `headers` are whole lines.
pub(crate) fn say(connection: &mut impl Write, status: u16, headers: &str, body: &[u8]) -> io::Result<Then> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\n\r\n");
    connection.write_all(&[head.as_bytes(), body].concat())?;
    Ok(Then::Keep)
}

/// Says nothing until the other end gives up.
pub(crate) fn hang(connection: &mut TcpStream) -> io::Result<Then> {
    io::copy(connection, &mut io::sink())?;
    Ok(Then::Close)
}

/// A pause of a scripted server; cut short by nothing, so that it is kept short.
pub(crate) fn pause(seconds: f64) {
    std::thread::sleep(Duration::from_secs_f64(seconds));
}
