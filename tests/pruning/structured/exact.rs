//! What goes for free (property 17): dead units, constants, copies, and always-on units on a ball.

use ndarray::{Array2, array};
use tropix::network::StepKind;
use tropix::prune::structured::{UnitMethod, UnitOptions};

use super::plans::reduce;
use crate::networks::{distance, inputs, logits, network, random, weight};

fn all(radius: Option<f64>) -> UnitOptions {
    UnitOptions { radius, ..UnitOptions::new(UnitMethod::PathL2, 1.0) }
}

#[test]
fn dead_constant_unread_and_copied_units_go_and_no_output_changes() {
    let a = array![[1.0_f32, -1.0], [0.0, 0.0], [0.0, 0.0], [2.0, -2.0], [0.5, 1.0], [1.0, 1.0]];
    let c = array![[1.0_f32, 2.0, 3.0, -0.25, 1.0, 0.0], [0.5, -1.0, 3.0, 1.0, -2.0, 0.0]];
    let net = network(vec![(a, Some(vec![0.5, 3.0, -1.0, 1.0, 0.0, 0.0])), (c, Some(vec![0.0, 1.0]))]);
    let walked = reduce(&net, &all(None));
    let free = walked.layers[0].lossless;
    assert_eq!([free.dead, free.constant, free.unread, free.duplicate, free.linear], [1, 1, 1, 1, 0]);
    assert_eq!(walked.layers[0].after, 2);
    assert_eq!(walked.plan.steps[0].kind, StepKind::Lossless);
    assert_eq!(walked.plan.steps[0].reduced.assignment, [Some(0), None, None, Some(0), Some(1), None]);
    assert_eq!(walked.plan.steps[0].reduced.lambda, [1.0, 0.0, 0.0, 2.0, 1.0, 0.0]);
    let x = inputs(100, 2, 1);
    assert!(distance(&logits(&net, &x), &logits(&walked.network, &x)) < 1e-5);
}

/// Inputs of norm at most `radius`.
fn in_ball(count: usize, columns: usize, radius: f32, seed: u64) -> Array2<f32> {
    let mut x = inputs(count, columns, seed);
    for (i, mut row) in x.rows_mut().into_iter().enumerate() {
        let norm = row.dot(&row).sqrt().max(1e-6);
        row.mapv_inplace(|v| v / norm * radius * ((i % 10 + 1) as f32 / 10.0));
    }
    x
}

#[test]
fn always_on_units_shrink_to_the_rank_of_what_they_compute_on_the_ball() {
    let base = random(&[3, 20, 2], true, 2);
    let bias = (0..20)
        .map(|i| {
            if i < 14 {
                40.0
            } else if i < 16 {
                -40.0
            } else {
                0.1
            }
        })
        .collect();
    let net = network(vec![(weight(&base, 0), Some(bias)), (weight(&base, 1), Some(vec![0.0, 0.5]))]);
    let walked = reduce(&net, &all(Some(2.0)));
    let free = walked.layers[0].lossless;
    assert_eq!([free.dead, free.linear], [2, 12], "14 units of rank min(3, 2)");
    assert_eq!(walked.layers[0].after, 6);
    let x = in_ball(500, 3, 2.0, 3);
    let size = logits(&net, &x).iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    assert!(distance(&logits(&net, &x), &logits(&walked.network, &x)) < 1e-5 * size);
    // Outside the ball nothing is promised, and far outside it does not hold.
    let far = in_ball(500, 3, 400.0, 3);
    assert!(distance(&logits(&net, &far), &logits(&walked.network, &far)) > 1.0);
    assert_eq!(reduce(&net, &all(None)).layers[0].after, 20, "without a ball nothing is known");
}

#[test]
fn what_goes_for_free_leaves_less_to_approximate() {
    let net = random(&[5, 10, 3], true, 4);
    let (a, c) = (weight(&net, 0), weight(&net, 1));
    let rows = Array2::from_shape_fn((20, 5), |(i, j)| a[[i % 10, j]]);
    let next = Array2::from_shape_fn((3, 20), |(j, i)| c[[j, i % 10]] * 0.5);
    let twice = network(vec![(rows, None), (next, None)]);
    let walked = reduce(&twice, &UnitOptions::new(UnitMethod::L1, 0.5));
    assert_eq!(walked.layers[0].lossless.duplicate, 10);
    assert_eq!(walked.plan.steps.len(), 1, "half of the units went exactly, nothing is left to do");
    let x = inputs(50, 5, 5);
    assert!(distance(&logits(&twice, &x), &logits(&walked.network, &x)) < 1e-5);
}
