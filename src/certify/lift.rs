//! Brings the layers of a compressed head back to the inputs of the original ones, so that layers can be compared one by
//! one.
//!
//! Layer `l` of the original takes `n` activations, that of the compressed head `K`. With the pairing of the layer before,
//! `h_i` is close to `lambda_i h~_kappa(i)`: `h` is close to `S h~`. Any matrix `U_l` over the original activations may
//! stand for `W~_l`: what `U_l h` misses of `W~_l h~` is part of the error of the layer before. Two are tried:
//! combinations of the original rows of a cluster, and the same corrected so that `U_l S = W~_l`.

use ndarray::{Array1, Array2, Axis, concatenate};

use super::block::{Block, Pairing};
use super::chain::Chain;
use super::pairing::nearest;
use crate::error::{Error, Result};

/// Which matrices stand for the compressed layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lift {
    /// Combinations of original rows.
    Rows,
    /// Combinations with `U S = W~`.
    Corrected,
}

/// The blocks that are compared for one hidden layer, and the pairing of its neurons.
///
/// Outputs are what the next layer reads of the error, and after these, where another layer follows, what the layer
/// after the next makes of them: `W~_(l+2)` times the former.
pub(super) struct Compared {
    pub(super) original: Block,
    pub(super) compressed: Block,
    pub(super) pairing: Pairing,
}

/// `S`: `n x K` with `S_ik = lambda_i` for `k = kappa(i)`.
fn spread(pairing: &Pairing, others: usize) -> Array2<f64> {
    let mut spread = Array2::zeros((pairing.partner.len(), others));
    for (i, (k, scale)) in pairing.partner.iter().zip(&pairing.scale).enumerate().filter(|(_, (k, _))| **k < others) {
        spread[[i, *k]] = *scale;
    }
    spread
}

/// `S^+`: `K x n`; the columns of `S` do not overlap.
fn inverse(spread: &Array2<f64>) -> Array2<f64> {
    let mut inverse = spread.t().to_owned();
    for mut row in inverse.rows_mut() {
        let square = row.dot(&row);
        row.mapv_inplace(|scale| if square > 0.0 { scale / square } else { 0.0 });
    }
    inverse
}

/// The blocks of every hidden layer. `radii` are the radii at which layers are compared.
pub(super) fn compared(
    original: &Chain,
    compressed: &Chain,
    known: Option<&[Pairing]>,
    radii: &[f64],
    lift: Lift,
) -> Result<Vec<Compared>> {
    let hidden = original.layers.len() - 1;
    let mut pairings: Vec<Pairing> = Vec::new();
    let mut lifted: Vec<Array2<f64>> = Vec::new();
    for (l, radius) in radii.iter().enumerate().take(hidden) {
        let (mine, other) = (&original.layers[l], &compressed.layers[l]);
        let before = pairings.last().map(|before: &Pairing| spread(before, other.weight.ncols()));
        // The original rows over the compressed activations, to be compared with the compressed rows.
        let seen = before.as_ref().map(|before| mine.weight.dot(before));
        let rows = seen.as_ref().unwrap_or(&mine.weight);
        let pairing = match known.and_then(|known| known.get(l)) {
            Some(known) => known.clone(),
            None if rows.nrows() == other.weight.nrows() => Pairing::identity(rows.nrows()),
            None => nearest([rows, &other.weight], [&mine.bias, &other.bias], *radius),
        };
        lifted.push(match (&before, seen.as_ref()) {
            (Some(before), Some(seen)) => {
                let shares = inverse(&spread(&pairing, other.weight.nrows()));
                let mut combined = shares.dot(&mine.weight);
                if lift == Lift::Corrected {
                    combined += &(&other.weight - &shares.dot(seen)).dot(&inverse(before));
                }
                combined
            }
            _ => other.weight.clone(),
        });
        pairings.push(pairing);
    }
    let mut found = Vec::new();
    for (l, pairing) in pairings.into_iter().enumerate() {
        let (mine, other) = (&original.layers[l], &compressed.layers[l]);
        let (next, other_next) = (&original.layers[l + 1], &compressed.layers[l + 1]);
        // The last layer is the original's own; before it, the next compressed layer is read by both.
        let (reader, bias) = match lifted.get(l + 1) {
            Some(lifted) => (lifted, &other_next.bias),
            None => (&next.weight, &next.bias),
        };
        let through = compressed.layers.get(l + 2).map(|layer| &layer.weight);
        let block = |weight: &Array2<f64>, hidden_bias: &Array1<f64>, next: &Array2<f64>, next_bias: &Array1<f64>| {
            let (mut rows, mut offsets) = (next.clone(), next_bias.to_vec());
            if let Some(through) = through {
                let further = through.dot(next);
                rows = concatenate(Axis(0), &[rows.view(), further.view()])
                    .map_err(|error| Error::Internal { what: error.to_string() })?;
                // Both blocks have the same constant: it cancels, whatever it is.
                offsets.resize(rows.nrows(), 0.0);
            }
            Block::new(weight.clone(), hidden_bias.clone(), rows, Array1::from_vec(offsets))
        };
        found.push(Compared {
            original: block(&mine.weight, &mine.bias, reader, bias)?,
            compressed: block(&lifted[l], &other.bias, &other_next.weight, &other_next.bias)?,
            pairing,
        });
    }
    Ok(found)
}
