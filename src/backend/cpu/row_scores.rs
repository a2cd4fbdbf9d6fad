//! Norms `||(A_i, c_i)||` and scores `norms_i sum_j b_ji^2 / sum_j |b_ji|`, in one pass over A and B.

use pulp::Arch;
use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{RowScores, check};
use crate::error::Result;

/// Neurons of one task: their part of a row of B is four cache lines.
const NEURONS: usize = 64;

pub(super) fn row_scores(
    rows: &HostMatrix,
    constants: Option<&HostMatrix>,
    coefficients: &HostMatrix,
) -> Result<RowScores<HostMatrix>> {
    let p = check::row_scores(rows.shape(), constants.map(HostMatrix::shape), coefficients.shape())?;
    let (mut norms, mut scores) = (vec![0.0; p], vec![0.0; p]);
    let arch = Arch::new();
    let blocks = norms.par_chunks_mut(NEURONS).zip(scores.par_chunks_mut(NEURONS)).enumerate();
    blocks.for_each(|(block, (norms, scores))| {
        let first = block * NEURONS;
        arch.dispatch(
            #[inline(always)]
            || score(rows, constants, coefficients, first, norms, scores),
        );
    });
    Ok(RowScores { norms: HostMatrix::row_vector(norms), rows: HostMatrix::row_vector(scores) })
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
fn score(
    rows: &HostMatrix,
    constants: Option<&HostMatrix>,
    coefficients: &HostMatrix,
    first: usize,
    norms: &mut [f32],
    scores: &mut [f32],
) {
    let (mut squares, mut sizes) = ([0.0; NEURONS], [0.0; NEURONS]);
    for class in 0..coefficients.shape()[0] {
        let b = &coefficients.row(class)[first..][..norms.len()];
        for ((square, size), b) in squares.iter_mut().zip(&mut sizes).zip(b) {
            let b = f64::from(*b);
            *square += b * b;
            *size += b.abs();
        }
    }
    for (offset, (norm, score)) in norms.iter_mut().zip(scores).enumerate() {
        let i = first + offset;
        let constant = constants.map_or(0.0, |c| f64::from(c.values()[i]));
        let exact = (square_sum(rows.row(i)) + constant * constant).sqrt();
        let (square, size) = (squares[offset], sizes[offset]);
        *norm = exact as f32;
        *score = if size > 0.0 { exact * square / size } else { 0.0 } as f32;
    }
}

/// `sum_k x_k^2` in f64, over 32 lanes in a fixed order.
#[inline(always)]
fn square_sum(x: &[f32]) -> f64 {
    let mut lanes = [0.0; 32];
    let (blocks, tail) = x.as_chunks::<32>();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            let x = f64::from(*x);
            *lane += x * x;
        }
    }
    lanes.iter().sum::<f64>() + tail.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>()
}
