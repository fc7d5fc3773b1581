//! Python with packages of the tests' own, as judges of what is written here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The Python of a virtual environment that has `package`; made once, under `target/`.
pub(crate) fn python_with(package: &str) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("pyclient");
    let ready = home.join(package.replace("==", "-"));
    if !ready.exists() {
        fs::create_dir_all(&home).unwrap();
        // Another test may be at the same: whoever is first wins.
        let thread = format!("{:?}", std::thread::current().id());
        let making = home.join(format!(".{}-{thread}-{}", std::process::id(), package.replace("==", "-")));
        let install =
            "install python3 (3.8 or newer) with its venv module, on Debian python3 and python3-venv";
        must(Command::new("python3").args(["-m", "venv"]).arg(&making), install);
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package];
        must(Command::new(making.join("bin/python")).args(pip), "pip must reach a package index");
        if fs::rename(&making, &ready).is_err() {
            fs::remove_dir_all(&making).unwrap();
        }
    }
    ready.join("bin/python")
}

fn must(command: &mut Command, hint: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; {hint}"));
    assert!(output.status.success(), "{command:?}: {}; {hint}", text(&output));
}

/// All that it said.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
