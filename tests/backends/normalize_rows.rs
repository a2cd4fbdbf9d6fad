//! `normalize_rows`: rows in units of themselves.

use ndarray::{Array2, Axis};
use tropix::backend::{Backend, RowNorm};

use crate::harness::{against_the_reference, down, for_shapes, on_every_backend, random, reference, rows, wide};
use crate::tolerance::{assert_close, bound};

on_every_backend!(values_are_those_of_tables, rows_of_nothing_and_epsilons_are_refused);
against_the_reference!(any_shape_agrees, a_softmax_of_large_numbers_stays_finite);

const ALL: [RowNorm; 4] = [
    RowNorm::Softmax,
    RowNorm::LogSoftmax,
    RowNorm::Standard { epsilon: 1e-5 },
    RowNorm::RootMeanSquare { epsilon: 1e-3 },
];

fn values_are_those_of_tables<B: Backend>(backend: &B) {
    let x = rows(&[[1.0, 2.0, 4.0]]);
    let device = backend.upload(&x).unwrap();
    // scipy.special.softmax, log_softmax; (x - 7/3) / sqrt(14/9 + 1e-5); x / sqrt(7 + 1e-3).
    let tables = [
        [0.042_010_066, 0.114_195_199, 0.843_794_734],
        [-3.169_846_033, -2.169_846_033, -0.169_846_033],
        [-1.069_041_531, -0.267_260_383, 1.336_301_914],
        [0.377_937_487, 0.755_874_975, 1.511_749_949],
    ];
    for (norm, want) in ALL.into_iter().zip(tables) {
        let want = Array2::from_shape_vec((1, 3), want.to_vec()).unwrap();
        let got = down(backend, &backend.normalize_rows(&device, norm).unwrap());
        assert_close(&format!("{norm:?}"), &got, &want, &bound(51, &Array2::from_elem((1, 3), 20.0)));
    }
}

fn rows_of_nothing_and_epsilons_are_refused<B: Backend>(backend: &B) {
    let x = backend.upload(&random([2, 0], 0, "")).unwrap();
    let refusal = backend.normalize_rows(&x, RowNorm::Softmax).err().expect("a refusal").to_string();
    assert_eq!(refusal, "`normalize_rows`: `x` has shape [2, 0], expected 2 x at least 1");
    let x = backend.upload(&random([2, 3], 0, "")).unwrap();
    let refusal = backend.normalize_rows(&x, RowNorm::Standard { epsilon: 0.0 }).err().expect("a refusal").to_string();
    assert_eq!(refusal, "`norm`: an epsilon of 0");
}

fn any_shape_agrees<B: Backend>(backend: &B) {
    for_shapes([0, 1], |([n, m], seed)| {
        let x = random([n, m], seed, "x") * 8.0;
        let device = backend.upload(&x).unwrap();
        for norm in ALL {
            let want = reference().normalize_rows(&wide(&x), norm).unwrap();
            let got = down(backend, &backend.normalize_rows(&device, norm).unwrap());
            let mut sizes = want.mapv(|y| 1.0 + y.abs());
            for (mut sizes, row) in sizes.rows_mut().into_iter().zip(wide(&x).axis_iter(Axis(0))) {
                let largest = row.fold(0.0_f64, |most, x| most.max(x.abs()));
                let variance = row.var(0.0);
                let over =
                    if let RowNorm::Standard { epsilon } = norm { (variance + f64::from(epsilon)).sqrt() } else { 1.0 };
                sizes *= (1.0 + largest) / over.min(1.0);
            }
            assert_close(&format!("{norm:?}"), &got, &want, &bound(m + 48, &sizes));
        }
    });
}

fn a_softmax_of_large_numbers_stays_finite<B: Backend>(backend: &B) {
    let x = backend.upload(&rows(&[[1e30, -1e30, 1e30], [-3e38, -3e38, -3e38]])).unwrap();
    let got = down(backend, &backend.normalize_rows(&x, RowNorm::Softmax).unwrap());
    let third = 1.0 / 3.0;
    let want = Array2::from_shape_vec((2, 3), vec![0.5, 0.0, 0.5, third, third, third]).unwrap();
    assert_close("softmax", &got, &want, &bound(4, &Array2::ones((2, 3))));
}
