//! Distilled inputs: synthetic ones moved until a network sees in them what it saw in training.
//!
//! Batch norms hold mean `m` and variance `v` of what passed through them in training. Inputs of a batch are moved by Adam
//! against
//!
//! ```text
//! L = sum over norms of mean over channels of (m_b - m)^2 / v + (s_b / sqrt(v) - 1)^2  +  w cross-entropy to a class by chance
//! ```
//!
//! with mean `m_b` and deviation `s_b` of the batch at each norm (Cai et al., *`ZeroQ`*, arXiv 2001.00281; Yin et al.,
//! *`DeepInversion`*, arXiv 1912.08795), and are cut to what pixels can be after every step. Where a network holds no batch norms
//! there is nothing to aim at: classes alone lead away from what data look like.

mod norms;

use ndarray::Array2;
use rand::RngExt;

use super::SyntheticInputs;
use super::prior::PixelBounds;
use crate::backend::{Activation, Adam, Backend, Combination, RowSource};
use crate::error::{Error, Result};
use crate::network::format::OnnxSource;
use crate::network::{Program, Reverse};
use crate::prune::Observer;
use crate::rng;
use norms::Norm;

/// Values of a trace in one batch at most, in bytes.
const TRACE: usize = 512 << 20;

/// Inputs of one batch at most: statistics of a batch are to be those of training.
const BATCH: usize = 250;

/// Settings of distilled inputs.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct DistilOptions {
    /// Steps of Adam.
    pub steps: u32,
    /// Their rate, in units of the network's input.
    pub rate: f32,
    /// Weight of the cross-entropy beside norms.
    pub class_weight: f32,
}

impl Default for DistilOptions {
    fn default() -> Self {
        Self { steps: 20, rate: 0.05, class_weight: 0.1 }
    }
}

/// Inputs that were distilled, and how far they came.
#[derive(Debug, Clone)]
pub struct Distilled {
    /// One input in each row.
    pub inputs: Array2<f32>,
    /// Batch norms that told what to aim at.
    pub norms: usize,
    /// The loss before the first and before the last step, mean over batches.
    pub loss: [f64; 2],
}

impl RowSource for Distilled {
    fn shape(&self) -> [usize; 2] {
        self.inputs.dim().into()
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        RowSource::read_rows(&self.inputs, first, out)
    }
}

/// Distils the inputs that `start` draws for a network.
///
/// # Errors
///
/// [`Error::Unsupported`] for a network without batch norms, or of which some operator has no rule on backends; what the
/// backend returns.
pub fn distil<B: Backend>(
    backend: &B,
    source: &OnnxSource,
    start: &SyntheticInputs,
    options: &DistilOptions,
    observer: &dyn Observer,
) -> Result<Distilled> {
    let graph = source.operators();
    let norms = Norm::of(backend, graph)?;
    if norms.is_empty() {
        let problem = "no batch norm tells what inputs of the network look like, for the prior `distilled`";
        return Err(Error::Unsupported { problem: problem.to_owned() });
    }
    let logits = graph.logits()?;
    let targets: Vec<&str> = norms.iter().map(|norm| norm.value.as_str()).chain([logits.as_str()]).collect();
    let reverse = Reverse::new(backend, Program::upload(backend, graph, &targets)?)?;
    let [count, width] = start.shape();
    let most = (TRACE / 4 / reverse.traced.max(1)).clamp(1, BATCH);
    let (batches, batch) = (count.div_ceil(most), count.div_ceil(count.div_ceil(most)));
    let mut run = Run { backend, reverse, norms, logits, start, options, loss: [0.0; 2] };
    let mut inputs = Array2::zeros((count, width));
    for (at, first) in (0..count).step_by(batch).enumerate() {
        let rows = batch.min(count - first);
        let step = |done: usize| {
            let all = options.steps as usize;
            observer.step(at * all + done, batches * all, "distilled inputs")
        };
        let found = run.batch(first, rows, &step)?;
        inputs.slice_mut(ndarray::s![first..first + rows, ..]).assign(&found.mapv(narrow));
    }
    let loss = run.loss.map(|loss| loss / batches as f64);
    Ok(Distilled { inputs, norms: run.norms.len(), loss })
}

struct Run<'a, B: Backend> {
    backend: &'a B,
    reverse: Reverse<B>,
    norms: Vec<Norm<B>>,
    /// The value that classes are told from.
    logits: String,
    start: &'a SyntheticInputs,
    options: &'a DistilOptions,
    loss: [f64; 2],
}

impl<B: Backend> Run<'_, B> {
    fn batch(&mut self, first: usize, rows: usize, step: &dyn Fn(usize) -> Result<()>) -> Result<Array2<f64>> {
        let (backend, [_, width]) = (self.backend, self.start.shape());
        let mut start = Array2::<f32>::zeros((rows, width));
        let lost = || Error::Internal { what: "inputs that are no rows".to_owned() };
        self.start.read_rows(first, start.as_slice_mut().ok_or_else(lost)?)?;
        let mut inputs = backend.upload(&start)?;
        let shares = norms::shares(backend, rows)?;
        let bounds = self.start.bounds().map(|bounds| self.bounds(&bounds)).transpose()?;
        let zero = backend.weighted_sum(&inputs, None, [0.0, 0.0], Activation::Identity)?;
        let mut moments = [backend.weighted_sum(&zero, None, [1.0, 0.0], Activation::Identity)?, zero];
        let mut classes: Option<B::Indices> = None;
        for at in 1..=self.options.steps {
            step(at as usize - 1)?;
            let copy = backend.weighted_sum(&inputs, None, [1.0, 0.0], Activation::Identity)?;
            let mut trace = self.reverse.trace(backend, copy)?;
            let (mut slopes, mut losses) = (Vec::new(), Vec::new());
            let reported = at == 1 || at == self.options.steps;
            for norm in &self.norms {
                let value = trace.value(backend, self.reverse.program(), &norm.value)?;
                let (loss, slope) = norm.slope(backend, value, &shares)?;
                losses.push(loss);
                slopes.push((norm.value.as_str(), slope));
            }
            let logits = trace.value(backend, self.reverse.program(), &self.logits)?;
            let count = backend.shape(logits)[1];
            if classes.is_none() {
                classes = Some(backend.upload_indices(&chosen(self.start.seed(), first..first + rows, count))?);
            }
            let weight = self.options.class_weight;
            if let Some(classes) = classes.as_ref().filter(|_| weight > 0.0) {
                // The slope of a sum over inputs, as that of norms is.
                let entropy = backend.cross_entropy(logits, classes)?;
                #[expect(clippy::cast_precision_loss, reason = "batches are small")]
                let factor = weight * rows as f32;
                let slope = backend.weighted_sum(&entropy.gradient, None, [factor, 0.0], Activation::Identity)?;
                losses.push(entropy.losses);
                slopes.push((self.logits.as_str(), slope));
            }
            let slope = self.reverse.pull_back(backend, trace, slopes)?;
            if reported {
                self.account(&losses, weight, usize::from(at > 1))?;
            }
            let adam = Adam { rate: self.options.rate, decays: [0.9, 0.999], epsilon: 1e-8, step: at };
            let state = backend.adam_step(&inputs, &slope, [&moments[0], &moments[1]], adam)?;
            moments = [state.mean, state.square];
            inputs = state.weights;
            if let Some((low, high, share)) = &bounds {
                inputs = backend.combine(&inputs, low, Combination::Max, *share)?;
                inputs = backend.combine(&inputs, high, Combination::Min, *share)?;
            }
        }
        backend.download(&inputs)
    }

    /// The least and the largest value of each channel, and how many of them lie side by side.
    fn bounds(&self, bounds: &PixelBounds) -> Result<(B::Matrix, B::Matrix, usize)> {
        let vector = |at: usize| {
            let values = Array2::from_shape_fn((1, bounds.ends.len()), |(_, channel)| bounds.ends[channel][at]);
            self.backend.upload(&values)
        };
        Ok((vector(0)?, vector(1)?, bounds.share))
    }

    fn account(&mut self, losses: &[B::Matrix], weight: f32, at: usize) -> Result<()> {
        for (number, loss) in losses.iter().enumerate() {
            let mean = self.backend.download(loss)?.mean().unwrap_or(0.0);
            self.loss[at] += if number < self.norms.len() { mean } else { f64::from(weight) * mean };
        }
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

/// A class for each input, from the stream of its number.
fn chosen(seed: u64, inputs: std::ops::Range<usize>, classes: usize) -> Vec<u32> {
    let class = |input: usize| rng::stream(seed, &format!("distilled/class/{input}")).random_range(0..classes.max(1));
    inputs.map(|input| u32::try_from(class(input)).unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::path::Path;

    use super::*;
    use crate::backend::{Cpu, Reference};
    use crate::network::format::load;
    use crate::prune::synth::Prior;

    fn start() -> (std::sync::Arc<OnnxSource>, SyntheticInputs) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/residual.onnx");
        let model = load(&path, None).unwrap();
        let inputs = SyntheticInputs::new(&model.network, Prior::Leaves, 24, 3).unwrap();
        (model.onnx.unwrap(), inputs)
    }

    #[test]
    fn statistics_come_nearer_and_seeds_give_the_same_inputs() {
        let (source, inputs) = start();
        let options = DistilOptions { class_weight: 0.0, ..DistilOptions::default() };
        let run = |options: &DistilOptions| distil(&Cpu::new(), &source, &inputs, options, &()).unwrap();
        let first = run(&options);
        assert!(first.norms > 0 && first.loss[1] < 0.9 * first.loss[0], "{first:?}");
        assert!(
            first
                .inputs
                .iter()
                .map(|value| value.to_bits())
                .eq(run(&options).inputs.iter().map(|value| value.to_bits()))
        );
        // Pixels stay in 0..=1 before they are normalised, with 0.5 and 0.25 here.
        assert!(first.inputs.iter().all(|value| (-2.0..=2.0).contains(value)));
        let mut drawn = Array2::zeros(first.inputs.dim());
        inputs.read_rows(0, drawn.as_slice_mut().unwrap()).unwrap();
        assert!(first.inputs != drawn);
        // What is said of classes counts.
        assert!(run(&DistilOptions { class_weight: 10.0, ..options }).inputs != first.inputs);
    }

    #[test]
    fn the_reference_goes_the_same_way() {
        let (source, inputs) = start();
        let options = DistilOptions { steps: 3, ..DistilOptions::default() };
        let [on_cpu, wide] = [
            distil(&Cpu::new(), &source, &inputs, &options, &()).unwrap(),
            distil(&Reference::new(), &source, &inputs, &options, &()).unwrap(),
        ];
        // Adam divides slopes by their size: where one is near zero its sign may differ, in a few of all pixels.
        let apart = on_cpu.inputs.iter().zip(&wide.inputs).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
        assert!(apart * 100 < wide.inputs.len(), "{apart} of {}", wide.inputs.len());
        assert!((on_cpu.loss[0] - wide.loss[0]).abs() < 1e-4 * wide.loss[0]);
    }
}
