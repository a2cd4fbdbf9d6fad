//! Curves as a picture: a dash pattern per curve for grey print, and labels at the right with lines to their curves.

use std::fmt::Write as _;

use super::{COLOURS, escaped, opening};
use crate::prune::Curve;

const DASHES: [&str; 4] = ["", "8 3", "2 3", "10 3 2 3"];

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 262.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 56.0;

/// A line chart of top-1 accuracy (or agreement, without labels) over the rate. The same curves give the same bytes.
#[must_use]
pub fn curves_svg(title: &str, curves: &[Curve]) -> String {
    let labelled = curves.iter().all(|curve| curve.points.iter().all(|point| point.top1.is_some()));
    let quantity = if labelled { "top-1 accuracy" } else { "agreement with the whole network" };
    let x = |rate: f64| LEFT + rate * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| TOP + (1.0 - value) * (HEIGHT - TOP - BOTTOM);
    let description = format!(
        "{quantity} against the share of weights removed, one line for each of {} pruning methods",
        curves.len()
    );
    let mut svg = opening(WIDTH, HEIGHT, title, &description);
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
        r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">weights removed, %</text><text transform="translate(18 {:.1}) rotate(-90)" text-anchor="middle">{quantity}, %</text>"#,
        x(0.5),
        HEIGHT - 14.0,
        y(0.5),
    );
    let mut ends: Vec<(usize, f64, f64)> = Vec::new();
    for (number, curve) in curves.iter().enumerate() {
        let points: Vec<(f64, f64)> =
            curve.points.iter().map(|point| (x(point.rate), y(point.top1.unwrap_or(point.agreement)))).collect();
        let path: Vec<String> = points.iter().map(|(px, py)| format!("{px:.1},{py:.1}")).collect();
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}"/>"#,
            path.join(" "),
            COLOURS[number % COLOURS.len()],
            DASHES[number % DASHES.len()],
        );
        if let Some((px, py)) = points.last() {
            ends.push((number, *px, *py));
        }
    }
    labels(&mut svg, curves, ends, x(1.0) + 28.0);
    svg.push_str("</svg>\n");
    svg
}

/// Labels in the order in which the curves end, moved apart so that none overlaps.
fn labels(svg: &mut String, curves: &[Curve], mut ends: Vec<(usize, f64, f64)>, left: f64) {
    const LINE: f64 = 19.0;
    ends.sort_by(|a, b| a.2.total_cmp(&b.2).then(a.0.cmp(&b.0)));
    #[expect(clippy::cast_precision_loss, reason = "a handful of labels")]
    let all = ends.len() as f64 * LINE;
    let mut next = TOP + LINE / 2.0;
    let mut left_over = all;
    for (number, px, py) in ends {
        let at = py.max(next).min((HEIGHT - BOTTOM - left_over + LINE / 2.0).max(next));
        next = at + LINE;
        left_over -= LINE;
        let curve = &curves[number];
        let auc = curve.auc.map(|auc| format!(" (AUC {:.2})", auc * 100.0)).unwrap_or_default();
        let (colour, dash) = (COLOURS[number % COLOURS.len()], DASHES[number % DASHES.len()]);
        let seed = if curve.method.is_random() { format!(" #{}", curve.seed) } else { String::new() };
        let _ = writeln!(
            svg,
            r#"<path d="M{px:.1} {py:.1}L{:.1} {at:.1}" stroke="{colour}" stroke-width="0.7" fill="none"/><path d="M{:.1} {at:.1}h22" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/><text x="{:.1}" y="{:.1}">{}{seed}{auc}</text>"#,
            left - 4.0,
            left - 4.0,
            left + 23.0,
            at + 4.5,
            curve.method.name(),
        );
    }
}
