//! Pictures drawn over one another on a terminal, without a flicker: nothing is cleared that is written at once.

use std::os::fd::AsFd;

/// Home, and from there on.
const HOME: &str = "\x1b[H";
const CLEAR_SCREEN: &str = "\x1b[2J";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
const NO_STYLE: &str = "\x1b[0m";

/// A terminal that tells no size gets that of the oldest ones.
const COLUMNS: usize = 80;
const ROWS: usize = 24;

/// What is drawn on.
#[derive(Debug, Default)]
pub struct Screen {
    drawn: bool,
}

impl Screen {
    /// A picture over the one before, cut at the screen's edges: one that scrolled would leave its head behind
    /// each time.
    pub fn frame(&mut self, picture: &str) -> String {
        let (columns, rows) = size(std::io::stdout());
        // The cursor's line is left free.
        self.draw(picture, columns, rows.saturating_sub(1).max(1))
    }

    /// The last one, whole: what the screen can't hold scrolls, and stays to be read.
    pub fn last(&mut self, picture: &str) -> String {
        self.draw(picture, usize::MAX, usize::MAX)
    }

    fn draw(&mut self, picture: &str, columns: usize, rows: usize) -> String {
        let first = !std::mem::replace(&mut self.drawn, true);
        let cleared = if first { CLEAR_SCREEN } else { "" };
        let lines: Vec<String> = lines(picture, columns, rows).map(|line| line + "\n").collect();
        format!("{cleared}{HOME}{}{CLEAR_BELOW}", lines.concat())
    }
}

/// A picture over the one before, on a screen that is all its own: up to its last line.
pub(super) fn over(picture: &str, (columns, rows): (usize, usize)) -> String {
    let lines: Vec<String> = lines(picture, columns, rows).collect();
    let below = if lines.len() < rows { "\n\x1b[J" } else { "" };
    format!("{HOME}{}{below}", lines.join("\n"))
}

/// The columns and rows of a terminal.
pub(super) fn size(terminal: impl AsFd) -> (usize, usize) {
    let size = terminal_size::terminal_size_of(terminal);
    size.map_or((COLUMNS, ROWS), |(columns, rows)| (columns.0.into(), rows.0.into()))
}

/// A picture's lines within the screen's edges, each taking away what the one before it left.
fn lines(picture: &str, columns: usize, rows: usize) -> impl Iterator<Item = String> {
    picture.lines().take(rows).map(move |line| {
        let mut line = cut(line, columns);
        // Behind a full line the cursor still stands on its last letter, which would go too.
        if width(&line) < columns {
            line.push_str(CLEAR_LINE);
        }
        line
    })
}

/// As much of a line as fits into `columns`, and the colours of no more than that.
pub(super) fn cut(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let mut room = columns;
    let mut fits = |seen: bool| match room.checked_sub(usize::from(seen)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    let kept: String = letters(line).take_while(|(seen, _)| fits(*seen)).map(|(_, c)| c).collect();
    if kept.contains('\x1b') { kept + NO_STYLE } else { kept }
}

/// A line that fits into `columns`; a mark tells where it was longer.
pub(super) fn fitted(line: &str, columns: usize) -> String {
    if width(line) <= columns { line.to_owned() } else { cut(line, columns.saturating_sub(1)) + "…" }
}

/// How many columns a line takes.
fn width(line: &str) -> usize {
    letters(line).filter(|(seen, _)| *seen).count()
}

/// Each character, and whether it is seen: those of a colour's code are not.
fn letters(line: &str) -> impl Iterator<Item = (bool, char)> {
    let mut code = false;
    line.chars().map(move |c| {
        let hidden = code || c == '\x1b';
        code = hidden && c != 'm';
        (!hidden, c)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_clears_the_screen_and_the_next_go_over_it() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw("a\nb\n", 80, 9), "\x1b[2J\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(screen.draw("c\n", 80, 9), "\x1b[Hc\x1b[K\n\x1b[J");
    }

    #[test]
    fn it_is_cut_at_the_edges_and_the_last_is_whole() {
        let mut screen = Screen { drawn: true };
        assert_eq!(screen.draw("abcd\nb\nc\n", 3, 2), "\x1b[Habc\nb\x1b[K\n\x1b[J");
        assert!(screen.last("a\nb\nc\n").contains("c\x1b[K\n"));
    }

    #[test]
    fn a_screen_of_its_own_is_filled_to_the_last_line() {
        assert_eq!(over("a\nb\n", (2, 2)), "\x1b[Ha\x1b[K\nb\x1b[K");
        assert_eq!(over("a\n", (2, 2)), "\x1b[Ha\x1b[K\n\x1b[J");
        assert_eq!(over("a\nb\nc\n", (2, 2)), "\x1b[Ha\x1b[K\nb\x1b[K");
    }

    #[test]
    fn colours_take_no_room_and_end_at_the_edge() {
        assert_eq!(cut("\x1b[1mabcd\x1b[0m", 4), "\x1b[1mabcd\x1b[0m");
        assert_eq!(cut("\x1b[1mabcd\x1b[0m", 2), "\x1b[1mab\x1b[0m");
        assert_eq!(cut("→×…", 2), "→×");
        assert_eq!(fitted("\x1b[1mabcd\x1b[0m", 3), "\x1b[1mab\x1b[0m…");
    }
}
