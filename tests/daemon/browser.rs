//! A real Chromium without a screen, driven by way of `chromedriver`.

use crate::support::{PATIENCE, text, wait_until};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How it is started: with nothing that asks anybody for anything by itself, and also as root.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
];

/// A browser with one window and a profile of its own, ended with the test.
pub(crate) struct Browser {
    driver: Driver,
    session: String,
    _profile: TempDir,
}

/// A `chromedriver`, and where it is asked.
struct Driver {
    child: Child,
    address: SocketAddr,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let driver = Driver::start();
        let profile = tempfile::tempdir().unwrap();
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } });
        let answer = driver.call("POST", "/session", &wanted);
        let session = answer["sessionId"].as_str().unwrap().to_owned();
        Self { driver, session, _profile: profile }
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        self.driver.call("POST", &format!("/session/{}/{command}", self.session), body)
    }

    /// Opens a page, and waits for all of it.
    pub(crate) fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// What a function's body returns within the page.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until an expression is true within the page.
    pub(crate) fn wait_for(&self, what: &str, expression: &str) {
        wait_until(what, PATIENCE, || {
            self.run(&format!("return Boolean({expression})")) == Value::Bool(true)
        });
    }

    /// A command of the browser's own protocol.
    fn command(&self, command: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Presses a key.
    pub(crate) fn press(&self, key: &str) {
        let code = ["Tab", "ArrowLeft", "ArrowRight"].iter().zip([9, 37, 39]).find(|(name, _)| **name == key);
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code.unwrap().1 });
            self.command("Input.dispatchKeyEvent", &event);
        }
    }

    /// Moves the pointer there.
    pub(crate) fn point(&self, x: f64, y: f64) {
        self.command("Input.dispatchMouseEvent", &json!({ "type": "mouseMoved", "x": x, "y": y }));
    }

    /// A window so wide, of a reader who likes it `light` or `dark`.
    pub(crate) fn look(&self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.command("Emulation.setDeviceMetricsOverride", &size);
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.command("Emulation.setEmulatedMedia", &media);
    }

    /// Whether pages run scripts from now on.
    pub(crate) fn scripts(&self, run: bool) {
        self.command("Emulation.setScriptExecutionDisabled", &json!({ "value": !run }));
    }

    /// A picture of the whole page, as PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let picture = self.command("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }));
        BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// What was written to the console since the last call.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "browser" }));
        entries.as_array().unwrap().iter().map(Value::to_string).collect()
    }

    /// The addresses that were asked for since the last call.
    pub(crate) fn requests(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "performance" }));
        let request = |entry: &Value| {
            let entry: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &entry["message"];
            let sent = message["method"] == "Network.requestWillBeSent";
            sent.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        };
        entries.as_array().unwrap().iter().filter_map(request).collect()
    }
}

impl Driver {
    fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}; on Debian it is in chromium-driver"));
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "chromedriver has ended");
            if let Some((_, port)) = line.trim_end().rsplit_once("started successfully on port ") {
                break port.trim_end_matches('.').parse().unwrap();
            }
        };
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, address: (Ipv4Addr::LOCALHOST, port).into() }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (mut stream, body) = (TcpStream::connect(self.address).unwrap(), body.to_string());
        stream.set_read_timeout(Some(PATIENCE * 2)).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes()).unwrap();
        // As long as it says: the browser inherits the connection that it is started over, and keeps it open.
        let mut answer = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let read = answer.read_line(&mut head).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
            assert!(read > 0, "{method} {path}: {head}");
            let line = head.lines().last().unwrap_or_default().to_lowercase();
            length =
                line.strip_prefix("content-length:").map_or(length, |value| value.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).unwrap();
        let body = text(&body);
        let value: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {value}");
        value["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser with the session; one that hangs is not waited for.
        if let Ok(mut stream) = TcpStream::connect(self.driver.address) {
            let path = format!("/session/{}", self.session);
            let end = format!("DELETE {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let _ = stream.write_all(end.as_bytes()).and_then(|()| stream.read(&mut [0]));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
