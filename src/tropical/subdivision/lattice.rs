//! Points with integer coordinates of any size: independence, orientations and solutions without rounding.

use num_bigint::{BigInt, Sign};

use crate::geometry::hull::{Orientation, orientation};
use crate::tropical::decimal::Decimal;

/// Bits of integers that f64 holds.
const EXACT_BITS: u64 = 53;

/// Points with integer coordinates.
///
/// Decimals become integers by one power of ten; a translation makes them small. Where f64 holds all of them, orientations
/// are decided by adaptive precision; otherwise by f64 with a bound of its rounding, and by integers where that is not
/// enough.
#[derive(Debug, Clone)]
pub(super) struct Lattice {
    pub(super) dimension: usize,
    values: Vec<BigInt>,
    /// The same in f64: exact, or scaled to at most one in each coordinate.
    rounded: Vec<f64>,
    exact: bool,
}

/// Rows and columns of points that tell their affine hull.
#[derive(Debug)]
pub(super) struct Basis {
    /// Affinely independent points, one more than the rank.
    pub(super) points: Vec<usize>,
    /// As many coordinates as the rank, in which the affine hull has full dimension.
    pub(super) columns: Vec<usize>,
}

impl Lattice {
    fn new(dimension: usize, values: Vec<BigInt>) -> Self {
        let widths: Vec<u64> = (0..dimension)
            .map(|j| values.iter().skip(j).step_by(dimension).map(BigInt::bits).max().unwrap_or(0))
            .collect();
        let exact = widths.iter().all(|bits| *bits <= EXACT_BITS);
        let rounded = values.iter().enumerate().map(|(at, value)| {
            if exact {
                return small(value);
            }
            let width = widths[at % dimension];
            let cut = width.saturating_sub(62);
            small(&(value >> cut)) / 2.0_f64.powi(i32::try_from(width - cut).unwrap_or(62))
        });
        let rounded = rounded.collect();
        Self { dimension, values, rounded, exact }
    }

    /// Rows of numbers, and the power of ten by which they became integers; moved so that the first is the origin.
    pub(super) fn of(rows: &[Vec<f64>], dimension: usize) -> (Self, i32) {
        let decimals: Vec<Decimal> = rows.iter().flatten().map(|value| Decimal::of(*value)).collect();
        let exponents = decimals.iter().filter(|decimal| decimal.digits.sign() != Sign::NoSign);
        let exponent = exponents.map(|decimal| decimal.exponent).min().unwrap_or(0);
        let mut values: Vec<BigInt> = decimals
            .iter()
            .map(|decimal| if decimal.digits.sign() == Sign::NoSign { BigInt::ZERO } else { decimal.at(exponent) })
            .collect();
        let origin: Vec<BigInt> = values.iter().take(dimension).cloned().collect();
        for (at, value) in values.iter_mut().enumerate() {
            *value -= &origin[at % dimension];
        }
        (Self::new(dimension, values), exponent)
    }

    /// Number of points.
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.dimension.max(1)
    }

    pub(super) fn row(&self, i: usize) -> &[BigInt] {
        &self.values[i * self.dimension..(i + 1) * self.dimension]
    }

    /// Some points in some coordinates.
    pub(super) fn select(&self, points: &[usize], columns: &[usize]) -> Self {
        let values = points.iter().flat_map(|i| columns.iter().map(|j| self.row(*i)[*j].clone())).collect();
        Self::new(columns.len(), values)
    }

    /// The points with further coordinates from another set of as many.
    pub(super) fn beside(&self, other: &Self) -> Self {
        let rows = (0..self.len()).flat_map(|i| self.row(i).iter().chain(other.row(i)).cloned());
        Self::new(self.dimension + other.dimension, rows.collect())
    }

    /// Independent points among all, the lowest that do, and coordinates that tell them apart.
    pub(super) fn basis(&self) -> Basis {
        let mut found = Basis { points: vec![0], columns: Vec::new() };
        // Reduced edges, each with the column of its pivot.
        let mut reduced: Vec<(usize, Vec<BigInt>)> = Vec::new();
        for i in 1..self.len() {
            if found.columns.len() == self.dimension {
                break;
            }
            let mut edge: Vec<BigInt> = self.row(i).iter().zip(self.row(0)).map(|(x, o)| x - o).collect();
            for (column, earlier) in &reduced {
                if edge[*column].sign() == Sign::NoSign {
                    continue;
                }
                let (a, b) = (earlier[*column].clone(), edge[*column].clone());
                edge.iter_mut().zip(earlier).for_each(|(x, e)| *x = &*x * &a - e * &b);
            }
            if let Some(column) = edge.iter().position(|x| x.sign() != Sign::NoSign) {
                found.points.push(i);
                found.columns.push(column);
                reduced.push((column, edge));
            }
        }
        found.columns.sort_unstable();
        found
    }

    /// The sign of the determinant of the rows `p_i - q` by integers.
    fn sign(&self, simplex: &[usize], q: usize) -> f64 {
        let rows = simplex.iter().map(|p| self.row(*p).iter().zip(self.row(q)).map(|(x, y)| x - y).collect());
        match determinant(rows.collect()).sign() {
            Sign::Minus => -f64::MIN_POSITIVE,
            Sign::NoSign => 0.0,
            Sign::Plus => f64::MIN_POSITIVE,
        }
    }
}

impl Orientation for &Lattice {
    fn side(&self, simplex: &[usize], q: usize) -> f64 {
        let d = self.dimension;
        let row = |i: usize| &self.rounded[i * d..(i + 1) * d];
        let rows: Vec<&[f64]> = simplex.iter().map(|i| row(*i)).collect();
        if self.exact {
            return orientation(&rows, row(q));
        }
        // Entries are differences of numbers up to one, each rounded to 2^-53: d! products of d of them.
        let value = orientation(&rows, row(q));
        #[expect(clippy::cast_precision_loss, reason = "a dimension is small")]
        let products: f64 = (1..=d).map(|k| 2.0 * k as f64).product();
        #[expect(clippy::cast_precision_loss, reason = "a dimension is small")]
        let bound = products * d as f64 * 2.0_f64.powi(-50);
        if value.abs() > bound { value } else { self.sign(simplex, q) }
    }
}

fn small(value: &BigInt) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 62 bits, one rounding")]
    let value = i64::try_from(value).unwrap_or(0) as f64;
    value
}

/// The determinant of a square matrix by Bareiss' elimination, in which every division is exact.
pub(super) fn determinant(mut rows: Vec<Vec<BigInt>>) -> BigInt {
    let n = rows.len();
    let mut negative = false;
    let mut before = BigInt::from(1);
    for k in 0..n {
        let Some(pivot) = (k..n).find(|i| rows[*i][k].sign() != Sign::NoSign) else { return BigInt::ZERO };
        if pivot != k {
            rows.swap(pivot, k);
            negative = !negative;
        }
        let (top, below) = rows.split_at_mut(k + 1);
        let top = &top[k];
        for row in below {
            let factor = row[k].clone();
            for j in k + 1..n {
                row[j] = (&row[j] * &top[k] - &factor * &top[j]) / &before;
            }
        }
        before = top[k].clone();
    }
    if negative { -before } else { before }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn determinants_and_bases_are_exact() {
        let matrix = |rows: &[&[i64]]| rows.iter().map(|row| row.iter().map(|x| BigInt::from(*x)).collect()).collect();
        assert_eq!(determinant(matrix(&[&[0, 2, 1], &[1, 1, 0], &[3, 0, 5]])), BigInt::from(-13));
        assert_eq!(determinant(matrix(&[&[1, 2], &[2, 4]])), BigInt::ZERO);
        // 0.1, 0.2, 0.3 lie on a line as decimals.
        let rows = [0.1, 0.2, 0.3].map(|x| vec![x, 2.0 * x + 1.0]);
        let (lattice, exponent) = Lattice::of(&rows, 2);
        assert_eq!((lattice.basis().columns.len(), exponent), (1, -1));
    }

    #[test]
    fn orientations_of_large_integers_are_those_of_small_ones() {
        let points = [[0.0, 0.0], [3.0, 1.0], [6.0, 2.0], [1.0, 2.0], [6.0, 2.000_000_001]];
        let (small, _) = Lattice::of(&points.map(|p| p.to_vec()), 2);
        let far = points.map(|p| p.map(|x| x * 1e250).to_vec());
        let mut wide = far.to_vec();
        wide.push(vec![1e-200, 0.0]);
        let (wide, _) = Lattice::of(&wide, 2);
        assert!(small.exact && !wide.exact);
        for q in 0..5 {
            let [a, b] = [(&small).side(&[0, 1], q), (&wide).side(&[0, 1], q)];
            assert!(a == b || a * b > 0.0 || (a.signum() == b.signum() && a != 0.0 && b != 0.0), "{q}: {a} {b}");
        }
    }
}
