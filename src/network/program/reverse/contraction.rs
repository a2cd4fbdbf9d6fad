//! Steps that sum products.

use super::super::source::numbers;
use super::Passed;
use crate::backend::{Activation, Backend, Transpose, Window};
use crate::error::Result;

/// The transpose of a convolution: a convolution with its kernels turned round, over its slopes with zeros between and around
/// them.
pub(super) struct Deconvolution<B: Backend> {
    /// Where slopes come to lie, if padding alone does not put them there.
    spread: Option<B::Indices>,
    window: Window,
    groups: usize,
    /// Channels of what the convolution reads.
    channels: usize,
    /// Where its kernels, `C x (m / groups k_h k_w)`, stand in those of the convolution.
    turned: B::Indices,
}

impl<B: Backend> Deconvolution<B> {
    pub(super) fn of(backend: &B, window: &Window, groups: usize, outputs: usize) -> Result<Self> {
        let ([channels, height, width], entries) = (window.image, window.entries());
        let (each, own) = (outputs / groups, channels / groups);
        let columns = own * entries;
        let mut turned = Vec::with_capacity(outputs * columns);
        for channel in 0..channels {
            for output in channel / own * each..(channel / own + 1) * each {
                let start = output * columns + channel % own * entries;
                turned.extend(numbers(start..start + entries).iter().rev());
            }
        }
        let turned = backend.upload_indices(&turned)?;
        let places = window.positions()?;
        // Zeros in front of the slopes and behind them: what windows reach beyond the padding, below 0 where they do not.
        let signed = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let span = [0, 1].map(|axis| window.dilation[axis] * (window.kernel[axis] - 1));
        let front = [0, 1].map(|axis| signed(span[axis]) - signed(window.padding[axis]));
        let wide = [height + span[0], width + span[1]];
        let behind = [0, 1].map(|axis| signed(wide[axis]) - front[axis] - signed(places[axis]));
        let back = Window { dilation: window.dilation, ..Window::new([outputs, height, width], window.kernel) };
        let padding = [front[0], front[1], behind[0], behind[1]].map(|zeros| usize::try_from(zeros).ok());
        if let ([1, 1], [Some(top), Some(left), Some(bottom), Some(right)]) = (window.stride, padding) {
            let padding = [top, left, bottom, right];
            let window = Window { image: [outputs, places[0], places[1]], padding, ..back };
            return Ok(Self { spread: None, window, groups, channels, turned });
        }
        let along = |axis: usize, at: usize| {
            let at = usize::try_from(signed(at) - front[axis]).ok()?;
            let place = at / window.stride[axis];
            (at % window.stride[axis] == 0 && place < places[axis]).then_some(place)
        };
        let mut spread = Vec::with_capacity(outputs * wide[0] * wide[1]);
        for output in 0..outputs {
            for y in 0..wide[0] {
                for x in 0..wide[1] {
                    let place = along(0, y).zip(along(1, x));
                    let number = place.map(|(y, x)| (output * places[0] + y) * places[1] + x);
                    spread.push(number.and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX));
                }
            }
        }
        let window = Window { image: [outputs, wide[0], wide[1]], ..back };
        Ok(Self { spread: Some(backend.upload_indices(&spread)?), window, groups, channels, turned })
    }

    pub(super) fn run(&self, backend: &B, slope: &B::Matrix, weight: &B::Matrix) -> Result<B::Matrix> {
        let [outputs, columns] = backend.shape(weight);
        let flat = backend.reshape(super::scaled(backend, weight, 1.0)?, outputs * columns)?;
        let turned = backend.reshape(backend.gather(&flat, &self.turned)?, outputs * columns / self.channels)?;
        let spread = self.spread.as_ref().map(|spread| backend.gather(slope, spread)).transpose()?;
        let images = spread.as_ref().unwrap_or(slope);
        backend.convolution(images, &turned, None, &self.window, self.groups, Activation::Identity)
    }
}

impl<B: Backend> Passed<'_, B> {
    /// `D W` for `y = x W^T + b`.
    pub(super) fn linear(&self, backend: &B, slope: &B::Matrix, weight: &B::Matrix) -> Result<B::Matrix> {
        backend.matmul(slope, Transpose::No, weight, Transpose::No)
    }

    /// `D B^T` and `A^T D` for each `C = A B`.
    pub(super) fn product(&self, backend: &B, rows: usize, turned: &[B::Indices; 2], at: usize) -> Result<B::Matrix> {
        let (a, b) = (self.operands[0], self.operands[1]);
        let ([all, inner], [_, outputs]) = (backend.shape(a), backend.shape(b));
        let groups = all / rows.max(1);
        let transposed = |matrix: &B::Matrix, [rows, columns]: [usize; 2], turned: &B::Indices| {
            // One matrix in each row.
            let flat = backend.reshape(super::scaled(backend, matrix, 1.0)?, rows * columns)?;
            backend.reshape(backend.gather(&flat, turned)?, rows)
        };
        if at == 0 {
            return backend.batched_matmul(&self.slope, &transposed(b, [inner, outputs], &turned[1])?, groups);
        }
        backend.batched_matmul(&transposed(a, [rows, inner], &turned[0])?, &self.slope, groups)
    }
}
