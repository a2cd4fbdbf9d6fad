//! The best perturbation of each sample, and the binary search for the factor of its loss.

use super::problem::{Judged, Problem};
use super::region::{choose, column, scale_rows};
use crate::backend::Backend;
use crate::error::Result;

/// The cheapest perturbation of each sample so far.
pub(super) struct Best<B: Backend> {
    /// `n x d`, zero where there is none.
    pub(super) eta: B::Matrix,
    /// `D1 + D2`, infinite where there is none.
    pub(super) objective: Vec<f64>,
}

/// Halvings of the way back to the sample.
const HALVINGS: usize = 12;

impl<B: Backend> Best<B> {
    pub(super) fn none(problem: &Problem<'_, B>, backend: &B) -> Result<Self> {
        Ok(Self { eta: problem.region.start(backend, 0, 0)?, objective: vec![f64::INFINITY; problem.count] })
    }

    pub(super) fn found(&self) -> impl Iterator<Item = bool> + Clone {
        self.objective.iter().map(|objective| objective.is_finite())
    }

    /// Takes what is cheaper.
    pub(super) fn take(&mut self, backend: &B, eta: &B::Matrix, judged: &Judged) -> Result<()> {
        let better = |at: usize| judged.holds[at] && judged.objective[at] < self.objective[at];
        let taken: Vec<bool> = (0..self.objective.len()).map(better).collect();
        if !taken.contains(&true) {
            return Ok(());
        }
        self.eta = choose(backend, &self.eta, eta, taken.iter().copied())?;
        for ((objective, new), taken) in self.objective.iter_mut().zip(&judged.objective).zip(taken) {
            if taken {
                *objective = *new;
            }
        }
        Ok(())
    }

    /// Goes back towards the sample as far as the target stays the class: `D1` and `D2` are convex and zero there, so that
    /// they fall on the way.
    pub(super) fn shorten(&mut self, problem: &Problem<'_, B>, backend: &B) -> Result<()> {
        let (mut low, mut high) = (vec![0.0; problem.count], vec![1.0; problem.count]);
        for halving in 0..=HALVINGS {
            let last = halving == HALVINGS;
            // At the end a little farther than needed, so that other roundings give the same class.
            let beyond = 0.5_f64.powi(11);
            let middle = |(low, high): (&f64, &f64)| if last { (high + beyond).min(1.0) } else { 0.5 * (low + high) };
            let scale: Vec<f64> = low.iter().zip(&high).map(middle).collect();
            let eta = scale_rows(backend, &self.eta, &column(backend, scale.iter().copied())?)?;
            let at = problem.at(&eta)?;
            if last {
                return self.take(backend, &eta, &problem.judge(&eta, &at)?);
            }
            for (at, holds) in problem.holds(&at)?.into_iter().enumerate() {
                *(if holds { &mut high[at] } else { &mut low[at] }) = scale[at];
            }
        }
        Ok(())
    }
}

/// Brackets of `c` for each sample: large factors reach the target, small ones keep the perturbation cheap.
pub(super) struct Factors {
    pub(super) c: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Factors {
    /// One for all samples.
    pub(super) fn new(count: usize) -> Self {
        Self { c: vec![1.0; count], low: vec![0.0; count], high: vec![f64::INFINITY; count] }
    }

    /// Halves the brackets of `c`, or takes five times as much where the target was never reached.
    pub(super) fn next(&mut self, reached: &[bool]) {
        for (at, reached) in reached.iter().enumerate() {
            let c = self.c[at];
            *(if *reached { &mut self.high[at] } else { &mut self.low[at] }) = c;
            self.c[at] = if self.high[at].is_finite() { 0.5 * (self.low[at] + self.high[at]) } else { 5.0 * c };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_grow_until_the_target_is_reached_and_then_close_in() {
        let mut factors = Factors::new(2);
        let mut seen = Vec::new();
        for reached in [[false, true], [false, false], [true, true]] {
            factors.next(&reached);
            seen.push(factors.c.clone());
        }
        assert_eq!(seen, [[5.0, 0.5], [25.0, 0.75], [15.0, 0.625]]);
    }
}
