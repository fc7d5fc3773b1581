//! What is wrong with a `warm.toml`, and where: the shape in which `check`, the daemon's log and
//! `reload` tell it.

use super::render::{self, Drawing};
use super::secret;
use crate::quote;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One thing that is wrong, or worth a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// From 1; 1 too for what has no place in the file.
    pub line: u32,
    /// From 1, in characters; 1 too for what has no place in the file.
    pub column: u32,
    /// The key it is about, from the top: `models.sdxl.interval`; empty where it is about none.
    pub key: String,
    /// What is wrong, what is accepted, and the nearest right spelling.
    pub message: String,
    /// Whether it keeps the file from being used.
    #[serde(skip)]
    pub severity: Severity,
    /// The bytes of the file it is about; empty for what has no place in the file.
    #[serde(skip)]
    pub span: Range<usize>,
    /// How it is drawn; none beyond the first [`render::DRAWN`], or where it came over a wire.
    #[serde(skip)]
    pub(super) drawing: Option<Box<Drawing>>,
}

/// How grave a [`Problem`] is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The file can't be used.
    #[default]
    Error,
    /// It can be used; somebody should know.
    Warning,
}

/// Every error of a file, in the file's order; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problem {
    /// A problem of a whole file: it can't be read, or there is nothing in it.
    pub(super) fn of_file(file: &str, place: (u32, u32), message: &str) -> Self {
        Self {
            file: quote::whole(file).into(),
            line: place.0,
            column: place.1,
            key: String::new(),
            message: shown(message),
            severity: Severity::Error,
            span: 0..0,
            drawing: None,
        }
    }

    /// What has no place in the file.
    pub fn placeless(file: &str, key: &str, severity: Severity, message: &str) -> Self {
        let problem = Self::of_file(file, (1, 1), message);
        let title = problem.message.clone();
        let drawing = Drawing { title, excerpt: None, other: None, help: None, accepted: None };
        Self { key: shown(key), severity, drawing: Some(Box::new(drawing)), ..problem }
    }

    /// The same place, with something else to say of it.
    pub(super) fn saying(&self, severity: Severity, message: &str) -> Self {
        let mut told = Self { message: shown(message), severity, ..self.clone() };
        if let Some(drawing) = &mut told.drawing {
            drawing.title.clone_from(&told.message);
        }
        told
    }
}

/// A text as every form of a problem has it: on one line, without secrets.
pub(super) fn shown(text: &str) -> String {
    quote::whole(&secret::redact(text))
}

impl fmt::Display for Problem {
    /// One line: `warm.toml:3:1: unknown key …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl Problems {
    /// A single one.
    pub(super) fn one(problem: Problem) -> Self {
        Self(vec![problem])
    }

    /// Draws the first hundred, each with its line of the file and a caret under the key, and tells
    /// how many there are. `width` is the terminal's, in columns.
    pub fn render(&self, color: bool, width: usize) -> String {
        let text = render::draw(&self.0, color, width);
        let file = self.0.first().map_or("", |problem| &problem.file);
        let count = match self.0.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        let rest = match self.0.len().saturating_sub(render::DRAWN) {
            0 => String::new(),
            _ => format!("; the first {} are shown, --json tells all", render::DRAWN),
        };
        text + &count + " in " + file + &rest + "\n"
    }
}

impl fmt::Display for Problems {
    /// One line: the first, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => f.write_str("no problems"),
            [only] => only.fmt(f),
            [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
        }
    }
}

impl std::error::Error for Problems {}
