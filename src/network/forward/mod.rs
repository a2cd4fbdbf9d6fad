//! Heads and whole networks on a device: weights go there once, batches of samples too, and logits are computed there.

mod bound;
mod classifier;
mod features;
mod lower;
mod whole;

use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use crate::backend::{Activation, Backend, Classified, Cutoff, DeviceKind, RowSource, ScoredLayer};
use crate::error::{Error, Result};
use crate::network::{Head, Normalization, Tensor};

pub use classifier::{Classifier, DeviceClassifier, head_for};
pub use features::head_features;
pub use whole::DeviceNetwork;
pub(crate) use whole::Signals;

/// The weights and biases of a head on a device.
#[derive(Debug)]
pub struct DeviceHead<B: Backend> {
    /// One matrix per layer, outputs x inputs.
    pub weights: Vec<B::Matrix>,
    /// One row vector per layer that has a bias.
    pub biases: Arc<Vec<Option<B::Matrix>>>,
    activations: Arc<[Activation]>,
}

impl<B: Backend> DeviceHead<B> {
    /// Copies a head to the device.
    ///
    /// # Errors
    ///
    /// What [`Backend::upload`] returns.
    pub fn upload(backend: &B, head: &Head) -> Result<Self> {
        let layers = &head.layers;
        Ok(Self {
            weights: layers.iter().map(|layer| upload_and_release(backend, &layer.weight)).collect::<Result<_>>()?,
            biases: layers
                .iter()
                .map(|layer| layer.bias.as_ref().map(|bias: &Tensor| backend.upload(bias)).transpose())
                .collect::<Result<Vec<_>>>()
                .map(Arc::new)?,
            activations: layers
                .iter()
                .map(|layer| if layer.relu { Activation::Relu } else { Activation::Identity })
                .collect(),
        })
    }

    /// The same head with other weights of the same shapes, such as masked ones; biases are shared.
    #[must_use]
    pub fn with_weights(&self, weights: Vec<B::Matrix>) -> Self {
        Self { weights, biases: Arc::clone(&self.biases), activations: Arc::clone(&self.activations) }
    }

    /// The layers with a score for each weight, to be cut.
    pub(crate) fn scored<'a>(&'a self, scores: &'a [B::Matrix]) -> Vec<ScoredLayer<'a, B::Matrix>> {
        let layers = self.weights.iter().zip(scores).zip(self.biases.iter()).zip(self.activations.iter());
        let layers = layers.map(|(((weights, scores), bias), activation)| ScoredLayer {
            weights,
            scores,
            bias: bias.as_ref(),
            activation: *activation,
        });
        layers.collect()
    }
}

impl<B: Backend> Classifier<B> for DeviceHead<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        let mut signal = None;
        for ((weight, bias), activation) in self.weights.iter().zip(self.biases.iter()).zip(self.activations.iter()) {
            let input = signal.as_ref().unwrap_or(inputs);
            signal = Some(backend.affine(input, weight, bias.as_ref(), *activation)?);
        }
        signal.ok_or_else(|| Error::Internal { what: "a head without layers".to_owned() })
    }
}

/// Copies a matrix to the device and lets the system take back the memory of its file.
fn upload_and_release<B: Backend>(backend: &B, weight: &Tensor) -> Result<B::Matrix> {
    let matrix = backend.upload(weight);
    weight.release();
    matrix
}

/// Rows `first .. first + rows` of another source.
pub(crate) struct Slice<'a> {
    pub(crate) source: &'a dyn RowSource,
    pub(crate) first: usize,
    pub(crate) rows: usize,
}

impl RowSource for Slice<'_> {
    fn shape(&self) -> [usize; 2] {
        [self.rows, self.source.shape()[1]]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        self.source.read_rows(self.first + first, out)
    }
}

/// Samples on a device, in batches that keep the widest signal within [`Samples::BATCH_BYTES`].
#[derive(Debug)]
pub struct Samples<B: Backend> {
    batches: Vec<(B::Matrix, Option<B::Indices>)>,
    /// Number of samples.
    pub count: usize,
    /// Whether the labels are known.
    pub labelled: bool,
}

/// What a network says of samples: the class of each, and the rank of its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// Arg max of the logits.
    pub classes: Vec<u32>,
    /// How many classes come before the label.
    pub ranks: Vec<u32>,
}

/// Answers that are still on the device.
#[derive(Debug)]
pub struct PendingAnswers<B: Backend>(Vec<Classified<B::Indices>>);

impl<B: Backend> Samples<B> {
    /// Bytes that the widest signal of a batch may take.
    pub const BATCH_BYTES: usize = 256 << 20;

    /// The same on the host: steps find more of what others have left in its caches, and less memory is taken.
    const HOST_BYTES: usize = 32 << 20;

    /// Samples of a batch on the host that its bytes do not cut: weights are read for each batch anew.
    const HOST_SAMPLES: usize = 8;

    /// Samples of a batch whose widest signal has so many entries.
    pub(crate) fn step(backend: &B, widest: usize) -> usize {
        let fitting = |bytes: usize| bytes / (4 * widest.max(1));
        let most = fitting(Self::BATCH_BYTES).max(1);
        match backend.device().kind {
            DeviceKind::Cpu => fitting(Self::HOST_BYTES).max(Self::HOST_SAMPLES).min(most),
            DeviceKind::Gpu | DeviceKind::Reference => most,
        }
    }

    /// Copies samples to the device; `widest` is the largest layer they will pass.
    ///
    /// # Errors
    ///
    /// What [`Backend::upload`] returns.
    pub fn upload(backend: &B, inputs: &dyn RowSource, labels: Option<&[u32]>, widest: usize) -> Result<Self> {
        let [count, columns] = inputs.shape();
        let step = Self::step(backend, widest.max(columns));
        let batches = (0..count).step_by(step).map(|first| {
            let rows = step.min(count - first);
            let matrix = backend.upload(&Slice { source: inputs, first, rows })?;
            let labels = labels.map(|labels| backend.upload_indices(&labels[first..first + rows])).transpose()?;
            Ok((matrix, labels))
        });
        Ok(Self { batches: batches.collect::<Result<_>>()?, count, labelled: labels.is_some() })
    }

    /// Classifies all samples and leaves the answers on the device. A softmax over samples is over all of them, as in one run.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return.
    pub fn classify(&self, backend: &B, network: &impl Classifier<B>) -> Result<PendingAnswers<B>> {
        if let Some(normalization) = network.normalization() {
            return self.classify_behind(backend, network, normalization);
        }
        let answers = self
            .batches
            .iter()
            .map(|(inputs, labels)| backend.classify(&network.logits(backend, inputs)?, labels.as_ref()));
        Ok(PendingAnswers(answers.collect::<Result<_>>()?))
    }

    /// Classifies behind a softmax that compares other values than the classes of a sample: on the host, in f64, for it may
    /// take all samples.
    fn classify_behind(
        &self,
        backend: &B,
        network: &impl Classifier<B>,
        normalization: &Normalization,
    ) -> Result<PendingAnswers<B>> {
        let logits = self.batches.iter().map(|(inputs, _)| backend.download(&network.logits(backend, inputs)?));
        let logits: Vec<Array2<f64>> = logits.collect::<Result<_>>()?;
        let views: Vec<ArrayView2<'_, f64>> = logits.iter().map(|logits| logits.view()).collect();
        let internal = |error: ndarray::ShapeError| Error::Internal { what: format!("logits of batches: {error}") };
        let mut all = concatenate(Axis(0), &views).map_err(internal)?;
        normalization.apply(&mut all);
        #[expect(clippy::cast_possible_truncation, reason = "what goes to a backend is f32")]
        let all = all.mapv(|value| value as f32);
        let mut first = 0;
        let answers = self.batches.iter().zip(&logits).map(|((_, labels), logits)| {
            let rows = logits.nrows();
            let batch = backend.upload(&Slice { source: &all, first, rows })?;
            first += rows;
            backend.classify(&batch, labels.as_ref())
        });
        Ok(PendingAnswers(answers.collect::<Result<_>>()?))
    }

    /// Classifies all samples at every cut-off, see [`Backend::classify_at`].
    pub(crate) fn classify_at(
        &self,
        backend: &B,
        layers: &[ScoredLayer<'_, B::Matrix>],
        cutoffs: &[Vec<Cutoff>],
    ) -> Result<Vec<PendingAnswers<B>>> {
        let answers = backend.classify_at(&self.batches, layers, cutoffs)?;
        Ok(answers.into_iter().map(PendingAnswers).collect())
    }
}

impl<B: Backend> PendingAnswers<B> {
    /// Copies the answers to the host.
    ///
    /// # Errors
    ///
    /// What [`Backend::download_indices`] returns.
    pub fn download(&self, backend: &B) -> Result<Answers> {
        let mut answers = Answers { classes: Vec::new(), ranks: Vec::new() };
        for classified in &self.0 {
            answers.classes.extend(backend.download_indices(&classified.class)?);
            answers.ranks.extend(backend.download_indices(&classified.rank)?);
        }
        Ok(answers)
    }
}

impl Answers {
    /// The share of samples whose label is among the first `k` classes.
    #[must_use]
    pub fn top(&self, k: u32) -> f64 {
        share(self.ranks.iter().filter(|rank| **rank < k).count(), self.ranks.len())
    }

    /// The share of samples on which two networks agree.
    #[must_use]
    pub fn agreement(&self, other: &Self) -> f64 {
        let same = self.classes.iter().zip(&other.classes).filter(|(a, b)| a == b).count();
        share(same, self.classes.len())
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of samples are far below 2^53")]
fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}
