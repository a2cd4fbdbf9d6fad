//! Which monomials ever attain the maximum.

use microlp::{ComparisonOp, OptimizationDirection, Problem};
use serde::Serialize;

use super::polynomial::Polynomial;
use super::subdivision::DualSubdivision;
use crate::error::{Error, Result};

/// Where a monomial attains the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Attainment {
    /// On a region with inner points: a vertex of the subdivision.
    Region,
    /// Only together with others: on the upper hull, but no vertex.
    Tie,
    /// Nowhere: below the upper hull.
    Never,
}

/// Tells for each monomial where it attains the maximum.
///
/// A monomial that attains it only in ties lies on an upper facet; where the subdivision is one of rounded numbers, the
/// dual point of the facet is where to look, and values within 1e-9 of their largest terms count as equal.
#[must_use]
pub fn attainment(polynomial: &Polynomial, subdivision: &DualSubdivision) -> Vec<Attainment> {
    let mut found = vec![Attainment::Never; polynomial.monomials()];
    subdivision.vertices.iter().for_each(|v| found[*v] = Attainment::Region);
    if let Some(ties) = &subdivision.ties {
        ties.iter().for_each(|i| found[*i] = Attainment::Tie);
        return found;
    }
    let size = |i: usize, x: &[f64]| {
        let terms = polynomial.exponents().row(i).iter().zip(x).map(|(a, x)| (a * x).abs()).sum::<f64>();
        terms + polynomial.coefficients()[i].abs()
    };
    for cell in &subdivision.cells {
        let (value, top) = polynomial.evaluate(&cell.dual);
        for (i, slot) in found.iter_mut().enumerate().filter(|(_, slot)| **slot == Attainment::Never) {
            let tolerance = 1e-9 * size(i, &cell.dual).max(size(top, &cell.dual));
            if value - polynomial.monomial(i, &cell.dual) <= tolerance {
                *slot = Attainment::Tie;
            }
        }
    }
    found
}

/// By how much a monomial can lead: `max t` with `<a_i - a_j, x> + c_i - c_j >= t` for all `j != i`, at most 1, by
/// linear programming. Positive: it has a region; zero: ties only; negative: never attained. For any number of
/// variables.
///
/// # Errors
///
/// [`Error::Internal`] if the solver fails, though `t` low enough is always feasible.
pub fn margin(polynomial: &Polynomial, i: usize) -> Result<f64> {
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    let t = problem.add_var(1.0, (f64::NEG_INFINITY, 1.0));
    let x: Vec<_> =
        (0..polynomial.dimension()).map(|_| problem.add_var(0.0, (f64::NEG_INFINITY, f64::INFINITY))).collect();
    for j in (0..polynomial.monomials()).filter(|j| *j != i) {
        let difference = |k: usize| polynomial.exponents()[[i, k]] - polynomial.exponents()[[j, k]];
        let mut terms: Vec<_> = x.iter().enumerate().map(|(k, x)| (*x, difference(k))).collect();
        terms.push((t, -1.0));
        problem.add_constraint(&terms, ComparisonOp::Ge, polynomial.coefficients()[j] - polynomial.coefficients()[i]);
    }
    let failed = |error: &dyn std::fmt::Debug| Error::Internal { what: format!("linear program: {error:?}") };
    let outcome = problem.solve().map_err(|error| failed(&error))?;
    let solution = outcome.into_solution().map_err(|error| failed(&error))?;
    Ok(solution.objective())
}
