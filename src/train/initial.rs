//! Weights before training.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::error::Result;
use crate::network::Tensor;
use crate::network::spaces::{Constant, Operator, OperatorGraph, ValueId};
use crate::prune::synth::normal;
use crate::rng;

/// How weights begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initial {
    /// Weights and biases uniform in `+-1 / sqrt(inputs)`, as `PyTorch` draws them.
    Pytorch,
    /// Weights uniform in `+-sqrt(6 / (inputs + outputs))` (Glorot and Bengio, 2010), biases 0.
    Xavier,
    /// Weights and biases from `N(0, 1)`.
    Normal,
    /// Weights and biases from a normal distribution of variance 0.1.
    SmallNormal,
}

/// Terms of one sum of a layer, and sums in which one of its inputs takes part: for kernels of `k` places `k` times the channels.
#[derive(Debug, Clone, Copy)]
struct Fan {
    inputs: usize,
    outputs: usize,
}

impl Initial {
    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pytorch => "pytorch",
            Self::Xavier => "xavier",
            Self::Normal => "normal",
            Self::SmallNormal => "small-normal",
        }
    }

    /// One number of the weights or biases of a layer.
    #[expect(clippy::cast_precision_loss, reason = "widths are far below 2^24")]
    fn draw(self, fan: Fan, bias: bool, stream: &mut ChaCha8Rng) -> f32 {
        let (inputs, sum) = (fan.inputs.max(1) as f32, (fan.inputs + fan.outputs).max(1) as f32);
        match self {
            Self::Pytorch => stream.random_range(-1.0_f32..=1.0) / inputs.sqrt(),
            Self::Xavier if bias => 0.0,
            Self::Xavier => stream.random_range(-1.0_f32..=1.0) * (6.0 / sum).sqrt(),
            Self::Normal => normal(stream),
            Self::SmallNormal => normal(stream) * 0.1_f32.sqrt(),
        }
    }
}

/// A graph whose contractions have new weights and biases, from the streams `train/initial/<tensor>` of the seed; all else,
/// norms and embeddings among it, is as it was. With `masked`, weights that are zero stay zero.
pub(crate) fn initialised(graph: &OperatorGraph, initial: Initial, seed: u64, masked: bool) -> Result<OperatorGraph> {
    let mut new = graph.clone();
    for operator in &graph.operators {
        let Some((weight, fan)) = weights(graph, operator) else { continue };
        let bias = operator.input(2).filter(|_| operator.kind != "MatMul");
        for (value, bias) in [(Some(weight), false), (bias, true)] {
            let Some((value, tensor)) = value.and_then(|value| Some((value, graph.weights(value)?))) else { continue };
            let mut stream = rng::stream(seed, &format!("train/initial/{}", tensor.name()));
            let drawn = tensor.to_vec().into_iter().map(|old| {
                let drawn = initial.draw(fan, bias, &mut stream);
                if masked && !bias && old == 0.0 { 0.0 } else { drawn }
            });
            let (element, shape) = (tensor.element(), tensor.dimensions().to_vec());
            let tensor = Tensor::owned(tensor.name(), element, shape, drawn.collect())?;
            new.constants.insert(value, Constant::Weights(tensor));
        }
    }
    Ok(new)
}

/// The weights of a contraction, and how wide its layer is.
fn weights(graph: &OperatorGraph, operator: &Operator) -> Option<(ValueId, Fan)> {
    let value = operator.input(1)?;
    let shape = graph.weights(value)?.dimensions();
    let (rows, columns) = (*shape.first()?, *shape.get(1)?);
    let places: usize = shape[2..].iter().product();
    let groups = usize::try_from(operator.int("group", 1)).unwrap_or(1).max(1);
    let fan = match operator.kind.as_str() {
        "Conv" => Fan { inputs: columns * places, outputs: rows / groups * places },
        "ConvTranspose" => Fan { inputs: rows / groups * places, outputs: columns * places },
        "Gemm" if operator.int("transB", 0) != 0 => Fan { inputs: columns, outputs: rows },
        "Gemm" | "MatMul" if shape.len() == 2 => Fan { inputs: rows, outputs: columns },
        _ => return None,
    };
    Some((value, fan))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::network::format::operator_graph;
    use crate::train::Layout;

    fn numbers(graph: &OperatorGraph, name: &str) -> Vec<f64> {
        let value = graph.values.iter().position(|value| value == name).unwrap();
        graph.weights(value).unwrap().to_vec().into_iter().map(f64::from).collect()
    }

    #[test]
    fn weights_have_the_spread_of_their_distribution() {
        let network = "4x9x9-60c3-p2-110-2".parse::<Layout>().unwrap().network().unwrap();
        let graph = operator_graph(&network).unwrap();
        // Terms of a sum, and sums, of the convolution and of the layer behind it: 3 x 3 places of 60 channels are left.
        for (name, inputs, outputs) in [("0.weight", 36.0, 540.0), ("4.weight", 540.0, 110.0)] {
            for (initial, expected) in [
                (Initial::Pytorch, 1.0 / (3.0 * inputs)),
                (Initial::Xavier, 2.0 / (inputs + outputs)),
                (Initial::Normal, 1.0),
                (Initial::SmallNormal, 0.1),
            ] {
                let graph = initialised(&graph, initial, 5, false).unwrap();
                let values = numbers(&graph, name);
                let variance = values.iter().map(|w| w * w).sum::<f64>() / values.len() as f64;
                assert!((variance / expected - 1.0).abs() < 0.1, "{initial:?} of {name}: {variance}, not {expected}");
                let biases = numbers(&graph, &name.replace("weight", "bias"));
                assert_eq!(biases.iter().all(|b| *b == 0.0), initial == Initial::Xavier);
            }
        }
    }

    #[test]
    fn what_is_zero_stays_zero_where_it_is_masked() {
        let network = "2-3-2".parse::<Layout>().unwrap().network().unwrap();
        // A network before its first weights has none but zeros.
        let graph = operator_graph(&network).unwrap();
        assert!(numbers(&initialised(&graph, Initial::Normal, 1, true).unwrap(), "0.weight").iter().all(|w| *w == 0.0));
        assert!(
            numbers(&initialised(&graph, Initial::Normal, 1, false).unwrap(), "0.weight").iter().all(|w| *w != 0.0)
        );
    }
}
