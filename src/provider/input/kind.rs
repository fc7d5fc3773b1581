//! Which kind of file an input wants, by what its name, its words and the model's example say.

mod known;

use super::names::words;
use super::schema::Field;
use known::{ARCHIVES, AUDIOS, ENDS, IMAGES, NOUNS, OTHER_WORDS, OTHERS, PARTS, VAGUE, VERBS, VIDEOS, WORDS};
use serde_json::Value;

/// A kind of file that can be made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
    /// An image that moves.
    Gif,
    /// A drawing as text.
    Svg,
    Audio,
    Video,
    Text,
}

/// What one piece of evidence says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Of(Kind),
    /// A file that holds others.
    Archive,
    /// Another file that can't be made up: a document, a mesh, weights.
    Other,
}

/// The kind of file that `field` wants; none where nothing says it, or it can't be made up.
///
/// The example is a fact, and counts most. But what calls itself audio is sent sound, even where the example is a
/// film with sound.
pub(super) fn of(field: &Field<'_>, example: Option<&Value>) -> Option<Kind> {
    let example = example.and_then(of_example);
    let name = of_name(&field.name);
    let description = field.description().unwrap_or_default();
    let text = || of_text(&[description, field.title().unwrap_or_default()].join(" "));
    let called = || of_phrase(description);
    let said = match (example, name) {
        (Some(Said::Of(Kind::Video)), Some(Said::Of(Kind::Audio))) => name,
        (Some(_), _) => example,
        // "A zip file of images" says more than `images` does, and so does "An image" than `sound`.
        (None, Some(_)) => text().filter(|said| *said == Said::Archive).or_else(called).or(name),
        (None, None) => called().or_else(text).or_else(|| of_vague_name(&field.name)),
    };
    match said? {
        Said::Of(kind) => Some(kind),
        Said::Archive | Said::Other => None,
    }
}

/// By an address's extension, or a data URL's type.
fn of_example(example: &Value) -> Option<Said> {
    let one = example.as_array().map_or(Some(example), |items| items.first())?;
    let address = one.as_str()?;
    if let Some(data) = address.strip_prefix("data:") {
        let (kind, rest) = data.split_once('/')?;
        return Some(match kind {
            "image" if rest.starts_with("gif") => Said::Of(Kind::Gif),
            "image" if rest.starts_with("svg") => Said::Of(Kind::Svg),
            "image" => Said::Of(Kind::Image),
            "audio" => Said::Of(Kind::Audio),
            "video" => Said::Of(Kind::Video),
            "text" if rest.starts_with("plain") => Said::Of(Kind::Text),
            _ => Said::Other,
        });
    }
    let path = address.split(['?', '#']).next()?;
    let (_, extension) = path.rsplit_once('/')?.1.rsplit_once('.')?;
    of_extension(&extension.to_ascii_lowercase())
}

fn of_extension(extension: &str) -> Option<Said> {
    Some(match extension {
        "txt" | "md" => Said::Of(Kind::Text),
        "gif" => Said::Of(Kind::Gif),
        "svg" => Said::Of(Kind::Svg),
        _ if IMAGES.contains(&extension) => Said::Of(Kind::Image),
        _ if AUDIOS.contains(&extension) => Said::Of(Kind::Audio),
        _ if VIDEOS.contains(&extension) => Said::Of(Kind::Video),
        _ if OTHERS.contains(&extension) => Said::Other,
        _ => return None,
    })
}

fn of_name(name: &str) -> Option<Said> {
    let words = words_of_name(name);
    let is = |known: fn(&str) -> Option<Said>| words.iter().find_map(|word| known(word));
    // What it is stands last: of `video_frame_image`, an image.
    let head = head(&words);
    let last = |known: fn(&str) -> Option<Said>| head.iter().rev().find_map(|word| known(word));
    is(archive).or_else(|| last(noun)).or_else(|| is(noun)).or_else(|| is(other)).or_else(|| is(of_word))
}

/// The words of a name; `image2` is an image too.
fn words_of_name(name: &str) -> Vec<String> {
    let words = words(name).into_iter();
    words
        .map(|word| {
            let plain = word.trim_end_matches(|c: char| c.is_ascii_digit());
            if plain.is_empty() || of_extension(&word).is_some() { word } else { plain.to_owned() }
        })
        .collect()
}

/// The words before the first one that says what it is for.
fn head(words: &[String]) -> &[String] {
    let end = words.iter().skip(1).position(|word| ENDS.contains(&word.as_str()));
    &words[..end.map_or(words.len(), |end| end + 1)]
}

fn of_vague_name(name: &str) -> Option<Said> {
    let vague = |word: &String| VAGUE.iter().find(|(known, _)| word == known);
    words_of_name(name).iter().rev().find_map(vague).map(|(_, kind)| Said::Of(*kind))
}

/// By a description that begins with what it is: "An image", "A short audio clip". None where it leaves a choice,
/// or is about something else.
fn of_phrase(text: &str) -> Option<Said> {
    const BEFORE: [&str; 4] = ["optional", "optionally", "provide", "upload"];
    let start: String = text.chars().take(LONGEST_TEXT).collect();
    let sentences = start.split(['.', ',', ';', ':', '(', ')', '\n']).map(|sentence| {
        let words = words(sentence).into_iter();
        words.skip_while(|word| BEFORE.contains(&word.as_str())).collect::<Vec<String>>()
    });
    let words = sentences.into_iter().find(|words| !words.is_empty())?;
    let [article, words @ ..] = &words[..] else { return None };
    let is_other = words.iter().any(|word| word == "or" || VERBS.contains(&word.as_str()));
    if is_other || !["a", "an"].contains(&article.as_str()) {
        return None;
    }
    head(words).iter().rev().find_map(|word| noun(word))
}

/// By the description and the title: what is named first.
fn of_text(text: &str) -> Option<Said> {
    let start: String = text.chars().take(LONGEST_TEXT).collect();
    let words = words(&start);
    let mut said = words.iter().enumerate().filter_map(|(at, word)| {
        // "Text" alone is said of much that is no file.
        let of_text = word == "text" && words.get(at + 1).is_some_and(|next| next == "file");
        let text = of_text.then_some(Said::Of(Kind::Text));
        text.or_else(|| archive(word))
            .or_else(|| noun(word))
            .or_else(|| other(word))
            .or_else(|| of_word(word))
    });
    said.next()
}

/// How much of a description is read, in characters.
const LONGEST_TEXT: usize = 1000;

fn archive(word: &str) -> Option<Said> {
    ARCHIVES.contains(&word).then_some(Said::Archive)
}

fn other(word: &str) -> Option<Said> {
    OTHER_WORDS.contains(&word).then_some(Said::Other)
}

/// What says the kind without a doubt.
fn noun(word: &str) -> Option<Said> {
    let whole = NOUNS.iter().find(|(whole, _)| word == *whole);
    whole.or_else(|| PARTS.iter().find(|(part, _)| word.contains(part))).map(|(_, kind)| Said::Of(*kind))
}

fn of_word(word: &str) -> Option<Said> {
    let whole = WORDS.iter().find(|(whole, _)| word == *whole).map(|(_, kind)| Said::Of(*kind));
    whole.or_else(|| of_extension(word).filter(|said| matches!(said, Said::Of(_))))
}

#[cfg(test)]
mod tests {
    use super::super::schema::Input;
    use super::*;
    use serde_json::json;

    fn kind(name: &str, description: &str, example: &Value) -> Option<Kind> {
        let field = json!({"type": "string", "format": "uri", "description": description});
        let document = json!({"components": {"schemas": {"Input": {"properties": {name: field}}}}});
        of(&Input::of(&document)?.field(name)?, Some(example))
    }

    #[test]
    fn a_name_says_what_it_wants() {
        for (name, wanted) in [
            ("image", Some(Kind::Image)),
            ("imagepath", Some(Kind::Image)),
            ("garm_img", Some(Kind::Image)),
            ("STYLE_IMAGE", Some(Kind::Image)),
            ("img2", Some(Kind::Image)),
            ("controlnet_1", Some(Kind::Image)),
            ("driven_audio", Some(Kind::Audio)),
            ("song_input", Some(Kind::Audio)),
            ("speaker", Some(Kind::Audio)),
            ("driving_video", Some(Kind::Video)),
            ("mp4", Some(Kind::Video)),
            ("video_first_frame", Some(Kind::Image)),
            ("video_frame_image", Some(Kind::Image)),
            ("sound_image", Some(Kind::Image)),
            ("image_video", Some(Kind::Video)),
            ("video_audio", Some(Kind::Audio)),
            ("image_for_video", Some(Kind::Image)),
            ("video_mask", Some(Kind::Video)),
            ("clip", Some(Kind::Video)),
            ("audio_clip", Some(Kind::Audio)),
            ("track", Some(Kind::Audio)),
            ("stems", Some(Kind::Audio)),
            ("beat", Some(Kind::Audio)),
            ("utterance", Some(Kind::Audio)),
            ("gif", Some(Kind::Gif)),
            ("svg_file", Some(Kind::Svg)),
            ("video_zip_archive", None),
            ("pdf_file", None),
            ("instance_data", None),
            ("file", None),
        ] {
            assert_eq!(kind(name, "", &Value::Null), wanted, "{name}");
        }
    }

    #[test]
    fn what_a_description_calls_it_counts() {
        for (name, description, wanted) in [
            ("clip", "A short clip", Some(Kind::Video)),
            ("clip", "A short audio clip", Some(Kind::Audio)),
            ("clip", "What to transcribe: the speech in it", Some(Kind::Audio)),
            ("track", "The video in which to find things", Some(Kind::Video)),
            ("video_start", "An image to start the video from", Some(Kind::Image)),
            ("sound", "(Optional) An image of a spectrogram", Some(Kind::Image)),
            ("sound", "An image of a spectrogram", Some(Kind::Image)),
            ("image", "A video is made from this image", Some(Kind::Image)),
            ("image", "A video or image to upscale", Some(Kind::Image)),
            ("animation", "An animated GIF to caption", Some(Kind::Gif)),
        ] {
            assert_eq!(kind(name, description, &Value::Null), wanted, "{name}: {description}");
        }
    }

    #[test]
    fn an_example_counts_more_than_words_and_words_more_than_nothing() {
        let url = |name: &str| json!(format!("https://example.com/in/{name}"));
        assert_eq!(kind("input", "", &url("a.mp3")), Some(Kind::Audio));
        assert_eq!(kind("input", "Image to query", &url("a.MP4?token=b.png")), Some(Kind::Video));
        assert_eq!(kind("images", "", &url("all.zip")), None);
        assert_eq!(kind("audio", "", &url("film.mp4")), Some(Kind::Audio), "silence is enough");
        assert_eq!(kind("media", "", &json!("data:image/jpeg;base64,AA==")), Some(Kind::Image));
        assert_eq!(kind("media", "", &json!(["https://example.com/a.wav"])), Some(Kind::Audio));
        assert_eq!(kind("file", "The audio to transcribe, or a video", &url("download")), Some(Kind::Audio));
        assert_eq!(kind("file", "A text file with a question", &Value::Null), Some(Kind::Text));
        assert_eq!(kind("images", "A ZIP file of training images", &Value::Null), None);
        assert_eq!(kind("doc", "PDF, DOCX or PNG", &Value::Null), None);
        assert_eq!(kind("file", "What to process", &Value::Null), None);
    }
}
