//! A table fitted to its width: it drops columns before it wraps, and gives a name that is too long
//! for its column a line of its own, so that names stay whole. In a pipe every row is one line.

use super::look::{BOLD, DIM, Look};
use super::{screen, words};
use anstyle::Style;

/// Between two columns.
const GAP: usize = 2;

/// The least a column of names has before others are dropped for it, in characters.
const NAMES: usize = 12;

/// A column beside the names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    /// Over the title; neighbours with the same one share it.
    pub(super) group: &'static str,
    /// At its head.
    pub(super) title: &'static str,
    /// Figures stand to the right.
    pub(super) right: bool,
    /// Where there is no room, the column with the least goes first.
    pub(super) worth: u8,
}

/// One cell.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

/// A name, and a cell a column.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
}

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Over the names.
    pub(super) title: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }

    /// Plain; a dash where there is nothing.
    pub(super) fn maybe(text: Option<String>) -> Self {
        text.map_or_else(|| Self::new("–", DIM), |text| Self::new(text, Style::new()))
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl Table {
    /// Whether all columns fit into `width`, with names of usual length.
    pub(super) fn fits(&self, width: usize) -> bool {
        let names = self.longest_name().min(2 * NAMES);
        names + self.widths().iter().map(|width| GAP + width).sum::<usize>() <= width
    }

    /// The lines.
    pub(super) fn render(mut self, look: &Look) -> String {
        let width = look.room();
        while self.room(width) < self.longest_name().min(NAMES) && self.drop_least() {}
        let names = self.names_width(width);
        let widths = self.widths();
        let mut text = String::new();
        if let Some(groups) = self.groups(&widths) {
            let groups = look.dim(format!("{:names$}{groups}", "").trim_end());
            line(&mut text, &screen::fitted(&groups, width));
        }
        let mut titles = format!("{:names$}", self.title);
        for (column, width) in self.columns.iter().zip(&widths) {
            titles.push_str(&pad(column, column.title, *width));
        }
        line(&mut text, &screen::fitted(&look.dim(titles.trim_end()), width));
        for row in &self.rows {
            let length = row.name.chars().count();
            let mut cells = String::new();
            if length > names {
                let room = if length > width { width - GAP } else { width };
                for (n, part) in words::wrap(&row.name, room).iter().enumerate() {
                    let indent = if n > 0 { " ".repeat(GAP) } else { String::new() };
                    line(&mut text, &(indent + &look.paint(BOLD, part)));
                }
                cells.push_str(&" ".repeat(names));
            } else {
                cells = format!("{}{}", look.paint(BOLD, &row.name), " ".repeat(names - length));
            }
            for ((column, cell), width) in self.columns.iter().zip(&row.cells).zip(&widths) {
                let padded = pad(column, &cell.text, *width);
                cells.push_str(&padded.replacen(&cell.text, &look.paint(cell.style, &cell.text), 1));
            }
            line(&mut text, &screen::fitted(cells.trim_end(), width));
        }
        text
    }

    fn longest_name(&self) -> usize {
        self.rows.iter().map(|row| row.name.chars().count()).chain([self.title.len()]).max().unwrap_or(0)
    }

    /// The longest of the names that fit; the others get a line of their own.
    fn names_width(&self, width: usize) -> usize {
        let room = self.room(width);
        let fitting = self.rows.iter().map(|row| row.name.chars().count()).filter(|length| *length <= room);
        fitting.chain([self.title.len()]).max().unwrap_or(0)
    }

    /// What the columns leave to the names.
    fn room(&self, width: usize) -> usize {
        width.saturating_sub(self.widths().iter().map(|width| GAP + width).sum())
    }

    fn drop_least(&mut self) -> bool {
        let least = self.columns.iter().enumerate().min_by_key(|(_, column)| column.worth);
        let Some((at, _)) = least.filter(|_| self.columns.len() > 1) else { return false };
        self.columns.remove(at);
        for row in &mut self.rows {
            row.cells.remove(at);
        }
        true
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let cells = self.rows.iter().map(|row| row.cells[at].width());
                cells.chain([column.title.chars().count()]).max().unwrap_or(0)
            })
            .collect();
        for group in self.spans() {
            let short = self.columns[group.start]
                .group
                .chars()
                .count()
                .saturating_sub(spanned(&widths[group.clone()]));
            widths[group.start] += short;
        }
        widths
    }

    /// The neighbours that share a group.
    fn spans(&self) -> Vec<std::ops::Range<usize>> {
        let mut spans: Vec<std::ops::Range<usize>> = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            match spans.last_mut() {
                Some(span) if self.columns[span.start].group == column.group => span.end = at + 1,
                Some(_) | None => spans.push(at..at + 1),
            }
        }
        spans
    }

    /// The line over the titles, where there is anything to say.
    fn groups(&self, widths: &[usize]) -> Option<String> {
        let mut text = String::new();
        for span in self.spans() {
            let width = spanned(&widths[span.clone()]);
            let column = &self.columns[span.start];
            text.push_str(&pad(column, column.group, width));
        }
        (!text.trim().is_empty()).then_some(text)
    }
}

/// The width of neighbours, with the gaps between them.
fn spanned(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

fn pad(column: &Column, text: &str, width: usize) -> String {
    let gap = " ".repeat(GAP);
    if column.right { format!("{gap}{text:>width$}") } else { format!("{gap}{text:width$}") }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(group: &'static str, title: &'static str, right: bool, worth: u8) -> Column {
        Column { group, title, right, worth }
    }

    fn table(names: &[&str]) -> Table {
        let cells = ["warm", "99.7 %", "3", "0.41 s"].map(|text| Cell::new(text, Style::new()));
        Table {
            title: "MODEL",
            columns: vec![
                column("", "STATE", false, 9),
                column("active hours", "WARM", true, 8),
                column("active hours", "COLD", true, 1),
                column("answers", "P50", true, 7),
            ],
            rows: names.iter().map(|name| Row { name: (*name).to_owned(), cells: cells.to_vec() }).collect(),
        }
    }

    #[test]
    fn columns_and_their_groups_line_up() {
        assert_eq!(
            table(&["llama", "whisper-large"]).render(&Look::plain(80)),
            "
                      active hours  answers
MODEL          STATE    WARM  COLD      P50
llama          warm   99.7 %     3   0.41 s
whisper-large  warm   99.7 %     3   0.41 s
"
            .trim_start_matches('\n')
        );
    }

    #[test]
    fn a_long_name_has_a_line_of_its_own_and_stays_whole() {
        let long = "n".repeat(63);
        let text = table(&["llama", &long]).render(&Look::plain(80));
        assert_eq!(
            text.lines().skip(1).collect::<Vec<_>>(),
            [
                "MODEL  STATE    WARM  COLD      P50",
                "llama  warm   99.7 %     3   0.41 s",
                &long,
                "       warm   99.7 %     3   0.41 s"
            ]
        );
    }

    #[test]
    fn narrow_ones_drop_what_is_worth_least() {
        let text = table(&["llama", "whisper-large", &"n".repeat(63)])
            .render(&Look { width: 36, ..Look::plain(80) });
        assert!(text.lines().all(|line| line.chars().count() <= 36), "{text}");
        assert!(text.contains("WARM") && !text.contains("COLD"), "{text}");
        let parts = format!("\n{}\n  {}\n", "n".repeat(34), "n".repeat(29));
        assert!(text.contains(&parts), "{text}");
    }

    #[test]
    fn what_no_column_can_be_dropped_for_ends_in_a_mark() {
        let mut table = table(&["llama"]);
        table.rows[0].cells[0] = Cell::new("w".repeat(60), Style::new());
        let text = table.render(&Look { width: 36, ..Look::plain(80) });
        assert!(text.ends_with(&format!("\nllama  {}…\n", "w".repeat(28))), "{text}");
    }

    #[test]
    fn in_a_pipe_a_row_is_a_line() {
        let long = "n".repeat(63);
        let text = table(&["llama", &long]).render(&Look { breaks: false, width: 40, ..Look::plain(80) });
        let row = format!("{long}  warm   99.7 %     3   0.41 s");
        assert_eq!(text.lines().last(), Some(row.as_str()), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
