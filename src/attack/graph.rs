//! Any graph of operators as a network to attack, by the reverse pass over programs.

use super::network::{Differentiable, LossSlope};
use crate::backend::{Activation, Backend};
use crate::error::Result;
use crate::network::format::OnnxSource;
use crate::network::{Classifier, Program, Reverse};

/// An ONNX model on a device.
pub struct DeviceGraph<B: Backend> {
    reverse: Reverse<B>,
}

impl<B: Backend> DeviceGraph<B> {
    /// Copies a model to the device.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`](crate::Error::Unsupported) with the operator that backends do not compute.
    pub fn upload(backend: &B, source: &OnnxSource) -> Result<Self> {
        Ok(Self { reverse: Reverse::new(backend, Program::new(backend, source)?)? })
    }

    /// Inputs of a sample.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.reverse.program().inputs
    }

    /// Entries that are held for each sample on the way forward and back.
    #[must_use]
    pub fn widest(&self) -> usize {
        self.reverse.traced.max(self.reverse.program().widest)
    }
}

impl<B: Backend> Classifier<B> for DeviceGraph<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        self.reverse.program().logits(backend, inputs)
    }
}

impl<B: Backend> Differentiable<B> for DeviceGraph<B> {
    fn input_slope(&self, backend: &B, x: &B::Matrix, slope: LossSlope<'_, B::Matrix>) -> Result<B::Matrix> {
        // A trace keeps its inputs.
        let own = backend.weighted_sum(x, None, [1.0, 0.0], Activation::Identity)?;
        let mut trace = self.reverse.trace(backend, own)?;
        let gradient = slope(trace.logits(backend, self.reverse.program())?)?;
        self.reverse.input_gradient(backend, trace, gradient)
    }
}
