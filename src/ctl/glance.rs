//! `warmctl status --watch` where not all of it fits on the screen: those first that somebody should look at, and
//! how many are left out.

use super::look::Look;
use super::{overview, words};
use crate::status::{ModelStatus, Snapshot, State};

/// So much of the room is for reasons and notes at most: a third.
const WORDS: usize = 3;

/// The overview in `rows` lines: whole, or the worst first.
pub(super) fn glance(snapshot: &Snapshot, look: &Look, rows: usize) -> String {
    let whole = overview(snapshot, look);
    if whole.lines().count() <= rows {
        return whole;
    }
    let all: Vec<&ModelStatus> = snapshot.models.iter().collect();
    let head = overview::head(snapshot, look) + "\n";
    let mut text = first_lines(&head, rows / 2);
    // The last line tells what is left out.
    let room = rows.saturating_sub(text.lines().count() + 1);
    let said = overview::remarks(all.iter().copied(), look).lines().count().min(room / WORDS);
    let table = |models: &[&ModelStatus]| overview::models(models.iter().copied(), snapshot.at, look);
    let fits = |models: &[&ModelStatus]| table(models).lines().count() + said <= room;
    let mut shown = all;
    let told = if fits(&shown) {
        "what else there is to say of them".to_owned()
    } else {
        let count = shown.len();
        shown.sort_by_key(|model| urgency(model.state));
        // None takes less than a line.
        shown.truncate(room);
        while !shown.is_empty() && !fits(&shown) {
            shown.pop();
        }
        format!("{} of {count} models are left out, the worst come first", count - shown.len())
    };
    let table = if shown.is_empty() { String::new() } else { table(&shown) };
    text.push_str(&table);
    let left = room.saturating_sub(table.lines().count());
    text.push_str(&whole_sentences(&overview::remarks(shown.iter().copied(), look), left));
    text + &foot(&format!("… {told}: see `warmctl status`"), look)
}

/// A text that is no table, in `rows` lines: its beginning, and how much is left out.
pub(super) fn beginning(text: &str, look: &Look, rows: usize) -> String {
    let lines = text.lines().count();
    if lines <= rows {
        return text.to_owned();
    }
    let shown = rows.saturating_sub(1);
    let more = words::count((lines - shown) as u64, "more line", "more lines");
    first_lines(text, shown) + &foot(&format!("… {more}: a higher window shows them"), look)
}

fn foot(words: &str, look: &Look) -> String {
    look.dim(words) + "\n"
}

/// Which state needs a person first.
const fn urgency(state: State) -> u8 {
    match state {
        State::Blocked => 0,
        State::Failing => 1,
        State::Cold => 2,
        State::Booting => 3,
        State::Unknown => 4,
        State::Paused => 5,
        State::Warm => 6,
        State::Idle => 7,
        State::Disabled => 8,
    }
}

/// The first of the remarks, as many as fit into `rows` lines whole.
fn whole_sentences(remarks: &str, rows: usize) -> String {
    let lines: Vec<&str> = remarks.lines().collect();
    let mut end = lines.len().min(rows);
    // A line further in belongs to the one before it, and an empty one to those behind it.
    let belongs = |end: usize| lines.get(end).is_some_and(|next| next.starts_with(' '));
    while end > 0 && (belongs(end) || lines[end - 1].is_empty()) {
        end -= 1;
    }
    first_lines(remarks, end)
}

fn first_lines(text: &str, rows: usize) -> String {
    text.lines().take(rows).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNAPSHOT: &str = include_str!("../../tests/ctl_status/snapshot.json");

    fn many(count: usize) -> Snapshot {
        let mut snapshot: Snapshot = serde_json::from_str(SNAPSHOT).unwrap();
        let kinds = snapshot.models.clone();
        let model = |n: usize| {
            let kind = &kinds[(n + 1) % kinds.len()];
            ModelStatus { name: format!("m-{n}"), ..kind.clone() }
        };
        snapshot.models = (0..count).map(model).collect();
        snapshot
    }

    #[test]
    fn what_fits_is_whole() {
        let (snapshot, look) = (many(3), Look::plain(80));
        assert_eq!(glance(&snapshot, &look, 40), overview(&snapshot, &look));
    }

    #[test]
    fn what_does_not_begins_with_the_worst_and_tells_how_many_are_left_out() {
        for count in [20, 300] {
            let (snapshot, look) = (many(count), Look::plain(80));
            let text = glance(&snapshot, &look, 24);
            assert!(text.lines().count() <= 24, "{text}");
            let rows: Vec<&str> =
                text.lines().skip_while(|line| !line.starts_with("MODEL")).skip(1).collect();
            assert!(rows[0].contains("blocked"), "{text}");
            assert!(text.contains("insufficient credit"), "the reason is told: {text}");
            let foot = text.lines().last().unwrap();
            let left: usize = foot.split(' ').nth(1).unwrap().parse().unwrap();
            let shown = rows.iter().take_while(|line| !line.is_empty()).count();
            assert_eq!(left + shown, count, "{text}");
        }
    }

    #[test]
    fn no_screen_is_too_small() {
        for rows in 1..40 {
            for width in [40, 80, 160] {
                let text = glance(&many(300), &Look::plain(width), rows);
                assert!(text.lines().count() <= rows, "{rows}, {width}: {text}");
                assert!(text.contains("models are left out"), "{rows}, {width}: {text}");
                assert!(rows < 10 || text.contains("\nm-2 "), "{rows}, {width}: {text}");
            }
        }
    }

    #[test]
    fn a_long_text_tells_how_much_is_left_out() {
        let look = Look::plain(80);
        assert_eq!(beginning("a\nb\nc\n", &look, 3), "a\nb\nc\n");
        assert_eq!(beginning("a\nb\nc\nd\n", &look, 3), "a\nb\n… 2 more lines: a higher window shows them\n");
    }
}
