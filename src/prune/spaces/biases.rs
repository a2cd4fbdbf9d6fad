//! Biases for sums that have none: what a fit leaves of the mean goes there.

use crate::error::Result;
use crate::network::Tensor;
use crate::network::spaces::OperatorGraph;

/// `base` with a bias of zeros for every convolution and `Gemm` with constant weights that has none.
pub(super) fn with_biases(graph: &OperatorGraph) -> Result<OperatorGraph> {
    let mut graph = graph.clone();
    for at in 0..graph.operators.len() {
        let operator = &graph.operators[at];
        let Some(weights) = operator.input(1).and_then(|value| graph.weights(value)) else { continue };
        if operator.input(2).is_some() || !matches!(operator.kind.as_str(), "Conv" | "Gemm") {
            continue;
        }
        let axis = usize::from(operator.kind == "Gemm" && operator.int("transB", 0) == 0);
        let outputs = weights.dimensions().get(axis).copied().unwrap_or(0);
        let name = format!("{}.bias", operator.name);
        let bias = Tensor::owned(&name, weights.element(), vec![outputs], vec![0.0; outputs])?;
        graph.replace(at, 2, bias);
    }
    Ok(graph)
}

/// `graph` without the biases of zeros that [`with_biases`] has added to `before`.
pub(super) fn without_zeros(mut graph: OperatorGraph, before: &OperatorGraph) -> OperatorGraph {
    for (at, old) in before.operators.iter().enumerate() {
        let bias = graph.operators[at].input(2).and_then(|value| graph.weights(value));
        let zero = bias.is_some_and(|bias| bias.to_vec().iter().all(|value| *value == 0.0));
        if zero && old.input(2).is_none() {
            graph.operators[at].inputs.truncate(2);
        }
    }
    graph
}
