//! Values inside a graph of operators, computed by `rten` on the CPU: what flows through operators that backends do not have.

use std::collections::HashMap;

use rten::{Model, Value};
use rten_tensor::Layout as _;

use super::format::{OnnxSource, encode_operators};
use super::spaces::OperatorGraph;
use crate::error::{Error, Result};

/// A graph of operators that runs.
pub(crate) struct Streams {
    model: Model,
    /// Shape of one input without the batch.
    shape: Vec<usize>,
    /// Samples of one run, if the model allows no other number.
    batch: Option<usize>,
}

/// Values of a batch: their shape, the batch first, and their elements.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl Streams {
    /// Loads `graph`, which came from `source`.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if `rten` does not run it, or it has more than one input.
    pub(crate) fn new(source: &OnnxSource, graph: &OperatorGraph) -> Result<Self> {
        let [input] = graph.inputs.as_slice() else {
            let problem = format!("a network of {} inputs takes no synthetic ones", graph.inputs.len());
            return Err(Error::Unsupported { problem });
        };
        let batch = input.shape.first().copied().flatten();
        let shape = input.shape.iter().skip(1).copied().collect::<Option<Vec<usize>>>();
        let shape = shape.ok_or_else(|| failed("an input with an axis of unknown length"))?;
        let model = Model::load(encode_operators(source, graph)?).map_err(|error| failed(&error.to_string()))?;
        Ok(Self { model, shape, batch })
    }

    /// Samples that one run takes at most.
    pub(crate) fn step(&self, wanted: usize) -> usize {
        self.batch.map_or(wanted, |batch| batch.min(wanted)).max(1)
    }

    /// Some values for `rows` inputs, one behind the other, in one run.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the run fails or there is no such value of floats.
    pub(crate) fn values(&self, inputs: &[f32], rows: usize, names: &[&str]) -> Result<Vec<Batch>> {
        let input = self.model.input_ids().first().copied().ok_or_else(|| failed("a model without an input"))?;
        let mut wanted = Vec::with_capacity(names.len());
        for name in names {
            wanted.push(self.model.find_node(name).ok_or_else(|| failed(&format!("there is no value `{name}`")))?);
        }
        let held = self.batch.unwrap_or(rows);
        let mut values = inputs.to_vec();
        values.resize(held * self.shape.iter().product::<usize>(), 0.0);
        let shape: Vec<usize> = std::iter::once(held).chain(self.shape.iter().copied()).collect();
        let value = Value::from_shape(&shape, values).map_err(|error| failed(&error.to_string()))?;
        let mut computed: Vec<_> = wanted.iter().copied().filter(|id| *id != input).collect();
        computed.sort_unstable();
        computed.dedup();
        let outputs = self.model.run(vec![(input, value.into())], &computed, None);
        let outputs = outputs.map_err(|error| failed(&error.to_string()))?;
        let mut batches = HashMap::new();
        for (id, output) in computed.into_iter().zip(outputs) {
            let shape = output.shape().to_vec();
            let values = output.into_tensor::<f32>().ok_or_else(|| failed("a value that holds no floats"))?;
            batches.insert(id, Batch { shape, values: values.into_data() });
        }
        let whole = || Batch { shape: [&[rows], self.shape.as_slice()].concat(), values: inputs.to_vec() };
        Ok(wanted.iter().map(|id| batches.get(id).cloned().unwrap_or_else(whole)).collect())
    }
}

fn failed(problem: &str) -> Error {
    Error::Unsupported { problem: format!("`rten`: {problem}") }
}
