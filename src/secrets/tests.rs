use super::*;
use base64::Engine;

/// No other test of this process holds it, or a text with a piece of it.
const TOKEN: &str = "r8_Zq3vXw7LmTbK9sYdPh2RfNc6JgUa4EeWi1Oo";

fn percent(text: &str) -> String {
    each(text, |c| format!("%{:02X}", u32::from(c)))
}

fn json(text: &str) -> String {
    each(text, |c| format!("\\u{:04x}", u32::from(c)))
}

fn each(text: &str, write: impl Fn(char) -> String) -> String {
    text.chars().map(write).collect::<Vec<_>>().concat()
}

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn a_secret_is_struck_in_every_form() {
    Secret::new(TOKEN);
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("??>{TOKEN}"));
    for text in [
        TOKEN.to_owned(),
        TOKEN.to_uppercase(),
        TOKEN.to_lowercase(),
        json(TOKEN),
        json(TOKEN).replace('\\', "\\\\"),
        json(TOKEN).to_uppercase().replace("\\U", "\\u"),
        percent(TOKEN),
        percent(TOKEN).to_lowercase(),
        percent(TOKEN).replace('%', "%25"),
        TOKEN.replace('_', "%5f"),
        TOKEN.replace('_', "\\u005F"),
        TOKEN.replace('_', "\\x5f"),
        each(TOKEN, |c| format!("&#{};", u32::from(c))),
        each(TOKEN, |c| format!("&#x{:X};", u32::from(c))),
        each(TOKEN, |c| format!("{:02X}", u32::from(c))),
        TOKEN.replace('_', "\u{1b}[0m_\u{1b}[1;31m"),
        each(TOKEN, |c| format!("{c}\u{200b}")),
        format!("{}\n{}", &TOKEN[..10], &TOKEN[10..]),
    ] {
        let said = format!("Bearer {text}, no");
        let struck = strike(&said);
        assert_eq!(
            struck,
            format!("Bearer {STRUCK}{}, no", if text.ends_with('\u{200b}') { "\u{200b}" } else { "" })
        );
    }
    for before in ["", "x", "xy", "Bearer ", "user:"] {
        let text = base64(&format!("{before}{TOKEN}!"));
        let struck = strike(&text);
        assert!(struck.contains(STRUCK) && struck.len() < STRUCK.len() + 16, "{before}: {struck}");
    }
    assert!(strike(&url_safe).contains(STRUCK));
}

#[test]
fn what_escapes_quotes_and_backslashes_hides_no_secret() {
    let secret = r#"correct"horse"batt"ery\st&aple"#;
    Secret::new(secret);
    let json = serde_json::to_string(secret).unwrap();
    let inner = &json[1..json.len() - 1];
    let twice = serde_json::to_string(&json).unwrap();
    for text in [secret, inner, &twice, &secret.replace('&', "&amp;").replace('"', "&quot;")] {
        assert!(!strike(text).contains("rse"), "{}", strike(text));
    }
    let lines = each(TOKEN, |c| format!("{c}\\n"));
    assert!(strike(&lines).starts_with(STRUCK), "{}", strike(&lines));
}

#[test]
fn pieces_of_eight_characters_are_struck_from_a_long_secret() {
    let long = "gh2Kd8sLq1ZxPw0V";
    Secret::new(long);
    for from in 0..=long.len() - PIECE {
        let piece = &long[from..from + PIECE];
        assert_eq!(strike(&format!("<{piece}>")), format!("<{STRUCK}>"), "{piece}");
        assert_eq!(
            strike(&format!("<{}>", &piece[1..])),
            format!("<{}>", &piece[1..]),
            "seven say too little"
        );
    }
    let short = "correct-horse";
    Secret::new(short);
    assert_eq!(strike("<correct-hors>"), "<correct-hors>");
    assert_eq!(strike("<CORRECT-HORSE> <correct-horse>"), format!("<{STRUCK}> <{STRUCK}>"));
    assert!(strike(&base64(&format!("me:{short}"))).contains(STRUCK));
}

#[test]
fn what_is_too_short_is_a_word() {
    Secret::new("nothing");
    assert_eq!(strike("nothing to say"), "nothing to say");
    Secret::of_at_least("whimsy", 6);
    assert_eq!(strike("no whimsy here"), format!("no {STRUCK} here"));
}

#[test]
fn what_nobody_uses_is_forgotten_where_there_are_too_many() {
    let mut known = Known::default();
    let used = known.add("a-secret-that-is-used", SHORTEST);
    for number in 1..MOST {
        known.add(&format!("a-{number:08}-secret"), SHORTEST);
    }
    assert_eq!((known.secrets.len(), known.found(b"a-00000001-secret").len()), (MOST, 10));
    let one_more = known.add("one-more-of-them", SHORTEST);
    assert_eq!(known.secrets.len(), 2);
    assert!(known.found(b"a-00000001-secret").is_empty());
    assert!(!known.found(used.as_bytes()).is_empty() && !known.found(one_more.as_bytes()).is_empty());
    assert!(Arc::ptr_eq(&used, &known.add("a-secret-that-is-used", SHORTEST)), "it is known already");
}

#[test]
fn texts_without_secrets_stay_as_they_are() {
    Secret::new("Vb6Nm1Lk9Jh4Gf7Ds2Aq");
    for text in [
        "",
        "é",
        "\\",
        "\\u",
        "\\u00",
        "\\u00e9\\ud800",
        "%",
        "%2",
        "%zz",
        "%25",
        "100 %",
        "a\\/b",
        "日本\\x",
    ] {
        assert_eq!(strike(text), text);
        let with = format!("{text}Vb6Nm1Lk9Jh4Gf7Ds2Aq{text}");
        assert_eq!(strike(&with), format!("{text}{STRUCK}{text}"));
    }
}

#[test]
fn a_long_text_is_looked_at_in_parts_and_none_is_missed_between_them() {
    Secret::new("Yt5Rf8Wq2Zx6Cv9B");
    for before in LOOKED_AT - 70..LOOKED_AT + 3 {
        for text in ["Yt5Rf8Wq2Zx6Cv9B".to_owned(), json("Yt5Rf8Wq2Zx6Cv9B"), "5rf8wq2z".to_owned()] {
            let long = "é".repeat(before / 2) + &text + &".".repeat(LOOKED_AT);
            let struck = strike(&long);
            assert_eq!(struck.len(), before / 2 * 2 + STRUCK.len() + LOOKED_AT, "{before}: {text}");
        }
    }
}
