//! The sandbox in a process of its own, `warmctl sandbox`, and what it truly saw.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

pub(super) struct StandIn {
    child: Child,
    pub(super) base_url: String,
    pub(super) cogs: Vec<String>,
    /// The ids of predictions seen, by what was asked for them.
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl StandIn {
    /// Models on Replicate as many as are asked for, and so many Cog servers: warm after some seconds, and
    /// from then on fast enough for a heartbeat a second.
    pub(super) fn start(cogs: usize) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_warmctl"))
            .args(["sandbox", "--listen", "127.0.0.1:0", "--models", "1", "--expose-truth"])
            .args(["--boot", "3s..4s", "--warm", "5ms..50ms", "--predict", "20ms..100ms"])
            .args(["--cog", &cogs.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut told = |key: &str| {
            let line = lines.find(|line| line.starts_with(key)).unwrap();
            line.split('"').nth(1).unwrap().to_owned()
        };
        let base_url = told("base_url = ");
        let cogs = (0..cogs).map(|_| told("cog = ")).collect();
        Self { child, base_url, cogs, seen: BTreeMap::new() }
    }

    /// Takes in what was seen since it last did; the sandbox does not keep it for ever.
    pub(super) fn count(&mut self) {
        let replicate = self.base_url.trim_end_matches("/v1").to_owned();
        for origin in std::iter::once(&replicate).chain(&self.cogs) {
            for prediction in truth(origin)["predictions"].as_array().unwrap() {
                let [model, id] = ["model", "id"].map(|key| prediction[key].as_str().unwrap().to_owned());
                self.seen.entry(model).or_default().insert(id);
            }
        }
    }

    /// How many predictions it saw, by what was asked for them: a model's name, or a Cog server's URL.
    pub(super) fn seen(&self) -> BTreeMap<String, u64> {
        self.seen.iter().map(|(model, ids)| (model.clone(), ids.len() as u64)).collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn truth(origin: &str) -> Value {
    let host = origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /sandbox/truth HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap() + 4;
    serde_json::from_slice(&answer[body..]).unwrap()
}
