//! The window that a convolution or a pooling slides over an image.

/// A window of `size` elements, `dilation` apart, moved by `stride` over an image with `padding` around it. Pairs are
/// height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Elements along each axis, at least one.
    pub size: [usize; 2],
    /// Step along each axis, at least one.
    pub stride: [usize; 2],
    /// Rows and columns added at the top, left, bottom and right: zeros for a convolution, nothing for a pooling.
    pub padding: [usize; 4],
    /// Distance between neighbouring elements, at least one.
    pub dilation: [usize; 2],
}

impl Window {
    /// A window that moves by one over an image without padding.
    #[must_use]
    pub fn dense(size: [usize; 2]) -> Self {
        Self { size, stride: [1, 1], padding: [0; 4], dilation: [1, 1] }
    }

    /// Places of the window along each axis of an image of height and width `image`:
    /// `floor((image + padding - dilation (size - 1) - 1) / stride) + 1`, or with `ceil` the ceiling instead of the
    /// floor, without places that begin behind the image. `None` if no window fits or a product overflows.
    #[must_use]
    pub fn places(&self, image: [usize; 2], ceil: bool) -> Option<[usize; 2]> {
        let along = |axis: usize| {
            let (size, stride) = (self.size[axis], self.stride[axis]);
            let extent = self.dilation[axis].checked_mul(size.checked_sub(1)?)?.checked_add(1)?;
            let before = self.padding[axis];
            let padded = image[axis].checked_add(before)?.checked_add(self.padding[axis + 2])?;
            let free = padded.checked_sub(extent)?;
            let places = if ceil { free.div_ceil(stride.max(1)) } else { free.checked_div(stride)? } + 1;
            let behind = ceil && (places - 1) * stride >= image[axis] + before;
            Some(places - usize::from(behind))
        };
        Some([along(0)?, along(1)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_as_the_frameworks_count_them() {
        // Size, stride, padding before and after, dilation, image, ceil: places (torch.nn.MaxPool2d and Conv2d).
        let cases = [
            ([3, 1, 1, 1, 1], 32, false, Some(32)),
            ([5, 2, 2, 2, 1], 32, false, Some(16)),
            ([2, 2, 0, 0, 1], 7, false, Some(3)),
            ([2, 2, 0, 0, 1], 7, true, Some(4)),
            ([3, 2, 1, 1, 1], 6, true, Some(4)),
            // The fourth window would begin in the padding behind the image.
            ([2, 3, 1, 1, 1], 7, true, Some(3)),
            ([3, 1, 0, 0, 2], 5, false, Some(1)),
            ([3, 1, 0, 0, 2], 4, false, None),
            ([usize::MAX, 1, 0, 0, usize::MAX], 4, false, None),
        ];
        for ([size, stride, before, after, dilation], image, ceil, expected) in cases {
            let window = Window {
                size: [size; 2],
                stride: [stride; 2],
                padding: [before, before, after, after],
                dilation: [dilation; 2],
            };
            let expected = expected.map(|places| [places; 2]);
            assert_eq!(window.places([image; 2], ceil), expected, "{window:?} on {image}, ceil {ceil}");
        }
    }
}
