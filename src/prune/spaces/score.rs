//! Scores of units by the weights around them.

use rand::RngExt as _;

use super::Importance;
use crate::error::{Error, Result};
use crate::network::Tensor;
use crate::network::spaces::{OperatorGraph, Role, Space, UnitPart};
use crate::rng::stream;

/// A score for each unit of a space: those with the least go first.
///
/// # Errors
///
/// [`Error::Unsupported`] for a space without the parameters that a score is made of.
pub(super) fn scores(graph: &OperatorGraph, space: &Space, importance: Importance, seed: u64) -> Result<Vec<f64>> {
    match importance {
        // Where nothing computes the units, what belongs to them is all there is.
        Importance::L1 => Ok(sums(graph, space, &of(space, Role::Writer), |w| w.abs())),
        Importance::L2 => Ok(roots(sums(graph, space, &of(space, Role::Writer), |w| w * w))),
        Importance::PathL2 | Importance::SynthRefit => {
            let given = roots(sums(graph, space, &of(space, Role::Writer), |w| w * w));
            let taken = roots(sums(graph, space, &of(space, Role::Reader), |w| w * w));
            Ok(given.iter().zip(taken).map(|(given, taken)| given * taken).collect())
        }
        Importance::NormScale => {
            let norm = |part: &UnitPart| part.input == 1 && graph.operators[part.operator].kind == "BatchNormalization";
            let parts: Vec<usize> = (0..space.parts.len()).filter(|at| norm(&space.parts[*at])).collect();
            if parts.is_empty() {
                let problem = format!("`{}` has no batch norm whose factors would tell its units apart", space.name);
                return Err(Error::Unsupported { problem });
            }
            Ok(sums(graph, space, &parts, |w| w.abs()))
        }
        Importance::Fpgm => Ok(spread(graph, space)),
        Importance::Random => {
            let mut random = stream(seed, &format!("random-neurons/{}", space.name));
            Ok(space.units.iter().map(|_| random.random::<f64>()).collect())
        }
    }
}

/// The parts of a role, or all of them where there are none.
fn of(space: &Space, role: Role) -> Vec<usize> {
    let parts: Vec<usize> = space.of_role(role).map(|(at, _)| at).collect();
    if parts.is_empty() { (0..space.parts.len()).collect() } else { parts }
}

fn roots(mut values: Vec<f64>) -> Vec<f64> {
    values.iter_mut().for_each(|value| *value = value.sqrt());
    values
}

/// For each unit the sum over its weights in some parts.
fn sums(graph: &OperatorGraph, space: &Space, parts: &[usize], of: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; space.units.len()];
    for at in parts {
        let part = &space.parts[*at];
        let Some(tensor) = graph.weights(part.constant) else { continue };
        let along = along(tensor, part, &of);
        for (sum, unit) in sums.iter_mut().zip(&space.units) {
            *sum += unit.places[*at].iter().map(|place| along[*place]).sum::<f64>();
        }
    }
    sums
}

/// For each place along the axis of a part the sum over the others.
fn along(tensor: &Tensor, part: &UnitPart, of: impl Fn(f64) -> f64) -> Vec<f64> {
    let (values, shape) = (tensor.to_vec(), tensor.dimensions());
    tensor.release();
    let length = shape[part.axis];
    let after: usize = shape[part.axis + 1..].iter().product();
    let mut sums = vec![0.0; length * part.groups];
    let rows = shape[0] / part.groups;
    for (block, line) in values.chunks_exact(length * after).enumerate() {
        // Axis 1 of a grouped convolution counts the channels of the group that the row is of.
        let first = if part.groups > 1 { block / rows.max(1) * length } else { 0 };
        for (at, chunk) in line.chunks_exact(after.max(1)).enumerate() {
            sums[first + at] += chunk.iter().map(|value| of(f64::from(*value))).sum::<f64>();
        }
    }
    sums
}

/// For each unit the sum of its distances to the others, as rows of what writes them (He et al., *Filter pruning via geometric
/// median*, 2019): `sum_j ||w_i - w_j||`.
fn spread(graph: &OperatorGraph, space: &Space) -> Vec<f64> {
    let n = space.units.len();
    let mut squares = ndarray::Array2::<f64>::zeros((n, n));
    for at in of(space, Role::Writer) {
        let part = &space.parts[at];
        let Some(tensor) = graph.weights(part.constant) else { continue };
        let (values, shape) = (tensor.to_vec(), tensor.dimensions());
        let (length, after) = (shape[part.axis], shape[part.axis + 1..].iter().product::<usize>());
        let before = shape[..part.axis].iter().product::<usize>();
        let each = space.units.iter().map(|unit| unit.places[at].len()).max().unwrap_or(0);
        if each == 0 {
            continue;
        }
        let mut rows = ndarray::Array2::<f32>::zeros((n, each * before * after));
        for (mut row, unit) in rows.rows_mut().into_iter().zip(&space.units) {
            let own = unit.places[at].iter().flat_map(|place| {
                (0..before).flat_map(move |block| (0..after).map(move |inner| (block * length + place) * after + inner))
            });
            row.iter_mut().zip(own).for_each(|(to, from)| *to = values[from]);
        }
        squares += &rows.dot(&rows.t()).mapv(f64::from);
    }
    let size = squares.diag().to_owned();
    (0..n).map(|i| (0..n).map(|j| (size[i] + size[j] - 2.0 * squares[[i, j]]).max(0.0).sqrt()).sum()).collect()
}
