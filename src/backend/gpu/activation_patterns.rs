//! Activation patterns: the signs of `<g_i, u_n> + c_i`, 32 to a word.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::contraction::{Contraction, Fold, Shape};
use super::kernel::Source;
use super::matrix::{Indices, Matrix, word};
use crate::backend::{Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "activation_patterns",
    entry: "activation_patterns",
    wgsl: concat!(
        include_str!("../../../shaders/activation_patterns.wgsl"),
        include_str!("../../../shaders/contraction.wgsl")
    ),
    trusted: true,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    z_row: u32,
    words: u32,
    first: u32,
    constants: u32,
}

pub(super) fn activation_patterns(
    context: &Context,
    generators: &Matrix,
    constants: Option<&Matrix>,
    directions: &Matrix,
) -> Result<Indices> {
    let [n, words] = check::activation_patterns(generators.shape(), constants.map(Matrix::shape), directions.shape())?;
    let mut patterns = Indices::table(context, "activation_patterns", [n, words])?;
    if patterns.blocks.is_empty() {
        return Ok(patterns);
    }
    let contraction = Contraction {
        operation: "activation_patterns",
        x: (directions, Transpose::No),
        y: (generators, Transpose::No),
        fold: Fold::Columns,
        step: patterns.blocks.step,
    };
    contraction.run(context, |tile, step| {
        let (out, z_row) = patterns.blocks.locate_mut(step.rows.start)?;
        let params = Params {
            shape: step.shape,
            z_row,
            words: word(words)?,
            first: word(step.first_column)?,
            constants: u32::from(constants.is_some()),
        };
        let kernel = context.kernel(&SOURCE, tile.constants())?;
        let launch = context.launch(&kernel).params(&params).read(step.x).read(step.y);
        launch.read_or_empty(constants.and_then(Matrix::only)).write_words(out).dispatch(step.groups)
    })?;
    Ok(patterns)
}
