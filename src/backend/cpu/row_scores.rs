//! Norms `||(A_i, c_i)||` and scores `norms_i sum_j b_ji^2 / sum_j |b_ji|`, in one pass over A and B.

use pulp::Arch;
use rayon::prelude::*;

use super::column_sums::column_sums;
use super::matrix::HostMatrix;
use crate::backend::{RowScores, check};
use crate::error::Result;

/// Rows of A of one task.
const ROWS: usize = 16;

pub(super) fn row_scores(
    rows: &HostMatrix,
    constants: Option<&HostMatrix>,
    coefficients: &HostMatrix,
) -> Result<RowScores<HostMatrix>> {
    let p = check::row_scores(rows.shape(), constants.map(HostMatrix::shape), coefficients.shape())?;
    let [sizes, squares] = column_sums(
        coefficients,
        &vec![0.0; p],
        #[inline(always)]
        |b, _| [b.abs(), b * b],
    );
    let (mut norms, mut scores) = (vec![0.0; p], vec![0.0; p]);
    let arch = Arch::new();
    let blocks = norms.par_chunks_mut(ROWS).zip(scores.par_chunks_mut(ROWS)).enumerate();
    blocks.for_each(|(block, (norms, scores))| {
        for ((i, norm), score) in (block * ROWS..).zip(norms).zip(scores) {
            let constant = constants.map_or(0.0, |c| f64::from(c.values()[i]));
            let square = arch.dispatch(
                #[inline(always)]
                || square_sum(rows.row(i)),
            );
            let exact = (square + constant * constant).sqrt();
            *norm = narrow(exact);
            *score = narrow(if sizes[i] > 0.0 { exact * squares[i] / sizes[i] } else { 0.0 });
        }
    });
    Ok(RowScores { norms: HostMatrix::row_vector(norms), rows: HostMatrix::row_vector(scores) })
}

#[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
fn narrow(value: f64) -> f32 {
    value as f32
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
