//! A configuration that is moved, cut or replaced under the running daemon.

use super::process::taken;
use crate::cogs::Cogs;
use crate::support::{Home, PATIENCE, TOKEN, Warmd, text, wait_until};
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use warmd::clock::Stopwatch;

const EVERY_SECOND: &str = "active = [\"always\"]\ninterval = \"1s\"";

/// `warmd` without root's right to read whatever there is.
fn unprivileged(home: &Home) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return home.warmd();
    }
    let rights = "-dac_override,-dac_read_search";
    home.warmd_by("setpriv", &["--bounding-set", rights, "--inh-caps", rights])
}

fn config_error(home: &Home) -> Value {
    home.status()["daemon"]["config_error"].clone()
}

/// How many reloads changed something, and how many were refused.
fn reloads(warmd: &Warmd) -> (usize, usize) {
    let log = warmd.log();
    let told = |what: &str, but: &str| {
        let told = log.iter().filter(|line| line.contains(what));
        told.filter(|line| but.is_empty() || !line.contains(but)).count()
    };
    (told(" reloaded: ", " reloaded: 0 changes"), told("the changed configuration is refused", ""))
}

/// Takes away whatever is there.
fn clear(path: &Path) {
    if fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir()) {
        fs::remove_dir(path).unwrap();
    } else if fs::symlink_metadata(path).is_ok() {
        fs::remove_file(path).unwrap();
    }
}

/// From before it is read until after it is watched: 20 moments, 5 ms apart. A start takes some 50 ms.
#[test]
fn a_change_at_any_moment_of_the_start_is_taken_up() {
    let cogs = Cogs::start();
    for moment in 0..20 {
        let home = Home::new(&cogs.model("first", EVERY_SECOND));
        let _warmd = Warmd::spawn(home.warmd());
        std::thread::sleep(Duration::from_millis(5 * moment));
        home.write(&cogs.model("second", EVERY_SECOND));
        wait_until("it runs the second", PATIENCE, || {
            let status = home.ctl(&["status", "--json"]);
            status.status.success() && text(&status.stdout).contains("second")
        });
    }
}

#[test]
fn whatever_takes_the_files_place_is_refused_and_what_runs_goes_on() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let (path, good) = (home.config(), fs::read(home.config()).unwrap());
    let warmd = Warmd::spawn(unprivileged(&home));
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let (memory, ..) = taken(&warmd);
    let half = &good[..good.len() - 12];
    let whole_but_unreadable = || {
        fs::write(&path, &good).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    };
    let fifo = || assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let places: [(&str, &str, &dyn Fn()); 9] = [
        ("nothing", "there is no such file", &|| {}),
        ("a directory", "this is a directory", &|| fs::create_dir(&path).unwrap()),
        ("a pipe", "this is a pipe, a socket or a device", &fifo),
        ("a device without end", "this is a pipe, a socket or a device", &|| {
            symlink("/dev/zero", &path).unwrap();
        }),
        ("2 MB", "larger than 1 MB", &|| fs::write(&path, " ".repeat(2_000_000)).unwrap()),
        ("an empty file", "no models", &|| fs::write(&path, "").unwrap()),
        ("half a file", "warm.toml:", &|| fs::write(&path, half).unwrap()),
        ("bytes", "this is a binary file", &|| fs::write(&path, b"\x7fELF\0\xff").unwrap()),
        ("an unreadable file", "it may not be read", &whole_but_unreadable),
    ];
    for (what, said, put) in places {
        clear(&path);
        put();
        wait_until(what, PATIENCE, || config_error(&home).as_str().is_some_and(|error| error.contains(said)));
        let asked = cogs.asked("llama").len();
        let refused = home.ctl(&["reload"]);
        assert_eq!(refused.status.code(), Some(78), "{what}: {}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains(said), "{what}: {}", text(&refused.stderr));
        warmd.tells(&["ERROR", said]);
        wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > asked + 1);
    }
    let (after, ..) = taken(&warmd);
    assert!(after < memory + 16_000_000, "memory: {memory} → {after}");
    assert_eq!(reloads(&warmd).0, 0, "none of them was run");
    clear(&path);
    fs::write(&path, &good).unwrap();
    wait_until("the file is back", PATIENCE, || config_error(&home).is_null());
    assert!(warmd.stop().success());
}

/// Saved in steps, as some editors and all copies over a network do: cut to nothing, then written piece by
/// piece, each of which would be a good file by itself.
#[test]
fn a_file_is_taken_up_when_it_is_whole() {
    let cogs = Cogs::start();
    let names = ["one", "two", "three", "four", "five", "six"];
    let models: Vec<String> = names.iter().map(|name| cogs.model(name, EVERY_SECOND)).collect();
    let home = Home::at_trace(&models.concat());
    let good = fs::read_to_string(home.config()).unwrap();
    let warmd = home.start();
    let save = |text: &str, pieces: usize, pause: u64| {
        let mut file = File::create(home.config()).unwrap();
        for piece in text.as_bytes().chunks(text.len().div_ceil(pieces)) {
            file.write_all(piece).unwrap();
            std::thread::sleep(Duration::from_millis(pause));
        }
    };
    for round in 0..5 {
        save(&format!("{good}# saved {round} times\n"), 2, 200);
        std::thread::sleep(Duration::from_millis(400));
    }
    // For longer than any patience with a folder in which somebody writes all the time.
    let head = good.len() - models.concat().len();
    let mut file = File::create(home.config()).unwrap();
    file.write_all(&good.as_bytes()[..head]).unwrap();
    for model in &models {
        file.write_all(model.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(350));
    }
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(reloads(&warmd), (0, 0), "none was taken up half");
    // And then it is.
    save(&good.replace("interval = \"1s\"", "interval = \"2s\""), 2, 200);
    home.model_when("six", "taken up", |model| model["interval"] == 2.0);
    wait_until("that is told once", PATIENCE, || reloads(&warmd) == (1, 0));
    assert!(warmd.stop().success());
}

/// As Kubernetes swaps a mounted configuration: the file is a link into `..data`, itself a link to a
/// folder with a date, which is put in place of the one before, and that one removed.
#[test]
fn links_that_are_swapped_again_and_again_are_followed() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let good = fs::read_to_string(home.config()).unwrap();
    let swap = |round: usize| {
        let folder = home.path(&format!("..2026_{round}"));
        fs::create_dir(&folder).unwrap();
        let text = good.replace("interval = \"1s\"", &format!("interval = \"{round}s\""));
        fs::write(folder.join("warm.toml"), text).unwrap();
        symlink(folder.file_name().unwrap(), home.path("..data_tmp")).unwrap();
        fs::rename(home.path("..data_tmp"), home.path("..data")).unwrap();
        if round > 1 {
            fs::remove_dir_all(home.path(&format!("..2026_{}", round - 1))).unwrap();
        }
    };
    fs::remove_file(home.config()).unwrap();
    swap(1);
    symlink("..data/warm.toml", home.config()).unwrap();
    let warmd = home.start();
    for round in 2..=5 {
        swap(round);
        let interval = round as f64;
        home.model_when("llama", "taken up", |model| model["interval"].as_f64() == Some(interval));
    }
    wait_until("once each", PATIENCE, || reloads(&warmd) == (4, 0));
    assert!(warmd.stop().success());
}

#[test]
fn a_folder_that_is_removed_and_made_anew_is_watched_again() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let good = fs::read_to_string(home.config()).unwrap();
    let (folder, path) = (home.path("conf"), home.path("conf/warm.toml"));
    let put = |interval: u64| {
        fs::create_dir_all(&folder).unwrap();
        fs::write(&path, good.replace("interval = \"1s\"", &format!("interval = \"{interval}s\""))).unwrap();
    };
    put(1);
    let warmd = Warmd::spawn(home.warmd_on(&path));
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    let mut took = Vec::new();
    for round in 1..=3 {
        fs::remove_dir_all(&folder).unwrap();
        if round == 1 {
            wait_until("it is missed", PATIENCE, || config_error(&home).is_string());
        }
        put(10 * round);
        let interval = |seconds: u64| {
            home.model_when("llama", "taken up", |model| model["interval"].as_f64() == Some(seconds as f64));
        };
        interval(10 * round);
        // An edit from then on is seen at once, not by the look that finds the folder.
        let edited = Stopwatch::start();
        put(10 * round + 1);
        interval(10 * round + 1);
        took.push(edited.elapsed());
    }
    println!("measured: from an edit in the new folder to it being run: {took:?}");
    assert!(took.iter().max() < Some(&Duration::from_secs(10)), "{took:?}");
    assert!(warmd.stop().success());
}

fn many(models: usize, more: &str) -> String {
    let mut text = format!("[defaults]\nactive = [\"always\"]\ninterval = \"1h\"\n{more}\n");
    for number in 0..models {
        write!(text, "[models.m{number}]\ncog = \"http://127.0.0.1:1\"\n").unwrap();
    }
    text
}

#[test]
fn ten_thousand_models_start_reload_and_report() {
    let home = Home::at_trace(&many(10_000, ""));
    let timed = |what: &str, act: &dyn Fn() -> Output| {
        let watch = Stopwatch::start();
        let output = act();
        println!("measured: 10,000 models: {what}: {:.1} s", watch.elapsed().as_secs_f64());
        output
    };
    let watch = Stopwatch::start();
    let warmd = Warmd::spawn(home.warmd());
    wait_until("the daemon answers", 2 * PATIENCE, || home.ctl(&["status", "m9999"]).status.success());
    println!("measured: 10,000 models: until it answers: {:.1} s", watch.elapsed().as_secs_f64());
    wait_until("each had its heartbeat", 2 * PATIENCE, || {
        home.status()["models"].as_array().unwrap().iter().all(|model| model["last"].is_object())
    });
    println!("measured: 10,000 models: until each had its heartbeat: {:.1} s", watch.elapsed().as_secs_f64());
    let status = timed("status", &|| home.ctl(&["status"]));
    assert!(status.status.success() && text(&status.stdout).contains("10000 models"));
    home.write(&many(10_000, "timeout = \"9m\""));
    let reload = timed("reload", &|| home.ctl(&["reload"]));
    assert!(reload.status.success(), "{}", text(&reload.stderr));
    println!("measured: 10,000 models: memory: {:.0} MB", taken(&warmd).0 as f64 / 1e6);
    let stop = Stopwatch::start();
    assert!(warmd.stop().success());
    println!("measured: 10,000 models: stop: {:.1} s", stop.elapsed().as_secs_f64());
}

#[test]
fn ten_thousand_mistakes_are_told_and_what_runs_goes_on() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let warmd = home.start();
    let before = warmd.log().len();
    home.write(&many(10_000, "").replace("cog = ", "cogg = "));
    wait_until("they are told", PATIENCE, || {
        config_error(&home).as_str().is_some_and(|error| error.contains("more)"))
    });
    let refused = home.ctl(&["reload"]);
    assert_eq!(refused.status.code(), Some(78));
    let drawn = text(&refused.stderr);
    assert_eq!(drawn.matches("error: ").count(), 100, "the first hundred");
    assert!(drawn.contains("problems in ") && drawn.contains("the first 100 are shown"), "{drawn:.2000}");
    let all: Value = serde_json::from_slice(&home.ctl(&["reload", "--json"]).stdout).unwrap();
    assert!(all["problems"].as_array().unwrap().len() >= 10_000);
    let logged = warmd.log()[before..].iter().filter(|line| line.contains("\"ERROR\"")).count();
    assert!(logged < 3 * 1_500, "the log is not flooded: {logged} lines for three refusals");
    let asked = cogs.asked("llama").len();
    wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > asked + 1);
    assert!(warmd.stop().success());
}

/// Each of the files that a reload reads is a file when it is looked at, and a pipe when it is opened.
#[test]
fn files_that_turn_into_pipes_hold_up_no_reload() {
    let cogs = Cogs::start();
    let home = Home::at_trace("");
    let (token, hook) = (home.path("token"), home.path("hook"));
    for (path, held) in [(&token, TOKEN), (&hook, "http://127.0.0.1:9/x")] {
        fs::write(path, held).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }
    home.write(&format!(
        "{}token_file = \"{}\"\n[[alerts]]\nwebhook_file = \"{}\"\n",
        cogs.model("llama", EVERY_SECOND),
        token.display(),
        hook.display()
    ));
    let mut command = home.warmd();
    command.env("LD_PRELOAD", preloaded(&home, "swapped"));
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    for path in [token, hook, home.config()] {
        let beside = |extension: &str| path.with_added_extension(extension);
        fs::copy(&path, beside("kept")).unwrap();
        mkfifoat(CWD, beside("pipe"), Mode::RUSR).unwrap();
        for _ in 0..2 {
            let reload = home.ctl(&["reload"]);
            let error = text(&reload.stderr);
            let refused = reload.status.code() == Some(78) && error.contains("a pipe, a socket or a device");
            assert!(refused || reload.status.success(), "{}: {error}", path.display());
        }
        let _ = fs::remove_file(beside("pipe"));
        fs::rename(beside("kept"), &path).unwrap();
        wait_until("it is a file again", PATIENCE, || home.ctl(&["reload"]).status.success());
        assert!(config_error(&home).is_null());
    }
    let asked = cogs.asked("llama").len();
    wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > asked + 1);
    assert!(warmd.stop().success());
}

/// A library of this folder, to be preloaded.
fn preloaded(home: &Home, name: &str) -> PathBuf {
    let library = home.path(&format!("{name}.so"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/daemon/faults/{name}.c"));
    let mut cc = Command::new("cc");
    // The standard library asks for no path at all, to see what the system can do.
    cc.args(["-shared", "-fPIC", "-fno-delete-null-pointer-checks", "-o"]).arg(&library).arg(source);
    assert!(cc.status().unwrap().success());
    library
}

/// A file by that name hangs amid a reload, and comes back.
fn hangs_and_comes_back(name: &str) {
    let cogs = Cogs::start();
    let home = Home::at_trace("");
    fs::write(home.path("token"), TOKEN).unwrap();
    fs::set_permissions(home.path("token"), Permissions::from_mode(0o600)).unwrap();
    let file = |interval: &str| {
        let keys = format!("active = [\"always\"]\ninterval = \"{interval}\"");
        let token = format!("token_file = \"{}\"", home.path("token").display());
        home.write(&format!("{}{token}\n", cogs.model("llama", &keys)));
    };
    file("1s");
    let hung = home.path("hung");
    let mut command = home.warmd();
    command.env("LD_PRELOAD", preloaded(&home, "hung_drive")).env("HUNG_DRIVE", &hung).env("HUNG_NAME", name);
    let warmd = Warmd::spawn(command);
    wait_until("the daemon answers", PATIENCE, || home.ctl(&["status"]).status.success());
    File::create(&hung).unwrap();
    let hangs = Stopwatch::start();
    file("2s");
    let said = format!("reading {} has been going on for more than 10 s", home.path(name).display());
    wait_until("it is said", PATIENCE, || {
        config_error(&home).as_str().is_some_and(|error| error.contains(&said))
    });
    println!("measured: from the edit until it is said: {:?}", hangs.elapsed());
    warmd.tells(&["ERROR", &said]);
    assert!(text(&home.ctl(&["status"]).stdout).contains("has been going on"));
    let asked = cogs.asked("llama").len();
    wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > asked + 1);
    fs::remove_file(&hung).unwrap();
    home.model_when("llama", "taken up", |model| model["interval"] == 2.0);
    wait_until("it is taken back", PATIENCE, || config_error(&home).is_null());
    assert!(warmd.stop().success());
}

#[test]
fn a_configuration_that_hangs_is_said_and_taken_back() {
    hangs_and_comes_back("warm.toml");
}

#[test]
fn a_token_that_hangs_is_said_and_taken_back() {
    hangs_and_comes_back("token");
}

/// Once it hangs, whoever looks at the file is held for ever: the task that reads it, and its look.
#[test]
fn a_drive_that_hangs_under_the_file_holds_up_neither_the_others_nor_the_end() {
    let cogs = Cogs::start();
    let home = Home::at_trace(&cogs.model("llama", EVERY_SECOND));
    let good = fs::read_to_string(home.config()).unwrap();
    home.write_whole(&good.replace("shutdown_grace = \"5s\"", "shutdown_grace = \"1s\""));
    let (library, hung) = (preloaded(&home, "hung_drive"), home.path("hung"));
    let mut command = home.warmd();
    command.env("LD_PRELOAD", &library).env("HUNG_DRIVE", &hung);
    let mut warmd = Warmd::spawn(command);
    let heartbeats_go_on = || {
        let asked = cogs.asked("llama").len();
        wait_until("heartbeats go on", PATIENCE, || cogs.asked("llama").len() > asked + 2);
    };
    heartbeats_go_on();

    File::create(&hung).unwrap();
    let hangs = Stopwatch::start();
    let held = || fs::read_to_string(&hung).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    File::options().append(true).open(home.config()).unwrap().write_all(b"# edited\n").unwrap();
    wait_until("who reads it is held", PATIENCE, || !held().is_empty());
    println!("measured: from the edit to being held: {:?}", hangs.elapsed());
    wait_until("and the look", PATIENCE, || held().len() == 2);
    println!("measured: held are {:?}, after {:?}", held(), hangs.elapsed());
    let since = cogs.asked("llama").len();
    heartbeats_go_on();
    let asking = Stopwatch::start();
    assert_eq!(home.model("llama")["state"], "warm");
    assert!(home.ctl(&["pause", "llama"]).status.success());
    home.model_when("llama", "paused", |model| model["state"] == "paused");
    assert!(home.ctl(&["resume", "llama"]).status.success());
    home.model_when("llama", "warm again", |model| model["state"] == "warm");
    println!("measured: three times status, pause and resume: {:?}", asking.elapsed());
    // That is for the looks' thread to see, which goes on by itself.
    let lost = Stopwatch::start();
    fs::remove_file(home.path("warmd.sock")).unwrap();
    wait_until("the socket is made again", PATIENCE, || home.ctl(&["status"]).status.success());
    println!("measured: until the socket is made again: {:?}", lost.elapsed());
    heartbeats_go_on();
    assert_eq!(held().len(), 2, "nobody else has looked at it");
    let asked = cogs.asked("llama");
    let gaps = asked[since..].windows(2).map(|two| (two[1] - two[0]).as_seconds_f64());
    println!("measured: the longest gap between heartbeats: {:.1} s", gaps.fold(0.0, f64::max));

    let ending = Stopwatch::start();
    warmd.signal("-TERM");
    let ended = warmd.ended();
    println!("measured: from SIGTERM to the end, {ended}: {:?}", ending.elapsed());
    assert!(ended.success(), "nothing is lost: {ended}");
    // Nobody beats any more: what there was is in the file.
    let asked = cogs.asked("llama").len() as u64;
    let warmd = home.start();
    let counted = |model: &Value| {
        ["warm", "cold", "busy", "failed"]
            .iter()
            .map(|outcome| model["counts"][*outcome].as_u64().unwrap())
            .sum::<u64>()
    };
    let counts = counted(&home.model("llama"));
    println!("measured: {asked} heartbeats before, {counts} counted after the next start");
    assert!(counts >= asked, "{counts} of {asked}");
    assert!(warmd.stop().success());
}
