//! Samples, perturbed samples and differences on one sheet, as in figure 8 of 2002.08838.

use std::collections::HashSet;

use super::attack::attack_name;
use super::png::Raster;
use crate::attack::Robustness;
use crate::backend::RowSource as _;
use crate::error::{Error, Result};
use crate::network::dataset::Dataset;
use crate::number::shortest;

/// Rows of a sheet at most.
const ROWS: usize = 10;
/// Pixels between tiles.
const GAP: usize = 6;
/// Pixels that a tile is wide at least, where images are small.
const TILE: usize = 84;

/// A sheet of up to ten samples that the first attack drove to another class, of different labels as far as there are, and a
/// line for each of them that says what the tiles are: a sample, then for each attack the perturbed sample and the
/// difference, -epsilon black and epsilon white.
///
/// # Errors
///
/// [`Error::Data`] for samples that are no images or if there is none to show.
pub fn sheet(data: &Dataset, robustness: &Robustness, [low, high]: [f64; 2]) -> Result<(Raster, String)> {
    let shape = match *data.sample {
        [channels @ (1 | 3), height, width] => [channels, height, width],
        [height, width] => [1, height, width],
        _ => return Err(Error::Data { problem: format!("samples of shape {:?} are no images", data.sample) }),
    };
    let first = robustness.attacks.first().ok_or_else(|| Error::Data { problem: "no attack to show".to_owned() })?;
    let places: Vec<usize> = (0..first.outcomes.len()).filter(|at| first.outcomes[*at].misclassified()).collect();
    let mut labels = HashSet::new();
    let (new, seen): (Vec<usize>, Vec<usize>) = places.iter().partition(|at| labels.insert(first.outcomes[**at].label));
    let mut shown: Vec<usize> = new.into_iter().chain(seen).take(ROWS).collect();
    shown.sort_by_key(|at| (first.outcomes[*at].label, *at));
    if shown.is_empty() {
        let problem = format!("`{}` changed no class: there is nothing to show", attack_name(first));
        return Err(Error::Data { problem });
    }
    let scale = TILE.div_ceil(shape[2]).max(1);
    let [step_x, step_y] = [shape[2] * scale + GAP, shape[1] * scale + GAP];
    let columns = 1 + 2 * robustness.attacks.len();
    let mut raster = Raster::new(columns * step_x + GAP, shown.len() * step_y + GAP, 200);
    let unit = |x: f64| (x - low) / (high - low);
    let names: Vec<String> =
        robustness.attacks.iter().map(|a| format!("{} at {}", attack_name(a), shortest(a.epsilon))).collect();
    let mut lines = vec![format!("sheet: the sample, then perturbed sample and difference for {}", names.join(", "))];
    for (row, at) in shown.iter().enumerate() {
        let outcome = &first.outcomes[*at];
        let mut sample = vec![0.0_f32; shape.iter().product()];
        data.inputs.read_rows(outcome.sample, &mut sample)?;
        let sample: Vec<f64> = sample.into_iter().map(f64::from).collect();
        let mut tile = |column: usize, values: Vec<f64>| {
            raster.draw([GAP + column * step_x, GAP + row * step_y], shape, scale, &values);
        };
        tile(0, sample.iter().map(|x| unit(*x)).collect());
        let mut classes = Vec::new();
        for (number, attack) in robustness.attacks.iter().enumerate() {
            let outcome = &attack.outcomes[*at];
            let moved: Vec<f64> = outcome.input.iter().map(|x| f64::from(*x)).collect();
            let off = |(x, before): (&f64, &f64)| 0.5 + 0.5 * (x - before) / attack.epsilon;
            tile(1 + 2 * number, moved.iter().map(|x| unit(*x)).collect());
            tile(2 + 2 * number, moved.iter().zip(&sample).map(off).collect());
            classes.push(outcome.class.to_string());
        }
        lines.push(format!("  sample {}: {} becomes {}", outcome.sample, outcome.label, classes.join(", ")));
    }
    Ok((raster, lines.join("\n")))
}
