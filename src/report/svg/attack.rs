//! Figure 7 of 2002.08838: a change of the input and a change of the first layer that act alike on it. Decision regions before
//! and after the change of the layer, the polytopes of both, for a few samples.

use ndarray::Array1;

use super::{Anchor, Canvas, Paint, Pane, Stroke, planar};
use crate::attack::{Outcome, Robustness, layer_perturbation};
use crate::backend::{Backend, RowSource as _};
use crate::error::{Error, Result};
use crate::geometry::clip::{Bounds, Point};
use crate::network::boundary::{BoundaryAnalysis, BoundaryOptions, analyse};
use crate::network::dataset::Dataset;
use crate::network::slice::{PlanarNetwork, Plane};
use crate::network::{Form, Head};

const SIDE: f64 = 250.0;
const GAP: f64 = 84.0;
const TOP: f64 = 76.0;
/// Samples that are shown at most.
const SHOWN: usize = 4;
/// The paper's colours: green for the original polytope, blue for the changed one.
const SIDES: [&str; 2] = ["#009e73", "#0072b2"];
/// Affine cells of a deep network at most.
const CELLS: usize = 200_000;

/// Draws up to four samples that the first attack in the dual view drove to their targets.
///
/// # Errors
///
/// [`Error::Data`] if there is no such sample; what the boundary's analysis returns.
pub fn attack_svg<B: Backend>(
    backend: &B,
    head: &Head,
    data: &Dataset,
    robustness: &Robustness,
    [low, high]: [f64; 2],
) -> Result<String> {
    let attack = robustness.attacks.iter().find(|attack| attack.epsilon2.is_some_and(|rows| rows > 0.0));
    let nothing = || Error::Data { problem: "no sample was driven to its target: there is nothing to draw".to_owned() };
    let attack = attack.ok_or_else(nothing)?;
    let reached: Vec<&Outcome> = attack.outcomes.iter().filter(|outcome| outcome.on_target()).collect();
    if reached.is_empty() {
        return Err(nothing());
    }
    let rows: Vec<&Outcome> = reached.iter().step_by(reached.len().div_ceil(SHOWN)).copied().collect();
    let original = PlanarNetwork::restrict(head, &Plane::whole())?;
    let window = Bounds { low: [low; 2], high: [high; 2] };
    let analysed = |network: &PlanarNetwork| {
        let options = BoundaryOptions {
            form: Form::Joint,
            window: Some(window),
            samples: 0,
            most_cells: CELLS,
            grid: None,
            seed: 0,
        };
        analyse(backend, network, &options)
    };
    let before = analysed(&original)?;
    let title = "A change of the input, and the change of the first layer that acts alike";
    #[expect(clippy::cast_precision_loss, reason = "at most four")]
    let height = TOP + rows.len() as f64 * (SIDE + GAP);
    let panes = if before.shallow.is_some() { 3.0 } else { 2.0 };
    let description =
        format!("{} samples: decision regions before and after, and decision-boundary polytopes", rows.len());
    let mut canvas = Canvas::new([panes * (SIDE + GAP) + 20.0, height], title, &description);
    canvas.bold([24.0, 26.0], 15.0, Anchor::Start, title);
    for (row, outcome) in rows.into_iter().enumerate() {
        let mut sample = vec![0.0_f32; 2];
        data.inputs.read_rows(outcome.sample, &mut sample)?;
        let [x, moved] = [&sample, &outcome.input].map(|values| [f64::from(values[0]), f64::from(values[1])]);
        let mut changed = original.clone();
        if let Some((weights, _)) = changed.layers.first_mut() {
            let eta: Array1<f64> = Array1::from_vec(vec![moved[0] - x[0], moved[1] - x[1]]);
            *weights += &layer_perturbation(weights, &x, &eta, attack.epsilon2.unwrap_or(f64::INFINITY));
        }
        let after = analysed(&changed)?;
        #[expect(clippy::cast_precision_loss, reason = "at most four")]
        let top = TOP + row as f64 * (SIDE + GAP);
        let name = format!("sample {}: {} becomes {}", outcome.sample, outcome.label, outcome.class);
        regions(&mut canvas, &before, [60.0, top], &name, [x, moved]);
        regions(&mut canvas, &after, [60.0 + SIDE + GAP, top], "first layer changed", [x, x]);
        polytopes(&mut canvas, [&before, &after], [60.0 + 2.0 * (SIDE + GAP), top]);
    }
    Ok(canvas.finish())
}

/// Decision regions with a sample and where it goes.
fn regions(canvas: &mut Canvas, found: &BoundaryAnalysis, corner: Point, heading: &str, [x, moved]: [Point; 2]) {
    let pane = Pane::new(corner, [SIDE, SIDE], found.window);
    planar::regions(canvas, &pane, found);
    pane.axes(canvas, heading, ["first input", "second input"]);
    canvas.arrow(pane.at(x), pane.at(moved), Stroke::solid("#000000", 1.2));
    canvas.disc(pane.at(x), 3.6, Paint::fill("#000000"));
}

/// The polytopes before and after.
fn polytopes(canvas: &mut Canvas, found: [&BoundaryAnalysis; 2], corner: Point) {
    let [Some(before), Some(after)] = found.map(|found| found.shallow.as_ref()) else { return };
    let both = [before, after].map(|shallow| &shallow.polytope);
    let pane = Pane::new(corner, [SIDE, SIDE], planar::around(both.into_iter()));
    for (polytope, colour) in both.into_iter().zip(SIDES) {
        planar::polytope(canvas, &pane, polytope, (colour, 1.3));
    }
    pane.axes(canvas, "polytopes: before green, after blue", ["slope of R", ""]);
}
