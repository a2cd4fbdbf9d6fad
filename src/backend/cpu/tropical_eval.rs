//! `f(x) = max_i c_i + <a_i, x>` with the lowest arg max: the fold that keeps a running maximum in every lane.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::affine::padded;
use super::contraction::{Fold, Lanes, Sum, Tile, contract, tiles};
use super::matrix::HostMatrix;
use crate::backend::{Maxima, Transpose, check};
use crate::error::{Error, Result};

pub(super) fn tropical_eval(
    points: &HostMatrix,
    exponents: &HostMatrix,
    coefficients: &HostMatrix,
) -> Result<Maxima<HostMatrix, Vec<u32>>> {
    let n = check::tropical_eval(points.shape(), exponents.shape(), coefficients.shape())?;
    let m = exponents.shape()[0];
    if u32::try_from(m).is_err() {
        let limit = u64::from(u32::MAX) * 4;
        return Err(Error::TooLarge { operation: "tropical_eval", bytes: m as u64 * 4, limit });
    }
    // Padding lanes are minus infinity, which never exceeds a running maximum.
    let coefficients = padded(coefficients.values(), f32::NEG_INFINITY);
    let mut tiles = tiles(n, m, |rows, columns| Max {
        coefficients: &coefficients,
        values: vec![[f32::NEG_INFINITY; 16]; rows.len()],
        columns: vec![[lane_column(columns.start); 16]; rows.len()],
    });
    contract::<Sum, _>(points.view(Transpose::No), exponents.weights(), &mut tiles);
    let bands: Vec<&[Tile<Max<'_>>]> = tiles.chunk_by(|a, b| a.rows == b.rows).collect();
    let best: Vec<(f32, u32)> =
        bands.par_iter().flat_map_iter(|band| (0..band[0].rows.len()).map(|row| maximum(band, row))).collect();
    let (values, arguments) = best.into_iter().unzip();
    Ok(Maxima { values: HostMatrix::column_vector(values), arguments })
}

/// The maximum over the tiles of a band, which come in ascending order of columns.
fn maximum(band: &[Tile<Max<'_>>], row: usize) -> (f32, u32) {
    let lanes = band.iter().flat_map(|tile| {
        let columns = tile.fold.columns[row].iter().zip(0..).map(|(column, lane)| column + lane);
        tile.fold.values[row].iter().copied().zip(columns)
    });
    let better = |best: (f32, u32), next: (f32, u32)| {
        if next.0 > best.0 || (next.0 == best.0 && next.1 < best.1) { next } else { best }
    };
    lanes.reduce(better).unwrap_or((f32::NEG_INFINITY, 0))
}

#[expect(clippy::cast_possible_truncation, reason = "tropical_eval checks that column numbers fit")]
#[inline(always)]
fn lane_column(column: usize) -> u32 {
    column as u32
}

struct Max<'a> {
    coefficients: &'a [f32],
    /// The largest value that each lane has seen.
    values: Vec<Lanes<f32>>,
    /// The first column of the vector in which it was.
    columns: Vec<Lanes<u32>>,
}

impl Fold for Max<'_> {
    #[inline(always)]
    fn fold<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        rows: Range<usize>,
        column: usize,
        product: &[[S::f32s; V]; R],
    ) {
        let (coefficients, _) = S::as_simd_f32s(&self.coefficients[column..][..V * S::F32_LANES]);
        let state = self.values[rows.clone()].iter_mut().zip(&mut self.columns[rows]);
        for ((values, columns), product) in state.zip(product) {
            let (values, columns) = (S::as_mut_simd_f32s(values).0, S::as_mut_simd_u32s(columns).0);
            let (mut value, mut at) = (values[0], columns[0]);
            for (v, (product, coefficient)) in product.iter().zip(coefficients).enumerate() {
                let term = simd.add_f32s(*product, *coefficient);
                let larger = simd.greater_than_f32s(term, value);
                value = simd.select_f32s(larger, term, value);
                at = simd.select_u32s(larger, simd.splat_u32s(lane_column(column + v * S::F32_LANES)), at);
            }
            (values[0], columns[0]) = (value, at);
        }
    }
}
