//! How a fleet grows, drawn: what a run has printed, as a picture for the docs.

use anyhow::{Result, bail, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Of the picture, and of each of its panels, in pixels.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
const PANEL: f64 = WIDTH / 3.0;
/// Around a panel's plot.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 26.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 40.0;

/// Numbers of models, from end to end of the axis.
const MODELS: [f64; 2] = [10.0, 10_000.0];

/// What is drawn: a title, and a figure for each number of models, in a line or two.
struct Panel {
    title: &'static str,
    lines: Vec<Line>,
    /// In powers of ten, or from nought on.
    powers: bool,
}

struct Line {
    class: &'static str,
    name: &'static str,
    points: Vec<(f64, f64)>,
}

impl Line {
    fn only(points: Vec<(f64, f64)>) -> Vec<Self> {
        vec![Self { class: "ours", name: "", points }]
    }
}

/// The picture of the rows that went to Replicate by HTTP.
pub(crate) fn draw(printed: &str) -> Result<String> {
    let memory = column(printed, "peak", "RSS", "MB")?;
    let of_a_model = |(models, megabytes): (f64, f64)| (models, megabytes * 1e3 / models);
    let cpu = |name, class, column_name| {
        Ok::<_, anyhow::Error>(Line {
            class, name, points: column(printed, "bare loop", column_name, "µs")?
        })
    };
    let cpu = vec![cpu("warmd", "ours", "warmd")?, cpu("bare loop", "other", "bare loop")?];
    let memory = Line::only(memory.into_iter().map(of_a_model).collect());
    let lag = Line::only(column(printed, "lost", "p99", "ms")?);
    let panels = [
        Panel { title: "CPU of a heartbeat, µs", lines: cpu, powers: false },
        Panel { title: "memory, kB a model", lines: memory, powers: true },
        Panel { title: "lag p99, ms", lines: lag, powers: false },
    ];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<style>text{{fill:#333}} \
         .axis{{stroke:#8c959f;fill:none}} polyline{{stroke-width:2;fill:none}} \
         .ours{{stroke:#0969da}} circle.ours{{fill:#0969da}} text.ours{{fill:#0969da;stroke:none}} \
         .other{{stroke:#bc4c00}} circle.other{{fill:#bc4c00}} text.other{{fill:#bc4c00;stroke:none}}</style>\n"
    );
    for (place, panel) in panels.iter().enumerate() {
        panel.draw(place as f64 * PANEL, &mut svg)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

impl Panel {
    fn draw(&self, from: f64, svg: &mut String) -> Result<()> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        ensure!(points().count() > 1, "{}: fewer than two points: nothing to draw", self.title);
        let highest = points().map(|(_, figure)| *figure).fold(0.0, f64::max);
        let lowest = points().map(|(_, figure)| *figure).fold(f64::INFINITY, f64::min);
        let (left, right, floor) = (from + LEFT, from + PANEL - RIGHT, HEIGHT - BOTTOM);
        let x = |models: f64| {
            let [least, most] = MODELS.map(f64::ln);
            left + (models.ln() - least) / (most - least) * (right - left)
        };
        let (marks, share): (Vec<f64>, Box<dyn Fn(f64) -> f64>) = if self.powers {
            let (first, last) = (lowest.log10().floor(), highest.log10().ceil());
            let marks = (first as i32..=last as i32).map(|power| 10_f64.powi(power)).collect();
            (marks, Box::new(move |figure| (figure.log10() - first) / (last - first)))
        } else {
            let top = round_up(highest);
            (vec![0.0, top / 2.0, top], Box::new(move |figure| figure / top))
        };
        let y = |figure: f64| floor - share(figure) * (floor - TOP);
        writeln!(svg, "<text x=\"{left}\" y=\"20\">{}</text>", self.title)?;
        writeln!(svg, "<path class=\"axis\" d=\"M{left} {TOP}V{floor}H{right}\"/>")?;
        for figure in marks {
            let at = y(figure) + 4.0;
            writeln!(svg, "<text x=\"{}\" y=\"{at:.1}\" text-anchor=\"end\">{figure}</text>", left - 6.0)?;
        }
        for models in [10.0, 100.0, 1_000.0, 10_000.0] {
            let at = x(models);
            writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{models}</text>",
                floor + 16.0
            )?;
        }
        writeln!(
            svg,
            "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">models at 1 s; 10000 at 10 s</text>",
            floor + 32.0
        )?;
        for (place, line) in self.lines.iter().enumerate() {
            line.draw(x, y, svg)?;
            let at = TOP + 14.0 * (place as f64 + 1.0);
            let Line { class, name, .. } = line;
            writeln!(
                svg,
                "<text class=\"{class}\" x=\"{right}\" y=\"{at}\" text-anchor=\"end\">{name}</text>"
            )?;
        }
        Ok(())
    }
}

impl Line {
    fn draw(&self, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64, svg: &mut String) -> Result<()> {
        let class = self.class;
        let points: Vec<(f64, f64)> =
            self.points.iter().map(|(models, figure)| (x(*models), y(*figure))).collect();
        let way: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        writeln!(svg, "<polyline class=\"{class}\" points=\"{}\"/>", way.join(" "))?;
        for (x, y) in points {
            writeln!(svg, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>")?;
        }
        Ok(())
    }
}

/// One, two or five times a power of ten.
fn round_up(figure: f64) -> f64 {
    let ten = 10_f64.powf(figure.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|times| times * ten)
        .into_iter()
        .find(|round| *round >= figure)
        .unwrap_or(figure)
}

/// Of the table that also has the column `beside`: the figures of one, by the number of models. Of rows of as many
/// models the one with the shortest interval counts.
fn column(printed: &str, beside: &str, name: &str, unit: &str) -> Result<Vec<(f64, f64)>> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let mut found: BTreeMap<u32, (u32, f64)> = BTreeMap::new();
    let mut at = None;
    for line in printed.lines() {
        let line: Vec<String> = cells(line);
        let place = |name: &str| line.iter().position(|cell| cell == name);
        if place("models").is_some() {
            at = place(name).filter(|_| place("way").is_some() && place(beside).is_some());
        }
        let (Some(at), true) = (at, line.iter().any(|cell| cell == "Replicate, HTTP")) else { continue };
        let setting = line[0].strip_suffix(" s").and_then(|setting| setting.split_once(" / "));
        let figure = line.get(at).and_then(|cell| cell.strip_suffix(unit)).map(str::trim);
        let (Some((models, seconds)), Some(figure)) = (setting, figure) else {
            bail!("{line:?} has no setting, or no {name} in {unit}");
        };
        let (models, seconds, figure) = (models.parse()?, seconds.parse()?, figure.parse()?);
        let known = found.entry(models).or_insert((seconds, figure));
        if seconds < known.0 {
            *known = (seconds, figure);
        }
    }
    ensure!(!found.is_empty(), "no column {name} of what a run printed");
    Ok(found.into_iter().map(|(models, (_, figure))| (models.into(), figure)).collect())
}
