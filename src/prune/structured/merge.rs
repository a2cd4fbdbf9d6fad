//! `TropNNC` and its predecessors: units are clustered, and each cluster becomes one unit.
//!
//! Unit `i` is the generator `w_i = (a_i, b_i)` with outgoing weights `c_i`; `(g w_i, c_i / g)` is the same unit for every
//! `g > 0`. The balanced gauge takes `g = sqrt(||c_i|| / ||w_i||)`, which makes both norms equal and the clusters
//! independent of how the network was scaled; the raw gauge takes the units as they are. (Fotopoulos, Maragos, Misiakos,
//! arXiv 2409.03945; the algorithms are reconstructed from its statements. Misiakos et al., *Neural network approximation
//! based on Hausdorff distance of tropical zonotopes*, ICLR 2022.)

use ndarray::{Array1, Array2, Axis, s};
use serde::Serialize;

use super::kmeans::{KMeansOptions, kmeans};
use super::select::{incoming_norms, outgoing_norms};
use super::{linkage, outer, refine};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::network::{Pair, Reduced};

/// How units are scaled before they are clustered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Gauge {
    /// Incoming and outgoing norms equal.
    Balanced,
    /// As they are.
    Raw,
}

/// Units as generators and outgoing weights, in a gauge.
pub(super) struct Generators {
    /// `n x (d + 1)`: `g_i (a_i, b_i)`.
    pub(super) incoming: Array2<f64>,
    /// `n x m q`: `c_i / g_i`, with the columns of a unit one after another for each output.
    pub(super) outgoing: Array2<f64>,
    /// `g_i`.
    pub(super) gauge: Vec<f64>,
}

impl Generators {
    pub(super) fn new(pair: &Pair, gauge: Gauge) -> Self {
        let (n, d, q, m) = (pair.units(), pair.rows.ncols(), pair.block(), pair.next.nrows());
        let (incoming, outgoing) = (incoming_norms(pair), outgoing_norms(pair));
        let factor = |i: usize| match gauge {
            Gauge::Balanced if incoming[i] > 0.0 && outgoing[i] > 0.0 => (outgoing[i] / incoming[i]).sqrt(),
            _ => 1.0,
        };
        let gauge: Vec<f64> = (0..n).map(factor).collect();
        Self {
            incoming: Array2::from_shape_fn((n, d + 1), |(i, j)| {
                gauge[i] * f64::from(if j < d { pair.rows[[i, j]] } else { pair.bias[i] })
            }),
            outgoing: Array2::from_shape_fn((n, m * q), |(i, at)| {
                f64::from(pair.next[[at / q, i * q + at % q]]) / gauge[i]
            }),
            gauge,
        }
    }

    /// `n x (d + 1 + m q)`: the neural path of each unit.
    pub(super) fn paths(&self) -> Result<Array2<f64>> {
        let paths = ndarray::concatenate(Axis(1), &[self.incoming.view(), self.outgoing.view()]);
        paths.map_err(|error| Error::Internal { what: error.to_string() })
    }
}

/// Clusters as lists of units, in the order of their lowest ones.
pub(super) fn members(assignment: &[usize]) -> Vec<Vec<usize>> {
    let clusters = assignment.iter().max().map_or(0, |last| last + 1);
    let mut members = vec![Vec::new(); clusters];
    assignment.iter().enumerate().for_each(|(unit, cluster)| members[*cluster].push(unit));
    members.retain(|units: &Vec<usize>| !units.is_empty());
    members
}

/// New units, one for each cluster: `incoming` `K x (d + 1)`, `outgoing` `K x m q`.
pub(super) struct Merged {
    pub(super) incoming: Array2<f64>,
    pub(super) outgoing: Array2<f64>,
}

/// What is written for a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Representative {
    /// The mean of the generators and the sum of the outgoing weights: `N` copies of a unit become one unit of `N` times
    /// the weight.
    Sum,
    /// The means of both, the centroid of the paths (Misiakos et al.).
    Mean,
    /// The best rank-one fit of `sum_i c_i w_i^T`.
    Net,
    /// The best fit of the positive and negative generators of each output apart.
    Split,
}

/// Clusters the neural paths by k-means and merges each cluster, after the `outer` loop of refinement if there is one.
pub(super) fn merge_paths<B: Backend>(
    backend: &B,
    pair: &Pair,
    keep: usize,
    gauge: Gauge,
    representative: Representative,
    outer: bool,
    seed: u64,
) -> Result<Reduced> {
    let generators = Generators::new(pair, gauge);
    let options = KMeansOptions::new(keep, seed);
    let found = kmeans(backend, &super::signal::narrow(&generators.paths()?), &options)?;
    tracing::info!(layer = pair.site.layer, iterations = found.iterations, inertia = found.inertia, "k-means");
    let mut clusters = members(&found.assignment);
    if outer {
        clusters = outer::reassigned(&generators, clusters, |units| fit(&generators, units, representative));
    }
    Ok(merge(pair, &generators, &clusters, representative))
}

/// Clusters the neural paths by a linkage and merges each of `keep` clusters.
pub(super) fn merge_tree(
    pair: &Pair,
    keep: usize,
    linkage: linkage::Linkage,
    representative: Representative,
) -> Result<Reduced> {
    let generators = Generators::new(pair, Gauge::Balanced);
    let tree = linkage::Tree::new(&generators.paths()?, linkage);
    Ok(merge(pair, &generators, &members(&tree.cut_into(keep)), representative))
}

/// The incoming and the outgoing weights of the unit that stands for a cluster.
fn fit(generators: &Generators, units: &[usize], representative: Representative) -> (Array1<f64>, Array1<f64>) {
    let (w, c) = (generators.incoming.select(Axis(0), units), generators.outgoing.select(Axis(0), units));
    let count = super::moments::number(units.len());
    let (mean, sum) = (w.sum_axis(Axis(0)) / count, c.sum_axis(Axis(0)));
    match representative {
        Representative::Sum => (mean, sum),
        Representative::Mean => (mean, sum / count),
        Representative::Net => refine::net(&w, &c, mean, sum),
        Representative::Split => refine::split(&w, &c, mean, sum),
    }
}

/// Merges clusters of units.
pub(super) fn merge(
    pair: &Pair,
    generators: &Generators,
    clusters: &[Vec<usize>],
    representative: Representative,
) -> Reduced {
    let mut merged = Merged {
        incoming: Array2::zeros((clusters.len(), generators.incoming.ncols())),
        outgoing: Array2::zeros((clusters.len(), generators.outgoing.ncols())),
    };
    for (k, units) in clusters.iter().enumerate() {
        let (incoming, outgoing) = fit(generators, units, representative);
        merged.incoming.row_mut(k).assign(&incoming);
        merged.outgoing.row_mut(k).assign(&outgoing);
    }
    reduced(pair, generators, clusters, &merged)
}

/// The pair with merged units. A unit is close to `lambda` times its representative with
/// `lambda_i = <w_i, w~> / ||w~||^2`, in the scale of the network.
#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
pub(super) fn reduced(pair: &Pair, generators: &Generators, clusters: &[Vec<usize>], merged: &Merged) -> Reduced {
    let (d, q, m) = (pair.rows.ncols(), pair.block(), pair.next.nrows());
    let (mut assignment, mut lambda) = (vec![None; pair.units()], vec![0.0; pair.units()]);
    for (k, units) in clusters.iter().enumerate() {
        let representative = merged.incoming.row(k);
        let size = representative.dot(&representative);
        for unit in units {
            assignment[*unit] = Some(k);
            let along = generators.incoming.row(*unit).dot(&representative) / generators.gauge[*unit];
            lambda[*unit] = if size > 0.0 { (along / size).max(0.0) as f32 } else { 0.0 };
        }
    }
    Reduced {
        rows: merged.incoming.slice(s![.., ..d]).mapv(|value| value as f32).into_shared(),
        bias: merged.incoming.column(d).iter().map(|value| *value as f32).collect(),
        next: Array2::from_shape_fn((m, clusters.len() * q), |(j, column)| {
            merged.outgoing[[column / q, j * q + column % q]] as f32
        })
        .into_shared(),
        next_bias: pair.next_bias.clone(),
        assignment,
        lambda,
    }
}

/// One output: the zonotopes of positive and of negative generators apart, each generator `|c_i| w_i` with weight 1.
pub(super) fn merge_zonotopes<B: Backend>(
    backend: &B,
    pair: &Pair,
    keep: usize,
    representative: Representative,
    seed: u64,
) -> Result<Reduced> {
    if pair.next.nrows() * pair.block() != 1 {
        let problem = format!(
            "`{}` gives {} outputs; zonotopes are clustered for one output (for more there are the paths: `tropnnc`, \
             `misiakos-path`)",
            pair.site.next(),
            pair.next.nrows() * pair.block()
        );
        return Err(Error::Unsupported { problem });
    }
    let mut generators = Generators::new(pair, Gauge::Raw);
    for i in 0..pair.units() {
        let size = generators.outgoing[[i, 0]].abs();
        if size > 0.0 {
            generators.incoming.row_mut(i).mapv_inplace(|value| value * size);
            generators.gauge[i] = size;
            generators.outgoing[[i, 0]] = generators.outgoing[[i, 0]].signum();
        }
    }
    let of_sign = |sign: f64| -> Vec<usize> {
        (0..pair.units()).filter(|i| f64::from(pair.next[[0, *i]]) * sign > 0.0).collect()
    };
    let (positive, negative) = (of_sign(1.0), of_sign(-1.0));
    let read = positive.len() + negative.len();
    // Clusters by share of the generators, at least one for each sign that occurs.
    let share = (keep * positive.len() + read / 2) / read.max(1);
    let least = usize::from(!positive.is_empty());
    let most = keep.saturating_sub(usize::from(!negative.is_empty())).max(least);
    let of_positive = share.clamp(least, most).min(positive.len());
    let mut clusters = Vec::new();
    for (units, count, part) in [(positive, of_positive, 0), (negative, keep - of_positive.min(keep), 1)] {
        if units.is_empty() {
            continue;
        }
        let points = super::signal::narrow(&generators.incoming.select(Axis(0), &units));
        let options = KMeansOptions::new(count.clamp(1, units.len()), seed.wrapping_add(part));
        let found = kmeans(backend, &points, &options)?;
        clusters.extend(
            members(&found.assignment).into_iter().map(|own| own.iter().map(|at| units[*at]).collect::<Vec<_>>()),
        );
    }
    let mut merged = Merged {
        incoming: Array2::zeros((clusters.len(), generators.incoming.ncols())),
        outgoing: Array2::zeros((clusters.len(), 1)),
    };
    for (k, units) in clusters.iter().enumerate() {
        let sum = generators.incoming.select(Axis(0), units).sum_axis(Axis(0));
        let count = if representative == Representative::Mean { super::moments::number(units.len()) } else { 1.0 };
        merged.incoming.row_mut(k).assign(&(sum / count));
        merged.outgoing[[k, 0]] = generators.outgoing[[units[0], 0]];
    }
    Ok(reduced(pair, &generators, &clusters, &merged))
}
