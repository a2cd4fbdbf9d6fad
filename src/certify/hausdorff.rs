//! Theorem 2 and Corollary 3 of `TropNNC`: `|f_j - f~_j| <= rho (H(P_j, P~_j) + H(Q_j, Q~_j)) + |beta_j - beta~_j|`,
//! `rho = sqrt(r^2 + 1)`, with Hausdorff distances of the zonotopes of positive and of negative outgoing weights.

use ndarray::{Array1, Array2, Axis, Zip, concatenate};

use super::block::{Block, Pairing};
use super::clusters::zonotopes;
use super::layer::check_radius;
use super::problem::{Problem, row_norms};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::geometry::{self, Interval};

/// The generators `(a_i, b_i)` of a block.
fn generators(block: &Block) -> Result<Array2<f64>> {
    let bias = block.bias.view().insert_axis(Axis(1));
    concatenate(Axis(1), &[block.weight.view(), bias]).map_err(|error| Error::Internal { what: error.to_string() })
}

/// `max(sign c, 0)`.
fn part(c: &Array2<f64>, sign: f64) -> Array2<f64> {
    c.mapv(|c| (sign * c).max(0.0))
}

/// Unit directions: seeded ones from all around, the generators of both blocks and what separates them from their
/// partners, each with its opposite.
fn directions(mine: &Array2<f64>, others: &Array2<f64>, pairing: &Pairing, count: usize, seed: u64) -> Array2<f64> {
    let around = geometry::directions(count, mine.ncols(), seed, "certify directions", 0).mapv(f64::from);
    let mut rows: Vec<Array1<f64>> = around.rows().into_iter().map(|row| row.to_owned()).collect();
    let mut both = |row: Array1<f64>| {
        rows.push(-&row);
        rows.push(row);
    };
    for (i, row) in mine.rows().into_iter().enumerate() {
        both(row.to_owned());
        if let (Some(k), Some(scale)) = (pairing.partner.get(i), pairing.scale.get(i))
            && *k < others.nrows()
        {
            both(&row - &(&others.row(*k) * *scale));
        }
    }
    others.rows().into_iter().for_each(|row| both(row.to_owned()));
    rows.retain_mut(|row| {
        let norm = row.dot(row).sqrt();
        *row /= norm;
        norm > 0.0 && row.iter().all(|value| value.is_finite())
    });
    Array2::from_shape_fn((rows.len(), mine.ncols()), |(i, j)| rows[i][j])
}

/// For every output, the difference of the support functions of `sum_i weights_i [0, g_i]` of both blocks in the direction
/// in which the device finds it the largest, computed in f64 there and rounded down.
fn sampled<B: Backend>(
    backend: &B,
    weights: [&Array2<f64>; 2],
    generators: [&Array2<f64>; 2],
    directions: &Array2<f64>,
) -> Result<Vec<f64>> {
    // Values of order one on the device: supports are linear in the weights and in the generators.
    let most = |matrices: [&Array2<f64>; 2]| {
        let largest = matrices.iter().flat_map(|m| m.iter()).fold(0.0_f64, |most, value| most.max(value.abs()));
        if largest > 0.0 { largest } else { 1.0 }
    };
    let (weight_unit, generator_unit) = (most(weights), most(generators));
    #[expect(clippy::cast_possible_truncation, reason = "values of at most one, rounded to the f32 of the device")]
    let upload = |matrix: &Array2<f64>, unit: f64| backend.upload(&matrix.mapv(|value| (value / unit) as f32));
    let on_device = upload(directions, 1.0)?;
    let supports = |at: usize| -> Result<Array2<f64>> {
        let (weights, generators) = (upload(weights[at], weight_unit)?, upload(generators[at], generator_unit)?);
        backend.download(&backend.class_supports(&weights, &generators, &on_device)?)
    };
    let differences = (supports(0)? - supports(1)?).mapv(f64::abs);
    let better = |best: (usize, f64), next: (usize, &f64)| if *next.1 > best.1 { (next.0, *next.1) } else { best };
    let farthest = |column: ndarray::ArrayView1<'_, f64>| column.iter().enumerate().fold((0, -1.0), better).0;
    let chosen: Vec<usize> = differences.columns().into_iter().map(farthest).collect();
    if directions.is_empty() {
        return Ok(vec![0.0; chosen.len()]);
    }
    let chosen = directions.select(Axis(0), &chosen);
    let exactly = |at: usize| -> Array1<f64> {
        let values = chosen.dot(&generators[at].t()).mapv(|z| z.max(0.0));
        Zip::from(weights[at].rows()).and(values.rows()).map_collect(|weights, values| weights.dot(&values))
    };
    let (mine, others) = (exactly(0), exactly(1));
    // The sizes of all terms bound what rounding adds.
    let size = |at: usize| weights[at].dot(&row_norms(generators[at]));
    let sizes = size(0) + size(1);
    let terms = generators[0].nrows() + generators[1].nrows() + directions.ncols() + 8;
    let eta = super::radial::Rounding::new(terms).eta;
    let lower = |mine: &f64, others: &f64, size: &f64| {
        let value = (mine - others).abs() * (1.0 - eta) - eta * size;
        if value.is_finite() { value.max(0.0) } else { 0.0 }
    };
    Ok(Zip::from(&mine).and(&others).and(&sizes).map_collect(lower).to_vec())
}

/// The Hausdorff form of Theorem 2 for every output: sampled directions bound `H` from below (the largest difference of
/// support functions), sums of clusters from above (Lemma A with Euclidean norms).
///
/// The upper end bounds the error; the lower end says how small any bound of this form can be. `count` seeded directions,
/// besides those of the generators.
///
/// # Errors
///
/// [`Error::Argument`] for a radius that is negative or not finite; what the backend returns.
pub fn hausdorff_form<B: Backend>(
    backend: &B,
    original: &Block,
    compressed: &Block,
    pairing: &Pairing,
    radius: f64,
    count: usize,
    seed: u64,
) -> Result<Vec<Interval>> {
    check_radius(radius)?;
    pairing.check(original.neurons(), compressed.neurons().max(1))?;
    let (mine, others) = (generators(original)?, generators(compressed)?);
    let directions = directions(&mine, &others, pairing, count, seed);
    let rho = radius.hypot(1.0);
    let mut lower = vec![0.0; original.outputs()];
    for sign in [1.0, -1.0] {
        let weights = [part(&original.next, sign), part(&compressed.next, sign)];
        let found = sampled(backend, [&weights[0], &weights[1]], [&mine, &others], &directions)?;
        lower.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
    }
    let problem = Problem::new(original, compressed, radius);
    let (rounding, sizes) = (problem.rounding(), problem.sizes());
    let matched = zonotopes(&problem, pairing).into_iter().zip(&sizes).zip(&problem.constant).zip(lower);
    let interval = |(((zonotopes, size), constant), lower): (((super::clusters::Zonotopes, _), &f64), f64)| {
        let size: &super::radial::Radial = size;
        let upper = (rho * zonotopes.distance + constant.abs()) * (1.0 + rounding.eta);
        let upper = upper + rounding.eta * rho * (size.slope + size.constant);
        let lower = (rho * lower + constant.abs()) * (1.0 - rounding.eta);
        Interval { lower, upper: if upper.is_nan() { f64::INFINITY } else { upper } }
    };
    Ok(matched.map(interval).collect())
}
