//! The manual pages and the shells' completions: as the programs' own command lines have them. After a
//! change of those: `UPDATE=1 cargo test --test manual`.

#![expect(clippy::unwrap_used, reason = "a test ends where what it rests on is not so")]

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use warmd::config::{Env, check_text};
use warmd::hours::zone::Zones;

/// Files by their names, as they are to be.
type Files = BTreeMap<String, String>;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

/// What each rendered part begins with, and a page needs once: the quotation mark's name.
const QUOTES: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// What was written by hand for a page, with places for what the command line says.
fn by_hand(file: &str) -> String {
    let folder = folder("man/by-hand");
    let own = fs::read_to_string(folder.join(file));
    own.unwrap_or_else(|_| fs::read_to_string(folder.join("default")).unwrap())
}

fn page(command: &Command, section: &str) -> (String, String) {
    let file = format!("{}.{section}", command.get_display_name().unwrap_or(command.get_name()));
    // `Usage: warmctl beat [OPTIONS] <MODEL>`: clearer than all of its flags in a row.
    let usage = command.clone().render_usage().to_string();
    let about = command.get_about().unwrap().to_string();
    let (first, rest) = about.split_at(1);
    let command = command
        .clone()
        .override_usage(usage.trim_start_matches("Usage: ").to_owned())
        .about(first.to_lowercase() + rest);
    // No date and no version: a page changes when what it says changes.
    let title = file.trim_end_matches(&format!(".{section}")).to_uppercase();
    // Names are not to be taken apart at the ends of lines.
    let head = format!("{QUOTES}.TH {title} {section} \"\" warmd warmd\n.nh\n.ad l\n");
    let man = Man::new(command.clone());
    let written = |render: fn(&Man, &mut dyn Write) -> io::Result<()>| {
        let mut text = Vec::new();
        render(&man, &mut text).unwrap();
        String::from_utf8(text).unwrap().replace(QUOTES, "")
    };
    let name = written(Man::render_name_section) + &written(Man::render_synopsis_section);
    let body = by_hand(&file)
        .replace("@OPTIONS@\n", &written(Man::render_options_section))
        .replace("@VERBS@\n", &written(Man::render_subcommands_section))
        .replace("@NOTES@\n", &notes(&command));
    (file, head + &name + &body)
}

/// What stands under the flags of the help: paragraphs, commands and words explained.
fn notes(command: &Command) -> String {
    let Some(help) = command.get_after_help() else { return String::new() };
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    for line in help.to_string().lines() {
        let text = line.trim_start();
        match (line.len() - text.len(), text.split_once("  ")) {
            (0, _) if text.is_empty() => continue,
            (0, _) => roff.control("PP", []).text([roman(text)]),
            (4, Some((word, told))) => {
                roff.control("TP", []).text([bold(word)]).text([roman(told.trim_start())])
            }
            _ => roff
                .control("PP", [])
                .control("RS", [])
                .control("nf", [])
                .text([roman(text)])
                .control("fi", [])
                .control("RE", []),
        };
    }
    roff.to_roff()
}

fn pages() -> Files {
    let mut warmd = warmd::daemon::cli::Args::command();
    let mut warmctl = warmd::ctl::command().disable_help_subcommand(true);
    warmd.build();
    warmctl.build();
    let mut pages = Files::from([page(&warmd, "8"), page(&warmctl, "1")]);
    pages.extend(warmctl.get_subcommands().map(|verb| page(verb, "1")));
    pages
}

fn completions() -> Files {
    let mut files = Files::new();
    for (name, mut command) in
        [("warmd", warmd::daemon::cli::Args::command()), ("warmctl", warmd::ctl::command())]
    {
        for (shell, file) in [
            (Shell::Bash, format!("{name}.bash")),
            (Shell::Zsh, format!("_{name}")),
            (Shell::Fish, format!("{name}.fish")),
        ] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, name, &mut script);
            files.insert(file, String::from_utf8(script).unwrap());
        }
    }
    files
}

/// Holds a folder to what it is to be, or writes it.
fn assert_kept(folder: &Path, files: &Files, by_hand: &[&str]) {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = String::new();
    for (name, text) in files {
        let path = folder.join(name);
        if update {
            fs::write(path, text).unwrap();
        } else if fs::read_to_string(path).ok().as_ref() != Some(text) {
            let _ = writeln!(wrong, "{name} is not what the command line says");
        }
    }
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_file()
            && !files.contains_key(&name)
            && !by_hand.contains(&name.as_str())
        {
            let _ = writeln!(wrong, "{name} is of no command");
        }
    }
    assert!(
        wrong.is_empty(),
        "{}:\n{wrong}after a look at it: UPDATE=1 cargo test --test manual",
        folder.display()
    );
}

#[test]
fn the_pages_are_those_of_the_command_lines() {
    assert_kept(&folder("man"), &pages(), &["warm.toml.5"]);
}

#[test]
fn the_completions_are_those_of_the_command_lines() {
    assert_kept(&folder("completions"), &completions(), &[]);
}

/// The page on `warm.toml`, which is written by hand.
fn warm_toml() -> String {
    let page = fs::read_to_string(folder("man/warm.toml.5")).unwrap();
    page.replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
}

/// Its sections by name, each with its keys, and their defaults where they have any.
fn told() -> BTreeMap<String, Vec<(String, Option<String>)>> {
    let page = warm_toml();
    let mut told = BTreeMap::new();
    for section in page.split(".SS \"[").skip(1) {
        let (name, rest) = section.split_once("]\"").unwrap();
        let rest = rest.split("\n.SH ").next().unwrap();
        let heads = rest.split(".TP\n").skip(1).map(|entry| entry.lines().next().unwrap());
        let keys = heads.flat_map(|head| match head.split_once(" = ") {
            Some((key, value)) => vec![(key.to_owned(), Some(value.to_owned()))],
            None => head.split(", ").map(|key| (key.to_owned(), None)).collect(),
        });
        told.insert(name.to_owned(), keys.collect());
    }
    told
}

fn check(text: &str) -> Result<warmd::config::Config, String> {
    // Where the service runs.
    let env = Env::from([("RUNTIME_DIRECTORY", "/run/warmd"), ("STATE_DIRECTORY", "/var/lib/warmd")]);
    let checked = check_text(Path::new("warm.toml"), text, &env, &Zones::built_in());
    checked.map(|loaded| loaded.config).map_err(|problems| problems.render(false, 1_000))
}

#[test]
fn the_page_on_warm_toml_has_every_key() {
    for (section, keys) in told() {
        let refused = check(&format!("[{section}]\nno-such-key = 1\n")).unwrap_err();
        let accepted = refused.split("accepted here: ").nth(1).unwrap().lines().next().unwrap();
        let accepted: BTreeSet<_> = accepted.split(", ").collect();
        let told: BTreeSet<_> = keys.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(told, accepted, "[{section}]");
    }
    assert_eq!(told().len(), 6, "a section is missing");
}

#[test]
fn the_page_on_warm_toml_has_the_right_defaults() {
    let model = "[models.NAME]\ncog = \"http://box\"\nactive = [\"always\"]\n";
    let mut whole = model.to_owned();
    for (section, keys) in told() {
        if section == "[alerts]" {
            let defaults: String = keys
                .iter()
                .filter_map(|(key, value)| Some(format!("{key} = {}\n", value.as_ref()?)))
                .collect();
            let alert = format!("{model}[[alerts]]\nwebhook = \"http://box\"\n");
            assert_eq!(check(&format!("{alert}{defaults}")), check(&alert), "{defaults}");
            continue;
        }
        if section != "models.NAME" {
            let _ = writeln!(whole, "[{section}]");
        }
        for (key, value) in keys {
            if let Some(value) = value {
                let line = format!("{key} = {value}\n");
                match section.as_str() {
                    "models.NAME" => whole.insert_str(model.len(), &line),
                    _ => whole.push_str(&line),
                }
            }
        }
    }
    let whole = whole.replace("[hours.NAME]\n", "");
    assert!(whole.matches(" = ").count() > 15, "{whole}");
    assert_eq!(check(&whole), check(model), "{whole}");
}

#[test]
fn the_examples_on_the_page_pass_the_check() {
    let page = warm_toml();
    let examples: Vec<_> =
        page.split(".nf\n").skip(1).map(|rest| rest.split(".fi").next().unwrap()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        check(example).unwrap();
    }
}
