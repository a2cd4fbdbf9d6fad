//! Max-plus product `C_ij = max_k a_ik + b_kj`.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use super::tile::Tile;
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "max_plus_matmul",
    entry: "max_plus_matmul",
    wgsl: concat!(
        include_str!("../../../shaders/max_plus_matmul.wgsl"),
        include_str!("../../../shaders/contraction.wgsl")
    ),
    trusted: true,
};

const EXTEND: Source = Source { entry: "extend", trusted: false, ..SOURCE };

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    z_row: u32,
    z_column: u32,
    z_stride: u32,
    resume: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ExtendParams {
    rows: u32,
    first_row: u32,
    source_row: u32,
    columns: u32,
    source_columns: u32,
}

pub(super) fn max_plus_matmul(context: &Context, a: &Matrix, b: &Matrix) -> Result<Matrix> {
    let [n, m] = check::max_plus_matmul(a.shape(), b.shape())?;
    let mut z = Matrix::new(context, "max_plus_matmul", [n, m])?;
    if z.blocks.is_empty() || n == 0 {
        return Ok(z);
    }
    let d = b.blocks.rows;
    let (tile, inner) = Tile::new(context, n, m, d)?;
    let longer = |source: &Matrix, shape: [usize; 2]| extend(context, tile, source, shape);
    let extended = if inner == d { None } else { Some((longer(a, [n, inner])?, longer(b, [inner, m])?)) };
    let (a, b) = extended.as_ref().map_or((a, b), |(a, b)| (a, b));
    let contraction = Contraction {
        operation: "max_plus_matmul",
        x: (a, Transpose::No),
        y: (b, Transpose::Yes),
        fold: Fold::Store,
        step: z.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (out, z_row) = z.blocks.locate_mut(step.rows.start)?;
        let params = Params {
            shape: step.shape,
            z_row,
            z_column: word(step.first_column)?,
            z_stride: word(m)?,
            resume: u32::from(!step.begins),
        };
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        context.launch(&kernel).params(&params).read(step.x).read(step.y).write(out).dispatch(step.groups)
    })?;
    Ok(z)
}

/// A copy of `source` with a larger shape, its last row and its last column repeated.
fn extend(context: &Context, tile: Tile, source: &Matrix, shape: [usize; 2]) -> Result<Matrix> {
    let mut out = Matrix::new(context, "max_plus_matmul", shape)?;
    let ([rows, source_columns], [all_rows, columns]) = (source.shape(), shape);
    // The module needs the constants of some tile; this kernel uses none.
    let kernel = context.kernel(&EXTEND, tile.constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / columns;
    let copies =
        parts(0..rows, &[source.blocks.step, out.blocks.step], most).into_iter().map(|part| (part.start, part));
    let repeats = (rows..all_rows).map(|row| (rows - 1, row..row + 1));
    for (from, part) in copies.chain(repeats) {
        let (short, source_row) = source.blocks.locate(from)?;
        let (long, first_row) = out.blocks.locate_mut(part.start)?;
        let params = ExtendParams {
            rows: word(part.len())?,
            first_row,
            source_row,
            columns: word(columns)?,
            source_columns: word(source_columns)?,
        };
        let groups = (part.len() * columns).div_ceil(64) as u64;
        context.launch(&kernel).params(&params).read(short).write(long).dispatch(groups)?;
    }
    Ok(out)
}
