//! Random directions, each at its own place in a stream.

use std::f64::consts::TAU;

use ndarray::Array2;
use rand_chacha::rand_core::Rng;

use crate::rng;

/// Directions `first .. first + count` of the sequence `name` under `seed`: independent and uniform on the unit sphere of
/// `R^d`, `count x d`, rounded to f32.
///
/// A direction depends on the seed, the name and its number alone, so that a sequence may be computed in parts. Normal
/// entries by Box and Muller (1958) from uniform multiples of `2^-32`, then scaled to length one.
///
/// # Panics
///
/// If `d` is 0.
#[must_use]
pub fn directions(count: usize, d: usize, seed: u64, name: &str, first: u64) -> Array2<f32> {
    let words = 2 * d.div_ceil(2);
    let mut stream = rng::stream(seed, name);
    stream.set_word_pos(u128::from(first) * words as u128);
    let mut uniform = || (f64::from(stream.next_u32()) + 0.5) / 4_294_967_296.0;
    let mut normal = vec![0.0; words];
    let mut directions = Array2::zeros((count, d));
    for mut row in directions.rows_mut() {
        for pair in normal.chunks_exact_mut(2) {
            let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), TAU * uniform());
            pair.copy_from_slice(&[radius * angle.cos(), radius * angle.sin()]);
        }
        let length = normal[..d].iter().map(|entry| entry * entry).sum::<f64>().sqrt();
        #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
        row.iter_mut().zip(&normal).for_each(|(slot, entry)| *slot = (entry / length) as f32);
    }
    directions
}

#[cfg(test)]
mod tests {
    use ndarray::s;

    use super::*;

    #[test]
    fn a_direction_does_not_depend_on_the_batch() {
        for d in [1, 2, 3, 64] {
            let all = directions(20, d, 7, "test", 0);
            assert_eq!(directions(5, d, 7, "test", 12), all.slice(s![12..17, ..]));
            assert_ne!(directions(5, d, 8, "test", 12), all.slice(s![12..17, ..]));
            let lengths = all.map_axis(ndarray::Axis(1), |row| row.iter().map(|entry| entry * entry).sum::<f32>());
            assert!(lengths.iter().all(|square| (square - 1.0).abs() < 1e-5));
        }
    }

    /// Mean and second moments of a uniform direction are 0 and 1/d.
    #[test]
    fn directions_are_spread_evenly() {
        let all = directions(40_000, 3, 1, "test", 0).mapv(f64::from);
        for k in 0..3 {
            let column = all.column(k);
            assert!((column.sum() / 4e4).abs() < 5.0 * (1.0 / 12e4_f64).sqrt());
            let square = column.iter().map(|entry| entry * entry).sum::<f64>() / 4e4;
            assert!((square - 1.0 / 3.0).abs() < 5.0 * (4.0 / 45.0 / 4e4_f64).sqrt());
        }
    }
}
