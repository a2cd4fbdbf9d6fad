//! Hausdorff distances of points given in f64: the answer belongs to the numbers as they are, at any place and scale.

use ndarray::{Array2, array};
use rand::RngExt;
use tropix::backend::Backend;
use tropix::geometry::hausdorff::{directed_hausdorff, hausdorff};

use crate::harness::{cpu, on_every_backend};

on_every_backend!(
    points_far_from_the_origin_have_their_distance,
    integers_at_every_place_and_scale_agree_with_integers,
    copies_closer_than_f32_can_tell_have_their_distance,
);

/// A grid of integers about an offset, in units of a power of two: distances are roots of integers.
struct Grid {
    points: Array2<i64>,
}

impl Grid {
    fn new([rows, columns]: [usize; 2], reach: i64, seed: u64, name: &str) -> Self {
        let mut stream = tropix::rng::stream(seed, name);
        Self { points: Array2::from_shape_simple_fn((rows, columns), || stream.random_range(-reach..=reach)) }
    }

    /// `(offset + k) 2^exponent`, exact.
    fn points(&self, offsets: &[i64], exponent: i32) -> Array2<f64> {
        Array2::from_shape_fn(self.points.dim(), |(i, j)| power(exponent, (offsets[j] + self.points[[i, j]]) as f64))
    }
}

fn power(exponent: i32, value: f64) -> f64 {
    value * 2.0_f64.powi(exponent / 2) * 2.0_f64.powi(exponent - exponent / 2)
}

/// `max_i min_j` of squares, in integers.
fn all_pairs(x: &Array2<i64>, y: &Array2<i64>) -> i64 {
    let square = |i: usize, j: usize| -> i64 { x.row(i).iter().zip(y.row(j)).map(|(a, b)| (a - b).pow(2)).sum() };
    let nearest = |i: usize| (0..y.nrows()).map(|j| square(i, j)).min().unwrap();
    (0..x.nrows()).map(nearest).max().unwrap()
}

fn points_far_from_the_origin_have_their_distance<B: Backend>(backend: &B) {
    let x = array![[100_000_000.0, 0.0], [100_000_003.0, 4.0]];
    let y = array![[100_000_000.0, 0.0]];
    assert_eq!(hausdorff(backend, x.view(), y.view(), 0).unwrap().distance, 5.0);
    // Time stamps in milliseconds, one of them 7 ms away.
    let times = Array2::from_shape_fn((600, 1), |(i, _)| 1_760_000_000_000.0 + 1000.0 * i as f64);
    let mut moved = times.clone();
    moved[[411, 0]] += 7.0;
    let found = hausdorff(backend, times.view(), moved.view(), 0).unwrap();
    assert_eq!((found.distance, found.forward.pair.from, found.forward.pair.to), (7.0, 411, 411));
}

fn integers_at_every_place_and_scale_agree_with_integers<B: Backend>(backend: &B) {
    let mut stream = tropix::rng::stream(1, "cases");
    for case in 0..60 {
        let dimension = stream.random_range(1..=4);
        let rows = [stream.random_range(1..400), stream.random_range(1..400)];
        // Squares of distances stay below 2^53, so that their roots are those of the integers.
        let reach = 1_i64 << stream.random_range(1..=24);
        let offset = 10_i64.pow(stream.random_range(0..=15));
        let offsets: Vec<i64> = (0..dimension).map(|_| stream.random_range(-offset..=offset)).collect();
        let exponent = stream.random_range(-664..=664);
        let [a, b] = [("x", rows[0]), ("y", rows[1])].map(|(name, n)| Grid::new([n, dimension], reach, case, name));
        let (x, y) = (a.points(&offsets, exponent), b.points(&offsets, exponent));
        let found = hausdorff(backend, x.view(), y.view(), case).unwrap();
        for (found, squares) in [
            (found.forward.pair.distance, all_pairs(&a.points, &b.points)),
            (found.backward.pair.distance, all_pairs(&b.points, &a.points)),
        ] {
            let wanted = power(exponent, (squares as f64).sqrt());
            assert_eq!(found, wanted, "case {case}: {rows:?} x {dimension}, {offsets:?}, 2^{exponent}");
        }
    }
}

/// A copy moved by 1e-12 looks the same in f32; one point is moved by a little more.
fn copies_closer_than_f32_can_tell_have_their_distance<B: Backend>(backend: &B) {
    let step = 2.0_f64.powi(-40);
    let grid = Grid::new([900, 3], 1 << 20, 3, "copies");
    let y = grid.points(&[1 << 10; 3], -20);
    let mut x = y.mapv(|value| value + step);
    x[[523, 1]] += step;
    let found = directed_hausdorff(backend, x.view(), y.view(), 0).unwrap();
    assert_eq!((found.pair.from, found.pair.to), (523, 523));
    assert_eq!(found.pair.distance, step * 6.0_f64.sqrt());
}

#[test]
fn a_coordinate_far_below_another_still_counts() {
    let x = array![[1e200, 3e-200], [1e200, -1e-200]];
    let y = array![[1e200, 0.0], [-1e200, 0.0]];
    assert_eq!(directed_hausdorff(cpu(), x.view(), y.view(), 0).unwrap().pair.distance, 3e-200);
    let error = directed_hausdorff(cpu(), array![[1.7e308]].view(), array![[-1.7e308]].view(), 0).unwrap_err();
    assert!(error.to_string().contains("beyond the range of f64"), "{error}");
}
