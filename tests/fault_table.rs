//! `docs/faults.md` against the tests: each row names tests that are there, and each test of a fault has
//! its row.

#![expect(clippy::unwrap_used, reason = "a test ends where what it rests on is not so")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A row's cells, outside of headers.
struct Row {
    line: usize,
    cells: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rows() -> Vec<Row> {
    let table = fs::read_to_string(root().join("docs/faults.md")).unwrap();
    let lines = (1..).zip(table.lines()).filter(|(_, line)| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
    lines
        .filter(|(_, line)| !line.starts_with("| Fault |") && !line.starts_with("|---"))
        .map(|(line, text)| Row { line, cells: cells(text) })
        .collect()
}

/// The tests that a cell names in backticks, by their paths: `daemon::faults::disk::a_full_disk` is in
/// `tests/daemon/faults/disk.rs`, `warmd::pace::tests::…` in the library.
fn named(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether a file has a function of that name; a test that is made for several servers has no mark.
fn has(file: &Path, name: &str) -> bool {
    fs::read_to_string(file).unwrap_or_default().contains(&format!("fn {name}("))
}

/// The tests of one file, by name.
fn tests_in(file: &Path) -> Vec<String> {
    let source = fs::read_to_string(file).unwrap_or_default();
    let mut marked = false;
    let mut found = Vec::new();
    for line in source.lines().map(str::trim) {
        marked = marked || line == "#[test]" || line.starts_with("#[tokio::test");
        let after = line.split_once("fn ").filter(|(before, _)| before.is_empty() || *before == "async ");
        if let (true, Some((_, rest))) = (marked, after) {
            found.push(rest.split('(').next().unwrap().to_owned());
            marked = false;
        }
    }
    found
}

/// The modules in a folder and in those beneath, by their paths.
fn modules_in(folder: &Path, path: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let module = format!("{path}::{}", entry.file_stem().unwrap().to_str().unwrap());
        if entry.is_dir() {
            found.extend(modules_in(&entry, &module));
        } else {
            found.push((module, entry));
        }
    }
    found
}

/// Where the test of that path may stand.
fn files(modules: &[&str]) -> Vec<PathBuf> {
    let (folder, inner) = match modules.split_first() {
        Some((&"warmd", inner)) => (root().join("src"), inner),
        _ => (root().join("tests"), modules),
    };
    let inner = match inner.split_last() {
        // A module at the end of its file, or a file of its own.
        Some((&"tests", outer)) => vec![outer.to_vec(), inner.to_vec()],
        _ => vec![inner.to_vec()],
    };
    let mut files = Vec::new();
    for path in inner {
        let path = folder.join(path.join("/"));
        files.extend([path.with_extension("rs"), path.join("main.rs")]);
    }
    files
}

#[test]
fn every_row_names_tests_that_are_there() {
    let rows = rows();
    assert!(!rows.is_empty());
    let mut wrong = Vec::new();
    for row in &rows {
        if row.cells.len() != 4 || row.cells.iter().any(String::is_empty) {
            wrong.push(format!("line {}: not four full cells", row.line));
            continue;
        }
        let tests = named(&row.cells[3]);
        if tests.is_empty() {
            wrong.push(format!("line {}: names no test", row.line));
        }
        for test in tests {
            let path: Vec<&str> = test.split("::").collect();
            let (name, modules) = path.split_last().unwrap();
            if !files(modules).iter().any(|file| has(file, name)) {
                wrong.push(format!("line {}: there is no test {test}", row.line));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/faults.md:\n{}", wrong.join("\n"));
}

#[test]
fn every_test_of_a_fault_has_its_row() {
    let named: BTreeSet<String> = rows().iter().flat_map(|row| named(row.cells.last().unwrap())).collect();
    let mut missing = Vec::new();
    let mut seen = 0;
    for (module, file) in modules_in(&root().join("tests/daemon/faults"), "daemon::faults") {
        let tests = tests_in(&file).into_iter().map(|test| format!("{module}::{test}"));
        missing.extend(tests.inspect(|_| seen += 1).filter(|test| !named.contains(test)));
    }
    assert!(seen > 100, "{seen} tests seen");
    assert!(missing.is_empty(), "docs/faults.md has no row for:\n{}", missing.join("\n"));
}
