//! Puts right the sizes that operators compute from others, in a graph from which units went.

use super::cut::{Edits, Resized, signed};
use super::graph::{Operator, OperatorGraph, ValueId};
use super::walk::{Analysis, Value};
use crate::error::{Error, Result};

/// The shape that the output of an operator is to have, written anew: an axis that depends on the number of samples keeps what
/// is there, or takes what is left.
pub(super) fn whole_shape(
    graph: &OperatorGraph,
    (once, twice): (&Analysis<'_>, &Analysis<'_>),
    edits: &Edits,
    at: usize,
) -> std::result::Result<Vec<i64>, String> {
    let operator = &graph.operators[at];
    let after = |value: ValueId| edits.shapes.get(&value).cloned().or_else(|| once.shape(value)).unwrap_or_default();
    let (output, reads) = (operator.outputs.first().copied().flatten(), operator.input(0));
    let (Some(output), Some(reads)) = (output, reads) else { return Err("lacks an input or an output".to_owned()) };
    let [here, there] = [once, twice].map(|analysis| analysis.shape(output).unwrap_or_default());
    let [own, own_twice] = [once, twice].map(|analysis| analysis.shape(reads).unwrap_or_default());
    let (wanted, given) = (after(output), after(reads));
    let (mut values, mut open) = (Vec::new(), false);
    for axis in 0..wanted.len() {
        if here.get(axis) == there.get(axis) {
            values.push(signed(wanted[axis]));
            continue;
        }
        let same = own.get(axis) == here.get(axis)
            && own_twice.get(axis) == there.get(axis)
            && given.get(axis) == wanted.get(axis);
        match operator.kind.as_str() {
            "Reshape" if same => values.push(0),
            "Reshape" if !open => {
                open = true;
                values.push(-1);
            }
            "Expand" if same => values.push(1),
            _ => return Err("has a shape in which several axes depend on the number of samples".to_owned()),
        }
    }
    Ok(values)
}

/// Writes shapes anew that operators compute from sizes which are others now, until every value has the shape foreseen.
///
/// # Errors
///
/// [`Error::Unsupported`] for a shape that cannot be written.
pub(crate) fn repair(before: &OperatorGraph, after: &mut OperatorGraph, edits: &Edits) -> Result<()> {
    if edits.shapes.is_empty() {
        return Ok(());
    }
    let (once, twice) = (Analysis::run(before, 1, false, None)?, Analysis::run(before, 2, false, None)?);
    let mut from = 0;
    loop {
        let found = [Analysis::run(after, 1, false, None)?, Analysis::run(after, 2, false, None)?];
        let expected = Expected { once: &once, twice: &twice, edits };
        let wrong = (from..before.operators.len()).find(|at| expected.differs(before, [&found[0], &found[1]], *at));
        let Some(at) = wrong else { return Ok(()) };
        let operator = &before.operators[at];
        let resized = match operator.kind.as_str() {
            "Cast" => {
                expected.factor(operator).map(|(shape, values)| Resized { operator: at, input: 0, shape, values })
            }
            kind => whole_shape(before, (&once, &twice), edits, at).map(|values| {
                let input = usize::from(kind != "ConstantOfShape");
                Resized { operator: at, input, shape: vec![values.len()], values }
            }),
        };
        let resized = resized.map_err(|problem| Error::Unsupported {
            problem: format!("`{}` ({}): {problem}", operator.name, operator.kind),
        })?;
        after.resized(&resized)?;
        from = at + 1;
    }
}

/// What values were, and are to be.
struct Expected<'a, 'g> {
    once: &'a Analysis<'g>,
    twice: &'a Analysis<'g>,
    edits: &'a Edits,
}

impl Expected<'_, '_> {
    /// Whether an operator that makes shapes gives another one than foreseen, or a size that becomes a factor has changed.
    fn differs(&self, before: &OperatorGraph, found: [&Analysis<'_>; 2], at: usize) -> bool {
        let operator = &before.operators[at];
        let Some(output) = operator.outputs.first().copied().flatten() else { return false };
        match operator.kind.as_str() {
            "Cast" if matches!(operator.int("to", 1), 1 | 10 | 11 | 16) => {
                match (&self.once.values[output], &found[0].values[output]) {
                    (Value::Numbers(old), Value::Numbers(new)) => !old.values().eq(new.values()),
                    _ => false,
                }
            }
            "Reshape" | "Expand" | "ConstantOfShape" => {
                let Some(old) = self.once.shape(output) else { return false };
                let wanted = self.edits.shapes.get(&output).unwrap_or(&old);
                let grown = self.twice.shape(output).unwrap_or_default();
                let [here, there] = found.map(|found| found.shape(output).unwrap_or_default());
                // An axis that does not depend on the number of samples is the same for two.
                let fixed = |axis: usize| old.get(axis) != grown.get(axis) || there.get(axis) == wanted.get(axis);
                here != *wanted || there.len() != wanted.len() || !(0..wanted.len()).all(fixed)
            }
            _ => false,
        }
    }

    /// The numbers that an operator makes floats of, as they were.
    fn factor(&self, operator: &Operator) -> std::result::Result<(Vec<usize>, Vec<i64>), String> {
        let numbers = |analysis: &Analysis<'_>| match &analysis.values[operator.input(0)?] {
            Value::Numbers(numbers) => Some((numbers.shape().to_vec(), numbers.integers())),
            _ => None,
        };
        let old = numbers(self.once).filter(|old| Some(old) == numbers(self.twice).as_ref());
        old.ok_or_else(|| "a factor that is computed from a size depends on the number of samples".to_owned())
    }
}
