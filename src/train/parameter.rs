//! What an optimiser keeps of a weight, on its device.

use ndarray::Array2;

use super::options::Optimiser;
use crate::backend::{Activation, Adam, Backend};
use crate::error::{Error, Result};
use crate::network::Mask;

/// A weight's mask, and what the optimiser remembers of it.
pub(super) struct Parameter<B: Backend> {
    /// 1 where the value is trained, 0 where it stays; absent where all of it is trained.
    mask: Option<B::Matrix>,
    state: State<B::Matrix>,
}

enum State<M> {
    New,
    Momentum(M),
    Adam([M; 2]),
}

/// Names of what optimisers remember.
const MOMENTUM: &str = "momentum";
const MEAN: &str = "mean";
const SQUARE: &str = "square";

/// One step of an optimiser.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stride {
    pub(super) optimiser: Optimiser,
    pub(super) rate: f32,
    pub(super) decay: f32,
    /// Its number, from 1.
    pub(super) number: u32,
}

impl<B: Backend> Parameter<B> {
    /// A weight of `shape` of which the `frozen` entries, if there are any, stay as they are.
    pub(super) fn new(backend: &B, shape: [usize; 2], frozen: Option<&[bool]>) -> Result<Self> {
        let mask = frozen.filter(|frozen| frozen.contains(&true)).map(|frozen| {
            let values = frozen.iter().map(|frozen| if *frozen { 0.0_f32 } else { 1.0 }).collect();
            let mask = Array2::from_shape_vec(shape, values);
            backend.upload(&mask.map_err(|error| Error::Internal { what: error.to_string() })?)
        });
        Ok(Self { mask: mask.transpose()?, state: State::New })
    }

    /// What the optimiser remembers, by name.
    pub(super) fn memory(&self) -> Vec<(&'static str, &B::Matrix)> {
        match &self.state {
            State::New => Vec::new(),
            State::Momentum(speed) => vec![(MOMENTUM, speed)],
            State::Adam([mean, square]) => vec![(MEAN, mean), (SQUARE, square)],
        }
    }

    /// Takes up what an optimiser remembered.
    pub(super) fn remember(
        &mut self,
        optimiser: Optimiser,
        mut find: impl FnMut(&'static str) -> Result<B::Matrix>,
    ) -> Result<()> {
        self.state = match optimiser {
            Optimiser::Sgd => State::Momentum(find(MOMENTUM)?),
            Optimiser::Adam | Optimiser::AdamW => State::Adam([find(MEAN)?, find(SQUARE)?]),
        };
        Ok(())
    }

    /// The value after a step against a gradient.
    pub(super) fn step(
        &mut self,
        backend: &B,
        value: &B::Matrix,
        slope: B::Matrix,
        stride: Stride,
    ) -> Result<B::Matrix> {
        let sum =
            |a: &B::Matrix, b: Option<&B::Matrix>, factors| backend.weighted_sum(a, b, factors, Activation::Identity);
        let Stride { optimiser, rate, decay, number } = stride;
        let slope = match optimiser {
            Optimiser::Adam | Optimiser::Sgd if decay > 0.0 => sum(&slope, Some(value), [1.0, decay])?,
            _ => slope,
        };
        // Without a slope, entries keep their value in every optimiser: pruned weights stay exactly zero.
        let slope = match &self.mask {
            Some(mask) => backend.threshold_mask(&slope, mask, Mask::CUTOFF)?,
            None => slope,
        };
        match optimiser {
            Optimiser::Sgd => {
                let speed = match &self.state {
                    State::Momentum(speed) => sum(speed, Some(&slope), [0.9, 1.0])?,
                    _ => slope,
                };
                let moved = sum(value, Some(&speed), [1.0, -rate])?;
                self.state = State::Momentum(speed);
                Ok(moved)
            }
            Optimiser::Adam | Optimiser::AdamW => {
                let [mean, square] = match std::mem::replace(&mut self.state, State::New) {
                    State::Adam(moments) => moments,
                    _ => [sum(&slope, None, [0.0, 0.0])?, sum(&slope, None, [0.0, 0.0])?],
                };
                let adam = Adam { rate, decays: [0.9, 0.999], epsilon: 1e-8, step: number };
                let decayed = match optimiser {
                    Optimiser::AdamW if decay > 0.0 => Some(sum(value, None, [1.0 - rate * decay, 0.0])?),
                    _ => None,
                };
                let state = backend.adam_step(decayed.as_ref().unwrap_or(value), &slope, [&mean, &square], adam)?;
                self.state = State::Adam([state.mean, state.square]);
                Ok(state.weights)
            }
        }
    }
}
