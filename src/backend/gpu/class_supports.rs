//! Support functions of weighted zonotopes: `sum_i w_mi max(<g_i, u_n>, 0)` for every class.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "class_supports",
    entry: "class_supports",
    wgsl: concat!(
        include_str!("../../../shaders/class_supports.wgsl"),
        include_str!("../../../shaders/contraction.wgsl")
    ),
    trusted: true,
};

/// Classes whose sums share the products of one dispatch.
const CLASSES: usize = 4;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    z_row: u32,
    z_stride: u32,
    class: u32,
    classes: u32,
    weight_row: u32,
    generators: u32,
    first: u32,
    resume: u32,
}

pub(super) fn class_supports(
    context: &Context,
    weights: &Matrix,
    generators: &Matrix,
    directions: &Matrix,
) -> Result<Matrix> {
    let [n, k] = check::class_supports(weights.shape(), generators.shape(), directions.shape())?;
    let mut z = Matrix::new(context, "class_supports", [n, k])?;
    if z.blocks.is_empty() {
        return Ok(z);
    }
    let contraction = Contraction {
        operation: "class_supports",
        x: (directions, Transpose::No),
        y: (generators, Transpose::No),
        fold: Fold::Columns,
        step: z.blocks.step,
    };
    for classes in parts(0..k, &[weights.blocks.step], CLASSES) {
        // Without generators there are no weights, and the products are zero.
        let none = weights.blocks.is_empty();
        let (w, weight_row) = if none { (context.empty(), 0) } else { weights.blocks.locate(classes.start)? };
        contraction.run(context, |tile, step| {
            let (out, z_row) = z.blocks.locate_mut(step.rows.start)?;
            let params = Params {
                shape: step.shape,
                z_row,
                z_stride: word(k)?,
                class: word(classes.start)?,
                classes: word(classes.len())?,
                weight_row,
                generators: word(weights.blocks.columns)?,
                first: word(step.first_column)?,
                resume: u32::from(!step.begins),
            };
            let kernel = context.kernel(&SOURCE, tile.constants())?;
            let launch = context.launch(&kernel).params(&params).read(step.x).read(step.y);
            launch.read(w).write(out).dispatch(step.groups)
        })?;
    }
    Ok(z)
}
