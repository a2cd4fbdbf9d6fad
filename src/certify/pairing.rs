//! Finds which compressed neuron stands for each original one.
//!
//! Lemma B and (star) hold for any pairing, so that nothing here has to be right, only good.

use nalgebra::{DMatrix, DVector};
use ndarray::{Array1, Array2};

use super::block::Pairing;
use super::problem::{Problem, row_norms};

/// How strongly scales are held at the projection while they make the outgoing weights fit: nearly not, and evenly.
const HOLDS: [f64; 2] = [1e-6, 1.0];
/// Neurons count as equal in direction when their distance, squared, is this share of their norm.
const SAME: f64 = 1e-10;

/// Inner products of the neurons as functions on the ball: `r^2 <a_i, a~_k> + b_i b~_k`.
struct Likeness {
    products: Array2<f64>,
    squares: Vec<f64>,
    other_squares: Vec<f64>,
}

impl Likeness {
    fn of([a, other_a]: [&Array2<f64>; 2], [b, other_b]: [&Array1<f64>; 2], radius: f64) -> Self {
        let mut products = a.dot(&other_a.t()) * radius.powi(2);
        for (mut row, b) in products.rows_mut().into_iter().zip(b) {
            row.scaled_add(*b, other_b);
        }
        let squares = |a: &Array2<f64>, b: &Array1<f64>| {
            row_norms(a).iter().zip(b).map(|(norm, b)| (radius * norm).powi(2) + b * b).collect()
        };
        Self { products, squares: squares(a, b), other_squares: squares(other_a, other_b) }
    }

    /// The partner of the smallest angle, ties to the lowest index.
    fn nearest(&self) -> Vec<usize> {
        let best = |products: ndarray::ArrayView1<'_, f64>| {
            let cosines = products.iter().zip(&self.other_squares);
            let cosines = cosines.map(|(p, s)| if *s > 0.0 { p / s.sqrt() } else { f64::NEG_INFINITY });
            cosines.enumerate().fold((0, f64::NEG_INFINITY), |best, (k, c)| if c > best.1 { (k, c) } else { best }).0
        };
        self.products.rows().into_iter().map(best).collect()
    }

    /// `argmin_lambda |w_i - lambda w~_k|` over `lambda >= 0`.
    fn projection(&self, partner: &[usize]) -> Vec<f64> {
        let scale = |(i, k): (usize, &usize)| {
            let scale = self.products[[i, *k]] / self.other_squares[*k];
            if scale.is_finite() { scale.max(0.0) } else { 0.0 }
        };
        partner.iter().enumerate().map(scale).collect()
    }

    /// Whether neuron `i` is a multiple of its partner.
    fn same(&self, i: usize, k: usize) -> bool {
        let product = self.products[[i, k]];
        product > 0.0
            && self.squares[i] * self.other_squares[k] - product * product
                <= SAME * self.squares[i] * self.other_squares[k]
    }
}

/// Each neuron with the one of the smallest angle, scaled to its projection on it.
pub(super) fn nearest(weights: [&Array2<f64>; 2], biases: [&Array1<f64>; 2], radius: f64) -> Pairing {
    if weights[1].nrows() == 0 {
        return Pairing { partner: vec![0; weights[0].nrows()], scale: vec![0.0; weights[0].nrows()] };
    }
    let likeness = Likeness::of(weights, biases, radius);
    let partner = likeness.nearest();
    Pairing { scale: likeness.projection(&partner), partner }
}

/// Pairings worth a look: the one that is known, the identity where the widths are equal, the nearest directions; with
/// scales from projection, and with scales under which the outgoing weights of a cluster add up to those of its partner.
pub(super) fn candidates(problem: &Problem, known: Option<&Pairing>) -> Vec<Pairing> {
    let (n, others) = (problem.a.nrows(), problem.other_a.nrows());
    if others == 0 || n == 0 {
        // Partner 0 is a name only: its scale is 0 everywhere.
        return vec![Pairing { partner: vec![0; n], scale: vec![0.0; n] }];
    }
    let likeness = Likeness::of([&problem.a, &problem.other_a], [&problem.b, &problem.other_b], problem.radius);
    let mut found: Vec<Pairing> = known.cloned().into_iter().collect();
    let nearest = likeness.nearest();
    let mut partners = vec![nearest.clone()];
    if let Some(known) = known {
        partners.push(known.partner.clone());
    }
    if n == others {
        found.push(Pairing::identity(n));
        partners.push((0..n).collect());
    }
    partners.dedup();
    for partner in partners {
        let projection = likeness.projection(&partner);
        for hold in HOLDS {
            let scale = fitted(problem, &partner, &projection, hold);
            found.push(Pairing { partner: partner.clone(), scale });
        }
        found.push(Pairing { partner, scale: projection });
    }
    let projection = likeness.projection(&nearest);
    let exact = nearest.iter().zip(&projection).enumerate();
    let exact = exact.map(|(i, (k, scale))| if likeness.same(i, *k) { *scale } else { 0.0 }).collect();
    found.push(Pairing { partner: nearest, scale: exact });
    found
}

/// Scales that balance two things in every cluster: `sum_i c_i lambda_i = c~_k`, so that nothing is left over, and
/// `lambda_i` at its projection `p_i`, so that `w_i - lambda_i w~_k` is short.
///
/// Minimises `|C_k lambda - c~_k|^2 + hold sum_i |c_i|^2 (lambda_i - p_i)^2`, then takes the positive part.
fn fitted(problem: &Problem, partner: &[usize], projection: &[f64], hold: f64) -> Vec<f64> {
    let mut clusters = vec![Vec::new(); problem.other_a.nrows()];
    for (i, k) in partner.iter().enumerate() {
        clusters[*k].push(i);
    }
    let mut scale = projection.to_vec();
    let m = problem.outputs();
    for (k, members) in clusters.iter().enumerate().filter(|(_, members)| !members.is_empty()) {
        let c = DMatrix::from_fn(m, members.len(), |j, at| problem.c[[j, members[at]]]);
        let start = DVector::from_iterator(members.len(), members.iter().map(|i| projection[*i]));
        let rest = DVector::from_fn(m, |j, _| problem.other_c[[j, k]]) - &c * start;
        let held: Vec<f64> = c.column_iter().map(|c| hold * c.norm_squared()).collect();
        if held.iter().any(|held| *held == 0.0 || !held.is_finite()) {
            continue;
        }
        // delta = (C'C + H)^-1 C' rest = H^-1 C' (C H^-1 C' + 1)^-1 rest, whichever system is smaller.
        let delta = if members.len() <= m {
            let normal = c.tr_mul(&c) + DMatrix::from_diagonal(&DVector::from_column_slice(&held));
            normal.cholesky().map(|factor| factor.solve(&c.tr_mul(&rest)))
        } else {
            let shares = DMatrix::from_fn(members.len(), m, |at, j| c[(j, at)] / held[at]);
            let normal = &c * &shares + DMatrix::identity(m, m);
            normal.cholesky().map(|factor| &shares * factor.solve(&rest))
        };
        for (i, delta) in members.iter().zip(delta.iter().flat_map(|delta| delta.iter())) {
            let fitted = projection[*i] + delta;
            scale[*i] = if fitted.is_finite() { fitted.max(0.0) } else { projection[*i] };
        }
    }
    scale
}
