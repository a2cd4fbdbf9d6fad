//! A graph of operators on a device, whose weights follow the gradients of a loss.

use ndarray::Array2;

use super::checkpoint::Matrices;
use super::options::Optimiser;
use super::parameter::{Parameter, Stride};
use crate::backend::{Activation, Backend, Combination, Function, Reduction, RowNorm, Transpose, Window};
use crate::error::{Error, Result};
use crate::network::spaces::{Constant, OperatorGraph, ValueId};
use crate::network::{Classifier, Tensor, Trainable, Use};

/// Values of a trace in one part of a batch at most, in bytes.
const TRACE: usize = 512 << 20;

/// A graph under training.
pub(crate) struct Trained<B: Backend> {
    inner: Trainable<B>,
    parameters: Vec<Parameter<B>>,
    values: Vec<ValueId>,
}

/// What the samples of a batch are trained to.
pub(super) enum Lesson<'a, B: Backend> {
    /// The class of each.
    Labels(&'a [u32]),
    /// The logits of another network, `n x k`: `sum_c p_c (log p_c - log q_c)` with its probabilities `p` and those here, `q`.
    Teacher(B::Matrix),
}

impl<B: Backend> Trained<B> {
    /// Copies a graph to a device; `chosen` names the weights that are trained. Connections that are zero stay zero, and so do
    /// biases of units of inner layers without any.
    pub(crate) fn upload(backend: &B, graph: &OperatorGraph, chosen: &dyn Fn(&str) -> bool) -> Result<Self> {
        let mut inner = Trainable::upload(backend, graph, chosen)?;
        let values: Vec<ValueId> = inner.values().collect();
        let uses = inner.uses();
        let is_zero = |value: ValueId| -> Vec<bool> {
            let numbers = graph.weights(value).map(Tensor::to_vec).unwrap_or_default();
            numbers.into_iter().map(|number| number == 0.0).collect()
        };
        let last = uses.iter().rposition(|used| *used == Use::Connections);
        let mut parameters = Vec::with_capacity(values.len());
        for (at, used) in uses.iter().enumerate() {
            let shape = backend.shape(inner.weight(at)?);
            let frozen = match used {
                Use::Connections => Some(inner.placed(at, &is_zero(values[at]))),
                Use::Biases { beside: Some(beside) } if Some(*beside) != last => {
                    let columns = backend.shape(inner.weight(*beside)?)[1].max(1);
                    let connections = inner.placed(*beside, &is_zero(values[*beside]));
                    Some(connections.chunks(columns).map(|row| row.iter().all(|zero| *zero)).collect())
                }
                _ => None,
            };
            parameters.push(Parameter::new(backend, shape, frozen.as_deref())?);
        }
        Ok(Self { inner, parameters, values })
    }

    /// Whether anything is trained.
    pub(crate) fn any(&self) -> bool {
        !self.values.is_empty()
    }

    /// Inputs of a sample.
    pub(crate) fn inputs(&self) -> usize {
        self.inner.inputs()
    }

    /// Entries that a step of the program reads and writes for one sample, at most.
    pub(crate) fn widest(&self) -> usize {
        self.inner.widest()
    }

    /// Numbers that are trained.
    pub(crate) fn count(&self, graph: &OperatorGraph) -> u64 {
        self.values.iter().filter_map(|value| graph.weights(*value)).map(|tensor| tensor.len() as u64).sum()
    }

    /// The name of a tensor.
    pub(super) fn name<'g>(&self, graph: &'g OperatorGraph, at: usize) -> &'g str {
        &graph.values[self.values[at]]
    }

    /// Numbers of a tensor as the device has them, in the order of the file.
    pub(super) fn in_file_order(&self, at: usize, values: Vec<f64>) -> Vec<f64> {
        self.inner.in_file_order(at, values)
    }

    /// The sum of the losses of samples, `1 x 1`, and the gradients of `share` times their mean by all weights.
    pub(super) fn gradients(
        &mut self,
        backend: &B,
        rows: B::Matrix,
        lesson: &Lesson<'_, B>,
        share: f32,
    ) -> Result<(B::Matrix, Vec<B::Matrix>)> {
        let mut trace = self.inner.trace(backend, rows)?;
        let logits = self.inner.logits_of(backend, &mut trace)?;
        let (losses, gradient) = lesson.loss(backend, logits)?;
        let ones = backend.upload(&Array2::<f32>::ones((1, backend.shape(&losses)[0])))?;
        let sum = backend.matmul(&ones, Transpose::No, &losses, Transpose::No)?;
        let gradient = if share < 1.0 {
            backend.weighted_sum(&gradient, None, [share, 0.0], Activation::Identity)?
        } else {
            gradient
        };
        Ok((sum, self.inner.gradients(backend, trace, gradient)?))
    }

    /// One step on the mean loss of a batch; the sum of the losses before it, `1 x 1`.
    pub(super) fn step(
        &mut self,
        backend: &B,
        rows: B::Matrix,
        lesson: &Lesson<'_, B>,
        stride: Stride,
    ) -> Result<B::Matrix> {
        let [count, columns] = backend.shape(&rows);
        let most = (TRACE / 4 / self.inner.traced().max(1)).max(1);
        let (sum, slopes) = if count <= most {
            self.gradients(backend, rows, lesson, 1.0)?
        } else {
            self.by_parts(backend, &rows, lesson, [count, columns], most)?
        };
        for (at, (parameter, slope)) in self.parameters.iter_mut().zip(slopes).enumerate() {
            let moved = parameter.step(backend, self.inner.weight(at)?, slope, stride)?;
            self.inner.exchange(backend, at, moved)?;
        }
        Ok(sum)
    }

    /// Gradients of a batch that does not fit into memory at once.
    pub(super) fn by_parts(
        &mut self,
        backend: &B,
        rows: &B::Matrix,
        lesson: &Lesson<'_, B>,
        [count, columns]: [usize; 2],
        most: usize,
    ) -> Result<(B::Matrix, Vec<B::Matrix>)> {
        let add = |a: &B::Matrix, b: &B::Matrix| backend.weighted_sum(a, Some(b), [1.0, 1.0], Activation::Identity);
        let window = Window::new([columns, 1, 1], [1, 1]);
        let mut all: Option<(B::Matrix, Vec<B::Matrix>)> = None;
        for first in (0..count).step_by(most) {
            let own = most.min(count - first);
            let picked: Vec<u32> = (first..first + own).filter_map(|at| u32::try_from(at).ok()).collect();
            let picked = backend.upload_indices(&picked)?;
            let part = backend.unfold(rows, &window, Some(&picked))?;
            let lesson = match lesson {
                Lesson::Labels(labels) => Lesson::Labels(&labels[first..first + own]),
                Lesson::Teacher(logits) => {
                    let window = Window::new([backend.shape(logits)[1], 1, 1], [1, 1]);
                    Lesson::Teacher(backend.unfold(logits, &window, Some(&picked))?)
                }
            };
            #[expect(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^24")]
            let share = own as f32 / count as f32;
            let (sum, slopes) = self.gradients(backend, part, &lesson, share)?;
            all = Some(match all {
                None => (sum, slopes),
                Some((before, others)) => {
                    let slopes = others.iter().zip(&slopes).map(|(other, slope)| add(other, slope));
                    (add(&before, &sum)?, slopes.collect::<Result<_>>()?)
                }
            });
        }
        all.ok_or_else(|| Error::Internal { what: "a batch without samples".to_owned() })
    }

    /// The trained weights and what the optimiser remembers of them, as the device has them; numbers of the reference are
    /// rounded to f32.
    pub(super) fn state(&mut self, backend: &B) -> Result<Vec<(String, Array2<f32>)>> {
        #[expect(clippy::cast_possible_truncation, reason = "fast backends hold f32; the reference is rounded to it")]
        let numbers = |matrix: &B::Matrix| Ok::<_, Error>(backend.download(matrix)?.mapv(|value| value as f32));
        let mut all = Vec::new();
        for (at, parameter) in self.parameters.iter().enumerate() {
            all.push((format!("weight/{at}"), numbers(self.inner.weight(at)?)?));
            for (name, matrix) in parameter.memory() {
                all.push((format!("{name}/{at}"), numbers(matrix)?));
            }
        }
        Ok(all)
    }

    /// Takes up a [`state`](Self::state).
    pub(super) fn restore(&mut self, backend: &B, optimiser: Optimiser, state: &mut Matrices) -> Result<()> {
        for (at, parameter) in self.parameters.iter_mut().enumerate() {
            let shape = backend.shape(self.inner.weight(at)?);
            let mut find = |name: &str| state.upload(backend, &format!("{name}/{at}"), shape);
            self.inner.exchange(backend, at, find("weight")?)?;
            parameter.remember(optimiser, find)?;
        }
        Ok(())
    }

    /// The numbers of every trained tensor, in the order of the file.
    pub(crate) fn numbers(&mut self, backend: &B) -> Result<Vec<Vec<f32>>> {
        (0..self.values.len()).map(|at| self.inner.numbers(backend, at)).collect()
    }

    /// The graph with numbers in place of those of the tensors that were trained.
    pub(crate) fn graph(&self, old: &OperatorGraph, numbers: Vec<Vec<f32>>) -> Result<OperatorGraph> {
        let mut graph = old.clone();
        for (value, numbers) in self.values.iter().zip(numbers) {
            let Some(tensor) = old.weights(*value) else { continue };
            let new = Tensor::owned(tensor.name(), tensor.element(), tensor.dimensions().to_vec(), numbers)?;
            graph.constants.insert(*value, Constant::Weights(new));
        }
        Ok(graph)
    }
}

impl<B: Backend> Lesson<'_, B> {
    /// The loss of each sample, `n x 1`, and the gradient of their mean by the logits.
    pub(super) fn loss(&self, backend: &B, logits: &B::Matrix) -> Result<(B::Matrix, B::Matrix)> {
        match self {
            Self::Labels(labels) => {
                let entropy = backend.cross_entropy(logits, &backend.upload_indices(labels)?)?;
                Ok((entropy.losses, entropy.gradient))
            }
            Self::Teacher(teacher) => {
                let log = |logits: &B::Matrix| backend.normalize_rows(logits, RowNorm::LogSoftmax);
                let ([own, theirs], difference) = ([log(logits)?, log(teacher)?], [1.0, -1.0]);
                let [q, p] = [backend.elementwise(&own, Function::Exp)?, backend.elementwise(&theirs, Function::Exp)?];
                let apart = backend.weighted_sum(&theirs, Some(&own), difference, Activation::Identity)?;
                let losses =
                    backend.reduce_rows(&backend.combine(&p, &apart, Combination::Multiply, 1)?, Reduction::Sum)?;
                #[expect(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^24")]
                let mean = 1.0 / backend.shape(logits)[0].max(1) as f32;
                Ok((losses, backend.weighted_sum(&q, Some(&p), [mean, -mean], Activation::Identity)?))
            }
        }
    }
}

impl<B: Backend> Classifier<B> for Trained<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        self.inner.logits(backend, inputs)
    }
}
