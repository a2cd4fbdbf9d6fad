//! The semidefinite bound of a sum of absolute values over the ball, with a dual certificate.
//!
//! `F = sup_(|x| <= r) sum_i |v_i x + b_i| = max_(s in {-1, 1}^(N + 1)) r |sum_i s_i v_i| + s_0 sum_i s_i b_i`. Since
//! `r |y| <= theta / 2 + r^2 |y|^2 / (2 theta)`, it is at most `theta / 2` plus the largest value of `s' Q s`,
//! `Q = [[r^2 V V' / (2 theta), b / 2], [b' / 2, 0]]`, for every `theta > 0`. For every diagonal `D > 0` and
//! `lambda >= lambda_max(D^-1/2 Q D^-1/2)`, `s' Q s <= lambda tr D`: that is the bound. Without offsets and with the best
//! `theta` it is `sqrt(tr D lambda_max(D^-1/2 V V' D^-1/2))`, half the norm from infinity to 2 within `sqrt(pi / 2)`.
//!
//! `D` and `theta` come from the low-rank primal (Burer and Monteiro): unit vectors `S_i` that maximise
//! `r sqrt(<V V', S S'>) + sum_i b_i <S_i, S_0>`, each in turn set to the direction of what it meets; `D_i` is the length
//! of what it meets in the end. `theta` follows `r sqrt(<V V', S S'>)`, at which it is best for these `S`, more slowly
//! whenever it has turned round: at full pace the two chase each other where offsets are large. Only `lambda` has to be
//! right, and that is proved.

use ndarray::Array2;
use rand::RngExt;

use super::eigenvalue::largest_eigenvalue_bound;
use super::radial::UNIT;
use crate::backend::vectorised;
use crate::rng;

/// Length of the vectors `S_i`.
const RANK: usize = 16;
/// Sweeps end when the objective grows by less than this share.
const CONVERGED: f64 = 1e-5;
/// and `theta` is within this share of its best value.
const SETTLED: f64 = 1e-3;
/// The rows are normalised to one: `theta` below this would only come from rows that cancel to rounding.
const LEAST: f64 = 1e-12;
/// A dual further than this above the primal has not settled.
const UNSETTLED: f64 = 1.05;
/// No `D_i` lies below this share of their mean.
const FLOOR: f64 = 1e-4;

type Vector = [f64; RANK];

/// The primal solution: directions of the rows, and of the homogenising sign.
struct Directions {
    rows: Vec<Vector>,
    sign: Vector,
    theta: f64,
    /// The value of the primal: no bound by this program lies below its optimum.
    value: f64,
}

/// A proved upper bound of `sup_(|u| <= 1) sum_i |v_i u + b_i|`.
///
/// `gram`: `N x N`, the computed `<v_i, v_k>`, each within `gamma |v_i| |v_k|` of the exact one; `offsets`: the `b_i`.
/// At most `sweeps` sweeps; the bound holds after any number. Infinite if something is not finite.
#[must_use]
pub fn absolute_sum_bound(gram: &Array2<f64>, offsets: &[f64], gamma: f64, sweeps: usize) -> f64 {
    let sizes: Vec<f64> = gram.diag().iter().zip(offsets).map(|(square, b)| square.max(0.0).sqrt() + b.abs()).collect();
    let scale: f64 = sizes.iter().sum();
    if scale == 0.0 {
        return 0.0;
    }
    if !scale.is_finite() || !scale.recip().is_finite() {
        return f64::INFINITY;
    }
    let gram = gram.mapv(|g| g / scale / scale);
    let offsets: Vec<f64> = offsets.iter().map(|b| b / scale).collect();
    let primal = directions(&gram, &offsets, sweeps);
    // Rounding of the scaling: each entry by 2 u, and the bound is homogeneous.
    let mut bound = dual(&gram, &offsets, gamma, &primal);
    if bound > UNSETTLED * primal.value {
        // The offsets by themselves: better where the dual has not settled.
        let none = vec![0.0; offsets.len()];
        let apart: f64 = offsets.iter().map(|b| b.abs()).sum();
        bound =
            bound.min(dual(&gram, &none, gamma, &primal) + apart * (1.0 + 4.0 * (offsets.len() as f64 + 4.0) * UNIT));
    }
    // The triangle inequality: the sizes add up to one.
    let bound = bound.min(1.0 + 8.0 * (offsets.len() as f64 + 4.0) * UNIT + gamma);
    scale * bound * (1.0 + 64.0 * UNIT)
}

/// `sum_k weight_k S_k` over a row of the Gram matrix.
#[inline(always)]
fn meet(row: &[f64], vectors: &[Vector]) -> Vector {
    let mut lanes = [[0.0; RANK]; 4];
    let (weights, weights_left) = row.as_chunks::<4>();
    let (groups, groups_left) = vectors.as_chunks::<4>();
    for (weights, group) in weights.iter().zip(groups) {
        for ((lane, weight), vector) in lanes.iter_mut().zip(weights).zip(group) {
            for (sum, value) in lane.iter_mut().zip(vector) {
                *sum += weight * value;
            }
        }
    }
    for (weight, vector) in weights_left.iter().zip(groups_left) {
        for (sum, value) in lanes[0].iter_mut().zip(vector) {
            *sum += weight * value;
        }
    }
    std::array::from_fn(|p| lanes[0][p] + lanes[1][p] + lanes[2][p] + lanes[3][p])
}

fn dot(a: &Vector, b: &Vector) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Turns a vector to unit length; one that has no direction stays what `old` is.
fn unit(vector: Vector, old: &Vector) -> Vector {
    let norm = dot(&vector, &vector).sqrt();
    if norm > 0.0 && norm.is_finite() { vector.map(|value| value / norm) } else { *old }
}

/// Block coordinate ascent from seeded random directions.
fn directions(gram: &Array2<f64>, offsets: &[f64], sweeps: usize) -> Directions {
    let mut generator = rng::stream(0, "semidefinite bound");
    let mut random = || -> Vector {
        let vector = std::array::from_fn(|_| generator.random_range(-1.0..1.0));
        unit(vector, &std::array::from_fn(|p| if p == 0 { 1.0 } else { 0.0 }))
    };
    let mut rows: Vec<Vector> = (0..offsets.len()).map(|_| random()).collect();
    let mut sign = random();
    let rows_of_gram: Vec<&[f64]> = gram.rows().into_iter().filter_map(|row| row.to_slice()).collect();
    let square = |rows: &[Vector]| -> f64 {
        rows_of_gram.iter().zip(rows).map(|(row, s)| dot(&meet(row, rows), s)).sum::<f64>().max(0.0)
    };
    vectorised(
        #[inline(always)]
        || {
            let mut theta = square(&rows).sqrt().max(LEAST);
            let (mut before, mut drift, mut pace) = (0.0, 0.0, 1.0);
            for _ in 0..sweeps {
                let mut sum = 0.0;
                // r^2 / (2 theta) V V' + b / 2, times 2 theta.
                for (i, row) in rows_of_gram.iter().enumerate() {
                    let (done, due) = (meet(&row[..i], &rows[..i]), meet(&row[i + 1..], &rows[i + 1..]));
                    let pull = theta * offsets[i];
                    let vector = std::array::from_fn(|p| done[p] + due[p] + pull * sign[p]);
                    rows[i] = unit(vector, &rows[i]);
                    sum += 2.0 * dot(&done, &rows[i]) + row[i];
                }
                let next = (sum.max(0.0).sqrt().max(LEAST) / theta).ln();
                if next * drift < 0.0 {
                    pace *= 0.6;
                }
                drift = next;
                theta *= (pace * drift).exp();
                let mut towards = [0.0; RANK];
                for (row, b) in rows.iter().zip(offsets) {
                    towards.iter_mut().zip(row).for_each(|(sum, value)| *sum += b * value);
                }
                sign = unit(towards, &sign);
                let value = sum.max(0.0).sqrt() + dot(&towards, &sign);
                let settled = (value - before).abs() <= CONVERGED * value && drift.abs() <= SETTLED;
                before = value;
                if settled {
                    break;
                }
            }
            Directions { rows, sign, theta, value: before }
        },
    )
}

/// `theta / 2 + lambda tr D` with a proved `lambda`.
fn dual(gram: &Array2<f64>, offsets: &[f64], gamma: f64, primal: &Directions) -> f64 {
    let n = offsets.len();
    let theta = primal.theta;
    let homogeneous = offsets.iter().all(|b| *b == 0.0);
    let mut d: Vec<f64> = gram
        .rows()
        .into_iter()
        .enumerate()
        .map(|(i, row)| {
            let met = row.to_slice().map_or([0.0; RANK], |row| {
                vectorised(
                    #[inline(always)]
                    || meet(row, &primal.rows),
                )
            });
            let vector: Vector = std::array::from_fn(|p| met[p] / (2.0 * theta) + 0.5 * offsets[i] * primal.sign[p]);
            dot(&vector, &vector).sqrt()
        })
        .collect();
    if !homogeneous {
        let mut towards = [0.0; RANK];
        for (row, b) in primal.rows.iter().zip(offsets) {
            towards.iter_mut().zip(row).for_each(|(sum, value)| *sum += 0.5 * b * value);
        }
        d.push(dot(&towards, &towards).sqrt());
    }
    let floor = FLOOR * d.iter().sum::<f64>() / d.len() as f64;
    if floor.is_nan() || floor <= 0.0 {
        return f64::INFINITY;
    }
    d.iter_mut().for_each(|d| *d = d.max(floor));
    let roots: Vec<f64> = d.iter().map(|d| d.sqrt()).collect();
    let scaled = Array2::from_shape_fn((d.len(), d.len()), |(i, k)| match (i < n, k < n) {
        (true, true) => gram[[i, k]] / (2.0 * theta) / (roots[i] * roots[k]),
        (true, false) => 0.5 * offsets[i] / (roots[i] * roots[k]),
        (false, true) => 0.5 * offsets[k] / (roots[i] * roots[k]),
        (false, false) => 0.0,
    });
    // The matrix is off by gamma |v_i| |v_k| from the Gram matrix, which has norm gamma sum |v_i|^2 at most, and by a few
    // units in every entry, which has at most its Frobenius norm.
    let squares: f64 = (0..n).map(|i| scaled[[i, i]].abs()).sum();
    let frobenius = scaled.iter().map(|value| value * value).sum::<f64>().sqrt();
    let perturbation = 2.0 * gamma * squares + 16.0 * UNIT * frobenius;
    let lambda = (largest_eigenvalue_bound(&scaled) + perturbation).max(0.0);
    let trace = d.iter().sum::<f64>() * (1.0 + 4.0 * (n as f64 + 4.0) * UNIT);
    if homogeneous {
        // The best theta for this D: theta' / 2 + theta lambda tr D / theta'.
        (2.0 * theta * lambda * trace).sqrt() * (1.0 + 16.0 * UNIT)
    } else {
        (theta / 2.0 + lambda * trace) * (1.0 + 16.0 * UNIT)
    }
}
