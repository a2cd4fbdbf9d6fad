//! Pictures: fixed decimals, a title and a description, colours that colour-blind readers tell apart and that differ in
//! grey, labels that do not overlap. The same input gives the same bytes.

mod attack;
mod bodies;
mod boundary;
mod canvas;
mod curves;
mod graph;
mod layers;
mod lottery;
mod pane;
mod planar;
mod polynomial;

pub use attack::attack_svg;
pub use bodies::{PlaneSide, hausdorff_svg, zonotope_svg};
pub use boundary::{BoundaryPicture, boundary_svg};
pub use canvas::{Anchor, Canvas, Paint, Stroke};
pub(super) use curves::run_label;
pub use curves::{curves_svg, parameters_svg, units_svg};
pub use graph::graph_svg;
pub use lottery::lottery_svg;
pub use pane::Pane;
pub use polynomial::{Drawn, polynomial_svg};

use super::escape::escaped;

/// Okabe and Ito's palette without yellow, which is faint on white.
pub const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000", "#7f7f7f"];

/// Light fills of areas, each of another lightness.
pub const TINTS: [&str; 8] = ["#f6efd9", "#bcd8ee", "#e3e3e3", "#f3cdb9", "#a9d3c4", "#d9c3dc", "#fafafa", "#b4b4b4"];

/// The first lines of a picture: size, title, description and white ground. There are no ids, so that several pictures stand on
/// one page.
pub(super) fn opening(width: f64, height: f64, title: &str, description: &str) -> String {
    format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" "#,
            r#"font-family="Helvetica, Arial, sans-serif" font-size="13" role="img">"#,
            "\n<title>{2}</title>\n<desc>{3}</desc>\n",
            "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n"
        ),
        width,
        height,
        escaped(title),
        escaped(description)
    )
}
