//! Windows of images as rows.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{Window, check};
use crate::error::Result;

pub(super) fn unfold(images: &HostMatrix, window: &Window, positions: Option<&[u32]>) -> Result<HostMatrix> {
    let shape = check::unfold(images.shape(), window, positions.map(<[u32]>::len))?;
    let [height, width] = window.positions()?;
    positions.map_or(Ok(()), |positions| check::positions(positions, images.shape()[0], [height, width]))?;
    let mut out = HostMatrix::unwritten("unfold", shape)?;
    let columns = shape[1].max(1);
    let rows = out.values_mut().par_chunks_exact_mut(columns).enumerate();
    rows.with_min_len((1 << 14) / columns + 1).for_each(|(row, out)| {
        let position = positions.map_or(row, |positions| positions[row] as usize);
        let at = position % (height * width);
        patch(images.row(position / (height * width)), window, [at / width, at % width], out);
    });
    Ok(out)
}

/// Copies one window of an image.
fn patch(image: &[f32], window: &Window, [y, x]: [usize; 2], out: &mut [f32]) {
    let ([_, height, width], [_, across]) = (window.image, window.kernel);
    let start = x * window.stride[1];
    for (line, out) in out.chunks_exact_mut(across).enumerate() {
        let (channel, down) = (line / window.kernel[0], line % window.kernel[0]);
        let y = (y * window.stride[0] + down * window.dilation[0]).checked_sub(window.padding[0]);
        let pixels = match y.filter(|y| *y < height) {
            Some(y) => &image[(channel * height + y) * width..][..width],
            None => &[],
        };
        for (right, out) in out.iter_mut().enumerate() {
            let x = (start + right * window.dilation[1]).checked_sub(window.padding[1]);
            *out = x.and_then(|x| pixels.get(x)).copied().unwrap_or(0.0);
        }
    }
}
