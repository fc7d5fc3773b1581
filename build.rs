//! Tells the program which commit it is built from, where it is built from a clone.

use std::path::Path;
use std::process::Command;

fn main() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // Of this folder's own repository, not of one that it was unpacked into.
    let is_clone = Path::new(".git").exists();
    let revision = is_clone.then(|| git(&["rev-parse", "--short=12", "HEAD"])).flatten();
    println!("cargo:rustc-env=WARMD_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    println!("cargo:rerun-if-changed=build.rs");
    // Each commit, checkout and reset is a line of it.
    if let Some(log) =
        git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| is_clone && Path::new(log).exists())
    {
        println!("cargo:rerun-if-changed={log}");
    }
}
