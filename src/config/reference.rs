//! What is kept warm, and where: Replicate's references and the URLs of servers.

use super::Target;
use super::field::Wrong;
use super::secret;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// The hex digits of a version.
const VERSION_DIGITS: usize = 64;

/// `owner/name` or `owner/name:version`.
pub(super) fn replicate(text: &str) -> Result<Target, Wrong> {
    refuse_url(text)?;
    if is_version(text) {
        return Err(
            Wrong::new("a version alone does not tell the model").help("write \"owner/name:version\"")
        );
    }
    let (model, version) = match text.split_once(':') {
        Some((model, version)) => (model, Some(version)),
        None => (text, None),
    };
    let (owner, name) = owner_and_name(model)?;
    let Some(version) = version else { return Ok(Target::Model { owner, name }) };
    if let Some(wrong) = version.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Err(Wrong::new(format!("a version has {VERSION_DIGITS} hex digits, not {wrong:?}")));
    }
    if version.len() != VERSION_DIGITS {
        return Err(Wrong::new(format!(
            "a version has {VERSION_DIGITS} hex digits, this has {}",
            version.len()
        )));
    }
    Ok(Target::Version { owner, name, version: version.to_ascii_lowercase() })
}

/// `owner/name` of a deployment.
pub(super) fn deployment(text: &str) -> Result<Target, Wrong> {
    refuse_url(text)?;
    if let Some((name, _)) = text.split_once(':') {
        let name = super::report::echo(name);
        return Err(Wrong::new("a deployment takes no version: its release tells which")
            .help(format!("write \"{name}\"")));
    }
    let (owner, name) = owner_and_name(text)?;
    Ok(Target::Deployment { owner, name })
}

/// What a Cog server answers below its base URL.
const COG_PATHS: [&str; 8] =
    ["predictions", "health-check", "health", "openapi.json", "docs", "redoc", "trainings", "shutdown"];
/// The same of Replicate's API.
const API_PATHS: [&str; 5] = ["predictions", "models", "deployments", "hardware", "account"];

/// The URL of a Cog server.
pub(super) fn cog(text: &str) -> Result<Url, Wrong> {
    let url = server(text, "http://gpu-box:5000")?;
    refuse_path(&url, &COG_PATHS)?;
    Ok(url)
}

/// Refuses a URL that ends in one of the paths that are added to it, or in what is below the first of them.
fn refuse_path(url: &Url, paths: &[&str]) -> Result<(), Wrong> {
    let parts: Vec<&str> = url.path_segments().into_iter().flatten().collect();
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().to_ascii_lowercase();
    let added = |part: &str| paths.iter().find(|path| **path == decoded(part));
    let (base, added) = match parts.as_slice() {
        [base @ .., last] if let Some(path) = added(last) => (base, *path),
        [base @ .., path, _] if decoded(path) == "predictions" => (base, "predictions"),
        [base @ .., path, _, last] if decoded(path) == "predictions" && decoded(last) == "cancel" => {
            (base, "predictions")
        }
        _ => return Ok(()),
    };
    let mut right = url.clone();
    right.set_path(&base.join("/"));
    let right = right.as_str().trim_end_matches('/');
    Err(Wrong::new(format!("`/{added}` is added to this URL, which is the server's base"))
        .help(format!("write \"{right}\"")))
}

/// The base of Replicate's API. The token goes there with every request, so that it must not be
/// readable on the way.
pub(super) fn base_url(text: &str) -> Result<Url, Wrong> {
    let url = server(text, "https://api.replicate.com/v1")?;
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(
            Wrong::new("the token would travel in the clear").help("use https (http is for loopback alone)")
        );
    }
    refuse_path(&url, &API_PATHS)?;
    Ok(url)
}

/// Whether a URL stays on this machine. Of names `localhost` alone: what is below it may be asked of a
/// name server, and what that says goes anywhere.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A URL that paths can be added to. Nothing of it is repeated: it may hold a password.
fn server(text: &str, example: &str) -> Result<Url, Wrong> {
    let text = text.trim();
    let with_scheme = || {
        Wrong::new("a URL begins with http:// or https://").help(format!("write one such as \"{example}\""))
    };
    if !text.contains("://") {
        return Err(with_scheme());
    }
    let mut url = Url::parse(text).map_err(|error| Wrong::new(format!("it is no URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(with_scheme());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Wrong::new("the URL has no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new("a URL has no place for a password")
            .help("name a token with token_env, token_file or token_credential"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new(
            "the URL goes on after its path: paths are added to it, so that `?` and `#` have no place in it",
        ));
    }
    if secret::is_in(text) {
        return Err(Wrong::new("the URL holds what looks like a token, and URLs are shown")
            .help("name it with token_env, token_file or token_credential, and make a new one: this one may have been seen"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn owner_and_name(text: &str) -> Result<(String, String), Wrong> {
    let Some((owner, name)) = text.split_once('/') else {
        return Err(Wrong::new("the owner is missing").help("write \"owner/name\""));
    };
    for (part, what) in [(owner, "owner"), (name, "name")] {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if part.is_empty() {
            return Err(Wrong::new(format!("the {what} is missing")).help("write \"owner/name\""));
        }
        if let Some(wrong) = part.chars().find(|c| !allowed(*c)) {
            return Err(Wrong::new(format!("{wrong:?} can't be in the {what}")));
        }
        // A path of dots would leave the API's own.
        if part.bytes().all(|byte| byte == b'.') {
            return Err(Wrong::new(format!("dots alone are no {what}")));
        }
    }
    Ok((owner.to_owned(), name.to_owned()))
}

fn is_version(text: &str) -> bool {
    text.len() == VERSION_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Addresses of pages and of images are what one copies; the reference is in them.
fn refuse_url(text: &str) -> Result<(), Wrong> {
    let page = text.trim();
    let page = ["https://", "http://", "docker://"].iter().find_map(|s| page.strip_prefix(s)).unwrap_or(page);
    let page = page.trim_start_matches("www.");
    // What comes after the path may hold a secret, and is no part of the reference.
    let page = page.split(['?', '#']).next().unwrap_or_default();
    let known = ["replicate.com/", "r8.im/", "api.replicate.com/v1/models/", "api.replicate.com/v1/"];
    // Other ways to write a digest, or a version, than an image's name has.
    let page = &page.replacen(":sha256:", "@sha256:", 1);
    let page = &match page.split_once('@') {
        Some((name, version)) if is_version(version) => format!("{name}@sha256:{version}"),
        Some(_) | None => page.clone(),
    };
    let site = known.iter().find_map(|site| page.strip_prefix(site));
    let is_image = page.starts_with("r8.im/") || text.trim().starts_with("docker://");
    let (path, what) = match (site, page.split_once("@sha256:")) {
        (Some(path), _) if is_image => (path, "the name of an image"),
        (Some(path), _) => (path, "the address of a page"),
        (None, Some(_)) if !page.starts_with('/') => (page.as_str(), "the name of an image"),
        (None, _) if text.contains("://") => {
            return Err(Wrong::new("a URL is no reference").help("write \"owner/name\""));
        }
        (None, _) => return Ok(()),
    };
    // The digest of a model's image is its version.
    let path = path.replacen("@sha256:", "/versions/", 1);
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let reference = match parts.as_slice() {
        ["deployments", owner, name, ..] => format!("deployment = \"{owner}/{name}\""),
        // A tag beside the digest says nothing more.
        [owner, name, "versions", version, ..] => {
            let name = name.split(':').next().unwrap_or_default();
            format!("replicate = \"{owner}/{name}:{version}\"")
        }
        [owner, name, ..] => {
            // A tag such as `latest` is no version.
            let is_tag = |version: &str| !version.bytes().all(|byte| byte.is_ascii_hexdigit());
            let name =
                name.split_once(':').filter(|(_, version)| is_tag(version)).map_or(*name, |(name, _)| name);
            format!("replicate = \"{owner}/{name}\"")
        }
        _ => "replicate = \"owner/name\"".to_owned(),
    };
    Err(Wrong::new(format!("{what} is no reference"))
        .help(format!("write {}", super::report::cut(&reference, 200))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said<T>(result: Result<T, Wrong>) -> String {
        result
            .err()
            .map_or_else(String::new, |wrong| format!("{}; {}", wrong.what, wrong.help.unwrap_or_default()))
    }

    #[test]
    fn references() {
        let version = "7762fd07cf82c948538e41f63f77d685e02b063e37e496e96eefd46c929f9bdc";
        let written = format!("stability-ai/sdxl:{version}");
        assert_eq!(replicate(&written).ok().map(|target| target.to_string()), Some(written.clone()));
        assert_eq!(
            replicate("meta/llama-3.1").ok().map(|target| target.to_string()),
            Some("meta/llama-3.1".into())
        );
        assert_eq!(deployment("me/mine").ok().map(|target| target.kind()), Some("deployment"));
        let of_image = format!("the name of an image is no reference; write replicate = \"a/b:{version}\"");
        for (text, expected) in [
            ("sdxl", "the owner is missing; write \"owner/name\""),
            ("/sdxl", "the owner is missing; write \"owner/name\""),
            ("a/", "the name is missing; write \"owner/name\""),
            ("a/b/c", "'/' can't be in the name; "),
            ("a/b c", "' ' can't be in the name; "),
            ("../..", "dots alone are no owner; "),
            ("a/b:", "a version has 64 hex digits, this has 0; "),
            ("a/b:7762", "a version has 64 hex digits, this has 4; "),
            ("a/b:latest", "a version has 64 hex digits, not 'l'; "),
            (version, "a version alone does not tell the model; write \"owner/name:version\""),
            (
                "https://replicate.com/stability-ai/sdxl?x=1",
                "the address of a page is no reference; write replicate = \"stability-ai/sdxl\"",
            ),
            (
                "replicate.com/a/b/versions/7762",
                "the address of a page is no reference; write replicate = \"a/b:7762\"",
            ),
            ("r8.im/a/b@sha256:7762", "the name of an image is no reference; write replicate = \"a/b:7762\""),
            (
                "https://r8.im/a/b:latest@sha256:7762",
                "the name of an image is no reference; write replicate = \"a/b:7762\"",
            ),
            ("r8.im/a/b:latest", "the name of an image is no reference; write replicate = \"a/b\""),
            (
                "docker://r8.im/a/b@sha256:7762",
                "the name of an image is no reference; write replicate = \"a/b:7762\"",
            ),
            ("a/b@sha256:7762", "the name of an image is no reference; write replicate = \"a/b:7762\""),
            (
                "https://api.replicate.com/v1/models/a/b/versions/7762",
                "the address of a page is no reference; write replicate = \"a/b:7762\"",
            ),
            (
                "https://replicate.com/a/b:7762",
                "the address of a page is no reference; write replicate = \"a/b:7762\"",
            ),
            (
                "https://replicate.com/deployments/me/mine",
                "the address of a page is no reference; write deployment = \"me/mine\"",
            ),
            (&format!("a/b:sha256:{version}"), &of_image),
            (&format!("a/b@{version}"), &of_image),
            ("https://example.com/a/b", "a URL is no reference; write \"owner/name\""),
        ] {
            assert_eq!(said(replicate(text)), expected, "{text}");
        }
        assert_eq!(
            said(deployment("me/mine:7762")),
            "a deployment takes no version: its release tells which; write \"me/mine\""
        );
    }

    #[test]
    fn servers() {
        for (text, url) in [
            ("http://gpu-box:5000", "http://gpu-box:5000/"),
            ("http://gpu-box:5000/", "http://gpu-box:5000/"),
            ("https://host/a/b/", "https://host/a/b"),
            ("http://[::1]:5000", "http://[::1]:5000/"),
        ] {
            assert_eq!(cog(text).map(|url| url.to_string()).ok(), Some(url.to_owned()), "{text}");
        }
        for text in [
            "gpu-box:5000",
            "gpu-box",
            "ftp://host",
            "http://",
            "http://h:99999",
            "http://h?x",
            "http://h/#x",
            "",
        ] {
            assert!(cog(text).is_err(), "{text}");
        }
        assert_eq!(
            said(cog("http://me:hush@host")),
            "a URL has no place for a password; name a token with token_env, token_file or token_credential"
        );
    }

    #[test]
    fn what_is_added_to_a_base_is_no_part_of_it() {
        for (text, base) in [
            ("http://gpu:5000/predictions", "http://gpu:5000"),
            ("http://gpu:5000/predictions/", "http://gpu:5000"),
            ("http://gpu:5000/Predictions", "http://gpu:5000"),
            ("http://gpu:5000/%70redictions", "http://gpu:5000"),
            ("http://gpu:5000/health", "http://gpu:5000"),
            ("http://gpu:5000/a/b/health-check", "http://gpu:5000/a/b"),
            ("https://gpu/openapi.json", "https://gpu"),
            ("https://gpu/x/docs//", "https://gpu/x"),
            ("http://gpu:5000/predictions/abc", "http://gpu:5000"),
            ("http://gpu:5000/Predictions/abc", "http://gpu:5000"),
            ("http://gpu:5000/predictions/abc/%63ancel", "http://gpu:5000"),
            ("http://gpu:5000/a/predictions/abc/cancel", "http://gpu:5000/a"),
        ] {
            assert!(said(cog(text)).ends_with(&format!("; write \"{base}\"")), "{text}: {}", said(cog(text)));
        }
        for text in ["http://gpu:5000/docs-model", "http://gpu:5000/my/predictions-v2", "http://gpu/doc"] {
            assert!(cog(text).is_ok(), "{text}");
        }
        assert!(
            said(base_url("https://api.replicate.com/v1/predictions"))
                .ends_with("write \"https://api.replicate.com/v1\"")
        );
    }

    #[test]
    fn a_token_travels_in_the_clear_on_loopback_alone() {
        for good in [
            "https://api.replicate.com/v1",
            "http://127.0.0.1:80/v1",
            "http://127.1/v1",
            "http://127.9.9.9/v1",
            "http://0x7f000001/v1",
            "http://localhost:1/v1",
            "http://LocalHost/v1",
            "http://[::1]/v1",
            "http://[0:0:0:0:0:0:0:1]/v1",
        ] {
            assert!(base_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.replicate.com/v1",
            "http://10.0.0.1/v1",
            "http://0.0.0.0/v1",
            "http://0/v1",
            "http://[::]/v1",
            "http://[::ffff:127.0.0.1]/v1",
            "http://128.0.0.1/v1",
            "http://localhost.evil.com/v1",
            "http://127.0.0.1.nip.io/v1",
            "http://replicate.localhost/v1",
            "http://localhost./v1",
            "http://evil.com\\@localhost/v1",
            "http://127.0.0.1@evil.com/v1",
            "http://evil.com#@localhost/v1",
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }
}
