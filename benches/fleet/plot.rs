//! How a fleet grows, drawn: what a run has printed, as a picture for the docs.

use anyhow::{Context as _, Result, ensure};
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

/// What is drawn: a title, and a figure for each number of models.
struct Panel {
    title: &'static str,
    points: Vec<(f64, f64)>,
}

/// The picture of the rows that went to Replicate by HTTP.
pub(crate) fn draw(printed: &str) -> Result<String> {
    let lag = column(printed, 9, 7)?;
    let cpu = column(printed, 9, 2)?;
    let memory = column(printed, 8, 2)?;
    let of_a_model = |&(models, megabytes): &(f64, f64)| (models, megabytes * 1e3 / models);
    let panels = [
        Panel { title: "CPU of a heartbeat, µs", points: of(&cpu, "µs")? },
        Panel {
            title: "memory by models, kB each",
            points: of(&memory, "MB")?.iter().map(of_a_model).collect(),
        },
        Panel { title: "lag p99, ms", points: of(&lag, "ms")? },
    ];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<style>text{{fill:#333}} .axis{{stroke:#8c959f;fill:none}} \
         .line{{stroke:#0969da;stroke-width:2;fill:none}} .point{{fill:#0969da}}</style>\n"
    );
    for (place, panel) in panels.iter().enumerate() {
        panel.draw(place as f64 * PANEL, &mut svg)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

impl Panel {
    fn draw(&self, from: f64, svg: &mut String) -> Result<()> {
        ensure!(self.points.len() > 1, "{}: fewer than two points: nothing to draw", self.title);
        let highest = self.points.iter().map(|(_, figure)| *figure).fold(0.0, f64::max);
        let top = round_up(highest);
        let (left, right, floor) = (from + LEFT, from + PANEL - RIGHT, HEIGHT - BOTTOM);
        let x = |models: f64| {
            let [least, most] = MODELS.map(f64::ln);
            left + (models.ln() - least) / (most - least) * (right - left)
        };
        let y = |figure: f64| floor - figure / top * (floor - TOP);
        writeln!(svg, "<text x=\"{left}\" y=\"20\">{}</text>", self.title)?;
        writeln!(svg, "<path class=\"axis\" d=\"M{left} {TOP}V{floor}H{right}\"/>")?;
        for part in [0.0, 0.5, 1.0] {
            let (figure, at) = (top * part, y(top * part) + 4.0);
            writeln!(svg, "<text x=\"{}\" y=\"{at}\" text-anchor=\"end\">{figure}</text>", left - 6.0)?;
        }
        for models in [10.0, 100.0, 1_000.0, 10_000.0] {
            let at = x(models);
            writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{models}</text>",
                floor + 16.0
            )?;
        }
        writeln!(svg, "<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">models</text>", floor + 32.0)?;
        let points =
            self.points.iter().map(|(models, figure)| format!("{:.1},{:.1}", x(*models), y(*figure)));
        let points: Vec<String> = points.collect();
        writeln!(svg, "<polyline class=\"line\" points=\"{}\"/>", points.join(" "))?;
        for point in points {
            let (x, y) = point.split_once(',').unwrap_or_default();
            writeln!(svg, "<circle class=\"point\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>")?;
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

/// Of the table of so many columns, the cells of one, by the number of models.
fn column(printed: &str, columns: usize, which: usize) -> Result<Vec<(f64, String)>> {
    let mut cells = Vec::new();
    for line in printed.lines().filter(|line| line.contains("Replicate, HTTP ")) {
        let line: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        // The CPU's table and the rhythm's have as many columns; only the one counts in µs.
        if line.len() == columns && cell_fits(line.get(which).copied(), columns, which) {
            let models = line[0].split(' ').next().unwrap_or_default().parse()?;
            cells.push((models, line[which].to_owned()));
        }
    }
    ensure!(!cells.is_empty(), "no table of what a run printed");
    Ok(cells)
}

fn cell_fits(cell: Option<&str>, columns: usize, which: usize) -> bool {
    let unit = match (columns, which) {
        (9, 2) => "µs",
        (9, _) => "ms",
        _ => "MB",
    };
    cell.is_some_and(|cell| cell.ends_with(unit))
}

fn of(cells: &[(f64, String)], unit: &str) -> Result<Vec<(f64, f64)>> {
    let figure = |cell: &str| {
        let number = cell.strip_suffix(unit).map(str::trim);
        number
            .and_then(|number| number.parse().ok())
            .with_context(|| format!("{cell} is no figure in {unit}"))
    };
    cells.iter().map(|(models, cell)| Ok((*models, figure(cell)?))).collect()
}
