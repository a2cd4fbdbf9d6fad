//! What pooling passes back, channel by channel.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use super::pooling::inside;
use crate::backend::{Pooling, Window, check};
use crate::error::Result;

#[expect(clippy::cast_precision_loss, reason = "windows have far fewer than 2^24 entries")]
pub(super) fn pooling_gradient(
    images: &HostMatrix,
    pooled: &HostMatrix,
    gradient: &HostMatrix,
    window: &Window,
    pooling: Pooling,
) -> Result<HostMatrix> {
    let [height, width] = check::pooling_gradient(images.shape(), pooled.shape(), gradient.shape(), window)?;
    let mut out = HostMatrix::unwritten("pooling_gradient", images.shape())?;
    let (plane, windows) = ((window.image[1] * window.image[2]).max(1), height * width);
    // Images and channels follow each other on all sides.
    let planes = out.values_mut().par_chunks_exact_mut(plane).zip(images.values().par_chunks_exact(plane));
    let seen = pooled.values().par_chunks_exact(windows).zip(gradient.values().par_chunks_exact(windows));
    planes.zip(seen).with_min_len((1 << 12) / plane + 1).for_each(|((out, pixels), (pooled, gradient))| {
        out.fill(0.0);
        for (at, (most, slope)) in pooled.iter().zip(gradient).enumerate() {
            let (down, rows) = inside(window, 0, at / width);
            let (right, columns) = inside(window, 1, at % width);
            let count = rows.len() * columns.len();
            let entries = rows.flat_map(|ky| {
                let line = (down + ky * window.dilation[0] - window.padding[0]) * window.image[2];
                columns.clone().map(move |kx| line + right + kx * window.dilation[1] - window.padding[1])
            });
            let share = match pooling {
                Pooling::Max => {
                    let mut entries = entries;
                    let first = entries.find(|pixel| pixels[*pixel] == *most);
                    first.into_iter().for_each(|pixel| out[pixel] += slope);
                    continue;
                }
                Pooling::Average => slope / count as f32,
                Pooling::AveragePadded => slope / window.entries() as f32,
            };
            entries.for_each(|pixel| out[pixel] += share);
        }
    });
    Ok(out)
}
