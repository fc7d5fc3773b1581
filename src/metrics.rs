//! What Prometheus scrapes: counters since the process started, and gauges of the instant.
//!
//! `exposition` owns the list of metrics, in OpenMetrics' text; `classic` makes the older text of it.

mod classic;
pub mod counts;
mod exposition;
mod process;

use crate::status::assemble::LiveStatus;
use counts::Counts;

/// Which text a scraper understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// The text format 0.0.4, which every Prometheus reads.
    Classic,
}

impl Format {
    /// The better one of those that an `Accept` header takes: OpenMetrics, where it is named and
    /// preferred no less than plain text. A scraper that says nothing gets the classic one.
    pub fn accepted(accept: &str) -> Self {
        let quality = |of: &str| {
            let ranges = accept.split(',').filter_map(|range| {
                let mut parts = range.split(';').map(str::trim);
                parts.next().filter(|media| media.eq_ignore_ascii_case(of))?;
                let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
                Some(quality.map_or(1.0, |quality| quality.parse::<f64>().unwrap_or(0.0)))
            });
            ranges.fold(0.0, f64::max)
        };
        let open_metrics = quality("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= quality("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    /// What it is called in HTTP.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// All metrics as a text of that format.
pub fn text(live: LiveStatus, counts: Counts, format: Format) -> String {
    let text = exposition::open_metrics(live, counts, process::usage());
    match format {
        Format::OpenMetrics => text,
        Format::Classic => classic::from_open_metrics(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn the_text_that_a_scraper_prefers() {
        // What Prometheus 2.53 and 3 send, and what people's tools do.
        for (accept, format) in [
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;\
                 q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                Format::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;q=0.6,text/plain;version=1.0.0;q=0.5,\
                 application/openmetrics-text; version=1.0.0; q=0.4",
                Format::Classic,
            ),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; q=0", Format::Classic),
            ("text/plain;version=0.0.4", Format::Classic),
            ("text/html,*/*;q=0.8", Format::Classic),
            ("*/*", Format::Classic),
            ("", Format::Classic),
            (";;q=,,", Format::Classic),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
