//! An alert handed to a program: no shell, the event as JSON on its standard input, and nothing of the
//! daemon's environment but where programs, the user's folder, the language and the zone are.

use crate::alerts::event::Event;
use crate::alerts::outbox::Failure;
use crate::config::env::Env;
use crate::daemon::orphans::Running;
use crate::quote;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// What of the environment a program gets: none of it holds a token.
const VARIABLES: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// How much of the end of its standard error is kept, in bytes, and told, in characters.
const KEPT: usize = 1024;
const TOLD: usize = 200;

/// How long its standard error is read after it has ended: what it left running may hold it open for ever.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Hands an event to a program, and waits for its end. Code 0 says that it was told; a program that takes
/// longer than `timeout` is killed, with all that it has started.
pub(super) async fn hand(
    argv: &[String],
    event: &Event,
    timeout: Duration,
    env: &Env,
) -> Result<(), Failure> {
    let (program, arguments) = argv.split_first().ok_or_else(|| Failure::of("there is no program"))?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir("/").process_group(0).kill_on_drop(true);
    command.env_clear().envs(VARIABLES.iter().filter_map(|name| Some((name, env.os(name)?))));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // Dropped after the child.
    let _running = Running::begin();
    let mut child = command.spawn().map_err(|error| Failure::of(format!("it can't be run: {error}")))?;
    // Dropped before the child: its number is its own for as long as it has not been waited for.
    let mut group = Group(child.id());
    let Ok((ended, said)) = tokio::time::timeout(timeout, see_off(&mut child, event)).await else {
        let why = format!("it did not end within {} s, and was killed", timeout.as_secs());
        drop(group);
        return Err(Failure::of(why));
    };
    group.0 = None;
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::of(format!("it {}{}", how(status), words(&said)))),
        Err(error) => Err(Failure::of(format!("its end can't be waited for: {error}"))),
    }
}

/// Gives it the event, and waits for its end; the end of what it said too.
async fn see_off(child: &mut Child, event: &Event) -> (std::io::Result<ExitStatus>, Vec<u8>) {
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let give = async {
        if let (Some(mut stdin), Ok(mut text)) = (stdin, serde_json::to_vec(event)) {
            text.push(b'\n');
            // A program that does not want to know is free to.
            let _ = stdin.write_all(&text).await;
        }
    };
    let mut said = Vec::new();
    let listen = async {
        let Some(mut stderr) = stderr else { return };
        let mut piece = [0; KEPT];
        while let Ok(length @ 1..) = stderr.read(&mut piece).await {
            said.extend_from_slice(&piece[..length]);
            said.drain(..said.len().saturating_sub(KEPT));
        }
    };
    let ended = {
        tokio::pin!(listen);
        let wait = async {
            let ((), ended) = tokio::join!(give, child.wait());
            ended
        };
        tokio::pin!(wait);
        tokio::select! {
            ended = &mut wait => {
                let _ = tokio::time::timeout(LAST_WORDS, listen).await;
                ended
            }
            // It has closed its standard error, and goes on.
            () = &mut listen => wait.await,
        }
    };
    (ended, said)
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

fn words(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let told = quote::start(last, TOLD);
    if told.is_empty() { told } else { format!(": {told}") }
}

/// A program and all that it has started, killed where this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let id = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            // Where none is left of it, that is as well.
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}
