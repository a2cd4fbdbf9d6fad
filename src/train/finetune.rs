//! Fine-tuning of what pruning has left: the weights of the whole network, or those of its head on features that stay.

use serde::Serialize;

use super::fit::{Ended, Epoch, Goal, Task, TrainReport, fit};
use super::options::{Optimiser, Scope, TrainOptions};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::format::{OnnxSource, distinct, operator_graph};
use crate::network::spaces::OperatorGraph;
use crate::network::{Head, Network, Tensor, head_features, head_for};
use crate::prune::spaces::SpaceRun;
use crate::prune::{Data, Observer, Timing};

/// The report of fine-tuning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TuningReport {
    /// What was trained.
    pub scope: Scope,
    /// How.
    pub optimiser: Optimiser,
    /// Learning rate of the first step.
    pub rate: f64,
    /// Samples of a step.
    pub batch: usize,
    /// Samples that were trained on.
    pub training_samples: usize,
    /// Other samples, on which accuracy is measured.
    pub held_out_samples: usize,
    /// Top-1 accuracy on the held-out samples after pruning, before fine-tuning.
    pub before: f64,
    /// One entry per epoch.
    pub epochs: Vec<Epoch>,
}

impl TuningReport {
    fn of(scope: Scope, report: TrainReport) -> Result<Self> {
        let TrainReport { options, training_samples, held_out_samples, before, epochs, ended, .. } = report;
        if ended == Ended::Diverged {
            let epoch = epochs.len() + 1;
            let problem = format!("the loss left the finite numbers in epoch {epoch} at {}; take less", options.rate);
            return Err(Error::Argument { argument: "learning-rate", problem });
        }
        let (optimiser, rate, batch) =
            (options.optimiser, options.rate, options.batch.clamp(1, training_samples.max(1)));
        Ok(Self { scope, optimiser, rate, batch, training_samples, held_out_samples, before, epochs })
    }
}

/// A network after fine-tuning.
#[derive(Debug)]
pub struct Finetuned {
    /// The network.
    pub network: Network,
    /// What was done.
    pub report: TuningReport,
}

/// Fine-tunes a network by the cross-entropy of its classes.
///
/// [`Scope::All`] trains every weight that gradients reach, of any layer; batch norms keep their statistics. Of the other scopes
/// layers before the head compute the features once, on the backend or through `rten`, and stay as they are. Weights that are
/// zero stay zero, and so do the biases of hidden neurons without any weight. The order of samples comes from the stream
/// `train/order` of the seed, so that the same seed gives the same bytes on one device. `held_out` is only measured, it chooses
/// nothing: the network is that of the last epoch.
///
/// # Errors
///
/// [`Error::Data`] without labels or for data that do not fit, [`Error::Unsupported`] where there is nothing to train or
/// gradients do not pass, [`Error::Argument`] if the loss leaves the finite numbers, what the backend returns.
#[expect(clippy::too_many_arguments, reason = "what is trained, on what, and who watches")]
pub fn finetune<B: Backend>(
    backend: &B,
    network: &Network,
    source: Option<&OnnxSource>,
    training: Data<'_>,
    held_out: Data<'_>,
    (scope, options): (Scope, &TrainOptions),
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Finetuned> {
    let head = Head::of(network);
    if scope == Scope::All && !head.as_ref().is_ok_and(|head| head.whole) {
        let graph = operator_graph(network)?;
        let (graph, report) = all_of(backend, &graph, training, held_out, options, timing, observer)?;
        return Ok(Finetuned { network: with_weights(network, &graph)?, report });
    }
    let head = head?;
    let last = head.layers.len() - 1;
    let names: Vec<&str> = head
        .layers
        .iter()
        .enumerate()
        .flat_map(|(at, layer)| {
            let weights = match scope {
                Scope::Biases => false,
                Scope::Head => at == last,
                Scope::Classifier | Scope::All => true,
            };
            let biases = weights || scope == Scope::Biases;
            let weight = weights.then(|| layer.weight.name());
            weight.into_iter().chain(layer.bias.as_ref().filter(|_| biases).map(Tensor::name))
        })
        .collect();
    if names.is_empty() {
        let problem = format!("nothing to fine-tune: no layer of the head has {}", scope.name());
        return Err(Error::Unsupported { problem });
    }
    let labels = labels_of(&training, head.classes())?;
    labels_of(&held_out, head.classes())?;
    // What the layers before the head make of samples, where these are not features already.
    let features = |data: &Data<'_>| match head_for(network, data.inputs.shape()[1]) {
        Some(_) => Ok(None),
        None => head_features(backend, network, source, &head, data.inputs).map(Some),
    };
    let known = timing.phase("features", || Ok::<_, Error>([features(&training)?, features(&held_out)?]))?;
    let [seen, apart] = known.each_ref().map(|features| features.as_ref().map(|rows| rows as &dyn RowSource));
    let task = Task {
        graph: &operator_graph(&head.alone(network)?)?,
        chosen: &|name| names.contains(&name),
        training: Data { inputs: seen.unwrap_or(training.inputs), labels: training.labels },
        goal: Goal::Labels(labels),
        held_out: Data { inputs: apart.unwrap_or(held_out.inputs), labels: held_out.labels },
        image: None,
        checkpoint: None,
    };
    let (graph, report) = fit(backend, &task, options, timing, observer)?;
    Ok(Finetuned { network: with_weights(network, &graph)?, report: TuningReport::of(scope, report)? })
}

/// Fine-tunes all weights of a graph that units have left, see [`finetune`].
///
/// # Errors
///
/// As for [`finetune`].
pub fn finetune_spaces<B: Backend>(
    backend: &B,
    run: &mut SpaceRun,
    training: Data<'_>,
    held_out: Data<'_>,
    options: &TrainOptions,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<TuningReport> {
    let (graph, report) = all_of(backend, run.graph(), training, held_out, options, timing, observer)?;
    run.exchange(graph);
    Ok(report)
}

fn all_of<B: Backend>(
    backend: &B,
    graph: &OperatorGraph,
    training: Data<'_>,
    held_out: Data<'_>,
    options: &TrainOptions,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<(OperatorGraph, TuningReport)> {
    let labels = training.labels.ok_or_else(unlabelled)?;
    held_out.labels.ok_or_else(unlabelled)?;
    let task = Task {
        graph,
        chosen: &|_| true,
        training,
        goal: Goal::Labels(labels),
        held_out,
        image: None,
        checkpoint: None,
    };
    let (graph, report) = fit(backend, &task, options, timing, observer)?;
    Ok((graph, TuningReport::of(Scope::All, report)?))
}

fn unlabelled() -> Error {
    Error::Data { problem: "fine-tuning needs labels".to_owned() }
}

/// A network with the weights of a graph in place of its own, by name.
pub(super) fn with_weights(network: &Network, graph: &OperatorGraph) -> Result<Network> {
    // Nodes that shared a tensor have one each in the graph.
    let mut network = distinct(network);
    let named = |name: &str| graph.values.iter().position(|value| value == name).and_then(|value| graph.weights(value));
    for tensor in network.nodes.iter_mut().flat_map(|node| node.op.tensors_mut()) {
        if let Some(new) = named(tensor.name()) {
            let (element, shape) = (tensor.element(), tensor.dimensions().to_vec());
            *tensor = Tensor::owned(tensor.name(), element, shape, new.to_vec())?;
        }
    }
    Ok(network)
}

/// The labels of samples, each of them a class.
pub(super) fn labels_of<'a>(data: &Data<'a>, classes: usize) -> Result<&'a [u32]> {
    let labels = data.labels.ok_or_else(unlabelled)?;
    match labels.iter().find(|label| usize::try_from(**label).map_or(true, |label| label >= classes)) {
        Some(label) => Err(Error::Data { problem: format!("label {label} for {classes} classes") }),
        None => Ok(labels),
    }
}
