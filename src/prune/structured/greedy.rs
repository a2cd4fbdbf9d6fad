//! Greedy selection of units by pivoted Cholesky factorisation, weighted by what reads them.

use ndarray::Array2;
use rayon::prelude::*;

use super::moments::Moments;

/// Units in the order in which they were chosen, and the loss after each.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The units, the most useful first.
    pub order: Vec<usize>,
    /// `E ||y - C h||^2` over the best `C` and bias for no unit, for the first one, for the first two, ...
    pub loss: Vec<f64>,
}

/// Chooses `keep` units one by one, each the one that lowers the loss of the best fit most.
///
/// With residuals `R` of the covariance and `T` of the target after the units chosen so far, unit `i` lowers the loss by
/// `||T_:i||^2 / R_ii`; then `R -= R_:i R_i: / R_ii` and `T -= T_:i R_i: / R_ii`. Ties go to the lowest index. Units whose
/// residual variance is below 1e-9 of the mean variance are combinations of chosen ones and come last. `R` is never
/// stored: its columns come from the factor, which costs `O(K^2 n)`, and `T` costs `O(K n m)`.
#[must_use]
pub fn select_greedily(moments: &Moments, keep: usize) -> Selection {
    select_for(moments, &moments.target, keep)
}

/// The same for another target, such as a sketch.
pub(super) fn select_for(moments: &Moments, target: &Array2<f64>, keep: usize) -> Selection {
    let (n, m) = (moments.mean.len(), target.nrows());
    let keep = keep.min(n);
    let mut residual: Vec<f64> = moments.covariance.diag().to_vec();
    let floor = 1e-9 * residual.iter().sum::<f64>() / super::moments::number(n.max(1));
    // Row i of `targets` is T_:i, row i of `factor` the entries of L so far.
    let mut targets: Vec<Vec<f64>> = (0..n).map(|i| target.column(i).to_vec()).collect();
    let mut factor: Vec<Vec<f64>> = vec![Vec::with_capacity(keep); n];
    let mut chosen = vec![false; n];
    let mut selection = Selection { order: Vec::with_capacity(keep), loss: vec![moments.target_variance] };
    while selection.order.len() < keep {
        let gains = targets.par_iter().zip(&residual).zip(&chosen).with_min_len(4096 / m.max(1) + 1);
        let gains: Vec<f64> = gains
            .map(|((target, residual), chosen)| {
                if *chosen || *residual <= floor {
                    return -1.0;
                }
                target.iter().map(|t| t * t).sum::<f64>() / residual
            })
            .collect();
        let best =
            gains.iter().enumerate().fold((0, -1.0), |best, (i, gain)| if *gain > best.1 { (i, *gain) } else { best });
        let so_far = selection.loss.last().copied().unwrap_or(0.0);
        if best.1 < 0.0 {
            // What is left adds nothing: the lowest indices fill up.
            let left = (0..n).filter(|i| !chosen[*i]).take(keep - selection.order.len()).collect::<Vec<_>>();
            selection.loss.extend(left.iter().map(|_| so_far));
            selection.order.extend(left);
            break;
        }
        let (pivot, gain) = best;
        chosen[pivot] = true;
        selection.order.push(pivot);
        selection.loss.push((so_far - gain).max(0.0));
        let (root, own, goal) = (residual[pivot].sqrt(), factor[pivot].clone(), targets[pivot].clone());
        let column = moments.covariance.row(pivot);
        let rows = factor.par_iter_mut().zip(&mut targets).zip(&mut residual).enumerate();
        rows.with_min_len(64).for_each(|(i, ((row, target), residual))| {
            let known: f64 = row.iter().zip(&own).map(|(a, b)| a * b).sum();
            let entry = (column[i] - known) / root;
            row.push(entry);
            *residual -= entry * entry;
            let share = entry / root;
            target.iter_mut().zip(&goal).for_each(|(t, g)| *t -= share * g);
        });
    }
    selection
}
