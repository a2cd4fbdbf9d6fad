//! Selection by one score per unit: the units with the largest scores stay as they are.

use ndarray::{Array2, ArrayView1};
use rand_chacha::rand_core::Rng;

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::Pair;
use crate::rng;

/// The `keep` units with the largest scores, ascending; of equal scores the lower index goes, as everywhere.
pub(super) fn largest(scores: &[f64], keep: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(b.cmp(a)));
    order.truncate(keep);
    order.sort_unstable();
    order
}

/// `sum_j |a_ij|`.
pub(super) fn l1(pair: &Pair) -> Vec<f64> {
    let sum = |row: ArrayView1<'_, f32>| {
        let weights = row.iter().enumerate().filter(|(at, _)| !pair.biases.contains(at));
        weights.map(|(_, value)| f64::from(value.abs())).sum()
    };
    pair.rows.rows().into_iter().map(sum).collect()
}

fn square<'a>(values: impl IntoIterator<Item = &'a f32>) -> f64 {
    values.into_iter().map(|value| f64::from(*value) * f64::from(*value)).sum()
}

/// `||(a_i, b_i)||` of every unit.
pub(super) fn incoming_norms(pair: &Pair) -> Vec<f64> {
    let rows = pair.rows.rows().into_iter().zip(&pair.bias);
    rows.map(|(row, bias)| (square(row) + square([bias])).sqrt()).collect()
}

/// `||c_i||`, the Frobenius norm of what reads a unit, of every unit.
pub(super) fn outgoing_norms(pair: &Pair) -> Vec<f64> {
    (0..pair.units()).map(|i| square(pair.outgoing(i)).sqrt()).collect()
}

/// `||(a_i, b_i)|| ||c_i||`.
pub(super) fn path_l2(pair: &Pair) -> Vec<f64> {
    incoming_norms(pair).iter().zip(outgoing_norms(pair)).map(|(a, c)| a * c).collect()
}

/// The row scores of problem (2), with every column of the block of a unit as an output of its own.
pub(super) fn tropical_rows<B: Backend>(backend: &B, pair: &Pair) -> Result<Vec<f64>> {
    let (n, q, m) = (pair.units(), pair.block(), pair.next.nrows());
    let coefficients = Array2::from_shape_fn((m * q, n), |(at, i)| pair.next[[at / q.max(1), i * q + at % q.max(1)]]);
    let bias = Array2::from_shape_vec((1, n), pair.bias.clone());
    let bias = bias.map_err(|error| Error::Internal { what: error.to_string() })?;
    let scores = backend.row_scores(
        &backend.upload(&pair.rows)?,
        Some(&backend.upload(&bias)?),
        &backend.upload(&coefficients)?,
    )?;
    Ok(backend.download(&scores.rows)?.into_iter().collect())
}

/// Independent uniform scores, from the stream `random-neurons/<layer>`.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(super) fn random(pair: &Pair, seed: u64) -> Vec<f64> {
    let mut generator = rng::stream(seed, &format!("random-neurons/{}", pair.site.layer));
    (0..pair.units()).map(|_| (generator.next_u64() >> 11) as f64).collect()
}
