//! Bit `i` of row `n` is set iff `<g_i, u_n> + c_i > 0`: the fold that keeps signs.

use std::mem;

use pulp::Simd;

use super::affine::padded;
use super::contraction::{Fold, Lanes, Sum, contract, tiles};
use super::matrix::HostMatrix;
use crate::backend::{Transpose, check};
use crate::error::{Error, Result};

pub(super) fn activation_patterns(
    generators: &HostMatrix,
    constants: Option<&HostMatrix>,
    directions: &HostMatrix,
) -> Result<Vec<u32>> {
    let [n, words] =
        check::activation_patterns(generators.shape(), constants.map(HostMatrix::shape), directions.shape())?;
    let limit = isize::MAX.unsigned_abs() / size_of::<u32>();
    let length = n.checked_mul(words).filter(|length| *length <= limit).ok_or(Error::TooLarge {
        operation: "activation_patterns",
        bytes: u64::MAX,
        limit: limit as u64 * 4,
    })?;
    let mut out = vec![0; length];
    let p = generators.shape()[0];
    // The product of a lane past the last column is zero: with this constant its bit is not set.
    let constants = padded(constants.map_or(&vec![0.0; p], HostMatrix::values), 0.0);
    let x = directions.view(Transpose::No);
    let y = generators.columns_for(x);
    let mut tiles =
        tiles(x, y, |rows, _| Signs { rows: Vec::with_capacity(rows.len()), constants: &constants, first: 0 });
    // Tiles start at multiples of 32 columns: each gets its own words of every row.
    let mut rest = out.as_mut_slice();
    for band in tiles.chunk_by_mut(|a, b| a.rows == b.rows) {
        for _ in band.first().map_or(0..0, |tile| tile.rows.clone()) {
            for tile in band.iter_mut() {
                let (part, tail) = mem::take(&mut rest).split_at_mut(tile.columns.len().div_ceil(32));
                tile.fold.rows.push(part);
                tile.fold.first = tile.columns.start;
                rest = tail;
            }
        }
    }
    contract::<Sum, _>(x, y, &mut tiles);
    drop(tiles);
    Ok(out)
}

struct Signs<'a> {
    /// The words of each row that lie in the tile.
    rows: Vec<&'a mut [u32]>,
    constants: &'a [f32],
    first: usize,
}

impl Fold for Signs<'_> {
    #[inline(always)]
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, column: usize, product: &[[S::f32s; V]]) {
        let (zero, none) = (simd.splat_f32s(0.0), simd.splat_u32s(0));
        let lane_bits = S::as_simd_u32s(&LANE_BITS).0[0];
        let (constants, _) = S::as_simd_f32s(&self.constants[column..][..V * S::F32_LANES]);
        for (words, product) in self.rows[row..].iter_mut().zip(product) {
            for (v, (product, constant)) in product.iter().zip(constants).enumerate() {
                let positive = simd.greater_than_f32s(simd.add_f32s(*product, *constant), zero);
                let mut bits = [0; 16];
                S::as_mut_simd_u32s(&mut bits).0[0] = simd.select_u32s(positive, lane_bits, none);
                let bits = bits.iter().fold(0, |all, bit| all | bit);
                let at = column - self.first + v * S::F32_LANES;
                if let Some(word) = words.get_mut(at / 32) {
                    *word |= bits << (at % 32);
                }
            }
        }
    }
}

const LANE_BITS: Lanes<u32> = [
    1,
    1 << 1,
    1 << 2,
    1 << 3,
    1 << 4,
    1 << 5,
    1 << 6,
    1 << 7,
    1 << 8,
    1 << 9,
    1 << 10,
    1 << 11,
    1 << 12,
    1 << 13,
    1 << 14,
    1 << 15,
];
