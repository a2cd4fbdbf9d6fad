//! Finds the layers whose units can be removed: a layer with weights, a ReLU, and one layer with weights that reads it.

use serde::Serialize;

use crate::error::Result;
use crate::network::graph::{Network, Node, Op};

/// Where the columns of a unit lie in the weights of the next layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnOrder {
    /// Unit `i` owns the columns `i * block .. (i + 1) * block`: linear layers, kernels, and flattened channels first.
    UnitMajor,
    /// Unit `i` of `n` owns the columns `p * n + i`: flattened channels last.
    PositionMajor,
}

/// A layer whose units can be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Site {
    /// The node whose outputs are the units.
    pub layer: String,
    /// The node that reads them.
    pub next: String,
    /// Number of units, `n`.
    pub units: usize,
    /// Columns of the next layer per unit, `q`.
    pub block: usize,
    /// Where they lie.
    pub order: ColumnOrder,
}

impl Site {
    /// The column of the next layer that reads position `position` of unit `unit`.
    #[must_use]
    pub fn column(&self, unit: usize, position: usize) -> usize {
        match self.order {
            ColumnOrder::UnitMajor => unit * self.block + position,
            ColumnOrder::PositionMajor => position * self.units + unit,
        }
    }
}

/// A layer with weights whose units cannot be removed.
#[derive(Debug, Clone, Serialize)]
pub struct Refused {
    /// The node.
    pub layer: String,
    /// Why.
    pub reason: String,
}

/// The layers of a network whose units can be removed, from input to output, and those whose units cannot.
///
/// The units of a linear layer can be removed if a ReLU follows and one linear layer alone reads it, with nothing between
/// but identity and flatten nodes.
///
/// # Errors
///
/// [`Error::Internal`](crate::Error::Internal) for a graph that names a node which is not there.
pub fn sites(network: &Network) -> Result<(Vec<Site>, Vec<Refused>)> {
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for node in &network.nodes {
        let Op::Linear { weight, .. } = &node.op else { continue };
        let units = weight.matrix_shape()[0];
        match reader(network, node) {
            Ok((next, columns)) if units > 0 && columns % units == 0 => found.push(Site {
                layer: node.name.clone(),
                next,
                units,
                block: columns / units,
                order: ColumnOrder::UnitMajor,
            }),
            Ok((next, columns)) => {
                let reason = format!("`{next}` takes {columns} values, no multiple of its {units} units");
                refused.push(Refused { layer: node.name.clone(), reason });
            }
            Err(reason) => refused.push(Refused { layer: node.name.clone(), reason }),
        }
    }
    Ok((found, refused))
}

/// The linear layer that reads a node through a ReLU, and how many columns it has; else the reason why there is none.
fn reader(network: &Network, node: &Node) -> std::result::Result<(String, usize), String> {
    let (mut name, mut relu) = (node.name.as_str(), false);
    loop {
        let mut readers = network.consumers(name);
        let Some(next) = readers.next() else { return Err("its units are the outputs of the network".to_owned()) };
        if readers.next().is_some() {
            return Err(format!("several nodes read `{name}`"));
        }
        if next.inputs.len() > 1 {
            return Err(format!("`{}` ({}) reads it beside another node", next.name, next.op.name()));
        }
        match &next.op {
            Op::Relu => relu = true,
            Op::Identity | Op::Flatten => {}
            Op::Linear { weight, .. } if relu => return Ok((next.name.clone(), weight.matrix_shape()[1])),
            Op::Linear { .. } => return Err(format!("no ReLU lies between it and `{}`", next.name)),
            op => return Err(format!("`{}` ({}) lies between it and the next layer", next.name, op.name())),
        }
        name = &next.name;
    }
}
