//! What attacks ask of a network: its logits, and the slope of a loss by its inputs.

use super::chain::Chain;
use crate::backend::{Backend, Transpose};
use crate::error::{Error, Result};
use crate::network::{Classifier, Head};

/// The gradient of a loss by the logits of a batch, from these logits, both `n x k`.
pub type LossSlope<'a, M> = &'a mut dyn FnMut(&M) -> Result<M>;

/// A classifier whose losses can be followed back to its inputs.
pub trait Differentiable<B: Backend>: Classifier<B> {
    /// The gradient by the inputs `x`, `n x d`, of the loss whose gradient by the logits `slope` gives.
    ///
    /// # Errors
    ///
    /// What the operations of the backend and `slope` return.
    fn input_slope(&self, backend: &B, x: &B::Matrix, slope: LossSlope<'_, B::Matrix>) -> Result<B::Matrix>;
}

/// A head of linear layers on a device, `f(x) = g(A x + c)`, seen from its first layer.
pub struct DualHead<B: Backend> {
    chain: Chain<B>,
    /// `A`, `p x d`.
    pub(super) rows: usize,
    /// Inputs, `d`.
    pub(super) inputs: usize,
    /// Classes, `k`.
    pub(super) classes: usize,
    /// The weights of the layer behind the first, `m x p` in rows, that measure a perturbation of the first; absent
    /// for one layer.
    pub(super) next: Option<Vec<f32>>,
}

impl<B: Backend> DualHead<B> {
    /// Copies a head to the device.
    ///
    /// # Errors
    ///
    /// What [`Backend::upload`] returns; [`Error::Internal`] for a head without layers.
    pub fn upload(backend: &B, head: &Head) -> Result<Self> {
        let first = head.layers.first().ok_or_else(|| Error::Internal { what: "a head without layers".to_owned() })?;
        let [rows, inputs] = first.weight.matrix_shape();
        let next = head.layers.get(1).map(|layer| layer.weight.to_vec());
        Ok(Self { chain: Chain::upload(backend, head)?, rows, inputs, classes: head.classes(), next })
    }

    /// `A`, `p x d`.
    pub(super) fn first(&self) -> Result<&B::Matrix> {
        self.chain.first()
    }

    /// `A x + c`, `n x p`.
    pub(super) fn preactivation(&self, backend: &B, x: &B::Matrix) -> Result<B::Matrix> {
        self.chain.preactivation(backend, x)
    }

    /// The signals after each layer from `z = A x + c`; the last are the logits.
    pub(super) fn signals(&self, backend: &B, z: &B::Matrix) -> Result<Vec<B::Matrix>> {
        self.chain.forward_from(backend, z)
    }

    /// The gradient by `A x + c` from that by the logits.
    pub(super) fn pull_back(&self, backend: &B, signals: &[B::Matrix], gradient: B::Matrix) -> Result<B::Matrix> {
        self.chain.pull_back(backend, signals, gradient)
    }
}

/// The logits among the signals of a head.
pub(super) fn logits<M>(signals: &[M]) -> Result<&M> {
    signals.last().ok_or_else(|| Error::Internal { what: "a head without layers".to_owned() })
}

impl<B: Backend> Classifier<B> for DualHead<B> {
    fn logits(&self, backend: &B, inputs: &B::Matrix) -> Result<B::Matrix> {
        let mut signals = self.signals(backend, &self.preactivation(backend, inputs)?)?;
        signals.pop().ok_or_else(|| Error::Internal { what: "a head without layers".to_owned() })
    }
}

impl<B: Backend> Differentiable<B> for DualHead<B> {
    fn input_slope(&self, backend: &B, x: &B::Matrix, slope: LossSlope<'_, B::Matrix>) -> Result<B::Matrix> {
        let signals = self.signals(backend, &self.preactivation(backend, x)?)?;
        let gradient = slope(logits(&signals)?)?;
        let gradient = self.pull_back(backend, &signals, gradient)?;
        backend.matmul(&gradient, Transpose::No, self.first()?, Transpose::No)
    }
}
