//! Which kind of file an input wants, by what its name, its words and the model's example say.

use super::names::words;
use super::schema::Field;
use serde_json::Value;

/// A kind of file that can be made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Image,
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

const IMAGES: [&str; 13] =
    ["png", "jpg", "jpeg", "jfif", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif", "svg"];
const AUDIOS: [&str; 11] = ["wav", "mp3", "flac", "ogg", "oga", "opus", "m4a", "aac", "mpga", "weba", "aiff"];
const VIDEOS: [&str; 9] = ["mp4", "mov", "webm", "mkv", "avi", "m4v", "mpeg", "mpg", "wmv"];
const OTHERS: [&str; 37] = [
    "zip",
    "tar",
    "gz",
    "tgz",
    "7z",
    "rar",
    "pdf",
    "doc",
    "docx",
    "ppt",
    "pptx",
    "xls",
    "xlsx",
    "epub",
    "csv",
    "tsv",
    "json",
    "jsonl",
    "html",
    "htm",
    "xml",
    "yaml",
    "srt",
    "vtt",
    "obj",
    "glb",
    "gltf",
    "ply",
    "stl",
    "fbx",
    "safetensors",
    "ckpt",
    "pth",
    "npy",
    "npz",
    "pkl",
    "mid",
];

/// Words for files that hold others.
const ARCHIVES: [&str; 7] = ["zip", "zipped", "tar", "tarball", "archive", "dataset", "rar"];

/// Words for what else can't be made up.
const OTHER_WORDS: [&str; 19] = [
    "document",
    "doc",
    "pdf",
    "epub",
    "csv",
    "json",
    "jsonl",
    "html",
    "xml",
    "subtitles",
    "srt",
    "midi",
    "mesh",
    "obj",
    "glb",
    "weights",
    "checkpoint",
    "ckpt",
    "safetensors",
];

/// Words for each kind. The unmistakable ones count as a part of a word too, as in `imagepath`.
const PARTS: [(&str, Kind); 12] = [
    ("image", Kind::Image),
    ("photo", Kind::Image),
    ("picture", Kind::Image),
    ("portrait", Kind::Image),
    ("video", Kind::Video),
    ("movie", Kind::Video),
    ("audio", Kind::Audio),
    ("music", Kind::Audio),
    ("sound", Kind::Audio),
    ("speech", Kind::Audio),
    ("vocal", Kind::Audio),
    ("voice", Kind::Audio),
];
const WORDS: [(&str, Kind); 36] = [
    ("img", Kind::Image),
    ("imgs", Kind::Image),
    ("pic", Kind::Image),
    ("mask", Kind::Image),
    ("masks", Kind::Image),
    ("face", Kind::Image),
    ("selfie", Kind::Image),
    ("sketch", Kind::Image),
    ("drawing", Kind::Image),
    ("artwork", Kind::Image),
    ("painting", Kind::Image),
    ("logo", Kind::Image),
    ("garment", Kind::Image),
    ("style", Kind::Image),
    ("content", Kind::Image),
    ("background", Kind::Image),
    ("canny", Kind::Image),
    ("depth", Kind::Image),
    ("pose", Kind::Image),
    ("scribble", Kind::Image),
    ("hed", Kind::Image),
    ("seg", Kind::Image),
    ("mlsd", Kind::Image),
    ("softedge", Kind::Image),
    ("lineart", Kind::Image),
    ("controlnet", Kind::Image),
    ("frame", Kind::Image),
    ("vid", Kind::Video),
    ("footage", Kind::Video),
    ("motion", Kind::Video),
    ("song", Kind::Audio),
    ("speaker", Kind::Audio),
    ("podcast", Kind::Audio),
    ("recording", Kind::Audio),
    ("instrumental", Kind::Audio),
    ("txt", Kind::Text),
];

/// The kind of file that `field` wants; none where nothing says it, or it can't be made up.
///
/// The example is a fact, and counts most. But what calls itself audio is sent sound, even where the example is a
/// film with sound.
pub(super) fn of(field: &Field<'_>, example: Option<&Value>) -> Option<Kind> {
    let example = example.and_then(of_example);
    let name = of_name(&field.name);
    let text = || {
        let texts = [field.description(), field.title()];
        of_text(&texts.map(Option::unwrap_or_default).join(" "))
    };
    let said = match (example, name) {
        (Some(Said::Of(Kind::Video)), Some(Said::Of(Kind::Audio))) => name,
        (Some(_), _) => example,
        // "A zip file of images" says more than `images` does.
        (None, Some(_)) => text().filter(|said| *said == Said::Archive).or(name),
        (None, None) => text(),
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
        _ if IMAGES.contains(&extension) => Said::Of(Kind::Image),
        _ if AUDIOS.contains(&extension) => Said::Of(Kind::Audio),
        _ if VIDEOS.contains(&extension) => Said::Of(Kind::Video),
        _ if OTHERS.contains(&extension) => Said::Other,
        _ => return None,
    })
}

fn of_name(name: &str) -> Option<Said> {
    let words = words(name);
    // `image2` is an image too.
    let plain = |word: &String| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    let words: Vec<String> = words.iter().flat_map(|word| [word.clone(), plain(word)]).collect();
    let any = |of_word: fn(&str) -> Option<Said>| words.iter().find_map(|word| of_word(word));
    any(archive).or_else(|| any(of_part)).or_else(|| any(other)).or_else(|| any(of_word))
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
            .or_else(|| of_part(word))
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

fn of_part(word: &str) -> Option<Said> {
    PARTS.iter().find(|(part, _)| word.contains(part)).map(|(_, kind)| Said::Of(*kind))
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
            ("video_zip_archive", None),
            ("pdf_file", None),
            ("instance_data", None),
            ("file", None),
        ] {
            assert_eq!(kind(name, "", &Value::Null), wanted, "{name}");
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
