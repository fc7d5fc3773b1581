//! The paper of a plot of times: its size, and the lines across it.

use super::axis::{Log, place};
use maud::{Markup, html};

/// The paper, wide enough for its labels to be read on a phone.
pub(super) const VIEW: &str = "0 0 440 230";
/// What is left free at the edges for labels.
pub(super) const LEFT: f64 = 48.0;
pub(super) const RIGHT: f64 = 430.0;
pub(super) const TOP: f64 = 12.0;
pub(super) const BOTTOM: f64 = 204.0;
/// Where the labels below it stand.
pub(super) const FOOT: f64 = BOTTOM + 16.0;

/// A line across at each labelled time.
pub(super) fn times(up: &Log) -> Markup {
    html! {
        @for (y, said) in up.labels() {
            line.grid x1=(LEFT) x2=(RIGHT) y1=(place(y)) y2=(place(y)) {}
            text.side x=(LEFT - 6.0) y=(place(y + 3.5)) { (said) }
        }
    }
}
