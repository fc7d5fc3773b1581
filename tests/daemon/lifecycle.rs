//! Starting, stopping, being killed, and going on where it was.

use crate::support::{Home, PATIENCE, Warmd, text, wait_until};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;
use warmd::clock::Stopwatch;

/// A model whose server isn't there: enough for what is not about heartbeats.
const GONE: &str = "[models.gone]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\ninterval = \"1s\"\n";

#[test]
fn it_says_ready_alive_reloading_and_stopping() {
    let home = Home::new(GONE);
    let manager = UnixDatagram::bind(home.path("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = home.warmd();
    command.env("NOTIFY_SOCKET", home.path("notify"));
    command.env("WATCHDOG_USEC", "3000000");
    let warmd = Warmd::spawn(command);
    let mut said = String::new();
    let mut until = |word: &str| {
        let mut buffer = [0; 4096];
        while !said.contains(word) {
            let length = manager.recv(&mut buffer).unwrap_or_else(|_| panic!("no {word} after: {said}"));
            said.push_str(&text(&buffer[..length]));
            said.push('\n');
        }
        said = said.split_once(word).unwrap().1.to_owned();
    };
    until("READY=1");
    until("STATUS=1 model");
    until("WATCHDOG=1");
    until("WATCHDOG=1");
    warmd.signal("-HUP");
    until("RELOADING=1");
    until("MONOTONIC_USEC=");
    until("READY=1");
    warmd.signal("-TERM");
    until("STOPPING=1");
    assert!(warmd.wait().success());
}

#[test]
fn the_socket_is_for_owner_and_group_and_a_stale_one_is_replaced() {
    let home = Home::new(GONE);
    let warmd = home.start();
    let mode = std::fs::metadata(home.path("warmd.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    warmd.kill();
    assert!(home.path("warmd.sock").exists(), "a killed daemon leaves its socket");
    let warmd = home.start();
    assert!(warmd.stop().success());
}

#[test]
fn a_second_daemon_on_one_state_file_ends_with_a_clear_error() {
    let home = Home::new(GONE);
    let first = home.start();
    let second = home.warmd().output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(
        text(&second.stderr).contains("another warmd runs on this state file"),
        "{}",
        text(&second.stderr)
    );
    assert!(home.ctl(&["status"]).status.success(), "the first goes on");
    assert!(first.stop().success());
}

#[test]
fn a_kill_at_any_moment_loses_a_second_at_most() {
    let home = Home::new(GONE);
    let mut seen = 0;
    for round in 0..5 {
        let warmd = home.start();
        let counted = || home.model("gone")["counts"]["unreachable"].as_u64().unwrap();
        assert!(counted() >= seen, "round {round}: {} of {seen} are kept", counted());
        wait_until("another heartbeat", PATIENCE, || counted() > seen);
        seen = counted();
        // The second that may be lost, and what a busy machine adds to it.
        std::thread::sleep(Duration::from_millis(2_500));
        warmd.kill();
    }
    let warmd = home.start();
    let model = home.model("gone");
    assert!(model["counts"]["unreachable"].as_u64().unwrap() >= seen);
    assert_eq!(model["state"], "failing", "a restart goes on where it was");
    assert!(warmd.stop().success());
}

#[test]
fn whoever_never_asks_to_the_end_does_not_hold_up_the_exit() {
    let home = Home::new(GONE);
    let warmd = home.start();
    let mut hung = std::os::unix::net::UnixStream::connect(home.path("warmd.sock")).unwrap();
    hung.write_all(b"POST /v1/models/gone/pause HTTP/1.1\r\nhost: warmd\r\ncontent-length: 9\r\n\r\n")
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let stopping = Stopwatch::start();
    assert!(warmd.stop().success());
    assert!(stopping.elapsed() < Duration::from_secs(8), "{:?}", stopping.elapsed());
}

#[test]
fn what_a_person_decides_outlives_a_kill_right_after() {
    let home = Home::new(GONE);
    let warmd = home.start();
    assert!(home.ctl(&["pause", "gone"]).status.success());
    warmd.kill();
    let warmd = home.start();
    assert_eq!(home.model("gone")["state"], "paused");
    assert!(warmd.stop().success());
}

#[test]
fn the_tcp_address_serves_reads_alone() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let home = Home::new(GONE);
    let text = std::fs::read_to_string(home.config()).unwrap();
    home.write_whole(&text.replace("listen = \"off\"", &format!("listen = \"{port}\"")));
    let warmd = home.start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (read, write) = runtime.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::new();
        let read = client.get(format!("http://{port}/v1/status?since=1h")).send().await.unwrap();
        let status = read.json::<serde_json::Value>().await.unwrap();
        let write = client.post(format!("http://{port}/v1/reload")).send().await.unwrap();
        (status, write.status().as_u16())
    });
    assert_eq!(read["models"][0]["name"], "gone");
    assert_eq!(write, 404);
    assert!(warmd.stop().success());
}
