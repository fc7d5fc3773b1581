//! Files made up for what a model wants to be given: small ones of the right kind, as data URLs.

use super::kind::{self, Kind};
use super::names;
use super::schema::Field;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// A grey image of 64 × 64 pixels, as PNG: one of 1 × 1 passes validation and breaks real models.
pub(super) const IMAGE: &str = "data:image/png;base64,\
    iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAS0lEQVR42u3PMQ0AAAwDoEqv9ErYvQQckD4XAQEBAQEBAQEB\
    AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAYHLAB8+AWnmfUycAAAAAElFTkSuQmCC";

/// A second of film in 64 × 64 pixels with a silent track, H.264 and AAC in MP4, made by Debian's ffmpeg 5.1:
/// `ffmpeg -f lavfi -i testsrc2=size=64x64:rate=25:duration=1 -f lavfi -i anullsrc=r=16000:cl=mono -shortest
/// -c:v libx264 -profile:v baseline -pix_fmt yuv420p -preset veryslow -crf 40 -c:a aac -b:a 8k
/// -movflags +faststart -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact clip.mp4`
const CLIP: &[u8] = include_bytes!("clip.mp4");

/// Two shades in 64 × 64 pixels, one after the other, made by Debian's ffmpeg 5.1:
/// `ffmpeg -f lavfi -i color=gray:size=64x64:rate=5:duration=0.4 -f lavfi -i color=black:size=64x64:rate=5:duration=0.4
/// -filter_complex '[0][1]concat=n=2:v=1[v]' -map '[v]' -bitexact blink.gif`
const BLINK: &[u8] = include_bytes!("blink.gif");

/// A grey square.
const DRAWING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"64\" height=\"64\" viewBox=\"0 0 64 64\">\
    <rect width=\"64\" height=\"64\" fill=\"#808080\"/></svg>";

/// The samples of a second of sound; models of speech work at this rate.
const RATE: u32 = 16_000;

static GIF: LazyLock<String> = LazyLock::new(|| data_url("image/gif", BLINK));
static SVG: LazyLock<String> = LazyLock::new(|| data_url("image/svg+xml", DRAWING.as_bytes()));
static AUDIO: LazyLock<String> = LazyLock::new(|| data_url("audio/wav", &silence()));
static VIDEO: LazyLock<String> = LazyLock::new(|| data_url("video/mp4", CLIP));
static TEXT: LazyLock<String> = LazyLock::new(|| data_url("text/plain", b"Hello.\n"));

/// Whether a field takes a file, or a list of files: as Cog's schemas say it, or as a text that its name says holds one.
pub(super) fn is_file(field: &Field<'_>) -> bool {
    is_formal(field) || text_of_file(field).is_some()
}

/// Whether its schema says that it takes a file.
pub(super) fn is_formal(field: &Field<'_>) -> bool {
    let is_one = |field: &Field<'_>| field.format() == Some("uri");
    is_one(field) || field.item().is_some_and(is_one)
}

/// How a text holds a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextOfFile {
    Address,
    Base64,
}

/// How a text holds a file, by the last word of its name; none where it is another text, or not known of what kind.
fn text_of_file(field: &Field<'_>) -> Option<TextOfFile> {
    /// Addresses of what is no file to work on.
    const OTHERS: [&str; 16] = [
        "webhook", "callback", "upload", "output", "result", "api", "base", "endpoint", "proxy", "redirect",
        "repo", "model", "lora", "weights", "page", "website",
    ];
    let text = if field.kind() == Some("array") { field.item()? } else { field };
    let is_free = text.kind() == Some("string")
        && text.format().is_none()
        && text.choices().next().is_none()
        && text.pattern().is_none()
        && text.length("maxLength").is_none();
    let words = names::words(&field.name);
    let has_any = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    if !is_free || has_any(&OTHERS) {
        return None;
    }
    let form = if has_any(&["b64", "base64"]) {
        TextOfFile::Base64
    } else if words.last().is_some_and(|last| ["url", "urls", "uri", "uris"].contains(&last.as_str())) {
        TextOfFile::Address
    } else {
        return None;
    };
    kind::of(field, None).map(|_| form)
}

/// A small file for a field, in a list where it takes a list of files; none where its kind is not known.
pub(super) fn small(field: &Field<'_>, example: Option<&Value>) -> Option<Value> {
    kind::of(field, example).map(|kind| of_kind(field, kind))
}

/// A small file for a field that does without it.
pub(super) fn any(field: &Field<'_>) -> Value {
    of_kind(field, Kind::Text)
}

/// An input as it is shown: files by their kind alone.
pub fn without_bytes(input: &Map<String, Value>) -> Map<String, Value> {
    let made_up = [IMAGE, &GIF, &SVG, &AUDIO, &VIDEO, &TEXT];
    let of_base64 = |text: &str| made_up.iter().find(|url| bare(url) == text);
    let shown = |value: &Value| match value.as_str() {
        Some(text) if text.starts_with("data:") => {
            Value::from(format!("{}…", text.split([';', ',']).next().unwrap_or_default()))
        }
        Some(text) => of_base64(text).map_or_else(|| value.clone(), |_| Value::from("base64…")),
        None => value.clone(),
    };
    let each = |value: &Value| match value {
        Value::Array(items) => Value::Array(items.iter().map(shown).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => shown(value),
    };
    input.iter().map(|(key, value)| (key.clone(), each(value))).collect()
}

/// The most files in a list that are made up.
const MOST: u64 = 8;

fn of_kind(field: &Field<'_>, kind: Kind) -> Value {
    let url: &str = match kind {
        Kind::Image => IMAGE,
        Kind::Gif => &GIF,
        Kind::Svg => &SVG,
        Kind::Audio => &AUDIO,
        Kind::Video => &VIDEO,
        Kind::Text => &TEXT,
    };
    let file = Value::from(if text_of_file(field) == Some(TextOfFile::Base64) { bare(url) } else { url });
    if field.kind() != Some("array") {
        return file;
    }
    let count = field.length("minItems").unwrap_or(1).clamp(1, MOST);
    Value::Array(vec![file; count as usize])
}

/// The base64 of a data URL.
fn bare(url: &str) -> &str {
    url.split_once(";base64,").map_or(url, |(_, base64)| base64)
}

/// A second of silence as WAV: one channel of 16 bits.
fn silence() -> Vec<u8> {
    const BYTES: u32 = 2;
    let data = RATE * BYTES;
    let mut wav = Vec::with_capacity(44 + data as usize);
    wav.extend(b"RIFF");
    wav.extend((36 + data).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    wav.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    wav.extend([RATE, RATE * BYTES].map(u32::to_le_bytes).concat());
    wav.extend([BYTES as u16, 8 * BYTES as u16].map(u16::to_le_bytes).concat());
    wav.extend(b"data");
    wav.extend(data.to_le_bytes());
    wav.resize(44 + data as usize, 0);
    wav
}

fn data_url(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(url: &str) -> Vec<u8> {
        STANDARD.decode(url.split_once(";base64,").unwrap().1).unwrap()
    }

    #[test]
    fn the_image_is_a_png_of_64_by_64() {
        // The signature, the header chunk's length and name, then width and height.
        assert!(bytes(IMAGE).starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x40"));
    }

    #[test]
    fn the_sound_is_a_second_of_silence() {
        let wav = bytes(&AUDIO);
        let number = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap());
        assert_eq!((&wav[..4], &wav[8..16], &wav[36..40]), (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..]));
        assert_eq!((number(4) as usize + 8, number(40)), (wav.len(), RATE * 2));
        assert_eq!((number(24), number(28)), (RATE, RATE * 2), "samples and bytes a second");
        assert!(wav[44..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_moving_image_is_a_small_gif_and_the_drawing_an_svg() {
        let gif = bytes(&GIF);
        assert_eq!(&gif[..10], b"GIF89a\x40\0\x40\0", "64 by 64");
        assert!(gif.ends_with(b";") && gif.len() < 2_000, "{}", gif.len());
        let svg = String::from_utf8(bytes(&SVG)).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"), "{svg}");
    }

    #[test]
    fn the_film_is_a_small_mp4() {
        let film = bytes(&VIDEO);
        assert_eq!(&film[4..12], b"ftypisom");
        assert!(film.len() < 5_000, "{}", film.len());
    }
}
