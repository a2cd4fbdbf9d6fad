//! Convolutions without packed windows: the vectors that a weight meets are read where they lie in padded images.
//!
//! ```text
//! for each image, for each group of channels                  one task
//!   split its channels into phases                            see `phases`
//!   for each panel of places                                  Y q of them, of which q - X in each row are left out
//!     for each band of output channels                        6, 4, 2 or 1
//!       for each channel and entry of the window, k           BAND x VECTORS registers accumulate W[o, k] P[start_k + place]
//!       store what are windows
//! ```
//!
//! Sums are those of the contraction of packed windows, bit for bit: blocks of the inner index are the same.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::contraction::{Inner, ROWS, Sum, arch, blocks};
use super::matrix::HostMatrix;
use super::phases::{Phases, copy};
use crate::backend::Window;

/// Outputs of a group up to this number: packed windows would serve too few rows.
const FEW: usize = 4;

/// Vectors of places that are summed up at once.
const VECTORS: usize = 4;

/// Weights of a group up to this number stay in the cache while images come and go; more of them need wide images.
const WEIGHTS: usize = 1 << 17;

/// Places of such wide images at least.
const WIDE: usize = 512;

/// Images and groups at least: each is a task.
const TASKS: usize = 4;

/// Work of a task at least, in products.
const WORK: usize = 1 << 16;

/// One convolution.
pub(super) struct Convolution<'a> {
    pub(super) images: &'a HostMatrix,
    pub(super) weights: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) window: &'a Window,
    pub(super) positions: [usize; 2],
    pub(super) groups: usize,
    /// Channels that a group reads and gives.
    pub(super) channels: [usize; 2],
    /// What is below becomes it.
    pub(super) floor: f32,
}

impl Convolution<'_> {
    /// Entries of the window over all channels that it reads.
    fn inner(&self) -> usize {
        self.channels[0] * self.window.entries()
    }

    /// Whether its shape suits: most places are windows, and weights need not be read anew for a few of them.
    pub(super) fn suits(&self) -> bool {
        let (plane, line) = (self.positions[0] * self.positions[1], Phases::of(self.window, self.positions).line());
        let filled = 3 * plane >= 2 * line.next_multiple_of(16);
        let cached = self.inner() * self.channels[1] <= WEIGHTS || line >= WIDE;
        (self.channels[1] <= FEW || filled && cached) && self.images.shape()[0] * self.groups >= TASKS
    }

    /// Writes `n x (m Y X)`.
    pub(super) fn run(&self, out: &mut [f32]) {
        let phases = Phases::of(self.window, self.positions);
        let ([inputs, outputs], inner) = (self.channels, self.inner());
        let starts = phases.starts(inputs);
        let packed: Vec<f32> = (0..self.groups).flat_map(|group| self.bands(group)).collect();
        let pixels = inputs * self.window.image[1] * self.window.image[2];
        let each = outputs * self.positions[0] * self.positions[1];
        let work = (inner * outputs * phases.line()).max(1);
        let arch = arch();
        out.par_chunks_exact_mut(each).enumerate().with_min_len(WORK / work + 1).for_each_init(
            || vec![0.0; inputs * phases.held() + phases.line() + VECTORS * 16],
            |planes, (at, out)| {
                let images = &self.images.values()[at * pixels..];
                // Pixels by themselves are read where they are, but for the last image: vectors reach beyond its end.
                let planes = if self.window.is_pixels() && images.len() >= planes.len() {
                    images
                } else {
                    phases.fill(&images[..pixels], planes);
                    planes
                };
                let group = at % self.groups;
                let weights = &packed[group * outputs * inner..][..outputs * inner];
                let bias = &self.bias[group * outputs..][..outputs];
                let (floor, positions) = (self.floor, self.positions);
                arch.dispatch(Task { planes, starts: &starts, weights, bias, floor, phases: &phases, positions, out });
            },
        );
    }

    /// The weights of a group, band by band, `[inner][rows of the band]`.
    fn bands(&self, group: usize) -> Vec<f32> {
        let (outputs, inner) = (self.channels[1], self.inner());
        let weights = &self.weights[group * outputs * inner..][..outputs * inner];
        let mut packed = Vec::with_capacity(weights.len());
        for rows in bands(outputs) {
            packed.extend((0..inner).flat_map(|k| rows.clone().map(move |row| weights[row * inner + k])));
        }
        packed
    }
}

/// Output channels that are summed up at once.
fn bands(outputs: usize) -> impl Iterator<Item = Range<usize>> {
    let mut row = 0;
    std::iter::from_fn(move || {
        let height = match outputs - row {
            0 => return None,
            ROWS.. => ROWS,
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        row += height;
        Some(row - height..row)
    })
}

/// One image and group.
struct Task<'a> {
    planes: &'a [f32],
    starts: &'a [usize],
    weights: &'a [f32],
    bias: &'a [f32],
    floor: f32,
    phases: &'a Phases<'a>,
    positions: [usize; 2],
    out: &'a mut [f32],
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (line, inner) = (self.phases.line(), self.starts.len());
        for place in (0..line).step_by(VECTORS * S::F32_LANES) {
            let vectors = (line - place).min(VECTORS * S::F32_LANES).div_ceil(S::F32_LANES);
            for rows in bands(self.bias.len()) {
                let weights = &self.weights[rows.start * inner..rows.end * inner];
                match (rows.len(), vectors) {
                    (ROWS, 1) => self.panel::<S, ROWS, 1>(simd, weights, rows.start, place),
                    (ROWS, 2) => self.panel::<S, ROWS, 2>(simd, weights, rows.start, place),
                    (ROWS, _) => self.panel::<S, ROWS, VECTORS>(simd, weights, rows.start, place),
                    (4, 1) => self.panel::<S, 4, 1>(simd, weights, rows.start, place),
                    (4, 2) => self.panel::<S, 4, 2>(simd, weights, rows.start, place),
                    (4, _) => self.panel::<S, 4, VECTORS>(simd, weights, rows.start, place),
                    (2, _) => self.panel::<S, 2, VECTORS>(simd, weights, rows.start, place),
                    (_, _) => self.panel::<S, 1, VECTORS>(simd, weights, rows.start, place),
                }
            }
        }
    }
}

impl Task<'_> {
    /// The sums of `R` outputs from `row` on at `V` vectors of places.
    #[inline(always)]
    fn panel<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, weights: &[f32], row: usize, place: usize) {
        let (weights, _) = weights.as_chunks::<R>();
        let mut sums = [[Sum::start(simd); V]; R];
        for (block, inner) in blocks(self.starts.len()).enumerate() {
            let mut registers = [[Sum::start(simd); V]; R];
            for (x, start) in weights[inner.clone()].iter().zip(&self.starts[inner]) {
                let (y, _) = S::as_simd_f32s(&self.planes[start + place..]).0.as_chunks::<V>();
                let Some(y) = y.first() else { continue };
                for r in 0..R {
                    let x = simd.splat_f32s(x[r]);
                    for v in 0..V {
                        registers[r][v] = Sum::step(simd, x, y[v], registers[r][v]);
                    }
                }
            }
            for r in 0..R {
                for v in 0..V {
                    let joined = Sum::join(simd, sums[r][v], registers[r][v]);
                    sums[r][v] = if block == 0 { registers[r][v] } else { joined };
                }
            }
        }
        self.store(simd, &sums, row, place);
    }

    /// Stores the places that are windows.
    #[inline(always)]
    fn store<S: Simd, const R: usize, const V: usize>(
        &mut self,
        simd: S,
        sums: &[[S::f32s; V]; R],
        row: usize,
        place: usize,
    ) {
        let ([height, width], floor) = (self.positions, simd.splat_f32s(self.floor));
        let start = [place / self.phases.length, place % self.phases.length];
        let outputs = self.out[row * height * width..].chunks_exact_mut(height * width);
        for ((out, bias), sums) in outputs.zip(&self.bias[row..]).zip(sums) {
            let bias = simd.splat_f32s(*bias);
            let mut values = [0.0; VECTORS * 16];
            for (value, sum) in S::as_mut_simd_f32s(&mut values).0.iter_mut().zip(*sums) {
                *value = simd.max_f32s(simd.add_f32s(sum, bias), floor);
            }
            let ([mut y, mut x], mut lane) = (start, 0);
            while lane < V * S::F32_LANES && y < height {
                let length = (self.phases.length - x).min(V * S::F32_LANES - lane);
                let inside = width.saturating_sub(x).min(length);
                if inside > 0 {
                    copy(&values[lane..lane + inside], &mut out[y * width + x..][..inside]);
                }
                (lane, y, x) = (lane + length, y + 1, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use ndarray::{Array2, s};

    use super::*;
    use crate::backend::{Activation, Backend as _, Cpu};

    #[test]
    fn bands_by_hand() {
        assert_eq!(bands(0).count(), 0);
        assert_eq!(bands(15).collect::<Vec<_>>(), [0..6, 6..12, 12..14, 14..15]);
        assert_eq!(bands(10).collect::<Vec<_>>(), [0..6, 6..10]);
    }

    #[test]
    fn one_image_alone_gives_the_bits_that_it_gives_among_others() {
        let cpu = Cpu::new();
        let base = Window::new([34, 19, 23], [3, 3]);
        let windows = [
            Window { padding: [1, 1, 1, 1], ..base },
            Window { stride: [2, 3], padding: [0, 2, 1, 0], ..base },
            Window { dilation: [2, 1], stride: [1, 2], kernel: [4, 5], padding: [3, 0, 0, 4], ..base },
            Window { kernel: [1, 1], ..base },
        ];
        let value = |seed: usize, at: usize| f32::from(u8::try_from((at * 31 + at / 7 * seed) % 251).unwrap()) - 125.0;
        for window in windows {
            for outputs in [34, 10] {
                let inner = window.image[0] * window.entries();
                let images = Array2::from_shape_fn((5, window.length()), |(i, j)| value(5, i * window.length() + j));
                let weights = Array2::from_shape_fn((outputs, inner), |(i, j)| value(3, i * inner + j) / 64.0);
                let bias = Array2::from_shape_fn((1, outputs), |(_, j)| value(2, j));
                let run = |images: Array2<f32>| {
                    let [images, weights, bias] =
                        [&images, &weights, &bias].map(|matrix| cpu.upload(&matrix.view()).unwrap());
                    let out = cpu.convolution(&images, &weights, Some(&bias), &window, 1, Activation::Relu).unwrap();
                    cpu.download(&out).unwrap()
                };
                // One image is contracted with packed windows.
                let (all, one) = (run(images.clone()), run(images.slice(s![3..4, ..]).to_owned()));
                assert!(all.iter().any(|value| *value > 0.0));
                assert_eq!(all.slice(s![3..4, ..]), one, "{window:?}, {outputs}");
            }
        }
    }
}
