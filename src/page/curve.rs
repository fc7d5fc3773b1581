//! The distribution of answers: how long the fastest share of them took, warm and cold told apart.

use super::axis::{Log, place};
use super::plot::{self, BOTTOM, FOOT, LEFT, RIGHT, TOP, VIEW};
use crate::words;
use maud::{Markup, html};

/// What percentiles are labelled at; each is as far from the one before as it has fewer answers beyond it.
const SHARES: [(f64, &str); 5] =
    [(0.0, "0 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %")];
/// What is pointed out along a line.
const POINTS: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (1.0, "max")];

/// One of the lines.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// `warm` or `cold`.
    pub kind: &'static str,
    /// As [`crate::latency::Distribution::curve`] has it.
    pub curve: &'a [(f64, f64)],
    /// How many answers.
    pub count: u64,
}

/// The picture; none where nothing was answered.
pub(super) fn draw(lines: &[Line<'_>]) -> Option<Markup> {
    let lines: Vec<&Line<'_>> = lines.iter().filter(|line| !line.curve.is_empty()).collect();
    let times = lines.iter().flat_map(|line| line.curve.iter().map(|(_, seconds)| *seconds));
    let up = Log::of(times, BOTTOM, TOP)?;
    // As far as the answers reach: of a hundred the slowest is the 99th percentile.
    let rarest = lines.iter().map(|line| line.count).max().unwrap_or(1).max(10);
    let along = |share: f64| {
        let rare = 1.0 / (1.0 - share).max(1.0 / rarest as f64);
        LEFT + (RIGHT - LEFT) * (rare.ln() / (rarest as f64).ln()).min(1.0)
    };
    let about: Vec<String> = lines.iter().map(|line| about(line)).collect();
    Some(html! {
        svg.plot viewBox=(VIEW) role="img" tabindex="0" aria-label=(about.join("; ")) {
            (plot::times(&up))
            @for (share, said) in SHARES.iter().filter(|(share, _)| (1.0 - share) * rarest as f64 >= 0.999) {
                line.grid x1=(place(along(*share))) x2=(place(along(*share))) y1=(TOP) y2=(BOTTOM) {}
                // A label has half its width to either side.
                text.foot x=(place(along(*share).min(RIGHT - 12.0))) y=(FOOT) { (said) }
            }
            @for line in &lines {
                path.line.(line.kind) d=(path(line.curve, along, &up)) {}
                @for (share, name) in POINTS {
                    @let seconds = at(line.curve, share);
                    g.run {
                        title { (line.kind) " " (name) ": " (words::measured(seconds)) }
                        circle.dot.(line.kind) cx=(place(along(share))) cy=(place(up.at(seconds))) r="3" {}
                        circle.hit cx=(place(along(share))) cy=(place(up.at(seconds))) r="10" {}
                    }
                }
            }
        }
    })
}

/// The time within which that share was answered.
fn at(curve: &[(f64, f64)], share: f64) -> f64 {
    let within = curve.iter().find(|(reached, _)| *reached >= share - 1e-12);
    within.or(curve.last()).map_or(0.0, |(_, seconds)| *seconds)
}

/// From step to step: between two of them nothing is known.
fn path(curve: &[(f64, f64)], along: impl Fn(f64) -> f64, up: &Log) -> String {
    use std::fmt::Write;
    let mut path = String::new();
    let mut reached = 0.0;
    for (share, seconds) in curve {
        let (from, to, y) = (place(along(reached)), place(along(*share)), place(up.at(*seconds)));
        let step = if path.is_empty() { 'M' } else { 'L' };
        // To write into a string can't fail.
        let _ = write!(path, "{step}{from} {y}");
        if to != from {
            let _ = write!(path, "L{to} {y}");
        }
        reached = *share;
    }
    path
}

fn about(line: &Line<'_>) -> String {
    let points = POINTS.map(|(share, name)| format!("{name} {}", words::measured(at(line.curve, share))));
    format!("{} {}: {}", line.count, line.kind, points.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_and_cold_are_two_lines_that_stay_on_the_paper() {
        let warm: Vec<(f64, f64)> =
            (1..=1000).map(|n| (f64::from(n) / 1000.0, 0.2 + f64::from(n) / 1e4)).collect();
        let cold = [(0.5, 9.0), (1.0, 14.0)];
        let lines =
            [Line { kind: "warm", curve: &warm, count: 1000 }, Line { kind: "cold", curve: &cold, count: 2 }];
        let drawn = draw(&lines).unwrap().into_string();
        assert!(drawn.contains("1000 warm: p50 0.25 s, p90 0.29 s, p99 0.30 s, max 0.30 s"), "{drawn}");
        assert!(drawn.contains("2 cold: p50 9.00 s, p90 14.0 s, p99 14.0 s, max 14.0 s"), "{drawn}");
        assert!(drawn.contains("99.9 %") && !drawn.contains("99.99 %"), "{drawn}");
        let numbers = drawn.split(" d=\"").skip(1).map(|path| path.split('"').next().unwrap());
        for pair in numbers.flat_map(|path| path.split(['M', 'L']).filter(|pair| !pair.is_empty())) {
            let (x, y) = pair.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((LEFT..=RIGHT).contains(&x) && (TOP..=BOTTOM).contains(&y), "{pair}");
        }
        assert!(draw(&[]).is_none());
        assert!(draw(&[Line { kind: "cold", curve: &[(1.0, 9.0)], count: 1 }]).is_some());
    }
}
