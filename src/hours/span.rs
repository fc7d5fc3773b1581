//! Stretches of time in whole seconds, and their algebra: what every source of hours answers with.
//!
//! A [`Span`] says whether a set of instants holds one of them, and for how long around it that
//! surely stays so. It may be cut short: an edge of a span need not be an edge of the set. Union
//! and complement keep that promise, so that any mix of windows, dates and zones is walked with
//! the longest strides its parts allow: a year that is closed is one stride.

use std::ops::{BitOr, Not};

/// Seconds since 1970-01-01T00:00:00Z. Every edge of civil time is a whole second, as offsets are.
pub(super) type Seconds = i64;

/// One day of civil time.
pub(super) const DAY: Seconds = 86_400;

/// Whether a set holds an instant, and a stretch `[since, until)` around it where that stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Whether the set holds it.
    pub(super) open: bool,
    /// The stretch's first second; `Seconds::MIN` where it has no beginning.
    pub(super) since: Seconds,
    /// The second after its last; `Seconds::MAX` where it has no end.
    pub(super) until: Seconds,
}

impl Span {
    /// The span of a set that holds everything, or nothing.
    pub(super) const fn endless(open: bool) -> Self {
        Self { open, since: Seconds::MIN, until: Seconds::MAX }
    }

    /// The span around `t` of a set given as sorted, disjoint pieces `[from, to)`.
    pub(super) fn among(pieces: &[(Seconds, Seconds)], t: Seconds) -> Self {
        let next = pieces.partition_point(|(from, _)| *from <= t);
        let until = pieces.get(next).map_or(Seconds::MAX, |(from, _)| *from);
        match next.checked_sub(1).and_then(|last| pieces.get(last)) {
            Some(&(from, to)) if t < to => Self { open: true, since: from, until: to },
            Some(&(_, to)) => Self { open: false, since: to, until },
            None => Self { open: false, since: Seconds::MIN, until },
        }
    }
}

impl Not for Span {
    type Output = Self;

    fn not(self) -> Self {
        Self { open: !self.open, ..self }
    }
}

/// The union's span, of two around the same instant.
impl BitOr for Span {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        match (self.open, other.open) {
            (true, true) => {
                Self { open: true, since: self.since.min(other.since), until: self.until.max(other.until) }
            }
            (true, false) => self,
            (false, true) => other,
            (false, false) => {
                Self { open: false, since: self.since.max(other.since), until: self.until.min(other.until) }
            }
        }
    }
}

/// Sorts pieces, drops the empty ones and joins those that touch or overlap.
pub(super) fn join(mut pieces: Vec<(Seconds, Seconds)>) -> Vec<(Seconds, Seconds)> {
    pieces.retain(|(from, to)| from < to);
    pieces.sort_unstable();
    pieces.dedup_by(|next, last| {
        let touches = next.0 <= last.1;
        if touches {
            last.1 = last.1.max(next.1);
        }
        touches
    });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_sorts_and_merges_what_touches() {
        assert_eq!(join(vec![(5, 9), (0, 2), (2, 4), (3, 3), (8, 12)]), [(0, 4), (5, 12)]);
        assert_eq!(join(vec![(0, 10), (2, 3)]), [(0, 10)]);
    }

    #[test]
    fn among_tells_both_neighbours() {
        let pieces = [(0, 10), (20, 30)];
        assert_eq!(Span::among(&pieces, -1), Span { open: false, since: Seconds::MIN, until: 0 });
        assert_eq!(Span::among(&pieces, 0), Span { open: true, since: 0, until: 10 });
        assert_eq!(Span::among(&pieces, 10), Span { open: false, since: 10, until: 20 });
        assert_eq!(Span::among(&pieces, 30), Span { open: false, since: 30, until: Seconds::MAX });
    }

    #[test]
    fn what_is_closed_decides_the_stride() {
        let open = Span { open: true, since: 0, until: 10 };
        let closed = Span { open: true, since: -100, until: 1000 };
        assert_eq!(!(!open | closed), Span { open: false, since: -100, until: 1000 });
    }
}
