//! Queries and keys: of all `K` pairs of sums `A q`, `B k` those whose products lose the least of `<q, k>`.
//!
//! With the second moments `S = E q q^T`, `T = E k k^T` of independent queries and keys,
//! `E (<q, k> - <q, P k>)^2 = |S^(1/2) (I - P) T^(1/2)|^2`: the best `P` of rank `K` is that of the leading singular values of
//! `S^(1/2) T^(1/2) = U D V^T` (Eckart and Young, 1936). `A = D^(1/2) U^T S^(-1/2)`, `B = D^(1/2) V^T T^(-1/2)` go into the layers
//! that write them, and nothing else changes.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::Array2;

use super::project::{MOST, NOISE};
use super::refit::Refitter;
use crate::backend::{Backend, Transpose};
use crate::error::{Error, Result};
use crate::network::spaces::{Side, Space, sides};

impl<B: Backend> Refitter<'_, B> {
    /// Exchanges the pairs of a space for `keeps` of each cell; nothing where its units are no pairs.
    pub(super) fn pairs(&mut self, space: &Space, keeps: &[usize]) -> Result<Option<Vec<usize>>> {
        let Some(both) = sides(self.base, self.analysis, space) else { return Ok(None) };
        if space.cells.iter().any(|cell| cell.len() > MOST) {
            return Ok(None);
        }
        let moments = self.second_moments(space, &both)?;
        let units = space.units.len();
        let mut kept: Vec<usize> =
            space.cells.iter().zip(keeps).flat_map(|(cell, keep)| cell[..*keep].to_vec()).collect();
        kept.sort_unstable();
        let mut bases = [Array2::zeros((kept.len(), units)), Array2::zeros((kept.len(), units))];
        for (cell, keep) in space.cells.iter().zip(keeps) {
            let own = moments
                .each_ref()
                .map(|moment| DMatrix::from_fn(cell.len(), cell.len(), |i, j| moment[[cell[i], cell[j]]]));
            for (basis, rows) in bases.iter_mut().zip(leading(&own, *keep)) {
                for (row, unit) in cell[..*keep].iter().enumerate() {
                    let at = kept.binary_search(unit).unwrap_or(0);
                    cell.iter().enumerate().for_each(|(column, from)| basis[[at, *from]] = rows[(row, column)]);
                }
            }
        }
        for (side, basis) in both.iter().zip(&bases) {
            for (part, place) in &side.parts {
                let own = space.units.iter().map(|unit| unit.places[*part][*place]).collect::<Vec<_>>();
                self.turn_part(&space.parts[*part], &own, (&kept, basis), None)?;
            }
        }
        Ok(Some(kept))
    }

    /// `E q q^T` and `E k k^T` in the network as it is now.
    fn second_moments(&self, space: &Space, both: &[Side; 2]) -> Result<[Array2<f64>; 2]> {
        let names = both.each_ref().map(|side| self.base.values[side.value].as_str());
        let streams = self.streams(&names)?;
        let channels = both.each_ref().map(|side| {
            let (part, place) = (&space.parts[side.writer], side.parts.first().map_or(0, |(_, place)| *place));
            let left = self.left((part.operator, part.input, part.axis));
            let place = |unit: &crate::network::spaces::Unit| {
                let own = unit.places[side.writer][place];
                left.as_ref().map_or(own, |left| left[own])
            };
            space.units.iter().map(place).collect::<Vec<_>>()
        });
        let units = space.units.len();
        let mut sums = [Array2::<f64>::zeros((units, units)), Array2::zeros((units, units))];
        let mut count = 0.0;
        self.batches(|inputs, rows| {
            for ((batch, sum), channels) in streams.values(inputs, rows, &names)?.iter().zip(&mut sums).zip(&channels) {
                let width = batch.shape.last().copied().unwrap_or(1).max(1);
                let places = batch.values.len() / width;
                let picked =
                    Array2::from_shape_fn((places, units), |(row, unit)| batch.values[row * width + channels[unit]]);
                let matrix = self.backend.upload(&picked.view())?;
                let product = self.backend.matmul(&matrix, Transpose::Yes, &matrix, Transpose::No)?;
                *sum += &self.backend.download(&product)?;
                #[expect(clippy::cast_precision_loss, reason = "numbers of places")]
                let places = places as f64;
                count += places / 2.0;
            }
            Ok(())
        })?;
        if count == 0.0 {
            return Err(Error::Data { problem: "no inputs to refit on".to_owned() });
        }
        Ok(sums.map(|sum| sum / count))
    }
}

/// `A` and `B`: the leading pairs of sums.
fn leading(moments: &[DMatrix<f64>; 2], keep: usize) -> [DMatrix<f64>; 2] {
    let roots = moments.each_ref().map(|moment| {
        let eigen = SymmetricEigen::new(moment.clone());
        let floor = NOISE * eigen.eigenvalues.max().max(f64::MIN_POSITIVE);
        let power = |exponent: f64| {
            let values = eigen.eigenvalues.map(|value| value.max(floor).powf(exponent));
            &eigen.eigenvectors * DMatrix::from_diagonal(&values) * eigen.eigenvectors.transpose()
        };
        [power(0.5), power(-0.5)]
    });
    let [[root_a, inverse_a], [root_b, inverse_b]] = &roots;
    // U D^2 U^T and its V from the product itself: all that a symmetric solver needs.
    let product = root_a * root_b;
    let eigen = SymmetricEigen::new(&product * product.transpose());
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let n = product.nrows();
    let u = DMatrix::from_fn(n, keep, |row, column| eigen.eigenvectors[(row, order[column])]);
    let values: Vec<f64> =
        order[..keep].iter().map(|at| eigen.eigenvalues[*at].max(f64::MIN_POSITIVE).sqrt()).collect();
    let scaled = |power: f64| DMatrix::from_fn(keep, keep, |i, j| if i == j { values[i].powf(power) } else { 0.0 });
    // D^(1/2) U^T S^(-1/2), and D^(1/2) V^T = D^(-1/2) U^T S^(1/2) T^(1/2).
    let a = scaled(0.5) * u.transpose() * inverse_a;
    let b = scaled(-0.5) * u.transpose() * product * inverse_b;
    [a, b]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_pairs_keep_products_that_have_their_rank() {
        // Queries in the plane of the first two axes: two pairs are all there is.
        let s = DMatrix::from_row_slice(3, 3, &[2.0, 0.5, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0]);
        let t = DMatrix::from_row_slice(3, 3, &[1.0, 0.2, 0.1, 0.2, 2.0, 0.3, 0.1, 0.3, 1.5]);
        let [a, b] = leading(&[s, t], 2);
        let found = a.transpose() * b;
        for (i, j) in (0..2).flat_map(|i| (0..3).map(move |j| (i, j))) {
            // <q, P k> is <q, k> for all q of the plane.
            let want = if i == j { 1.0 } else { 0.0 };
            assert!((found[(i, j)] - want).abs() < 1e-3, "{found}");
        }
    }
}
