//! What `inspect` reports.

use serde::Serialize;

use super::grid::Grid;
use super::{Declined, Files, Heading};
use crate::network::format::OnnxSource;
use crate::network::spaces::{FrozenUnits, Role, Space};
use crate::network::{Block, Blocks, Head, Layout, Network, Op, Origin};
use crate::prune::spaces::FoundSpaces;

/// The report of `inspect`.
#[derive(Debug, Clone, Serialize)]
pub struct InspectReport {
    /// What every report begins with.
    #[serde(flatten)]
    pub heading: Heading,
    /// The file.
    pub model: Files,
    /// Where the order of the layers comes from.
    pub origin: Origin,
    /// Shape of a sample.
    pub input: Vec<usize>,
    /// Nodes in their order.
    pub layers: Vec<InspectedLayer>,
    /// Layers whose units can go, with what follows them.
    pub blocks: Vec<InspectedBlock>,
    /// Nodes whose units cannot, and why.
    pub declined: Vec<Declined>,
    /// Tensors that are kept as they are.
    pub extra: Vec<String>,
    /// Units of any graph, of an ONNX model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spaces: Vec<InspectedSpace>,
    /// Units that stay in every case, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frozen: Vec<FrozenUnits>,
    /// Operators that are carried along as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<String>,
    /// Things the user should know.
    pub warnings: Vec<String>,
}

/// Units that are of one role.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedSpace {
    /// The first operator that writes them.
    pub name: String,
    /// Their number.
    pub units: usize,
    /// Sets of units of which each keeps equally many.
    pub sets: usize,
    /// Operators that write them.
    pub writers: Vec<String>,
    /// Operators that read them.
    pub readers: Vec<String>,
    /// Operators whose parameters belong to the units one by one.
    pub parameters: Vec<String>,
    /// Whether statistics are taken over the units.
    pub coupled: bool,
}

/// A node of a network.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedLayer {
    /// Its name.
    pub name: String,
    /// Its operation.
    pub op: String,
    /// The nodes that it reads.
    pub inputs: Vec<String>,
    /// Shape of its weight, if it has one.
    pub shape: Option<Vec<usize>>,
    /// Shape of its value for a sample, where it is known.
    pub outputs: Option<Vec<usize>>,
    /// `weights`, `units`, both, or nothing.
    pub prunable: &'static str,
}

/// A layer, its norm and function, and the layers that read it.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedBlock {
    /// The layer.
    pub producer: String,
    /// Its neurons or channels.
    pub units: usize,
    /// Its batch norm.
    pub norm: Option<String>,
    /// The node of its function.
    pub activation: String,
    /// What it computes.
    pub function: &'static str,
    /// Its slope for negative values, where it is a rectifier: 0 for ReLU.
    pub slope: Option<f64>,
    /// Nodes on the way that keep units apart, such as pooling.
    pub passes: Vec<String>,
    /// What reads the units.
    pub consumers: Vec<InspectedConsumer>,
}

/// A layer that reads units.
#[derive(Debug, Clone, Serialize)]
pub struct InspectedConsumer {
    /// Its name.
    pub node: String,
    /// Columns of its weight that belong to a unit.
    pub columns_per_unit: usize,
    /// Whether these lie side by side (`blocks`) or apart (`strided`).
    pub layout: &'static str,
}

impl InspectedSpace {
    /// The spaces that were found in a model.
    #[must_use]
    pub fn all(source: &OnnxSource, found: &FoundSpaces) -> Vec<Self> {
        found.spaces.spaces.iter().map(|space| Self::of(source, space)).collect()
    }

    fn of(source: &OnnxSource, space: &Space) -> Self {
        let names = |role: Role| {
            let mut names: Vec<String> = Vec::new();
            for (_, part) in space.of_role(role) {
                let name = source.operator_name(part.operator);
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
            names
        };
        let (writers, readers, parameters) = (names(Role::Writer), names(Role::Reader), names(Role::Parameter));
        let (units, sets) = (space.units.len(), space.cells.len());
        Self { name: space.name.clone(), units, sets, writers, readers, parameters, coupled: space.coupled }
    }
}

impl InspectedLayer {
    /// The nodes of a network; `head` are its linear layers at the output, if it has such.
    #[must_use]
    pub fn all(network: &Network, head: Option<&Head>, blocks: &Blocks) -> Vec<Self> {
        let shapes = network.shapes().unwrap_or_default();
        let nodes = network.nodes.iter().zip(shapes.into_iter().chain(std::iter::repeat(None)));
        nodes
            .map(|(node, outputs)| {
                let weights = head.is_some_and(|head| head.layers.iter().any(|layer| layer.name == node.name));
                let units = blocks.by_producer(&node.name).is_some();
                Self {
                    name: node.name.clone(),
                    op: node.op.name().to_owned(),
                    inputs: node.inputs.clone(),
                    shape: match &node.op {
                        Op::Linear { weight, .. } | Op::Conv { weight, .. } => Some(weight.dimensions().to_vec()),
                        _ => None,
                    },
                    outputs,
                    prunable: match (weights, units) {
                        (true, true) => "weights and units",
                        (true, false) => "weights",
                        (false, true) => "units",
                        (false, false) => "",
                    },
                }
            })
            .collect()
    }
}

impl InspectedBlock {
    /// What is shown of a block.
    #[must_use]
    pub fn of(block: &Block) -> Self {
        let consumers = block.consumers.iter().map(|consumer| InspectedConsumer {
            node: consumer.node.clone(),
            columns_per_unit: consumer.columns.per_unit,
            layout: match consumer.columns.layout {
                Layout::Blocks => "blocks",
                Layout::Strided => "strided",
            },
        });
        Self {
            producer: block.producer.clone(),
            units: block.units,
            norm: block.norm.clone(),
            activation: block.activation.clone(),
            function: block.bend.name(),
            slope: block.bend.slope(),
            passes: block.passes.clone(),
            consumers: consumers.collect(),
        }
    }

    /// The block in one line; what is not said is a ReLU and one column per unit.
    fn line(&self) -> String {
        let norm = self.norm.iter().map(|norm| format!(", `{norm}`")).collect::<String>();
        let passes = self.passes.iter().map(|pass| format!("`{pass}`, ")).collect::<String>();
        let consumers = self.consumers.iter().map(|consumer| match consumer.columns_per_unit {
            1 => format!("`{}`", consumer.node),
            columns => format!("`{}` ({columns} columns per unit, {})", consumer.node, consumer.layout),
        });
        let consumers = consumers.collect::<Vec<_>>().join(" and ");
        format!("block: `{}`{norm}, {}, {passes}{consumers}", self.producer, self.function)
    }
}

/// The nodes as a table.
pub(super) fn nodes_grid(report: &InspectReport) -> Grid {
    let rows = report.layers.iter().map(|layer| {
        let shape = |shape: &Option<Vec<usize>>| {
            let axes = shape.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
            axes.join(" x ")
        };
        let (weight, outputs) = (shape(&layer.shape), shape(&layer.outputs));
        vec![layer.name.clone(), layer.op.clone(), weight, outputs, layer.prunable.to_owned()]
    });
    Grid::new(["node", "operation", "weight", "outputs", "prunable"]).with(rows)
}

/// The report for people.
#[must_use]
pub fn inspect_text(report: &InspectReport) -> String {
    let mut text = format!("{}\n{}", report.model.input, nodes_grid(report));
    for block in &report.blocks {
        text.push_str(&format!("\n{}", block.line()));
    }
    for declined in &report.declined {
        text.push_str(&format!("\nnot prunable: `{}` ({}): {}", declined.name, declined.op, declined.reason));
    }
    for space in &report.spaces {
        let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let sets = if space.sets > 1 { format!(" in {} sets", space.sets) } else { String::new() };
        let coupled = if space.coupled { ", coupled by statistics over them" } else { "" };
        let (writers, readers) = (list(&space.writers), list(&space.readers));
        text.push_str(&format!(
            "\nspace: {} units{sets}{coupled}, written by {writers}, read by {readers}",
            space.units
        ));
    }
    for frozen in &report.frozen {
        text.push_str(&format!("\nkept: {} units of `{}`: {}", frozen.units, frozen.name, frozen.reason));
    }
    for carried in &report.carried {
        text.push_str(&format!("\n{carried}"));
    }
    if !report.extra.is_empty() {
        text.push_str(&format!("\nkept verbatim: {}", report.extra.join(", ")));
    }
    for warning in &report.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    text
}
