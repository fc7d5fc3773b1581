//! What a server said, made fit for one line of a report: no control characters, no length that a
//! stranger chooses.

/// The beginning of a text, as one line of at most `limit` characters.
pub(super) fn start(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut length = 0;
    for c in text.trim().chars() {
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
        } else if c.is_control() {
            let escaped = c.escape_debug();
            length += escaped.clone().count();
            line.extend(escaped);
        } else {
            line.push(c);
            length += 1;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_server_says_is_long_or_moves_the_cursor() {
        assert_eq!(start(" two\r\n\t lines ", 20), "two lines");
        assert_eq!(start("\u{1b}[2Jx", 20), "\\u{1b}[2Jx");
        assert_eq!(start("éééééé", 4), "ééé…");
        assert_eq!(start("four", 4), "four");
        let nasty = format!("\u{9b}{}", "é\u{7}".repeat(5000));
        assert!(start(&nasty, 300).chars().count() <= 310);
        assert!(!start(&nasty, 300).chars().any(char::is_control));
    }
}
