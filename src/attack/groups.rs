//! Groups of pixels that are perturbed together or not at all (Xu et al., *Structured Adversarial Attack*, ICLR 2019).

use crate::backend::{Backend, Combination, Function, Reduction};
use crate::error::Result;

/// Squares of 2 x 2 pixels, all channels of an image in one group.
pub struct Groups<B: Backend> {
    /// The pixel at each place of the groups, which lie one behind the other; no pixel beyond the border.
    to: B::Indices,
    /// The place of each pixel.
    from: B::Indices,
    count: usize,
    size: usize,
}

/// Pixels of a group along an axis.
const SIDE: usize = 2;

/// The pixels of each group, `None` beyond the border, for images `C x H x W`.
fn members([channels, height, width]: [usize; 3]) -> Vec<Vec<Option<usize>>> {
    let corners = (0..height).step_by(SIDE).flat_map(|y| (0..width).step_by(SIDE).map(move |x| (y, x)));
    let pixel = |c: usize, y: usize, x: usize| (y < height && x < width).then(|| (c * height + y) * width + x);
    let group = |(y, x): (usize, usize)| {
        let places = (0..channels).flat_map(|c| (0..SIDE * SIDE).map(move |k| (c, k / SIDE, k % SIDE)));
        places.map(|(c, down, right)| pixel(c, y + down, x + right)).collect()
    };
    corners.map(group).collect()
}

/// `sum_g |eta_g|_2` of one perturbation of images `C x H x W`.
pub(super) fn group_norms(shape: [usize; 3], eta: &[f64]) -> f64 {
    let square = |group: &Vec<Option<usize>>| -> f64 { group.iter().flatten().map(|at| eta[*at].powi(2)).sum() };
    members(shape).iter().map(|group| square(group).sqrt()).sum()
}

impl<B: Backend> Groups<B> {
    /// The groups of images `C x H x W`.
    ///
    /// # Errors
    ///
    /// What [`Backend::upload_indices`] returns.
    #[expect(clippy::cast_possible_truncation, reason = "an image has far fewer than 2^32 values")]
    pub fn of_images(backend: &B, shape: [usize; 3]) -> Result<Self> {
        let groups = members(shape);
        let size = shape[0] * SIDE * SIDE;
        let to: Vec<u32> = groups.iter().flatten().map(|pixel| pixel.map_or(u32::MAX, |pixel| pixel as u32)).collect();
        let mut from = vec![u32::MAX; shape.iter().product()];
        for (place, pixel) in groups.iter().flatten().enumerate() {
            if let Some(slot) = pixel.and_then(|pixel| from.get_mut(pixel)) {
                *slot = place as u32;
            }
        }
        let (to, from) = (backend.upload_indices(&to)?, backend.upload_indices(&from)?);
        Ok(Self { to, from, count: groups.len(), size })
    }

    /// `|eta_g|_2`, `n x G`, and the entries of the groups one behind the other.
    fn norms(&self, backend: &B, eta: &B::Matrix) -> Result<[B::Matrix; 2]> {
        let grouped = backend.gather(eta, &self.to)?;
        // A second copy: what is reshaped is given away.
        let rows = backend.reshape(backend.gather(eta, &self.to)?, self.size)?;
        let squares = backend.reshape(backend.reduce_rows(&rows, Reduction::Squares)?, self.count)?;
        Ok([backend.elementwise(&squares, Function::Sqrt)?, grouped])
    }

    /// `sum_g |eta_g|_2`, `n x 1`.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return.
    pub fn value(&self, backend: &B, eta: &B::Matrix) -> Result<B::Matrix> {
        let [norms, _] = self.norms(backend, eta)?;
        backend.reduce_rows(&norms, Reduction::Sum)
    }

    /// `eta_g max(1 - t / |eta_g|, 0)`: the proximal step of `t sum_g |eta_g|` with `t`, `n x 1`, of each sample.
    ///
    /// # Errors
    ///
    /// What the operations of the backend return.
    pub fn shrink(&self, backend: &B, eta: &B::Matrix, t: &B::Matrix) -> Result<B::Matrix> {
        let [norms, grouped] = self.norms(backend, eta)?;
        let least = Function::Clip { low: 1e-30, high: f32::MAX };
        let t = backend.elementwise(t, Function::Clip { low: 0.0, high: 1e6 })?;
        let share = backend.combine(&backend.elementwise(&norms, least)?, &t, Combination::DivideInto, self.count)?;
        let kept = backend.elementwise(&share, Function::HardSigmoid { alpha: -1.0, beta: 1.0 })?;
        backend.gather(&backend.combine(&grouped, &kept, Combination::Multiply, self.size)?, &self.from)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use ndarray::{Array2, array};

    use super::*;
    use crate::backend::Reference;

    #[test]
    fn groups_of_an_odd_image_end_at_its_border() {
        assert_eq!(members([1, 2, 3])[0], [Some(0), Some(1), Some(3), Some(4)]);
        assert_eq!(members([1, 2, 3])[1], [Some(2), None, Some(5), None]);
        assert_eq!(members([2, 1, 1]), [[Some(0), None, None, None, Some(1), None, None, None]]);
    }

    #[test]
    fn a_group_loses_length_and_keeps_direction() {
        let backend = Reference::new();
        let groups = Groups::of_images(&backend, [1, 2, 3]).unwrap();
        let eta: Array2<f64> = array![[3.0, 0.0, 0.6, 0.0, 4.0, 0.8]];
        let value = groups.value(&backend, &eta).unwrap()[[0, 0]];
        assert!(
            (value - 6.0).abs() < 1e-12 && (group_norms([1, 2, 3], eta.row(0).as_slice().unwrap()) - 6.0).abs() < 1e-12
        );
        let shrunk = groups.shrink(&backend, &eta, &array![[1.0]]).unwrap();
        // 5 becomes 4, 1 becomes 0.
        let expected = array![[2.4, 0.0, 0.0, 0.0, 3.2, 0.0]];
        assert!((&shrunk - &expected).iter().all(|off: &f64| off.abs() < 1e-6), "{shrunk}");
    }
}
