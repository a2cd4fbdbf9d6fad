//! Values inside a graph of operators: on the backend where it computes them, else by `rten` on the CPU.

use std::collections::HashMap;

use ndarray::ArrayView2;
use rten::{Model, Value};
use rten_tensor::Layout as _;

use super::format::{OnnxSource, encode_operators};
use super::program::Program;
use super::spaces::OperatorGraph;
use crate::backend::Backend;
use crate::error::{Error, Result};

/// A graph of operators that runs.
pub(crate) struct Streams<'b, B: Backend> {
    backend: &'b B,
    engine: Engine<B>,
    /// Shape of one input without the batch.
    shape: Vec<usize>,
    /// Samples of one run, if the model allows no other number.
    batch: Option<usize>,
}

enum Engine<B: Backend> {
    Backend(Box<Program<B>>),
    Host(Box<Model>),
}

/// Values of a batch: their shape, the batch first, and their elements.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// A value that is known, by name, and the name of one that is to stay on the backend.
pub(crate) struct Resumed<'a, B: Backend> {
    pub(crate) from: Option<(&'a str, &'a B::Matrix)>,
    pub(crate) keep: Option<&'a str>,
}

impl<'b, B: Backend> Streams<'b, B> {
    /// Loads what some values of `graph` need, which came from `source`.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if neither the backend nor `rten` runs it, or it has more than one input.
    pub(crate) fn new(backend: &'b B, source: &OnnxSource, graph: &OperatorGraph, names: &[&str]) -> Result<Self> {
        let [input] = graph.inputs.as_slice() else {
            let problem = format!("a network of {} inputs takes no synthetic ones", graph.inputs.len());
            return Err(Error::Unsupported { problem });
        };
        let shape = input.shape.iter().skip(1).copied().collect::<Option<Vec<usize>>>();
        let shape = shape.ok_or_else(|| failed("an input with an axis of unknown length"))?;
        let (engine, batch) = match Program::upload(backend, graph, names) {
            Ok(program) => (Engine::Backend(Box::new(program)), None),
            Err(Error::Unsupported { problem }) => {
                tracing::debug!(%problem, "values come from `rten`");
                let model =
                    Model::load(encode_operators(source, graph)?).map_err(|error| failed(&error.to_string()))?;
                (Engine::Host(Box::new(model)), input.shape.first().copied().flatten())
            }
            Err(error) => return Err(error),
        };
        Ok(Self { backend, engine, shape, batch })
    }

    /// Samples that one run takes at most.
    pub(crate) fn step(&self, wanted: usize) -> usize {
        self.batch.map_or(wanted, |batch| batch.min(wanted)).max(1)
    }

    /// Samples that a run of so many inputs computes.
    pub(crate) fn held(&self, rows: usize) -> usize {
        self.batch.unwrap_or(rows).max(rows)
    }

    /// Some values for `rows` inputs, one behind the other, in one run.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the run fails or there is no such value of floats.
    pub(crate) fn values(&self, inputs: &[f32], rows: usize, names: &[&str]) -> Result<Vec<Batch>> {
        Ok(self.resumed(inputs, rows, names, Resumed { from: None, keep: None })?.0)
    }

    /// The same from a value that is known, with one more that stays on the backend, where it computes them.
    pub(crate) fn resumed(
        &self,
        inputs: &[f32],
        rows: usize,
        names: &[&str],
        resumed: Resumed<'_, B>,
    ) -> Result<(Vec<Batch>, Option<B::Matrix>)> {
        match &self.engine {
            Engine::Backend(program) => self.on_backend(program, inputs, rows, (names, resumed)),
            Engine::Host(model) => Ok((self.on_host(model, inputs, rows, names)?, None)),
        }
    }

    /// Entries of a value that stayed on the backend.
    pub(crate) fn floats(&self, value: &B::Matrix) -> usize {
        self.backend.shape(value).iter().product()
    }

    fn on_backend(
        &self,
        program: &Program<B>,
        inputs: &[f32],
        rows: usize,
        (names, Resumed { from, keep }): (&[&str], Resumed<'_, B>),
    ) -> Result<(Vec<Batch>, Option<B::Matrix>)> {
        let view = ArrayView2::from_shape((rows, inputs.len() / rows.max(1)), inputs);
        let view = view.map_err(|error| Error::Internal { what: error.to_string() })?;
        let all: Vec<&str> = names.iter().copied().chain(keep).collect();
        let mut values = program.resumed(self.backend, &self.backend.upload(&view)?, &all, from)?;
        let kept = keep.and_then(|_| values.pop());
        let batch = |(name, matrix): (&&str, B::Matrix)| {
            let mut shape = program.shape(name)?.to_vec();
            // The first axis counts samples, and what lies beside them there.
            shape.first_mut().into_iter().for_each(|first| *first *= rows);
            #[expect(clippy::cast_possible_truncation, reason = "values of backends are f32")]
            let values = self.backend.download(&matrix)?.iter().map(|value| *value as f32).collect();
            Ok(Batch { shape, values })
        };
        Ok((names.iter().zip(values).map(batch).collect::<Result<_>>()?, kept))
    }

    fn on_host(&self, model: &Model, inputs: &[f32], rows: usize, names: &[&str]) -> Result<Vec<Batch>> {
        let input = model.input_ids().first().copied().ok_or_else(|| failed("a model without an input"))?;
        let mut wanted = Vec::with_capacity(names.len());
        for name in names {
            wanted.push(model.find_node(name).ok_or_else(|| failed(&format!("there is no value `{name}`")))?);
        }
        let held = self.batch.unwrap_or(rows);
        let mut values = inputs.to_vec();
        values.resize(held * self.shape.iter().product::<usize>(), 0.0);
        let shape: Vec<usize> = std::iter::once(held).chain(self.shape.iter().copied()).collect();
        let value = Value::from_shape(&shape, values).map_err(|error| failed(&error.to_string()))?;
        let mut computed: Vec<_> = wanted.iter().copied().filter(|id| *id != input).collect();
        computed.sort_unstable();
        computed.dedup();
        let outputs = model.run(vec![(input, value.into())], &computed, None);
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
