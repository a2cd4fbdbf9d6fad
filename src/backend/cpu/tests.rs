//! The host path against the reference, on shapes around every edge of the tiling.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by a panic; its values are small"
)]

use ndarray::{Array2, Axis, concatenate};
use rand::RngExt;

use super::narrow::is_narrow;
use super::{Cpu, HostMatrix};
use crate::backend::{Activation, Backend, Cutoff, HalfStep, Maxima, Reference, RowScores, RowUpdate, Transpose};
use crate::backend::{RowSource, SharedValues};
use crate::network::{Element, Tensor};
use crate::rng;

/// Rows, inner length, columns.
const SHAPES: &[[usize; 3]] = &[
    [0, 3, 5],
    [5, 3, 0],
    [4, 0, 7],
    [1, 1, 1],
    [1, 1000, 129],
    [7, 3, 65],
    [13, 64, 16],
    [65, 257, 1000],
    [129, 64, 7],
    [400, 5, 1100],
    [1000, 3, 33],
    [64, 0, 5],
    [130, 1, 300],
    [77, 6, 600],
    [200, 8, 9],
    [8, 200, 37],
    [77, 131, 11],
];

/// Few rows and columns with a long inner index, which threads share.
const LONG: &[[usize; 3]] = &[[3, 20_000, 40], [1, 9000, 5]];

struct Both {
    cpu: Cpu,
    reference: Reference,
}

/// A matrix on both backends, and its absolute values on the reference.
struct Pair {
    cpu: HostMatrix,
    exact: Array2<f64>,
}

impl Both {
    fn new() -> Self {
        Self { cpu: Cpu::new(), reference: Reference::new() }
    }

    fn pair(&self, values: &Array2<f32>) -> Pair {
        Pair { cpu: self.cpu.upload(values).unwrap(), exact: self.reference.upload(values).unwrap() }
    }
}

fn random(name: &str, rows: usize, columns: usize) -> Array2<f32> {
    let mut stream = rng::stream(1, name);
    Array2::from_shape_simple_fn((rows, columns), || stream.random::<f32>() - 0.5)
}

fn gamma(n: usize) -> f64 {
    let unit = n as f64 * f64::from(f32::EPSILON) / 2.0;
    unit / (1.0 - unit)
}

/// Fails where `got` is further from `expected` than `gamma_terms` times `size`, plus the rounding of the result.
fn close(what: &str, got: &HostMatrix, expected: &Array2<f64>, terms: usize, size: &Array2<f64>) {
    let got = got.download().unwrap();
    assert_eq!(got.dim(), expected.dim(), "{what}");
    for ((place, got), (expected, size)) in got.indexed_iter().zip(expected.iter().zip(size)) {
        let bound = gamma(terms) * size + f64::from(f32::EPSILON) * expected.abs();
        assert!((got - expected).abs() <= bound, "{what} at {place:?}: {got} against {expected}, bound {bound}");
    }
}

#[test]
#[should_panic(expected = "perturbed at (1, 2)")]
fn a_perturbed_entry_is_seen() {
    let mut expected = Array2::ones((2, 3));
    let got = Both::new().pair(&Array2::ones((2, 3))).cpu;
    expected[[1, 2]] += 1e-6;
    close("perturbed", &got, &expected, 3, &Array2::ones((2, 3)));
}

#[test]
fn products_stay_within_the_bound_on_every_shape() {
    let both = Both::new();
    for &[n, d, m] in SHAPES.iter().chain(LONG) {
        let (x, w, b) = (random("x", n, d), random("w", m, d), random("b", 1, m));
        let size = x.mapv(f32::abs).dot(&w.t().mapv(f32::abs)) + b.mapv(f32::abs);
        let size = size.mapv(f64::from);
        let [a, c, t] = [&x, &w, &b].map(|values| both.pair(values));
        for (bias, activation) in [(Some(&t), Activation::Relu), (None, Activation::Identity)] {
            let bias = (bias.map(|b| &b.cpu), bias.map(|b| &b.exact));
            let got = both.cpu.affine(&a.cpu, &c.cpu, bias.0, activation).unwrap();
            let expected = both.reference.affine(&a.exact, &c.exact, bias.1, activation).unwrap();
            close(&format!("affine {n} {d} {m}"), &got, &expected, d + 1, &size);
        }
        for (turn_a, turn_b) in [
            (Transpose::No, Transpose::No),
            (Transpose::No, Transpose::Yes),
            (Transpose::Yes, Transpose::No),
            (Transpose::Yes, Transpose::Yes),
        ] {
            let a = if turn_a == Transpose::Yes { x.t().to_owned() } else { x.clone() };
            let b = if turn_b == Transpose::Yes { w.clone() } else { w.t().to_owned() };
            let (a, b) = (both.pair(&a), both.pair(&b));
            let got = both.cpu.matmul(&a.cpu, turn_a, &b.cpu, turn_b).unwrap();
            let expected = both.reference.matmul(&a.exact, turn_a, &b.exact, turn_b).unwrap();
            close(&format!("matmul {n} {d} {m} {turn_a:?} {turn_b:?}"), &got, &expected, d, &size);
        }
    }
}

#[test]
fn folds_agree_with_the_stored_product() {
    let both = Both::new();
    for &[n, d, m] in SHAPES {
        let (x, w, c, s) = (random("x", n, d), random("w", m, d), random("c", 1, m), random("s", 1, d));
        let size = x.mapv(f32::abs).dot(&w.t().mapv(f32::abs)) + c.mapv(f32::abs);
        let total = size.sum_axis(Axis(1)).insert_axis(Axis(1)) + x.dot(&s.t()).mapv(f32::abs);
        let (largest, total) = (size.fold(0.0_f32, |a, b| a.max(*b)), total.mapv(f64::from));
        let [x, w, c, s] = [&x, &w, &c, &s].map(|values| both.pair(values));
        let got = both.cpu.support_function(&w.cpu, Some(&s.cpu), &x.cpu).unwrap();
        let expected = both.reference.support_function(&w.exact, Some(&s.exact), &x.exact).unwrap();
        close(&format!("support_function {n} {d} {m}"), &got, &expected, d + m, &total);
        if m == 0 {
            assert!(both.cpu.tropical_eval(&x.cpu, &w.cpu, &c.cpu).is_err());
            continue;
        }
        let Maxima { values, arguments } = both.cpu.tropical_eval(&x.cpu, &w.cpu, &c.cpu).unwrap();
        let stored = both.cpu.affine(&x.cpu, &w.cpu, Some(&c.cpu), Activation::Identity).unwrap();
        assert_eq!(arguments.len(), n);
        for (i, argument) in arguments.into_iter().enumerate() {
            let best = stored.row(i).iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let first = stored.row(i).iter().position(|value| *value == best).unwrap();
            if is_narrow(x.cpu.view(Transpose::No)) {
                // Sums that start from the coefficient round in another order.
                let bound = 2.0 * gamma(d + 1) * f64::from(largest);
                let gap = f64::from(best) - f64::from(stored.row(i)[argument as usize]);
                assert!((0.0..=bound).contains(&gap), "{n} {d} {m}, point {i}: {argument} instead of {first}");
            } else {
                assert_eq!((values.values()[i], argument as usize), (best, first), "{n} {d} {m}, point {i}");
            }
        }
        let expected = both.reference.tropical_eval(&x.exact, &w.exact, &c.exact).unwrap();
        let size = Array2::from_elem((n, 1), f64::from(largest));
        close(&format!("tropical_eval {n} {d} {m}"), &values, &expected.values, d + 1, &size);
    }
}

#[test]
fn equal_maxima_go_to_the_lowest_index() {
    let both = Both::new();
    for (n, m) in [(3, 1), (3, 2), (3, 70), (3, 1030), (100, 300)] {
        let x = both.pair(&random("x", n, 4)).cpu;
        let (w, c) = (Array2::zeros((m, 4)), Array2::zeros((1, m)));
        let (w, c) = (both.pair(&w).cpu, both.pair(&c).cpu);
        assert_eq!(both.cpu.tropical_eval(&x, &w, &c).unwrap().arguments, vec![0; n]);
    }
}

#[test]
fn columns_too_large_to_keep_are_packed_on_the_way() {
    let both = Both::new();
    let (x, w) = (random("x", 500, 300), random("w", 300, 600));
    let (x, w, turned) = (both.pair(&x).cpu, both.pair(&w).cpu, both.pair(&w.t().to_owned()).cpu);
    let loose = both.cpu.matmul(&x, Transpose::No, &w, Transpose::No).unwrap();
    let packed = both.cpu.matmul(&x, Transpose::No, &turned, Transpose::Yes).unwrap();
    assert_eq!(loose.values(), packed.values());
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let both = Both::new();
    let (x, w) = (both.pair(&random("x", 300, 300)).cpu, both.pair(&random("w", 2100, 300)).cpu);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let norms = both.cpu.path_norms(&w, &both.pair(&random("q", 1, 2100)).cpu, None, Transpose::Yes).unwrap();
            let support = both.cpu.support_function(&w, None, &x).unwrap();
            let affine = both.cpu.affine(&x, &w, None, Activation::Identity).unwrap();
            let narrow = [("x", 3000, 5), ("g", 700, 5)].map(|(name, n, d)| both.pair(&random(name, n, d)).cpu);
            let narrow = both.cpu.support_function(&narrow[1], None, &narrow[0]).unwrap();
            let few = both.pair(&random("few", 10, 300)).cpu;
            let direct = both.cpu.affine(&w, &few, None, Activation::Identity).unwrap();
            [norms, support, affine, narrow, direct].map(|matrix| matrix.values().to_vec())
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn passes_over_the_weights_agree_with_the_reference() {
    let both = Both::new();
    for (k, p, n) in [(0, 3, 4), (3, 0, 4), (2, 5, 0), (1, 1, 1), (10, 67, 129), (3, 200, 1100)] {
        let [a, c, b, q] = [random("a", p, n), random("c", 1, p), random("b", k, p), random("q", 1, n)]
            .map(|values| both.pair(&values));
        let got = both.cpu.generators(&b.cpu, &a.cpu, Some(&c.cpu)).unwrap();
        let expected = both.reference.generators(&b.exact, &a.exact, Some(&c.exact)).unwrap();
        close("generators", &got, &expected, 1, &expected.mapv(f64::abs));
        let RowScores { norms, rows } = both.cpu.row_scores(&a.cpu, Some(&c.cpu), &b.cpu).unwrap();
        let expected = both.reference.row_scores(&a.exact, Some(&c.exact), &b.exact).unwrap();
        close("norms", &norms, &expected.norms, 1, &expected.norms);
        close("scores", &rows, &expected.rows, 1, &expected.rows);
        let got = both.cpu.path_norms(&a.cpu, &q.cpu, Some(&c.cpu), Transpose::No).unwrap();
        let expected = both.reference.path_norms(&a.exact, &q.exact, Some(&c.exact), Transpose::No).unwrap();
        close("path_norms", &got, &expected, 1, &Array2::from_elem((1, p), n as f64 * 1e-6));
        let got = both.cpu.path_norms(&a.cpu, &c.cpu, None, Transpose::Yes).unwrap();
        let expected = both.reference.path_norms(&a.exact, &c.exact, None, Transpose::Yes).unwrap();
        close("path_norms back", &got, &expected, 1, &Array2::from_elem((1, n), p as f64 * 1e-6));
        let (size, norm_pair) = (b.exact.mapv(|b| b.abs() as f32), norms.download().unwrap().mapv(|norm| norm as f32));
        let (targets, norms) = (both.pair(&size), both.pair(&norm_pair));
        for first in [HalfStep::Rows, HalfStep::Elements] {
            let got = both.cpu.row_update(&norms.cpu, &targets.cpu, 0.25, first, 3).unwrap();
            let RowUpdate { scale, elements, objective } =
                both.reference.row_update(&norms.exact, &targets.exact, 0.25, first, 3).unwrap();
            close("scale", &got.scale, &scale, 1, &scale);
            close("elements", &got.elements, &elements, 1, &elements);
            close("objective", &got.objective, &objective, 1, &objective);
        }
    }
}

#[test]
fn masks_and_classes_equal_those_of_the_reference() {
    let both = Both::new();
    for (p, n) in [(0, 4), (4, 0), (1, 1), (5, 1), (65, 129)] {
        // Few distinct scores, so that many lie on the cut-off.
        let scores = random("scores", p, n).mapv(|score| (score * 4.0).round());
        let (weights, scores) = (both.pair(&random("w", p, n)), both.pair(&scores));
        let per_row = both.pair(&random("rows", p, 1).mapv(|score| (score * 4.0).round()));
        for scores in [&scores, &per_row] {
            for index in [0, 1, 200, 1 << 20] {
                let cutoff = Cutoff { score: 1.0, index };
                let got = both.cpu.threshold_mask(&weights.cpu, &scores.cpu, cutoff).unwrap();
                let expected = both.reference.threshold_mask(&weights.exact, &scores.exact, cutoff).unwrap();
                assert_eq!(got.download().unwrap(), expected);
            }
        }
    }
    let logits = random("logits", 300, 11).mapv(|logit| (logit * 4.0).round());
    let logits = both.pair(&concatenate![Axis(0), logits, Array2::zeros((1, 11))]);
    let labels: Vec<u32> = (0..301).map(|i| i % 11).collect();
    let got = both.cpu.classify(&logits.cpu, Some(&labels)).unwrap();
    let expected = both.reference.classify(&logits.exact, Some(&labels)).unwrap();
    assert_eq!((got.class, got.rank), (expected.class, expected.rank));
    assert!(both.cpu.classify(&logits.cpu, Some(&vec![11; 301])).is_err());
}

#[test]
fn memory_of_dropped_matrices_does_not_show() {
    let both = Both::new();
    let matrix = |name: &str, rows: usize, columns: usize| both.pair(&random(name, rows, columns)).cpu;
    let (narrow, long, empty) = (matrix("x", 600, 3), matrix("y", 3, 600), matrix("e", 600, 0));
    let (square, wide, few) = (matrix("s", 600, 600), matrix("a", 100, 600), matrix("w", 6, 100));
    let (none, nothing) = (matrix("g", 0, 3), matrix("z", 0, 600));
    let row = both.pair(&Array2::ones((1, 600))).cpu;
    type Operation<'a> = &'a dyn Fn() -> HostMatrix;
    let operations: [Operation<'_>; 8] = [
        &|| both.cpu.affine(&narrow, &narrow, None, Activation::Relu).unwrap(),
        &|| both.cpu.matmul(&empty, Transpose::No, &nothing, Transpose::No).unwrap(),
        &|| both.cpu.max_plus_matmul(&narrow, &long).unwrap(),
        &|| both.cpu.generators(&few, &wide, None).unwrap(),
        &|| both.cpu.threshold_mask(&square, &square, Cutoff { score: 0.0, index: 300 }).unwrap(),
        &|| both.cpu.class_supports(&matrix("c", 600, 600), &narrow, &narrow).unwrap(),
        &|| both.cpu.class_supports(&empty, &none, &narrow).unwrap(),
        &|| both.cpu.row_update(&row, &square, 0.1, HalfStep::Rows, 2).unwrap().elements,
    ];
    for (number, operation) in operations.into_iter().enumerate() {
        drop([0; 3].map(|_| both.pair(&Array2::from_elem((600, 600), f32::NAN)).cpu));
        let result = operation();
        assert_eq!(result.shape(), [600, 600]);
        assert!(result.values().iter().all(|value| value.is_finite()), "operation {number}");
    }
}

#[test]
fn a_matrix_that_is_read_where_it_lies_gives_what_a_copy_gives() {
    let both = Both::new();
    for [n, d, m] in [[7, 33, 5], [64, 200, 300], [1, 400, 20]] {
        let (x, w) = (random("x", n, d), random("w", m, d));
        let tensor = Tensor::owned("w", Element::F32, vec![m, d], w.iter().copied().collect()).unwrap();
        assert!(tensor.shared().is_some());
        let (shared, copied) = (both.cpu.upload(&tensor).unwrap(), both.cpu.upload(&w).unwrap());
        // The values of the tensor, not of a buffer of its own.
        assert_eq!(shared.values().as_ptr(), tensor.values().as_ptr());
        let x = both.cpu.upload(&x).unwrap();
        let run = |weights: &HostMatrix| both.cpu.affine(&x, weights, None, Activation::Relu).unwrap();
        assert_eq!(run(&shared).values(), run(&copied).values());
    }
}
