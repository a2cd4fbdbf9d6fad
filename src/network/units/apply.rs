//! Carries out plans for units.

use ndarray::{ArcArray2, Array2, Axis};

use super::pair::{folded, parameters};
use super::write::{Layer, write};
use super::{UnitPlan, UnitStep};
use crate::error::{Error, Result};
use crate::network::block::{Blocks, Columns};
use crate::network::graph::{Network, Node, Op};
use crate::network::tensor::Tensor;

/// The network that the steps of a plan leave. Tensors keep names, element types and the order of their axes.
///
/// Batch norms stay: those of units that are kept as they are keep their statistics, those of new units become the
/// identity, and what changes the bias of a layer without one moves the running mean of its batch norm.
///
/// # Errors
///
/// [`Error::Internal`] if the plan is not for this network.
pub fn apply_units(network: &Network, plan: &UnitPlan) -> Result<Network> {
    let mut network = network.clone();
    plan.steps.iter().try_for_each(|step| apply_step(&mut network, step))?;
    Ok(network)
}

/// Carries out one step.
pub(crate) fn apply_step(network: &mut Network, step: &UnitStep) -> Result<()> {
    let (site, reduced) = (&step.site, &step.reduced);
    let (units, block) = (reduced.units(), site.block());
    // Without a batch norm the new weights are written as they are: a wide layer is not read to no purpose.
    let old = site.norm.is_some().then(|| folded(network, &site.layer, site.norm.as_deref())).transpose()?;
    let sources = sources(network, step, old.as_ref())?;
    let outputs: Vec<Option<usize>> = (0..reduced.next.nrows()).map(Some).collect();
    let inputs: Vec<Option<usize>> = (0..reduced.rows.ncols()).map(Some).collect();
    let flat = flat_shapes(network, &site.layer)?;
    let layer = Layer {
        name: &site.layer,
        norm: site.norm.as_deref(),
        rows: &sources,
        columns: &inputs,
        before: old.as_ref().map(|(rows, bias)| (rows, bias.as_slice())),
        after: (&reduced.rows, &reduced.bias),
    };
    write(network, &layer)?;
    // From columns by unit to those of the network, on both sides.
    let order = |unit: usize, position: usize| site.columns.index(unit, position);
    let columns: Vec<Option<usize>> =
        (0..units * block).map(|column| sources[column / block].map(|old| order(old, column % block))).collect();
    let new = Columns { units, ..site.columns };
    let back: Vec<usize> = inverse((0..units).flat_map(|unit| (0..block).map(move |at| new.index(unit, at))));
    let columns: Vec<Option<usize>> = back.iter().map(|column| columns[*column]).collect();
    let next = permuted(&reduced.next, &back);
    let norm = site.next_norm.as_deref();
    let old = norm.is_some().then(|| folded(network, &site.next, norm)).transpose()?;
    let layer = Layer {
        name: &site.next,
        norm,
        rows: &outputs,
        columns: &columns,
        before: old.as_ref().map(|(next, bias)| (next, bias.as_slice())),
        after: (&next, &reduced.next_bias),
    };
    write(network, &layer)?;
    for (node, places) in flat {
        if let Op::Reshape { shape } = &mut network.nodes[node].op {
            *shape = vec![units * places];
        }
    }
    Ok(())
}

/// Column `j` is column `order[j]` of a matrix; no copy where all stay in place.
fn permuted(matrix: &ArcArray2<f32>, order: &[usize]) -> ArcArray2<f32> {
    if order.iter().enumerate().all(|(to, from)| to == *from) {
        return matrix.clone();
    }
    matrix.select(Axis(1), order).into_shared()
}

/// `to` with `to[order[i]] = i`.
fn inverse(order: impl Iterator<Item = usize>) -> Vec<usize> {
    let order: Vec<usize> = order.collect();
    let mut to = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, place)| to[*place] = i);
    to
}

/// For each new unit the old one that it is, unchanged, if it is one; `old` are the rows and biases of the layer, where they
/// differ from its tensors.
fn sources(network: &Network, step: &UnitStep, old: Option<&(Array2<f32>, Vec<f32>)>) -> Result<Vec<Option<usize>>> {
    let reduced = &step.reduced;
    let (weight, bias) = parameters(network, &step.site.layer)?;
    let [units, width] = weight.matrix_shape();
    if units != step.site.units() || reduced.assignment.len() != units || reduced.rows.ncols() != width {
        let what = format!("a step for {} units on `{}`, which has {units}", step.site.units(), step.site.layer);
        return Err(Error::Internal { what });
    }
    let old_bias = bias.map_or_else(|| vec![0.0; units], Tensor::to_vec);
    let mut own = vec![0.0; width];
    let mut same = |i: usize, new: usize| {
        let row = reduced.rows.row(new);
        match old {
            Some((rows, bias)) => reduced.bias.get(new) == bias.get(i) && row == rows.row(i),
            None => {
                weight.read(i * width, &mut own);
                reduced.bias.get(new) == old_bias.get(i) && row.iter().eq(&own)
            }
        }
    };
    let mut sources = vec![None; reduced.units()];
    for (i, new) in reduced.assignment.iter().enumerate() {
        if let Some(new) = *new
            && sources[new].is_none()
            && same(i, new)
        {
            sources[new] = Some(i);
        }
    }
    weight.release();
    Ok(sources)
}

/// The nodes that give what the units of a layer become a flat shape of a length of its own, and the places of a unit.
fn flat_shapes(network: &Network, layer: &str) -> Result<Vec<(usize, usize)>> {
    let blocks = Blocks::of(network)?;
    let missing = || Error::Internal { what: format!("no units in a node `{layer}`") };
    let block = blocks.by_producer(layer).ok_or_else(missing)?;
    let places = |node: &Node| match &node.op {
        Op::Reshape { shape } if block.passes.contains(&node.name) => {
            shape.iter().product::<usize>().checked_div(block.units)
        }
        _ => None,
    };
    let nodes = network.nodes.iter().enumerate();
    Ok(nodes.filter_map(|(at, node)| places(node).map(|places| (at, places))).collect())
}
