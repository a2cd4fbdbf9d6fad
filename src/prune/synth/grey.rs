//! Whether a network takes pixels as they are, from 0 to 1, or standardised: read off its first convolution.
//!
//! Training puts hyperplanes through the data (see [`Arrangement`](super::Arrangement)), those of kernels through the grey level
//! of its images. For kernels `K_i` with biases `c_i`, batch norms multiplied in, and the image of one grey `m` everywhere:
//!
//! ```text
//! s_i = sum of the entries of K_i
//! m = argmin sum_i (s_i m + c_i)^2 / |K_i|^2 = - sum_i s_i c_i / |K_i|^2  /  sum_i s_i^2 / |K_i|^2
//! r = correlation (without centring) of s_i / |K_i| and -c_i / |K_i|
//! ```
//!
//! Standardised images have their grey level at 0, pixels from 0 to 1 between 0 and 1: they are taken to be that where `m` lies in
//! 0.05 to 0.95 and `r` is at least 1/4. On networks for MNIST on pixels as they are (grey level 0.131) `m` is 0.131, 0.117 and 0.111
//! with `r` 0.99, 0.76 and 0.36; on those for standardised CIFAR-10 it is -0.12, -0.13 and 2.6.

use crate::error::Result;
use crate::network::format::{ModelFile, operator_graph};
use crate::network::spaces::{Operator, OperatorGraph, ValueId};
use crate::network::{Normalize, Tensor};

/// The grey at which the hyperplanes of kernels meet, as far as they do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GreyLevel {
    /// `m`.
    pub level: f64,
    /// `r`, in -1 to 1.
    pub agreement: f64,
}

impl GreyLevel {
    /// From sums, squared lengths and biases of kernels; nothing if they tell none, as kernels without biases do.
    fn of(kernels: impl Iterator<Item = [f64; 3]>) -> Option<Self> {
        let [mut own, mut other, mut cross] = [0.0; 3];
        for [sum, square, bias] in kernels.filter(|[_, square, _]| *square > 0.0) {
            own += sum * sum / square;
            other += bias * bias / square;
            cross -= sum * bias / square;
        }
        let found = Self { level: cross / own, agreement: cross / (own * other).sqrt() };
        (found.level.is_finite() && found.agreement.is_finite()).then_some(found)
    }

    /// Of the convolution that reads the images of a model as they are; nothing for other models.
    ///
    /// # Errors
    ///
    /// Those of tensors that cannot be read.
    pub fn of_model(model: &ModelFile) -> Result<Option<Self>> {
        let made;
        let graph = match &model.onnx {
            Some(source) => source.operators(),
            None => match operator_graph(&model.network) {
                Ok(graph) => {
                    made = graph;
                    &made
                }
                // What is carried along is not looked into.
                Err(_) => return Ok(None),
            },
        };
        Ok(Self::of_graph(graph))
    }

    fn of_graph(graph: &OperatorGraph) -> Option<Self> {
        let mut value = graph.inputs.first()?.value;
        loop {
            let mut readers = graph.operators.iter().filter(|operator| operator.input(0) == Some(value));
            let (reader, None) = (readers.next()?, readers.next()) else { return None };
            match reader.kind.as_str() {
                "Identity" | "Transpose" | "Reshape" | "Cast" | "Pad" => value = reader.outputs.first().copied()??,
                "Conv" => return Self::of_convolution(graph, reader),
                _ => return None,
            }
        }
    }

    fn of_convolution(graph: &OperatorGraph, convolution: &Operator) -> Option<Self> {
        let numbers = |value: Option<ValueId>| value.and_then(|value| graph.weights(value)).map(Tensor::to_vec);
        let weight = numbers(convolution.input(1))?;
        let outputs = *graph.weights(convolution.input(1)?)?.dimensions().first()?;
        let bias = numbers(convolution.input(2)).unwrap_or_else(|| vec![0.0; outputs]);
        // Scale and shift of a batch norm behind it: the length of a kernel cancels, its bias moves.
        let given = convolution.outputs.first().copied()?;
        let mut readers = graph.operators.iter().filter(|operator| operator.input(0) == given);
        let norm = readers.next().filter(|operator| operator.kind == "BatchNormalization");
        let vectors = norm.and_then(|norm| {
            let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|input| numbers(norm.input(input)));
            Some((scale?, shift?, mean?, variance?, norm.float("epsilon", 1e-5)))
        });
        let columns = weight.len() / outputs.max(1);
        Self::of(weight.chunks(columns.max(1)).enumerate().map(|(at, kernel)| {
            let entry = |values: &[f32]| values.get(at).copied().map_or(0.0, f64::from);
            let mut bias = entry(&bias);
            if let Some((scale, shift, mean, variance, epsilon)) = &vectors {
                let factor = entry(scale) / (entry(variance) + epsilon).sqrt();
                bias = if factor == 0.0 { 0.0 } else { bias - entry(mean) + entry(shift) / factor };
            }
            let values = kernel.iter().map(|value| f64::from(*value));
            [values.clone().sum(), values.map(|value| value * value).sum(), bias]
        }))
    }

    /// What a network does to pixels from 0 to 1 before it takes them: nothing, if that is what this level says.
    #[must_use]
    pub fn normalisation(self) -> Option<Normalize> {
        let raw = (0.05..=0.95).contains(&self.level) && self.agreement >= 0.25;
        raw.then(|| Normalize { scale: 1.0, mean: Vec::new(), std: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::network::format::load;

    #[test]
    fn kernels_that_meet_at_a_grey_tell_it_and_others_do_not() {
        // z = K x + c with K m + c = 0 at m = 0.3, for kernels of any length and sign.
        let kernels = [[2.0, 3.0, -0.6], [-1.0, 0.5, 0.3], [4.0, 9.0, -1.2], [0.0, 0.0, 5.0]];
        let found = GreyLevel::of(kernels.into_iter()).unwrap();
        assert!((found.level - 0.3).abs() < 1e-12 && (found.agreement - 1.0).abs() < 1e-12, "{found:?}");
        assert!(found.normalisation().is_some());
        let centred = GreyLevel::of([[2.0, 1.0, 0.5], [-2.0, 1.0, 0.4], [1.0, 1.0, 0.1]].into_iter()).unwrap();
        assert!(centred.normalisation().is_none(), "{centred:?}");
        assert_eq!(GreyLevel::of([[2.0, 1.0, 0.0]].into_iter()), None);
    }

    #[test]
    fn networks_on_pixels_as_they_are_say_so() {
        for (name, level) in
            [("mobile-mnist.onnx", 0.131), ("lenet5-mnist.safetensors", 0.117), ("vit-mnist.onnx", 0.111)]
        {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models").join(name);
            let found = GreyLevel::of_model(&load(&path, None).unwrap()).unwrap().unwrap();
            assert!((found.level - level).abs() < 1e-3 && found.normalisation().is_some(), "{name}: {found:?}");
        }
    }
}
