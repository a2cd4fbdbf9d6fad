//! `f(x) = max_i c_i + <a_i, x>` with the lowest arg max: the fold that keeps a running maximum in every lane.

use std::array::from_fn;
use std::ops::Range;

use pulp::Simd;

use super::affine::padded;
use super::contraction::{Fold, Inner, Lanes, Sum, Tile, contract, tiles};
use super::matrix::HostMatrix;
use super::narrow::{RowFold, band, contract_narrow, is_narrow};
use super::operand::{Columns, View};
use crate::backend::{Maxima, Transpose, check};
use crate::error::{Error, Result};

pub(super) fn tropical_eval(
    points: &HostMatrix,
    exponents: &HostMatrix,
    coefficients: &HostMatrix,
) -> Result<Maxima<HostMatrix, Vec<u32>>> {
    check::tropical_eval(points.shape(), exponents.shape(), coefficients.shape())?;
    let (values, arguments) = largest::<Sum>("tropical_eval", points, exponents, Some(coefficients.values()))?;
    Ok(Maxima { values: HostMatrix::column_vector(values), arguments })
}

/// The largest sum of a start and the product that `I` makes of its terms, over all columns, and the lowest column that
/// attains it.
pub(super) fn largest<I: Inner>(
    operation: &'static str,
    rows: &HostMatrix,
    columns: &HostMatrix,
    starts: Option<&[f32]>,
) -> Result<(Vec<f32>, Vec<u32>)> {
    let ([n, _], [m, _]) = (rows.shape(), columns.shape());
    if u32::try_from(m).is_err() {
        let limit = u64::from(u32::MAX) * 4;
        return Err(Error::TooLarge { operation, bytes: m as u64 * 4, limit });
    }
    let x = rows.view(Transpose::No);
    if is_narrow(x) {
        let (mut values, mut arguments) = (vec![f32::NEG_INFINITY; n], vec![0; n]);
        let folds = values.chunks_mut(band(n)).zip(arguments.chunks_mut(band(n)));
        let folds = folds.map(|(values, arguments)| RowMax { values, arguments }).collect();
        contract_narrow::<I, _>(x, columns.view(Transpose::No), starts, folds);
        return Ok((values, arguments));
    }
    Ok(maxima::<I>(x, columns.columns_for(x), starts))
}

/// The same where lanes hold columns, which a `u32` counts.
pub(super) fn maxima<I: Inner>(x: View<'_>, y: Columns<'_>, starts: Option<&[f32]>) -> (Vec<f32>, Vec<u32>) {
    let (mut values, mut arguments) = (vec![f32::NEG_INFINITY; x.rows()], vec![0; x.rows()]);
    // Padding lanes are minus infinity, which never exceeds a running maximum.
    let coefficients = padded(starts.unwrap_or(&vec![0.0; y.count()]), f32::NEG_INFINITY);
    let mut tiles = tiles(x, y, |_, columns| Max { coefficients: &coefficients, columns, ..Max::default() });
    contract::<I, _>(x, y, &mut tiles);
    // Tiles come in ascending order of columns, so that the first of equal maxima stays.
    for Tile { rows, fold, .. } in &tiles {
        let so_far = values[rows.clone()].iter_mut().zip(&mut arguments[rows.clone()]);
        for ((value, argument), best) in so_far.zip(&fold.best) {
            if best.0 > *value {
                (*value, *argument) = *best;
            }
        }
    }
    (values, arguments)
}

#[expect(clippy::cast_possible_truncation, reason = "`largest` checks that column numbers fit")]
#[inline(always)]
fn lane_column(column: usize) -> u32 {
    column as u32
}

#[derive(Default)]
struct Max<'a> {
    coefficients: &'a [f32],
    columns: Range<usize>,
    /// The largest value that each lane of a row has seen, and the first column of the vector in which it was.
    lanes: Vec<(Lanes<f32>, Lanes<u32>)>,
    /// The maximum of each row and its column.
    best: Vec<(f32, u32)>,
}

impl Fold for Max<'_> {
    fn begin(&mut self, rows: usize) {
        self.lanes = vec![([f32::NEG_INFINITY; 16], [lane_column(self.columns.start); 16]); rows];
    }

    #[inline(always)]
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, column: usize, product: &[[S::f32s; V]]) {
        let (coefficients, _) = S::as_simd_f32s(&self.coefficients[column..][..V * S::F32_LANES]);
        for ((values, columns), product) in self.lanes[row..].iter_mut().zip(product) {
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

    #[inline(always)]
    fn end(&mut self) {
        self.best.reserve_exact(self.lanes.len());
        for (values, columns) in &self.lanes {
            let (mut values, mut columns) = (*values, from_fn::<_, 16, _>(|lane| columns[lane] + LANE[lane]));
            for half in [8, 4, 2, 1] {
                for lane in 0..half {
                    let (value, column) = (values[lane + half], columns[lane + half]);
                    let equal = value == values[lane] && column < columns[lane];
                    let better = value > values[lane] || equal;
                    values[lane] = if better { value } else { values[lane] };
                    columns[lane] = if better { column } else { columns[lane] };
                }
            }
            self.best.push((values[0], columns[0]));
        }
        self.lanes = Vec::new();
    }
}

const LANE: Lanes<u32> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// The same where lanes hold points: sums start from the coefficients.
struct RowMax<'a> {
    values: &'a mut [f32],
    arguments: &'a mut [u32],
}

impl RowFold for RowMax<'_> {
    /// The largest value so far, and the first column that attains it.
    type State<S: Simd> = (S::f32s, S::u32s);

    #[inline(always)]
    fn start<S: Simd>(simd: S) -> Self::State<S> {
        (simd.splat_f32s(f32::NEG_INFINITY), simd.splat_u32s(0))
    }

    #[inline(always)]
    fn take<S: Simd>(simd: S, (value, at): Self::State<S>, column: u32, product: S::f32s) -> Self::State<S> {
        let larger = simd.greater_than_f32s(product, value);
        (simd.select_f32s(larger, product, value), simd.select_u32s(larger, simd.splat_u32s(column), at))
    }

    #[inline(always)]
    fn end<S: Simd>(&mut self, simd: S, row: usize, (value, at): Self::State<S>) {
        let end = self.values.len().min(row + S::F32_LANES);
        simd.partial_store_f32s(&mut self.values[row..end], value);
        simd.partial_store_u32s(&mut self.arguments[row..end], at);
    }
}
