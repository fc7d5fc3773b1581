//! What every page has around what it shows, and what goes along with it.

use super::view::View;
use crate::status::{DaemonStatus, Snapshot};
use crate::words;
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};

/// All that a page may do: load what lies beside it, and ask for itself again.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The spans that are offered; the first is what is shown where none is asked for.
const SPANS: [&str; 4] = ["24h", "7d", "30d", "90d"];

/// Seconds from one refresh to the next without a script, which would spare what is not looked at.
const PLAIN_REFRESH: u32 = 60;

/// A file that a page loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// What it is.
    pub content_type: &'static str,
    /// All of it.
    pub body: &'static str,
}

/// The file of that name under `/assets/`.
pub fn asset(name: &str) -> Option<Asset> {
    let (content_type, body) = match name {
        "page.css" => ("text/css; charset=utf-8", include_str!("page.css")),
        "page.js" => ("text/javascript; charset=utf-8", include_str!("page.js")),
        "icon.svg" => ("image/svg+xml", include_str!("icon.svg")),
        _ => return None,
    };
    Some(Asset { content_type, body })
}

/// A page.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// The way up to `/`, empty or `../`: so that it works below any path of a proxy's.
    pub root: &'static str,
    pub title: &'a str,
    /// Seconds from one refresh to the next.
    pub refresh: u32,
    pub main: Markup,
    pub footer: Markup,
}

impl Frame<'_> {
    pub(super) fn render(self) -> String {
        let Self { root, title, refresh, main, footer } = self;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    link rel="icon" href={ (root) "assets/icon.svg" } type="image/svg+xml";
                    link rel="stylesheet" href={ (root) "assets/page.css" };
                    script src={ (root) "assets/page.js" } defer {}
                    noscript { meta http-equiv="refresh" content=(PLAIN_REFRESH); }
                }
                body {
                    a.skip href="#main" { "Skip to the report" }
                    p #lost role="alert" hidden {}
                    main #main tabindex="-1" data-refresh=(refresh) { (main) }
                    footer { (footer) }
                }
            }
        };
        page.into_string()
    }
}

/// The line at the end.
pub(super) fn footer(root: &str, daemon: &DaemonStatus, at: DateTime<Utc>, json: &str) -> Markup {
    html! {
        p {
            "warmd " (daemon.version) ", up " (words::span(words::between(daemon.started_at, at)))
            ", time zones " (daemon.tzdata) ". "
            "As of " time datetime=(crate::status::rfc3339_millis(at)) { (at.format("%Y-%m-%d %H:%M:%S UTC")) } "."
        }
        p {
            "The same for programs: "
            a href={ (root) (json) } { "JSON" } ", "
            a href={ (root) "metrics" } { "metrics" } "."
        }
    }
}

/// What the user should know of the daemon itself, before all else.
pub(super) fn notices(snapshot: &Snapshot) -> Markup {
    let daemon = &snapshot.daemon;
    html! {
        @if let Some(error) = &daemon.config_error {
            p.notice.bad role="alert" {
                strong { "Configuration refused. " }
                "The one read " (words::span(words::between(daemon.config_loaded_at, snapshot.at)))
                " ago goes on: " (words::tame(error))
            }
        }
        @for note in &daemon.notes { p.notice { (words::tame(note)) } }
    }
}

/// The spans to choose from, as links to `path`.
pub(super) fn spans(path: &str, view: &View) -> Markup {
    let asked = view.since.as_deref().unwrap_or(SPANS[0]);
    html! {
        nav.spans aria-label="Span of the figures" {
            @for span in SPANS {
                @let wanted = (span != SPANS[0]).then_some(span);
                a href={ (path) (link(&view.since(wanted))) } aria-current=[(span == asked).then_some("true")] {
                    (span)
                }
            }
        }
    }
}

/// A query as a link has it: without one it leads to the path alone.
pub(super) fn link(view: &View) -> String {
    match view.query() {
        query if query.is_empty() => "?".to_owned(),
        query => query,
    }
}

/// A page that tells why there is none; `root` is the way up to `/`.
pub fn trouble(root: &'static str, title: &str, detail: &str) -> String {
    let main = html! {
        header.top { a.brand href={ (root) "./" } { "warmd" } }
        h1 { (title) }
        p.notice.bad { (words::tame(detail)) }
        p { a href={ (root) "./" } { "All models" } }
    };
    let title = format!("{title} · warmd");
    Frame { root, title: &title, refresh: 10, main, footer: html! {} }.render()
}
