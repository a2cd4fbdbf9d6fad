//! `row_update`: the alternation on problem (2).

use ndarray::Array2;
use tropix::backend::{Backend, HalfStep};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(half_steps_by_hand, no_half_step_leaves_everything, negative_lambda_is_refused);
against_the_reference!(any_shape_agrees);

/// One class, `t = 4`, `N = 2`, `lambda = 2`: `s = (16 - 2 * 4 / 2) / 16 = 3/4`, then `t~ = (4 - 1) / (3/4) = 4`.
fn half_steps_by_hand<B: Backend>(backend: &B) {
    let norms = backend.upload(&rows(&[[2.0, 0.0]])).unwrap();
    let targets = backend.upload(&rows(&[[4.0, 1.0]])).unwrap();
    let update = backend.row_update(&norms, &targets, 2.0, HalfStep::Rows, 2).unwrap();
    assert_same("scale", &down(backend, &update.scale), &wide(&rows(&[[0.75, 0.0]])));
    assert_same("elements", &down(backend, &update.elements), &wide(&rows(&[[4.0, 0.0]])));
    // 1/2 (t~ s - t)^2 N^2 + lambda t~ s N: 16 at the start, then 2 + 12, twice.
    let want = rows(&[[16.0, 0.0], [14.0, 0.0], [14.0, 0.0]]);
    assert_same("objective", &down(backend, &update.objective), &wide(&want));
}

fn no_half_step_leaves_everything<B: Backend>(backend: &B) {
    let (norms, targets) = (rows(&[[1.0, 3.0]]), rows(&[[1.0, 2.0], [3.0, 4.0]]));
    let up = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
    let update = backend.row_update(&up(&norms), &up(&targets), 0.0, HalfStep::Elements, 0).unwrap();
    assert_same("scale", &down(backend, &update.scale), &wide(&rows(&[[1.0, 1.0]])));
    assert_same("elements", &down(backend, &update.elements), &wide(&targets));
    assert_same("objective", &down(backend, &update.objective), &Array2::zeros((1, 2)));
}

fn negative_lambda_is_refused<B: Backend>(backend: &B) {
    let one = backend.upload(&rows(&[[1.0]])).unwrap();
    assert!(backend.row_update(&one, &one, -1.0, HalfStep::Rows, 1).is_err());
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0, 0], |([k, p, steps], seed)| {
        let half_steps = steps % 7;
        let norms = random([1, p], seed, "norms").mapv(|norm| norm.abs() + 0.5);
        let targets = random([k, p], seed, "targets").mapv(f32::abs);
        let up = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        for (first, lambda) in [(HalfStep::Rows, 0.1), (HalfStep::Elements, 0.1), (HalfStep::Rows, 0.0)] {
            let got = backend.row_update(&up(&norms), &up(&targets), lambda, first, half_steps).unwrap();
            let want = reference().row_update(&wide(&norms), &wide(&targets), lambda, first, half_steps).unwrap();
            // A half-step on the rows subtracts lambda sum t~ / N from sum t~ t: its relative error grows by their
            // ratio to the difference, and passes on to every later half-step.
            let growth = condition(&norms, &targets, f64::from(lambda));
            let operations = (2 * k + 12) * (half_steps + 1);
            let grown =
                |sizes: &Array2<f64>| Array2::from_shape_fn(sizes.dim(), |(i, j)| (sizes[(i, j)] + 1e-3) * growth[j]);
            let check = |what: &str, got: &B::Matrix, want: &Array2<f64>, sizes: &Array2<f64>| {
                assert_close(what, &down(backend, got), want, &bound(operations, &grown(sizes)));
            };
            check("scale", &got.scale, &want.scale, &want.scale);
            check("elements", &got.elements, &want.elements, &want.elements.mapv(|element| element + 1.0));
            let start = want.objective.row(0).mapv(|start| start + k as f64);
            let sizes = Array2::from_shape_fn(want.objective.dim(), |(_, i)| start[i]);
            check("objective", &got.objective, &want.objective, &sizes);
        }
    });
}

/// `(sum t t + lambda sum t / N) / (sum u t)` with `u = max(0, t - lambda / N)`, per neuron, squared: scale and elements
/// both carry it.
fn condition(norms: &Array2<f32>, targets: &Array2<f32>, lambda: f64) -> Vec<f64> {
    let neuron = |i: usize| {
        let cut = lambda / f64::from(norms[(0, i)]);
        let (mut sum, mut kept) = (0.0, 0.0);
        for t in targets.column(i).iter().map(|t| f64::from(*t)) {
            sum += t * t + cut * t;
            kept += (t - cut).max(0.0) * t;
        }
        if kept > 0.0 { (sum / kept).powi(2) } else { 1.0 }
    };
    (0..norms.ncols()).map(neuron).collect()
}
