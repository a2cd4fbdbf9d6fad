//! A program whose weights are followed and exchanged, by the tensors of the file that they are.

use std::collections::BTreeMap;

use super::reverse::{Reverse, Trace};
use super::run::{Leaf, Program};
use super::source::Source;
use crate::backend::{Activation, Backend};
use crate::error::Result;
use crate::network::Classifier;
use crate::network::spaces::{OperatorGraph, ValueId};

/// A program on a device with gradients by its weights.
pub(crate) struct Trainable<B: Backend> {
    reverse: Reverse<B>,
    weights: Vec<Weight<B>>,
    /// The value that is trained: what classes are told from, before a softmax.
    output: String,
}

/// A tensor of the file, and where a program has it.
struct Weight<B: Backend> {
    value: ValueId,
    /// Its place among the leaves of the program.
    leaf: usize,
    source: Source,
    /// Other places of it, where their numbers stand here, and where these stand there.
    copies: Vec<(usize, [B::Indices; 2])>,
}

/// What a weight is to the steps that read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// A matrix or kernels, of which a zero is a connection that is none.
    Connections,
    /// Biases; those of a layer whose connections are all zero belong to a unit that is off.
    Biases {
        /// The weight that holds the connections of the same layer, if it is followed, too.
        beside: Option<usize>,
    },
    /// Anything else: scales and shifts of norms, embeddings.
    Other,
}

impl<B: Backend> Trainable<B> {
    /// Copies a graph to a device; `chosen` names the weights that are followed, of those that gradients reach.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) with the operator that backends do not compute; what [`Backend::upload`]
    /// returns.
    pub(crate) fn upload(backend: &B, graph: &OperatorGraph, chosen: &dyn Fn(&str) -> bool) -> Result<Self> {
        let output = graph.logits()?;
        let mut program = Program::apart(backend, graph, &[&output])?;
        program.leaves.retain(|(_, source)| chosen(&graph.values[source.value]));
        // A tensor in several places is one weight.
        let mut places: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
        for (leaf, (_, source)) in program.leaves.iter().enumerate() {
            places.entry(source.value).or_default().push(leaf);
        }
        let weights = places.into_iter().map(|(value, leaves)| {
            let first = &program.leaves[leaves[0]].1;
            let copies = leaves[1..].iter().map(|leaf| {
                let other = &program.leaves[*leaf].1;
                let length = graph.weights(value).map_or(0, crate::network::Tensor::len);
                let maps = [between(first, other, length), between(other, first, length)];
                let [there, here] = maps.map(|map| backend.upload_indices(&map));
                Ok((*leaf, [there?, here?]))
            });
            let copies = copies.collect::<Result<_>>()?;
            Ok(Weight { value, leaf: leaves[0], source: first.clone(), copies })
        });
        let weights = weights.collect::<Result<_>>()?;
        Ok(Self { reverse: Reverse::of_weights(backend, program)?, weights, output })
    }

    /// Entries that are held for each sample on the way forward and back.
    pub(crate) fn traced(&self) -> usize {
        self.reverse.traced
    }

    /// Entries that a step reads and writes for one sample, at most.
    pub(crate) fn widest(&self) -> usize {
        self.reverse.program().widest
    }

    /// Inputs of a sample.
    pub(crate) fn inputs(&self) -> usize {
        self.reverse.program().inputs
    }

    /// The tensors that are followed.
    pub(crate) fn values(&self) -> impl Iterator<Item = ValueId> {
        self.weights.iter().map(|weight| weight.value)
    }

    /// What each of them is to its first reader.
    pub(crate) fn uses(&self) -> Vec<Use> {
        let leaves = &self.reverse.program().leaves;
        let of = |weight: &Weight<B>| match leaves[weight.leaf].0 {
            Leaf::Weight(_) => Use::Connections,
            Leaf::Fixed(_) => Use::Other,
            Leaf::Bias(step) => {
                Use::Biases { beside: self.weights.iter().position(|other| leaves[other.leaf].0 == Leaf::Weight(step)) }
            }
        };
        self.weights.iter().map(of).collect()
    }

    /// The values of a tensor in the order in which the device has them, from that of the file.
    pub(crate) fn placed<T: Copy>(&self, at: usize, values: &[T]) -> Vec<T> {
        match &self.weights[at].source.order {
            Some(order) => order.iter().map(|entry| values[*entry as usize]).collect(),
            None => values.to_vec(),
        }
    }

    /// The device's matrix of a weight.
    pub(crate) fn weight(&mut self, at: usize) -> Result<&B::Matrix> {
        let leaf = self.reverse.program().leaves[self.weights[at].leaf].0;
        self.reverse.program_mut().leaf(leaf).map(|matrix| &*matrix)
    }

    /// Exchanges a weight, everywhere.
    pub(crate) fn exchange(&mut self, backend: &B, at: usize, matrix: B::Matrix) -> Result<()> {
        let weight = &self.weights[at];
        let program = self.reverse.program_mut();
        let leaf = |program: &Program<B>, leaf: usize| program.leaves[leaf].0;
        for (copy, [there, _]) in &weight.copies {
            let to = leaf(program, *copy);
            let columns = backend.shape(program.leaf(to)?)[1];
            *program.leaf(to)? = moved(backend, &matrix, there, columns)?;
        }
        let to = leaf(program, weight.leaf);
        *program.leaf(to)? = matrix;
        Ok(())
    }

    /// The numbers of a weight, in the order of the file.
    pub(crate) fn numbers(&mut self, backend: &B, at: usize) -> Result<Vec<f32>> {
        let values = backend.download(self.weight(at)?)?.into_iter();
        #[expect(clippy::cast_possible_truncation, reason = "fast backends hold f32; the reference is rounded to it")]
        let values = values.map(|value| value as f32).collect();
        Ok(self.in_file_order(at, values))
    }

    /// The values of a tensor in the order of the file, from that in which the device has them.
    pub(crate) fn in_file_order<T: Copy>(&self, at: usize, values: Vec<T>) -> Vec<T> {
        match self.weights[at].source.inverse() {
            Some(inverse) => inverse.into_iter().map(|at| values[at as usize]).collect(),
            None => values,
        }
    }

    /// Runs samples forward, one in each row.
    pub(crate) fn trace(&self, backend: &B, inputs: B::Matrix) -> Result<Trace<B>> {
        self.reverse.trace(backend, inputs)
    }

    /// The logits of a trace.
    pub(crate) fn logits_of<'t>(&self, backend: &B, trace: &'t mut Trace<B>) -> Result<&'t B::Matrix> {
        trace.value(backend, self.reverse.program(), &self.output)
    }

    /// The gradients by all weights of `sum <logits, gradient>`.
    pub(crate) fn gradients(&mut self, backend: &B, trace: Trace<B>, gradient: B::Matrix) -> Result<Vec<B::Matrix>> {
        let mut by_leaf = self.reverse.weight_gradients(backend, trace, vec![(&self.output, gradient)])?;
        let mut all = Vec::with_capacity(self.weights.len());
        for at in 0..self.weights.len() {
            let own = self.weights[at].leaf;
            let mut sum = match by_leaf[own].take() {
                Some(slope) => slope,
                None => backend.weighted_sum(self.weight(at)?, None, [0.0, 0.0], Activation::Identity)?,
            };
            for (copy, [_, here]) in &self.weights[at].copies {
                if let Some(slope) = by_leaf[*copy].take() {
                    let slope = moved(backend, &slope, here, backend.shape(&sum)[1])?;
                    sum = backend.weighted_sum(&sum, Some(&slope), [1.0, 1.0], Activation::Identity)?;
                }
            }
            all.push(sum);
        }
        Ok(all)
    }
}

impl<B: Backend> Classifier<B> for Trainable<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        let mut values = self.reverse.program().values(backend, inputs, &[&self.output])?;
        values.pop().ok_or_else(|| crate::Error::Internal { what: "no logits".to_owned() })
    }
}

/// For each number of `to` its place in `from`, both of one tensor.
fn between(from: &Source, to: &Source, length: usize) -> Vec<u32> {
    let inverse = from.inverse();
    let entry = |at: usize| to.order.as_ref().map_or(at, |order| order[at] as usize);
    let place =
        |entry: usize| inverse.as_ref().map_or_else(|| u32::try_from(entry).unwrap_or(u32::MAX), |all| all[entry]);
    (0..length).map(|at| place(entry(at))).collect()
}

/// The numbers of a matrix in another order, in rows of some length.
fn moved<B: Backend>(backend: &B, matrix: &B::Matrix, index: &B::Indices, columns: usize) -> Result<B::Matrix> {
    let [rows, own] = backend.shape(matrix);
    let flat = backend.reshape(backend.weighted_sum(matrix, None, [1.0, 0.0], Activation::Identity)?, rows * own)?;
    backend.reshape(backend.gather(&flat, index)?, columns)
}
