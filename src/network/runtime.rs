//! Runs whole networks on the CPU through `rten`: features for a head, a cross-check of the backends, and the latency
//! that a user of the file will see.

use rten::{Model, NodeId, Value};

use super::format::{Names, OnnxSource, encode_onnx};
use super::{Network, Op};
use crate::backend::RowSource;
use crate::error::{Error, Result};

/// A network in `rten`.
pub struct Runtime {
    model: Model,
    /// Shape of one input without the batch.
    shape: Vec<usize>,
    /// Samples of one run, if the model allows no other number.
    batch: Option<usize>,
    names: Names,
    /// Whether samples depend on each other, so that all have to be in one run.
    mixes: bool,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("shape", &self.shape).field("batch", &self.batch).finish_non_exhaustive()
    }
}

/// Samples of one run where the model allows any number.
const BATCH: usize = 64;

impl Runtime {
    /// Loads a network. One with operations that tropix carries along needs the ONNX model that it comes from.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if an operation has no operator in ONNX, or `rten` does not know it.
    pub fn new(network: &Network, source: Option<&OnnxSource>) -> Result<Self> {
        let carried = network.nodes.iter().any(|node| matches!(node.op, Op::Carried { .. }));
        let source = source.filter(|_| carried);
        let encoded = encode_onnx(network, source)?;
        let mixes = network.nodes.iter().any(|node| matches!(&node.op, Op::Softmax { axes, .. } if axes.contains(&0)));
        let model = Model::load(encoded.bytes);
        let model = model
            .map_err(|error| Error::Unsupported { problem: format!("`rten` does not run this model: {error}") })?;
        Ok(Self { model, shape: network.input.clone(), batch: encoded.batch, names: encoded.names, mixes })
    }

    /// The output of the network for each row of `inputs`, row after row, and the length of one. Where a softmax is over
    /// samples, it is over all of them.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if rows do not have the length of an input, [`Error::Unsupported`] if a run fails.
    pub fn outputs(&self, inputs: &dyn RowSource) -> Result<(Vec<f32>, usize)> {
        let id = self.model.output_ids().first().copied();
        self.run(inputs, id.ok_or_else(|| failed("a model without an output"))?)
    }

    /// What node `name` gives for each row of `inputs`; its output has one axis behind the batch.
    ///
    /// # Errors
    ///
    /// As [`Runtime::outputs`], and [`Error::Internal`] if there is no such node.
    pub fn values(&self, inputs: &dyn RowSource, name: &str) -> Result<(Vec<f32>, usize)> {
        let id = (self.names)(name).and_then(|value| self.model.find_node(&value));
        self.run(inputs, id.ok_or_else(|| Error::Internal { what: format!("no value for `{name}`") })?)
    }

    fn run(&self, inputs: &dyn RowSource, wanted: NodeId) -> Result<(Vec<f32>, usize)> {
        let [count, width] = inputs.shape();
        let needed: usize = self.shape.iter().product();
        if width != needed {
            let problem = format!("a sample has {width} values, the network takes {needed} ({:?})", self.shape);
            return Err(Error::Data { problem });
        }
        let input = self.model.input_ids().first().copied().ok_or_else(|| failed("a model without an input"))?;
        let (mut all, mut length) = (Vec::new(), 0);
        let step = self.batch.unwrap_or(if self.mixes { count.max(1) } else { BATCH });
        for first in (0..count).step_by(step) {
            let rows = step.min(count - first);
            let held = self.batch.unwrap_or(rows);
            let mut values = vec![0.0; held * width];
            inputs.read_rows(first, &mut values[..rows * width])?;
            let shape: Vec<usize> = std::iter::once(held).chain(self.shape.iter().copied()).collect();
            let value = Value::from_shape(&shape, values).map_err(|error| failed(&error.to_string()))?;
            let outputs = self.model.run_n(vec![(input, value.into())], [wanted], None);
            let [output] = outputs.map_err(|error| failed(&error.to_string()))?;
            let ([_, columns], values) = output
                .into_shape_vec::<f32, 2>()
                .map_err(|error| failed(&format!("an output of another form: {error}")))?;
            length = columns;
            all.extend_from_slice(&values[..rows * columns]);
        }
        Ok((all, length))
    }
}

fn failed(problem: &str) -> Error {
    Error::Unsupported { problem: format!("`rten`: {problem}") }
}
