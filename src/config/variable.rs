//! Variables in a value: `${NAME}`, `$NAME`, `%{NAME}`, `{{ NAME }}`. Nothing replaces them in `warm.toml`.

/// A variable in a text, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Variable<'a> {
    /// With its marks.
    pub(super) written: &'a str,
    /// Without.
    pub(super) name: &'a str,
}

/// The first variable in a text.
pub(super) fn first(text: &str) -> Option<Variable<'_>> {
    text.match_indices(['$', '%', '{']).find_map(|(start, _)| at(&text[start..]))
}

/// The first in braces: a sign alone may be part of a text that is no word.
pub(super) fn in_braces(text: &str) -> Option<Variable<'_>> {
    let braced = |found: &Variable<'_>| found.written.ends_with(['}', ')']);
    text.match_indices(['$', '%', '{']).find_map(|(start, _)| at(&text[start..]).filter(braced))
}

/// Whether a text is nothing but a variable.
pub(super) fn is_whole(text: &str) -> bool {
    at(text).is_some_and(|variable| variable.written == text)
}

/// The variable that a text begins with.
fn at(text: &str) -> Option<Variable<'_>> {
    for (open, close) in [("${", "}"), ("%{", "}"), ("{{", "}}"), ("$(", ")")] {
        if let Some(inner) = text.strip_prefix(open) {
            let end = inner.find(close).filter(|end| *end > 0)?;
            let written = &text[..open.len() + end + close.len()];
            return Some(Variable { written, name: inner[..end].trim() });
        }
    }
    let name = text.strip_prefix('$')?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    is_name.then(|| Variable { written: &text[..=end], name: &name[..end] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_in_each_of_their_forms() {
        for (text, written, name) in [
            ("http://${HOST}:5000", "${HOST}", "HOST"),
            ("http://$HOST:5000", "$HOST", "HOST"),
            ("/run/%{user}/x", "%{user}", "user"),
            ("{{ zone }}", "{{ zone }}", "zone"),
            ("a/${MODEL:-llama}", "${MODEL:-llama}", "MODEL:-llama"),
            ("$(hostname).lan", "$(hostname)", "hostname"),
            ("$1 $X", "$X", "X"),
        ] {
            assert_eq!(first(text), Some(Variable { written, name }), "{text}");
        }
        for text in ["", "$", "$1", "5 $", "${", "${}", "{x}", "100 %", "a%20b", "{ x }}", "}}{{"] {
            assert_eq!(first(text), None, "{text}");
        }
        assert!(is_whole("$X") && is_whole("${X}") && !is_whole("a$X") && !is_whole("$X/y"));
    }
}
