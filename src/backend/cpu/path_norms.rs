//! `out_i = 1/2 (sum_j w_ij^2 q_j + b_i^2)`, and backward `out_j = 1/2 sum_i w_ij^2 q_i`, in one pass over the weights.

use std::array::from_fn;

use pulp::Arch;
use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Transpose, check};
use crate::error::Result;

/// Rows that share a pass over the squares.
const ROWS: usize = 4;

/// Columns whose f64 sums stay in the L1 cache.
const COLUMNS: usize = 1024;

pub(super) fn path_norms(
    weights: &HostMatrix,
    squares: &HostMatrix,
    bias: Option<&HostMatrix>,
    direction: Transpose,
) -> Result<HostMatrix> {
    check::path_norms(weights.shape(), squares.shape(), bias.map(HostMatrix::shape), direction)?;
    let sums = match direction {
        Transpose::No => forward(weights, squares.values(), bias.map(HostMatrix::values)),
        Transpose::Yes => backward(weights, squares.values()),
    };
    #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
    Ok(HostMatrix::row_vector(sums.into_iter().map(|sum| (0.5 * sum) as f32).collect()))
}

fn forward(weights: &HostMatrix, squares: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
    let arch = Arch::new();
    let mut sums = vec![0.0; weights.shape()[0]];
    let blocks = sums.par_chunks_mut(ROWS).enumerate().with_min_len((1 << 14) / (ROWS * squares.len().max(1)) + 1);
    blocks.for_each(|(block, sums)| {
        let first = block * ROWS;
        arch.dispatch(
            #[inline(always)]
            || match sums {
                [a, b, c, d] => {
                    [*a, *b, *c, *d] = weighted_square_sums(from_fn(|row| weights.row(first + row)), squares);
                }
                sums => {
                    for (row, sum) in sums.iter_mut().enumerate() {
                        [*sum] = weighted_square_sums([weights.row(first + row)], squares);
                    }
                }
            },
        );
    });
    for (sum, bias) in sums.iter_mut().zip(bias.into_iter().flatten()) {
        *sum += f64::from(*bias) * f64::from(*bias);
    }
    sums
}

/// `sum_j w_j^2 q_j` for several rows in f64, over 16 lanes in a fixed order.
#[inline(always)]
fn weighted_square_sums<const R: usize>(w: [&[f32]; R], q: &[f32]) -> [f64; R] {
    let mut lanes = [[0.0; 16]; R];
    let (blocks_q, tail_q) = q.as_chunks::<16>();
    let blocks_w = w.map(|w| &w.as_chunks::<16>().0[..blocks_q.len()]);
    for (block, q) in blocks_q.iter().enumerate() {
        let q = q.map(f64::from);
        for row in 0..R {
            let w = blocks_w[row][block].map(f64::from);
            for lane in 0..16 {
                lanes[row][lane] += w[lane] * w[lane] * q[lane];
            }
        }
    }
    from_fn(|row| {
        let tail = &w[row][q.len() - tail_q.len()..];
        lanes[row].iter().sum::<f64>() + tail.iter().zip(tail_q).map(|(w, q)| term(*w, *q)).sum::<f64>()
    })
}

#[inline(always)]
fn term(w: f32, q: f32) -> f64 {
    f64::from(w) * f64::from(w) * f64::from(q)
}

/// Blocks of rows whose number depends on the shape alone add up on their own and join in order.
fn backward(weights: &HostMatrix, squares: &[f32]) -> Vec<f64> {
    let ([_, n], arch) = (weights.shape(), Arch::new());
    let height = squares.len().div_ceil(64).max(256);
    let blocks: Vec<Vec<f64>> = squares
        .par_chunks(height)
        .enumerate()
        .map(|(block, squares)| {
            let mut sums = vec![0.0; n];
            arch.dispatch(
                #[inline(always)]
                || add_rows(weights, block * height, squares, &mut sums),
            );
            sums
        })
        .collect();
    let mut sums = vec![0.0; n];
    for block in blocks {
        sums.iter_mut().zip(block).for_each(|(sum, part)| *sum += part);
    }
    sums
}

#[inline(always)]
fn add_rows(weights: &HostMatrix, first: usize, squares: &[f32], sums: &mut [f64]) {
    for (block, sums) in sums.chunks_mut(COLUMNS).enumerate() {
        let length = sums.len();
        let row = |i: usize| &weights.row(first + i)[block * COLUMNS..][..length];
        // Four rows at a time, so that a sum is loaded and stored once for four terms.
        let (quads, tail) = squares.as_chunks::<4>();
        for (quad, q) in quads.iter().enumerate() {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| row(4 * quad + i));
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum += (term(a[j], q[0]) + term(b[j], q[1])) + (term(c[j], q[2]) + term(d[j], q[3]));
            }
        }
        for (i, q) in tail.iter().enumerate() {
            for (sum, w) in sums.iter_mut().zip(row(4 * quads.len() + i)) {
                *sum += term(*w, *q);
            }
        }
    }
}
