//! Whether a point lies in a zonotope: a linear program.

use microlp::{ComparisonOp, OptimizationDirection, Problem};
use ndarray::{Array1, ArrayView1};

use super::zonotope::{Zonotope, dimension_problem};
use crate::error::{Error, Result};

/// Relative distance within which a point counts as inside: the accuracy of the linear program.
const INSIDE: f64 = 1e-7;

/// Where a point lies.
#[derive(Debug, Clone, PartialEq)]
pub struct Membership {
    /// Whether the point is in the zonotope, within 1e-7 times its size.
    pub inside: bool,
    /// Coefficients in `[0, 1]` of a point of the zonotope that is nearest in the maximum norm.
    pub coefficients: Array1<f64>,
    /// The distance to it in the maximum norm.
    pub distance: f64,
}

impl Zonotope {
    /// Finds the point of the zonotope nearest to `point` in the maximum norm, by a linear program in `p + 1` variables.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for another dimension; [`Error::Internal`] if the solver fails, which a feasible and bounded
    /// program excludes.
    pub fn membership(&self, point: ArrayView1<'_, f64>) -> Result<Membership> {
        if point.len() != self.dimension() {
            return Err(dimension_problem("point", point.len(), self.dimension()));
        }
        let size = self.generators().iter().map(|entry| entry.abs()).sum::<f64>();
        let offset = &point - self.shift();
        let far = offset.iter().fold(0.0_f64, |far, entry| far.max(entry.abs()));
        let unit = size.max(far);
        let coefficients = if unit == 0.0 || self.generators().nrows() == 0 {
            Array1::zeros(self.generators().nrows())
        } else {
            let mut problem = Problem::new(OptimizationDirection::Minimize);
            let x: Vec<_> = (0..self.generators().nrows()).map(|_| problem.add_var(0.0, (0.0, 1.0))).collect();
            let t = problem.add_var(1.0, (0.0, f64::INFINITY));
            for (column, target) in self.generators().columns().into_iter().zip(&offset) {
                for (operator, sign) in [(ComparisonOp::Le, -1.0), (ComparisonOp::Ge, 1.0)] {
                    let terms: Vec<_> = x.iter().zip(column).map(|(x, entry)| (*x, entry / unit)).collect();
                    let terms: Vec<_> = terms.into_iter().chain([(t, sign)]).collect();
                    problem.add_constraint(terms.as_slice(), operator, target / unit);
                }
            }
            let outcome = problem.solve().map_err(|error| Error::Internal { what: format!("membership: {error}") })?;
            let Some(solution) = outcome.solution() else {
                return Err(Error::Internal { what: "membership: the solver stopped early".to_owned() });
            };
            x.iter().map(|x| solution.var_value(*x).clamp(0.0, 1.0)).collect()
        };
        let gap = self.generators().t().dot(&coefficients) - &offset;
        let distance = gap.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
        Ok(Membership { inside: distance <= INSIDE * unit, coefficients, distance })
    }
}
