//! `out_nm = sum_i w_mi max(<g_i, u_n>, 0)`: the fold that adds up rectified products once for each class.

use pulp::Simd;

use super::contraction::{Fold, Lanes, Sum, Tile, contract, tiles};
use super::matrix::HostMatrix;
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) fn class_supports(
    weights: &HostMatrix,
    generators: &HostMatrix,
    directions: &HostMatrix,
) -> Result<HostMatrix> {
    let [n, k] = check::class_supports(weights.shape(), generators.shape(), directions.shape())?;
    let p = generators.shape()[0];
    let mut out = HostMatrix::unwritten("class_supports", [n, k])?;
    // Classes side by side, each padded with zeros so that a micro-tile at any column reads whole vectors.
    let stride = p + 64;
    let mut padded = vec![0.0; k * stride];
    for (class, padded) in padded.chunks_exact_mut(stride).enumerate() {
        padded[..p].copy_from_slice(weights.row(class));
    }
    let x = directions.view(Transpose::No);
    let y = generators.columns_for(x);
    let mut tiles =
        tiles(x, y, |_, _| WeightedSums { weights: &padded, stride, classes: k, lanes: Vec::new(), sums: Vec::new() });
    contract::<Sum, _>(x, y, &mut tiles);
    // A row meets its chunks of columns in ascending order; one row of sums at a time is in f64.
    for band in tiles.chunk_by(|a, b| a.rows == b.rows) {
        let rows = band.first().map_or(0..0, |tile| tile.rows.clone());
        let out = &mut out.values_mut()[rows.start * k..rows.end * k];
        for (at, out) in out.iter_mut().enumerate() {
            let sum: f64 = band.iter().map(|Tile { fold, .. }| fold.sums[at]).sum();
            #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
            {
                *out = sum as f32;
            }
        }
    }
    if tiles.is_empty() {
        out.values_mut().fill(0.0);
    }
    Ok(out)
}

struct WeightedSums<'a> {
    weights: &'a [f32],
    stride: usize,
    classes: usize,
    /// What each lane of a row has added up, class after class.
    lanes: Vec<Lanes<f32>>,
    /// The sums of each row, class after class.
    sums: Vec<f64>,
}

impl Fold for WeightedSums<'_> {
    fn begin(&mut self, rows: usize) {
        self.lanes = vec![[0.0; 16]; rows * self.classes];
    }

    #[inline(always)]
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, column: usize, product: &[[S::f32s; V]]) {
        if self.classes == 0 {
            return;
        }
        let zero = simd.splat_f32s(0.0);
        let rows = self.lanes[row * self.classes..].chunks_exact_mut(self.classes);
        for (classes, product) in rows.zip(product) {
            let rectified = product.map(|product| simd.max_f32s(product, zero));
            for (lanes, weights) in classes.iter_mut().zip(self.weights[column..].chunks(self.stride)) {
                let (sums, _) = S::as_mut_simd_f32s(lanes);
                let (weights, _) = S::as_simd_f32s(&weights[..V * S::F32_LANES]);
                let mut sum = sums[0];
                for (rectified, weight) in rectified.iter().zip(weights) {
                    sum = simd.mul_add_e_f32s(*rectified, *weight, sum);
                }
                sums[0] = sum;
            }
        }
    }

    #[inline(always)]
    fn end(&mut self) {
        self.sums = self.lanes.iter().map(|lanes| lanes.iter().map(|lane| f64::from(*lane)).sum()).collect();
        self.lanes = Vec::new();
    }
}
