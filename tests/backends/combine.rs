//! `combine`: two numbers, entry by entry, the second repeated along a row or for all rows.

use tropix::backend::{Backend, Combination};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, assert_same, bound};

on_every_backend!(gates_and_shifts_by_hand, shapes_are_checked);
against_the_reference!(any_shape_agrees);

const ALL: [Combination; 8] = [
    Combination::Add,
    Combination::Subtract,
    Combination::SubtractFrom,
    Combination::Multiply,
    Combination::Divide,
    Combination::DivideInto,
    Combination::Max,
    Combination::Min,
];

fn gates_and_shifts_by_hand<B: Backend>(backend: &B) {
    // Two channels of three places.
    let a = backend.upload(&rows(&[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]])).unwrap();
    let b = backend.upload(&rows(&[[2.0, -1.0], [0.0, 0.5]])).unwrap();
    let gated = down(backend, &backend.combine(&a, &b, Combination::Multiply, 3).unwrap());
    let want = rows(&[[2.0, 4.0, 6.0, -4.0, -5.0, -6.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]);
    assert_same("gates", &gated, &wide(&want));
    // The same two numbers again and again, of each row and of one for all.
    let shifted = down(backend, &backend.combine(&a, &b, Combination::SubtractFrom, 1).unwrap());
    let want = rows(&[[1.0, -3.0, -1.0, -5.0, -3.0, -7.0], [-1.0, -0.5, -1.0, -1.5, -2.0, -1.5]]);
    assert_same("shifts", &shifted, &wide(&want));
    let vector = backend.upload(&rows(&[[1.0, 2.0]])).unwrap();
    let least = down(backend, &backend.combine(&a, &vector, Combination::Min, 3).unwrap());
    let want = rows(&[[1.0, 1.0, 1.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]]);
    assert_same("one row for all", &least, &wide(&want));
}

fn shapes_are_checked<B: Backend>(backend: &B) {
    let (a, b) = (backend.upload(&random([2, 6], 0, "")).unwrap(), backend.upload(&random([2, 4], 0, "")).unwrap());
    let refusal = |share| backend.combine(&a, &b, Combination::Add, share).err().expect("a refusal").to_string();
    assert_eq!(refusal(1), "`combine`: `b` has shape [2, 4], expected 2 or 1 x a divisor of 6");
    assert_eq!(refusal(4), "`share`: 4 neighbours in rows of 6");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 1, 1], |([n, m, p], seed)| {
        let (p, q, m) = (p % 7 + 1, 1 + usize::try_from(seed % 3).unwrap(), m % 90 + 1);
        // Away from zero, for quotients.
        let positive = |matrix: ndarray::Array2<f32>| matrix.mapv(|x| if x < 0.0 { x - 0.25 } else { x + 0.25 });
        let a = positive(random([n, q * m * p], seed, "a"));
        let device = backend.upload(&a).unwrap();
        for rows in [n, 1] {
            let b = positive(random([rows, m], seed, "b"));
            let other = backend.upload(&b).unwrap();
            for how in ALL {
                let want = reference().combine(&wide(&a), &wide(&b), how, p).unwrap();
                let got = down(backend, &backend.combine(&device, &other, how, p).unwrap());
                let sizes =
                    reference().combine(&wide(&a).mapv(f64::abs), &wide(&b).mapv(f64::abs), Combination::Add, p);
                let sizes = sizes.unwrap() + want.mapv(f64::abs);
                assert_close(&format!("{how:?}"), &got, &want, &bound(3, &sizes));
            }
        }
    });
}
