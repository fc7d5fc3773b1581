//! How problems are drawn: the line of the file, a caret under the key, help below.
//!
//! What is drawn here was cut from a text whose secrets are under stars already.

use super::problem::{Problem, Severity};
use crate::quote;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// How many problems are drawn; more would scroll the first ones away.
pub const DRAWN: usize = 100;

/// What is drawn of a problem beyond its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drawing {
    /// What is wrong, without what helps.
    pub(super) title: String,
    /// The line it is on; none for what has no place in the file.
    pub(super) excerpt: Option<Excerpt>,
    /// Another place that it is about, and what is there.
    pub(super) other: Option<(Excerpt, String)>,
    /// The nearest right spelling, or what to write.
    pub(super) help: Option<String>,
    /// What is accepted there.
    pub(super) accepted: Option<String>,
}

/// A line of the file, or the part of it around the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// Its number, from 1.
    pub(super) line: u32,
    /// The column of the caret in the file, where the part does not tell it.
    pub(super) column: Option<u32>,
    /// What of it is shown.
    pub(super) text: String,
    /// What the carets stand under, in bytes of `text`.
    pub(super) caret: Range<usize>,
    /// What is underlined besides: the value of the key.
    pub(super) value: Option<Range<usize>>,
}

/// The most of a line that is shown, in bytes: what fits a wide terminal.
const LINE_LIMIT: usize = 400;
/// How much of a longer line is shown before the caret, in bytes.
const BEFORE: usize = 60;

impl Excerpt {
    /// The line `range` of `text`, or the part around the caret where it is long. The spans are of
    /// `text`; what of them lies on other lines is left out.
    pub(super) fn new(
        text: &str,
        range: Range<usize>,
        place: (u32, u32),
        caret: &Range<usize>,
        value: Option<&Range<usize>>,
    ) -> Self {
        let floor = |offset| super::locate::floor(text, offset);
        let long = range.len() > LINE_LIMIT;
        let part = if long {
            let from = floor(caret.start.saturating_sub(BEFORE)).max(range.start);
            from..floor(from + LINE_LIMIT).min(range.end)
        } else {
            range
        };
        let ellipsis = if long { "…" } else { "" };
        let within = |span: &Range<usize>| {
            let start = span.start.clamp(part.start, part.end);
            let end = span.end.clamp(start, part.end);
            start - part.start + ellipsis.len()..end - part.start + ellipsis.len()
        };
        Self {
            line: place.0,
            column: long.then_some(place.1),
            text: format!("{ellipsis}{}{ellipsis}", quote::in_place(&text[part.clone()])),
            caret: within(caret),
            value: value.map(within).filter(|value| !value.is_empty()),
        }
    }

    fn snippet<'a>(
        &'a self,
        file: &'a str,
        label: Option<&'a str>,
    ) -> (Option<Origin<'a>>, Snippet<'a, annotate_snippets::Annotation<'a>>) {
        let line = self.line as usize;
        let kind = if label.is_some() { AnnotationKind::Context } else { AnnotationKind::Primary };
        let snippet = Snippet::source(self.text.as_str())
            .line_start(line)
            .annotation(kind.span(self.caret.clone()).label(label))
            .annotations(self.value.clone().map(|value| AnnotationKind::Context.span(value)));
        match self.column {
            // A part of a line: the column in the file is not the one in the part.
            Some(column) => (Some(Origin::path(file).line(line).char_column(column as usize)), snippet),
            None => (None, snippet.path(file)),
        }
    }
}

/// Draws the first [`DRAWN`] of them.
pub fn draw(problems: &[Problem], color: bool, width: usize) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.hyperlink(false).term_width(width.max(40));
    let mut text = String::new();
    for problem in problems.iter().take(DRAWN) {
        text.push_str(&renderer.render(&[group(problem)]));
        text.push_str("\n\n");
    }
    text
}

fn group(problem: &Problem) -> Group<'_> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let Some(drawing) = problem.drawing.as_deref() else {
        let origin =
            Origin::path(&*problem.file).line(problem.line as usize).char_column(problem.column as usize);
        return level.primary_title(problem.message.as_str()).element(origin);
    };
    let mut group = Group::with_title(level.primary_title(drawing.title.as_str()));
    match &drawing.excerpt {
        Some(excerpt) => {
            let (origin, snippet) = excerpt.snippet(&problem.file, None);
            group = group.elements(origin).element(snippet);
        }
        None => group = group.element(Origin::path(&*problem.file)),
    }
    if let Some((excerpt, label)) = &drawing.other {
        let (origin, snippet) = excerpt.snippet(&problem.file, Some(label));
        group = group.elements(origin).element(snippet);
    }
    if let Some(help) = &drawing.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    if let Some(accepted) = &drawing.accepted {
        group = group.element(Level::NOTE.message(format!("accepted here: {accepted}")));
    }
    group
}
