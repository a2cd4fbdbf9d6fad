//! Curves as a picture: a dash pattern per curve for grey print, and labels at the right with lines to their curves.

use std::fmt::Write as _;

use super::{COLOURS, escaped, opening};
use crate::prune::structured::{Refit, UnitRun, UnitSummary};
use crate::prune::{Curve, Point};

const DASHES: [&str; 4] = ["", "8 3", "2 3", "10 3 2 3"];

const WIDTH: f64 = 860.0;
/// Least height; more lines make it higher.
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 262.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 56.0;
/// Height of a label.
const LABEL: f64 = 19.0;

/// A line of a chart: shares from 0 to 1 on both axes.
struct Line {
    label: String,
    points: Vec<(f64, f64)>,
}

/// A line chart of top-1 accuracy (or agreement, without labels) over the rate. The same curves give the same bytes.
#[must_use]
pub fn curves_svg(title: &str, curves: &[Curve]) -> String {
    let labelled = curves.iter().all(|curve| curve.points.iter().all(|point| point.top1.is_some()));
    let quantity = if labelled { "top-1 accuracy" } else { "agreement with the whole network" };
    let line = |curve: &Curve| {
        let auc = curve.auc.map(|auc| format!(" (AUC {:.2})", auc * 100.0)).unwrap_or_default();
        let seed = if curve.method.is_random() { format!(" #{}", curve.seed) } else { String::new() };
        let point = |point: &Point| (point.rate, point.top1.unwrap_or(point.agreement));
        let points = curve.points.iter().map(point).collect();
        let refit = match curve.refit {
            Refit::None => String::new(),
            refit => format!(", refit {}", refit.name()),
        };
        Line { label: format!("{}{refit}{seed}{auc}", curve.method.name()), points }
    };
    let lines: Vec<Line> = curves.iter().map(line).collect();
    chart(title, ["weights removed", quantity], "pruning methods", &lines)
}

/// A line chart of the means of a sweep over structured methods, over the share of hidden neurons removed.
#[must_use]
pub fn units_svg(title: &str, labelled: bool, summaries: &[UnitSummary]) -> String {
    let quantity = if labelled { "top-1 accuracy" } else { "agreement with the whole network" };
    let line = |group: &[UnitSummary]| {
        let first = group.first()?;
        let label = run_label(first.method.name(), first.refit);
        Some(Line { label, points: group.iter().map(|one| (1.0 - one.keep, one.mean)).collect() })
    };
    let groups = summaries.chunk_by(|a, b| (a.method, a.refit) == (b.method, b.refit));
    let lines: Vec<Line> = groups.filter_map(line).collect();
    chart(title, ["hidden neurons removed", quantity], "structured methods", &lines)
}

/// A line chart of the runs of a sweep over structured methods, over the share of `whole` parameters that each removed; with
/// several seeds their means.
#[must_use]
pub fn parameters_svg(title: &str, labelled: bool, runs: &[UnitRun], whole: u64) -> String {
    let quantity = if labelled { "top-1 accuracy" } else { "agreement with the whole network" };
    #[expect(clippy::cast_precision_loss, reason = "shares and means for a picture")]
    let mean = |group: &[&UnitRun], of: &dyn Fn(&UnitRun) -> f64| {
        group.iter().map(|run| of(run)).sum::<f64>() / group.len() as f64
    };
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let removed = |run: &UnitRun| 1.0 - run.parameters as f64 / whole.max(1) as f64;
    let mut lines: Vec<Line> = Vec::new();
    for group in runs.chunk_by(|a, b| (a.method, a.refit) == (b.method, b.refit)) {
        let Some(first) = group.first() else { continue };
        let mut keeps: Vec<f64> = group.iter().map(|run| run.keep).collect();
        keeps.sort_by(|a, b| b.total_cmp(a));
        keeps.dedup_by(|a, b| a.total_cmp(b).is_eq());
        let point = |keep: f64| {
            let at: Vec<&UnitRun> = group.iter().filter(|run| run.keep.total_cmp(&keep).is_eq()).collect();
            (mean(&at, &removed), mean(&at, &|run| run.top1.unwrap_or(run.agreement)))
        };
        let points = keeps.into_iter().map(point).collect();
        lines.push(Line { label: run_label(first.method.name(), first.refit), points });
    }
    chart(title, ["parameters removed", quantity], "structured methods", &lines)
}

/// A method with its refit.
pub(in crate::report) fn run_label(method: &str, refit: Refit) -> String {
    if refit == Refit::None { method.to_owned() } else { format!("{method} + {}", refit.name()) }
}

fn chart(title: &str, [share, quantity]: [&str; 2], of_what: &str, lines: &[Line]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a handful of labels")]
    let height = HEIGHT.max(lines.len() as f64 * LABEL + TOP + BOTTOM);
    let x = |rate: f64| LEFT + rate * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| TOP + (1.0 - value) * (height - TOP - BOTTOM);
    let description =
        format!("{quantity} against the share of {share}, one line for each of {} {of_what}", lines.len());
    let mut svg = opening(WIDTH, height, title, &description);
    // Writing to a string cannot fail, so the results below are not looked at.
    let _ = writeln!(svg, r#"<text x="{LEFT}" y="26" font-size="16" font-weight="bold">{}</text>"#, escaped(title));
    for tick in 0..=5 {
        let value = f64::from(tick) / 5.0;
        let (px, py) = (x(value), y(value));
        let percent = tick * 20;
        let _ = writeln!(
            svg,
            r##"<path d="M{LEFT} {py:.1}H{:.1}M{px:.1} {TOP}V{:.1}" stroke="#dddddd" fill="none"/><text x="{:.1}" y="{:.1}" text-anchor="end">{percent}</text><text x="{px:.1}" y="{:.1}" text-anchor="middle">{percent}</text>"##,
            x(1.0),
            y(0.0),
            LEFT - 8.0,
            py + 4.5,
            y(0.0) + 20.0,
        );
    }
    let _ = writeln!(
        svg,
        r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{share}, %</text><text transform="translate(18 {:.1}) rotate(-90)" text-anchor="middle">{quantity}, %</text>"#,
        x(0.5),
        height - 14.0,
        y(0.5),
    );
    let mut ends: Vec<(usize, f64, f64)> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let points: Vec<(f64, f64)> = line.points.iter().map(|(share, value)| (x(*share), y(*value))).collect();
        let path: Vec<String> = points.iter().map(|(px, py)| format!("{px:.1},{py:.1}")).collect();
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}"/>"#,
            path.join(" "),
            COLOURS[number % COLOURS.len()],
            DASHES[(number + number / COLOURS.len()) % DASHES.len()],
        );
        if let Some((px, py)) = points.last() {
            ends.push((number, *px, *py));
        }
    }
    labels(&mut svg, lines, ends, x(1.0) + 28.0, height);
    svg.push_str("</svg>\n");
    svg
}

/// Labels in the order in which the curves end, moved apart so that none overlaps.
fn labels(svg: &mut String, lines: &[Line], mut ends: Vec<(usize, f64, f64)>, left: f64, height: f64) {
    ends.sort_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)));
    #[expect(clippy::cast_precision_loss, reason = "a handful of labels")]
    let all = ends.len() as f64 * LABEL;
    let mut next = TOP + LABEL / 2.0;
    let mut left_over = all;
    for (number, px, py) in ends {
        let at = py.max(next).min((height - BOTTOM - left_over + LABEL / 2.0).max(next));
        next = at + LABEL;
        left_over -= LABEL;
        let (colour, dash) =
            (COLOURS[number % COLOURS.len()], DASHES[(number + number / COLOURS.len()) % DASHES.len()]);
        let _ = writeln!(
            svg,
            r#"<path d="M{px:.1} {py:.1}L{:.1} {at:.1}" stroke="{colour}" stroke-width="0.7" fill="none"/><path d="M{:.1} {at:.1}h22" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/><text x="{:.1}" y="{:.1}">{}</text>"#,
            left - 4.0,
            left - 4.0,
            left + 23.0,
            at + 4.5,
            escaped(&lines[number].label),
        );
    }
}
