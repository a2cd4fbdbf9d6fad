//! Certificates beside programs that share no code with tropix: see `assets/golden/certify.py`.

use ndarray::{Array1, Array2};
use serde::Deserialize;
use tropix::certify::{Block, Bound, BoundOptions, Pairing, absolute_sum_bound, largest_eigenvalue_bound, layer_bound};

#[derive(Deserialize)]
struct Golden {
    sums: Vec<Sum>,
    blocks: Vec<Blocks>,
    eigenvalues: Vec<Eigenvalue>,
}

#[derive(Deserialize)]
struct Sum {
    name: String,
    rows: Vec<Vec<f64>>,
    offsets: Vec<f64>,
    relaxation: f64,
    supremum: f64,
}

type Numbers = (Vec<Vec<f64>>, Vec<f64>, Vec<Vec<f64>>, Vec<f64>);

#[derive(Deserialize)]
struct Blocks {
    name: String,
    radius: f64,
    original: Numbers,
    compressed: Numbers,
    partner: Vec<usize>,
    scale: Vec<f64>,
    half: Vec<f64>,
    crown: Vec<f64>,
}

#[derive(Deserialize)]
struct Eigenvalue {
    rows: Vec<Vec<f64>>,
    largest: f64,
}

fn golden() -> Golden {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/golden/certify.json");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows.first().map_or(0, Vec::len)), rows.concat()).unwrap()
}

fn block((weight, bias, next, next_bias): &Numbers) -> Block {
    let vector = |values: &[f64]| Array1::from_vec(values.to_vec());
    Block::new(matrix(weight), vector(bias), matrix(next), vector(next_bias)).unwrap()
}

/// The proved bound lies above the optimum of the relaxation, which an interior-point method finds, and within a
/// thousandth of it; the supremum over all signs lies below.
#[test]
fn the_semidefinite_bound_is_the_optimum_of_the_relaxation() {
    for case in golden().sums {
        let v = matrix(&case.rows);
        let bound = absolute_sum_bound(&v.dot(&v.t()), &case.offsets, 1e-14, 200);
        assert!(bound >= case.supremum, "{}: {bound} is below the supremum {}", case.name, case.supremum);
        assert!(bound >= case.relaxation * (1.0 - 1e-6), "{}: {bound} beside {}", case.name, case.relaxation);
        assert!(bound <= case.relaxation * 1.001, "{}: {bound} is far above {}", case.name, case.relaxation);
    }
}

#[test]
fn crown_finds_the_best_slopes_and_half_its_formula() {
    for case in golden().blocks {
        let known = Pairing { partner: case.partner.clone(), scale: case.scale.clone() };
        let options = BoundOptions { crown_steps: 3000, ..BoundOptions::default() };
        let (original, compressed) = (block(&case.original), block(&case.compressed));
        let found = layer_bound(&original, &compressed, case.radius, Some(&known), &options).unwrap();
        for (j, output) in found.outputs.iter().enumerate() {
            let get = |bound| output.get(bound, case.radius).unwrap();
            let (crown, best) = (get(Bound::Crown), case.crown[j]);
            assert!(crown >= best * (1.0 - 1e-6), "{}: crown {crown} is below the optimum {best}", case.name);
            assert!(crown <= best * 1.005, "{}: crown {crown} beside {best}", case.name);
            // Other pairings may be better than the one that is given, never worse.
            assert!(
                get(Bound::Half) <= case.half[j] * (1.0 + 1e-9),
                "{}: {} beside {}",
                case.name,
                get(Bound::Half),
                case.half[j]
            );
        }
        let sum = |values: &[f64]| values.iter().sum::<f64>();
        let halves: Vec<f64> =
            found.outputs.iter().map(|output| output.get(Bound::Half, case.radius).unwrap()).collect();
        assert!(sum(&halves) > 0.5 * sum(&case.half), "{}: {halves:?} beside {:?}", case.name, case.half);
    }
}

#[test]
fn eigenvalues_are_bounded_as_numpy_finds_them() {
    for case in golden().eigenvalues {
        let bound = largest_eigenvalue_bound(&matrix(&case.rows));
        assert!(bound >= case.largest - 1e-12, "{bound} is below {}", case.largest);
        assert!(bound <= case.largest + 1e-5 * case.largest.abs(), "{bound} is far above {}", case.largest);
    }
}
