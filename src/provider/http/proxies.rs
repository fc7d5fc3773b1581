//! The passwords of the proxies that the environment names.

use crate::secrets::Secret;
use percent_encoding::percent_decode_str;
use url::Url;

/// Each as well in lower case.
const VARIABLES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Makes the passwords known as secrets: a proxy may repeat them.
pub(super) fn passwords() -> Vec<Secret> {
    let names = VARIABLES.iter().flat_map(|name| [(*name).to_owned(), name.to_lowercase()]);
    names.filter_map(|name| password(&std::env::var(name).ok()?)).collect()
}

fn password(proxy: &str) -> Option<Secret> {
    let url = if proxy.contains("://") { Url::parse(proxy) } else { Url::parse(&format!("http://{proxy}")) };
    let url = url.ok()?;
    Some(Secret::new(&percent_decode_str(url.password()?).decode_utf8_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_with_and_without_a_scheme_and_unescaped() {
        let text = |proxy| password(proxy).map(|secret| secret.text().to_owned());
        assert_eq!(text("http://somebody:hush%2Dhush@proxy:3128").as_deref(), Some("hush-hush"));
        assert_eq!(text("somebody:hush-hush@proxy:3128").as_deref(), Some("hush-hush"));
        assert_eq!(text("http://proxy:3128"), None);
        assert_eq!(text("no address at all"), None);
    }
}
