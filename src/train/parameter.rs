//! A matrix that is trained, and what its optimiser remembers.

use ndarray::Array2;

use super::options::Optimiser;
use crate::backend::{Activation, Adam, Backend};
use crate::error::{Error, Result};
use crate::network::{Mask, Tensor};

/// Weights or biases on a device.
pub(super) struct Parameter<B: Backend> {
    pub(super) value: B::Matrix,
    /// 1 where the value is trained, 0 where it stays; absent where all of it is trained.
    mask: Option<B::Matrix>,
    state: State<B::Matrix>,
}

enum State<M> {
    New,
    Momentum(M),
    Adam([M; 2]),
}

impl<B: Backend> Parameter<B> {
    /// Copies a tensor to the device; entries that are zero by `frozen` stay as they are.
    pub(super) fn upload(backend: &B, tensor: &Tensor, frozen: Option<&[bool]>) -> Result<Self> {
        let value = backend.upload(tensor)?;
        tensor.release();
        let mask = frozen.map(|frozen| {
            let values = frozen.iter().map(|frozen| if *frozen { 0.0_f32 } else { 1.0 }).collect();
            let [rows, columns] = tensor.matrix_shape();
            let mask = Array2::from_shape_vec((rows, columns), values);
            backend.upload(&mask.map_err(|error| Error::Internal { what: error.to_string() })?)
        });
        Ok(Self { value, mask: mask.transpose()?, state: State::New })
    }

    /// Moves against a gradient; `step` counts from 1.
    pub(super) fn step(
        &mut self,
        backend: &B,
        slope: B::Matrix,
        optimiser: Optimiser,
        rate: f32,
        step: u32,
    ) -> Result<()> {
        // Without a slope, entries keep their value in either optimiser: pruned weights stay exactly zero.
        let slope = match &self.mask {
            Some(mask) => backend.threshold_mask(&slope, mask, Mask::CUTOFF)?,
            None => slope,
        };
        let sum =
            |a: &B::Matrix, b: Option<&B::Matrix>, factors| backend.weighted_sum(a, b, factors, Activation::Identity);
        match optimiser {
            Optimiser::Sgd => {
                let speed = match &self.state {
                    State::Momentum(speed) => sum(speed, Some(&slope), [0.9, 1.0])?,
                    _ => slope,
                };
                self.value = sum(&self.value, Some(&speed), [1.0, -rate])?;
                self.state = State::Momentum(speed);
            }
            Optimiser::Adam => {
                let [mean, square] = match std::mem::replace(&mut self.state, State::New) {
                    State::Adam(moments) => moments,
                    _ => [sum(&slope, None, [0.0, 0.0])?, sum(&slope, None, [0.0, 0.0])?],
                };
                let adam = Adam { rate, decays: [0.9, 0.999], epsilon: 1e-8, step };
                let state = backend.adam_step(&self.value, &slope, [&mean, &square], adam)?;
                self.value = state.weights;
                self.state = State::Adam([state.mean, state.square]);
            }
        }
        Ok(())
    }

    /// The values as a tensor in the place of `old`.
    pub(super) fn tensor(&self, backend: &B, old: &Tensor) -> Result<Tensor> {
        #[expect(clippy::cast_possible_truncation, reason = "fast backends hold f32; the reference is rounded to it")]
        let values = backend.download(&self.value)?.into_iter().map(|value| value as f32).collect();
        Tensor::owned(old.name(), old.element(), old.dimensions().to_vec(), values)
    }
}
