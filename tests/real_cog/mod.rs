//! Real Cog servers from the package index, installed once under `target/cog/`, started on free loopback ports
//! and killed, with all their children, when the test lets go of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "shared by several test programs, each of which uses a part")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything is waited for: the machine may be busy with compiling.
const PATIENCE: Duration = Duration::from_mins(1);

/// The first of the ports that are tried. They lie below those that Linux gives to clients, so
/// that no connection takes the port of a server that is down between two starts.
const FIRST_PORT: u16 = 20_000;

/// How many there are.
const PORTS: u16 = 12_000;

const MODEL: &str = include_str!("predict.py");
const INPUTS: &str = include_str!("inputs.py");
const SCHEMA: &str = include_str!("openapi_schema.json");

/// A release of Cog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release(pub &'static str);

pub const COG_0_9: Release = Release("0.9.26");
pub const COG_0_14: Release = Release("0.14.12");
pub const COG_0_16: Release = Release("0.16.12");
pub const COG_0_23: Release = Release("0.23.1");

/// How a server is to be started.
#[derive(Debug, Clone)]
pub struct Setup {
    pub release: Release,
    /// How long the setup takes.
    pub seconds: f64,
    /// With what it fails.
    pub fails: Option<&'static str>,
    /// Whether the image has a schema; versions up to 0.16 make their own.
    pub has_schema: bool,
    /// Where its predictor is: a file and a class.
    pub predictor: String,
}

impl Setup {
    pub fn of(release: Release) -> Self {
        Self {
            release,
            seconds: 0.0,
            fails: None,
            has_schema: true,
            predictor: "predict.py:Predictor".to_owned(),
        }
    }

    /// A model of `inputs.py`.
    pub fn serving(release: Release, model: &str) -> Self {
        Self { predictor: format!("inputs.py:{model}"), ..Self::of(release) }
    }

    pub fn taking(self, seconds: f64) -> Self {
        Self { seconds, ..self }
    }

    pub fn failing_with(self, why: &'static str) -> Self {
        Self { fails: Some(why), ..self }
    }

    pub fn without_schema(self) -> Self {
        Self { has_schema: false, ..self }
    }

    /// Starts it; returns as soon as it listens.
    pub fn start(self) -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("predict.py"), MODEL).unwrap();
        fs::write(folder.path().join("inputs.py"), INPUTS).unwrap();
        fs::write(folder.path().join("cog.yaml"), format!("predict: \"{}\"\n", self.predictor)).unwrap();
        if self.has_schema {
            fs::create_dir(folder.path().join(".cog")).unwrap();
            fs::write(folder.path().join(".cog/openapi_schema.json"), self.schema(folder.path())).unwrap();
        }
        let mut server = Server { setup: self, folder, port: free_port(), process: None };
        server.start();
        server
    }

    /// The schema in its image: versions up to 0.16 make their own, and one for those that don't.
    fn schema(&self, folder: &Path) -> Vec<u8> {
        if self.release != COG_0_23 || self.predictor.starts_with("predict.py") {
            return SCHEMA.as_bytes().to_vec();
        }
        let python = installed(COG_0_16).join("bin/python");
        let made = Command::new(python)
            .args(["-m", "cog.command.openapi_schema"])
            .current_dir(folder)
            .output()
            .expect("the environment's own python starts");
        check(&made, "cog makes no schema");
        made.stdout
    }

    /// Starts it, and waits until it is ready.
    pub fn start_ready(self) -> Server {
        let server = self.start();
        server.wait_for("READY");
        server
    }
}

/// A server, up or down.
#[derive(Debug)]
pub struct Server {
    setup: Setup,
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl Server {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it (again); returns as soon as it listens.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the server is up");
        let environment = installed(self.setup.release);
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        // The shell outlives the server and ends with the test, however that ends: when its
        // standard input closes, it takes its whole process group down. coglet starts a bare
        // `python` for its worker, hence the PATH.
        command
            .args(["-c", r#"exec 3<&0; "$@" </dev/null & read -r _ <&3; kill -9 0"#, "sh"])
            .args(["python", "-m", "cog.server.http", "--host", "127.0.0.1"])
            .env("PATH", format!("{}:{path}", environment.join("bin").display()))
            .env("PORT", self.port.to_string())
            .env("COG_PREDICT_TYPE_STUB", &self.setup.predictor)
            .env("SETUP_SECONDS", self.setup.seconds.to_string())
            .current_dir(self.folder.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(File::create(self.folder.path().join("stdout")).unwrap())
            .stderr(File::create(self.folder.path().join("stderr")).unwrap());
        if let Some(why) = self.setup.fails {
            command.env("SETUP_FAILS", why);
        }
        self.process = Some(command.spawn().expect("sh starts"));
        self.until("listens", || self.connect().is_some());
    }

    /// Kills it, with its worker; returns when nothing listens any more.
    pub fn kill(&mut self) {
        self.end();
        self.until("is gone", || self.connect().is_none());
    }

    /// Waits until the health check says so.
    pub fn wait_for(&self, state: &str) {
        let wanted = format!("\"status\":\"{state}\"");
        self.until(state, || self.get("/health-check").is_some_and(|said| said.contains(&wanted)));
    }

    /// How many predictions have run, or begun to.
    pub fn predictions(&self) -> usize {
        fs::read_to_string(self.folder.path().join("predictions")).map_or(0, |ran| ran.lines().count())
    }

    /// The inputs of its predictions, in order, of a model of `inputs.py`.
    pub fn inputs(&self) -> Vec<serde_json::Value> {
        let ran = fs::read_to_string(self.folder.path().join("predictions")).unwrap_or_default();
        ran.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Waits until a prediction runs, without asking the server, which may not answer then.
    pub fn wait_for_prediction(&self) {
        self.until("predicts", || self.predictions() > 0);
    }

    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let step = Duration::from_millis(20);
        let mut left = PATIENCE.as_millis() / step.as_millis();
        while !done() {
            left -= 1;
            assert!(left > 0, "cog {} never {what}: {}", self.setup.release.0, self.log());
            thread::sleep(step);
        }
    }

    fn log(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        format!("{}\n{}", read("stdout"), read("stderr"))
    }

    fn connect(&self) -> Option<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()
    }

    /// What the health check says of the setup, times and all.
    pub fn health(&self) -> serde_json::Value {
        let answer = self.get("/health-check").expect("it is up");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"))
    }

    /// A prediction of another client's that takes so long: the whole answer.
    pub fn predict_for(&self, seconds: f64) -> String {
        let body = format!("{{\"input\":{{\"prompt\":\"theirs\",\"seconds\":{seconds}}}}}");
        let more = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        self.ask("POST /predictions", &more, &body).expect("it is up")
    }

    /// A plain GET, which needs no runtime.
    fn get(&self, path: &str) -> Option<String> {
        self.ask(&format!("GET {path}"), "", "")
    }

    fn ask(&self, what: &str, headers: &str, body: &str) -> Option<String> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request =
            format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n{body}");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.stdin.take());
            // The shell kills itself with its group: that it ended is all there is to know.
            let _ = process.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// The virtual environment with a release in it, made where it isn't there yet. Several tests,
/// also of several processes, may want it at once: the first makes it, the others wait.
pub fn installed(release: Release) -> PathBuf {
    let Release(version) = release;
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in target/").join("cog");
    fs::create_dir_all(&root).expect("target/ can be written");
    let lock = File::create(root.join(format!("{version}.lock"))).expect("target/ can be written");
    lock.lock().expect("files can be locked");
    let environment = root.join(version);
    let complete = environment.join("complete");
    if !complete.exists() {
        // What is there was left half made.
        let _ = fs::remove_dir_all(&environment);
        install(version, &environment);
        fs::write(complete, "").unwrap();
    }
    environment
}

fn install(version: &str, environment: &Path) {
    let made = Command::new("python3").args(["-m", "venv"]).arg(environment).output();
    let made = made.unwrap_or_else(|error| {
        panic!("python3 does not start ({error}): the tests run real Cog servers; install python3 and python3-venv")
    });
    check(&made, "python3 makes no virtual environment: install python3-venv");
    // cog up to 0.16 imports pkg_resources, which setuptools 81 has no more.
    let packages = [format!("cog=={version}"), "setuptools<81".to_owned()];
    let pip = Command::new(environment.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(packages)
        .output();
    check(
        &pip.expect("the environment's own python starts"),
        "pip does not install cog: is a package index within reach, and is pip there (python3-venv)?",
    );
}

fn check(output: &Output, otherwise: &str) {
    assert!(
        output.status.success(),
        "{otherwise}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A port that nothing listens on, and that no other test of this process is given.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % u32::from(PORTS)) as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % PORTS;
        let port = FIRST_PORT + (start + step) % PORTS;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
