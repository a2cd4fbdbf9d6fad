//! Prunable blocks of a graph: (Affine, ReLU, Affine) found across batch norm, pooling, flatten and dropout.
//!
//! The *producer* is a convolution or linear layer, its *units* are output channels or neurons. A unit can be removed,
//! merged or rescaled when its ReLU is read by nothing but affine operations, the *consumers*, through operations that
//! keep units apart. Then the network depends on unit `u` only through the columns of the consumers that read it:
//!
//! ```text
//! z_u = norm(W_u x + b_u),   h_u = pool(max(z_u, 0)),   consumer j: sum over u, t of C_j[:, column(u, t)] h_u[t]
//! ```
//!
//! with `q` columns `t = 0 .. q` per unit: `kh kw` for a convolution, `H W` behind a flatten of `H x W` places, 1 for a
//! linear layer on a linear layer. What does not fit is declined with a reason.
//!
//! Sums tie the units of their operands: along a residual trunk all layers that write to it have the same channels, and a
//! channel goes from all of them or from none. Such a trunk is declined by [`Blocks::of`] and one block with several
//! producers for [`Blocks::coupled`].

mod fold;
mod trunk;
mod walk;

use serde::Serialize;

use super::graph::{Network, Op};
use crate::backend::Function;
use crate::error::{Error, Result};

pub use fold::Folded;
pub(super) use fold::norm_affine;

/// How the columns of a consumer belong to units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `column = u q + t`: kernels, and a flatten of `channels x height x width`.
    Blocks,
    /// `column = t units + u`: a flatten of `height x width x channels`.
    Strided,
}

/// The columns of a consumer's weight, as the matrix `outputs x (units q)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Columns {
    /// Units of the producer.
    pub units: usize,
    /// Columns per unit, `q`.
    pub per_unit: usize,
    /// Their order.
    pub layout: Layout,
}

impl Columns {
    /// The column of unit `u` at offset `t`.
    #[must_use]
    pub fn index(&self, unit: usize, offset: usize) -> usize {
        match self.layout {
            Layout::Blocks => unit * self.per_unit + offset,
            Layout::Strided => offset * self.units + unit,
        }
    }

    /// The columns of unit `u`, by offset.
    pub fn of(self, unit: usize) -> impl Iterator<Item = usize> {
        (0..self.per_unit).map(move |offset| self.index(unit, offset))
    }

    /// The columns that stay when only `units` (ascending) stay, in the order of the layout.
    #[must_use]
    pub fn keeping(&self, units: &[usize]) -> Vec<usize> {
        match self.layout {
            Layout::Blocks => units.iter().flat_map(|unit| self.of(*unit)).collect(),
            Layout::Strided => {
                let offsets = 0..self.per_unit;
                offsets.flat_map(|offset| units.iter().map(move |unit| self.index(*unit, offset))).collect()
            }
        }
    }
}

/// A node that reads the units of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Name of the convolution or linear layer.
    pub node: String,
    /// Which of its columns read which unit.
    pub columns: Columns,
}

/// A further producer of the units of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tied {
    /// Name of the convolution or linear layer.
    pub layer: String,
    /// The batch norm that alone reads it.
    pub norm: Option<String>,
}

/// The activation of a block, by what holds of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bend {
    /// `max(x, 0)`: what the theory of tropical polynomials is about.
    Relu,
    /// `max(x, slope x)`, `0 <= slope < 1`: positively homogeneous and convex, too.
    Leaky(f64),
    /// Any other function: units can be chosen and what reads them refitted, and no more.
    Other(Function),
}

impl Bend {
    /// The activation that a node computes.
    pub(super) fn of(op: &Op) -> Option<Self> {
        match op {
            Op::Relu => Some(Self::Relu),
            Op::LeakyRelu { slope } => Some(Self::Leaky(*slope)),
            Op::Function(function) => Some(Self::Other(*function)),
            _ => None,
        }
    }

    /// The slope of a rectifier for negative values.
    #[must_use]
    pub fn slope(self) -> Option<f64> {
        match self {
            Self::Relu => Some(0.0),
            Self::Leaky(slope) => Some(slope),
            Self::Other(_) => None,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "ReLU",
            Self::Leaky(_) => "leaky ReLU",
            Self::Other(function) => function.name(),
        }
    }
}

/// A prunable block.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// Name of the convolution or linear layer whose units can be pruned.
    pub producer: String,
    /// Its units: output channels or neurons.
    pub units: usize,
    /// The batch norm between the producer and its activation.
    pub norm: Option<String>,
    /// Other layers whose outputs are added to those of the producer, in the order of the graph: unit `i` of each is unit
    /// `i` of the block. None but on a trunk.
    pub tied: Vec<Tied>,
    /// The activation.
    pub activation: String,
    /// Which one it is.
    pub bend: Bend,
    /// Names of the poolings, flattens and so on that the units pass, in the order of the graph.
    pub passes: Vec<String>,
    /// Whether a max pooling is among them: it is not linear, so that only its Lipschitz constant can be used.
    pub max_pool: bool,
    /// Who reads the units, at least one.
    pub consumers: Vec<Consumer>,
}

/// A convolution or linear layer whose units cannot be pruned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclinedNode {
    /// Name of the node.
    pub node: String,
    /// Its operation.
    pub op: String,
    /// Why.
    pub reason: String,
}

/// All blocks of a network, and what is not one.
#[derive(Debug, Clone, Default)]
pub struct Blocks {
    /// Prunable blocks in the order of their producers.
    pub blocks: Vec<Block>,
    /// Everything else with weights, but for the last layer, whose units are the classes.
    pub declined: Vec<DeclinedNode>,
}

impl Blocks {
    /// Finds the blocks of a network.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] if the shapes of the network do not fit, which the readers of files exclude.
    pub fn of(network: &Network) -> Result<Self> {
        network.shapes().map_err(|breaks| Error::Internal { what: breaks.join("; ") })?;
        Ok(walk::blocks(network))
    }

    /// The blocks of a network, each residual trunk as one of them.
    ///
    /// A trunk is everything that sums tie together: its units pass ReLU, pooling and sums only, and every layer that
    /// reads them is affine.
    ///
    /// # Errors
    ///
    /// As [`Blocks::of`].
    pub fn coupled(network: &Network) -> Result<Self> {
        network.shapes().map_err(|breaks| Error::Internal { what: breaks.join("; ") })?;
        Ok(trunk::coupled(network))
    }

    /// The block whose units are those of `producer`.
    #[must_use]
    pub fn by_producer(&self, producer: &str) -> Option<&Block> {
        self.blocks.iter().find(|block| block.producer == producer)
    }
}
