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
                    if !graph.constants.contains_key(&other) {
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::path::Path;

    use super::*;
    use crate::backend::{Cpu, RowSource as _};
    use crate::network::Tensor;
    use crate::network::format::load;
    use crate::network::streams::Streams;
    use crate::prune::synth::{Prior, SyntheticInputs};

    #[test]
    fn targets_meet_the_sum_behind_the_norm() {
        const SAMPLES: usize = 5;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/trunk.onnx");
        let (model, cpu) = (load(&path, None).unwrap(), Cpu::new());
        let source = model.onnx.as_deref().unwrap();
        let graph = source.operators();
        let inputs = SyntheticInputs::new(&model.network, Prior::Leaves, SAMPLES, 3).unwrap();
        let mut samples = vec![0.0; SAMPLES * inputs.shape()[1]];
        inputs.read_rows(0, &mut samples).unwrap();
        // Another network: all first layers that the input meets give half of what they gave.
        let mut other = graph.clone();
        let first = graph.operators.iter().position(|operator| operator.kind == "Conv").unwrap();
        let weights = graph.weights(graph.operators[first].input(1).unwrap()).unwrap();
        let halves = weights.to_vec().into_iter().map(|weight| 0.5 * weight).collect();
        let shape = weights.dimensions().to_vec();
        other.replace(first, 1, Tensor::owned(weights.name(), weights.element(), shape, halves).unwrap());
        let mut seen = 0;
        for (at, operator) in graph.operators.iter().enumerate().filter(|(_, operator)| operator.kind == "Conv") {
            let rows = graph.weights(operator.input(1).unwrap()).unwrap().dimensions()[0];
            let Some(shortcut) = Shortcut::of(graph, operator, rows) else { continue };
            let sum = operator.outputs[0].unwrap();
            let next = only_reader(graph, sum).unwrap();
            // Without a norm between, the sum itself is what is added to.
            let norm = if next.kind == "BatchNormalization" { next.outputs[0].unwrap() } else { sum };
            let names = [shortcut.value.as_str(), &graph.values[sum], &graph.values[norm]];
            let run =
                |graph| Streams::new(&cpu, source, graph, &names).unwrap().values(&samples, SAMPLES, &names).unwrap();
            let (old, new) = (run(graph), run(&other));
            let places: usize = old[1].shape[2..].iter().product();
            let reads =
                Reads::Windows { kernel: vec![1, 1], strides: vec![1; 2], dilations: vec![1; 2], pads: vec![0; 4] };
            let reader = ReaderOf {
                operator: at,
                class: 0,
                reads,
                value: String::new(),
                places: Vec::new(),
                rows: (0..rows).collect(),
                given: 0,
                summed: 1,
            };
            let part: Vec<(usize, usize)> = (0..places).map(|place| (2, place)).collect();
            let missing = shortcut.missing(&reader, [&old[0], &new[0]], (SAMPLES, places), &part).unwrap();
            for (row, place) in (0..rows).flat_map(|row| (0..places).map(move |place| (row, place))) {
                let index = (2 * rows + row) * places + place;
                let own = missing[place * rows + row];
                // What is missing, through the norm, is what the shortcut lost: f = (norm(a) - norm(b)) / (a - b).
                let (a, b) = ([&old[1], &old[2]], [&new[1], &new[2]]);
                let run = a[0].values[index] - b[0].values[index];
                let factor = (a[1].values[index] - b[1].values[index]) / run;
                let want = old[0].values[index] - new[0].values[index];
                if run.abs() > 1e-3 && own != 0.0 {
                    assert!((factor * own - want).abs() < 1e-3 * (1.0 + want.abs()), "{row} {place}");
                    seen += usize::from(want.abs() > 1e-3);
                }
            }
        }
        assert!(seen > 20, "{seen}");
    }
}
