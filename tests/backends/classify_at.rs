//! `classify_at`: a head at many cut-offs.

use ndarray::Array2;
use tropix::backend::{Activation, Backend, Cutoff, ScoredLayer};

use crate::harness::{against_the_reference, for_shapes, on_every_backend, random, reference, rows};

on_every_backend!(cut_offs_by_hand, a_missing_cut_off_is_refused);
against_the_reference!(any_head_answers_alike);

/// `y = (x, 2 x, 0)` at `x = 3` loses the weight 1, then 2: class 1 wins until all are 0 and the tie goes to class 0.
fn cut_offs_by_hand<B: Backend>(backend: &B) {
    let up = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
    let (weights, scores) = (up(&rows(&[[1.0], [2.0], [0.0]])), up(&rows(&[[1.0], [2.0], [0.0]])));
    let layers = [ScoredLayer { weights: &weights, scores: &scores, bias: None, activation: Activation::Identity }];
    let batches = [(up(&rows(&[[3.0]])), Some(backend.upload_indices(&[0]).unwrap()))];
    let cut = |score: f32, index: u32| vec![Cutoff { score, index }];
    let cutoffs = [cut(5.0, 0), cut(1.0, 0), cut(1.0, 1), cut(2.0, 2), cut(0.0, 0), cut(2.0, 1)];
    let answers = backend.classify_at(&batches, &layers, &cutoffs).unwrap();
    let down = |indices: &B::Indices| backend.download_indices(indices).unwrap()[0];
    let found: Vec<(u32, u32)> = answers.iter().map(|of| (down(&of[0].class), down(&of[0].rank))).collect();
    assert_eq!(found, [(0, 0), (1, 1), (1, 1), (0, 0), (1, 1), (1, 1)]);
}

fn a_missing_cut_off_is_refused<B: Backend>(backend: &B) {
    let one = backend.upload(&rows(&[[1.0]])).unwrap();
    let layers = [ScoredLayer { weights: &one, scores: &one, bias: None, activation: Activation::Relu }];
    assert!(backend.classify_at(&[], &layers, &[Vec::new()]).is_err());
}

/// Integers that f32 adds without rounding: every backend gives the same answers, ties included. Scores have ties too, and
/// cut-offs come in no order.
fn any_head_answers_alike<B: Backend>(backend: &B) {
    let whole = |shape, seed, name: &str| random(shape, seed, name).mapv(|value| (1.49 * value).round());
    for_shapes([0, 1, 1, 1], |([n, d, m, k], seed)| {
        let inputs = whole([n, d], seed, "inputs");
        let shapes = [[m, d], [m, m], [k, m]];
        let weights: Vec<Array2<f32>> = (0..3).map(|at| whole(shapes[at], seed + at as u64 + 1, "weights")).collect();
        let scores: Vec<Array2<f32>> = (0..3)
            .map(|at| {
                // One layer has a score for each row.
                let columns = if at == 1 && seed % 2 == 0 { 1 } else { shapes[at][1] };
                random([shapes[at][0], columns], seed + at as u64, "scores").mapv(|value| (8.0 * value).abs().round())
            })
            .collect();
        let bias = whole([1, m], seed, "bias");
        let labels: Vec<u32> = (0..n).map(|i| u32::try_from(i % k).unwrap()).collect();
        // From everything to nothing, out of order; layers keep unlike shares, and one pair of cut-offs is equal.
        let cut = |score: f32, index: u32| Cutoff { score, index };
        let cutoffs: Vec<Vec<Cutoff>> = [5, 0, 3, 9, 1, 3, 7]
            .map(|step| {
                let score = step as f32;
                vec![cut(score, step * 7), cut((score - 2.0).max(0.0), 0), cut(score, step)]
            })
            .to_vec();
        let got = answers(backend, (&inputs, &labels), [&weights, &scores], &bias, &cutoffs);
        let mut want = answers(reference(), (&inputs, &labels), [&weights, &scores], &bias, &cutoffs);
        assert_eq!(got, want);
        if let Some(last) = want.last_mut().and_then(|(class, _)| class.last_mut()) {
            *last += 1;
            assert_ne!(got, want, "a changed class is seen");
        }
    });
}

/// Classes and ranks at each cut-off, of samples in two batches.
fn answers<B: Backend>(
    backend: &B,
    (inputs, labels): (&Array2<f32>, &[u32]),
    [weights, scores]: [&[Array2<f32>]; 2],
    bias: &Array2<f32>,
    cutoffs: &[Vec<Cutoff>],
) -> Vec<(Vec<u32>, Vec<u32>)> {
    let up = |matrix: &Array2<f32>| backend.upload(matrix).unwrap();
    let cut = inputs.nrows() / 3;
    let batches = [0..cut, cut..inputs.nrows()].map(|rows| {
        let part = inputs.slice(ndarray::s![rows.clone(), ..]).to_owned();
        (up(&part), Some(backend.upload_indices(&labels[rows]).unwrap()))
    });
    let (bias, weights): (_, Vec<B::Matrix>) = (up(bias), weights.iter().map(up).collect());
    let scores: Vec<B::Matrix> = scores.iter().map(up).collect();
    let layer = |at: usize| ScoredLayer {
        weights: &weights[at],
        scores: &scores[at],
        bias: (at == 0).then_some(&bias),
        activation: if at == 2 { Activation::Identity } else { Activation::Relu },
    };
    let found = backend.classify_at(&batches, &[layer(0), layer(1), layer(2)], cutoffs).unwrap();
    let down = |indices: &B::Indices| backend.download_indices(indices).unwrap();
    let joined = |of: &[tropix::backend::Classified<B::Indices>]| {
        let (class, rank): (Vec<_>, Vec<_>) = of.iter().map(|of| (down(&of.class), down(&of.rank))).unzip();
        (class.concat(), rank.concat())
    };
    found.iter().map(|of| joined(of)).collect()
}
