//! The loop of training: minibatches in a seeded order, a schedule, held-out samples, early stop.

use ndarray::Array2;
use rand::RngExt;
use serde::Serialize;

use super::checkpoint::{Checkpoint, Identity, Loop};
use super::network::{Lesson, Trained};
use super::options::{Augment, TrainOptions};
use super::parameter::Stride;
use super::vary::Variation;
use crate::backend::{Activation, Backend, Window};
use crate::error::{Error, Result};
use crate::network::Samples;
use crate::network::dataset::shuffle;
use crate::network::spaces::OperatorGraph;
use crate::prune::{Data, Observer, Timing};
use crate::rng;

/// What came of one pass over the training samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Learning rate of its first step.
    pub rate: f64,
    /// Mean loss over its training samples, each before the step that it is part of.
    pub loss: f64,
    /// Top-1 accuracy on the held-out samples after it.
    pub held_out: f64,
}

/// Why training has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// All epochs are done.
    Done,
    /// The held-out accuracy no longer grew.
    Early,
    /// The loss left the finite numbers: the state is that of the epoch before.
    Diverged,
}

/// The report of training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainReport {
    /// Settings.
    pub options: TrainOptions,
    /// Weights that were trained.
    pub trained: u64,
    /// Samples that were trained on.
    pub training_samples: usize,
    /// Other samples, on which accuracy is measured.
    pub held_out_samples: usize,
    /// Epochs that a checkpoint had done.
    pub resumed: usize,
    /// Top-1 accuracy on them before training.
    pub before: f64,
    /// One entry for each epoch with a finite loss.
    pub epochs: Vec<Epoch>,
    /// Why it has ended.
    pub ended: Ended,
    /// The epoch whose state the network has.
    pub chosen: usize,
}

/// What samples are trained to.
pub(super) enum Goal<'a> {
    /// Their classes.
    Labels(&'a [u32]),
    /// The logits of another network for them, `n x k`.
    Teacher(&'a Array2<f32>),
}

impl<'a> Goal<'a> {
    /// Classes, if these are learnt.
    pub(super) fn labels(&self) -> Option<&'a [u32]> {
        match self {
            Self::Labels(labels) => Some(labels),
            Self::Teacher(_) => None,
        }
    }

    /// Logits, if these are learnt.
    pub(super) fn teacher(&self) -> Option<&'a Array2<f32>> {
        match self {
            Self::Labels(_) => None,
            Self::Teacher(logits) => Some(logits),
        }
    }
}

/// A graph to train, and what to train it on.
pub(super) struct Task<'a> {
    pub(super) graph: &'a OperatorGraph,
    /// Whether the tensor of a name is trained.
    pub(super) chosen: &'a dyn Fn(&str) -> bool,
    /// `n x d`.
    pub(super) training: Data<'a>,
    pub(super) goal: Goal<'a>,
    pub(super) held_out: Data<'a>,
    /// Channels, height and width of a sample, where samples are varied as images.
    pub(super) image: Option<[usize; 3]>,
    /// Where the state is kept.
    pub(super) checkpoint: Option<&'a Checkpoint>,
}

/// Trains a graph, from its weights or from a state of this training.
///
/// # Errors
///
/// [`Error::Unsupported`] where nothing can be trained, [`Error::Argument`] if the loss is not finite in the first epoch already,
/// [`Error::Format`] for a state of another training, and what the backend returns.
pub(super) fn fit<B: Backend>(
    backend: &B,
    task: &Task<'_>,
    options: &TrainOptions,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<(OperatorGraph, TrainReport)> {
    let mut trained = Trained::upload(backend, task.graph, task.chosen)?;
    if !trained.any() {
        return Err(Error::Unsupported { problem: "no weight of the network can be trained".to_owned() });
    }
    for data in [&task.training, &task.held_out] {
        let [_, width] = data.inputs.shape();
        if width != trained.inputs() {
            let problem = format!("a sample has {width} values, the network takes {}", trained.inputs());
            return Err(Error::Data { problem });
        }
    }
    let count = task.training.inputs.shape()[0];
    let x = timing.phase("upload", || backend.upload(task.training.inputs))?;
    let teacher = task.goal.teacher().map(|logits| backend.upload(logits)).transpose()?;
    let samples = Samples::upload(backend, task.held_out.inputs, task.held_out.labels, trained.widest())?;
    let accuracy =
        |trained: &Trained<B>| -> Result<f64> { Ok(samples.classify(backend, trained)?.download(backend)?.top(1)) };
    let variation = match task.image {
        Some(image) if options.augment.any() => Some(Variation::new(backend, image, options.augment)?),
        None if options.augment != Augment::default() => {
            let problem = "samples are no images: there is nothing to shift or to mirror".to_owned();
            return Err(Error::Argument { argument: "shift", problem });
        }
        _ => None,
    };
    let batch = options.batch.clamp(1, count.max(1));
    let all = count.div_ceil(batch) * options.epochs;
    let stream = rng::stream(options.seed, "train/order");
    let kept = match task.checkpoint {
        Some(checkpoint) => {
            let identity = timing.phase("checkpoint", || Identity::of(task, options))?;
            Some((checkpoint, checkpoint.load(&identity, stream.clone())?, identity))
        }
        None => None,
    };
    // The state to end with, `good`, is that of the last good epoch, or of the best one where training may end early.
    let (mut at, kept) = match kept {
        Some((checkpoint, Some((at, mut matrices)), identity)) => {
            trained.restore(backend, options.optimiser, &mut matrices)?;
            (at, Some((checkpoint, identity)))
        }
        kept => {
            let order = (0..).take(count).collect();
            let (before, good) = (accuracy(&trained)?, trained.numbers(backend)?);
            let best = f64::NEG_INFINITY;
            let at = Loop { epochs: Vec::new(), before, best, chosen: 0, step: 0, order, stream, good };
            (at, kept.map(|(checkpoint, _, identity)| (checkpoint, identity)))
        }
    };
    let resumed = at.epochs.len();
    let mut ended = Ended::Done;
    let mut run = Run { backend, x, goal: &task.goal, teacher, variation, options, batch, all, step: at.step };
    for epoch in resumed + 1..=options.epochs {
        if options.patience.is_some_and(|patience| epoch > at.chosen + patience) {
            ended = Ended::Early;
            break;
        }
        let told = at.epochs.last().map_or_else(
            || "training".to_owned(),
            |last: &Epoch| format!("loss {:.4}, held out {:.2} %", last.loss, 100.0 * last.held_out),
        );
        observer.step(epoch - 1, options.epochs, &told)?;
        shuffle(&mut at.order, &mut at.stream);
        let rate = run.rate();
        let loss = timing.phase("train", || run.epoch(&mut trained, &at.order, &mut at.stream))?;
        if !loss.is_finite() {
            ended = Ended::Diverged;
            break;
        }
        let held_out = timing.phase("evaluate", || accuracy(&trained))?;
        at.epochs.push(Epoch { epoch, rate, loss, held_out });
        at.step = run.step;
        if options.patience.is_none() || held_out > at.best {
            (at.good, at.best, at.chosen) = (trained.numbers(backend)?, held_out, epoch);
        }
        if let Some((checkpoint, identity)) = kept.as_ref().filter(|(kept, _)| kept.due(epoch, epoch == options.epochs))
        {
            timing.phase("checkpoint", || checkpoint.save(identity, &at, trained.state(backend)?))?;
        }
    }
    observer.step(options.epochs, options.epochs, "done")?;
    if at.epochs.is_empty() && options.epochs > 0 {
        let problem = format!("the loss left the finite numbers in the first epoch at {}; take less", options.rate);
        return Err(Error::Argument { argument: "learning-rate", problem });
    }
    let report = TrainReport {
        options: *options,
        trained: trained.count(task.graph),
        training_samples: count,
        held_out_samples: samples.count,
        resumed,
        before: at.before,
        epochs: at.epochs,
        ended,
        chosen: at.chosen,
    };
    Ok((trained.graph(task.graph, at.good)?, report))
}

struct Run<'a, B: Backend> {
    backend: &'a B,
    x: B::Matrix,
    goal: &'a Goal<'a>,
    teacher: Option<B::Matrix>,
    variation: Option<Variation<B>>,
    options: &'a TrainOptions,
    batch: usize,
    /// Steps of all epochs.
    all: usize,
    step: u32,
}

impl<B: Backend> Run<'_, B> {
    /// The learning rate of the next step.
    fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "numbers of steps are far below 2^53")]
        let share = f64::from(self.step) / self.all.max(1) as f64;
        self.options.rate * self.options.schedule.at(share)
    }

    /// One pass over the samples in their order; the mean of their losses.
    fn epoch(&mut self, trained: &mut Trained<B>, order: &[u32], stream: &mut impl RngExt) -> Result<f64> {
        let backend = self.backend;
        let mut total = backend.upload(&Array2::<f32>::zeros((1, 1)))?;
        for chosen in order.chunks(self.batch) {
            let picked = backend.upload_indices(chosen)?;
            let mut rows = rows(backend, &self.x, &picked)?;
            if let Some(variation) = &self.variation {
                rows = variation.of(backend, &rows, stream)?;
            }
            let labels: Vec<u32>;
            let lesson = match (self.goal, &self.teacher) {
                (Goal::Labels(all), _) => {
                    labels = chosen.iter().map(|at| all[*at as usize]).collect();
                    Lesson::Labels(&labels)
                }
                (Goal::Teacher(_), Some(logits)) => Lesson::Teacher(self::rows(backend, logits, &picked)?),
                _ => return Err(Error::Internal { what: "a teacher without logits".to_owned() }),
            };
            #[expect(clippy::cast_possible_truncation, reason = "rates and decays are used in f32")]
            let (rate, decay) = (self.rate() as f32, self.options.decay as f32);
            self.step += 1;
            let stride = Stride { optimiser: self.options.optimiser, rate, decay, number: self.step };
            let sum = trained.step(backend, rows, &lesson, stride)?;
            total = backend.weighted_sum(&total, Some(&sum), [1.0, 1.0], Activation::Identity)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^53")]
        let count = order.len().max(1) as f64;
        Ok(backend.download(&total)?.sum() / count)
    }
}

/// Some rows of a matrix: a row is an image of one place.
pub(super) fn rows<B: Backend>(backend: &B, x: &B::Matrix, picked: &B::Indices) -> Result<B::Matrix> {
    backend.unfold(x, &Window::new([backend.shape(x)[1], 1, 1], [1, 1]), Some(picked))
}
