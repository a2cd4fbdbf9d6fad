//! The entries of each window folded, channel by channel.

use std::ops::Range;

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Pooling, Window, check};
use crate::error::Result;

pub(super) fn pooling(images: &HostMatrix, window: &Window, pooling: Pooling) -> Result<HostMatrix> {
    let (shape, [height, width]) = check::pooling(images.shape(), window)?;
    let mut out = HostMatrix::unwritten("pooling", shape)?;
    let plane = (window.image[1] * window.image[2]).max(1);
    // Images and channels follow each other on both sides.
    let planes = images.values().par_chunks_exact(plane).zip(out.values_mut().par_chunks_exact_mut(height * width));
    planes.with_min_len((1 << 12) / plane + 1).for_each(|(pixels, out)| {
        for (y, out) in out.chunks_exact_mut(width).enumerate() {
            let (down, rows) = inside(window, 0, y);
            for (x, out) in out.iter_mut().enumerate() {
                let (right, columns) = inside(window, 1, x);
                let entries = rows.clone().flat_map(|ky| {
                    let line = &pixels[(down + ky * window.dilation[0] - window.padding[0]) * window.image[2]..];
                    columns.clone().map(move |kx| line[right + kx * window.dilation[1] - window.padding[1]])
                });
                *out = fold(entries, rows.len() * columns.len(), window.entries(), pooling);
            }
        }
    });
    Ok(out)
}

/// Where the window `position` starts along an axis, and which of its entries lie inside the image.
pub(super) fn inside(window: &Window, axis: usize, position: usize) -> (usize, Range<usize>) {
    let (start, step) = (position * window.stride[axis], window.dilation[axis]);
    let first = window.padding[axis].saturating_sub(start).div_ceil(step);
    let end = (window.padding[axis] + window.image[1 + axis]).saturating_sub(start).div_ceil(step);
    (start, first..end.min(window.kernel[axis]).max(first))
}

#[expect(clippy::cast_precision_loss, reason = "windows have far fewer than 2^24 entries")]
fn fold(entries: impl Iterator<Item = f32>, inside: usize, all: usize, pooling: Pooling) -> f32 {
    match pooling {
        Pooling::Max => entries.fold(f32::NEG_INFINITY, f32::max),
        Pooling::Average => entries.sum::<f32>() / inside as f32,
        Pooling::AveragePadded => entries.sum::<f32>() / all as f32,
    }
}
