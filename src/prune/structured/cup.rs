//! CUP: units are clustered by the sizes of their weights, and of each cluster the largest unit stays.

use ndarray::Array2;

use super::linkage::{Linkage, Tree};
use super::merge::members;
use crate::network::{Pair, Reduced};

/// Keeps the largest unit of each of `keep` clusters of Ward's linkage and drops the others; nothing is added up. The
/// feature of a unit is the norm of what it reads of each input, `kernel` weights of a channel or one of a neuron, and
/// the norm of what each output reads of it (Duggal, Xiao, Vuduc, Sun, *CUP: cluster pruning for compressing deep neural
/// networks*, 2019; made to be followed by training).
pub(super) fn cup(pair: &Pair, keep: usize, kernel: usize) -> Reduced {
    let (n, inputs, m) = (pair.units(), pair.rows.ncols() / kernel.max(1), pair.next.nrows());
    let norm = |weights: &mut dyn Iterator<Item = &f32>| weights.map(|c| f64::from(*c).powi(2)).sum::<f64>().sqrt();
    let features = Array2::from_shape_fn((n, inputs + m), |(i, at)| match at.checked_sub(inputs) {
        None => norm(&mut pair.rows.row(i).iter().skip(at * kernel).take(kernel)),
        Some(j) => norm(&mut pair.outgoing(i).row(j).iter()),
    });
    let size = |i: usize| features.row(i).dot(&features.row(i));
    let largest = |units: &Vec<usize>| {
        units.iter().copied().max_by(|a, b| size(*a).total_cmp(&size(*b)).then(b.cmp(a))).unwrap_or(0)
    };
    let mut kept: Vec<usize> =
        members(&Tree::new(&features, Linkage::Ward).cut_into(keep)).iter().map(largest).collect();
    kept.sort_unstable();
    pair.select(&kept)
}
