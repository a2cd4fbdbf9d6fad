//! `h(u) = <shift, u> + sum_i max(<g_i, u>, 0)`: the fold that adds up rectified products.

use pulp::Simd;
use rayon::prelude::*;

use super::contraction::{Fold, Lanes, Sum, Tile, contract, tiles};
use super::matrix::HostMatrix;
use super::narrow::{RowFold, band, contract_narrow, is_narrow};
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) fn support_function(
    generators: &HostMatrix,
    shift: Option<&HostMatrix>,
    directions: &HostMatrix,
) -> Result<HostMatrix> {
    let n = check::support_function(generators.shape(), shift.map(HostMatrix::shape), directions.shape())?;
    let x = directions.view(Transpose::No);
    let mut values: Vec<f64> = (0..n)
        .into_par_iter()
        .with_min_len(256)
        .map(|i| {
            let terms = shift.map(|shift| shift.values().iter().zip(directions.row(i)));
            terms.into_iter().flatten().map(|(shift, u)| f64::from(*shift) * f64::from(*u)).sum()
        })
        .collect();
    if is_narrow(x) {
        let folds = values.chunks_mut(band(n)).map(|values| RowSum { values }).collect();
        contract_narrow::<Sum, _>(x, generators.view(Transpose::No), None, folds);
    } else {
        let y = generators.columns_for(x);
        let mut tiles = tiles(x, y, |_, _| RectifiedSum::default());
        contract::<Sum, _>(x, y, &mut tiles);
        for Tile { rows, fold, .. } in &tiles {
            for (value, sum) in values[rows.clone()].iter_mut().zip(&fold.sums) {
                *value += sum;
            }
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
    Ok(HostMatrix::column_vector(values.into_iter().map(|value| value as f32).collect()))
}

#[derive(Default)]
struct RectifiedSum {
    /// What each lane of a row has added up.
    lanes: Vec<Lanes<f32>>,
    /// The sum of each row.
    sums: Vec<f64>,
}

impl Fold for RectifiedSum {
    fn begin(&mut self, rows: usize) {
        self.lanes = vec![[0.0; 16]; rows];
    }

    #[inline(always)]
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, _: usize, product: &[[S::f32s; V]]) {
        let zero = simd.splat_f32s(0.0);
        for (sums, product) in self.lanes[row..].iter_mut().zip(product) {
            let (sums, _) = S::as_mut_simd_f32s(sums);
            let mut sum = sums[0];
            for product in product {
                sum = simd.add_f32s(sum, simd.max_f32s(*product, zero));
            }
            sums[0] = sum;
        }
    }

    #[inline(always)]
    fn end(&mut self) {
        self.sums = self.lanes.iter().map(|lanes| lanes.iter().map(|lane| f64::from(*lane)).sum()).collect();
        self.lanes = Vec::new();
    }
}

/// The same where lanes hold rows.
struct RowSum<'a> {
    /// The results of a band, to which the sums are added.
    values: &'a mut [f64],
}

impl RowFold for RowSum<'_> {
    /// The sum of earlier blocks of columns, and that of the present one.
    type State<S: Simd> = (S::f32s, S::f32s);

    #[inline(always)]
    fn start<S: Simd>(simd: S) -> Self::State<S> {
        (simd.splat_f32s(0.0), simd.splat_f32s(0.0))
    }

    #[inline(always)]
    fn take<S: Simd>(simd: S, (sum, block): Self::State<S>, _: u32, product: S::f32s) -> Self::State<S> {
        (sum, simd.add_f32s(block, simd.max_f32s(product, simd.splat_f32s(0.0))))
    }

    #[inline(always)]
    fn settle<S: Simd>(simd: S, (sum, block): Self::State<S>) -> Self::State<S> {
        (simd.add_f32s(sum, block), simd.splat_f32s(0.0))
    }

    #[inline(always)]
    fn end<S: Simd>(&mut self, simd: S, row: usize, (sum, _): Self::State<S>) {
        let mut sums = [0.0; 16];
        simd.partial_store_f32s(&mut sums[..S::F32_LANES], sum);
        for (value, sum) in self.values[row..].iter_mut().zip(&sums[..S::F32_LANES]) {
            *value += f64::from(*sum);
        }
    }
}
