//! Rewrites a network from a plan.

use std::sync::Arc;

use rayon::prelude::*;

use super::graph::{Network, Op};
use super::head::{Head, HeadLayer};
use super::plan::{LayerPlan, Plan, Rewrite};
use super::tensor::{DerivedRows, Tensor};
use crate::backend::vectorised;
use crate::error::{Error, Result};

/// How a plan is carried out.
#[derive(Debug, Clone, Copy)]
pub struct ApplyOptions {
    /// Whether neurons that no longer do anything are taken out of the shapes; otherwise all shapes stay.
    pub compact: bool,
    /// Neurons of a hidden layer that stay in any case.
    pub min_keep: usize,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self { compact: true, min_keep: 1 }
    }
}

/// What became of one layer.
#[derive(Debug, Clone)]
pub struct AppliedLayer {
    /// Name of the node.
    pub name: String,
    /// Neurons that stay, ascending.
    pub neurons: Vec<usize>,
    /// Neurons taken out because every incoming weight was zero; their constant is in the next bias.
    pub constant: usize,
    /// Neurons taken out because every outgoing weight was zero.
    pub unread: usize,
    /// Whether `min_keep` held back neurons.
    pub held_back: bool,
    /// Weights that are not zero after.
    pub nonzero: u64,
    /// Shape before and after.
    pub shape: [[usize; 2]; 2],
}

/// A network rewritten from a plan.
#[derive(Debug)]
pub struct Applied {
    /// The new network.
    pub network: Network,
    /// One entry per layer of the head.
    pub layers: Vec<AppliedLayer>,
}

/// A layer under a plan: rows and columns that stay, elements masked and rewritten, computed when read.
struct RewrittenRows {
    source: Tensor,
    plan: Arc<LayerPlan>,
    rows: Vec<usize>,
    columns: Vec<usize>,
}

impl RewrittenRows {
    fn new(source: &Tensor, plan: &LayerPlan) -> Self {
        let [rows, columns] = source.matrix_shape();
        let plan = Arc::new(plan.clone());
        Self { source: source.clone(), plan, rows: (0..rows).collect(), columns: (0..columns).collect() }
    }

    /// Fills `out` with row `i` of the original shape.
    fn full_row(&self, i: usize, out: &mut [f32]) {
        self.source.read(i * out.len(), out);
        for rewrite in &self.plan.rewrites {
            match rewrite {
                Rewrite::Replace(values) => out.copy_from_slice(&values[i * out.len()..(i + 1) * out.len()]),
                Rewrite::ScaleRows(factors) => out.iter_mut().for_each(|value| *value *= factors[i]),
                Rewrite::ReplaceBias(_) => {}
            }
        }
        self.plan.keep.apply_to_row(i, out);
    }
}

impl DerivedRows for RewrittenRows {
    fn shape(&self) -> [usize; 2] {
        [self.rows.len(), self.columns.len()]
    }

    fn fill(&self, i: usize, out: &mut [f32]) {
        if self.columns.len() == self.plan.keep.shape()[1] {
            return self.full_row(self.rows[i], out);
        }
        let mut row = vec![0.0; self.plan.keep.shape()[1]];
        self.full_row(self.rows[i], &mut row);
        for (slot, column) in out.iter_mut().zip(&self.columns) {
            *slot = row[*column];
        }
    }

    fn release(&self) {
        self.source.release();
    }
}

/// The bias of a layer under a plan, in the original length: zero for removed rows, scaled where rows are.
fn rewritten_bias(bias: Option<&Tensor>, plan: &LayerPlan) -> Vec<f32> {
    let mut values = bias.map_or_else(|| vec![0.0; plan.keep.shape()[0]], Tensor::to_vec);
    for rewrite in &plan.rewrites {
        match rewrite {
            Rewrite::ScaleRows(factors) => values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor),
            Rewrite::ReplaceBias(new) => values.copy_from_slice(new),
            Rewrite::Replace(_) => {}
        }
    }
    for row in &plan.removed_rows {
        values[*row] = 0.0;
    }
    values
}

/// Rewrites `network` from a plan for its head.
///
/// With [`ApplyOptions::compact`] a hidden neuron whose incoming weights are all zero gives the constant
/// `max(b_i, 0)`: it is taken out and `W_{:i} max(b_i, 0)` added to the next bias, which changes no output. A hidden
/// neuron whose outgoing weights are all zero is taken out too. Weights stay in the file's element type and are computed
/// from the old file when they are read.
///
/// # Errors
///
/// [`Error::Internal`] if the plan is not for this head.
pub fn apply(network: &Network, head: &Head, plan: &Plan, options: ApplyOptions) -> Result<Applied> {
    if plan.layers.len() != head.layers.len() {
        return Err(Error::Internal { what: "a plan for another head".to_owned() });
    }
    let mut layers: Vec<RewrittenRows> =
        head.layers.iter().zip(&plan.layers).map(|(layer, plan)| RewrittenRows::new(&layer.weight, plan)).collect();
    let mut biases: Vec<Vec<f32>> =
        head.layers.iter().zip(&plan.layers).map(|(layer, plan)| rewritten_bias(layer.bias.as_ref(), plan)).collect();
    let mut applied: Vec<AppliedLayer> =
        layers.iter().zip(&head.layers).map(|(rows, layer)| report(rows, &layer.name)).collect();
    if options.compact {
        compact(&mut layers, &mut biases, &mut applied, options.min_keep);
    }
    let mut network = network.clone();
    for ((layer, bias), (old, applied)) in layers.into_iter().zip(biases).zip(head.layers.iter().zip(&mut applied)) {
        applied.neurons.clone_from(&layer.rows);
        if !options.compact {
            applied.nonzero = nonzero(&layer).0.iter().sum();
        }
        applied.shape[1] = layer.shape();
        let bias: Vec<f32> = layer.rows.iter().map(|i| bias[*i]).collect();
        let bias = match &old.bias {
            Some(tensor) => Some(Tensor::owned(tensor.name(), tensor.element(), vec![bias.len()], bias)?),
            None if bias.iter().all(|b| *b == 0.0) => None,
            None => {
                let name = old.weight.name().strip_suffix("weight").map(|stem| format!("{stem}bias"));
                let name = name.unwrap_or_else(|| format!("{}.bias", old.weight.name()));
                Some(Tensor::owned(&name, old.weight.element(), vec![bias.len()], bias)?)
            }
        };
        let weight = Tensor::derived(old.weight.name(), old.weight.element(), Arc::new(layer));
        let node = network.nodes.iter_mut().find(|node| node.name == old.name);
        let node = node.ok_or_else(|| Error::Internal { what: format!("no node `{}`", old.name) })?;
        node.op = Op::Linear { weight, bias };
    }
    Ok(Applied { network, layers: applied })
}

/// The head under a plan in its original shapes.
///
/// # Errors
///
/// [`Error::Internal`] if the plan is not for this head.
pub fn rewritten_head(head: &Head, plan: &Plan) -> Result<Head> {
    let layers = head.layers.iter().zip(&plan.layers).map(|(layer, plan)| {
        let rewritten = RewrittenRows::new(&layer.weight, plan);
        let bias = rewritten_bias(layer.bias.as_ref(), plan);
        let bias = layer.bias.as_ref().map(|old| Tensor::owned(old.name(), old.element(), vec![bias.len()], bias));
        let weight = Tensor::derived(layer.weight.name(), layer.weight.element(), Arc::new(rewritten));
        Ok(HeadLayer { name: layer.name.clone(), weight, bias: bias.transpose()?, relu: layer.relu })
    });
    Ok(Head { layers: layers.collect::<Result<_>>()?, whole: head.whole })
}

fn report(layer: &RewrittenRows, name: &str) -> AppliedLayer {
    AppliedLayer {
        name: name.to_owned(),
        neurons: Vec::new(),
        constant: 0,
        unread: 0,
        held_back: false,
        nonzero: 0,
        shape: [layer.source.matrix_shape(), [0, 0]],
    }
}

/// Takes neurons out until none is constant or unread.
fn compact(layers: &mut [RewrittenRows], biases: &mut [Vec<f32>], applied: &mut [AppliedLayer], min_keep: usize) {
    loop {
        let counts: Vec<(Vec<u64>, Vec<u64>)> = layers.iter().map(nonzero).collect();
        let mut changed = false;
        for hidden in 0..layers.len() - 1 {
            let incoming = &counts[hidden].0;
            let outgoing = &counts[hidden + 1].1;
            let idle = |at: &usize| incoming[*at] == 0 || outgoing[*at] == 0;
            let mut gone: Vec<usize> = (0..incoming.len()).filter(idle).collect();
            let most = incoming.len().saturating_sub(min_keep.max(1));
            if gone.len() > most {
                // Those at the end of the list stay: of equals the lowest index goes first, as everywhere.
                gone.truncate(most);
                applied[hidden].held_back = true;
            }
            if gone.is_empty() {
                continue;
            }
            changed = true;
            let constants: Vec<(usize, f32)> = gone
                .iter()
                .filter(|at| incoming[**at] == 0 && outgoing[**at] != 0)
                .map(|at| (layers[hidden].rows[*at], biases[hidden][layers[hidden].rows[*at]].max(0.0)))
                .filter(|(_, constant)| *constant > 0.0)
                .collect();
            fold_constants(&layers[hidden + 1], &mut biases[hidden + 1], &constants);
            applied[hidden].constant += gone.iter().filter(|at| incoming[**at] == 0).count();
            applied[hidden].unread += gone.iter().filter(|at| incoming[**at] != 0).count();
            let mut at = 0;
            layers[hidden].rows.retain(|_| (gone.binary_search(&at).is_err(), at += 1).0);
            let mut at = 0;
            layers[hidden + 1].columns.retain(|_| (gone.binary_search(&at).is_err(), at += 1).0);
            // Counts of the neighbouring layers are stale now.
            break;
        }
        if !changed {
            for (applied, (rows, _)) in applied.iter_mut().zip(&counts) {
                applied.nonzero = rows.iter().sum();
            }
            return;
        }
    }
}

/// Adds `W_{:i} constant_i` to the bias of the layer that reads the constants.
#[expect(clippy::cast_possible_truncation, reason = "biases are f32")]
fn fold_constants(reader: &RewrittenRows, bias: &mut [f32], constants: &[(usize, f32)]) {
    if constants.is_empty() {
        return;
    }
    bias.par_iter_mut().enumerate().for_each_init(
        || vec![0.0; reader.plan.keep.shape()[1]],
        |row, (j, bias)| {
            reader.full_row(j, row);
            let sum: f64 = constants.iter().map(|(i, constant)| f64::from(row[*i]) * f64::from(*constant)).sum();
            *bias = (f64::from(*bias) + sum) as f32;
        },
    );
}

/// Weights that are not zero in each row and in each column of what stays.
fn nonzero(layer: &RewrittenRows) -> (Vec<u64>, Vec<u64>) {
    /// Rows counted together, few enough that a count of them fits a byte.
    const ROWS: usize = 64;
    let width = layer.columns.len();
    let rows: Vec<usize> = (0..layer.rows.len()).collect();
    let counted = rows.par_chunks(ROWS).map(|chunk| {
        let (mut buffer, mut columns) = (vec![0.0; width], vec![0_u8; width]);
        let rows = chunk.iter().map(|i| {
            layer.fill(*i, &mut buffer);
            vectorised(
                #[inline(always)]
                || {
                    for (count, value) in columns.iter_mut().zip(&buffer) {
                        *count += u8::from(*value != 0.0);
                    }
                    buffer.iter().map(|value| u64::from(*value != 0.0)).sum::<u64>()
                },
            )
        });
        let rows = rows.collect::<Vec<_>>();
        (rows, columns.into_iter().map(u64::from).collect::<Vec<_>>())
    });
    counted.reduce(
        || (Vec::new(), vec![0; width]),
        |(mut rows, mut columns), (more_rows, more_columns)| {
            rows.extend(more_rows);
            columns.iter_mut().zip(more_columns).for_each(|(a, b)| *a += b);
            (rows, columns)
        },
    )
}
