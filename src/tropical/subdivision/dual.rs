//! The point of a hypersurface that a cell is dual to.

use num_bigint::BigInt;

use super::lattice::{Lattice, determinant};
use crate::tropical::decimal::{power_of_ten, quotient};

/// The point where affinely independent monomials are equal, each coordinate the nearest double.
///
/// `<a_i - a_0, x> = c_0 - c_i` by Cramer's rule; with fewer monomials than that takes, the `x` in the span of the
/// differences `E`: `x = E^T l` with `E E^T l = c_0 - c_i`. `power`: that of ten of the coefficients over that of the
/// exponents.
pub(super) fn dual(exponents: &Lattice, heights: &Lattice, monomials: &[usize], power: i32) -> Vec<f64> {
    let Some((first, others)) = monomials.split_first() else { return Vec::new() };
    let minus = |i: usize, o: usize| exponents.row(i).iter().zip(exponents.row(o)).map(|(x, y)| x - y);
    let edges: Vec<Vec<BigInt>> = others.iter().map(|i| minus(*i, *first).collect()).collect();
    let right: Vec<BigInt> = others.iter().map(|i| &heights.row(*first)[0] - &heights.row(*i)[0]).collect();
    let full = others.len() == exponents.dimension;
    let product = |a: &[BigInt], b: &[BigInt]| a.iter().zip(b).map(|(x, y)| x * y).sum::<BigInt>();
    let matrix: Vec<Vec<BigInt>> = match full {
        true => edges.clone(),
        false => edges.iter().map(|a| edges.iter().map(|b| product(a, b)).collect()).collect(),
    };
    let replaced = |column: usize| {
        let mut rows = matrix.clone();
        rows.iter_mut().zip(&right).for_each(|(row, value)| row[column] = value.clone());
        determinant(rows)
    };
    let solution: Vec<BigInt> = (0..others.len()).map(replaced).collect();
    let numerators: Vec<BigInt> = match full {
        true => solution,
        false => {
            (0..exponents.dimension).map(|k| solution.iter().zip(&edges).map(|(l, edge)| l * &edge[k]).sum()).collect()
        }
    };
    let factor = power_of_ten(power.unsigned_abs());
    let below = determinant(matrix);
    let below = if power < 0 { below * &factor } else { below };
    let value = |above: &BigInt| match power > 0 {
        true => quotient(&(above * &factor), &below),
        false => quotient(above, &below),
    };
    numerators.iter().map(value).collect()
}
