//! A disk of a test's own, small enough to be filled: a tmpfs in a mount namespace, which takes no root.

use crate::support::{Home, wait_until};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// It is there within this.
const MOUNTED: Duration = Duration::from_secs(30);

pub(crate) struct SmallDisk {
    /// A process that keeps the namespace there while no daemon runs in it.
    holder: Child,
    /// Where it is mounted, as those within see it.
    at: PathBuf,
}

impl SmallDisk {
    /// One of that size, in the folder `disk` of the home, whose daemon keeps its state there.
    pub(crate) fn of(home: &Home, size: &str) -> Self {
        let text = fs::read_to_string(home.config()).unwrap();
        home.write_whole(&text.replace("warmd.db", "disk/warmd.db"));
        let at = home.path("disk");
        fs::create_dir(&at).unwrap();
        let mount =
            "mount -t tmpfs -o \"size=$1\" tmpfs \"$2\" && touch \"$2/mounted\" && exec sleep infinity";
        let holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", size])
            .arg(&at)
            .stdin(Stdio::null())
            .spawn()
            .expect("unshare: util-linux");
        let disk = Self { holder, at };
        wait_until("the small disk is there", MOUNTED, || disk.path("mounted").exists());
        disk
    }

    /// A program, run where it sees the disk; it keeps its process id.
    pub(crate) fn sees(&self, program: &Command) -> Command {
        let mut within = Command::new("nsenter");
        within
            .arg(format!("--target={}", self.holder.id()))
            .args(["--user", "--mount", "--preserve-credentials", "--"])
            .arg(program.get_program())
            .args(program.get_args());
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => within.env(name, value),
                None => within.env_remove(name),
            };
        }
        within
    }

    /// A file on it, as this process sees it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let within = self.at.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(within).join(name)
    }

    /// Takes up all the room that there is, and what becomes free meanwhile.
    pub(crate) fn fill(&self) {
        let mut filler = OpenOptions::new().create(true).append(true).open(self.path("filler")).unwrap();
        for size in [4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Takes up all the room but so much, in KiB.
    pub(crate) fn fill_but(&self, room: u64) {
        self.fill();
        let filler = OpenOptions::new().write(true).open(self.path("filler")).unwrap();
        filler.set_len(filler.metadata().unwrap().len() - (room << 10)).unwrap();
    }

    /// Gives it back.
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }

    /// `ro` or `rw`.
    pub(crate) fn remount(&self, how: &str) {
        let mut mount = Command::new("mount");
        // With the source named, no other options are added, whose owner the namespace doesn't know.
        mount.args(["-t", "tmpfs", "-o", &format!("remount,{how}"), "tmpfs"]).arg(&self.at);
        assert!(self.sees(&mount).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
