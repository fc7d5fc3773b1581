//! The token is nowhere that the daemon writes, and goes nowhere in the clear.
//!
//! Every test of this suite looks for it when its daemon has ended; here is what shows that the look
//! itself finds it, and what tempts the daemon most.

mod repeated;
mod rotated;
#[path = "../../config/secrets.rs"]
mod table;

use super::listener::{through, under};
use crate::sandboxed::{Replicate, brisk};
use crate::support::{Home, PATIENCE, TOKEN, Warmd, text, told_in, wait_until};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use table::{GOOD, KEYS, SECRETS};

const GONE: &str = "[models.gone]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"1s\"\n";

#[test]
fn the_look_for_the_token_would_find_it() {
    let home = Home::at_trace(GONE);
    let file = home.path("folder/dump");
    fs::create_dir(home.path("folder")).unwrap();
    fs::write(&file, format!("\0\0{TOKEN}\0")).unwrap();
    fs::write(home.path("token"), TOKEN).unwrap();
    assert_eq!(told_in(&home.path("")), std::slice::from_ref(&file));
    fs::remove_file(file).unwrap();
}

/// The core files in a home's folder, where the system puts them into the working directory.
fn cores(home: &Home) -> Vec<String> {
    let names = fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with("core")).collect()
}

#[test]
fn no_crash_leaves_a_core_file() {
    let home = Home::at_trace(GONE);
    let unlimited = "ulimit -c unlimited 2>/dev/null || ulimit -c $(ulimit -H -c)";
    let mut sleep = home.program("sleep");
    sleep.arg("60").env("REPLICATE_API_TOKEN", TOKEN);
    let mut control = through(unlimited, &sleep).spawn().unwrap();
    wait_until("it sleeps", PATIENCE, || {
        fs::read_to_string(format!("/proc/{}/comm", control.id())).unwrap().trim() == "sleep"
    });
    Command::new("kill").args(["-SEGV", &control.id().to_string()]).status().unwrap();
    let dumped = control.wait().unwrap().core_dumped();
    println!("measured: another program leaves a core file here: {dumped}");
    for core in cores(&home) {
        assert!(told_in(&home.path("")).contains(&home.path(&core)), "and the token is in it");
        fs::remove_file(home.path(&core)).unwrap();
    }
    for signal in ["-ABRT", "-SEGV", "-QUIT"] {
        let mut warmd = Warmd::spawn(through(unlimited, &home.warmd()));
        wait_until("it answers", PATIENCE, || home.ctl(&["status"]).status.success());
        // Rust's own handler lets the first SIGSEGV that comes from outside pass, and two that come at once
        // are one.
        wait_until("it ends", PATIENCE, || {
            warmd.signal(signal);
            !warmd.is_running()
        });
        let status = warmd.wait();
        assert!(status.signal().is_some() && !status.core_dumped(), "{signal}: {status}");
        assert_eq!(cores(&home), [""; 0], "{signal}");
    }
}

/// Starts what it is given, and a program with the same environment for a control; once told to go on,
/// tells which of their secrets it can open, as another process of the same user without any privilege.
const PRY: &str = r#"
    "$0" "$@" 2>log & daemon=$!
    sleep 120 & control=$!
    for wait in $(seq 600); do [ -e go ] && break; sleep 0.1; done
    for process in control daemon; do
        eval "id=\$$process"
        for secret in environ mem maps; do
            true <"/proc/$id/$secret" && echo "$process $secret"
        done
    done 2>/dev/null >opened
    mv opened told
    kill $daemon $control
    wait
"#;

#[test]
fn no_other_process_of_its_user_reads_its_memory_or_its_environment() {
    let home = Home::at_trace(GONE);
    let unprivileged = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "sh", "-c", PRY];
    let mut command = under(&unprivileged, &home.warmd());
    command.stdin(Stdio::null());
    let mut prying = command.spawn().unwrap();
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    fs::write(home.path("go"), "").unwrap();
    wait_until("it has been tried", PATIENCE, || home.path("told").exists());
    assert!(prying.wait().unwrap().code().is_some());
    let told = fs::read_to_string(home.path("told")).unwrap();
    assert!(told.contains("control environ") && told.contains("control maps"), "what can be opened: {told}");
    assert!(!told.contains("daemon"), "what can be opened: {told}");
}

/// Bytes that come to an address, as they come; nobody answers them.
struct Recorder {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Recorder {
    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let recorder = Self { address: listener.local_addr().unwrap(), heard: heard.clone() };
        // Ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut buffer = [0; 4096];
                let length = stream.read(&mut buffer).unwrap_or_default();
                heard.lock().unwrap().extend_from_slice(&buffer[..length]);
                let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
            }
        });
        recorder
    }

    fn heard(&self) -> String {
        text(&self.heard.lock().unwrap())
    }
}

#[test]
fn no_proxy_gets_what_is_for_this_machine() {
    let proxy = Recorder::at("127.0.0.1:0".parse().unwrap());
    let replicate = Replicate::of_models(1, &brisk());
    let elsewhere = "[models.elsewhere]\ncog = \"http://gpu-box.invalid:5000\"\nactive = [\"always\"]\n";
    let home = Home::at_trace(&format!("{}\n{elsewhere}", replicate.config(1, "3s")));
    let mut command = home.warmd();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, format!("http://{}", proxy.address));
    }
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        command.env_remove(name);
    }
    let warmd = Warmd::spawn(command);
    wait_until("it answers", PATIENCE, || home.ctl(&["status"]).status.success());
    home.model_when("model-00", "warm", |model| model["state"] == "warm");
    wait_until("the proxy is asked for what is elsewhere", PATIENCE, || {
        proxy.heard().contains("http://gpu-box.invalid:5000/")
    });
    assert!(!proxy.heard().contains("127.0.0.1") && !proxy.heard().contains(TOKEN), "{}", proxy.heard());
    assert!(warmd.stop().success());
}

#[test]
fn localhost_is_this_machine_whatever_the_resolver_says() {
    let replicate = Replicate::of_models(1, &brisk());
    let config = replicate.config(1, "3s");
    let port = config.split_once("127.0.0.1:").unwrap().1.split_once('/').unwrap().0.to_owned();
    let thief = Recorder::at(format!("127.0.0.2:{port}").parse().unwrap());
    let home = Home::at_trace(&config.replace("127.0.0.1", "localhost"));
    fs::write(home.path("hosts"), "127.0.0.2 localhost\n").unwrap();
    let bound = through("mount --bind hosts /etc/hosts && getent hosts localhost >resolved", &home.warmd());
    let warmd = Warmd::spawn(under(&["unshare", "--user", "--map-root-user", "--mount"], &bound));
    wait_until("it answers", PATIENCE, || home.ctl(&["status"]).status.success());
    assert!(fs::read_to_string(home.path("resolved")).unwrap().starts_with("127.0.0.2 "));
    home.model_when("model-00", "warm", |model| model["state"] == "warm");
    assert_eq!(thief.heard(), "");
    assert!(warmd.stop().success());
}

#[test]
fn a_token_for_replicate_goes_in_the_clear_to_this_machine_alone() {
    let model = "[models.llama]\nreplicate = \"acme/llama\"\nactive = [\"always\"]\n";
    let ends = |home: &Home, variable: Option<&str>| {
        let mut command = home.program("timeout");
        command.args(["--kill-after=5", "30", env!("CARGO_BIN_EXE_warmd"), "--config"]).arg(home.config());
        command.env("REPLICATE_API_TOKEN", TOKEN).env("RUST_LOG", "trace");
        if let Some(url) = variable {
            command.env("REPLICATE_BASE_URL", url);
        }
        let output = command.output().unwrap();
        let told = text(&output.stderr);
        assert!(!told.contains(TOKEN) && !told.contains("hush"), "{told}");
        (output.status.code(), told)
    };
    for url in [
        "http://api.replicate.com",
        "http://192.0.2.1:8080",
        "http://0.0.0.0:8080",
        "http://[::]:8080",
        "http://localhost.evil.example",
        "http://127.0.0.1.nip.io",
        "http://replicate.localhost",
    ] {
        let home = Home::at_trace(&format!("[replicate]\nbase_url = \"{url}/v1\"\n{model}"));
        let (code, told) = ends(&home, None);
        assert!(code == Some(78) && told.contains("the token would travel in the clear"), "{url}: {told}");
        assert!(told.contains("warm.toml:8:1"), "{url}: {told}");
        let home = Home::at_trace(model);
        let (code, told) = ends(&home, Some(url));
        assert!(code == Some(78) && told.contains("the token would travel in the clear"), "{url}: {told}");
        assert!(told.contains("$REPLICATE_BASE_URL"), "{url}: {told}");
    }
    for url in ["https://me:hush@api.replicate.com/v1", "http://me:hush@127.0.0.1/v1"] {
        let home = Home::at_trace(model);
        let (code, told) = ends(&home, Some(url));
        assert!(code == Some(78) && told.contains("no place for a password"), "{told}");
        home.write(&format!("[replicate]\nbase_url = \"{url}\"\n{model}"));
        let (code, told) = ends(&home, None);
        assert!(code == Some(78) && told.contains("no place for a password"), "{told}");
        home.write(&format!("[models.box]\ncog = \"{url}\"\nactive = [\"always\"]\n"));
        let (code, told) = ends(&home, None);
        assert!(code == Some(78) && told.contains("no place for a password"), "{told}");
    }
}

#[test]
fn a_cog_server_that_gets_its_token_in_the_clear_is_warned_of() {
    let home = Home::at_trace(
        "[models.box]\ncog = \"http://192.0.2.1:5000\"\nactive = [\"always\"]\nenabled = false\ntoken_env = \"REPLICATE_API_TOKEN\"\n",
    );
    let warmd = home.start();
    let notes = home.status()["daemon"]["notes"].to_string();
    assert!(notes.contains("the token travels to this server in the clear"), "{notes}");
    assert!(warmd.stop().success());
}

#[test]
fn a_token_that_stands_in_the_file_is_repeated_nowhere() {
    let home = Home::at_trace(GONE);
    // Its name lets it hold the token.
    let config = home.path("token.toml");
    fs::copy(home.config(), &config).unwrap();
    let mut command = home.program(env!("CARGO_BIN_EXE_warmd"));
    command.args(["--log-format", "json", "--config"]).arg(&config).env("RUST_LOG", "trace");
    let warmd = Warmd::spawn(command);
    wait_until("it answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let good = fs::read_to_string(&config).unwrap();
    for wrong in [
        format!("[replicate]\ntoken = \"{TOKEN}\"\n"),
        format!("[replicate]\ntoken_env = \"{TOKEN}\"\n"),
        format!("[replicate]\ntoken_file = \"{TOKEN}\"\n"),
        format!("[replicate]\ntoken_credential = \"{TOKEN}\"\n"),
        format!("[replicate]\napi_token = {TOKEN}\n"),
        format!("[replicate]\nbase_url = \"https://{TOKEN}@api.replicate.com/v1\"\n"),
        format!("[models.{TOKEN}]\ncog = 1\n"),
        format!("[models.box]\ncog = \"http://me:{TOKEN}@box\"\nactive = [\"always\"]\n"),
        format!("[models.box]\nreplicate = \"{TOKEN}\"\nactive = [\"{TOKEN}\"]\ntimezone = \"{TOKEN}\"\n"),
        format!("{TOKEN}\n"),
        format!("[replicate]\ntoken_env = [\"{TOKEN}\"\n"),
    ] {
        fs::write(&config, format!("{good}{wrong}")).unwrap();
        assert_eq!(home.ctl(&["reload"]).status.code(), Some(78), "{wrong}");
        assert_ne!(home.status()["daemon"]["config_error"], Value::Null, "{wrong}");
        let mut check = home.program(env!("CARGO_BIN_EXE_warmctl"));
        let check = check.args(["check", "--json"]).arg(&config).output().unwrap();
        assert_eq!(check.status.code(), Some(78), "{wrong}");
        let said = text(&[check.stdout, check.stderr].concat());
        assert!(!said.contains(TOKEN) && said.contains("\"line\""), "{said}");
        assert_eq!(home.ctl(&["check", &config.display().to_string()]).status.code(), Some(78));
    }
    assert!(warmd.stop().success());
}

/// `config_secrets` has each kind at each key; here is one in seven of these, by real programs.
#[test]
fn a_secret_at_any_key_of_the_file_is_shown_by_no_program() {
    let home = Home::at_trace(GOOD);
    let mut command = home.warmd();
    command.env("HOOK", "http://127.0.0.1:9/x");
    let warmd = Warmd::spawn(command);
    wait_until("it answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let mut told = 0;
    for (n, key) in KEYS.iter().enumerate() {
        for (_, secret) in SECRETS.iter().enumerate().filter(|(m, _)| (n + m) % 7 == 0) {
            home.write_whole(&key.file(secret.text));
            for arguments in [
                &["check"][..],
                &["check", "--json"],
                &["reload"],
                &["reload", "--json"],
                &["status", "--json"],
            ] {
                let output = home.ctl(arguments);
                let said = text(&[output.stdout, output.stderr].concat());
                let refused = output.status.code() == Some(78);
                assert!(refused || key.may_hold || arguments[0] == "status", "{}: {said}", key.name);
                for hidden in secret.hidden {
                    assert!(!said.contains(hidden), "{arguments:?}: {} at {}: {said}", secret.text, key.name);
                }
                let looks_secret = said.contains("secret") || said.contains("token");
                told += usize::from(arguments == ["status", "--json"] && looks_secret);
            }
        }
    }
    assert!(told > 100, "what is wrong is said: {told}");
    for line in warmd.log() {
        for hidden in SECRETS.iter().flat_map(|secret| secret.hidden) {
            assert!(!line.contains(hidden), "{hidden}: {line}");
        }
    }
    assert!(warmd.stop().success());
}
