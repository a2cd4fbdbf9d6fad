//! Bounds from the clusters of a pairing: the triangle inequality, and Corollary 3 of TropNNC with two ways of bounding
//! the Hausdorff distance of the zonotopes.

use ndarray::ArrayView1;
use rayon::prelude::*;

use super::block::Pairing;
use super::problem::Problem;
use super::radial::Radial;

/// A generator `(a, b)` and its two norms.
#[derive(Clone)]
struct Generator {
    a: Vec<f64>,
    b: f64,
}

impl Generator {
    fn zero(length: usize) -> Self {
        Self { a: vec![0.0; length], b: 0.0 }
    }

    fn add(&mut self, factor: f64, a: ArrayView1<'_, f64>, b: f64) {
        self.a.iter_mut().zip(a).for_each(|(sum, a)| *sum += factor * a);
        self.b += factor * b;
    }

    /// `nu` and the Euclidean norm of `factor (a, b) - share self`.
    fn gap(&self, share: f64, factor: f64, a: ArrayView1<'_, f64>, b: f64) -> Gap {
        let square: f64 = a.iter().zip(&self.a).map(|(a, s)| (factor * a - share * s).powi(2)).sum();
        let offset = factor * b - share * self.b;
        Gap::of(square, offset)
    }

    fn dot(&self, a: ArrayView1<'_, f64>, b: f64) -> f64 {
        self.a.iter().zip(a).map(|(s, a)| s * a).sum::<f64>() + self.b * b
    }
}

/// The size of a difference of generators: as a function on the ball, and as a vector.
#[derive(Clone, Copy)]
struct Gap {
    nu: Radial,
    norm: f64,
}

impl Gap {
    const ZERO: Self = Self { nu: Radial::ZERO, norm: 0.0 };

    fn of(square: f64, offset: f64) -> Self {
        Self { nu: Radial { constant: offset.abs(), slope: square.sqrt() }, norm: (square + offset * offset).sqrt() }
    }

    fn plus(self, other: Self, factor: f64) -> Self {
        Self { nu: self.nu + other.nu.times(factor), norm: self.norm + factor * other.norm }
    }
}

/// The two zonotope bounds of one output.
#[derive(Clone, Copy)]
pub(super) struct Zonotopes {
    /// `sum_k sum_i nu(g_i - t_k / N)`: every generator against an equal share of its partner.
    pub(super) naive: Radial,
    /// `sum_k (1/2 sum_i nu(g_i - lambda_i s) + nu(s - t_k))`, `s` the sum of the cluster: Lemma A.
    pub(super) sums: Radial,
    /// The sum of the Hausdorff distances of both zonotope pairs, `H(P, P~) + H(Q, Q~)`, is at most this: Lemma A with
    /// Euclidean norms.
    pub(super) distance: f64,
}

/// The zonotope bounds of every output. `P_j` holds the generators `c_ji w_i` with `c_ji > 0`, `Q_j` the others.
pub(super) fn zonotopes(problem: &Problem, pairing: &Pairing) -> Vec<Zonotopes> {
    let others = problem.other_a.nrows();
    let mut clusters = vec![Vec::new(); others.max(1)];
    for (i, k) in pairing.partner.iter().enumerate() {
        clusters[*k].push(i);
    }
    let output = |j: usize| {
        let (mut naive, mut sums) = (Gap::ZERO, Gap::ZERO);
        for (k, members) in clusters.iter().enumerate() {
            for sign in [1.0, -1.0] {
                let c = |i: &usize| (sign * problem.c[[j, *i]]).max(0.0);
                let members: Vec<usize> = members.iter().copied().filter(|i| c(i) > 0.0).collect();
                let other = if k < others { (sign * problem.other_c[[j, k]]).max(0.0) } else { 0.0 };
                if members.is_empty() && other == 0.0 {
                    continue;
                }
                let mut target = Generator::zero(problem.a.ncols());
                if other > 0.0 {
                    target.add(other, problem.other_a.row(k), problem.other_b[k]);
                }
                let mut sum = Generator::zero(problem.a.ncols());
                members.iter().for_each(|i| sum.add(c(i), problem.a.row(*i), problem.b[*i]));
                let gap = |generator: &Generator, share: f64, i: usize| {
                    generator.gap(share, c(&i), problem.a.row(i), problem.b[i])
                };
                let rest = sum.gap_to(&target);
                if members.is_empty() {
                    naive = naive.plus(rest, 1.0);
                } else {
                    let share = 1.0 / members.len() as f64;
                    members.iter().for_each(|i| naive = naive.plus(gap(&target, share, *i), 1.0));
                }
                // lambda_i in proportion to relu(g_i s), equal where all of these vanish.
                let along: Vec<f64> =
                    members.iter().map(|i| (c(i) * sum.dot(problem.a.row(*i), problem.b[*i])).max(0.0)).collect();
                let all: f64 = along.iter().sum();
                let equal = 1.0 / members.len().max(1) as f64;
                for (i, along) in members.iter().zip(along) {
                    let share = if all > 0.0 && all.is_finite() { along / all } else { equal };
                    sums = sums.plus(gap(&sum, share, *i), 0.5);
                }
                sums = sums.plus(rest, 1.0);
            }
        }
        let rest = Radial { constant: problem.constant[j].abs(), slope: 0.0 };
        Zonotopes { naive: naive.nu + rest, sums: sums.nu + rest, distance: sums.norm }
    };
    (0..problem.outputs()).into_par_iter().map(output).collect()
}

impl Generator {
    fn gap_to(&self, other: &Self) -> Gap {
        let square: f64 = self.a.iter().zip(&other.a).map(|(a, t)| (a - t).powi(2)).sum();
        Gap::of(square, self.b - other.b)
    }
}
