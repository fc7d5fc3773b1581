//! The text format 0.0.4 out of OpenMetrics' text: the same lines, but that a family of counters is named as
//! its samples are, an info is a gauge, and neither units nor an end are told.

/// The classic text of what `text` says.
pub(super) fn from_open_metrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // Told with its type, which says what it is called.
            help = rest.split_once(' ').map(|(_, help)| help);
        } else if let Some((family, kind)) =
            line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (name, kind) = match kind {
                "counter" => (format!("{family}_total"), kind),
                "info" => (format!("{family}_info"), "gauge"),
                other => (family.to_owned(), other),
            };
            let help = help.take().unwrap_or_default();
            for part in ["# HELP ", &name, " ", help, "\n# TYPE ", &name, " ", kind, "\n"] {
                classic.push_str(part);
            }
        } else if !line.starts_with('#') {
            classic.push_str(line);
            classic.push('\n');
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_kind_of_family() {
        let text = "# HELP a_seconds Of a.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
                    a_seconds_total{m=\"# HELP x\"} 1.5\n\
                    # HELP build What.\n# TYPE build info\nbuild_info{v=\"1\"} 1\n\
                    # HELP g Now.\n# TYPE g gauge\ng 2\n# EOF\n";
        assert_eq!(
            super::from_open_metrics(text),
            "# HELP a_seconds_total Of a.\n# TYPE a_seconds_total counter\n\
             a_seconds_total{m=\"# HELP x\"} 1.5\n\
             # HELP build_info What.\n# TYPE build_info gauge\nbuild_info{v=\"1\"} 1\n\
             # HELP g Now.\n# TYPE g gauge\ng 2\n"
        );
    }
}
