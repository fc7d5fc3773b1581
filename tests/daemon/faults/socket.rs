//! The Unix socket: who may open it, and what a request may cost.

use super::listener::{asked, rest, through, to_socket};
use crate::support::{Home, PATIENCE, Warmd, copy_program, text, wait_until};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::UnixSocket;

/// A model that is there, and asks nobody.
const ASLEEP: &str =
    "[models.asleep]\ncog = \"http://127.0.0.1:1\"\nactive = [\"always\"]\nenabled = false\n";

/// Has the daemon's socket at another place.
fn moved(home: &Home, socket: &Path) {
    let config = fs::read_to_string(home.config()).unwrap();
    let from = home.path("warmd.sock").display().to_string();
    home.write_whole(&config.replace(&from, &socket.display().to_string()));
}

fn answers(home: &Home, socket: &Path) -> bool {
    let mut command = home.program(env!("CARGO_BIN_EXE_warmctl"));
    command.arg("--socket").arg(socket).arg("status").output().unwrap().status.success()
}

/// Starts the daemon, which is to end at once; its exit code, and what it says.
fn ends(home: &Home) -> (Option<i32>, String) {
    let mut command = home.program("timeout");
    command.args(["--kill-after=5", "30", env!("CARGO_BIN_EXE_warmd"), "--config"]).arg(home.config());
    let output = command.output().unwrap();
    (output.status.code(), text(&output.stderr))
}

#[test]
fn at_no_moment_may_others_open_it() {
    let home = Home::at_trace(ASLEEP);
    let path = home.path("warmd.sock");
    let (over, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if let Ok(meta) = fs::symlink_metadata(&path) {
                    looks.fetch_add(1, Ordering::Relaxed);
                    let mode = meta.permissions().mode() & 0o7777;
                    if mode != 0o660 || !meta.file_type().is_socket() {
                        return Some(format!("{mode:o}"));
                    }
                }
            }
            None
        });
        for round in 0..8 {
            let warmd = Warmd::spawn(through("umask 0", &home.warmd()));
            wait_until("it answers", PATIENCE, || answers(&home, &path));
            // A killed one leaves its socket, which the next one replaces.
            if round % 2 == 0 { warmd.kill() } else { assert!(warmd.stop().success()) }
        }
        over.store(true, Ordering::Relaxed);
        assert_eq!(looking.join().unwrap(), None, "the mode that it was seen with");
    });
    let looks = looks.load(Ordering::Relaxed);
    println!("measured: the socket's mode: looked at {looks} times");
    assert!(looks > 1000);
}

#[test]
fn whatever_the_umask_owner_and_group_may_open_it() {
    for umask in ["0000", "0022", "0077", "0177"] {
        let home = Home::at_trace(ASLEEP);
        let warmd = Warmd::spawn(through(&format!("umask {umask}"), &home.warmd()));
        wait_until("it answers", PATIENCE, || answers(&home, &home.path("warmd.sock")));
        let mode = fs::metadata(home.path("warmd.sock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o660, "umask {umask}");
        let left: Vec<_> =
            fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".warmd")), "{left:?}");
        assert!(warmd.stop().success());
    }
}

#[test]
fn a_path_may_be_as_long_as_the_system_takes_it() {
    let home = Home::at_trace(ASLEEP);
    // A short name in a long folder: what it is bound at first may not be longer than itself.
    let at = |length: usize| {
        let folder = "d".repeat(length - home.path("").as_os_str().len() - 2);
        home.path(&folder).join("s")
    };
    let (long, too_long) = (at(107), at(108));
    moved(&home, &too_long);
    let (code, told) = ends(&home);
    assert_eq!(code, Some(78), "{told}");
    assert!(told.contains("a socket's path has at most 107 bytes, this has 108"), "{told}");
    home.write(ASLEEP);
    moved(&home, &long);
    let warmd = Warmd::spawn(home.warmd());
    wait_until("it answers", PATIENCE, || answers(&home, &long));
    assert!(warmd.stop().success());
    assert!(!long.exists());
}

#[test]
fn a_folder_that_is_missing_is_made_and_is_its_owners_alone_to_write_to() {
    let home = Home::at_trace(ASLEEP);
    let socket = home.path("run/warmd/warmd.sock");
    moved(&home, &socket);
    let warmd = Warmd::spawn(through("umask 0", &home.warmd()));
    wait_until("it answers", PATIENCE, || answers(&home, &socket));
    for folder in ["run", "run/warmd"] {
        let mode = fs::metadata(home.path(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "{folder}");
    }
    assert!(warmd.stop().success());
    fs::write(home.path("file"), "").unwrap();
    home.write(ASLEEP);
    moved(&home, &home.path("file/warmd.sock"));
    let (code, told) = ends(&home);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("file/warmd.sock") && told.contains("set `socket` in [daemon]"), "{told}");
}

#[test]
fn what_is_in_its_place_stays_as_it_is() {
    let home = Home::at_trace(ASLEEP);
    let (path, elsewhere) = (home.path("warmd.sock"), home.path("elsewhere"));
    let refused = |what: &str, said: &str| {
        let before = fs::symlink_metadata(&path).unwrap();
        let (code, told) = ends(&home);
        assert_eq!(code, Some(1), "{what}: {told}");
        assert!(told.contains(said) && told.contains("warmd.sock"), "{what}: {told}");
        let after = fs::symlink_metadata(&path).unwrap();
        assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()), "{what}");
    };
    fs::write(&path, "dear diary").unwrap();
    refused("a file", "is not a socket; remove it");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("a folder", "is not a socket; remove it");
    fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    refused("a link to nothing", "is not a socket; remove it");
    fs::write(&elsewhere, "dear diary").unwrap();
    refused("a link to a file", "is not a socket; remove it");
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "dear diary");
    fs::remove_file(&elsewhere).unwrap();
    drop(UnixListener::bind(&elsewhere).unwrap());
    refused("a link to a stale socket", "is not a socket; remove it");
    fs::remove_file(&path).unwrap();
    let _other = UnixDatagram::bind(&path).unwrap();
    refused("another program's socket", "can't open the socket");
}

#[test]
fn a_live_one_is_respected_though_it_takes_nobody_in() {
    let home = Home::at_trace(ASLEEP);
    let path = home.path("warmd.sock");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let socket = UnixSocket::new_stream().unwrap();
    socket.bind(&path).unwrap();
    let _hangs = socket.listen(1).unwrap();
    // One more waits than it has asked for.
    let _waiting = [to_socket(&home), to_socket(&home)];
    let (code, told) = ends(&home);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("another daemon answers on the socket"), "{told}");
}

#[test]
fn a_daemon_takes_away_no_socket_but_its_own() {
    let home = Home::at_trace(ASLEEP);
    let path = home.path("warmd.sock");
    let first = home.start();
    fs::remove_file(&path).unwrap();
    let config = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&config.replace("warmd.db", "second.db"));
    let second = home.start();
    assert!(first.stop().success());
    assert!(path.exists() && home.ctl(&["status"]).status.success(), "the second one's is still there");
    assert!(second.stop().success());
    assert!(!path.exists());
}

/// A group to name, with its number: not root's, which nobody should be told to join.
fn group() -> (String, u32) {
    let groups = fs::read_to_string("/etc/group").unwrap();
    let group = groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let number = fields.get(2)?.parse().ok()?;
        (number > 0).then(|| (fields[0].to_owned(), number))
    });
    group.unwrap()
}

/// `warmctl` as somebody whom the socket's mode keeps out: as root another user; else, since nobody can
/// become one, its owner, whose bits are taken away. `unshare` takes the capabilities away.
fn stranger(home: &Home, group: u32) -> Command {
    let (socket, warmctl) = (home.path("warmd.sock"), home.path("warmctl"));
    copy_program(env!("CARGO_BIN_EXE_warmctl"), &warmctl);
    let mut command;
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        fs::set_permissions(home.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(&socket, None, Some(group)).unwrap();
        command = home.program("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    } else {
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o060)).unwrap();
        command = home.program("unshare");
        command.args(["--user", "--map-user=1000", &format!("--map-group={group}")]);
    }
    command.arg(warmctl).arg("--socket").arg(socket);
    command
}

#[test]
fn whoever_is_not_in_its_group_is_refused_and_told_which_that_is() {
    let home = Home::at_trace(ASLEEP);
    let warmd = home.start();
    let (name, number) = group();
    for verb in [["status", "--json"], ["pause", "asleep"], ["beat", "asleep"]] {
        let output = stranger(&home, number).args(verb).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("permission denied; join the group ") && told.contains(&name), "{told}");
        assert_eq!(text(&output.stdout), "");
    }
    fs::set_permissions(home.path("warmd.sock"), fs::Permissions::from_mode(0o660)).unwrap();
    assert_eq!(home.model("asleep")["state"], "disabled");
    assert!(warmd.stop().success());
}

#[test]
fn however_many_wait_for_heartbeats_others_are_answered() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let slow = format!(
        "[models.slow]\ncog = \"http://{}\"\nactive = [\"always\"]\ninterval = \"1d\"\ntimeout = \"1h\"\n",
        silent.local_addr().unwrap()
    );
    let home = Home::at_trace(&slow);
    let warmd = home.start();
    let waiting: Vec<UnixStream> = (0..140).map(|_| beating(&home)).collect();
    let mut refused = 0;
    wait_until("those beyond 128 are refused", PATIENCE, || {
        let told = waiting.iter().filter_map(said);
        refused += told.filter(|told| told.contains("128 wait for a heartbeat already")).count();
        refused == 12
    });
    assert_eq!(home.status()["models"][0]["name"], "slow");
    assert!(home.ctl(&["pause", "slow"]).status.success());
    drop(waiting);
    // Who has gone away is not waited with: there is room again.
    let mut one = beating(&home);
    wait_until("there is room again", PATIENCE, || {
        std::thread::sleep(Duration::from_millis(200));
        let waits = said(&one).is_none();
        if !waits {
            one = beating(&home);
        }
        waits
    });
    warmd.kill();
}

/// Somebody who waits for a heartbeat.
fn beating(home: &Home) -> UnixStream {
    let mut client = to_socket(home);
    let request = b"POST /v1/models/slow/heartbeat HTTP/1.1\r\nhost: warmd\r\ncontent-length: 0\r\n\r\n";
    client.write_all(request).unwrap();
    client.set_nonblocking(true).unwrap();
    client
}

/// What it has been told since the last look; none while it waits.
fn said(mut client: &UnixStream) -> Option<String> {
    let mut answer = [0; 4096];
    match client.read(&mut answer) {
        Ok(length) => Some(text(&answer[..length])),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn a_request_may_be_no_larger_than_any_that_is_meant() {
    let home = Home::at_trace(ASLEEP);
    let warmd = home.start();
    let pause = |more: &str, body: &str| {
        let head = "POST /v1/models/asleep/pause HTTP/1.1\r\nhost: warmd\r\nconnection: close\r\n";
        asked(to_socket(&home), format!("{head}{more}\r\n\r\n{body}").as_bytes())
    };
    let too_large = pause("content-length: 16385", &" ".repeat(16_385));
    assert!(
        too_large.starts_with("HTTP/1.1 413 ") && too_large.contains("more than 16384 bytes"),
        "{too_large}"
    );
    let chunked =
        pause("transfer-encoding: chunked", &format!("4001\r\n{}\r\n0\r\n\r\n", " ".repeat(16_385)));
    assert!(chunked.starts_with("HTTP/1.1 413 "), "{chunked}");
    let headers = pause(&format!("x: {}", "y".repeat(20_000)), "");
    assert!(headers.starts_with("HTTP/1.1 431 "), "{headers}");
    let many = pause(&"x: y\r\n".repeat(70), "");
    assert!(many.starts_with("HTTP/1.1 431 "), "{many}");
    // With a body that is promised and does not come, it is closed when the client is.
    let mut promised = to_socket(&home);
    promised.write_all(b"POST /v1/reload HTTP/1.1\r\nhost: warmd\r\ncontent-length: 5\r\n\r\n{").unwrap();
    promised.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(!rest(promised).starts_with("HTTP/1.1 200 "));
    assert_eq!(home.model("asleep")["paused_until"], serde_json::Value::Null);
    assert!(pause("content-length: 12", "{\"for\":\"2h\"}").starts_with("HTTP/1.1 200 "));
    assert!(warmd.stop().success());
}

#[test]
fn one_that_is_taken_away_is_made_again() {
    let home = Home::at_trace(ASLEEP);
    let folder = home.path("run");
    let socket = folder.join("warmd.sock");
    moved(&home, &socket);
    let warmd = Warmd::spawn(home.warmd());
    let answers = || answers(&home, &socket);
    wait_until("it answers", PATIENCE, answers);
    fs::remove_file(&socket).unwrap();
    wait_until("it answers again", PATIENCE, answers);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o660);
    // As a logout does with a user's folder for such files.
    fs::remove_dir_all(&folder).unwrap();
    wait_until("it answers again", PATIENCE, answers);
    warmd.tells(&["was taken away, and is made again"]);
    // What is in its place stays, and is told.
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "somebody's").unwrap();
    if !answers() {
        warmd.tells(&["nobody reaches warmd at the socket", "something else is in its place"]);
        assert_eq!(fs::read_to_string(&socket).unwrap(), "somebody's");
        fs::remove_file(&socket).unwrap();
    }
    wait_until("it answers again", PATIENCE, answers);
    assert!(warmd.stop().success());
    assert!(!socket.exists(), "it takes away what it has made");
}
