//! Pictures drawn over one another on the terminal that is standard output.

/// Home, and from there on.
const HOME: &str = "\x1b[H";
const CLEAR_SCREEN: &str = "\x1b[2J";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// A terminal that tells no height gets that of the oldest ones.
const ROWS: usize = 24;

/// What is drawn on.
#[derive(Debug, Default)]
pub struct Screen {
    drawn: bool,
}

impl Screen {
    /// A picture over the one before, without a flicker, cut at the screen's foot: one that scrolled
    /// would leave its head behind each time.
    pub fn frame(&mut self, picture: &str) -> String {
        let rows = terminal_size::terminal_size_of(std::io::stdout())
            .map_or(ROWS, |(_, height)| usize::from(height.0));
        // The cursor's line is left free.
        self.draw(picture, rows.saturating_sub(1).max(1))
    }

    /// The last one, whole: what the screen can't hold scrolls, and stays to be read.
    pub fn last(&mut self, picture: &str) -> String {
        self.draw(picture, usize::MAX)
    }

    fn draw(&mut self, picture: &str, rows: usize) -> String {
        let first = !std::mem::replace(&mut self.drawn, true);
        let mut frame = if first { CLEAR_SCREEN.to_owned() } else { String::new() };
        frame.push_str(HOME);
        for line in picture.lines().take(rows) {
            frame.push_str(line);
            frame.push_str(CLEAR_LINE);
            frame.push('\n');
        }
        frame.push_str(CLEAR_BELOW);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_clears_the_screen_and_the_next_go_over_it() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw("a\nb\n", 9), "\x1b[2J\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(screen.draw("c\n", 9), "\x1b[Hc\x1b[K\n\x1b[J");
    }

    #[test]
    fn it_is_cut_at_the_foot_and_the_last_is_whole() {
        let mut screen = Screen { drawn: true };
        assert_eq!(screen.draw("a\nb\nc\n", 2), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        assert!(screen.last("a\nb\nc\n").contains("c\x1b[K\n"));
    }
}
