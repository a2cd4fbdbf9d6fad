//! `ThiNet`: units whose contribution to the next layer is smallest go, and one factor per unit makes up for them.

use nalgebra::{Cholesky, DMatrix, DVector};
use ndarray::Axis;

use super::moments::{Moments, number};
use crate::network::{Pair, Reduced};

/// Grows the set `T` of removed units greedily, each time by the unit that makes `E ||sum_(i in T) c_i h_i||^2` least (ties
/// to the lowest index), and scales the outgoing weights of those that stay by least squares of the values without bias.
///
/// With `Q_ab = <c_a, c_b> E[h_a h_b]` the first is `sum over a, b in T of Q_ab` and the second solves `Q_SS s = Q_S 1`:
/// the expectation over all outputs of the sampled objectives of Luo, Wu, Lin, *`ThiNet`* (ICCV 2017).
pub(super) fn thinet(pair: &Pair, moments: &Moments, keep: usize) -> Reduced {
    let n = pair.units();
    let next = pair.next.mapv(f64::from);
    let mean = moments.mean.clone().insert_axis(Axis(1));
    let products = next.t().dot(&next) * (&moments.covariance + &mean.dot(&mean.t()));
    let mut cost: Vec<f64> = products.diag().to_vec();
    let mut kept: Vec<usize> = (0..n).collect();
    while kept.len() > keep {
        let best = kept.iter().copied().min_by(|a, b| cost[*a].total_cmp(&cost[*b]).then(a.cmp(b)));
        let Some(gone) = best else { break };
        kept.retain(|unit| *unit != gone);
        cost.iter_mut().zip(products.row(gone)).for_each(|(cost, product)| *cost += 2.0 * product);
    }
    let mut reduced = pair.select(&kept);
    let diagonal = kept.iter().map(|i| products[[*i, *i]]).sum::<f64>() / number(kept.len().max(1));
    let own = DMatrix::from_fn(kept.len(), kept.len(), |a, b| {
        products[[kept[a], kept[b]]] + if a == b { 1e-9 * diagonal } else { 0.0 }
    });
    let goal = DVector::from_iterator(kept.len(), kept.iter().map(|i| products.row(*i).sum()));
    if let Some(factor) = Cholesky::new(own) {
        let scales = factor.solve(&goal);
        for (k, scale) in scales.iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            reduced.next.column_mut(k).mapv_inplace(|c| (f64::from(c) * scale) as f32);
        }
    }
    reduced
}
