//! Windows that slide over images: the geometry of convolutions, pooling and patches.

use crate::error::{Error, Result};

/// Windows on images of `channels x height x width`. An image is one row of a matrix, `(c H + y) W + x` (NCHW).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Channels, height and width of an image.
    pub image: [usize; 3],
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// Steps between windows, down and to the right.
    pub stride: [usize; 2],
    /// Zeros above, to the left, below and to the right of the image.
    pub padding: [usize; 4],
    /// Steps between the entries of a window, down and to the right.
    pub dilation: [usize; 2],
}

impl Window {
    /// Windows of `kernel` at every pixel, without padding.
    #[must_use]
    pub fn new(image: [usize; 3], kernel: [usize; 2]) -> Self {
        Self { image, kernel, stride: [1, 1], padding: [0; 4], dilation: [1, 1] }
    }

    /// Values of an image.
    #[must_use]
    pub fn length(&self) -> usize {
        self.image.iter().product()
    }

    /// Entries of a window in one channel.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether windows are the pixels, one by one.
    #[must_use]
    pub fn is_pixels(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0; 4]
    }

    /// Rows and columns of windows: `floor((H + padding - dilation (kernel - 1) - 1) / stride) + 1`.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for an image, kernel, stride or dilation of 0, a window that is larger than the padded image, and
    /// lengths beyond 2^31.
    pub fn positions(&self) -> Result<[usize; 2]> {
        let refused = |problem: String| Err(Error::Argument { argument: "window", problem });
        let positive =
            self.image.iter().chain([self.kernel, self.stride, self.dilation].iter().flatten()).all(|step| *step > 0);
        if !positive {
            return refused(format!("image, kernel, stride and dilation of {self:?} have to be at least 1"));
        }
        let lengths = self.image.iter().chain(&self.kernel).chain(&self.stride).chain(&self.padding);
        let product = self.image.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
        let small = |length: usize| length < 1 << 31;
        if !lengths.chain(&self.dilation).all(|length| small(*length)) || !product.is_some_and(small) {
            return refused(format!("{self:?} has lengths beyond 2^31"));
        }
        let mut positions = [0; 2];
        for (axis, count) in positions.iter_mut().enumerate() {
            let padded = self.image[1 + axis] + self.padding[axis] + self.padding[2 + axis];
            let span = self.dilation[axis].saturating_mul(self.kernel[axis] - 1).saturating_add(1);
            let Some(room) = padded.checked_sub(span) else {
                return refused(format!(
                    "a window that spans {span} does not fit into {padded} padded pixels: {self:?}"
                ));
            };
            *count = room / self.stride[axis] + 1;
        }
        Ok(positions)
    }

    /// The pixel of entry `[ky, kx]` in the window at `[y, x]`, as an index into one channel; `None` in the padding.
    #[must_use]
    pub fn pixel(&self, position: [usize; 2], entry: [usize; 2]) -> Option<usize> {
        let along = |axis: usize| {
            let at = position[axis] * self.stride[axis] + entry[axis] * self.dilation[axis];
            at.checked_sub(self.padding[axis]).filter(|at| *at < self.image[1 + axis])
        };
        Some(along(0)? * self.image[2] + along(1)?)
    }
}

/// What becomes of the entries of a window in each channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The largest entry inside the image.
    Max,
    /// The mean of the entries inside the image.
    Average,
    /// The sum of the entries inside the image over the number of all entries: zeros in the padding count.
    AveragePadded,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn positions_follow_the_formula() {
        let base = Window::new([3, 32, 30], [5, 5]);
        assert_eq!(base.positions().unwrap(), [28, 26]);
        assert_eq!(Window { stride: [2, 3], padding: [2, 2, 2, 2], ..base }.positions().unwrap(), [16, 10]);
        assert_eq!(Window { dilation: [2, 7], padding: [0, 0, 0, 1], ..base }.positions().unwrap(), [24, 3]);
    }

    #[test]
    fn windows_that_do_not_fit_are_refused() {
        let base = Window::new([1, 4, 4], [5, 1]);
        let message = |window: Window| window.positions().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message(base).contains("spans 5 does not fit into 4"));
        assert!(message(Window { stride: [0, 1], padding: [1; 4], ..base }).contains("at least 1"));
        assert!(message(Window::new([1 << 20, 1 << 20, 4], [1, 1])).contains("2^31"));
    }
}
