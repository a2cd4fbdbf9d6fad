//! `Y = phi(X W^T + 1 b^T)`: the fold that stores.

use std::mem;

use pulp::{Scalar, Simd};
use rayon::prelude::*;

use super::contraction::{Fold, Inner, Sum, Tile, contract, tiles};
use super::matrix::HostMatrix;
use super::operand::{Columns, View};
use crate::backend::{Activation, Transpose, check};
use crate::error::Result;

/// Rows and columns of a product that has too few tiles for its threads, and entries of a share of its inner index.
const SHARED_ROWS: usize = 8;
const SHARED_COLUMNS: usize = 512;
const SHARE: usize = 8192;

/// What follows a bias, so that a micro-tile at any column reads whole vectors of it.
const PADDING: usize = 64;

pub(super) fn affine(
    x: &HostMatrix,
    weights: &HostMatrix,
    bias: Option<&HostMatrix>,
    activation: Activation,
) -> Result<HostMatrix> {
    check::affine(x.shape(), weights.shape(), bias.map(HostMatrix::shape))?;
    let floor = match activation {
        Activation::Identity => f32::NEG_INFINITY,
        Activation::Relu => 0.0,
    };
    let x = x.view(Transpose::No);
    product::<Sum>("affine", x, weights.columns_for(x), bias.map(HostMatrix::values), floor)
}

/// Stores `max(X Y^T + 1 b^T, floor)`, with the product that `I` makes of its terms.
pub(super) fn product<I: Inner>(
    operation: &'static str,
    x: View<'_>,
    y: Columns<'_>,
    bias: Option<&[f32]>,
    floor: f32,
) -> Result<HostMatrix> {
    let (n, m) = (x.rows(), y.count());
    let mut out = HostMatrix::unwritten(operation, [n, m])?;
    if n <= SHARED_ROWS && m <= SHARED_COLUMNS && shared::<I>(x, y, bias, floor, out.values_mut()) {
        return Ok(out);
    }
    let bias = padded(bias.unwrap_or(&vec![0.0; m]), 0.0);
    let mut tiles =
        tiles(x, y, |rows, _| Store { rows: Vec::with_capacity(rows.len()), bias: &bias, first_column: 0, floor });
    // Each tile gets its part of every row.
    let mut rest = out.values_mut();
    for band in tiles.chunk_by_mut(|a, b| a.rows == b.rows) {
        for _ in band.first().map_or(0..0, |tile| tile.rows.clone()) {
            for tile in band.iter_mut() {
                let (part, tail) = mem::take(&mut rest).split_at_mut(tile.columns.len());
                tile.fold.rows.push(part);
                tile.fold.first_column = tile.columns.start;
                rest = tail;
            }
        }
    }
    contract::<I, _>(x, y, &mut tiles);
    drop(tiles);
    Ok(out)
}

/// Cuts a long inner index into shares, whose number depends on the shape alone, that threads contract side by side: so few
/// rows and columns are no tiles to share. Returns whether it did.
fn shared<I: Inner>(x: View<'_>, y: Columns<'_>, bias: Option<&[f32]>, floor: f32, out: &mut [f32]) -> bool {
    let shares: Vec<_> = (0..x.inner()).step_by(SHARE).map(|start| start..x.inner().min(start + SHARE)).collect();
    let parts: Option<Vec<_>> =
        shares.iter().map(|share| Some((x.part(share.clone()), y.part(share.clone())?))).collect();
    let Some(parts) = parts.filter(|parts| parts.len() > 1) else { return false };
    let none = vec![0.0; y.count() + PADDING];
    let length = out.len();
    let store = |(x, y): (View<'_>, Columns<'_>)| {
        let mut product = vec![0.0; length];
        store_rows::<I>(x, y, &none, f32::NEG_INFINITY, &mut product);
        product
    };
    let products: Vec<Vec<f32>> = parts.into_par_iter().map(store).collect();
    let simd = Scalar::new();
    for (at, out) in out.iter_mut().enumerate() {
        let sum = products.iter().map(|product| product[at]).reduce(|a, b| I::join(simd, a, b));
        *out = (sum.unwrap_or(0.0) + bias.map_or(0.0, |bias| bias[at % y.count()])).max(floor);
    }
    true
}

/// Stores `max(X Y^T + 1 b^T, floor)` from one tile on the calling thread, with a bias that is [`padded`].
pub(super) fn store_rows<I: Inner>(x: View<'_>, y: Columns<'_>, bias: &[f32], floor: f32, out: &mut [f32]) {
    let (rows, columns) = (0..x.rows(), 0..y.count());
    let parts = out.chunks_exact_mut(columns.len().max(1)).take(rows.len()).collect();
    let fold = Store { rows: parts, bias, first_column: 0, floor };
    contract::<I, _>(x, y, &mut [Tile { rows, columns, fold }]);
}

/// A copy of `values`, long enough that a micro-tile at any column reads whole vectors of it.
pub(super) fn padded(values: &[f32], padding: f32) -> Vec<f32> {
    let mut padded = Vec::with_capacity(values.len() + PADDING);
    padded.extend_from_slice(values);
    padded.resize(values.len() + PADDING, padding);
    padded
}

struct Store<'a> {
    /// The part of each row of the result that lies in the tile.
    rows: Vec<&'a mut [f32]>,
    bias: &'a [f32],
    first_column: usize,
    floor: f32,
}

impl Fold for Store<'_> {
    #[inline(always)]
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, column: usize, product: &[[S::f32s; V]]) {
        let floor = simd.splat_f32s(self.floor);
        let (bias, _) = S::as_simd_f32s(&self.bias[column..][..V * S::F32_LANES]);
        for (out, product) in self.rows[row..].iter_mut().zip(product) {
            let out = &mut out[column - self.first_column..];
            let value = |v: usize| simd.max_f32s(simd.add_f32s(product[v], bias[v]), floor);
            if out.len() >= V * S::F32_LANES {
                let (out, _) = S::as_mut_simd_f32s(out);
                for (v, out) in out[..V].iter_mut().enumerate() {
                    *out = value(v);
                }
            } else {
                for (v, out) in out.chunks_mut(S::F32_LANES).enumerate() {
                    simd.partial_store_f32s(out, value(v));
                }
            }
        }
    }
}
