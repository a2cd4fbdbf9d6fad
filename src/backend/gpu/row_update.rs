//! Alternating minimisation of problem (2), all half-steps in one dispatch.

use bytemuck::{Pod, Zeroable};

use super::context::Context;
use super::grid::{Grid, lanes};
use super::kernel::Source;
use super::matrix::{Matrix, parts, word};
use super::pack;
use crate::backend::{HalfStep, RowUpdate, Transpose, check};
use crate::error::Result;

pub(super) const SOURCE: Source = Source {
    stem: "row_update",
    entry: "row_update",
    wgsl: concat!(include_str!("../../../shaders/row_update.wgsl"), include_str!("../../../shaders/grid.wgsl")),
    trusted: false,
};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first: u32,
    end: u32,
    classes: u32,
    half_steps: u32,
    rows_first: u32,
    lambda: f32,
    target_row: u32,
    target_neuron: u32,
    target_class: u32,
    objective_row: u32,
    objective_neuron: u32,
    objective_step: u32,
}

pub(super) fn row_update(
    context: &Context,
    norms: &Matrix,
    targets: &Matrix,
    lambda: f32,
    first: HalfStep,
    half_steps: usize,
) -> Result<RowUpdate<Matrix>> {
    let [k, p] = check::row_update(norms.shape(), targets.shape(), lambda)?;
    let mut scale = Matrix::new(context, "row_update", [1, p])?;
    let mut elements = Matrix::new(context, "row_update", [k, p])?;
    let mut objective = Matrix::new(context, "row_update", [half_steps + 1, p])?;
    if p == 0 {
        return Ok(RowUpdate { scale, elements, objective });
    }
    // A lane needs all classes and half-steps of its neuron in one block: the rows of the transposes have them.
    let transposed = elements.blocks.buffers.len() > 1 || objective.blocks.buffers.len() > 1;
    let copy;
    let targets = if transposed {
        copy = pack::rows(context, "row_update", targets, Transpose::Yes, k)?;
        elements = Matrix::new(context, "row_update", [p, k])?;
        objective = Matrix::new(context, "row_update", [p, half_steps + 1])?;
        &copy
    } else {
        targets
    };
    let kernel = context.kernel(&SOURCE, Grid::new(64).constants())?;
    let most = usize::try_from(context.traffic).unwrap_or(usize::MAX) / (k.max(1) * (half_steps + 1));
    let steps = [targets.blocks.step, objective.blocks.step];
    for part in parts(0..p, if transposed { &steps } else { &[] }, most.max(64)) {
        let (at, block) = if transposed { (part.start, part.start) } else { (part.start, 0) };
        let place = |matrix: &Matrix| if transposed { at % matrix.blocks.step } else { at };
        let stride = |along: usize| if transposed { [along, 1] } else { [1, p] };
        let ([target_neuron, target_class], [objective_neuron, objective_step]) = (stride(k), stride(half_steps + 1));
        let params = Params {
            first: word(part.start)?,
            end: word(part.end)?,
            classes: word(k)?,
            half_steps: word(half_steps)?,
            rows_first: u32::from(first == HalfStep::Rows),
            lambda,
            target_row: word(place(targets))?,
            target_neuron: word(target_neuron)?,
            target_class: word(target_class)?,
            objective_row: word(place(&objective))?,
            objective_neuron: word(objective_neuron)?,
            objective_step: word(objective_step)?,
        };
        let launch = context.launch(&kernel).params(&params).read_or_empty(norms.only());
        let launch = launch.read_or_empty(targets.blocks.buffers.get(block / targets.blocks.step));
        let launch = launch.write(scale.blocks.locate_mut(0)?.0);
        let mut none = context.storage("row_update", 4)?;
        let launch = match elements.blocks.locate_mut(block) {
            Ok((elements, _)) => launch.write(elements),
            // Without classes there are no elements, but still an objective of zeros.
            Err(_) => launch.write(&mut none),
        };
        launch.write(objective.blocks.locate_mut(block)?.0).dispatch(lanes(part.len()))?;
    }
    if transposed {
        elements = pack::rows(context, "row_update", &elements, Transpose::Yes, p)?;
        objective = pack::rows(context, "row_update", &objective, Transpose::Yes, p)?;
    }
    Ok(RowUpdate { scale, elements, objective })
}
