//! Smoothness of images.

use crate::backend::{Activation, Backend, Function};
use crate::error::{Error, Result};
use crate::prune::synth::SyntheticInputs;

/// The neighbours of each pixel.
pub(super) struct Neighbours<B: Backend> {
    sides: [B::Indices; 4],
}

impl<B: Backend> Neighbours<B> {
    /// Those of images; none for other inputs.
    pub(super) fn of(backend: &B, inputs: &SyntheticInputs) -> Result<Option<Self>> {
        let Some(bounds) = inputs.bounds() else { return Ok(None) };
        let [channels, height, width] = bounds.image;
        let side = |down: [usize; 2], right: [usize; 2]| {
            let mut index = vec![u32::MAX; channels * height * width];
            for channel in 0..channels {
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    // A pixel at the edge is its own neighbour.
                    let beside_y = (y + down[0]).min(height - 1).saturating_sub(down[1]);
                    let beside_x = (x + right[0]).min(width - 1).saturating_sub(right[1]);
                    let other = bounds.number(channel, beside_y, beside_x);
                    index[bounds.number(channel, y, x)] = u32::try_from(other).unwrap_or(u32::MAX);
                }
            }
            backend.upload_indices(&index)
        };
        let sides = [side([1, 0], [0, 0])?, side([0, 1], [0, 0])?, side([0, 0], [1, 0])?, side([0, 0], [0, 1])?];
        Ok(Some(Self { sides }))
    }

    /// The slope of the total variation `sum |x_p - x_q|` over neighbours `p`, `q` (Rudin, Osher and Fatemi, 1992): the sum of
    /// the signs of what a pixel is above its neighbours.
    pub(super) fn slope(&self, backend: &B, images: &B::Matrix) -> Result<B::Matrix> {
        let ones = backend.weighted_sum(images, None, [0.0, 0.0], Activation::Identity)?;
        let ones = backend.elementwise(&ones, Function::Exp)?;
        let mut sum: Option<B::Matrix> = None;
        for side in &self.sides {
            let other = backend.gather(images, side)?;
            let above = backend.weighted_sum(images, Some(&other), [1.0, -1.0], Activation::Identity)?;
            let sign = backend.elementwise_gradient(&above, &ones, Function::Abs)?;
            sum = Some(match sum {
                Some(sum) => backend.weighted_sum(&sum, Some(&sign), [1.0, 1.0], Activation::Identity)?,
                None => sign,
            });
        }
        sum.ok_or_else(|| Error::Internal { what: "pixels without neighbours".to_owned() })
    }
}
