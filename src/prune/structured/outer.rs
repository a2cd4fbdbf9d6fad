//! The outer loop of iterative refinement: units go to the cluster whose refined unit fits them best.

use ndarray::{Array1, Array2, ArrayView1};

use super::merge::Generators;

/// Rounds at most.
const ROUNDS: usize = 20;

/// The incoming and the outgoing weights of a cluster's unit.
type Fit = (Array1<f64>, Array1<f64>);

/// Reassigns units and refines clusters in turn, while `sum_k ||sum_(i in k) c_i w_i^T - c~_k w~_k^T||_F^2` falls.
///
/// Unit `i` goes to the `k` for which a share of `c~_k w~_k^T` comes closest to `c_i w_i^T`,
/// `min over lambda >= 0 of ||c_i w_i^T - lambda c~_k w~_k^T||_F`, of those with `<w_i, w~_k> > 0`: a ReLU is not odd. That is
/// the largest `max(<c_i, c~_k>, 0) max(<w_i, w~_k>, 0) / (||c~_k|| ||w~_k||)`, ties to the lower `k`; a unit that none
/// fits, and the last one of a cluster, stay.
pub(super) fn reassigned(
    generators: &Generators,
    clusters: Vec<Vec<usize>>,
    fit: impl Fn(&[usize]) -> Fit,
) -> Vec<Vec<usize>> {
    let fits = |clusters: &[Vec<usize>]| clusters.iter().map(|units| fit(units)).collect::<Vec<Fit>>();
    let mut fitted = fits(&clusters);
    let mut best = (error(generators, &clusters, &fitted), clusters);
    for _ in 0..ROUNDS {
        let next = moved(generators, &best.1, &fitted);
        if next == best.1 {
            break;
        }
        let refined = fits(&next);
        let error = error(generators, &next, &refined);
        if error >= best.0 {
            break;
        }
        (best, fitted) = ((error, next), refined);
    }
    best.1
}

fn moved(generators: &Generators, clusters: &[Vec<usize>], fitted: &[Fit]) -> Vec<Vec<usize>> {
    let size = |vector: &Array1<f64>| vector.dot(vector).sqrt();
    let sizes: Vec<f64> = fitted.iter().map(|(w, c)| size(w) * size(c)).collect();
    let score = |i: usize, k: usize| {
        let (w, c) = (&fitted[k].0, &fitted[k].1);
        let along = |a: ArrayView1<'_, f64>, b: &Array1<f64>| a.dot(b).max(0.0);
        let reach = along(generators.incoming.row(i), w) * along(generators.outgoing.row(i), c);
        if sizes[k] > 0.0 { reach / sizes[k] } else { 0.0 }
    };
    let mut next = clusters.to_vec();
    for (from, units) in clusters.iter().enumerate() {
        for unit in units {
            let mut to = (score(*unit, from), from);
            for k in 0..clusters.len() {
                let found = score(*unit, k);
                if found > to.0 {
                    to = (found, k);
                }
            }
            if to.1 != from && next[from].len() > 1 {
                next[from].retain(|other| other != unit);
                next[to.1].push(*unit);
            }
        }
    }
    next.iter_mut().for_each(|units| units.sort_unstable());
    next
}

/// `sum_k ||sum_(i in k) c_i w_i^T - c~_k w~_k^T||_F^2`.
fn error(generators: &Generators, clusters: &[Vec<usize>], fitted: &[Fit]) -> f64 {
    let of = |(units, (incoming, outgoing)): (&Vec<usize>, &Fit)| {
        let rows = |matrix: &Array2<f64>| matrix.select(ndarray::Axis(0), units);
        let (w, c) = (rows(&generators.incoming), rows(&generators.outgoing));
        // ||M||^2 - 2 <M, c~ w~^T> + ||c~||^2 ||w~||^2 with M = c^T w, by the products of the units alone.
        let products = w.dot(&w.t()) * c.dot(&c.t());
        let cross = (w.dot(incoming) * c.dot(outgoing)).sum();
        products.sum() - 2.0 * cross + incoming.dot(incoming) * outgoing.dot(outgoing)
    };
    clusters.iter().zip(fitted).map(of).sum()
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::{error, reassigned};
    use crate::prune::structured::merge::Generators;
    use crate::prune::structured::refine;

    #[test]
    fn units_find_the_clusters_of_their_directions_and_the_error_falls() {
        // Two directions with one outgoing vector each, dealt to the wrong clusters at first.
        let generators = Generators {
            incoming: array![[1.0, 0.1], [2.0, 0.2], [0.0, 1.0], [0.1, 3.0], [0.5, 0.05]],
            outgoing: array![[1.0, 0.0], [2.0, 0.1], [0.0, -1.0], [0.1, -2.0], [1.0, 0.0]],
            gauge: vec![1.0; 5],
        };
        let fit = |units: &[usize]| {
            let rows = |matrix: &ndarray::Array2<f64>| matrix.select(Axis(0), units);
            let (w, c) = (rows(&generators.incoming), rows(&generators.outgoing));
            let (mean, sum) = (w.mean_axis(Axis(0)).unwrap_or_default(), c.sum_axis(Axis(0)));
            refine::net(&w, &c, mean, sum)
        };
        let wrong = vec![vec![0, 1, 2], vec![3, 4]];
        let before = error(&generators, &wrong, &wrong.iter().map(|units| fit(units)).collect::<Vec<_>>());
        let found = reassigned(&generators, wrong, fit);
        assert_eq!(found, [vec![0, 1, 4], vec![2, 3]]);
        let after = error(&generators, &found, &found.iter().map(|units| fit(units)).collect::<Vec<_>>());
        assert!(after < 0.1 * before, "{before} to {after}");
    }
}
