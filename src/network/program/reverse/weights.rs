//! Gradients by the weights of steps: summed over all samples, and over all places where a weight is used.
//!
//! ```text
//! y = x W^T + 1 b^T       dL/dW = D^T x                  dL/db = D^T 1
//! y = W * x (images)      dL/dW = sum over places of D (window of x)^T
//! y = x o v               dL/dv = the sum over samples of what passes to v
//! ```

use ndarray::Array2;

use super::super::Program;
use super::super::run::{Leaf, Ready};
use super::super::source::numbers;
use super::super::step::Loaded;
use super::{Passed, lacking};
use crate::backend::{Activation, Backend, Reduction, Transpose, Window};
use crate::error::Result;

/// What the gradient by the kernels of a convolution needs.
pub(super) enum Kernels<B: Backend> {
    /// For each place and output the slope: `places x outputs` in place of `outputs x places`.
    Turned(B::Indices),
    /// The windows of every group by themselves, `groups x places x own columns`, of which there are so many.
    Grouped { patches: B::Indices, groups: usize, columns: usize },
}

impl<B: Backend> Kernels<B> {
    pub(super) fn of(backend: &B, window: &Window, groups: usize, outputs: usize) -> Result<Self> {
        let [height, width] = window.positions()?;
        let places = height * width;
        if groups == 1 {
            let turned = (0..places).flat_map(|place| (0..outputs).map(move |output| output * places + place));
            let turned: Vec<u32> = turned.flat_map(|at| numbers(at..at + 1)).collect();
            return Ok(Self::Turned(backend.upload_indices(&turned)?));
        }
        let own = window.image[0] / groups;
        let mut patches = Vec::with_capacity(groups * places * own * window.entries());
        for group in 0..groups {
            for y in 0..height {
                for x in 0..width {
                    for channel in group * own..(group + 1) * own {
                        patches.extend(entries(window, channel, [y, x]));
                    }
                }
            }
        }
        Ok(Self::Grouped { patches: backend.upload_indices(&patches)?, groups, columns: own * window.entries() })
    }

    /// Entries for each sample while the gradient is computed.
    pub(super) fn entries(window: &Window, outputs: usize) -> usize {
        let places = window.positions().map_or(0, |[height, width]| height * width);
        places * (window.image[0] * window.entries() + outputs)
    }
}

/// The numbers of the pixels of a channel under the kernel at a place, none in the padding.
fn entries(window: &Window, channel: usize, place: [usize; 2]) -> impl Iterator<Item = u32> {
    let [_, height, width] = window.image;
    let (kernel, dilation, stride) = (window.kernel, window.dilation, window.stride);
    let (top, left) = (window.padding[0], window.padding[1]);
    let along = move |axis: usize, at: usize, before: usize, length: usize| {
        (place[axis] * stride[axis] + at * dilation[axis]).checked_sub(before).filter(|at| *at < length)
    };
    (0..kernel[0]).flat_map(move |y| {
        (0..kernel[1]).map(move |x| {
            let at = along(0, y, top, height).zip(along(1, x, left, width));
            let number = at.map(|(y, x)| (channel * height + y) * width + x);
            number.and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX)
        })
    })
}

/// Which weights of a step are followed, by their places among the leaves of a program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Followed {
    pub(super) weight: Option<usize>,
    pub(super) bias: Option<usize>,
}

impl Followed {
    /// Of every step of a program.
    pub(super) fn of<B: Backend>(program: &Program<B>) -> Vec<Self> {
        let mut all = vec![Self::default(); program.steps.len()];
        for (at, (leaf, _)) in program.leaves.iter().enumerate() {
            match leaf {
                Leaf::Weight(step) => all[*step].weight = Some(at),
                Leaf::Bias(step) => all[*step].bias = Some(at),
                Leaf::Fixed(_) => {}
            }
        }
        all
    }

    pub(super) fn any(self) -> bool {
        self.weight.is_some() || self.bias.is_some()
    }
}

/// Slots through which gradients pass to what is `followed`, and to values of some slots.
pub(super) fn through<B: Backend>(program: &Program<B>, followed: &[Followed], first: &[usize]) -> Vec<bool> {
    let mut through = vec![false; program.lengths.len()];
    first.iter().for_each(|slot| through[*slot] = true);
    for (Ready { inputs, slot, .. }, followed) in program.steps.iter().zip(followed) {
        through[*slot] = through[*slot] || followed.any() || inputs.iter().any(|input| through[*input]);
    }
    through
}

/// The sum over all rows, `1 x columns`.
pub(super) fn summed<B: Backend>(backend: &B, x: &B::Matrix) -> Result<B::Matrix> {
    let ones = backend.upload(&Array2::<f32>::ones((1, backend.shape(x)[0])))?;
    backend.matmul(&ones, Transpose::No, x, Transpose::No)
}

impl<B: Backend> Passed<'_, B> {
    /// The gradients by weights and biases of a contraction, those that are followed.
    pub(super) fn to_weights(
        &self,
        backend: &B,
        followed: Followed,
        kernels: Option<&Kernels<B>>,
    ) -> Result<[Option<B::Matrix>; 2]> {
        let (Loaded::Affine { activation, .. } | Loaded::Conv { activation, .. }) = self.step else {
            return Err(lacking("weights"));
        };
        let masked = match activation {
            Activation::Relu => Some(self.where_positive(backend, self.result)?),
            Activation::Identity => None,
        };
        let slope = masked.as_ref().unwrap_or(&self.slope);
        let places = match self.step {
            Loaded::Conv { window, .. } => window.positions()?.iter().product(),
            _ => 1,
        };
        let weight = match (self.step, kernels) {
            _ if followed.weight.is_none() => None,
            (Loaded::Conv { window, .. }, Some(kernels)) => Some(self.to_kernels(backend, slope, window, kernels)?),
            _ => Some(backend.matmul(slope, Transpose::Yes, self.operands[0], Transpose::No)?),
        };
        let bias = match followed.bias {
            None => None,
            Some(_) if places == 1 => Some(summed(backend, slope)?),
            Some(_) => {
                let outputs = backend.shape(slope)[1] / places;
                let all = backend.reshape(super::scaled(backend, slope, 1.0)?, places)?;
                let sums = backend.reshape(backend.reduce_rows(&all, Reduction::Sum)?, outputs)?;
                Some(summed(backend, &sums)?)
            }
        };
        Ok([weight, bias])
    }

    fn to_kernels(&self, backend: &B, slope: &B::Matrix, window: &Window, kernels: &Kernels<B>) -> Result<B::Matrix> {
        let images = self.operands[0];
        let places: usize = window.positions()?.iter().product();
        let [samples, all] = backend.shape(slope);
        match kernels {
            Kernels::Turned(turned) => {
                let rows = backend.reshape(backend.gather(slope, turned)?, all / places)?;
                let windows = backend.unfold(images, window, None)?;
                backend.matmul(&rows, Transpose::Yes, &windows, Transpose::No)
            }
            Kernels::Grouped { patches, groups, columns } => {
                let windows = backend.reshape(backend.gather(images, patches)?, *columns)?;
                let rows = backend.reshape(super::scaled(backend, slope, 1.0)?, places)?;
                let each = backend.batched_matmul(&rows, &windows, samples * groups)?;
                let each = backend.reshape(each, all / places * columns)?;
                backend.reshape(summed(backend, &each)?, *columns)
            }
        }
    }
}
