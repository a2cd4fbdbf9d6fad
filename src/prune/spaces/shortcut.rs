//! Targets that mend the shortcut: what a block adds to is no longer what it was.
//!
//! A sum that ends a block is fitted so that the sum *behind* it is met: with the shortcut `s` of the original network and `s'` of the
//! one that shrinks, and the factor `f` of a batch norm between, `z + (s - s') / f` takes the place of `z`.

use super::reader::{ReaderOf, Reads};
use crate::network::spaces::{Operator, OperatorGraph, ValueId};
use crate::network::streams::Batch;

/// Factors below this share of the largest are taken for none: what they would be asked to mend is beyond them.
const LEAST: f64 = 1e-3;

/// The value that is added to what a sum gives.
#[derive(Debug)]
pub(super) struct Shortcut {
    /// Its name.
    pub(super) value: String,
    /// For each row of the sum `1 / f`, 0 where nothing is to be mended.
    inverse: Vec<f32>,
}

impl Shortcut {
    /// What is added to the outputs of an operator with `rows` of them, behind biases and batch norms alone.
    pub(super) fn of(graph: &OperatorGraph, operator: &Operator, rows: usize) -> Option<Self> {
        let mut factors = vec![1.0; rows];
        let mut value = operator.outputs.first().copied().flatten()?;
        loop {
            let next = only_reader(graph, value)?;
            let output = next.outputs.first().copied().flatten()?;
            match next.kind.as_str() {
                "Identity" | "Dropout" => {}
                "BatchNormalization" if next.input(0) == Some(value) => {
                    let weights =
                        |input: usize| graph.weights(next.input(input)?).filter(|tensor| tensor.len() == rows);
                    let (scale, variance) = (weights(1)?.to_vec(), weights(4)?.to_vec());
                    let epsilon = next.float("epsilon", 1e-5);
                    for (factor, (scale, variance)) in factors.iter_mut().zip(scale.iter().zip(&variance)) {
                        *factor *= f64::from(*scale) / (f64::from(*variance) + epsilon).sqrt();
                    }
                }
                "Add" => {
                    let other = (0..2).filter_map(|input| next.input(input)).find(|input| *input != value)?;
                    if graph.weights(other).is_none() && !graph.constants.contains_key(&other) {
                        return Some(Self { value: graph.values[other].clone(), inverse: inverse(&factors) });
                    }
                }
                _ => return None,
            }
            value = output;
        }
    }

    /// What is to be added to the targets of a sum at some places, `places x rows`; nothing where shortcuts have other shapes.
    pub(super) fn missing(
        &self,
        reader: &ReaderOf<'_>,
        [old, new]: [&Batch; 2],
        (samples, places): (usize, usize),
        part: &[(usize, usize)],
    ) -> Option<Vec<f32>> {
        let rows = self.inverse.len();
        let fits = |batch: &Batch| batch.values.len() == samples * places * rows;
        if reader.rows.len() != rows || old.shape != new.shape || !fits(old) || !fits(new) {
            return None;
        }
        let index = |(sample, place): (usize, usize), row: usize| match reader.reads {
            Reads::Last => (sample * places + place) * rows + row,
            Reads::Windows { .. } => (sample * rows + row) * places + place,
        };
        let missing = part.iter().flat_map(|at| {
            self.inverse.iter().enumerate().map(move |(row, inverse)| {
                let at = index(*at, row);
                inverse * (old.values[at] - new.values[at])
            })
        });
        Some(missing.collect())
    }
}

/// The only operator that reads a value, if it does so once.
fn only_reader(graph: &OperatorGraph, value: ValueId) -> Option<&Operator> {
    let mut readers =
        graph.operators.iter().flat_map(|operator| operator.inputs.iter().map(move |input| (operator, *input)));
    let mut own = readers.by_ref().filter(|(_, input)| *input == Some(value));
    let (first, None) = (own.next()?, own.next()) else { return None };
    (!graph.outputs.contains(&value)).then_some(first.0)
}

#[expect(clippy::cast_possible_truncation, reason = "factors of batch norms are f32")]
fn inverse(factors: &[f64]) -> Vec<f32> {
    let most = factors.iter().fold(0.0_f64, |most, factor| most.max(factor.abs()));
    factors.iter().map(|factor| if factor.abs() > LEAST * most { (1.0 / factor) as f32 } else { 0.0 }).collect()
}
