//! An ONNX model as it was read: its messages, and how the nodes of the network lie in them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::operators::Placed;
use super::proto;
use crate::network::Network;
use crate::network::spaces::OperatorGraph;

/// Where a tensor of the network comes from.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// The node that reads it, among the nodes of the graph.
    pub(super) node: usize,
    /// The input of that node.
    pub(super) input: usize,
    /// The initialiser, if the input is one.
    pub(super) initializer: Option<usize>,
    /// The shape in which it is stored.
    pub(super) dims: Vec<usize>,
    /// Whether the file holds the transposed matrix.
    pub(super) transposed: bool,
}

/// How a node of the network lies in the graph.
#[derive(Debug, Clone, Default)]
pub(super) struct Binding {
    /// The node of the graph.
    pub(super) node: usize,
    /// Nodes behind it that add to its bias, and the input of each that is not the constant.
    pub(super) summed: Vec<(usize, usize)>,
    /// For a batch norm that is another node in the file: the input of that node that flows.
    pub(super) diagonal: Option<usize>,
    /// The tensors, in the order of [`crate::network::Op::tensors`].
    pub(super) slots: Vec<Slot>,
    /// For a reshape: what stands in place of the batch in its shape.
    pub(super) batch: Option<i64>,
}

/// A model as it was read.
#[derive(Debug)]
pub struct Source {
    pub(super) model: proto::Model,
    /// The network as it was read.
    pub(super) network: Network,
    /// By name of the network's node.
    pub(super) bindings: HashMap<String, Binding>,
    /// The node of the network that gives a value of the graph.
    pub(super) values: HashMap<String, String>,
    /// Whether some data lie in files beside the model.
    pub(super) external: bool,
    /// The operators of its graph.
    pub(super) operators: Placed,
    /// The data of every initialiser that lies beside the model, by index.
    pub(super) beside: HashMap<usize, crate::network::Tensor>,
}

impl Source {
    /// Whether some data lie in files beside the model.
    pub(in crate::network::format) fn is_external(&self) -> bool {
        self.external
    }

    /// The name of an operator of its graph, by the place that units name.
    #[must_use]
    pub fn operator_name(&self, operator: usize) -> &str {
        self.operators.graph.operators.get(operator).map_or("", |operator| &operator.name)
    }

    /// Whether axes of its inputs behind the batch are open, and have the lengths that were given for them here alone.
    #[must_use]
    pub fn has_open_axes(&self) -> bool {
        self.operators.graph.inputs.iter().any(|input| !input.open.is_empty())
    }

    /// Whether it holds batch norms as operators of their own, with the statistics of training.
    #[must_use]
    pub fn has_batch_norms(&self) -> bool {
        self.operators.graph.operators.iter().any(|operator| operator.kind == "BatchNormalization")
    }

    /// The operators of its graph.
    pub(crate) fn operators(&self) -> &OperatorGraph {
        &self.operators.graph
    }
}

/// What was read.
pub(in crate::network::format) struct Read {
    pub(in crate::network::format) source: Arc<Source>,
    pub(in crate::network::format) network: Network,
    pub(in crate::network::format) paths: Vec<PathBuf>,
    pub(in crate::network::format) metadata: std::collections::BTreeMap<String, String>,
    pub(in crate::network::format) warnings: Vec<String>,
}
