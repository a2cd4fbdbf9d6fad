//! Images split by strides and padded: what a window reads lies at a fixed distance from it.
//!
//! Phase `(r, s)` of a padded channel is `P_(r, s)(y, x) = X(stride_0 y + r, stride_1 x + s)`. The phases of a channel lie one behind
//! the other, in rows of one length `q`. Entry `(k_y, k_x)` of the window at `(y, x)` is then `P[start_k + y q + x]`.

use crate::backend::{Window, vectorised};

/// How the images of a window are split.
pub(super) struct Phases<'w> {
    window: &'w Window,
    positions: [usize; 2],
    rows: usize,
    /// `q`.
    pub(super) length: usize,
}

impl<'w> Phases<'w> {
    pub(super) fn of(window: &'w Window, positions: [usize; 2]) -> Self {
        let reach =
            |axis: usize| positions[axis] + (window.kernel[axis] - 1) * window.dilation[axis] / window.stride[axis];
        Self { window, positions, rows: reach(0), length: reach(1) }
    }

    /// Places of the windows, in the rows of a phase.
    pub(super) fn line(&self) -> usize {
        (self.positions[0] - 1) * self.length + self.positions[1]
    }

    /// Entries of the phases of one channel.
    pub(super) fn held(&self) -> usize {
        self.window.stride[0] * self.window.stride[1] * self.rows * self.length
    }

    /// Where the entries of kernels start, channel by channel.
    pub(super) fn starts(&self, inputs: usize) -> Vec<usize> {
        let Window { kernel, stride, dilation, .. } = self.window;
        let mut starts = Vec::with_capacity(inputs * kernel[0] * kernel[1]);
        for channel in 0..inputs {
            for down in (0..kernel[0]).map(|entry| entry * dilation[0]) {
                for right in (0..kernel[1]).map(|entry| entry * dilation[1]) {
                    let phase = down % stride[0] * stride[1] + right % stride[1];
                    let row = phase * self.rows + down / stride[0];
                    starts.push(channel * self.held() + row * self.length + right / stride[1]);
                }
            }
        }
        starts
    }

    /// Splits channels into phases. Only pixels are written: what is padding, and what lies behind, stays as it is.
    pub(super) fn fill(&self, image: &[f32], planes: &mut [f32]) {
        vectorised(
            #[inline(always)]
            || self.split(image, planes),
        );
    }

    #[inline(always)]
    fn split(&self, image: &[f32], planes: &mut [f32]) {
        let Window { image: [_, height, width], stride, padding, .. } = *self.window;
        let phases = (0..stride[0]).flat_map(|down| (0..stride[1]).map(move |right| [down, right]));
        for (phase, offset) in phases.enumerate() {
            let [(top, y, rows), (left, x, columns)] = [
                inside(padding[0], stride[0], offset[0], height, self.rows),
                inside(padding[1], stride[1], offset[1], width, self.length),
            ];
            let channels = image.chunks_exact(height * width).zip(planes.chunks_exact_mut(self.held()));
            for (pixels, planes) in channels {
                for row in 0..rows {
                    let line = &pixels[(y + row * stride[0]) * width..][x..width];
                    let out = &mut planes[(phase * self.rows + top + row) * self.length + left..][..columns];
                    if stride[1] == 1 {
                        copy(&line[..columns], out);
                    } else {
                        out.iter_mut().zip(line.iter().step_by(stride[1])).for_each(|(out, pixel)| *out = *pixel);
                    }
                }
            }
        }
    }
}

/// Along an axis, the first place of a phase that holds a pixel, that pixel, and how many there are.
fn inside(padding: usize, stride: usize, offset: usize, pixels: usize, places: usize) -> (usize, usize, usize) {
    let first = padding.saturating_sub(offset).div_ceil(stride).min(places);
    let pixel = (first * stride + offset).saturating_sub(padding).min(pixels);
    (first, pixel, (pixels - pixel).div_ceil(stride).min(places - first))
}

/// Copies as many entries as there are: those of a known number need no call.
#[inline(always)]
pub(super) fn copy(from: &[f32], to: &mut [f32]) {
    match to.len() {
        16.. => {
            for at in (0..to.len() - 15).step_by(16) {
                piece::<16>(from, to, at);
            }
            piece::<16>(from, to, to.len() - 16);
        }
        8.. => {
            piece::<8>(from, to, 0);
            piece::<8>(from, to, to.len() - 8);
        }
        4.. => {
            piece::<4>(from, to, 0);
            piece::<4>(from, to, to.len() - 4);
        }
        _ => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
    }
}

#[inline(always)]
fn piece<const N: usize>(from: &[f32], to: &mut [f32], at: usize) {
    if let (Some(from), Some(to)) = (from[at..].first_chunk::<N>(), to[at..].first_chunk_mut::<N>()) {
        *to = *from;
    }
}
