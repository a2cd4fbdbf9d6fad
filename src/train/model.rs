//! Training of a model, whatever file it came from.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use ndarray::{Array2, s};

use super::checkpoint::Checkpoint;
use super::finetune::{labels_of, with_weights};
use super::fit::{Goal, Task, TrainReport, fit};
use super::initial::{Initial, initialised};
use super::options::TrainOptions;
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::format::{self, ModelFile, Saved, operator_graph, save_operators};
use crate::network::spaces::OperatorGraph;
use crate::network::{Network, Program, Samples, Slice};
use crate::prune::{Data, Observer, Timing};

/// A model whose weights may be exchanged: as operators, under the names of its tensors.
#[derive(Debug, Clone)]
pub struct Trainee {
    graph: OperatorGraph,
}

/// What samples are trained to.
pub enum Target<'a> {
    /// Their labels.
    Labels,
    /// The answers of another model for them, whatever its labels: by the Kullback-Leibler divergence of its probabilities from
    /// those of the model (Hinton, Vinyals and Dean, arXiv 1503.02531, at temperature 1).
    Teacher(&'a ModelFile),
}

impl Trainee {
    /// The operators of a model.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] with the operation that has no operator.
    pub fn of(model: &ModelFile) -> Result<Self> {
        let graph = match &model.onnx {
            Some(source) => source.operators().clone(),
            None => operator_graph(&model.network)?,
        };
        Ok(Self { graph })
    }

    /// Draws the weights and biases of all contractions anew, see [`Initial`]. With `masked`, weights that are zero stay zero.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] for numbers that the element type of a tensor does not hold.
    pub fn initialise(&mut self, initial: Initial, seed: u64, masked: bool) -> Result<()> {
        self.graph = initialised(&self.graph, initial, seed, masked)?;
        Ok(())
    }

    /// Weights and biases.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        self.graph.parameters()
    }

    /// Trains all weights that gradients reach; connections that are zero stay zero, batch norms keep their statistics.
    ///
    /// The order of samples comes from the stream `train/order` of the seed: the same seed gives the same bytes on one device, and
    /// so does training that goes on with its [`Checkpoint`] (on the reference, whose state is rounded to f32, nearly so).
    ///
    /// # Errors
    ///
    /// [`Error::Data`] without labels or for data that do not fit, [`Error::Unsupported`] where gradients do not pass,
    /// [`Error::Argument`] if the loss is not finite in the first epoch already, [`Error::Format`] for a checkpoint that is broken or
    /// one of another network, other samples or other options, and what the backend returns. A loss that leaves
    /// the finite numbers later ends training with the state before, see [`TrainReport::ended`].
    #[expect(clippy::too_many_arguments, reason = "what is trained, on what, and who watches")]
    pub fn train<B: Backend>(
        &mut self,
        backend: &B,
        (training, image): (Data<'_>, Option<[usize; 3]>),
        target: &Target<'_>,
        held_out: Data<'_>,
        (options, checkpoint): (&TrainOptions, Option<&Checkpoint>),
        timing: &mut Timing,
        observer: &dyn Observer,
    ) -> Result<TrainReport> {
        let classes = Program::upload(backend, &self.graph, &[&self.graph.logits()?])?;
        let classes: usize = classes.shape(&self.graph.logits()?)?.iter().product();
        labels_of(&held_out, classes)?;
        let taught = match target {
            Target::Labels => None,
            Target::Teacher(model) => {
                let logits = timing.phase("teacher", || logits(backend, &Self::of(model)?.graph, training.inputs))?;
                if logits.ncols() != classes {
                    let problem = format!("the teacher knows {} classes, the model {classes}", logits.ncols());
                    return Err(Error::Argument { argument: "teacher", problem });
                }
                Some(logits)
            }
        };
        let goal = match &taught {
            None => Goal::Labels(labels_of(&training, classes)?),
            Some(logits) => Goal::Teacher(logits),
        };
        let task = Task { graph: &self.graph, chosen: &|_| true, training, goal, held_out, image, checkpoint };
        let (graph, report) = fit(backend, &task, options, timing, observer)?;
        self.graph = graph;
        Ok(report)
    }

    /// `network` with these weights.
    ///
    /// # Errors
    ///
    /// [`Error::Overflow`] for numbers that the element type of a tensor does not hold.
    pub fn network(&self, network: &Network) -> Result<Network> {
        with_weights(network, &self.graph)
    }

    /// Writes the model that this came from with these weights.
    ///
    /// # Errors
    ///
    /// Those of [`format::save`]; [`Error::Unsupported`] for an ONNX model that is to become another file.
    pub fn save(
        &self,
        model: &ModelFile,
        output: &Path,
        force: bool,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Saved> {
        match &model.onnx {
            Some(_) => save_operators(model, (&self.graph, &HashSet::new()), output, force, metadata),
            None => format::save(model, &self.network(&model.network)?, output, force, metadata),
        }
    }
}

/// The logits of a graph, `n x k`.
fn logits<B: Backend>(backend: &B, graph: &OperatorGraph, inputs: &dyn RowSource) -> Result<Array2<f32>> {
    let name = graph.logits()?;
    let program = Program::upload(backend, graph, &[&name])?;
    let [count, width] = inputs.shape();
    if width != program.inputs {
        let problem = format!("a sample has {width} values, the teacher takes {}", program.inputs);
        return Err(Error::Data { problem });
    }
    let mut all = Array2::zeros((count, program.shape(&name)?.iter().product()));
    let step = Samples::step(backend, program.widest);
    for first in (0..count).step_by(step.max(1)) {
        let rows = step.min(count - first);
        let batch = backend.upload(&Slice { source: inputs, first, rows })?;
        let found = program.values(backend, &batch, &[&name])?;
        for matrix in &found {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "fast backends hold f32; the reference is rounded to it"
            )]
            let values = backend.download(matrix)?.mapv(|value| value as f32);
            all.slice_mut(s![first..first + rows, ..]).assign(&values);
        }
    }
    Ok(all)
}
