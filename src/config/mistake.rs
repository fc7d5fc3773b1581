//! What people put where a token alone should be: quotes, a shell's assignment, a header, a placeholder.
//!
//! Names the mistake and never any of the text.

use super::variable;

/// What stands there instead of a secret alone, and what to do; each goes on after a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mistake {
    /// What it holds.
    pub(super) holds: &'static str,
    /// What to do.
    pub(super) remedy: &'static str,
}

/// A name that is assigned to has one of these in it, unless it is written in capitals.
const NAMES: [&str; 9] =
    ["token", "key", "secret", "password", "bearer", "auth", "url", "webhook", "credential"];

/// What stands in examples where the secret goes, in small letters and without what parts words.
const PLACEHOLDERS: [&str; 21] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "placeholder",
    "todo",
    "tbd",
    "fixme",
    "redacted",
    "token",
    "mytoken",
    "apitoken",
    "replicatetoken",
    "replicateapitoken",
    "tokenhere",
    "example",
    "r8token",
    "none",
    "null",
    "nil",
    "undefined",
];

/// As a part of them.
const OF_PLACEHOLDERS: [&str; 9] = [
    "yourtoken",
    "yourapi",
    "yourreplicate",
    "yourkey",
    "yourwebhook",
    "yoursecret",
    "tokenhere",
    "replaceme",
    "replacewith",
];

/// No placeholder is longer, in bytes.
const LONGEST_PLACEHOLDER: usize = 64;

/// What is wrong with a text that should be nothing but a secret; none where nothing is.
pub(super) fn of(text: &str) -> Option<Mistake> {
    let mistake = |holds, remedy| Some(Mistake { holds, remedy });
    let lower: String = text.chars().take(32).collect::<String>().to_ascii_lowercase();
    if is_command(&lower) {
        mistake("a command of a shell's, `export NAME=…`", "leave the value alone in it")
    } else if (text.starts_with('{') && text.ends_with('}') && text.contains('"'))
        || (text.starts_with('[') && text.ends_with(']') && text.contains(is_quote))
    {
        mistake("JSON", "leave the secret alone in it")
    } else if text.contains("replicate.com/account") {
        mistake("the address of the page that makes tokens", "put a token from there in its place")
    } else if is_header(&lower) {
        mistake("a header, as in `Bearer …`", "leave the token alone in it; warmd writes `Bearer` itself")
    } else if is_assignment(text) {
        mistake("a name and a sign before it, as in `NAME=…`", "leave what follows the `=` alone in it")
    } else if variable::is_whole(text) || (text.len() > 2 && text.starts_with('%') && text.ends_with('%')) {
        mistake(
            "the name of a variable, which nothing has replaced",
            "put the value itself in it, or name the variable with a key that ends in _env",
        )
    } else if is_placeholder(text) {
        mistake("a placeholder, as examples have them", "put the real one in its place")
    } else if is_masked(text) {
        mistake("a part of it alone, as pages show it", "copy the whole of it")
    } else if text.ends_with([',', ';']) || text.ends_with("\\n") {
        mistake("a sign behind it", "take the comma, the semicolon or the `\\n` away")
    } else if text.starts_with(is_quote) || text.ends_with(is_quote) {
        mistake("quotes around it", "take the quotes away")
    } else {
        None
    }
}

fn is_command(lower: &str) -> bool {
    let words = ["export", "set", "setx"];
    lower.starts_with("$env:")
        || words.iter().any(|word| lower.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '\t'])))
}

/// `r8_L5q*****`, `sk-…abcd`: the middle or the end of it is hidden.
fn is_masked(text: &str) -> bool {
    ["..", "…", "***", "•••"].iter().any(|hidden| text.contains(hidden))
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '“' | '”' | '„' | '‘' | '’')
}

/// `REPLICATE_API_TOKEN=…`, `token: …`. Padding at a secret's end is none.
fn is_assignment(text: &str) -> bool {
    let end =
        text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let rest = rest.trim_start_matches([' ', '\t']);
    let lower = name.to_ascii_lowercase();
    let says_so = NAMES.iter().any(|word| lower.contains(word));
    // A token may itself be an id and a secret with a colon between them.
    let is_variable = name.contains('_') && name.to_ascii_uppercase() == name;
    let is_known =
        |value: &&str| is_variable || ["r8_", "hf_", "sk-"].iter().any(|start| value.starts_with(start));
    let after_colon = rest.strip_prefix(": ").or_else(|| rest.strip_prefix(':').filter(is_known));
    let value = rest.strip_prefix('=').or(after_colon).filter(|value| !value.starts_with("//"));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.len() <= LONGEST_PLACEHOLDER
        && (says_so || lower.to_ascii_uppercase() == name);
    is_name && value.is_some_and(|value| !value.trim_matches('=').trim().is_empty())
}

fn is_header(lower: &str) -> bool {
    let is_word = |rest: &str| rest.starts_with([' ', '\t']) && !rest.trim_start().starts_with(['=', ':']);
    ["bearer", "token", "authorization:"].iter().any(|word| lower.strip_prefix(word).is_some_and(is_word))
        || lower.starts_with("bearer:")
        || matches!(lower, "bearer" | "authorization")
        || lower.starts_with("authorization:")
}

fn is_placeholder(text: &str) -> bool {
    if text.len() > LONGEST_PLACEHOLDER && !text.starts_with('<') {
        return is_blanked(text);
    }
    let bare = text.trim_matches(|c: char| is_quote(c) || matches!(c, '<' | '>' | '[' | ']' | '{' | '}'));
    let word: String = bare.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let in_brackets = text.starts_with('<') && text.ends_with('>');
    in_brackets
        || PLACEHOLDERS.contains(&word.as_str())
        || OF_PLACEHOLDERS.iter().any(|part| word.contains(part))
        || is_blanked(bare)
        || is_blanked(&word)
}

/// `r8_xxxxxxxx`, `r8_...`, `****`: nothing but one sign that stands for others, behind a known beginning.
fn is_blanked(text: &str) -> bool {
    let prefixes = ["r8_", "hf_", "sk-", "https://", "http://"];
    let body = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    let Some(first) = body.chars().next() else { return text != body };
    let stands_for_others = matches!(first, 'x' | 'X' | '*' | '.' | '…' | '_' | '-' | '#');
    let enough = first == '…' || body.chars().count() >= 3;
    stands_for_others && enough && body.chars().all(|c| c == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_alone_is_named() {
        for (part, texts) in [
            ("quotes", &["\"r8_hush0\"", "'r8_hush0'", "“r8_hush0”", "r8_hush0\"", "'r8_hush0"][..]),
            (
                "a shell's",
                &[
                    "export REPLICATE_API_TOKEN=r8_hush0",
                    "export X='r8_hush0'",
                    "export\tX=r8_hush0",
                    "setx X r8_hush0",
                    "$env:TOKEN=\"r8_hush0\"",
                ],
            ),
            ("JSON", &["{\"token\":\"r8_hush0\"}", "[\"r8_hush0\"]", "['r8_hush0']"]),
            ("the address of the page", &["https://replicate.com/account/api-tokens"]),
            (
                "a part of it",
                &["r8_L5q*****************", "r8_abc...xyz", "r8_abc..xyz", "sk-...abcd", "r8_abc…"],
            ),
            ("a sign behind", &["r8_hush0,", "r8_hush0;", "r8_hush0\\n"]),
            (
                "a name and a sign",
                &[
                    "REPLICATE_API_TOKEN=r8_hush0",
                    "REPLICATE_API_TOKEN = \"r8_hush0\"",
                    "token=r8_hush0",
                    "token = \"r8_hush0\"",
                    "REPLICATE_API_TOKEN:r8_hush0",
                    "api_key: r8_hush0",
                    "SLACK_WEBHOOK=https://hooks.slack.com/x",
                    "X=1",
                ],
            ),
            (
                "a header",
                &[
                    "Bearer r8_hush0",
                    "bearer r8_hush0",
                    "bearer:r8_hush0",
                    "Authorization: Bearer x",
                    "Token r8_hush0",
                ],
            ),
            (
                "a variable",
                &["${REPLICATE_API_TOKEN}", "$REPLICATE_API_TOKEN", "{{ token }}", "%{TOKEN}", "%TOKEN%"],
            ),
            (
                "a placeholder",
                &[
                    "r8_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                    "r8_xxx",
                    "r8_...",
                    "r8_…",
                    "r8_***",
                    "r8_",
                    "<your token>",
                    "<token>",
                    "your-token-here",
                    "YOUR_API_TOKEN",
                    "r8_your_token_here",
                    "changeme",
                    "CHANGE-ME",
                    "REPLACE_ME",
                    "replace-with-your-token",
                    "xxxx",
                    "xxxxx-xxxx",
                    "token",
                    "my-token",
                    "replicate_token",
                    "r8_token",
                    "none",
                    "nil",
                    "null",
                    "undefined",
                ],
            ),
        ] {
            for text in texts {
                let mistake = of(text).unwrap_or_else(|| panic!("{text} is taken"));
                assert!(mistake.holds.contains(part), "{text}: {}", mistake.holds);
            }
        }
    }

    #[test]
    fn tokens_are_none() {
        for text in [
            "r8_0123456789abcdefABCDEF",
            "r8_test_token_of_no_account",
            "hf_abcdefghijklmnop",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "c2VjcmV0IG9mIGEgdGVzdA==",
            "QUJD=",
            "secret",
            "hush",
            "$2a$10$abcdefghijklmnopqrstuv",
            "a=b",
            "https://example.com/hook?token=hush",
            "https://ntfy.sh/my-topic",
            "tokens-are-long-enough",
            "bearer-of-news",
            "x-api-12345",
            "keyid123:9f8e7d6c",
            "tok_auth01:abcdef0123",
            "monkey:a8f3c1d2e4",
            "xyz",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
