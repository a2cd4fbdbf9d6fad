//! Products of the matrices that lie behind each other in two operands.

use rayon::prelude::*;

use super::affine::{padded, store_rows};
use super::contraction::Sum;
use super::matrix::HostMatrix;
use super::operand::{Columns, Order, View};
use crate::backend::check;
use crate::error::Result;

pub(super) fn batched_matmul(a: &HostMatrix, b: &HostMatrix, groups: usize) -> Result<HostMatrix> {
    let [m, inner, l] = check::batched_matmul(a.shape(), b.shape(), groups)?;
    let mut out = HostMatrix::unwritten("batched_matmul", [groups * m, l])?;
    if m * l == 0 {
        return Ok(out);
    }
    let none = padded(&vec![0.0; l], 0.0);
    let (first, second) = (a.values(), b.values());
    let product = |(group, out): (usize, &mut [f32])| {
        let x = View {
            values: &first[group * m * inner..][..m * inner],
            rows: m,
            inner,
            order: Order::RowMajor,
            stride: inner,
            picked: None,
        };
        let y = View {
            values: &second[group * inner * l..][..inner * l],
            rows: l,
            inner,
            order: Order::ColumnMajor,
            stride: 0,
            picked: None,
        };
        store_rows::<Sum>(x, Columns::Loose(y), &none, f32::NEG_INFINITY, out);
    };
    out.values_mut().par_chunks_exact_mut(m * l).enumerate().for_each(product);
    Ok(out)
}
