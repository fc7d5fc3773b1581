//! The README keeps its word: its TOML passes `warmctl check`, its commands and files exist, and the
//! exit codes are those of its table.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

const README: &str = include_str!("../README.md");

/// The contents of the fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = README.lines();
    while let Some(line) = lines.next() {
        if line == format!("```{language}") {
            let inside: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(inside.join("\n") + "\n");
        }
    }
    blocks
}

/// Every command that the README shows: the lines of its shell blocks, and what stands in backticks.
fn commands() -> Vec<Vec<String>> {
    let shell = blocks("sh").concat();
    // A remark may tell of a command, too: `# and: warmctl resume --all`.
    let shown =
        shell.lines().flat_map(|line| line.split(['#', ';']).map(|part| part.trim_start_matches(" and:")));
    let prose = README.split("```").step_by(2).flat_map(|text| text.split('`').skip(1).step_by(2));
    shown
        .chain(prose)
        .map(|command| command.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|words| !words.is_empty())
        .collect()
}

fn warmctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_warmctl"))
        .args(arguments)
        .env_remove("WARMD_CONFIG")
        .env_remove("WARMD_SOCKET")
        .env_remove("XDG_RUNTIME_DIR")
        .output()
        .expect("warmctl was built for this test")
}

fn text(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// Whether a help text has each flag among `words`.
fn assert_flags(words: &[String], help: &str) {
    let known: BTreeSet<&str> = help
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| word.starts_with('-'))
        .collect();
    for flag in words.iter().filter(|word| word.starts_with("--") && word.len() > 2) {
        assert!(known.contains(flag.as_str()), "`{}`: {flag} is not in\n{help}", words.join(" "));
    }
}

#[test]
fn its_toml_passes_the_check() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let examples = blocks("toml");
    assert!(examples.len() >= 2, "the examples are gone");
    for example in examples {
        let file = folder.path().join("warm.toml");
        std::fs::write(&file, &example).expect("a temporary folder takes a file");
        let output = warmctl(&["check", &file.to_string_lossy()]);
        assert!(output.status.success(), "{example}\n{}", text(&output));
    }
}

#[test]
fn its_warmctl_commands_exist() {
    let mut verbs = BTreeSet::new();
    for command in commands() {
        let Some(at) = command.iter().position(|word| word == "warmctl") else { continue };
        if at > 0 && command[0] != "sudo" {
            continue; // `install … warmctl …`
        }
        let words = &command[at + 1..];
        let verb = words.first().filter(|word| !word.starts_with('-'));
        let help = match verb {
            Some(verb) => warmctl(&[verb, "--help"]),
            None => warmctl(&["--help"]),
        };
        assert!(help.status.success(), "`{}`: {}", command.join(" "), text(&help));
        assert_flags(words, &text(&help));
        verbs.extend(verb.cloned());
    }
    for verb in ["status", "check", "next", "beat", "pause", "resume", "sandbox"] {
        assert!(verbs.contains(verb), "the README shows no `warmctl {verb}`");
    }
}

#[test]
fn its_first_command_exists() {
    let first = &commands()[0];
    let arguments = first.iter().position(|word| word == "--").map(|at| &first[at + 1..]).unwrap_or_default();
    assert_eq!(first[..3], ["cargo", "run", "--release"]);
    assert!(arguments.iter().any(|word| word == "--demo"), "{first:?}");
    let help = Command::new(env!("CARGO_BIN_EXE_warmd")).arg("--help").output().expect("warmd was built");
    assert_flags(arguments, &text(&help));
}

#[test]
fn its_files_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let links = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let linked = links.filter(|link| !link.contains("://")).map(str::to_owned);
    let shown = commands().into_iter().flatten().filter(|word| {
        ["systemd/", "tests/"].iter().any(|folder| word.starts_with(folder)) && !word.ends_with('/')
    });
    let files: BTreeSet<String> = linked.chain(shown).collect();
    for file in ["warm.toml", "tests/run", "systemd/warmd.service", "systemd/warmd.sysusers"] {
        assert!(files.contains(file), "the README names no {file}");
    }
    for file in files {
        assert!(root.join(&file).is_file(), "{file} is named, and not there");
    }
}

#[test]
fn its_exit_codes_are_those_that_come() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let missing = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let told: Vec<&str> =
        README.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()).collect();
    for (code, arguments) in [
        (0, vec!["--help".to_owned()]),
        (2, vec!["no-such-verb".to_owned()]),
        (69, vec!["--socket".to_owned(), missing("none.sock"), "status".to_owned()]),
        (78, vec!["check".to_owned(), missing("none.toml")]),
    ] {
        let output = warmctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(code), "warmctl {arguments:?}: {}", text(&output));
        assert!(told.contains(&code.to_string().as_str()), "the README does not tell of {code}");
    }
}

#[test]
fn its_status_has_the_columns_of_a_status() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = Command::new(env!("CARGO_BIN_EXE_warmd"))
        .args(["--demo", "--for", "3s"])
        .env("TMPDIR", folder.path())
        .output()
        .expect("warmd was built");
    let shown = text(&demo);
    let heading = shown.lines().find(|line| line.starts_with("MODEL ")).unwrap_or_else(|| panic!("{shown}"));
    let columns = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let told = README.lines().find(|line| line.starts_with("MODEL ")).map(columns);
    assert_eq!(told, Some(columns(heading)), "the README shows another table");
}
