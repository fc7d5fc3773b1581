//! The words by which kinds of files are known.

use super::Kind;

pub(super) const IMAGES: [&str; 11] =
    ["png", "jpg", "jpeg", "jfif", "webp", "bmp", "tif", "tiff", "avif", "heic", "heif"];
pub(super) const AUDIOS: [&str; 11] =
    ["wav", "mp3", "flac", "ogg", "oga", "opus", "m4a", "aac", "mpga", "weba", "aiff"];
pub(super) const VIDEOS: [&str; 9] = ["mp4", "mov", "webm", "mkv", "avi", "m4v", "mpeg", "mpg", "wmv"];
pub(super) const OTHERS: [&str; 37] = [
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
pub(super) const ARCHIVES: [&str; 7] = ["zip", "zipped", "tar", "tarball", "archive", "dataset", "rar"];

/// Words for what else can't be made up.
pub(super) const OTHER_WORDS: [&str; 19] = [
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
pub(super) const PARTS: [(&str, Kind); 12] = [
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
/// Words that say what it is wherever they stand, as whole words.
pub(super) const NOUNS: [(&str, Kind); 10] = [
    ("img", Kind::Image),
    ("imgs", Kind::Image),
    ("pic", Kind::Image),
    ("frame", Kind::Image),
    ("screenshot", Kind::Image),
    ("thumbnail", Kind::Image),
    ("spectrogram", Kind::Image),
    ("gif", Kind::Gif),
    ("svg", Kind::Svg),
    ("vid", Kind::Video),
];
/// Words that say it where no other does.
pub(super) const WORDS: [(&str, Kind); 37] = [
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
    ("footage", Kind::Video),
    ("motion", Kind::Video),
    ("song", Kind::Audio),
    ("speaker", Kind::Audio),
    ("podcast", Kind::Audio),
    ("recording", Kind::Audio),
    ("instrumental", Kind::Audio),
    ("stem", Kind::Audio),
    ("stems", Kind::Audio),
    ("beat", Kind::Audio),
    ("beats", Kind::Audio),
    ("utterance", Kind::Audio),
    ("utterances", Kind::Audio),
    ("txt", Kind::Text),
];

/// Words of names that say it where the description says nothing.
pub(super) const VAGUE: [(&str, Kind); 4] =
    [("clip", Kind::Video), ("clips", Kind::Video), ("track", Kind::Audio), ("tracks", Kind::Audio)];

/// Words behind which a name or a sentence says what a file is for, and no longer what it is.
pub(super) const ENDS: [&str; 20] = [
    "of",
    "for",
    "to",
    "from",
    "with",
    "in",
    "on",
    "by",
    "at",
    "as",
    "and",
    "or",
    "that",
    "which",
    "whose",
    "where",
    "containing",
    "showing",
    "used",
    "into",
];

/// Words of sentences that say what happens, and not what the file is.
pub(super) const VERBS: [&str; 9] = ["is", "are", "was", "were", "will", "can", "may", "gets", "has"];
