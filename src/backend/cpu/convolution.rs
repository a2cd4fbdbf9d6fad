//! A convolutional layer: the contraction of kernels with windows, whose fold stores images.

use std::mem;
use std::ops::Range;

use pulp::Simd;

use super::affine::affine;
use super::contraction::{Fold, Sum, Tile, contract};
use super::matrix::HostMatrix;
use super::operand::{Columns, Order, View};
use super::patches::Patches;
use super::stencil::Convolution;
use crate::backend::{Activation, Window, check};
use crate::error::Result;

/// Windows of a tile at most, unless it takes several images; images share a tile up to a quarter of them.
const WINDOWS: usize = 1024;

/// Output channels of a tile at most.
const BAND: usize = 384;

pub(super) fn convolution(
    images: &HostMatrix,
    weights: &HostMatrix,
    bias: Option<&HostMatrix>,
    window: &Window,
    groups: usize,
    activation: Activation,
) -> Result<HostMatrix> {
    let (shape, positions) =
        check::convolution(images.shape(), weights.shape(), bias.map(HostMatrix::shape), window, groups)?;
    let ([n, _], plane) = (shape, positions[0] * positions[1]);
    let whole = plane == 1 && window.kernel == window.image[1..] && window.padding[..2] == [0, 0];
    if whole && groups == 1 {
        // One window that is the image: a linear layer.
        return affine(images, weights, bias, activation);
    }
    let mut out = HostMatrix::unwritten("convolution", shape)?;
    if shape.contains(&0) {
        return Ok(out);
    }
    let (inputs, outputs) = (window.image[0] / groups, weights.shape()[0] / groups);
    let zeros = vec![0.0; groups * outputs];
    let bias = bias.map_or(zeros.as_slice(), HostMatrix::values);
    let floor = match activation {
        Activation::Identity => f32::NEG_INFINITY,
        Activation::Relu => 0.0,
    };
    // Pixels by themselves are windows in one row.
    let line = Window::new([window.image[0], 1, plane], [1, 1]);
    let (window, positions) = if window.is_pixels() { (&line, [1, plane]) } else { (window, positions) };
    let direct = Convolution {
        images,
        weights: weights.values(),
        bias,
        window,
        positions,
        groups,
        channels: [inputs, outputs],
        floor,
    };
    if direct.suits() {
        direct.run(out.values_mut());
        return Ok(out);
    }
    let cut = Cut { images: (WINDOWS / 4 / plane).max(1), outputs, plane };
    let mut tiles: Vec<Vec<Tile<Store<'_>>>> =
        (0..groups).map(|group| cut.tiles(n, &bias[group * outputs..(group + 1) * outputs], floor)).collect();
    // Each tile gets its windows of its channels of its images, images first.
    let mut rest = out.values_mut();
    for image in 0..n {
        for channel in 0..groups * outputs {
            for windows in cut.windows() {
                let (part, tail) = mem::take(&mut rest).split_at_mut(windows.len());
                rest = tail;
                let at = cut.tile(image, channel % outputs, &windows);
                tiles[channel / outputs][at].fold.parts.push(part);
            }
        }
    }
    for (group, tiles) in tiles.iter_mut().enumerate() {
        let inner = inputs * window.entries();
        let weights = &weights.values()[group * outputs * inner..(group + 1) * outputs * inner];
        let rows = View { values: weights, rows: outputs, inner, order: Order::RowMajor, stride: inner, picked: None };
        let first_channel = group * inputs;
        let patches = Patches { images: images.values(), window, positions, first_channel, count: n * plane };
        contract::<Sum, _>(rows, Columns::Patches(patches), tiles);
    }
    drop(tiles);
    Ok(out)
}

/// How the product is cut: groups of images, bands of channels, and large images into ranges of windows.
struct Cut {
    images: usize,
    outputs: usize,
    plane: usize,
}

impl Cut {
    fn windows(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (plane, step) = (self.plane, if self.images > 1 { self.plane } else { WINDOWS });
        (0..plane).step_by(step).map(move |start| start..plane.min(start + step))
    }

    /// Tiles for `n` images, in the order of [`Cut::tile`].
    fn tiles<'a>(&self, n: usize, bias: &'a [f32], floor: f32) -> Vec<Tile<Store<'a>>> {
        let mut tiles = Vec::new();
        for image in (0..n).step_by(self.images) {
            let count = self.images.min(n - image);
            for row in (0..self.outputs).step_by(BAND) {
                let rows = row..self.outputs.min(row + BAND);
                for windows in self.windows() {
                    let first = image * self.plane + windows.start;
                    let columns = first..first + (count - 1) * self.plane + windows.len();
                    let parts = Vec::with_capacity(count * rows.len());
                    let fold = Store { parts, bias: &bias[rows.clone()], first, width: windows.len(), count, floor };
                    tiles.push(Tile { rows: rows.clone(), columns, fold });
                }
            }
        }
        tiles
    }

    /// The tile of an image, a channel and a range of windows.
    fn tile(&self, image: usize, channel: usize, windows: &Range<usize>) -> usize {
        let ranges = self.windows().count();
        (image / self.images * self.outputs.div_ceil(BAND) + channel / BAND) * ranges + windows.start / WINDOWS
    }
}

struct Store<'a> {
    /// The windows of the tile, `[image][channel]`.
    parts: Vec<&'a mut [f32]>,
    /// Of the channels of the tile.
    bias: &'a [f32],
    /// The first window.
    first: usize,
    /// Windows of each image.
    width: usize,
    /// Images.
    count: usize,
    floor: f32,
}

impl Fold for Store<'_> {
    #[inline(always)]
    fn fold<S: Simd, const V: usize>(&mut self, simd: S, row: usize, column: usize, product: &[[S::f32s; V]]) {
        let floor = simd.splat_f32s(self.floor);
        let channels = self.bias.len();
        for v in 0..V {
            let at = column - self.first + v * S::F32_LANES;
            let (mut image, mut window) = (at / self.width, at % self.width);
            if image < self.count && window + S::F32_LANES <= self.width {
                for (r, product) in product.iter().enumerate() {
                    let out = &mut self.parts[image * channels + row + r][window..];
                    let value = simd.add_f32s(product[v], simd.splat_f32s(self.bias[row + r]));
                    if let Some(out) = S::as_mut_simd_f32s(out).0.first_mut() {
                        *out = simd.max_f32s(value, floor);
                    }
                }
                continue;
            }
            // The lanes of this vector lie on several images, or beyond the last.
            let mut lane = 0;
            while lane < S::F32_LANES && image < self.count {
                let length = (self.width - window).min(S::F32_LANES - lane);
                for (r, product) in product.iter().enumerate() {
                    let value = simd.add_f32s(product[v], simd.splat_f32s(self.bias[row + r]));
                    let mut values = [0.0; 16];
                    if let Some(out) = S::as_mut_simd_f32s(&mut values).0.first_mut() {
                        *out = simd.max_f32s(value, floor);
                    }
                    let out = &mut self.parts[image * channels + row + r][window..window + length];
                    out.copy_from_slice(&values[lane..lane + length]);
                }
                (lane, image, window) = (lane + length, image + 1, 0);
            }
        }
    }
}
