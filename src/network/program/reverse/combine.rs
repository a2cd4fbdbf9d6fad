//! Two operands entry by entry.

use super::{Passed, difference, scaled};
use crate::backend::{Activation, Backend, Combination};
use crate::error::Result;

impl<B: Backend> Passed<'_, B> {
    /// The gradient by an operand of `a o b`: by the second, summed over its repetitions.
    pub(super) fn combined(
        &self,
        backend: &B,
        (how, share): (Combination, usize),
        order: Option<&B::Indices>,
        at: usize,
    ) -> Result<B::Matrix> {
        let (a, b) = (self.operands[0], self.operands[1]);
        if at == 0 {
            return self.first(backend, (a, b), (how, share));
        }
        let all = self.second(backend, (a, b), (how, share))?;
        let [_, columns] = backend.shape(b);
        let repeated = backend.shape(a)[1] / columns.max(1);
        let together = match order {
            Some(order) => backend.gather(&all, order)?,
            None => all,
        };
        self.added(backend, together, repeated, columns)
    }

    /// By `a`.
    fn first(
        &self,
        backend: &B,
        (a, b): (&B::Matrix, &B::Matrix),
        (how, share): (Combination, usize),
    ) -> Result<B::Matrix> {
        let slope = &self.slope;
        match how {
            Combination::Add | Combination::Subtract => scaled(backend, slope, 1.0),
            Combination::SubtractFrom => scaled(backend, slope, -1.0),
            Combination::Multiply | Combination::Divide => backend.combine(slope, b, how, share),
            // y = b / a, dy / da = -y / a.
            Combination::DivideInto => {
                let part = backend.combine(slope, self.result, Combination::Multiply, 1)?;
                scaled(backend, &backend.combine(&part, a, Combination::Divide, 1)?, -1.0)
            }
            Combination::Max => self.where_positive(backend, &backend.combine(a, b, Combination::Subtract, share)?),
            Combination::Min => self.where_positive(backend, &backend.combine(a, b, Combination::SubtractFrom, share)?),
        }
    }

    /// By `b`, before its repetitions are added up.
    fn second(
        &self,
        backend: &B,
        (a, b): (&B::Matrix, &B::Matrix),
        (how, share): (Combination, usize),
    ) -> Result<B::Matrix> {
        let slope = &self.slope;
        match how {
            Combination::Add | Combination::SubtractFrom => scaled(backend, slope, 1.0),
            Combination::Subtract => scaled(backend, slope, -1.0),
            Combination::Multiply => backend.combine(slope, a, Combination::Multiply, 1),
            Combination::DivideInto => backend.combine(slope, a, Combination::Divide, 1),
            // y = a / b, dy / db = -y / b.
            Combination::Divide => {
                let part = backend.weighted_sum(slope, None, [-1.0, 0.0], Activation::Identity)?;
                let part = backend.combine(&part, self.result, Combination::Multiply, 1)?;
                backend.combine(&part, b, Combination::Divide, share)
            }
            // Where both are equal the second one is taken to be it.
            Combination::Max | Combination::Min => {
                let first = self.first(backend, (a, b), (how, share))?;
                difference(backend, slope, &first)
            }
        }
    }
}
