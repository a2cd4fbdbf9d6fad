//! Labels are right if what they take out is nothing but what was nothing before: units that are zero wherever they are written
//! or read go, and no output changes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rand::RngExt as _;

use super::*;
use crate::backend::Cpu;
use crate::backend::RowSource as _;
use crate::error::Error;
use crate::network::Tensor;
use crate::network::format::load;
use crate::network::spaces::{OperatorGraph, Role, UnitPart, check, cut, repair};
use crate::network::streams::Streams;
use crate::prune::Timing;
use crate::rng::stream;

fn graphs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/spaces");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What a graph gives for some inputs.
pub(super) fn outputs(source: &OnnxSource, graph: &OperatorGraph, inputs: &[f32], rows: usize) -> Vec<f32> {
    let backend = Cpu::new();
    let streams = Streams::new(&backend, source, graph, &["logits"]).unwrap();
    streams.values(inputs, rows, &["logits"]).unwrap().remove(0).values
}

/// Zeros the weights of some places along the axis of a part.
fn zeroed(graph: &mut OperatorGraph, part: &UnitPart, places: &[usize]) {
    let input = graph.operators[part.operator].input(part.input).unwrap();
    let tensor = graph.weights(input).unwrap();
    let (mut values, shape) = (tensor.to_vec(), tensor.dimensions().to_vec());
    let (length, after) = (shape[part.axis], shape[part.axis + 1..].iter().product::<usize>());
    let rows = shape[0] / part.groups;
    for (at, value) in values.iter_mut().enumerate() {
        let (block, place) = (at / (length * after), at / after % length);
        // Axis 1 of a grouped convolution counts the channels of the group of the row.
        let place = if part.groups > 1 { block / rows * length + place } else { place };
        if places.contains(&place) {
            *value = 0.0;
        }
    }
    let tensor = Tensor::owned(tensor.name(), tensor.element(), shape, values).unwrap();
    graph.replace(part.operator, part.input, tensor);
}

#[test]
fn units_that_are_zero_go_and_no_output_changes() {
    let mut removed = 0;
    for path in graphs() {
        let model = load(&path, None).unwrap();
        let source = model.onnx.as_deref().unwrap();
        let graph = source.operators();
        let analysis = Analysis::run(graph, 1, true, None).unwrap();
        let found = Spaces::of(graph, &analysis);
        for round in 0..6 {
            let random = &mut stream(round, "units");
            let (mut before, mut gone) = (graph.clone(), HashSet::new());
            // What is coupled changes what is left, zero or not.
            for space in found.spaces.iter().filter(|space| !space.coupled || round > 3) {
                let scores: Vec<f64> = space.units.iter().map(|_| random.random()).collect();
                let share = random.random_range(0.2..0.9);
                let keeps = choose::keeps(space, share, &SpaceOptions::default());
                for unit in choose::leaving(space, &scores, &keeps) {
                    gone.insert(space.units[unit].class);
                    for (part, places) in space.parts.iter().zip(&space.units[unit].places) {
                        zeroed(&mut before, part, places);
                    }
                }
            }
            let edits = cut(graph, &analysis, &gone).unwrap();
            let mut after = before.edited(&edits).unwrap();
            repair(graph, &mut after, &edits).unwrap();
            check(graph, &after, &edits).unwrap();
            assert!(after.parameters() < graph.parameters(), "{}", path.display());
            if round > 3 {
                continue;
            }
            removed += gone.len();
            let width: usize = model.network.input.iter().product();
            let inputs: Vec<f32> = (0..3 * width).map(|_| random.random_range(-1.0..1.0)).collect();
            let [old, new] = [&before, &after].map(|graph| outputs(source, graph, &inputs, 3));
            for (old, new) in old.iter().zip(&new) {
                assert!((old - new).abs() <= 1e-5 * old.abs().max(1.0), "{}: {old} {new}", path.display());
            }
        }
    }
    assert!(removed > 300, "{removed}");
}

#[test]
fn heads_that_are_zero_go_whole_and_no_output_changes() {
    let mut removed = 0;
    for (name, heads) in [("attention", vec![2]), ("separate", vec![4]), ("shared", vec![2, 4])] {
        let path = graphs().into_iter().find(|path| path.file_stem().is_some_and(|stem| stem == name)).unwrap();
        let model = load(&path, None).unwrap();
        let source = model.onnx.as_deref().unwrap();
        let graph = source.operators();
        let analysis = Analysis::of_heads(graph).unwrap();
        let (spaces, _) = heads::head_spaces(graph, &analysis).unwrap();
        assert_eq!(spaces.iter().map(|space| space.units.len()).collect::<Vec<_>>(), heads, "{name}");
        let units = spaces.iter().flat_map(|space| (0..space.units.len()).map(move |unit| (space, unit)));
        for (space, unit) in units {
            let mut before = graph.clone();
            for (part, places) in space.parts.iter().zip(&space.units[unit].places) {
                zeroed(&mut before, part, places);
            }
            let gone = HashSet::from([space.units[unit].class]);
            let edits = cut(graph, &analysis, &gone).unwrap();
            let mut after = before.edited(&edits).unwrap();
            repair(graph, &mut after, &edits).unwrap();
            check(graph, &after, &edits).unwrap();
            let width: usize = model.network.input.iter().product();
            let random = &mut stream(unit as u64, "heads");
            let inputs: Vec<f32> = (0..3 * width).map(|_| random.random_range(-1.0..1.0)).collect();
            let [old, new] = [&before, &after].map(|graph| outputs(source, graph, &inputs, 3));
            for (old, new) in old.iter().zip(&new) {
                assert!((old - new).abs() <= 1e-5 * old.abs().max(1.0), "{name}: {old} {new}");
            }
            removed += 1;
        }
    }
    assert_eq!(removed, 12);
}

#[test]
fn the_score_of_a_head_is_the_sum_of_those_of_its_units() {
    let path = graphs().into_iter().find(|path| path.file_stem().is_some_and(|stem| stem == "attention")).unwrap();
    let model = load(&path, None).unwrap();
    let graph = model.onnx.as_deref().unwrap().operators();
    let (units, analysis) = (Analysis::run(graph, 1, true, None).unwrap(), Analysis::of_heads(graph).unwrap());
    let (spaces, _) = heads::head_spaces(graph, &analysis).unwrap();
    let found = Spaces::of(graph, &units).spaces;
    let sums = heads::head_scores(graph, &spaces[0], &found, Importance::L2, 0).unwrap();
    // Row 36 is written as 3 x 2 x 6: head 1 has places 6..12 of queries, of keys and of values. A query's dimension is one unit
    // with the key's.
    let matmul = graph.operators.iter().find(|operator| operator.name == "matmul4").unwrap();
    let weights = graph.weights(matmul.input(1).unwrap()).unwrap().to_vec();
    let bias = graph.operators.iter().find(|operator| operator.name == "add5").unwrap();
    assert!(graph.weights(bias.input(1).unwrap()).is_some());
    let square = |column: usize| (0..12).map(|row| f64::from(weights[row * 36 + column]).powi(2)).sum::<f64>();
    let by_hand = |head: usize| {
        let own = 6 * head..6 * head + 6;
        own.map(|at| (square(at) + square(12 + at)).sqrt() + square(24 + at).sqrt()).sum::<f64>()
    };
    assert_eq!(sums.len(), 2);
    for (head, sum) in sums.iter().enumerate() {
        assert!((sum - by_hand(head)).abs() < 1e-9, "{sum} {}", by_hand(head));
    }
}

#[test]
fn a_graph_whose_units_were_exchanged_does_not_pass_the_check() {
    let model = load(&graphs()[4], None).unwrap();
    let graph = model.onnx.as_deref().unwrap().operators();
    let analysis = Analysis::run(graph, 1, true, None).unwrap();
    let found = Spaces::of(graph, &analysis);
    let space = &found.spaces[0];
    let gone = HashSet::from([space.units[1].class]);
    let mut edits = cut(graph, &analysis, &gone).unwrap();
    let mut after = graph.edited(&edits).unwrap();
    repair(graph, &mut after, &edits).unwrap();
    check(graph, &after, &edits).unwrap();
    // One reader takes the units in another order than they are written in.
    let (_, reader) = space.of_role(Role::Reader).next().unwrap();
    edits.seeds.get_mut(&(reader.operator, reader.input, reader.axis)).unwrap().reverse();
    assert!(matches!(check(graph, &after, &edits), Err(Error::Internal { .. })));
}

#[test]
fn heads_and_groups_lose_equally_many() {
    let by_name = |name: &str| {
        let path = graphs().into_iter().find(|path| path.file_stem().is_some_and(|stem| stem == name)).unwrap();
        find_spaces(load(&path, None).unwrap().onnx.as_deref().unwrap()).unwrap().spaces
    };
    // Queries and keys of two heads are one kind of unit, values another; all four sets lose alike.
    let attention = by_name("attention").spaces;
    assert!(attention.iter().any(|space| space.cells.len() == 4 && space.units.len() == 24));
    let shuffled = by_name("shuffled").spaces;
    assert!(shuffled.iter().any(|space| space.cells.len() == 4 && space.units.len() == 16));
    // Hidden units of the tokens are units, tokens are none.
    let mixer = by_name("mixer").spaces;
    assert_eq!(mixer.iter().map(|space| space.units.len()).collect::<Vec<_>>(), [10, 14, 18]);
}

#[test]
fn a_refit_is_better_than_none_where_units_repeat() {
    for name in ["attention", "gated", "mixer", "sequence"] {
        let path = graphs().into_iter().find(|path| path.file_stem().is_some_and(|stem| stem == name)).unwrap();
        let model = load(&path, None).unwrap();
        let source = model.onnx.as_deref().unwrap();
        let inputs =
            crate::prune::synth::SyntheticInputs::new(&model.network, crate::prune::synth::Prior::Gaussian, 200, 1)
                .unwrap();
        let run = |importance| {
            let options = SpaceOptions { importance, keep: 0.5, ..SpaceOptions::default() };
            let run = prune_spaces(&Cpu::new(), source, Some(&inputs), &options, &(), &mut Timing::default()).unwrap();
            let mut rows = vec![0.0; 50 * inputs.shape()[1]];
            let fresh =
                crate::prune::synth::SyntheticInputs::new(&model.network, crate::prune::synth::Prior::Gaussian, 50, 2)
                    .unwrap();
            fresh.read_rows(0, &mut rows).unwrap();
            let [old, new] = [source.operators(), &run.graph].map(|graph| outputs(source, graph, &rows, 50));
            old.iter().zip(&new).map(|(old, new)| f64::from((old - new).powi(2))).sum::<f64>()
        };
        let (fitted, chosen) = (run(Importance::SynthRefit), run(Importance::PathL2));
        assert!(fitted < 0.8 * chosen, "{name}: {fitted} {chosen}");
    }
}
