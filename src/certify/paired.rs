//! Bounds from a pairing: Lemma B, and its half.

use ndarray::{Array1, Array2};

use super::block::Pairing;
use super::problem::{Problem, row_norms, weighted};
use super::radial::Radial;

/// A difference of blocks seen through a pairing:
/// `D_j = sum_i c_ji (relu(w_i x) - lambda_i relu(w~_k x)) - sum_k tau_jk relu(w~_k x) + linear`.
pub(super) struct Paired {
    /// `e_i = w_i - lambda_i w~_kappa(i)`, slopes `n x d`.
    pub(super) e: Array2<f64>,
    /// The offsets of `e_i`.
    pub(super) e_offsets: Array1<f64>,
    /// `tau_jk = c~_jk - sum_(kappa(i) = k) c_ji lambda_i`, `m x K`.
    pub(super) tau: Array2<f64>,
    /// `sum_i |c_ji| nu(e_i) + sum_k |tau_jk| nu(w~_k)` and the linear part: Lemma B.
    pub(super) pair: Vec<Radial>,
    /// Half of it, with `nu(l_j)` for the signs: every `relu(z)` is `z / 2 + |z| / 2`.
    pub(super) half: Vec<Radial>,
    /// `sum_i |c_ji| lambda_i nu(w~_kappa(i))`: what the partners add to `T`.
    pub(super) partners: Vec<Radial>,
}

impl Paired {
    /// `trend` is [`Problem::trend`].
    pub(super) fn new(problem: &Problem, pairing: &Pairing, trend: &(Array2<f64>, Array1<f64>)) -> Self {
        let (mut e, mut e_offsets) = (problem.a.clone(), problem.b.clone());
        let mut covered = Array2::zeros(problem.other_c.raw_dim());
        let (norms, mut partner_norms) = (row_norms(&problem.other_a), Array1::zeros(e.nrows()));
        let mut partner_offsets = Array1::zeros(e.nrows());
        for (i, (k, scale)) in pairing.partner.iter().zip(&pairing.scale).enumerate().filter(|(_, (_, s))| **s > 0.0) {
            e.row_mut(i).scaled_add(-scale, &problem.other_a.row(*k));
            e_offsets[i] -= scale * problem.other_b[*k];
            covered.column_mut(*k).scaled_add(*scale, &problem.c.column(i));
            (partner_norms[i], partner_offsets[i]) = (scale * norms[*k], scale * problem.other_b[*k]);
        }
        let tau = &problem.other_c - &covered;
        let gaps = weighted(&problem.c, &row_norms(&e), &e_offsets);
        let left = weighted(&tau, &norms, &problem.other_b);
        let trend = row_norms(&trend.0).into_iter().zip(&trend.1);
        let linear = row_norms(&problem.linear);
        let rest = linear.iter().zip(&problem.constant).zip(&problem.slack);
        let sums = gaps.iter().zip(&left).map(|(gap, left)| *gap + *left);
        let (mut pair, mut half) = (Vec::new(), Vec::new());
        for ((sum, (slope, constant)), ((linear, offset), slack)) in sums.zip(trend).zip(rest) {
            pair.push(sum + Radial { constant: offset.abs() + slack, slope: *linear });
            let signs = Radial { constant: constant.abs(), slope };
            half.push((sum + signs).times(0.5) + Radial { constant: *slack, slope: 0.0 });
        }
        let partners = weighted(&problem.c, &partner_norms, &partner_offsets);
        Self { e, e_offsets, tau, pair, half, partners }
    }
}
