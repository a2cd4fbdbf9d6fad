//! `ThiNet`: units whose contribution to the next layer is smallest go, and one factor per unit makes up for them.

use nalgebra::{Cholesky, DMatrix, DVector};
use ndarray::{Array2, ArrayView1, ArrayView2, s};

use super::moments::{Moments, number};
use crate::network::{Pair, Reduced};
use crate::prune::synth::Part;

/// What readers of one kind read: the moments of their columns `p`, the same number of each unit, and their weights.
pub(super) struct Read<'a> {
    mean: ArrayView1<'a, f64>,
    covariance: ArrayView2<'a, f64>,
    next: Array2<f64>,
}

impl<'a> Read<'a> {
    /// Linear layers, which read one value of each unit.
    pub(super) fn values(pair: &Pair, moments: &'a Moments) -> Self {
        let next = pair.next.mapv(f64::from);
        Self { mean: moments.mean.view(), covariance: moments.covariance.view(), next }
    }

    /// A group of readers of windows or places.
    pub(super) fn group(pair: &Pair, part: &'a Part) -> Self {
        let next = part.weights(pair.next.view(), pair.block()).mapv(f64::from);
        Self { mean: part.moments.mean.as_slice().into(), covariance: part.moments.gram.view(), next }
    }

    /// `Q_ab = E <u_a, u_b>` of the contributions `u_a = sum_s C_as p_as` of units to these readers, which read `q` columns
    /// `p_a` of each: one value of a neuron, a window of a channel, or its places behind a flatten.
    fn products(&self, units: usize) -> Array2<f64> {
        let mut products = self.next.t().dot(&self.next);
        let rows = products.rows_mut().into_iter().zip(self.covariance.rows()).zip(self.mean);
        for ((products, covariance), a) in rows {
            for ((product, covariance), b) in products.into_iter().zip(covariance).zip(self.mean) {
                *product *= covariance + a * b;
            }
        }
        let q = self.next.ncols().checked_div(units).unwrap_or(0);
        let of = |unit: usize| unit * q..(unit + 1) * q;
        Array2::from_shape_fn((units, units), |(a, b)| products.slice(s![of(a), of(b)]).sum())
    }
}

/// Grows the set `T` of removed units greedily, each time by the unit that makes `E ||sum_(i in T) u_i||^2` least (ties to
/// the lowest index), and scales the outgoing weights of those that stay by least squares of the values without bias.
///
/// With the sum `Q` of [`Read::products`] over all readers the first is `sum over a, b in T of Q_ab` and the second solves `Q_SS s = Q_S 1`: the
/// expectation over all outputs, and all places of a convolution, of the sampled objectives of Luo, Wu, Lin, *`ThiNet`*
/// (ICCV 2017).
pub(super) fn thinet(pair: &Pair, reads: &[Read<'_>], keep: usize) -> Reduced {
    let units = pair.units();
    let mut products = Array2::zeros((units, units));
    reads.iter().for_each(|read| products += &read.products(units));
    let mut cost: Vec<f64> = products.diag().to_vec();
    let mut kept: Vec<usize> = (0..pair.units()).collect();
    while kept.len() > keep {
        let best = kept.iter().copied().min_by(|a, b| cost[*a].total_cmp(&cost[*b]).then(a.cmp(b)));
        let Some(gone) = best else { break };
        kept.retain(|unit| *unit != gone);
        cost.iter_mut().zip(products.row(gone)).for_each(|(cost, product)| *cost += 2.0 * product);
    }
    let (mut reduced, q) = (pair.select(&kept), pair.block());
    let diagonal = kept.iter().map(|i| products[[*i, *i]]).sum::<f64>() / number(kept.len().max(1));
    let own = DMatrix::from_fn(kept.len(), kept.len(), |a, b| {
        products[[kept[a], kept[b]]] + if a == b { 1e-9 * diagonal } else { 0.0 }
    });
    let goal = DVector::from_iterator(kept.len(), kept.iter().map(|i| products.row(*i).sum()));
    if let Some(factor) = Cholesky::new(own) {
        let scales = factor.solve(&goal);
        for (k, scale) in scales.iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            let scaled = |c: f32| (f64::from(c) * scale) as f32;
            reduced.next.slice_mut(s![.., k * q..(k + 1) * q]).mapv_inplace(scaled);
        }
    }
    reduced
}
