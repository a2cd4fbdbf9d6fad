//! Fine-tuning of a head: minibatches in a seeded order, masks frozen, accuracy on samples that are not trained on.

use std::f64::consts::PI;

use ndarray::Array2;
use serde::Serialize;

use super::gradient::Trained;
use super::options::{FinetuneOptions, Optimiser, Scope};
use crate::backend::{Activation, Backend, RowSource, Transpose, Window};
use crate::error::{Error, Result};
use crate::network::dataset::shuffle;
use crate::network::format::OnnxSource;
use crate::network::{Head, Network, Samples, head_features, head_for};
use crate::prune::{Data, Observer, Timing};
use crate::rng;

/// What came of one pass over the training samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Learning rate of its first step.
    pub rate: f64,
    /// Mean cross-entropy over its training samples, each before the step that it is part of.
    pub loss: f64,
    /// Top-1 accuracy on the held-out samples after it.
    pub held_out: f64,
}

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

/// A network after fine-tuning.
#[derive(Debug)]
pub struct Finetuned {
    /// The network.
    pub network: Network,
    /// What was done.
    pub report: TuningReport,
}

/// Fine-tunes the head of a network by the cross-entropy of its classes.
///
/// Of a network that begins with other layers these compute the features once, on the backend or through `rten`; they
/// stay as they are. Weights that are zero stay zero, and so do the biases of hidden neurons without any weight. The order of
/// samples comes from the stream `finetune` of the seed, so that the same seed gives the same bytes on one device.
/// `held_out` is only measured, it chooses nothing: the network is that of the last epoch.
///
/// # Errors
///
/// [`Error::Data`] without labels or for data that do not fit, [`Error::Unsupported`] where there is nothing to train,
/// [`Error::Argument`] if the loss leaves the finite numbers, what the backend returns.
#[expect(clippy::too_many_arguments, reason = "what is trained, on what, and who watches")]
pub fn finetune<B: Backend>(
    backend: &B,
    network: &Network,
    source: Option<&OnnxSource>,
    training: Data<'_>,
    held_out: Data<'_>,
    options: &FinetuneOptions,
    timing: &mut Timing,
    observer: &dyn Observer,
) -> Result<Finetuned> {
    let head = Head::of(network)?;
    let mut trained = Trained::upload(backend, &head, options.scope)?;
    if !trained.any() {
        let problem = format!("nothing to fine-tune: no layer of the head has {}", options.scope.name());
        return Err(Error::Unsupported { problem });
    }
    let labels = labels_of(&training, head.classes())?;
    labels_of(&held_out, head.classes())?;
    let count = training.inputs.shape()[0];
    let enter = || backend.upload(Features::of(backend, network, source, &head, &training)?.rows());
    let x = timing.phase("features", enter)?;
    let widest = head.layers.iter().map(|layer| layer.weight.matrix_shape()[0]).max().unwrap_or(1);
    let features = Features::of(backend, network, source, &head, &held_out)?;
    let samples = Samples::upload(backend, features.rows(), held_out.labels, widest)?;
    let accuracy =
        |trained: &Trained<B>| -> Result<f64> { Ok(samples.classify(backend, trained)?.download(backend)?.top(1)) };
    let before = accuracy(&trained)?;
    let batch = options.batch.clamp(1, count.max(1));
    let steps = count.div_ceil(batch) * options.epochs;
    let window = Window::new([head.inputs(), 1, 1], [1, 1]);
    let mut order: Vec<u32> = (0..).take(count).collect();
    let mut stream = rng::stream(options.seed, "finetune");
    let (mut epochs, mut step) = (Vec::with_capacity(options.epochs), 0_u32);
    for epoch in 1..=options.epochs {
        observer.step(epoch - 1, options.epochs, "fine-tuning")?;
        shuffle(&mut order, &mut stream);
        let first_rate = rate(options.rate, step, steps);
        let mut total = backend.upload(&Array2::<f32>::zeros((1, 1)))?;
        let mut train = |trained: &mut Trained<B>| -> Result<f64> {
            for chosen in order.chunks(batch) {
                // A row of samples is an image of one place.
                let rows = backend.unfold(&x, &window, Some(&backend.upload_indices(chosen)?))?;
                let of = chosen.iter().map(|at| labels[*at as usize]).collect::<Vec<_>>();
                let signals = trained.forward(backend, &rows)?;
                let logits = signals.last().ok_or_else(|| Error::Internal { what: "no layers".to_owned() })?;
                let entropy = backend.cross_entropy(logits, &backend.upload_indices(&of)?)?;
                let slopes = trained.backward(backend, &rows, &signals, entropy.gradient)?;
                let rate = narrow(rate(options.rate, step, steps));
                step += 1;
                for (parameter, slope) in trained.trained(slopes) {
                    parameter.step(backend, slope, options.optimiser, rate, step)?;
                }
                let ones = backend.upload(&Array2::<f32>::ones((1, chosen.len())))?;
                let sum = backend.matmul(&ones, Transpose::No, &entropy.losses, Transpose::No)?;
                total = backend.weighted_sum(&total, Some(&sum), [1.0, 1.0], Activation::Identity)?;
            }
            Ok(backend.download(&total)?.sum())
        };
        let sum = timing.phase("fine-tune", || train(&mut trained))?;
        if !sum.is_finite() {
            let problem = format!("the loss left the finite numbers in epoch {epoch} at {}; take less", options.rate);
            return Err(Error::Argument { argument: "learning-rate", problem });
        }
        #[expect(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^53")]
        let loss = sum / count as f64;
        let held_out = timing.phase("evaluate", || accuracy(&trained))?;
        epochs.push(Epoch { epoch, rate: first_rate, loss, held_out });
    }
    observer.step(options.epochs, options.epochs, "done")?;
    let report = TuningReport {
        scope: options.scope,
        optimiser: options.optimiser,
        rate: options.rate,
        batch,
        training_samples: count,
        held_out_samples: samples.count,
        before,
        epochs,
    };
    Ok(Finetuned { network: trained.head(backend, &head)?.install(network)?, report })
}

/// Half a cosine from the first rate to zero.
fn rate(first: f64, step: u32, steps: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "numbers of steps are far below 2^53")]
    let share = f64::from(step) / steps.max(1) as f64;
    first * 0.5 * (1.0 + (PI * share).cos())
}

#[expect(clippy::cast_possible_truncation, reason = "rates are used in f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// The labels of samples, each of them a class.
fn labels_of<'a>(data: &Data<'a>, classes: usize) -> Result<&'a [u32]> {
    let Some(labels) = data.labels else {
        return Err(Error::Data { problem: "fine-tuning needs labels".to_owned() });
    };
    match labels.iter().find(|label| usize::try_from(**label).map_or(true, |label| label >= classes)) {
        Some(label) => Err(Error::Data { problem: format!("label {label} for {classes} classes") }),
        None => Ok(labels),
    }
}

/// The inputs of the head for some samples.
enum Features<'d> {
    /// The samples themselves.
    Given(&'d dyn RowSource),
    /// What the layers before the head make of them.
    Computed(Array2<f32>),
}

impl<'d> Features<'d> {
    fn of<B: Backend>(
        backend: &B,
        network: &Network,
        source: Option<&OnnxSource>,
        head: &Head,
        data: &Data<'d>,
    ) -> Result<Self> {
        match head_for(network, data.inputs.shape()[1]) {
            Some(_) => Ok(Self::Given(data.inputs)),
            None => head_features(backend, network, source, head, data.inputs).map(Self::Computed),
        }
    }

    fn rows(&self) -> &dyn RowSource {
        match self {
            Self::Given(inputs) => *inputs,
            Self::Computed(features) => features,
        }
    }
}
