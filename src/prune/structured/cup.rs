//! CUP: units are clustered by the sizes of their weights, and of each cluster the largest unit stays.

use ndarray::Array2;

use super::linkage::Tree;
use super::merge::members;
use crate::network::{Pair, Reduced};

/// Keeps the largest unit of each of `keep` clusters of Ward's linkage and drops the others; nothing is added up. The
/// feature of a unit is the size of each incoming weight and the norm of what each output reads of it (Duggal, Xiao,
/// Vuduc, Sun, *CUP: cluster pruning for compressing deep neural networks*, 2019; made to be followed by training).
pub(super) fn cup(pair: &Pair, keep: usize) -> Reduced {
    let (n, d, m) = (pair.units(), pair.rows.ncols(), pair.next.nrows());
    let features = Array2::from_shape_fn((n, d + m), |(i, at)| match at.checked_sub(d) {
        None => f64::from(pair.rows[[i, at]].abs()),
        Some(j) => pair.outgoing(i).row(j).iter().map(|c| f64::from(*c).powi(2)).sum::<f64>().sqrt(),
    });
    let size = |i: usize| features.row(i).dot(&features.row(i));
    let largest = |units: &Vec<usize>| {
        units.iter().copied().max_by(|a, b| size(*a).total_cmp(&size(*b)).then(b.cmp(a))).unwrap_or(0)
    };
    let mut kept: Vec<usize> = members(&Tree::ward(&features).cut_into(keep)).iter().map(largest).collect();
    kept.sort_unstable();
    pair.select(&kept)
}
