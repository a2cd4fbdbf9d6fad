//! `threshold_mask`: everything below a cut-off becomes zero.

use ndarray::Array2;
use tropix::backend::{Backend, Cutoff};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::assert_same;

on_every_backend!(ties_go_by_index, rows_go_by_their_score, zeros_tie_and_denormals_do_not);
against_the_reference!(any_shape_agrees);

fn ties_go_by_index<B: Backend>(backend: &B) {
    let w = backend.upload(&rows(&[[1.0, 2.0], [3.0, 4.0]])).unwrap();
    let scores = backend.upload(&rows(&[[5.0, 1.0], [5.0, 5.0]])).unwrap();
    for (index, want) in [(0, [[1.0, 0.0], [3.0, 4.0]]), (3, [[0.0, 0.0], [0.0, 4.0]]), (4, [[0.0, 0.0], [0.0, 0.0]])] {
        let kept = backend.threshold_mask(&w, &scores, Cutoff { score: 5.0, index }).unwrap();
        assert_same("kept", &down(backend, &kept), &wide(&rows(&want)));
    }
}

fn rows_go_by_their_score<B: Backend>(backend: &B) {
    let w = backend.upload(&rows(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).unwrap();
    let scores = backend.upload(&rows(&[[0.5], [2.0], [1.0]])).unwrap();
    let kept = backend.threshold_mask(&w, &scores, Cutoff { score: 1.0, index: 5 }).unwrap();
    assert_same("kept", &down(backend, &kept), &wide(&rows(&[[0.0, 0.0], [3.0, 4.0], [0.0, 6.0]])));
}

fn zeros_tie_and_denormals_do_not<B: Backend>(backend: &B) {
    let w = backend.upload(&rows(&[[1.0, 2.0, 3.0, 4.0]])).unwrap();
    let scores = backend.upload(&rows(&[[-0.0, 1e-40, -1e-40, 2e-40]])).unwrap();
    let kept = backend.threshold_mask(&w, &scores, Cutoff { score: 0.0, index: 0 }).unwrap();
    assert_same("above zero", &down(backend, &kept), &wide(&rows(&[[1.0, 2.0, 0.0, 4.0]])));
    let kept = backend.threshold_mask(&w, &scores, Cutoff { score: 1e-40, index: 4 }).unwrap();
    assert_same("above a denormal", &down(backend, &kept), &wide(&rows(&[[0.0, 0.0, 0.0, 4.0]])));
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 0], |([p, n], seed)| {
        let w = random([p, n], seed, "w");
        // Few distinct scores, of both signs, so that many tie.
        let scores = |columns| random([p, columns], seed, "scores").mapv(|score| (score * 4.0).round());
        let upload = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
        for scores in [scores(n), scores(1)] {
            for (score, index) in [(-2.0, p * n / 2), (0.0, p * n / 3), (3.0, 0)] {
                let cutoff = Cutoff { score, index: u32::try_from(index).unwrap() };
                let got = backend.threshold_mask(&upload(&w), &upload(&scores), cutoff).unwrap();
                let want = reference().threshold_mask(&wide(&w), &wide(&scores), cutoff).unwrap();
                assert_same("kept", &down(backend, &got), &want);
            }
        }
    });
}
