//! What can go without changing the function: units that are never on, constant, unread, or copies of another one, and
//! units that are always on beyond the rank of what they compute together.

use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView1, Axis};
use serde::Serialize;

use super::select::{incoming_norms, outgoing_norms};
use crate::network::{Pair, Reduced};

/// Relative distance within which two directions count as one: rows of f32 that are multiples of each other differ by
/// their rounding.
const SAME: f64 = 5e-7;

/// Units that went for free, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lossless {
    /// Never on, for any input or on the ball.
    pub dead: usize,
    /// The same for every input; their constant is in the next bias.
    pub constant: usize,
    /// Read with weight zero.
    pub unread: usize,
    /// Positive multiples of another unit.
    pub duplicate: usize,
    /// Always on, on the ball, beyond the rank of the linear map that the always-on units make.
    pub linear: usize,
}

impl Lossless {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.dead + self.constant + self.unread + self.duplicate + self.linear
    }
}

/// Removes from a pair what changes no output for inputs of a norm of at most `radius`, or for any input where there is
/// none; nothing where nothing can go. At least one unit stays. Constants are folded where both layers
/// are `linear`.
pub(super) fn lossless(pair: &Pair, radius: Option<f64>, linear: bool) -> Option<(Reduced, Lossless)> {
    let (n, q) = (pair.units(), pair.block());
    let (incoming, outgoing) = (weights_norms(pair), outgoing_norms(pair));
    let mut found = Lossless::default();
    let mut bias: Vec<f64> = pair.next_bias.iter().map(|b| f64::from(*b)).collect();
    let mut next = pair.next.mapv(f64::from);
    let (mut kept, mut assignment, mut lambda) = (Vec::new(), vec![None; n], vec![0.0; n]);
    for i in 0..n {
        let offset = f64::from(pair.bias[i]);
        if outgoing[i] == 0.0 {
            found.unread += 1;
        } else if incoming[i] == 0.0 && offset > 0.0 && linear && q == 1 {
            bias.iter_mut().zip(next.column(i)).for_each(|(b, c)| *b += c * offset);
            found.constant += 1;
        } else if offset + radius.unwrap_or(f64::INFINITY) * incoming[i] <= 0.0 || (incoming[i] == 0.0 && offset <= 0.0)
        {
            found.dead += 1;
        } else {
            kept.push(i);
        }
    }
    for (unit, (original, factor)) in duplicates(pair, &kept) {
        for at in 0..q {
            let scaled = next.column(unit * q + at).mapv(|c| c * factor);
            next.column_mut(original * q + at).zip_mut_with(&scaled, |c, more| *c += more);
        }
        kept.retain(|one| *one != unit);
        assignment[unit] = Some(original);
        lambda[unit] = factor;
        found.duplicate += 1;
    }
    let (mut rows, mut biases) = (pair.rows.select(Axis(0), &kept).mapv(f64::from), bias_of(pair, &kept));
    let columns: Vec<usize> = kept.iter().flat_map(|i| i * q..(i + 1) * q).collect();
    let mut columns_of_kept = next.select(Axis(1), &columns);
    let mut survivors: Vec<Option<usize>> = kept.iter().copied().map(Some).collect();
    if let Some(radius) = radius.filter(|_| linear && q == 1)
        && let Some(linear) = always_on(&rows, &biases, &columns_of_kept, radius)
    {
        found.linear = linear.units.len() - linear.rows.nrows();
        let stay: Vec<usize> = (0..kept.len()).filter(|i| !linear.units.contains(i)).collect();
        rows = joined(&rows.select(Axis(0), &stay), &linear.rows, Axis(0));
        columns_of_kept = joined(&columns_of_kept.select(Axis(1), &stay), &linear.columns, Axis(1));
        biases = stay.iter().map(|i| biases[*i]).chain(linear.bias).collect();
        survivors = stay.iter().map(|i| survivors[*i]).chain(linear.rows.rows().into_iter().map(|_| None)).collect();
        bias.iter_mut().zip(linear.shift).for_each(|(b, shift)| *b += shift);
    }
    if found.total() == 0 || rows.nrows() == 0 {
        return None;
    }
    for (new, old) in survivors.iter().enumerate() {
        if let Some(old) = *old {
            assignment[old] = Some(new);
            lambda[old] = 1.0;
        }
    }
    // Copies go where the unit that they copy went.
    for (unit, place) in assignment.iter_mut().enumerate().filter(|(unit, _)| !kept.contains(unit)) {
        *place = place.and_then(|original| survivors.iter().position(|old| *old == Some(original)));
        if place.is_none() {
            lambda[unit] = 0.0;
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
    let narrow = |value: f64| value as f32;
    let reduced = Reduced {
        rows: rows.mapv(narrow).into_shared(),
        bias: biases.into_iter().map(narrow).collect(),
        next: columns_of_kept.mapv(narrow).into_shared(),
        next_bias: bias.into_iter().map(narrow).collect(),
        assignment,
        lambda: lambda.into_iter().map(narrow).collect(),
    };
    Some((reduced, found))
}

fn bias_of(pair: &Pair, units: &[usize]) -> Vec<f64> {
    units.iter().map(|i| f64::from(pair.bias[*i])).collect()
}

fn joined(a: &Array2<f64>, b: &Array2<f64>, axis: Axis) -> Array2<f64> {
    ndarray::concatenate(axis, &[a.view(), b.view()]).unwrap_or_else(|_| a.clone())
}

fn norm(row: ArrayView1<'_, f64>) -> f64 {
    row.dot(&row).sqrt()
}

/// `||a_i||`, without the bias.
fn weights_norms(pair: &Pair) -> Vec<f64> {
    pair.rows.rows().into_iter().map(|row| row.iter().map(|a| f64::from(*a).powi(2)).sum::<f64>().sqrt()).collect()
}

/// Units that are positive multiples of an earlier one, each with that one and the factor.
///
/// Units are sorted by their projection onto one fixed direction; only those whose projections agree are compared.
fn duplicates(pair: &Pair, units: &[usize]) -> Vec<(usize, (usize, f64))> {
    let norms = incoming_norms(pair);
    let entry = |i: usize, j: usize| f64::from(if j < pair.rows.ncols() { pair.rows[[i, j]] } else { pair.bias[i] });
    let width = pair.rows.ncols() + 1;
    let direction: Vec<f64> = (0..width).map(|j| (1.0 + super::moments::number(j)).cos()).collect();
    let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut keyed: Vec<(f64, usize)> = units
        .iter()
        .filter(|i| norms[**i] > 0.0)
        .map(|i| (direction.iter().enumerate().map(|(j, v)| v * entry(*i, j)).sum::<f64>() / norms[*i], *i))
        .collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut original: Vec<Option<usize>> = vec![None; pair.units()];
    for (at, (key, unit)) in keyed.iter().enumerate() {
        for (other_key, other) in &keyed[at + 1..] {
            if other_key - key > SAME * length {
                break;
            }
            let gap: f64 =
                (0..width).map(|j| (entry(*unit, j) / norms[*unit] - entry(*other, j) / norms[*other]).powi(2)).sum();
            if gap.sqrt() <= SAME {
                let (first, second) = (*unit.min(other), *unit.max(other));
                let lowest = original[first].unwrap_or(first).min(original[second].unwrap_or(first));
                original[second] = Some(lowest);
            }
        }
    }
    let root = |mut unit: usize| {
        while let Some(earlier) = original[unit] {
            unit = earlier;
        }
        unit
    };
    units
        .iter()
        .filter(|unit| original[**unit].is_some())
        .map(|unit| (*unit, (root(*unit), norms[*unit] / norms[root(*unit)])))
        .collect()
}

/// New units that stand for all always-on ones.
struct Linear {
    units: Vec<usize>,
    rows: Array2<f64>,
    bias: Vec<f64>,
    columns: Array2<f64>,
    shift: Vec<f64>,
}

/// Units with `b >= r ||a||` are linear on the ball: together they give `C_on A_on x + C_on b_on`. With the singular value
/// decomposition `C_on A_on = U S V^T` the units `v_k x + r` (norm of `v_k` is 1, so that they are on) read by `U_k s_k`
/// give the same after `C_on b_on - r sum_k U_k s_k` is added to the next bias.
fn always_on(rows: &Array2<f64>, bias: &[f64], next: &Array2<f64>, radius: f64) -> Option<Linear> {
    let units: Vec<usize> = (0..bias.len()).filter(|i| bias[*i] >= radius * norm(rows.row(*i))).collect();
    if units.len() < 2 {
        return None;
    }
    let (on, read) = (rows.select(Axis(0), &units), next.select(Axis(1), &units));
    let product = read.dot(&on);
    let (m, d) = product.dim();
    let svd = DMatrix::from_fn(m, d, |j, k| product[[j, k]]).svd(true, true);
    let (u, v) = (svd.u?, svd.v_t?);
    let largest = svd.singular_values.max();
    let rank = svd.singular_values.iter().filter(|value| **value > 1e-9 * largest).count();
    if rank >= units.len() {
        return None;
    }
    let mut order: Vec<usize> = (0..svd.singular_values.len()).collect();
    order.sort_by(|a, b| svd.singular_values[*b].total_cmp(&svd.singular_values[*a]));
    order.truncate(rank);
    // Rounding to f32 must not turn a unit off at the edge of the ball.
    let offset = radius * (1.0 + 1e-6);
    let columns = Array2::from_shape_fn((m, rank), |(j, k)| u[(j, order[k])] * svd.singular_values[order[k]]);
    let constant = read.dot(&ndarray::Array1::from_iter(units.iter().map(|i| bias[*i])));
    let shift = (0..m).map(|j| constant[j] - offset * columns.row(j).sum()).collect();
    let rows = Array2::from_shape_fn((rank, d), |(k, j)| v[(order[k], j)]);
    Some(Linear { units, rows, bias: vec![offset; rank], columns, shift })
}
