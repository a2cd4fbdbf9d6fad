//! Where later passes over the inputs begin.
//!
//! A space is fitted on what passes both networks up to its readers. What lies before the space has not changed since the last one
//! was fitted, so that a value through which all paths from the input lead, in front of the space, is kept for each batch, and
//! the next pass begins there: a network of `L` blocks is run through about twice instead of `L` times. Whether such a value still
//! holds is asked of the graph itself: the weights in front of it have to be the same.

use std::collections::BTreeSet;
use std::ops::Range;

use super::refit::Refitter;
use crate::backend::Backend;
use crate::error::Result;
use crate::network::spaces::{OperatorGraph, Role, Space, ValueId};
use crate::network::streams::{Batch, Resumed, Streams};

/// Floats that are kept at most of both networks, 128 MB; while one value is read, the next one is kept.
const KEPT: usize = 1 << 25;

/// Values of the first batches in the original network and in the one that shrinks.
pub(super) struct Kept<B: Backend> {
    value: ValueId,
    /// The weights in front of the value, in the network that shrinks.
    fingerprint: u64,
    batches: Vec<Option<[B::Matrix; 2]>>,
    floats: usize,
}

/// One pass over the inputs, from what was kept, with what is to be kept.
pub(super) struct Pass<B: Backend> {
    now: OperatorGraph,
    from: Option<Kept<B>>,
    keep: Option<Kept<B>>,
}

impl<B: Backend> Refitter<'_, B> {
    /// The value in front of a space that is to be kept: the last one that a contraction reads, that all paths from the inputs to what
    /// writes and reads the space go through, and that no reader of it reads.
    pub(super) fn point(&self, space: &Space) -> Option<ValueId> {
        let flow = |role: Role| {
            space.of_role(role).filter_map(|(_, part)| self.base.operators[part.operator].input(0)).collect::<Vec<_>>()
        };
        let (writers, readers) = (flow(Role::Writer), flow(Role::Reader));
        let targets: Vec<ValueId> = writers.iter().chain(&readers).copied().collect();
        let read = self.analysis.contractions.iter().rev();
        let mut read = read.filter_map(|sum| self.base.operators[sum.operator].input(sum.flow));
        read.find(|value| !readers.contains(value) && self.leads(*value, &targets))
    }

    /// Whether all paths from the inputs to some values lead through a value.
    fn leads(&self, value: ValueId, targets: &[ValueId]) -> bool {
        let inputs: BTreeSet<ValueId> = self.base.inputs.iter().map(|input| input.value).collect();
        if targets.is_empty() || inputs.contains(&value) {
            return false;
        }
        upstream(self.base, targets, Some(value)).is_disjoint(&inputs)
    }

    /// Begins a pass that reads some values, through the network that shrinks as it is `now`.
    pub(super) fn begin(&self, names: &[&str], now: OperatorGraph) -> Pass<B> {
        let number = |name: &str| self.base.values.iter().position(|own| own == name);
        let targets: Option<Vec<ValueId>> = names.iter().map(|name| number(name)).collect();
        let targets = targets.unwrap_or_default();
        let keep = self.point.filter(|value| self.leads(*value, &targets));
        let ends: Vec<ValueId> = targets.iter().copied().chain(keep).collect();
        let held = self.kept.take();
        let from = held.filter(|kept| {
            (Some(kept.value) == keep || self.leads(kept.value, &ends))
                && fingerprint(&now, kept.value) == kept.fingerprint
        });
        let keep = keep.filter(|value| from.as_ref().is_none_or(|from| from.value != *value));
        let keep =
            keep.map(|value| Kept { value, fingerprint: fingerprint(&now, value), batches: Vec::new(), floats: 0 });
        Pass { now, from, keep }
    }

    /// Ends a pass: what was kept is there for the next one.
    pub(super) fn end(&self, pass: Pass<B>) {
        self.kept.replace(pass.keep.filter(|kept| !kept.batches.is_empty()).or(pass.from));
    }
}

impl<B: Backend> Pass<B> {
    /// The network that shrinks, with what is read and kept.
    pub(super) fn graph(&self) -> &OperatorGraph {
        &self.now
    }

    /// Values beside those that are read.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let kept = self.from.iter().chain(&self.keep);
        kept.map(|kept| self.now.values[kept.value].as_str())
    }

    /// Some values of a batch in both networks.
    pub(super) fn values(
        &mut self,
        streams: [&Streams<'_, B>; 2],
        inputs: &[f32],
        (at, rows): (usize, Range<usize>),
        names: &[&str],
    ) -> Result<[Vec<Batch>; 2]> {
        let name = |kept: &Kept<B>| self.now.values[kept.value].clone();
        let start = self.from.as_ref().map(name);
        // What is kept now takes the place of what was.
        let replaced = self.from.as_mut().filter(|_| self.keep.is_some());
        let replaced = replaced.and_then(|from| from.batches.get_mut(at)?.take());
        let known = replaced.as_ref().or_else(|| self.from.as_ref()?.batches.get(at)?.as_ref());
        let keep = self.keep.as_ref().filter(|keep| keep.batches.len() == at).map(name);
        let run = |network: usize| {
            let from = start.as_deref().zip(known.map(|known| &known[network]));
            streams[network].resumed(inputs, rows.len(), names, Resumed { from, keep: keep.as_deref() })
        };
        let ((old, old_kept), (new, new_kept)) = (run(0)?, run(1)?);
        if let (Some(keep), Some(old), Some(new)) = (&mut self.keep, old_kept, new_kept) {
            // A batch that is not taken up ends it: later ones are asked for by their number.
            let more: usize = [&old, &new].iter().map(|matrix| streams[0].floats(matrix)).sum();
            if keep.floats + more <= KEPT {
                keep.floats += more;
                keep.batches.push(Some([old, new]));
            }
        }
        Ok([old, new])
    }
}

/// The values that some values are made of, themselves among them, without what lies behind a value `but`.
fn upstream(graph: &OperatorGraph, targets: &[ValueId], but: Option<ValueId>) -> BTreeSet<ValueId> {
    let mut found: BTreeSet<ValueId> = targets.iter().copied().filter(|value| Some(*value) != but).collect();
    // Operators come behind what they read.
    for operator in graph.operators.iter().rev() {
        if operator.outputs.iter().flatten().any(|output| found.contains(output)) {
            found.extend(operator.inputs.iter().flatten().filter(|value| Some(**value) != but));
        }
    }
    found
}

/// A number that is another one, but for chance, where weights in front of a value are others.
fn fingerprint(graph: &OperatorGraph, value: ValueId) -> u64 {
    let mut mixed = 0_u64;
    let mut mix = |word: u64| mixed = (mixed.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let found = upstream(graph, &[value], None);
    // Constants have other numbers with every cut: operators have not.
    for (at, operator) in graph.operators.iter().enumerate() {
        if !operator.outputs.iter().flatten().any(|output| found.contains(output)) {
            continue;
        }
        mix(at as u64);
        for tensor in operator.inputs.iter().flatten().filter_map(|input| graph.weights(*input)) {
            tensor.dimensions().iter().for_each(|axis| mix(*axis as u64));
            tensor.to_vec().iter().for_each(|weight| mix(u64::from(weight.to_bits())));
        }
    }
    mixed
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use std::path::Path;

    use ndarray::Array2;
    use rand::RngExt as _;

    use super::*;
    use crate::backend::{Activation, Cpu};
    use crate::network::format::load;
    use crate::network::spaces::{Analysis, Spaces};
    use crate::prune::spaces::biases::with_biases;
    use crate::prune::synth::ReadMoments as Moments;
    use crate::rng::stream;

    fn same(a: &[Option<[Moments; 2]>], b: &[Option<[Moments; 2]>]) -> bool {
        let one = |a: &Moments, b: &Moments| a.gram == b.gram && a.target == b.target && a.mean == b.mean;
        a.len() == b.len()
            && a.iter().zip(b).all(|pair| match pair {
                (Some(a), Some(b)) => one(&a[0], &b[0]) && one(&a[1], &b[1]),
                (None, None) => true,
                _ => false,
            })
    }

    #[test]
    fn passes_from_kept_values_see_what_passes_from_the_inputs_see() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (mut resumed, mut read) = (0, 0);
        for name in ["assets/models/mobile-mnist.onnx", "assets/golden/onnx/residual.onnx"] {
            let model = load(&folder.join(name), None).unwrap();
            let source = model.onnx.as_deref().unwrap();
            let graph = with_biases(source.operators()).unwrap();
            let analysis = Analysis::run(&graph, 1, true, None).unwrap();
            let width: usize = model.network.input.iter().product();
            let random = &mut stream(3, "resume");
            // Two batches, the second not full.
            let inputs = Array2::from_shape_simple_fn((70, width), || random.random_range(-1.0_f32..1.0));
            let backend = Cpu::new();
            let mut refitter = Refitter::new(&backend, source, (&graph, &analysis), &inputs, (1e-3, 0, false)).unwrap();
            for space in &Spaces::of(&graph, &analysis).spaces {
                let readers = refitter.readers(space);
                if readers.is_empty() {
                    continue;
                }
                refitter.point = refitter.point(space);
                resumed += usize::from(refitter.kept.borrow().is_some());
                let found = refitter.seen(&readers).unwrap();
                let (point, kept) = (refitter.point.take(), refitter.kept.take());
                let anew = refitter.seen(&readers).unwrap();
                assert!(same(&found, &anew), "{name}: {}", space.name);
                // Other values in their place are seen: what is kept is what is read.
                let wrong = kept.map(|mut kept| {
                    for matrix in kept.batches.iter_mut().flatten().flatten() {
                        let zeros = backend.weighted_sum(matrix, None, [0.0, 0.0], Activation::Identity);
                        *matrix = zeros.unwrap();
                    }
                    kept
                });
                if wrong.as_ref().is_some_and(|wrong| Some(wrong.value) == point) {
                    refitter.kept.replace(wrong);
                    read += usize::from(!same(&refitter.seen(&readers).unwrap(), &anew));
                }
                // The network changes behind what is kept for the next space.
                refitter.kept.take();
                let keeps: Vec<usize> = space.cells.iter().map(|cell| cell.len().div_ceil(2)).collect();
                refitter.space(space, &keeps, &|space| Ok(vec![1.0; space.units.len()])).unwrap();
            }
        }
        assert!(resumed > 5 && read > 5, "{resumed} resumed, {read} read");
    }
}
