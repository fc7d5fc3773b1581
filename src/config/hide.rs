//! What of a file is drawn under stars beyond what its text alone tells.

use super::report::Report;
use super::secret;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Has every secret drawn under stars, also where escapes hide it from whoever reads the text alone.
pub(super) fn secrets_in(table: &DeTable<'_>, report: &mut Report<'_>) {
    for (key, value) in table {
        if secret::is_in(key.get_ref()) {
            report.hide(&key.span());
        }
        if key.get_ref() == "webhook" {
            report.hide(&value.span());
        }
        hide_in(value, report);
    }
}

fn hide_in(value: &Spanned<DeValue<'_>>, report: &mut Report<'_>) {
    match value.get_ref() {
        DeValue::String(text) if secret::is_in(text) => report.hide(&value.span()),
        DeValue::Array(items) => items.iter().for_each(|item| hide_in(item, report)),
        DeValue::Table(table) => secrets_in(table, report),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}
