//! What people use otherwise, where it is installed: `blackbox_exporter`, and curl in a loop of the shell.

use crate::bare;
use crate::process::{Core, Owned, ended_children};
use crate::sandbox::StandIn;
use crate::way::{Provider, Setting};
use anyhow::{Result, ensure};
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use warmd::clock::Stopwatch;

/// Its names: Debian's, and its own.
const EXPORTERS: [&str; 2] = ["prometheus-blackbox-exporter", "blackbox_exporter"];

/// Where it is unpacked by who doesn't want it to be started as a service.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/blackbox/usr/bin");

/// How it is come by.
pub(crate) const INSTALL: &str = "blackbox_exporter is not here, and so left out: `apt install prometheus-blackbox-exporter`, \
     or, not to have it run as a service, `apt download` it and `dpkg-deb -x` it to target/tools/blackbox";

/// Heartbeats by curl: each is two processes.
const CURLS: usize = 50;

/// How long anything may take that happens at once.
const PATIENCE: Duration = Duration::from_secs(10);

fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push(UNPACKED.into());
    folders
        .iter()
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file())
}

pub(crate) fn exporter() -> Option<PathBuf> {
    on_path(&EXPORTERS)
}

/// `blackbox_exporter` at work. A probe is one POST, where a heartbeat makes two calls.
pub(crate) struct Probing {
    /// Ended before what it drives.
    driver: Owned,
    pub(crate) exporter: Owned,
    pub(crate) sandbox: StandIn,
    _modules: TempDir,
}

/// Starts it on the measured core, driven at a setting's rate; none where it isn't installed.
pub(crate) fn blackbox(setting: &Setting) -> Result<Option<Probing>> {
    let Some(program) = exporter() else { return Ok(None) };
    let sandbox = StandIn::start(setting)?;
    let folder = tempfile::tempdir()?;
    let modules = folder.path().join("blackbox.yml");
    let mut body = serde_json::json!({"input": {"prompt": "hello", "max_tokens": 1}});
    if setting.provider == Provider::Replicate {
        body["version"] = format!("acme/{}:{:064x}", Setting::name(0), 0).into();
    }
    // JSON is YAML.
    let module = serde_json::json!({"modules": {"beat": {"prober": "http", "timeout": "5s", "http": {
        "method": "POST", "body": body.to_string(), "preferred_ip_protocol": "ip4",
        "headers": {"Content-Type": "application/json", "Prefer": "wait=10",
                    "Authorization": "Bearer r8_benchmark"},
        "tls_config": {"insecure_skip_verify": true},
    }}}});
    fs::write(&modules, module.to_string())?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = Command::new(program);
    command.arg(format!("--config.file={}", modules.display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let exporter = Core::Measured.start(&mut command)?;
    let watch = Stopwatch::start();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        ensure!(watch.elapsed() < PATIENCE, "blackbox_exporter does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    let probe = format!("http://127.0.0.1:{port}/probe?module=beat&target=");
    let driver = bare::start(setting, &sandbox, Some(probe), Core::Others)?;
    Ok(Some(Probing { driver, exporter, sandbox, _modules: folder }))
}

impl Probing {
    /// An error where it is not driven any more.
    pub(crate) fn is_driven(&mut self) -> Result<()> {
        ensure!(self.driver.0.try_wait()?.is_none(), "what drives blackbox_exporter ended");
        Ok(())
    }
}

/// CPU of a heartbeat's calls by curl from a shell, in microseconds, the shell's own included; none where
/// there is no curl. Fewer of them, one after the other: what one takes does not depend on how many follow.
pub(crate) fn curl(setting: &Setting) -> Result<Option<f64>> {
    if on_path(&["curl"]).is_none() {
        return Ok(None);
    }
    let sandbox = StandIn::start(setting)?;
    let call = "curl -sSfk -H 'authorization: Bearer r8_benchmark' -H 'content-type: application/json'";
    let beat = match setting.provider {
        Provider::Replicate => {
            let base = &sandbox.place.base_url;
            let body = format!("{{\"version\":\"acme/{}:{:064x}\",\"input\":{{}}}}", Setting::name(0), 0);
            format!(
                "id=$({call} -H 'prefer: wait=10' -d '{body}' {base}/predictions) && id=${{id#*\\\"id\\\":\\\"}} && \
                 {call} {base}/predictions/${{id%%\\\"*}} >/dev/null"
            )
        }
        Provider::Cog => {
            let url = &sandbox.place.cogs[0];
            format!("{call} {url}/health-check >/dev/null && {call} -d '{{}}' {url}/predictions >/dev/null")
        }
    };
    let script = format!("n=0; while [ $n -lt {CURLS} ]; do {beat} || exit 1; n=$((n+1)); done");
    let before = ended_children()?;
    let mut shell = Core::Measured.start(Command::new("sh").args(["-c", &script]).stdin(Stdio::null()))?;
    ensure!(shell.0.wait()?.success(), "curl failed");
    Ok(Some(ended_children()?.saturating_sub(before).as_secs_f64() * 1e6 / CURLS as f64))
}
