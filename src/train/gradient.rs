//! The gradient of a loss by all weights of a network.

use ndarray::Array2;

use super::network::{Lesson, Trained};
use crate::backend::{Backend, RowSource};
use crate::error::Result;
use crate::network::Network;
use crate::network::format::{OnnxSource, operator_graph};
use crate::network::spaces::OperatorGraph;

/// The gradient of the mean loss by one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorGradient {
    /// The name of the tensor.
    pub name: String,
    /// The derivative by each of its numbers, in the order of the file.
    pub values: Vec<f64>,
}

/// The mean cross-entropy of a network on samples, and its gradient by all of its weights.
///
/// # Errors
///
/// [`Error::Unsupported`](crate::Error::Unsupported) with the operator that backends do not compute; what the backend returns,
/// such as for samples of another width or labels that are no classes.
pub fn mean_loss_and_gradients<B: Backend>(
    backend: &B,
    network: &Network,
    inputs: &dyn RowSource,
    labels: &[u32],
) -> Result<(f64, Vec<TensorGradient>)> {
    of_graph(backend, &operator_graph(network)?, inputs, labels)
}

/// The same of an ONNX model, by the names of its initialisers.
///
/// # Errors
///
/// As [`mean_loss_and_gradients`].
pub fn graph_loss_and_gradients<B: Backend>(
    backend: &B,
    source: &OnnxSource,
    inputs: &dyn RowSource,
    labels: &[u32],
) -> Result<(f64, Vec<TensorGradient>)> {
    of_graph(backend, source.operators(), inputs, labels)
}

fn of_graph<B: Backend>(
    backend: &B,
    graph: &OperatorGraph,
    inputs: &dyn RowSource,
    labels: &[u32],
) -> Result<(f64, Vec<TensorGradient>)> {
    let mut trained = Trained::upload(backend, graph, &|_| true)?;
    let rows = backend.upload(inputs)?;
    let (sum, slopes) = trained.gradients(backend, rows, &Lesson::Labels(labels), 1.0)?;
    let mut all = Vec::with_capacity(slopes.len());
    for (at, slope) in slopes.iter().enumerate() {
        let values: Array2<f64> = backend.download(slope)?;
        let values = trained.in_file_order(at, values.into_iter().collect());
        all.push(TensorGradient { name: trained.name(graph, at).to_owned(), values });
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^53")]
    let mean = backend.download(&sum)?.sum() / labels.len().max(1) as f64;
    Ok((mean, all))
}
