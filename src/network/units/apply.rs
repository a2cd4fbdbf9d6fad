//! Carries out plans for units.

use ndarray::{ArcArray2, ArrayView1, Axis, s};

use super::pair::{folded, parameters};
use super::site::{Group, Reader, Site};
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
    let writers = site.writers().map(|(name, norm)| Writer::read(network, name, norm)).collect::<Result<Vec<_>>>()?;
    let sources = sources(step, &writers)?;
    let flat = flat_shapes(network, site)?;
    let mut first = 0;
    for writer in &writers {
        // The first layer has its bias in `reduced.bias`, each other one behind its weights.
        let columns = first..first + writer.weight.matrix_shape()[1];
        let (own, bias) = if first == 0 && site.tied.is_empty() {
            (reduced.rows.clone(), reduced.bias.clone())
        } else {
            let own = reduced.rows.slice(s![.., columns.clone()]).to_shared();
            let bias = if first == 0 { reduced.bias.clone() } else { reduced.rows.column(columns.end).to_vec() };
            (own, bias)
        };
        let inputs: Vec<Option<usize>> = (0..own.ncols()).map(Some).collect();
        let layer = Layer {
            name: writer.name,
            norm: writer.norm,
            rows: &sources,
            columns: &inputs,
            before: writer.folded.as_ref().map(|(rows, bias)| (rows, bias.as_slice())),
            after: (&own, &bias),
        };
        write(network, &layer)?;
        first = columns.end + usize::from(first > 0);
    }
    let mut first = 0;
    for group in site.groups() {
        for reader in &group.readers {
            first = read(network, step, &sources, (&group, reader), first)?;
        }
    }
    for (node, places) in flat {
        if let Op::Reshape { shape } = &mut network.nodes[node].op {
            *shape = vec![reduced.units() * places];
        }
    }
    Ok(())
}

/// Writes the columns of one reader, whose rows in the new map begin at `first`, and returns where they end.
fn read(
    network: &mut Network,
    step: &UnitStep,
    sources: &[Option<usize>],
    (group, reader): (&Group<'_>, &Reader),
    first: usize,
) -> Result<usize> {
    let (reduced, block, q) = (&step.reduced, group.block, step.site.block());
    let rows = parameters(network, &reader.node)?.0.matrix_shape()[0];
    let new = Columns { units: reduced.units(), ..reader.columns };
    // From the columns of the network to those by unit, and to those of the old network.
    let back = inverse((0..new.units).flat_map(|unit| new.of(unit)));
    let from: Vec<Option<usize>> = back
        .iter()
        .map(|column| sources[column / block].map(|old| reader.columns.index(old, column % block)))
        .collect();
    let order: Vec<usize> = back.iter().map(|column| column / block * q + group.offset + column % block).collect();
    let end = first + rows;
    let fits = end <= reduced.next.nrows() && reduced.next.ncols() == reduced.units() * q;
    let bias = reduced.next_bias.get(first..end).filter(|_| fits);
    let bias = bias.ok_or_else(|| Error::Internal { what: format!("columns of `{}` that do not fit", reader.node) })?;
    let next = if rows == reduced.next.nrows() {
        permuted(&reduced.next, &order)
    } else {
        reduced.next.slice(s![first..end, ..]).select(Axis(1), &order).into_shared()
    };
    let outputs: Vec<Option<usize>> = (0..rows).map(Some).collect();
    let norm = reader.norm.as_deref();
    let old = norm.is_some().then(|| folded(network, &reader.node, norm)).transpose()?;
    let layer = Layer {
        name: &reader.node,
        norm,
        rows: &outputs,
        columns: &from,
        before: old.as_ref().map(|(next, bias)| (next, bias.as_slice())),
        after: (&next, bias),
    };
    write(network, &layer)?;
    Ok(end)
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

/// A layer that gives units, as it is.
struct Writer<'s> {
    name: &'s str,
    norm: Option<&'s str>,
    weight: Tensor,
    bias: Vec<f32>,
    /// Rows and biases with the batch norm, if there is one: without it a wide layer is not read to no purpose.
    folded: Option<(ArcArray2<f32>, Vec<f32>)>,
}

impl<'s> Writer<'s> {
    fn read(network: &Network, name: &'s str, norm: Option<&'s str>) -> Result<Self> {
        let (weight, bias) = parameters(network, name)?;
        let bias = bias.map_or_else(|| vec![0.0; weight.matrix_shape()[0]], Tensor::to_vec);
        let folded = norm.is_some().then(|| folded(network, name, norm)).transpose()?;
        Ok(Self { name, norm, weight: weight.clone(), bias, folded })
    }

    /// Whether unit `i` has this row and this bias.
    fn is(&self, i: usize, (row, bias): (ArrayView1<'_, f32>, f32), own: &mut Vec<f32>) -> bool {
        match &self.folded {
            Some((rows, biases)) => biases[i] == bias && rows.row(i) == row,
            None => {
                own.resize(row.len(), 0.0);
                self.weight.read(i * row.len(), own);
                self.bias[i] == bias && row.iter().eq(own.iter())
            }
        }
    }
}

/// For each new unit the old one that it is, unchanged, if it is one.
fn sources(step: &UnitStep, writers: &[Writer<'_>]) -> Result<Vec<Option<usize>>> {
    let (reduced, units) = (&step.reduced, step.site.units());
    let widths: Vec<usize> = writers.iter().map(|writer| writer.weight.matrix_shape()[1]).collect();
    let fits = writers.iter().all(|writer| writer.weight.matrix_shape()[0] == units)
        && reduced.rows.ncols() == widths.iter().sum::<usize>() + writers.len().saturating_sub(1)
        && reduced.bias.len() == reduced.units()
        && reduced.assignment.len() == units;
    if !fits {
        let what = format!("a step for {units} units on `{}`, which has others", step.site.layer);
        return Err(Error::Internal { what });
    }
    let mut own = Vec::new();
    let mut same = |i: usize, new: usize| {
        let (row, mut first) = (reduced.rows.row(new), 0);
        writers.iter().zip(&widths).enumerate().all(|(at, (writer, width))| {
            let end = first + width;
            let bias = if at == 0 { reduced.bias[new] } else { row[end] };
            let weights = row.slice(s![first..end]);
            first = end + usize::from(at > 0);
            writer.is(i, (weights, bias), &mut own)
        })
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
    writers.iter().for_each(|writer| writer.weight.release());
    Ok(sources)
}

/// The nodes that give what the units of a layer become a flat shape of a length of its own, and the places of a unit.
fn flat_shapes(network: &Network, site: &Site) -> Result<Vec<(usize, usize)>> {
    let layer = &site.layer;
    let blocks = if site.tied.is_empty() { Blocks::of(network)? } else { Blocks::coupled(network)? };
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
