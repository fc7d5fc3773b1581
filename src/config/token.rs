//! Tokens: where one is named in `warm.toml`, and how it is read.
//!
//! Owns the only way a secret enters the program. What it holds never leaves it as text: not in an
//! error, and there is no Debug that could.

use super::env::Env;
use super::guard;
use super::mistake::{self, Mistake};
use crate::quote;
use crate::regular_file;
use crate::secrets::Secret;
use reqwest::header::HeaderValue;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The systemd credential of Replicate's token, where none is named.
const REPLICATE_CREDENTIAL: &str = "replicate-token";
/// The environment variable of Replicate's token, where none is named; the official clients' own.
const REPLICATE_VARIABLE: &str = "REPLICATE_API_TOKEN";
/// Where systemd puts a service's credentials.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The largest token file that is read, in bytes; the longest tokens in use (JWTs) have a few KiB.
const FILE_LIMIT: u64 = 16 * 1024;

/// Where a token is to be read; tried in this order, the first that is there is taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TokenSource {
    /// The name of a file in `$CREDENTIALS_DIRECTORY`.
    pub credential: Option<String>,
    /// The name of an environment variable.
    pub env: Option<String>,
    /// A file.
    pub file: Option<PathBuf>,
}

/// A bearer token. The one way out is the header that [`Token::header`] makes, which is marked
/// sensitive: it can be neither printed
/// ```compile_fail,E0277
/// fn print(token: &warmd::config::value::Token) -> String { format!("{token}") }
/// ```
/// nor looked at, so that what holds one has to say what its own Debug tells
/// ```compile_fail,E0277
/// fn look(token: &warmd::config::value::Token) -> String { format!("{token:?}") }
/// ```
/// while this much compiles:
/// ```
/// fn send(token: &warmd::config::value::Token) -> String { format!("{:?}", token.header()) }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(Secret);

/// Why there is no token. None of them holds any of its text.
#[derive(Debug, Error)]
pub enum TokenError {
    /// None of the places has one.
    #[error("no {what}: tried {}; put it {}", .tried.join(", "), if .tried.len() == 1 { "there" } else { "in one of them" })]
    Missing {
        /// What it would be: `token`.
        what: &'static str,
        /// Each place, and why it has none.
        tried: Vec<String>,
    },
    /// It is there, and can't be read.
    #[error("can't read the {what} in {place}: {source}")]
    Read {
        /// What it would be.
        what: &'static str,
        /// Which file.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is there, and holds no token.
    #[error("{place} is empty: put the {what} in it")]
    Empty {
        /// What it would be.
        what: &'static str,
        /// Which file or variable.
        place: String,
    },
    /// It holds something that people put there by mistake.
    #[error("{place} does not hold a {what} alone, but {}: {}", .mistake.holds, .mistake.remedy)]
    Mistaken {
        /// What it would be.
        what: &'static str,
        /// Which file or variable.
        place: String,
        /// What it is instead.
        mistake: Mistake,
    },
    /// It holds something that can't be sent in a header.
    #[error(
        "{place} holds more than a {what} (a blank, a control or a non-ASCII character): put the {what} alone in it"
    )]
    Malformed {
        /// What it would be.
        what: &'static str,
        /// Which file or variable.
        place: String,
    },
    /// A file far too large for a token.
    #[error("{place} is larger than {} KiB: that is no {what}", FILE_LIMIT / 1024)]
    Large {
        /// What it would be.
        what: &'static str,
        /// Which file.
        place: String,
    },
}

impl TokenSource {
    /// Where Replicate's token is looked for, unless `warm.toml` names another place.
    pub fn replicate() -> Self {
        Self {
            credential: Some(REPLICATE_CREDENTIAL.to_owned()),
            env: Some(REPLICATE_VARIABLE.to_owned()),
            file: None,
        }
    }

    /// The files that it may be read from, there or not.
    pub fn files(&self, env: &Env) -> impl Iterator<Item = PathBuf> {
        let credential =
            self.credential.as_ref().and_then(|name| Some(env.path(CREDENTIALS_DIRECTORY)?.join(name)));
        credential.into_iter().chain(self.file.clone())
    }

    /// Reads it, with warnings where others could read it too.
    pub fn read(&self, env: &Env) -> Result<(Token, Vec<String>), TokenError> {
        let (text, warnings) = self.read_text("token", env)?;
        Ok((Token(Secret::new(&text)), warnings))
    }

    /// As [`Self::read`], the text of a secret that messages call `what`, of which not all may be secret.
    pub(super) fn read_text(
        &self,
        what: &'static str,
        env: &Env,
    ) -> Result<(String, Vec<String>), TokenError> {
        let mut tried = Vec::new();
        let credentials = env.path(CREDENTIALS_DIRECTORY);
        if let Some(name) = &self.credential {
            let shown = quote::whole(name);
            match credentials {
                None => tried.push(format!("the credential {shown} (${CREDENTIALS_DIRECTORY} is not set)")),
                Some(directory) => match read_file(what, &directory.join(name), credentials)? {
                    Some(found) => return Ok(found),
                    None => tried.push(format!("the credential {shown} (not in {})", quote::path(directory))),
                },
            }
        }
        if let Some(name) = &self.env {
            match env.os(name) {
                None => tried.push(format!("${name} (not set)")),
                Some(value) => {
                    let place = format!("${name}");
                    let text =
                        value.to_str().ok_or_else(|| TokenError::Malformed { what, place: place.clone() })?;
                    return Ok((checked(what, text, &place)?.to_owned(), Vec::new()));
                }
            }
        }
        if let Some(path) = &self.file {
            match read_file(what, path, credentials)? {
                Some(found) => return Ok(found),
                None => tried.push(format!("{} (no such file)", quote::path(path))),
            }
        }
        Err(TokenError::Missing { what, tried })
    }
}

impl std::fmt::Display for TokenSource {
    /// The places, in the order in which they are tried.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let credential = self.credential.as_ref().map(|name| format!("credential {}", quote::whole(name)));
        let variable = self.env.as_ref().map(|name| format!("${name}"));
        let file = self.file.as_ref().map(|path| quote::path(path));
        let places: Vec<_> = [credential, variable, file].into_iter().flatten().collect();
        f.write_str(&places.join(" or "))
    }
}

/// Reads a token file; none where it is not there.
fn read_file(
    what: &'static str,
    path: &Path,
    credentials: Option<&Path>,
) -> Result<Option<(String, Vec<String>)>, TokenError> {
    let place = quote::path(path);
    let failed = |source| TokenError::Read { what, place: place.clone(), source };
    let (file, metadata) = match regular_file::open(path) {
        Ok(opened) => opened,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(failed(error)),
    };
    let mode = metadata.permissions().mode() & 0o777;
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(TokenError::Large { what, place });
    }
    let text =
        std::str::from_utf8(&bytes).map_err(|_| TokenError::Malformed { what, place: place.clone() })?;
    let text = checked(what, text, &place)?.to_owned();
    // systemd guards its credentials' directory itself, and opens their modes to the group.
    let guarded = credentials.is_some_and(|directory| path.starts_with(directory));
    let mut warnings = Vec::new();
    if !guarded {
        let done = match (mode & 0o044 != 0, mode & 0o022 != 0) {
            (true, true) => Some("read and written"),
            (true, false) => Some("read"),
            (false, true) => Some("written"),
            (false, false) => None,
        };
        warnings.extend(
            done.map(|done| format!("{place} can be {done} by others (mode {mode:04o}): chmod 600 {place}")),
        );
        warnings.extend(guard::of_owner(path, &metadata));
    }
    Ok(Some((text, warnings)))
}

/// What was read, without the blanks around it, where a header could hold it.
fn checked<'a>(what: &'static str, text: &'a str, place: &str) -> Result<&'a str, TokenError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(TokenError::Empty { what, place: place.to_owned() });
    }
    if let Some(mistake) = mistake::of(text) {
        return Err(TokenError::Mistaken { what, place: place.to_owned(), mistake });
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::Malformed { what, place: place.to_owned() });
    }
    Ok(text)
}

impl Token {
    /// `Authorization`'s value.
    pub fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0.text()))
            .expect("a token has visible ASCII characters alone, which any header may have");
        value.set_sensitive(true);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn file(directory: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn of_file(path: PathBuf) -> TokenSource {
        TokenSource { file: Some(path), ..TokenSource::default() }
    }

    fn refused(source: &TokenSource, env: &Env) -> TokenError {
        match source.read(env) {
            Ok(_) => panic!("{source} has a token"),
            Err(error) => error,
        }
    }

    #[test]
    fn the_credential_comes_before_the_variable() {
        let directory = tempfile::tempdir().unwrap();
        file(directory.path(), "replicate-token", "r8_Xw3kQ9zTb5\n", 0o440);
        let both = Env::from([
            ("CREDENTIALS_DIRECTORY", directory.path().as_os_str()),
            ("REPLICATE_API_TOKEN", "r8_Lm7vN2yRc8".as_ref()),
        ]);
        let (token, warnings) = TokenSource::replicate().read(&both).unwrap();
        assert_eq!(token.header(), "Bearer r8_Xw3kQ9zTb5");
        assert_eq!(warnings, Vec::<String>::new());
        let variable = Env::from([("REPLICATE_API_TOKEN", " r8_Lm7vN2yRc8 ")]);
        let (token, _) = TokenSource::replicate().read(&variable).unwrap();
        assert_eq!(token.header(), "Bearer r8_Lm7vN2yRc8");
    }

    #[test]
    fn a_missing_one_says_where_it_was_looked_for() {
        let source = TokenSource { file: Some("/nowhere/token".into()), ..TokenSource::replicate() };
        assert_eq!(
            refused(&source, &Env::default()).to_string(),
            "no token: tried the credential replicate-token ($CREDENTIALS_DIRECTORY is not set), \
             $REPLICATE_API_TOKEN (not set), /nowhere/token (no such file); put it in one of them"
        );
    }

    #[test]
    fn files_that_others_may_read_give_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        for (mode, warned) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true)] {
            let path = file(directory.path(), &format!("{mode:o}"), "secret", mode);
            let (_, warnings) = of_file(path).read(&Env::default()).unwrap();
            assert_eq!(!warnings.is_empty(), warned, "{mode:o}: {warnings:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_and_never_told() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text, said) in [
            ("empty", "", "is empty"),
            ("blank", " \n\t", "is empty"),
            ("two", "hush hush", "more than a token"),
            ("control", "hush\u{7}", "more than a token"),
            ("accent", "hüsh", "more than a token"),
        ] {
            let error = refused(&of_file(file(directory.path(), name, text, 0o600)), &Env::default());
            assert!(error.to_string().contains(said), "{name}: {error}");
            assert!(!format!("{error} {error:?}").contains("hush"), "{error:?}");
        }
        let long = of_file(file(directory.path(), "long", &"x".repeat(20_000), 0o600));
        assert!(matches!(long.read(&Env::default()), Err(TokenError::Large { .. })));
        assert!(matches!(
            of_file(directory.path().into()).read(&Env::default()),
            Err(TokenError::Read { .. })
        ));
        let empty = Env::from([("REPLICATE_API_TOKEN", "")]);
        assert!(matches!(TokenSource::replicate().read(&empty), Err(TokenError::Empty { .. })));
    }

    #[test]
    fn the_header_does_not_tell_it() {
        let token = Token(Secret::new("r8_hush"));
        assert_eq!(format!("{:?}", token.header()), "Sensitive");
    }
}
