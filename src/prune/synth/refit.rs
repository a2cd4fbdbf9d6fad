//! Least squares for the units that stay.

use ndarray::{Array2, Axis};

use super::cholesky::Cholesky;
use super::greedy::{Problem, Selection, select, select_in_cells};
use super::moments::Moments;

/// New columns of the next layer, and its bias.
#[derive(Debug)]
pub(crate) struct Refit {
    /// `C~`: `m x K q`, units ascending.
    pub(crate) next: Array2<f64>,
    /// What is added to the bias: `E z - C~ E p_S`.
    pub(crate) shift: Vec<f64>,
    /// `E |z - z~|^2` under the moments: what is left of the target's variance.
    pub(crate) loss: f64,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of columns are far below 2^53")]
fn mean_diagonal(matrix: &Array2<f64>) -> f64 {
    matrix.diag().sum() / (matrix.nrows() as f64).max(1.0)
}

/// Chooses `keep` units greedily, see [`select`], for all groups of readers, each with its columns per unit and the ridge
/// `epsilon tr(G) / (n q)`.
pub(super) fn choose(groups: &[(&Moments, usize)], keep: usize, epsilon: f64) -> Selection {
    select(&problems(groups, epsilon), keep)
}

/// The same where units lie in cells of which each keeps a number of its own.
pub(crate) fn choose_in_cells(groups: &[(&Moments, usize)], cells: &[(&[usize], usize)], epsilon: f64) -> Selection {
    select_in_cells(&problems(groups, epsilon), cells)
}

fn problems<'m>(groups: &[(&'m Moments, usize)], epsilon: f64) -> Vec<Problem<'m>> {
    let problem = |(moments, q): &(&'m Moments, usize)| {
        let Moments { gram, target, .. } = *moments;
        Problem { gram, target, q: *q, ridge: epsilon * mean_diagonal(gram) }
    };
    groups.iter().map(problem).collect()
}

/// `C~ = T_S (G_SS + epsilon tr(G_SS) / (K q) I)^-1` for the units `kept`, ascending.
pub(crate) fn refit(moments: &Moments, q: usize, kept: &[usize], epsilon: f64) -> Refit {
    let columns: Vec<usize> = kept.iter().flat_map(|unit| unit * q..(unit + 1) * q).collect();
    let gram = moments.gram.select(Axis(0), &columns).select(Axis(1), &columns);
    let target = moments.target.select(Axis(1), &columns);
    let mut next = target.as_standard_layout().to_owned();
    let ridge = epsilon * mean_diagonal(&gram);
    Cholesky::new(&gram, ridge).solve_rows(&mut next);
    let shift = next.rows().into_iter().zip(&moments.target_mean).map(|(row, mean)| {
        mean - row.iter().zip(&columns).map(|(value, column)| value * moments.mean[*column]).sum::<f64>()
    });
    let shift = shift.collect();
    // |z|^2 - 2 <C~, T_S> + <C~ G_SS, C~>, where C~ (G_SS + ridge I) = T_S.
    let explained = (&next * &target).sum() + ridge * next.iter().map(|value| value * value).sum::<f64>();
    let loss = (moments.variance() - explained).max(0.0);
    Refit { next, shift, loss }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        epsilon: f64,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        q: usize,
        gram: Vec<Vec<f64>>,
        target: Vec<Vec<f64>>,
        order: Vec<usize>,
        decreases: Vec<f64>,
        kept: Vec<usize>,
        refit: Vec<Vec<f64>>,
        variance: f64,
        loss: f64,
    }

    fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
    }

    #[test]
    fn selection_and_refit_are_those_of_brute_force() {
        let golden: Golden = serde_json::from_str(include_str!("../../../assets/golden/block_greedy.json")).unwrap();
        for case in golden.cases {
            let (gram, target) = (matrix(&case.gram), matrix(&case.target));
            let (mean, target_mean) = (vec![0.5; gram.nrows()], vec![2.0; target.nrows()]);
            let moments = Moments { gram, target, mean, target_mean, variances: vec![case.variance] };
            let selection = choose(&[(&moments, case.q)], case.order.len(), golden.epsilon);
            assert_eq!(selection.order, case.order);
            for (got, want) in selection.decreases.iter().zip(&case.decreases) {
                assert!((got - want).abs() < 1e-9 * case.variance, "{got} {want}");
            }
            let refit = refit(&moments, case.q, &case.kept, golden.epsilon);
            let want = matrix(&case.refit);
            let size = want.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            assert!(refit.next.iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-9 * size));
            assert!((refit.loss - case.loss).abs() < 1e-9 * case.variance);
            let shift = 2.0 - 0.5 * want.row(0).sum();
            assert!((refit.shift[0] - shift).abs() < 1e-9 * size.max(1.0));
        }
    }
}
