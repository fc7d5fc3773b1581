//! A test in namespaces of its own: it is root there, the network is a loopback of its own, and what it
//! mounts nobody else sees. For plain users too.

use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Set in the process that is within.
const WITHIN: &str = "WARMD_TEST_WITHIN_NAMESPACES";

/// Brings the loopback up: python3 is there wherever these tests run, `ip` is not.
const LOOPBACK_UP: &str = "import fcntl, os, socket, struct, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x49))  # SIOCSIFFLAGS, UP | RUNNING | LOOPBACK
os.execv(sys.argv[1], sys.argv[1:])";

/// Whether this is within. If not, the calling test, which is `test`, is run again there, to its end.
pub(super) fn within(test: &str) -> bool {
    if std::env::var_os(WITHIN).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "--net", "--", "python3", "-c", LOOPBACK_UP]);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    let output = command.env(WITHIN, "1").output().unwrap();
    let told = [output.stdout, output.stderr].map(|told| crate::support::text(&told));
    println!("{}\n{}", told[0], told[1]);
    assert!(output.status.success(), "within its namespaces, {test} failed");
    assert!(told[0].contains("1 passed"), "there is no test {test}");
    false
}

/// Names as this test has them: DNS is asked at 127.0.0.1, after `hosts`. Within alone.
pub(super) fn names(hosts: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in
        [("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n"), ("hosts", hosts)]
    {
        let (own, system) = (folder.path().join(name), Path::new("/etc").join(name));
        fs::write(&own, contents).unwrap();
        let mounted = Command::new("mount").arg("--bind").arg(&own).arg(&system).status().unwrap();
        assert!(mounted.success(), "{}", system.display());
    }
    folder
}
