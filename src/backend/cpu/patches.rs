//! Windows of images as an operand of the contraction: packed from the images, never stored as a matrix.

use std::ops::Range;

use crate::backend::{Window, vectorised};

/// The rows of an unfolding, see [`Backend::unfold`](crate::backend::Backend::unfold), over a range of channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patches<'a> {
    pub(super) images: &'a [f32],
    pub(super) window: &'a Window,
    /// Rows and columns of windows on an image.
    pub(super) positions: [usize; 2],
    pub(super) first_channel: usize,
    pub(super) count: usize,
}

/// Neighbouring windows in one row of windows, which are neighbouring lanes of a panel.
struct Run {
    lane: usize,
    length: usize,
    image: usize,
    y: usize,
    x: usize,
}

/// Entries that are copied at once: copies of a known length are no calls.
const CHUNK: usize = 16;

/// Copies at least `count` entries, whole chunks where there is room on both sides.
#[inline(always)]
fn copy(from: &[f32], count: usize, to: &mut [f32]) {
    let mut at = 0;
    while at < count {
        match (from.get(at..).and_then(<[f32]>::first_chunk::<CHUNK>), to[at..].first_chunk_mut::<CHUNK>()) {
            (Some(from), Some(to)) => *to = *from,
            _ => return to[at..count].copy_from_slice(&from[at..count]),
        }
        at += CHUNK;
    }
}

impl Patches<'_> {
    /// Writes a panel: `out[k width + r]` is entry `inner.start + k` of window `first + r`, 0 past the last window.
    pub(super) fn pack(&self, first: usize, width: usize, inner: Range<usize>, out: &mut [f32]) {
        vectorised(
            #[inline(always)]
            || self.pack_runs(first, width, inner, out),
        );
    }

    #[inline(always)]
    fn pack_runs(&self, first: usize, width: usize, inner: Range<usize>, out: &mut [f32]) {
        let runs = self.runs(first, first + width.min(self.count - first));
        let filled = runs.last().map_or(0, |run| run.lane + run.length);
        let ([_, height, columns], entries) = (self.window.image, self.window.entries());
        for (k, out) in inner.zip(out.chunks_exact_mut(width)) {
            let (channel, entry) = (self.first_channel + k / entries, k % entries);
            let [down, right] = [entry / self.window.kernel[1], entry % self.window.kernel[1]];
            for run in &runs {
                let y = run.y * self.window.stride[0] + down * self.window.dilation[0];
                match y.checked_sub(self.window.padding[0]).filter(|y| *y < height) {
                    None => out[run.lane..run.lane + run.length].fill(0.0),
                    Some(y) => {
                        let start = run.image * self.window.length() + (channel * height + y) * columns;
                        self.row(run, right, (start, columns), &mut out[run.lane..]);
                    }
                }
            }
            out[filled..].fill(0.0);
        }
    }

    /// Writes entry `right` of the windows of a run; its row of pixels starts at an image entry and has so many. What lies
    /// behind the run may change: it is written later.
    #[inline(always)]
    fn row(&self, run: &Run, right: usize, (row, columns): (usize, usize), out: &mut [f32]) {
        let (stride, left) = (self.window.stride[1], self.window.padding[1]);
        let start = run.x * stride + right * self.window.dilation[1];
        if stride == 1 {
            let before = left.saturating_sub(start).min(run.length);
            let from = (start + before).saturating_sub(left).min(columns);
            let inside = (columns - from).min(run.length - before);
            copy(&self.images[row + from..], inside, &mut out[before..]);
            out[..before].fill(0.0);
            out[before + inside..run.length].fill(0.0);
        } else {
            let pixels = &self.images[row..row + columns];
            for (i, out) in out[..run.length].iter_mut().enumerate() {
                let at = (start + i * stride).checked_sub(left);
                *out = at.and_then(|at| pixels.get(at)).copied().unwrap_or(0.0);
            }
        }
    }

    fn runs(&self, first: usize, end: usize) -> Vec<Run> {
        let [height, width] = self.positions;
        let mut runs = Vec::with_capacity((end - first) / width + 2);
        let mut at = first;
        while at < end {
            let (image, position) = (at / (height * width), at % (height * width));
            let (y, x) = (position / width, position % width);
            let length = (width - x).min(end - at);
            runs.push(Run { lane: at - first, length, image, y, x });
            at += length;
        }
        runs
    }
}
