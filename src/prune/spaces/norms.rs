//! Batch norms in batch-statistics mode: made-up inputs in the scale that layers were trained on.
//!
//! Through batch norms with the statistics of training, inputs that look otherwise drift from layer to layer. Here each norm
//! takes mean and variance from the inputs at hand, `z -> (z - m_b) / sqrt(v_b + epsilon)`, in the original network; the network that
//! shrinks has the *same* affine maps, so that what is fitted between them is what it would be. The file that is written
//! keeps the statistics of training.

use crate::backend::{Backend, RowSource};
use crate::error::Result;
use crate::network::Tensor;
use crate::network::format::OnnxSource;
use crate::network::spaces::OperatorGraph;
use crate::network::streams::Streams;

/// Inputs that statistics are taken over at most: each gives values at many places.
const INPUTS: usize = 256;

/// Inputs of one run at most.
const RUN: usize = 64;

/// A batch norm with mean and variance of the inputs at hand.
#[derive(Debug, Clone)]
pub(super) struct Norm {
    operator: usize,
    statistics: [Tensor; 2],
}

/// The batch norms of a graph, each with statistics behind those before it.
pub(super) fn calibrated<B: Backend>(
    backend: &B,
    source: &OnnxSource,
    graph: &OperatorGraph,
    inputs: &dyn RowSource,
) -> Result<Vec<Norm>> {
    let [count, width] = inputs.shape();
    let rows = count.min(INPUTS);
    let mut samples = vec![0.0; rows * width];
    inputs.read_rows(0, &mut samples)?;
    let (mut now, mut norms) = (graph.clone(), Vec::new());
    for at in 0..graph.operators.len() {
        let operator = &graph.operators[at];
        let weights = |input: usize| operator.input(input).and_then(|value| graph.weights(value));
        let (Some(mean), Some(variance), Some(value)) = (weights(3), weights(4), operator.input(0)) else { continue };
        if operator.kind != "BatchNormalization" || operator.int("training_mode", 0) != 0 {
            continue;
        }
        let name = graph.values[value].as_str();
        let streams = Streams::new(backend, source, &now, &[name])?;
        let mut moments = Moments::new(mean.len());
        for batch in samples.chunks(streams.step(RUN) * width) {
            let (rows, values) = (batch.len() / width, streams.values(batch, batch.len() / width, &[name])?);
            for batch in &values {
                // What was filled up to the batch of a model is no sample.
                let held = batch.values.len() / streams.held(rows) * rows;
                moments.add(&batch.values[..held], batch.shape.iter().skip(2).product());
            }
        }
        let [now_mean, now_variance] = moments.taken();
        let tensor = |old: &Tensor, values| Tensor::owned(old.name(), old.element(), old.dimensions().to_vec(), values);
        let statistics = [tensor(mean, now_mean)?, tensor(variance, now_variance)?];
        let norm = Norm { operator: at, statistics };
        norm.put(&mut now);
        norms.push(norm);
    }
    Ok(norms)
}

impl Norm {
    /// Puts its statistics into a graph of the same operators.
    pub(super) fn put(&self, graph: &mut OperatorGraph) {
        for (input, tensor) in self.statistics.iter().enumerate() {
            graph.replace(self.operator, 3 + input, tensor.clone());
        }
    }
}

/// Sums over places of each channel, about the first value of each so that squares keep their digits.
struct Moments {
    centre: Vec<f64>,
    sums: Vec<[f64; 2]>,
    count: usize,
}

impl Moments {
    fn new(channels: usize) -> Self {
        Self { centre: Vec::new(), sums: vec![[0.0; 2]; channels], count: 0 }
    }

    fn add(&mut self, values: &[f32], places: usize) {
        let channels = self.sums.len();
        if self.centre.is_empty() {
            self.centre = values.chunks(places.max(1)).take(channels).map(|plane| f64::from(plane[0])).collect();
        }
        for image in values.chunks_exact((channels * places).max(1)) {
            let planes = image.chunks_exact(places.max(1));
            for ((plane, sums), centre) in planes.zip(&mut self.sums).zip(&self.centre) {
                for value in plane {
                    let off = f64::from(*value) - centre;
                    sums[0] += off;
                    sums[1] += off * off;
                }
            }
            self.count += places;
        }
    }

    /// Means and variances.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "statistics are f32, counts far below 2^53"
    )]
    fn taken(self) -> [Vec<f32>; 2] {
        let count = self.count.max(1) as f64;
        let means = self.sums.iter().zip(&self.centre).map(|([sum, _], centre)| (centre + sum / count) as f32);
        let variances = self.sums.iter().map(|[sum, squares]| {
            let mean = sum / count;
            (squares / count - mean * mean).max(0.0) as f32
        });
        [means.collect(), variances.collect()]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::path::Path;

    use super::*;
    use crate::backend::Cpu;
    use crate::network::format::load;
    use crate::prune::Timing;
    use crate::prune::spaces::{Importance, SpaceOptions, prune_spaces};
    use crate::prune::synth::{Prior, SyntheticInputs};

    #[test]
    fn norms_see_what_they_saw_in_training() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/residual.onnx");
        let (model, cpu) = (load(&path, None).unwrap(), Cpu::new());
        let source = model.onnx.as_deref().unwrap();
        let graph = source.operators();
        let inputs = SyntheticInputs::new(&model.network, Prior::Leaves, 64, 3).unwrap();
        let norms = calibrated(&cpu, source, graph, &inputs).unwrap();
        assert!(!norms.is_empty());
        let mut now = graph.clone();
        norms.iter().for_each(|norm| norm.put(&mut now));
        let mut samples = vec![0.0; 64 * inputs.shape()[1]];
        inputs.read_rows(0, &mut samples).unwrap();
        for norm in &norms {
            let operator = &now.operators[norm.operator];
            let name = now.values[operator.outputs[0].unwrap()].as_str();
            let value = &Streams::new(&cpu, source, &now, &[name]).unwrap().values(&samples, 64, &[name]).unwrap()[0];
            let weights = |input: usize| now.weights(operator.input(input).unwrap()).unwrap().to_vec();
            let (scale, shift) = (weights(1), weights(2));
            let mut moments = Moments::new(scale.len());
            moments.add(&value.values, value.shape.iter().skip(2).product());
            let [means, variances] = moments.taken();
            for channel in 0..scale.len() {
                let near = |a: f32, b: f32| (a - b).abs() < 1e-2 * (1.0 + b.abs());
                assert!(near(means[channel], shift[channel]), "{name}: {means:?} {shift:?}");
                // A channel that is the same everywhere has no variance to bring to one.
                let one = scale[channel].powi(2);
                assert!(near(variances[channel], one) || variances[channel] < one, "{name}: {variances:?} {scale:?}");
            }
        }
    }

    #[test]
    fn files_keep_the_statistics_of_training() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/residual.onnx");
        let (model, cpu) = (load(&path, None).unwrap(), Cpu::new());
        let source = model.onnx.as_deref().unwrap();
        let inputs = SyntheticInputs::new(&model.network, Prior::Leaves, 64, 3).unwrap();
        let run = |batch_statistics| {
            let importance = Importance::SynthRefit;
            let options = SpaceOptions { importance, batch_statistics, leave_trunks: true, ..SpaceOptions::default() };
            prune_spaces(&cpu, source, Some(&inputs), &options, &(), &mut Timing::default()).unwrap().graph
        };
        let [with, without] = [run(true), run(false)];
        let weights = |graph: &OperatorGraph, at: usize, input: usize| {
            let value = graph.operators[at].input(input)?;
            graph.weights(value).map(Tensor::to_vec)
        };
        let mut refits = 0;
        for (at, operator) in source.operators().operators.iter().enumerate() {
            match operator.kind.as_str() {
                "BatchNormalization" => {
                    let old = weights(source.operators(), at, 4).unwrap();
                    let new = weights(&with, at, 4).unwrap();
                    assert!(new.iter().all(|value| old.contains(value)), "{}: {new:?} {old:?}", operator.name);
                }
                _ => refits += usize::from(weights(&with, at, 1) != weights(&without, at, 1)),
            }
        }
        assert!(refits > 0);
    }

    #[test]
    fn moments_by_hand() {
        let mut moments = Moments::new(2);
        // Two images of two channels with two places.
        moments.add(&[1.0, 3.0, 10.0, 10.0, 5.0, 7.0, 10.0, 14.0], 2);
        assert_eq!(moments.taken(), [vec![4.0, 11.0], vec![5.0, 3.0]]);
    }
}
