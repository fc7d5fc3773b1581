//! Where problems are gathered while a file is walked, and turned into what is shown in the end.

use super::locate::Lines;
use super::mend::Mended;
use super::nearest::Speller;
use super::problem::{Problem, Problems, Severity, shown};
use super::render::{DRAWN, Drawing, Excerpt};
use super::secret;
use crate::quote;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

/// The longest piece of a file that a message repeats, in characters.
const ECHO_LIMIT: usize = 60;

/// One problem as it was found: spans, and texts without places.
#[derive(Debug)]
pub(super) struct Finding {
    severity: Severity,
    /// The key it is about, from the top.
    key: String,
    /// Where the caret goes; none for what has no place in the file.
    span: Option<Range<usize>>,
    /// What else of the line is underlined.
    value: Option<Range<usize>>,
    title: String,
    help: Option<String>,
    accepted: Option<String>,
    other: Option<(Range<usize>, String)>,
}

impl Finding {
    /// What keeps the file from being used.
    pub(super) fn error(key: impl Into<String>, span: Range<usize>, title: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            key: key.into(),
            span: Some(span),
            value: None,
            title: title.into(),
            help: None,
            accepted: None,
            other: None,
        }
    }

    /// What somebody should know.
    pub(super) fn warning(key: impl Into<String>, span: Range<usize>, title: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(key, span, title) }
    }

    /// What lies outside the file: in a variable of the environment, say.
    pub(super) fn placeless(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self { span: None, ..Self::error(key, 0..0, title) }
    }

    /// Underlines the value too.
    pub(super) fn value(self, value: Range<usize>) -> Self {
        Self { value: Some(value), ..self }
    }

    /// What to write instead.
    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// What may stand there.
    pub(super) fn accepted(self, accepted: impl Into<String>) -> Self {
        Self { accepted: Some(accepted.into()), ..self }
    }

    /// Another place it is about; its line is added to the title.
    pub(super) fn other(self, span: Range<usize>, label: impl Into<String>) -> Self {
        Self { other: Some((span, label.into())), ..self }
    }
}

/// Gathers findings, whose spans are the mended text's, and turns them to the source's.
#[derive(Debug)]
pub(super) struct Report<'a> {
    mended: &'a Mended,
    /// The mended text with its secrets under stars: what messages repeat comes from here.
    masked: String,
    findings: Vec<Finding>,
    /// Where tokens are named, for what their places turn out to hold.
    tokens: Vec<Finding>,
    /// What of the source is to be hidden beyond what the text alone tells.
    hidden: Vec<Range<usize>>,
    /// Where the source's syntax is broken, sorted.
    broken: BTreeSet<usize>,
    /// Suggests spellings.
    pub(super) speller: Speller,
}

impl<'a> Report<'a> {
    pub(super) fn new(mended: &'a Mended) -> Self {
        Self {
            mended,
            masked: secret::mask(mended.text(), &[]),
            findings: Vec::new(),
            tokens: Vec::new(),
            hidden: Vec::new(),
            broken: BTreeSet::new(),
            speller: Speller::new(),
        }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        let finding = self.placed(finding);
        self.findings.push(finding);
    }

    /// Notes where a token is named: `finding` has a key and spans, and says nothing yet.
    pub(super) fn add_token(&mut self, finding: Finding) {
        let finding = self.placed(finding);
        self.tokens.push(finding);
    }

    /// A finding whose spans are the source's.
    fn placed(&self, finding: Finding) -> Finding {
        let original = |span: Range<usize>| self.original(&span);
        Finding {
            span: finding.span.map(original),
            value: finding.value.map(original),
            other: finding.other.map(|(span, label)| (original(span), label)),
            ..finding
        }
    }

    /// Adds a finding whose spans are the source's, and whose place is broken.
    pub(super) fn add_in_source(&mut self, finding: Finding) {
        self.broken.extend(finding.span.as_ref().map(|span| span.start));
        self.findings.push(finding);
    }

    /// Notes that what is in a span could not be read.
    pub(super) fn add_broken(&mut self, span: &Range<usize>) {
        self.broken.insert(self.mended.original(span.start));
    }

    /// Whether something in a span could not be read: it has been told already, and what seems to be
    /// missing there may have been meant.
    pub(super) fn is_broken(&self, span: &Range<usize>) -> bool {
        let span = self.original(span);
        self.broken.range(span.start..=span.end).next().is_some()
    }

    /// Draws a span under stars.
    pub(super) fn hide(&mut self, span: &Range<usize>) {
        self.hidden.push(self.original(span));
    }

    /// A piece of the file for a message, in one line, without secrets, and cut where it is long.
    pub(super) fn echo(&self, span: &Range<usize>) -> String {
        echo(self.masked.get(span.clone()).unwrap_or_default())
    }

    /// The mended text, its secrets under stars.
    pub(super) fn masked(&self) -> &str {
        &self.masked
    }

    fn original(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.mended.original(span.start);
        start..self.mended.original(span.end).max(start)
    }

    /// The errors, the warnings and where tokens are named, each in the file's order.
    pub(super) fn finish(mut self, file: &str) -> (Option<Problems>, Vec<Problem>, Vec<Problem>) {
        let source = self.mended.source();
        let masked = secret::mask(source, &self.hidden);
        let secrets = secret::bodies(source);
        self.findings.sort_by_key(|finding| finding.span.as_ref().map_or(0, |span| span.start));
        let file: Arc<str> = quote::whole(file).into();
        let mut lines = Lines::new(source);
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for finding in self.findings {
            let list = match finding.severity {
                Severity::Error => &mut errors,
                Severity::Warning => &mut warnings,
            };
            let drawn = list.len() < DRAWN;
            list.push(problem(finding, &file, (&masked, &secrets), &mut lines, drawn));
        }
        let errors = if errors.is_empty() { None } else { Some(Problems(errors)) };
        let tokens = self.tokens.into_iter().enumerate();
        let shown = (masked.as_str(), secrets.as_slice());
        let tokens = tokens.map(|(n, token)| problem(token, &file, shown, &mut lines, n < DRAWN)).collect();
        (errors, warnings, tokens)
    }
}

/// As it is shown: drawn from the `masked` source, without its `secrets`.
fn problem(
    finding: Finding,
    file: &Arc<str>,
    (masked, secrets): (&str, &[&str]),
    lines: &mut Lines<'_>,
    drawn: bool,
) -> Problem {
    let span = finding.span;
    let place = span.as_ref().map(|span| lines.place(span.start));
    let (line, column) = place.map_or((1, 1), |place| (place.line, place.column));
    let other = finding.other;
    let tidy = |text: String| shown(&secret::without(text, secrets));
    let mut title = tidy(finding.title);
    if let Some((other, label)) = &other {
        title = format!("{title} ({label} in line {})", lines.number(other.start));
    }
    let (help, accepted) = (finding.help.map(tidy), finding.accepted.map(tidy));
    let mut message = title.clone();
    if let Some(help) = &help {
        message = format!("{message}; {help}");
    }
    if let Some(accepted) = &accepted {
        let joint = if message.ends_with('?') { "" } else { ";" };
        message = format!("{message}{joint} accepted here: {accepted}");
    }
    let drawing = drawn.then(|| {
        let excerpt = span.as_ref().map(|span| {
            Excerpt::new(masked, lines.range(span.start), (line, column), span, finding.value.as_ref())
        });
        let other = other.map(|(other, label)| {
            let place = lines.place(other.start);
            let range = lines.range(other.start);
            (Excerpt::new(masked, range, (place.line, place.column), &other, None), label)
        });
        Box::new(Drawing { title, excerpt, other, help, accepted })
    });
    Problem {
        file: file.clone(),
        line,
        column,
        key: tidy(secret::mask(&finding.key, &[])),
        message,
        severity: finding.severity,
        span: span.unwrap_or(0..0),
        drawing,
    }
}

/// A text for a message: in one line, and cut where it is long.
pub(super) fn echo(text: &str) -> String {
    cut(text, ECHO_LIMIT)
}

/// The first characters of a text, those that can't be seen escaped.
pub(super) fn cut(text: &str, limit: usize) -> String {
    let end = text.char_indices().nth(limit).map_or(text.len(), |(end, _)| end);
    let mut shown = quote::whole(&text[..end]);
    if end < text.len() {
        shown.push('…');
    }
    shown
}
