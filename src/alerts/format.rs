//! The shapes that receivers take.
//!
//! Of what others wrote nothing is markup there, calls anybody, or is fetched: characters that would be are
//! escaped, mentions and previews are switched off.

use super::event::{Event, Kind};
use crate::config::alert::Format;
use serde_json::{Value, json};

/// Discord takes so many characters in `content`
/// (<https://docs.discord.com/developers/resources/webhook#execute-webhook>).
const DISCORD_LIMIT: usize = 2000;

/// Slack advises so many in `text`
/// (<https://docs.slack.dev/messaging/formatting-message-text>).
const SLACK_LIMIT: usize = 4000;

/// ntfy makes an attachment of more bytes than these (<https://docs.ntfy.sh/publish/#limitations>).
const NTFY_LIMIT: usize = 4096;

/// Discord's `SUPPRESS_EMBEDS`: no previews of links.
const SUPPRESS_EMBEDS: u32 = 1 << 2;

/// The body to be posted; `topic` is ntfy's.
pub fn body(event: &Event, format: Format, topic: &str) -> Value {
    match format {
        Format::Json => serde_json::to_value(event).unwrap_or_default(),
        Format::Slack => slack(event),
        Format::Discord => discord(event),
        Format::Ntfy => ntfy(event, topic),
    }
}

/// An incoming webhook's (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
fn slack(event: &Event) -> Value {
    let mut text = String::new();
    let mut length = 0;
    for c in event.text.chars() {
        let mut own = [0; 4];
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => &*c.encode_utf8(&mut own),
        };
        length += piece.chars().count();
        if length > SLACK_LIMIT {
            break;
        }
        text.push_str(piece);
    }
    json!({ "text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false })
}

fn discord(event: &Event) -> Value {
    let mut content = String::new();
    let mut length = 0;
    for c in event.text.chars() {
        let is_markup =
            matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | '@');
        let more = 1 + usize::from(is_markup);
        if length + more > DISCORD_LIMIT {
            break;
        }
        if is_markup {
            content.push('\\');
        }
        content.push(c);
        length += more;
    }
    json!({ "content": content, "allowed_mentions": { "parse": [] }, "flags": SUPPRESS_EMBEDS })
}

/// Published as JSON to the server's root (<https://docs.ntfy.sh/publish/#publish-as-json>), so that no
/// header has to bear what is not ASCII.
fn ntfy(event: &Event, topic: &str) -> Value {
    let mut end = event.text.len().min(NTFY_LIMIT);
    while !event.text.is_char_boundary(end) {
        end -= 1;
    }
    let name = event.event.name().replace('_', " ");
    let title = event.model.as_ref().map_or(format!("warmd: {name}"), |model| format!("{model}: {name}"));
    let (priority, tag) = match event.event {
        Kind::Cold => (4, "snowflake"),
        Kind::Failing => (4, "rotating_light"),
        Kind::Blocked => (4, "no_entry"),
        Kind::ConfigError => (4, "warning"),
        Kind::Recovered => (3, "white_check_mark"),
        Kind::Test => (3, "bell"),
    };
    json!({
        "topic": topic,
        "title": title,
        "message": &event.text[..end],
        "priority": priority,
        "tags": [tag],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use proptest::prelude::*;

    fn saying(text: &str) -> Event {
        let event = Event::test(&"ops".parse().unwrap(), "box", DateTime::UNIX_EPOCH);
        Event { text: text.to_owned(), ..event }
    }

    #[test]
    fn nothing_that_others_wrote_is_markup() {
        let nasty = saying("<!channel> & <https://evil|click> @everyone **loud** [x](http://y)");
        let slack = body(&nasty, Format::Slack, "");
        assert_eq!(
            slack["text"],
            "&lt;!channel&gt; &amp; &lt;https://evil|click&gt; @everyone **loud** [x](http://y)"
        );
        let discord = body(&nasty, Format::Discord, "");
        assert_eq!(
            discord["content"],
            "\\<!channel\\> & \\<https://evil\\|click\\> \\@everyone \\*\\*loud\\*\\* \\[x\\]\\(http://y\\)"
        );
        assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }));
    }

    proptest! {
        #[test]
        fn no_shape_is_larger_than_what_is_taken(text in "[<>&*_a-zé日🙂]{0,6000}") {
            let event = saying(&text);
            let length = |value: &Value| value.as_str().unwrap().chars().count();
            prop_assert!(length(&body(&event, Format::Slack, "")["text"]) <= SLACK_LIMIT);
            prop_assert!(length(&body(&event, Format::Discord, "")["content"]) <= DISCORD_LIMIT);
            prop_assert!(body(&event, Format::Ntfy, "t")["message"].as_str().unwrap().len() <= NTFY_LIMIT);
        }
    }
}
