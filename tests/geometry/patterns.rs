//! Lists of activation patterns against counts, against sampled patterns of every backend, and against each other:
//! math-boundaries section 8, properties 11 and 27.

use std::path::Path;

use ndarray::{Array1, Array2, Axis, concatenate};
use serde::Deserialize;
use tropix::Error;
use tropix::backend::Backend;
use tropix::geometry::{
    SampleOptions, Stop, VertexEstimate, Zonotope, cell_bound, directions, plane_patterns, sample_patterns,
    vertex_bound, zonotope_patterns,
};

use crate::harness::{narrow, on_every_backend, random, random_vector, random_zonotope};

/// Bytes that lists may take.
const MEMORY: u64 = 1 << 30;

on_every_backend!(
    sampled_patterns_of_lines_are_listed,
    sampled_vertices_are_vertices,
    the_estimate_of_the_missing_mass_is_near_the_truth,
);

#[test]
fn lines_in_general_position_cut_the_plane_into_the_known_number_of_cells() {
    for p in 0..=25 {
        let patterns =
            plane_patterns(random([p, 2], p as u64, "rows").view(), random_vector(p, p as u64, "c").view()).unwrap();
        assert_eq!(patterns.len() as u128, cell_bound(p, 2), "{p} lines");
    }
    let (rows, constants) = (random([300, 2], 1, "rows"), random_vector(300, 1, "c"));
    assert_eq!(plane_patterns(rows.view(), constants.view()).unwrap().len(), 1 + 300 + 300 * 299 / 2);
}

fn sampled_patterns_of_lines_are_listed<B: Backend>(backend: &B) {
    for (p, lattice) in [(1, false), (12, false), (40, false), (70, false), (12, true), (40, true)] {
        // On a lattice many lines are parallel, concurrent or the same.
        let round = |value: f64| if lattice { (2.0 * value).round() } else { value };
        let rows = random([p, 2], 1, "rows").mapv(round);
        let constants = random([1, p], 2, "constants").mapv(round);
        let listed = plane_patterns(rows.view(), constants.row(0)).unwrap();
        let points = random([20_000, 2], 3, "points") * 4.0;
        let values = points.dot(&rows.t()) + constants.row(0);
        let upload = |matrix| backend.upload(&narrow(matrix)).unwrap();
        let found = backend.activation_patterns(&upload(&rows), Some(&upload(&constants)), &upload(&points)).unwrap();
        let found = backend.download_indices(&found).unwrap();
        let mut seen = vec![false; listed.len()];
        for (words, values) in found.chunks_exact(listed.words()).zip(values.rows()) {
            // Within rounding of a line, f32 may see the other side of it; on a line there is no cell.
            if values.iter().zip(rows.rows()).all(|(value, row)| value.abs() > 1e-5 || row[0] == 0.0 && row[1] == 0.0) {
                let at = listed.find(words);
                assert!(at.is_some(), "{p} lines, lattice {lattice}: {words:?} is not listed");
                seen[at.unwrap()] = true;
            }
        }
        let share = seen.iter().filter(|seen| **seen).count() as f64 / seen.len() as f64;
        assert!(share > 0.4, "{p} lines: only {share} of the list was seen");
    }
}

#[test]
fn vertices_in_general_position_are_as_many_as_the_formula_says() {
    for (p, d) in [(7, 2), (7, 3), (7, 7), (12, 3), (20, 3), (16, 4), (10, 6), (3, 5), (40, 3), (33, 4), (1, 3), (0, 3)]
    {
        let zonotope = random_zonotope(p, d, 3);
        let patterns = zonotope_patterns(&zonotope, MEMORY).unwrap();
        assert_eq!(patterns.len() as u128, vertex_bound(p, d), "{p} generators in dimension {d}");
    }
}

/// Coxeter arrangements: chambers are permutations (type A), and signed permutations (type B).
#[test]
fn reflection_arrangements_have_as_many_cells_as_their_groups_elements() {
    let unit = |n: usize, i: usize, j: usize, sign: f64| {
        Array1::from_shape_fn(n, |k| f64::from(u8::from(k == i)) + sign * f64::from(u8::from(k == j)))
    };
    for (n, factorial) in [(2, 2), (3, 6), (4, 24), (5, 120), (6, 720)] {
        let pairs = || (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
        let braid: Vec<Array1<f64>> = pairs().map(|(i, j)| unit(n, i, j, -1.0)).collect();
        let count = |rows: &[Array1<f64>]| {
            let rows: Vec<_> = rows.iter().map(|row| row.view()).collect();
            let zonotope = Zonotope::new(ndarray::stack(Axis(0), &rows).unwrap(), None).unwrap();
            let patterns = zonotope_patterns(&zonotope, MEMORY).unwrap();
            // Different patterns are different vertices.
            let mut sums: Vec<String> = patterns
                .vertices(zonotope.generators(), &vec![0.0; n])
                .rows()
                .into_iter()
                .map(|row| format!("{row:.3}"))
                .collect();
            sums.sort();
            sums.dedup();
            assert_eq!(sums.len(), patterns.len());
            patterns.len()
        };
        assert_eq!(count(&braid), factorial, "type A, n = {n}");
        if n < 6 {
            let signed = (0..n).map(|i| unit(n, i, i, 0.0)).chain(pairs().map(|(i, j)| unit(n, i, j, 1.0)));
            let all: Vec<Array1<f64>> = braid.iter().cloned().chain(signed).collect();
            assert_eq!(count(&all), factorial << n, "type B, n = {n}");
        }
    }
}

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    generators: Vec<Vec<f64>>,
    shift: Vec<f64>,
    vertices: Vec<Vec<f64>>,
    volume: f64,
}

fn golden() -> Vec<Case> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/zonotopes.json");
    serde_json::from_slice::<Golden>(&std::fs::read(file).unwrap()).unwrap().cases
}

impl Case {
    fn zonotope(&self) -> Zonotope {
        let shape = (self.generators.len(), self.shift.len());
        let generators = Array2::from_shape_vec(shape, self.generators.concat()).unwrap();
        Zonotope::new(generators, Some(Array1::from(self.shift.clone()))).unwrap()
    }
}

fn sorted(vertices: &Array2<f64>) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = vertices.rows().into_iter().map(|row| row.to_vec()).collect();
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
    rows
}

#[test]
fn vertices_are_those_of_the_hull_of_all_subset_sums() {
    for case in golden() {
        let zonotope = case.zonotope();
        let patterns = zonotope_patterns(&zonotope, MEMORY).unwrap();
        // Entries are multiples of 1/64: sums are exact and equal.
        let found = sorted(&patterns.vertices(zonotope.generators(), &case.shift));
        assert_eq!(found, case.vertices, "{}", case.name);
        let volume = zonotope.volume().unwrap();
        assert!((volume - case.volume).abs() <= 1e-12 * case.volume.max(1.0), "{}: {volume}", case.name);
    }
}

#[test]
#[should_panic(expected = "plane")]
fn the_comparison_with_subset_sums_sees_one_generator_that_moved() {
    let mut case = golden().remove(0);
    case.generators[3][1] += 1.0 / 64.0;
    let zonotope = case.zonotope();
    let patterns = zonotope_patterns(&zonotope, MEMORY).unwrap();
    assert_eq!(sorted(&patterns.vertices(zonotope.generators(), &case.shift)), case.vertices, "{}", case.name);
}

/// The cells of affine lines are the cells of the lifted arrangement on one side of the plane at infinity.
#[test]
fn lines_lifted_to_space_have_the_same_patterns() {
    for (p, lattice) in [(9, false), (20, false), (9, true), (20, true)] {
        let round = |value: f64| if lattice { (1.4 * value).round() } else { value };
        let rows = random([p, 2], 5, "rows").mapv(round);
        let constants = random([p, 1], 6, "constants").mapv(round);
        let infinity = ndarray::array![[0.0, 0.0, 1.0]];
        // A row of zeros with a constant is parallel to the plane at infinity.
        let lifted = concatenate![Axis(0), concatenate![Axis(1), rows, constants], infinity];
        let zonotope = Zonotope::new(lifted, None).unwrap();
        let all = zonotope_patterns(&zonotope, MEMORY).unwrap();
        let plane = plane_patterns(rows.view(), constants.column(0)).unwrap();
        let mut words = vec![0; (p + 1).div_ceil(32)];
        let mut upper = 0;
        for cell in (0..all.len()).filter(|cell| all.is_active(*cell, p)) {
            words.copy_from_slice(all.row(cell));
            words[p / 32] &= !(1 << (p % 32));
            assert!(plane.find(&words).is_some(), "{p} {lattice}");
            upper += 1;
        }
        assert_eq!(upper, plane.len(), "{p} {lattice}");
    }
}

#[test]
fn more_vertices_than_memory_allows_are_refused_beforehand() {
    let zonotope = random_zonotope(2000, 6, 0);
    let estimate = VertexEstimate::of(&zonotope);
    assert_eq!((estimate.directions, estimate.rank, estimate.vertices), (2000, 6, vertex_bound(2000, 6)));
    match zonotope_patterns(&zonotope, 1 << 30) {
        Err(Error::TooManyVertices { vertices, bytes, limit }) => {
            assert_eq!((vertices, limit), (vertex_bound(2000, 6), 1 << 30));
            assert!(bytes > vertices * 300);
        }
        other => panic!("{other:?}"),
    }
}

fn sampled_vertices_are_vertices<B: Backend>(backend: &B) {
    for (p, d) in [(10, 3), (16, 4), (10, 6), (40, 2), (5, 1), (1, 3), (0, 2), (35, 3)] {
        let zonotope = random_zonotope(p, d, 8);
        let exact = zonotope_patterns(&zonotope, MEMORY).unwrap();
        let options = SampleOptions { directions: 20_000, batch: 3000, ..SampleOptions::default() };
        let sampled = sample_patterns(backend, &zonotope, options).unwrap();
        assert!((0..sampled.patterns.len()).all(|at| exact.find(sampled.patterns.row(at)).is_some()), "{p} {d}");
        // The opposite of a vertex is one.
        assert!(sampled.patterns.len().is_multiple_of(2) || p == 0);
        assert_eq!(sampled.stop == Stop::Complete, sampled.patterns.len() == exact.len());
        assert_eq!(sampled.bound, exact.len() as u128);
        if sampled.stop != Stop::Complete {
            assert!(sampled.missing_mass > 0.0 || sampled.misses > 0);
        }
    }
}

/// The share of fresh directions that give a new vertex is what the estimate says, within five standard deviations.
fn the_estimate_of_the_missing_mass_is_near_the_truth<B: Backend>(backend: &B) {
    let zonotope = random_zonotope(60, 3, 4);
    let options = SampleOptions { directions: 4000, batch: 4000, missing_mass: 0.0, ..SampleOptions::default() };
    let found = sample_patterns(backend, &zonotope, options).unwrap();
    assert_eq!((found.stop, found.directions), (Stop::Directions, 4000));
    let fresh = directions(20_000, 3, 99, "fresh", 0).mapv(f64::from);
    let values = fresh.dot(&zonotope.generators().t());
    let new = values.rows().into_iter().filter(|values| {
        let mut words = [0; 2];
        values.iter().enumerate().for_each(|(i, value)| words[i / 32] |= u32::from(*value > 0.0) << (i % 32));
        found.patterns.find(&words).is_none()
    });
    let truth = new.count() as f64 / 2e4;
    let deviation = (found.missing_mass / 4000.0 + truth / 2e4).sqrt();
    assert!((truth - found.missing_mass).abs() < 5.0 * deviation, "{truth} {}", found.missing_mass);
    assert!(truth > 0.0);
}
