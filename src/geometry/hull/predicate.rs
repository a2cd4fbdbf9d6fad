//! On which side of a hyperplane a point lies, decided exactly.
//!
//! `robust` decides in two and three dimensions. In more, the determinant is expanded by minors in f64 together with
//! the sum of the sizes of its terms, which bounds the rounding error; where the bound does not decide, the expansion
//! is repeated on sums of non-overlapping doubles (Shewchuk, *Adaptive Precision Floating-Point Arithmetic*, 1997),
//! which are exact short of underflow.

use robust::{Coord, Coord3D, orient2d, orient3d};

/// The determinant of the rows `p_i - q`: its sign is exact, its size approximate.
///
/// `simplex`: `d` points of `R^d`, `q` another. Zero iff all `d + 1` points lie in one hyperplane.
pub(crate) fn orientation(simplex: &[&[f64]], q: &[f64]) -> f64 {
    match simplex {
        [p] => p[0] - q[0],
        [a, b] => {
            let at = |p: &[f64]| Coord { x: p[0], y: p[1] };
            orient2d(at(a), at(b), at(q))
        }
        [a, b, c] => {
            let at = |p: &[f64]| Coord3D { x: p[0], y: p[1], z: p[2] };
            orient3d(at(a), at(b), at(c), at(q))
        }
        _ => general(simplex, q),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a dimension is small")]
fn general(simplex: &[&[f64]], q: &[f64]) -> f64 {
    let d = simplex.len();
    // minors[mask]: determinant of the last rows over the columns in `mask`; the second value adds up sizes.
    let mut minors = vec![[1.0, 1.0]; 1 << d];
    for mask in 1_usize..1 << d {
        let row = simplex[d - mask.count_ones() as usize];
        let (mut sum, mut size, mut sign) = (0.0, 0.0, 1.0);
        for j in (0..d).filter(|j| mask >> j & 1 == 1) {
            let entry = row[j] - q[j];
            let [minor, minor_size] = minors[mask ^ (1 << j)];
            sum += sign * entry * minor;
            size += entry.abs() * minor_size;
            sign = -sign;
        }
        minors[mask] = [sum, size];
    }
    let [value, size] = minors[(1 << d) - 1];
    // Each level rounds the difference, the product and at most d - 1 additions.
    let bound = (2 * d * (d + 2)) as f64 * f64::EPSILON * size;
    if value.abs() > bound { value } else { exact(simplex, q) }
}

/// A sum of non-overlapping doubles, least first, without zeros; empty for zero.
type Expansion = Vec<f64>;

fn two_sum(a: f64, b: f64) -> [f64; 2] {
    let sum = a + b;
    let part = sum - a;
    [(a - (sum - part)) + (b - part), sum]
}

fn add(e: &[f64], f: &[f64]) -> Expansion {
    let mut total: Expansion = e.to_vec();
    for term in f {
        let mut carry = *term;
        let mut next = Expansion::with_capacity(total.len() + 1);
        for part in &total {
            let [error, sum] = two_sum(*part, carry);
            if error != 0.0 {
                next.push(error);
            }
            carry = sum;
        }
        if carry != 0.0 {
            next.push(carry);
        }
        total = next;
    }
    total
}

fn multiply(e: &[f64], f: &[f64]) -> Expansion {
    let mut total = Expansion::new();
    for a in e {
        for b in f {
            let product = a * b;
            total = add(&total, &[a.mul_add(*b, -product), product]);
        }
    }
    total
}

fn exact(simplex: &[&[f64]], q: &[f64]) -> f64 {
    let d = simplex.len();
    let mut minors: Vec<Expansion> = vec![vec![1.0]; 1 << d];
    for mask in 1_usize..1 << d {
        let row = simplex[d - mask.count_ones() as usize];
        let (mut sum, mut sign) = (Expansion::new(), 1.0);
        for j in (0..d).filter(|j| mask >> j & 1 == 1) {
            let entry: Expansion = two_sum(sign * row[j], -sign * q[j]).into_iter().filter(|x| *x != 0.0).collect();
            sum = add(&sum, &multiply(&entry, &minors[mask ^ (1 << j)]));
            sign = -sign;
        }
        minors[mask] = sum;
    }
    minors[(1 << d) - 1].last().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four points of a hyperplane of `R^4` that decimal fractions do not hold exactly, and a point one bit off it.
    #[test]
    fn one_bit_decides_in_four_dimensions() {
        let a = [0.1, 0.2, 0.3, 0.4];
        let rows: Vec<[f64; 4]> =
            (0..4).map(|i| std::array::from_fn(|j| if i == j { a[j] + 3.0 } else { a[j] })).collect();
        let simplex: Vec<&[f64]> = rows.iter().map(<[f64; 4]>::as_slice).collect();
        let inside = orientation(&simplex, &a);
        assert!((inside.abs() - 81.0).abs() < 1e-9);
        // The first row itself is in the plane; one unit in the last place moves it out.
        let mut q = rows[0];
        assert!(orientation(&simplex, &q) == 0.0);
        q[0] = q[0].next_up();
        assert!(orientation(&simplex, &q) * inside < 0.0);
        q = rows[0];
        q[0] = q[0].next_down();
        assert!(orientation(&simplex, &q) * inside > 0.0);
    }

    #[test]
    fn the_general_form_has_the_signs_of_robust() {
        let points: [&[f64]; 5] =
            [&[0.0, 0.0, 0.0], &[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0], &[0.3, 0.3, 0.3]];
        for q in [points[3], points[4]] {
            let simplex = &points[..3];
            assert!((general(simplex, q) - orientation(simplex, q)).abs() < 1e-12);
            assert!((exact(simplex, q) - orientation(simplex, q)).abs() < 1e-12);
        }
        let [a, b, c]: [&[f64]; 3] = [&[0.0, 0.0], &[2.0, 0.0], &[1.0, 1.0]];
        assert!(general(&[a, b], c) > 0.0 && orientation(&[a, b], c) > 0.0);
    }
}
