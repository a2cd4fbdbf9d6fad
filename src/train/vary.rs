//! Images moved and mirrored by chance, each by itself, without leaving the device.

use rand::RngExt;

use super::fit::rows;
use super::options::Augment;
use crate::backend::{Backend, Window};
use crate::error::Result;

/// What variations of images of one shape need on a device.
pub(super) struct Variation<B: Backend> {
    /// A window as large as the image over the image with zeros around it: its places are the shifts.
    window: Window,
    places: u32,
    /// The pixels of the mirrored image.
    mirrored: Option<B::Indices>,
}

impl<B: Backend> Variation<B> {
    pub(super) fn new(backend: &B, [channels, height, width]: [usize; 3], augment: Augment) -> Result<Self> {
        let shift = augment.shift;
        let window = Window { padding: [shift; 4], ..Window::new([channels, height, width], [height, width]) };
        let index: Vec<u32> = (0..channels * height)
            .flat_map(|row| (0..width).rev().map(move |x| u32::try_from(row * width + x).unwrap_or(u32::MAX)))
            .collect();
        let mirrored = augment.flip.then(|| backend.upload_indices(&index)).transpose()?;
        let places = window.positions()?.iter().product::<usize>();
        Ok(Self { window, places: u32::try_from(places).unwrap_or(1), mirrored })
    }

    /// Varies every image of a batch, by numbers from a stream.
    pub(super) fn of(&self, backend: &B, images: &B::Matrix, stream: &mut impl RngExt) -> Result<B::Matrix> {
        let count = u32::try_from(backend.shape(images)[0]).unwrap_or(u32::MAX);
        let mirrored = match &self.mirrored {
            None => None,
            Some(mirrored) => {
                // Both beside one another, and one of them for each.
                let both = backend.concatenate(&[images, &backend.gather(images, mirrored)?])?;
                let both = backend.reshape(both, backend.shape(images)[1])?;
                let picked: Vec<u32> = (0..count).map(|at| 2 * at + stream.random_range(0..2)).collect();
                Some(rows(backend, &both, &backend.upload_indices(&picked)?)?)
            }
        };
        let images = mirrored.as_ref().unwrap_or(images);
        let places: Vec<u32> = (0..count).map(|at| at * self.places + stream.random_range(0..self.places)).collect();
        backend.unfold(images, &self.window, Some(&backend.upload_indices(&places)?))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use ndarray::arr2;

    use super::*;
    use crate::backend::Reference;
    use crate::rng;

    #[test]
    fn images_move_by_one_pixel_and_are_mirrored() {
        let backend = Reference::new();
        let image = [1.0_f32, 2.0, 3.0, 4.0];
        let images = backend.upload(&arr2(&[image; 200])).unwrap();
        let shifted = |[a, b, c, d]: [f64; 4]| {
            // Rows and columns move by -1, 0 or 1; zeros come in.
            let at = move |y: i32, x: i32| match (y, x) {
                (0, 0) => a,
                (0, 1) => b,
                (1, 0) => c,
                (1, 1) => d,
                _ => 0.0,
            };
            (-1..=1).flat_map(move |y| (-1..=1).map(move |x| [at(y, x), at(y, x + 1), at(y + 1, x), at(y + 1, x + 1)]))
        };
        for (shift, flip) in [(1, false), (0, true), (1, true)] {
            let mut expected: Vec<[f64; 4]> = match shift {
                0 => vec![[1.0, 2.0, 3.0, 4.0]],
                _ => shifted([1.0, 2.0, 3.0, 4.0]).collect(),
            };
            if flip {
                expected.extend(expected.clone().into_iter().map(|[a, b, c, d]| [b, a, d, c]));
            }
            let variation = Variation::new(&backend, [1, 2, 2], Augment { shift, flip }).unwrap();
            let varied = variation.of(&backend, &images, &mut rng::stream(3, "test")).unwrap();
            let found: Vec<[f64; 4]> = varied.rows().into_iter().map(|row| [row[0], row[1], row[2], row[3]]).collect();
            assert!(found.iter().all(|one| expected.contains(one)), "{shift} {flip}");
            assert!(expected.iter().all(|one| found.contains(one)), "{shift} {flip}: not all of them come up");
        }
    }
}
