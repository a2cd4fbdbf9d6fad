//! Upper bounds of the Hausdorff distance of two zonotopes, by matching their generators.

use nalgebra::DMatrix;
use ndarray::{Array2, Axis};

use super::bodies::UpperBound;
use crate::error::Result;
use crate::geometry::zonotope::{Zonotope, norm};

/// Generators up to which the best matching is found; beyond, generators are matched by their numbers and by length.
const ASSIGN: usize = 512;

/// The least upper bound known, and where it comes from.
pub(super) fn matching_bound(p: &Zonotope, q: &Zonotope) -> Result<(f64, UpperBound)> {
    let apart = norm((p.centre() - q.centre()).view());
    let mut best = (apart + p.radius().max(q.radius()), UpperBound::Radii);
    for (order_p, order_q) in matchings(p, q) {
        let differences = differences(p, q, &order_p, &order_q);
        let sum: f64 = differences.rows().into_iter().map(norm).sum();
        if apart + sum / 2.0 < best.0 {
            best = (apart + sum / 2.0, UpperBound::Matching);
        }
        // 1/2 sum_i |<d_i, u>| <= 1/2 sqrt(p) |D u|, by Cauchy and Schwarz.
        let (rows, columns) = differences.dim();
        let used = differences.rows().into_iter().filter(|row| norm(row.view()) > 0.0).count();
        let gram = differences.t().dot(&differences);
        let gram = DMatrix::from_fn(columns, columns, |i, k| gram[[i, k]]);
        let largest = if rows == 0 { 0.0 } else { gram.symmetric_eigenvalues().max().max(0.0) };
        let spectral = apart + 0.5 * (used as f64 * largest).sqrt() * (1.0 + 1e-12);
        if spectral < best.0 {
            best = (spectral, UpperBound::Spectral);
        }
    }
    // The terms and their sums round.
    let terms = (p.generators().nrows() + q.generators().nrows() + p.dimension()) as f64;
    let size = p.radius() + q.radius() + norm(p.shift().view()) + norm(q.shift().view());
    Ok((best.0 + 4.0 * terms * f64::EPSILON * size, best.1))
}

/// The differences of matched generators, each with the better sign; past the end of a list there are zeros.
fn differences(p: &Zonotope, q: &Zonotope, order_p: &[usize], order_q: &[usize]) -> Array2<f64> {
    let rows = order_p.len().max(order_q.len());
    let mut out = Array2::zeros((rows, p.dimension()));
    for (at, mut row) in out.axis_iter_mut(Axis(0)).enumerate() {
        if let Some(i) = order_p.get(at) {
            row += &p.generators().row(*i);
        }
        if let Some(j) = order_q.get(at) {
            let g = q.generators().row(*j);
            // A segment about its middle is the same as its opposite.
            if row.dot(&g) < 0.0 {
                row += &g;
            } else {
                row -= &g;
            }
        }
    }
    out
}

/// Orders of the generators of both that match one by one: by number, by length, and the best assignment if it is small.
fn matchings(p: &Zonotope, q: &Zonotope) -> Vec<(Vec<usize>, Vec<usize>)> {
    let (m, n) = (p.generators().nrows(), q.generators().nrows());
    let by_length = |zonotope: &Zonotope| {
        let mut order: Vec<(f64, usize)> = zonotope.generators().rows().into_iter().map(norm).zip(0..).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order.into_iter().map(|(_, at)| at).collect::<Vec<_>>()
    };
    let mut found = vec![((0..m).collect(), (0..n).collect()), (by_length(p), by_length(q))];
    let size = m.max(n);
    if size <= ASSIGN {
        let cost = |i: usize, j: usize| match (i < m, j < n) {
            (true, true) => {
                let (a, b) = (p.generators().row(i), q.generators().row(j));
                let sign = if a.dot(&b) < 0.0 { -1.0 } else { 1.0 };
                a.iter().zip(b).map(|(a, b)| (a - sign * b) * (a - sign * b)).sum::<f64>().sqrt()
            }
            (true, false) => norm(p.generators().row(i)),
            (false, true) => norm(q.generators().row(j)),
            (false, false) => 0.0,
        };
        let costs = Array2::from_shape_fn((size, size), |(i, j)| cost(i, j));
        let assigned = assignment(&costs);
        // Numbers past the end stand for zeros: those pairs come last on the side that is longer.
        let pairs: Vec<(usize, usize)> = assigned.into_iter().enumerate().collect();
        let both = pairs.iter().filter(|(i, j)| *i < m && *j < n);
        let (mut order_p, mut order_q): (Vec<_>, Vec<_>) = both.copied().unzip();
        order_p.extend(pairs.iter().filter(|(i, j)| *i < m && *j >= n).map(|pair| pair.0));
        order_q.extend(pairs.iter().filter(|(i, j)| *i >= m && *j < n).map(|pair| pair.1));
        found.push((order_p, order_q));
    }
    found
}

/// The column of each row in an assignment of least cost, for a square matrix, in `O(n^3)`: shortest augmenting paths with
/// potentials (Kuhn 1955, Munkres 1957).
fn assignment(costs: &Array2<f64>) -> Vec<usize> {
    let n = costs.nrows();
    let (mut row_price, mut column_price) = (vec![0.0; n], vec![0.0; n + 1]);
    // Column n is where each search begins.
    let mut row_of: Vec<Option<usize>> = vec![None; n + 1];
    for row in 0..n {
        row_of[n] = Some(row);
        let mut column = n;
        let (mut least, mut seen) = (vec![f64::INFINITY; n], vec![false; n + 1]);
        let mut before = vec![n; n];
        while let Some(current) = row_of[column] {
            seen[column] = true;
            let (mut step, mut next) = (f64::INFINITY, n);
            for j in (0..n).filter(|j| !seen[*j]) {
                let reduced = costs[[current, j]] - row_price[current] - column_price[j];
                if reduced < least[j] {
                    (least[j], before[j]) = (reduced, column);
                }
                if least[j] < step {
                    (step, next) = (least[j], j);
                }
            }
            for j in 0..=n {
                if seen[j] {
                    if let Some(row) = row_of[j] {
                        row_price[row] += step;
                    }
                    column_price[j] -= step;
                } else if j < n {
                    least[j] -= step;
                }
            }
            column = next;
            if column == n {
                break;
            }
        }
        while column != n {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    let mut column_of = vec![0; n];
    row_of
        .iter()
        .take(n)
        .enumerate()
        .filter_map(|(j, row)| row.map(|row| (row, j)))
        .for_each(|(i, j)| column_of[i] = j);
    column_of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assignment_is_the_best_of_all_permutations() {
        let mut stream = crate::rng::stream(1, "assignment");
        for n in 1..=6 {
            let costs = Array2::from_shape_simple_fn((n, n), || rand::RngExt::random_range(&mut stream, 0.0..1.0));
            fn best(costs: &Array2<f64>, row: usize, free: &mut Vec<usize>) -> f64 {
                let mut least = if free.is_empty() { 0.0 } else { f64::INFINITY };
                for at in 0..free.len() {
                    let column = free.swap_remove(at);
                    least = least.min(costs[[row, column]] + best(costs, row + 1, free));
                    free.push(column);
                    let last = free.len() - 1;
                    free.swap(at, last);
                }
                least
            }
            let found = assignment(&costs);
            let cost: f64 = found.iter().enumerate().map(|(i, j)| costs[[i, *j]]).sum();
            assert!((cost - best(&costs, 0, &mut (0..n).collect())).abs() < 1e-12, "{costs} {found:?}");
        }
    }
}
