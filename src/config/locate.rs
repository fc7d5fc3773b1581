//! From an offset to a line and a column, fast enough for ten thousand of them.

use std::ops::Range;

/// The lines of a text.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// Where each line starts; never empty.
    starts: Vec<usize>,
    /// Where the last column was counted to: (line, offset, column).
    last: (usize, usize, u32),
}

/// A place as people count: from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, last: (0, 0, 1) }
    }

    /// The bytes of the line around an offset, without its end.
    pub(super) fn range(&self, offset: usize) -> Range<usize> {
        let line = self.index(offset);
        let start = self.starts[line];
        let end = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        start..start + self.text[start..end].trim_end_matches('\r').len()
    }

    /// The line of an offset, from 1.
    pub(super) fn number(&self, offset: usize) -> u32 {
        u32::try_from(self.index(offset) + 1).unwrap_or(u32::MAX)
    }

    /// The place of an offset. Offsets that rise cost no more than the text between them, also where
    /// a whole file is one line.
    pub(super) fn place(&mut self, offset: usize) -> Place {
        let offset = floor(self.text, offset);
        let line = self.index(offset);
        let (last_line, last_offset, last_column) = self.last;
        let (from, column) = if last_line == line && last_offset <= offset {
            (last_offset, last_column)
        } else {
            (self.starts[line], 1)
        };
        let further = self.text[from..offset].chars().count();
        let column = column.saturating_add(u32::try_from(further).unwrap_or(u32::MAX));
        self.last = (line, offset, column);
        Place { line: self.number(offset), column }
    }

    fn index(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }
}

/// The offset itself, or the start of the character it lies within.
pub(super) fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_in_characters() {
        let text = "a = 1\r\nö = \"ü\" # x\n\nlast";
        let mut lines = Lines::new(text);
        let place = |lines: &mut Lines<'_>, needle: &str| {
            let place = lines.place(text.find(needle).unwrap());
            (place.line, place.column)
        };
        assert_eq!(place(&mut lines, "a ="), (1, 1));
        assert_eq!(place(&mut lines, "ü"), (2, 6));
        assert_eq!(place(&mut lines, "# x"), (2, 9));
        assert_eq!(place(&mut lines, "ö"), (2, 1), "going back counts anew");
        assert_eq!(place(&mut lines, "last"), (4, 1));
        assert_eq!(lines.place(text.len()), Place { line: 4, column: 5 });
        assert_eq!(lines.place(text.len() + 10), Place { line: 4, column: 5 });
        assert_eq!(&text[lines.range(2)], "a = 1");
        assert_eq!(&text[lines.range(9)], "ö = \"ü\" # x");
        assert_eq!(Lines::new("").place(0), Place { line: 1, column: 1 });
    }
}
