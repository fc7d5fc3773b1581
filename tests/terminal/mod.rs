//! A real terminal, as the kernel has it, with an emulator behind it that knows what a person would see; and a
//! program that runs on it in a session of its own, so that keys are signals there.

#![allow(clippy::unwrap_used, reason = "a test ends where what it rests on is not so")]
#![allow(unreachable_pub, reason = "seen by the test program it is part of")]

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::unix::ffi::OsStringExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// What takes longer never comes.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(20);

/// What is there before the program starts.
pub const BEFORE: &str = "$ what was there before";

/// A program on a terminal.
pub struct Terminal {
    child: Child,
    keys: Option<File>,
    shown: Arc<Mutex<Shown>>,
    reader: Option<JoinHandle<()>>,
}

/// What was written to it, and what it shows.
pub struct Shown {
    pub bytes: Vec<u8>,
    emulator: vt100::Parser,
}

impl Shown {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).replace("\r\n", "\n")
    }

    pub fn screen(&self) -> &vt100::Screen {
        self.emulator.screen()
    }

    pub fn sees(&self, text: &str) -> bool {
        self.screen().contents().contains(text)
    }

    /// How often `text` was written.
    pub fn times(&self, text: &str) -> usize {
        self.text().matches(text).count()
    }
}

impl Terminal {
    /// Runs a program with all its ends on a terminal, but for the output that it has elsewhere.
    pub fn run(program: &Command, (rows, columns): (u16, u16), output: Option<Stdio>) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        tcsetwinsize(&keys, size(rows, columns)).unwrap();
        let name = OsString::from_vec(ptsname(&keys, Vec::new()).unwrap().into_bytes());
        let end = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
        let mut command = in_a_session_of_its_own(program);
        let child = command.stdin(end()).stdout(output.unwrap_or_else(end)).stderr(end()).spawn().unwrap();
        // The terminal's own ends go with the command, so that reading ends with the program.
        drop(command);
        let keys = File::from(keys);
        let mut emulator = vt100::Parser::new(side(rows), side(columns), 0);
        emulator.process(format!("{BEFORE}\r\n").as_bytes());
        let shown = Arc::new(Mutex::new(Shown { bytes: Vec::new(), emulator }));
        let reader = std::thread::spawn(read(keys.try_clone().unwrap(), Arc::clone(&shown)));
        Self { child, keys: Some(keys), shown, reader: Some(reader) }
    }

    pub fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap()
    }

    /// Waits until it shows what is wanted.
    #[track_caller]
    pub fn until(&self, wanted: impl Fn(&Shown) -> bool) {
        if !patiently(|| wanted(&self.shown())) {
            let shown = self.shown();
            panic!("it never came; shown is:\n{}\nafter {:?}", shown.screen().contents(), shown.text());
        }
    }

    pub fn press(&mut self, key: u8) {
        self.keys.as_mut().unwrap().write_all(&[key]).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        self.shown().emulator.screen_mut().set_size(side(rows), side(columns));
        tcsetwinsize(self.keys.as_ref().unwrap(), size(rows, columns)).unwrap();
    }

    /// Whether it is stopped, as by Ctrl-Z.
    pub fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit(") ").next().unwrap().starts_with('T')
    }

    #[track_caller]
    pub fn until_stopped(&self) {
        assert!(patiently(|| self.is_stopped()), "it was never stopped");
    }

    /// Waits for its end, and for all it wrote.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let status = end_of(&mut self.child);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves none running; of one that is over there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for the end of a program.
#[track_caller]
pub fn end_of(child: &mut Child) -> ExitStatus {
    let mut status = None;
    let ended = patiently(|| {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert!(ended, "it never ended");
    status.unwrap()
}

/// Whether something became so.
pub fn patiently(mut so: impl FnMut() -> bool) -> bool {
    (0..PATIENCE.as_millis() / PAUSE.as_millis()).any(|_| {
        let so = so();
        if !so {
            std::thread::sleep(PAUSE);
        }
        so
    })
}

/// Reads until the program's end, when no one holds the terminal any more.
fn read(mut terminal: File, shown: Arc<Mutex<Shown>>) -> impl FnOnce() {
    move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = terminal.read(&mut bytes) {
            let mut shown = shown.lock().unwrap();
            shown.bytes.extend_from_slice(&bytes[..count]);
            shown.emulator.process(&bytes[..count]);
        }
    }
}

/// `setsid` makes the terminal the session's, and becomes the program.
fn in_a_session_of_its_own(program: &Command) -> Command {
    let mut command = Command::new("setsid");
    command.arg("--ctty").arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(program.get_current_dir().unwrap());
    command
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn side(length: u16) -> NonZero<u16> {
    NonZero::new(length).unwrap()
}
