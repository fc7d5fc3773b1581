//! What others wrote, made fit for one line of a report, a log or a terminal: nothing that moves a
//! cursor, turns the reading round or can't be seen, and no length that a stranger chooses.

use crate::secrets;
use std::borrow::Cow;

/// How long a name may be, in characters.
const NAME_LIMIT: usize = 60;

/// How many names of a list are told.
const NAMES_LIMIT: usize = 10;

/// The beginning of a text, as one line of at most `limit` characters.
pub(crate) fn start(text: &str, limit: usize) -> String {
    let text = struck(text.trim_start(), limit);
    let mut line = String::new();
    let mut length = 0;
    for c in text.trim_end().chars() {
        if length >= limit {
            line.pop();
            line.push('…');
            break;
        }
        if c.is_whitespace() {
            if line.ends_with(' ') {
                continue;
            }
            line.push(' ');
            length += 1;
        } else {
            let before = line.len();
            push(&mut line, c);
            length += line[before..].chars().count();
        }
    }
    line
}

/// As much of a text as a quotation of `limit` characters may be made of, without the secrets of this process: what
/// is hidden in it, or is a blank, takes less room there, and an escape more.
fn struck(text: &str, limit: usize) -> Cow<'_, str> {
    const SLACK: usize = 8;
    // A secret that is cut off is not recognised.
    const CUT: usize = 512;
    let most = limit.saturating_mul(SLACK).saturating_add(1024 + CUT);
    let Some((end, _)) = text.char_indices().nth(most) else { return secrets::strike(text) };
    let beginning = secrets::strike(&text[..end]);
    let kept = beginning.floor_char_boundary(beginning.len().saturating_sub(CUT));
    beginning[..kept].to_owned().into()
}

/// Adds a character as it is shown: escaped where it would not be seen as itself.
pub(crate) fn push(line: &mut String, c: char) {
    if matches!(c, '"' | '\'' | '\\') {
        line.push(c);
        return;
    }
    // An accent is shown as itself behind another character; alone it would be escaped.
    let pair = String::from_iter(['x', c]);
    line.extend(pair.escape_debug().skip(1));
}

/// A whole text as it is shown, on one line.
pub(crate) fn whole(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut shown, c));
    shown
}

/// A path as it is shown, on one line.
pub(crate) fn path(path: &std::path::Path) -> String {
    whole(&path.display().to_string())
}

/// A text in which what can't be seen as itself is replaced by something as long, so that whatever points
/// into it still does. Characters of one byte, whose pictures are the renderer's, stay.
pub(crate) fn in_place(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut alone = String::new();
    for c in text.chars() {
        alone.clear();
        push(&mut alone, c);
        match c.len_utf8() {
            2 if alone.len() > 2 => shown.push('·'),
            3 if alone.len() > 3 => shown.push('�'),
            4 if alone.len() > 4 => shown.push_str("�?"),
            _ => shown.push(c),
        }
    }
    shown
}

/// A name that others gave.
pub(crate) fn name(text: &str) -> String {
    start(text, NAME_LIMIT)
}

/// Names that others gave, as one line; of many, the first, and how many more there are.
pub(crate) fn names(all: &[String]) -> String {
    let told: Vec<String> = all.iter().take(NAMES_LIMIT).map(|text| name(text)).collect();
    let told = told.join(", ");
    match all.len().saturating_sub(NAMES_LIMIT) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_write_is_long_or_moves_the_cursor() {
        assert_eq!(start(" two\r\n\t lines ", 20), "two lines");
        assert_eq!(start("\u{1b}[2Jx", 20), "\\u{1b}[2Jx");
        assert_eq!(start("éééééé", 4), "ééé…");
        assert_eq!(start("four", 4), "four");
        let nasty = format!("\u{9b}{}", "é\u{7}".repeat(5000));
        assert!(start(&nasty, 300).chars().count() <= 310);
        assert!(!start(&nasty, 300).chars().any(char::is_control));
    }

    #[test]
    fn what_can_not_be_seen_is_shown() {
        // Turns the reading round, has no width, is a tag, is nobody's.
        for hidden in "\u{202e}\u{2066}\u{200f}\u{200b}\u{200d}\u{feff}\u{ad}\u{e0041}\u{e000}\u{7f}".chars()
        {
            let shown = start(&format!("a{hidden}b"), 20);
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(hidden)));
        }
        assert_eq!(start("one\u{2028}two\u{2029}three\u{85}four", 30), "one two three four");
        let plain = r#"it's "fine" \ über, e"#.to_owned() + "\u{301}, हिन्दी, 日本語, → 🙂";
        assert_eq!(start(&plain, 80), plain);
    }

    #[test]
    fn what_is_replaced_in_place_keeps_its_length() {
        let text = "a\u{9b}b\u{202e}c\u{e0041}d\u{1b}\te\u{301} é 日本 \u{2028}.";
        assert_eq!(in_place(text), "a·b�c�?d\u{1b}\te\u{301} é 日本 �.");
        assert_eq!(in_place(text).len(), text.len());
        assert_eq!(whole("a\n\u{9b}\"b\""), "a\\n\\u{9b}\"b\"");
    }

    #[test]
    fn many_names_are_counted() {
        let many: Vec<String> = (0..12).map(|n| format!("n{n}")).collect();
        assert_eq!(names(&many[..2]), "n0, n1");
        assert_eq!(names(&many), "n0, n1, n2, n3, n4, n5, n6, n7, n8, n9 and 2 more");
        assert_eq!(names(&["x".repeat(5000), "\u{1b}".to_owned()]).chars().count(), 60 + 2 + 6);
    }
}
