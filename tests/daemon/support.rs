//! A daemon of the test's own: its folder, its process, and `warmctl` to talk to it.
//!
//! Every daemon has the token [`TOKEN`], and wherever it could have left it or another secret, it is looked for: in
//! what it logged, in its command line, in each answer to `warmctl`, and in every file of its folder.

use crate::leak;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use warmd::clock::Stopwatch;

/// How long anything may take that happens at once: the machine may be very busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A file that holds it on purpose has a name that begins with `token`.
pub(crate) use crate::leak::TOKEN;

/// A folder with a `warm.toml`, a state and a socket of its own.
pub(crate) struct Home {
    folder: TempDir,
    /// `RUST_LOG`; none where `-v` is enough.
    filter: Option<&'static str>,
}

/// A running `warmd`, ended with the test.
pub(crate) struct Warmd {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Home {
    /// One whose file has these models, and a `[daemon]` that keeps to the folder.
    pub(crate) fn new(models: &str) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap(), filter: None };
        home.write(models);
        home
    }

    /// As [`Self::new`], everything logged that there is, the libraries' too: for the tests of faults.
    pub(crate) fn at_trace(models: &str) -> Self {
        let mut home = Self::new(models);
        home.filter = Some("trace");
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("warm.toml")
    }

    /// Writes the file anew, as an editor does: beside it, then in its place.
    pub(crate) fn write(&self, models: &str) {
        let text = format!(
            "[daemon]\nstate = \"{}\"\nsocket = \"{}\"\nlisten = \"off\"\nshutdown_grace = \"5s\"\n\n{models}",
            self.path("warmd.db").display(),
            self.path("warmd.sock").display()
        );
        self.write_whole(&text);
    }

    pub(crate) fn write_whole(&self, text: &str) {
        let beside = self.path("warm.toml.new");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, self.config()).unwrap();
    }

    /// A program with the environment of a user who has set nothing.
    pub(crate) fn program(&self, path: &str) -> Command {
        let mut command = Command::new(path);
        for name in [
            "REPLICATE_API_TOKEN",
            "REPLICATE_BASE_URL",
            "WARMD_CONFIG",
            "WARMD_SOCKET",
            "STATE_DIRECTORY",
            "RUNTIME_DIRECTORY",
            "CREDENTIALS_DIRECTORY",
            "XDG_RUNTIME_DIR",
            "NOTIFY_SOCKET",
            "RUST_LOG",
        ] {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path());
        command
    }

    /// `warmd` on this home's file, logging JSON with a line a heartbeat.
    pub(crate) fn warmd(&self) -> Command {
        self.warmd_on(&self.config())
    }

    /// As [`Self::warmd`], on another file.
    pub(crate) fn warmd_on(&self, config: &Path) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_warmd"));
        command.args(["--log-format", "json", "-v", "--config"]).arg(config);
        command.env("REPLICATE_API_TOKEN", TOKEN);
        if let Some(filter) = self.filter {
            command.env("RUST_LOG", filter);
        }
        command
    }

    /// `warmd` as another program starts it.
    pub(crate) fn warmd_by(&self, starter: &str, arguments: &[&str]) -> Command {
        let (warmd, mut command) = (self.warmd(), self.program(starter));
        command.args(arguments).arg(warmd.get_program()).args(warmd.get_args());
        command.envs(warmd.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&self) -> Warmd {
        let warmd = Warmd::spawn(self.warmd());
        wait_until("the daemon answers", PATIENCE, || self.ctl(&["status", "--json"]).status.success());
        warmd
    }

    /// Runs `warmctl` to its end.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = self.program(env!("CARGO_BIN_EXE_warmctl"));
        command.arg("--socket").arg(self.path("warmd.sock")).arg("--config").arg(self.config());
        let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        for said in [&output.stdout, &output.stderr] {
            assert_eq!(leak::found(said), None, "warmctl {arguments:?} shows it: {}", text(said));
        }
        output
    }

    /// What a verb says as JSON; it must have succeeded.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ctl(&[arguments, &["--json"]].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: no JSON; {error}"))
    }

    pub(crate) fn status(&self) -> Value {
        self.json(&["status"])
    }

    /// One model's part of the status.
    pub(crate) fn model(&self, name: &str) -> Value {
        model_of(&self.status(), name)
    }

    /// Waits until a model's part of the status is as asked for, and gives it.
    /// The states that a model came into, one after the other.
    pub(crate) fn states(&self, name: &str) -> Vec<String> {
        let history = self.json(&["history", name]);
        let changes = history["events"].as_array().unwrap().iter().filter(|event| event["event"] == "state");
        changes.map(|event| event["to"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn model_when(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait_until(&format!("{name}: {what}"), PATIENCE, || {
            last = self.model(name);
            is(&last)
        });
        last
    }
}

impl Warmd {
    /// Starts the command, its log read as it comes.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (log.clone(), child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        Self { child, log, reader: Some(reader) }
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits until a line of its log has all of these words: it comes through a pipe of its own, later than
    /// an answer that was given after it.
    pub(crate) fn tells(&self, words: &[&str]) {
        wait_until(&format!("the log tells {words:?}"), PATIENCE, || {
            self.log().iter().any(|line| words.iter().all(|word| line.contains(word)))
        });
    }

    /// What was logged about one model.
    fn events(&self, model: &str) -> Vec<Value> {
        let events = self.log().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
        events.filter(|event| event["model"] == model).collect()
    }

    /// The totals of one model's warm answers, in seconds, as they were measured.
    pub(crate) fn totals(&self, model: &str) -> Vec<f64> {
        let events = self.events(model);
        events
            .iter()
            .filter(|event| event["outcome"] == "warm")
            .filter_map(|event| event["total"].as_f64())
            .collect()
    }

    /// The outcomes of one model's heartbeats that were sent, as they were logged.
    pub(crate) fn outcomes(&self, model: &str) -> Vec<String> {
        self.events(model)
            .iter()
            .filter_map(|event| event["outcome"].as_str().map(str::to_owned))
            .filter(|outcome| outcome != "skipped")
            .collect()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, and until its whole log is read.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the daemon ends", PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status.unwrap()
    }

    /// As [`Self::ended`], where nobody wants its log.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.ended()
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    /// SIGKILL.
    pub(crate) fn kill(self) {
        self.signal("-KILL");
        self.wait();
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let told = told_in(self.folder.path());
            assert!(told.is_empty(), "the token is in {told:?}");
        }
    }
}

impl Drop for Warmd {
    fn drop(&mut self) {
        let words = fs::read(format!("/proc/{}/cmdline", self.child.id())).unwrap_or_default();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail = &log[log.len().saturating_sub(40)..];
            eprintln!("--- the daemon's log:\n{}", tail.join("\n"));
            return;
        }
        assert_eq!(leak::found(&words), None, "it is in the list of processes");
        for line in self.log() {
            assert_eq!(leak::found(line.as_bytes()), None, "it is logged: {line}");
        }
    }
}

/// The files that hold a secret, but for those that are there to hold it.
pub(crate) fn told_in(folder: &Path) -> Vec<PathBuf> {
    let mut told = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().map_while(Result::ok) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            told.extend(told_in(&path));
        } else if kind.is_file()
            && !entry.file_name().to_string_lossy().starts_with("token")
            && leak::found(&fs::read(&path).unwrap_or_default()).is_some()
        {
            told.push(path);
        }
    }
    told
}

/// Waits until `is`; says what it waited for where that never comes.
pub(crate) fn wait_until(what: &str, patience: Duration, mut is: impl FnMut() -> bool) {
    let watch = Stopwatch::start();
    while !is() {
        assert!(watch.elapsed() < patience, "waited {patience:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn model_of(status: &Value, name: &str) -> Value {
    let models = status["models"].as_array().unwrap();
    models.iter().find(|model| model["name"] == name).cloned().unwrap_or(Value::Null)
}

/// Copies a program. Another process writes it: what this one has open for writing, a test beside may have
/// inherited into a process of its own just then, and nobody could run it meanwhile.
pub(crate) fn copy_program(from: &str, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
