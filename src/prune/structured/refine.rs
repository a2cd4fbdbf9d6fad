//! Iterative refinement of a merged unit: alternating least squares for one incoming and one outgoing vector.

use ndarray::{Array1, Array2};

/// Rounds of the alternation.
const ROUNDS: usize = 30;

/// The net form: `min ||sum_i c_i w_i^T - c~ w~^T||_F^2`, the leading singular pair by power iteration from the mean.
///
/// A ReLU is not odd, so that the pair is turned until `w~` points along the sum of the `w_i`. `w`: `N x (d + 1)`,
/// `c`: `N x m`; where everything cancels, the mean and the sum stay.
pub(super) fn net(w: &Array2<f64>, c: &Array2<f64>, mean: Array1<f64>, sum: Array1<f64>) -> (Array1<f64>, Array1<f64>) {
    net_after(ROUNDS, w, c, mean, sum)
}

/// The net form after some rounds; its objective never rises with them.
fn net_after(
    rounds: usize,
    w: &Array2<f64>,
    c: &Array2<f64>,
    mean: Array1<f64>,
    sum: Array1<f64>,
) -> (Array1<f64>, Array1<f64>) {
    let total = &mean * super::moments::number(w.nrows());
    let mut incoming = mean.clone();
    for _ in 0..rounds {
        let Some(outgoing) = over(c.t().dot(&w.dot(&incoming)), incoming.dot(&incoming)) else { return (mean, sum) };
        let Some(next) = over(w.t().dot(&c.dot(&outgoing)), outgoing.dot(&outgoing)) else { return (mean, sum) };
        incoming = next;
    }
    if total.dot(&incoming) < 0.0 {
        incoming.mapv_inplace(|value| -value);
    }
    match over(c.t().dot(&w.dot(&incoming)), incoming.dot(&incoming)) {
        Some(outgoing) => (incoming, outgoing),
        None => (mean, sum),
    }
}

/// The split form: each output `j` has the zonotopes of its positive and of its negative generators, whose sums
/// `P_j = sum over c_ji > 0 of c_ji w_i` and `Q_j` the one unit can only serve one at a time; it serves the one along
/// which it reaches further.
pub(super) fn split(
    w: &Array2<f64>,
    c: &Array2<f64>,
    mean: Array1<f64>,
    sum: Array1<f64>,
) -> (Array1<f64>, Array1<f64>) {
    let positive = c.mapv(|value| value.max(0.0)).t().dot(w);
    let negative = c.mapv(|value| (-value).max(0.0)).t().dot(w);
    let reaches = |incoming: &Array1<f64>| {
        let size = incoming.dot(incoming);
        let reach = |sums: &Array2<f64>| over(sums.dot(incoming).mapv(|value| value.max(0.0)), size);
        Some((reach(&positive)?, reach(&negative)?))
    };
    let mut incoming = mean.clone();
    for _ in 0..ROUNDS {
        let Some((p, q)) = reaches(&incoming) else { return (mean, sum) };
        let mut next = Array1::zeros(incoming.len());
        let mut size = 0.0;
        for j in 0..p.len() {
            let (reach, served) = if p[j] >= q[j] { (p[j], positive.row(j)) } else { (q[j], negative.row(j)) };
            next.scaled_add(reach, &served);
            size += reach * reach;
        }
        match over(next, size) {
            Some(next) => incoming = next,
            None => return (mean, sum),
        }
    }
    match reaches(&incoming) {
        Some((p, q)) => (incoming, p - q),
        None => (mean, sum),
    }
}

/// `vector / size`, unless the size is too small to divide by.
fn over(vector: Array1<f64>, size: f64) -> Option<Array1<f64>> {
    (size > 1e-24).then(|| vector / size)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, array};

    use rand::RngExt;

    use super::{net, net_after, split};

    fn objective(w: &Array2<f64>, c: &Array2<f64>, fit: &(ndarray::Array1<f64>, ndarray::Array1<f64>)) -> f64 {
        let matrix = c.t().dot(w);
        matrix.indexed_iter().map(|((j, k), value)| (value - fit.1[j] * fit.0[k]).powi(2)).sum()
    }

    #[test]
    fn the_net_form_is_no_worse_than_the_sum_and_points_along_the_generators() {
        let w = array![[1.0, 0.2, -0.3], [0.8, 0.1, 0.1], [0.5, -0.4, 0.2]];
        let c = array![[1.0, -2.0], [0.7, -1.0], [-0.2, 0.5]];
        let (mean, sum) = (w.mean_axis(Axis(0)).unwrap_or_default(), c.sum_axis(Axis(0)));
        let fit = net(&w, &c, mean.clone(), sum.clone());
        assert!(objective(&w, &c, &fit) < objective(&w, &c, &(mean.clone(), sum.clone())));
        assert!(fit.0.dot(&mean) > 0.0);
        // The least possible: the Frobenius norm without the largest singular value.
        let matrix = nalgebra::DMatrix::from_fn(2, 3, |j, k| c.t().dot(&w)[[j, k]]);
        let singular = matrix.singular_values();
        assert!((objective(&w, &c, &fit) - singular[1].powi(2)).abs() < 1e-12);
    }

    /// Property 9.
    #[test]
    fn the_objective_never_rises_over_the_rounds_and_the_unit_points_along_its_cluster() {
        let generator = &mut crate::rng::stream(0, "refine test");
        for cluster in 0..40 {
            let (units, inputs, outputs) = (2 + cluster % 5, 3 + cluster % 4, 1 + cluster % 3);
            let w = Array2::from_shape_simple_fn((units, inputs), || generator.random_range(-0.5..1.0));
            let c = Array2::from_shape_simple_fn((units, outputs), || generator.random_range(-1.0..1.0));
            let (mean, sum) = (w.mean_axis(Axis(0)).unwrap_or_default(), c.sum_axis(Axis(0)));
            let mut last = f64::INFINITY;
            let mut least = f64::INFINITY;
            for rounds in 0..12 {
                let fit = net_after(rounds, &w, &c, mean.clone(), sum.clone());
                assert!(fit.0.dot(&w.sum_axis(Axis(0))) >= 0.0, "cluster {cluster}: the unit points away");
                // Turning the unit changes its sign and nothing else of the linear form.
                let value = objective(&w, &c, &fit);
                assert!(
                    value <= last * (1.0 + 1e-9) + 1e-15,
                    "cluster {cluster}, round {rounds}: {value} after {last}"
                );
                last = value;
                least = least.min(value);
            }
            let matrix = c.t().dot(&w);
            let matrix = nalgebra::DMatrix::from_fn(outputs, inputs, |j, k| matrix[[j, k]]);
            let singular = matrix.singular_values();
            let best: f64 = singular.iter().skip(1).map(|value| value * value).sum();
            assert!(least >= best * (1.0 - 1e-9) - 1e-12, "cluster {cluster}: {least} is below the least, {best}");
        }
    }

    #[test]
    fn both_forms_return_a_unit_that_is_there_several_times() {
        let w = array![[1.0, 2.0], [2.0, 4.0], [0.5, 1.0]];
        let c = array![[1.0, -1.0], [0.5, 2.0], [4.0, 0.0]];
        let (mean, sum) = (w.mean_axis(Axis(0)).unwrap_or_default(), c.sum_axis(Axis(0)));
        for fit in [net(&w, &c, mean.clone(), sum.clone()), split(&w, &c, mean, sum)] {
            assert!(objective(&w, &c, &fit) < 1e-20, "{fit:?}");
        }
    }
}
