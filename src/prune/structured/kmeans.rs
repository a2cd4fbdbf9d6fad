//! k-means with k-means++ seeds and restarts.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::backend::Backend;
use crate::error::Result;
use crate::rng;

/// Settings of k-means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeansOptions {
    /// Number of clusters, at least 1 and at most the number of points.
    pub clusters: usize,
    /// Iterations of Lloyd's method at most.
    pub iterations: usize,
    /// Runs from seeds of their own, of which the one with the least inertia stays.
    pub restarts: usize,
    /// Seed of the streams `kmeans/<restart>`.
    pub seed: u64,
}

impl KMeansOptions {
    /// `clusters` clusters, up to 50 iterations, 4 restarts.
    #[must_use]
    pub fn new(clusters: usize, seed: u64) -> Self {
        Self { clusters, iterations: 50, restarts: 4, seed }
    }
}

/// Clusters of points.
#[derive(Debug, Clone)]
pub struct Clustering {
    /// The cluster of each point. Clusters are numbered by their lowest point.
    pub assignment: Vec<usize>,
    /// `K x d`: the means.
    pub centres: Array2<f64>,
    /// The sum of squared distances of the points to their centres.
    pub inertia: f64,
    /// Iterations of the run that stayed.
    pub iterations: usize,
}

/// Iterations between two looks at the device.
const ROUND: usize = 8;

/// Clusters the rows of `points`.
///
/// Points are taken in lexicographic order, so that the clusters do not depend on their order, and less their mean.
/// Seeds are drawn by k-means++ (Arthur and Vassilvitskii, 2007); then [`Backend::lloyd`] makes eight iterations at a time,
/// of which only the moves of the centres and the sizes of the clusters come back, until no centre moves. Between two
/// rounds, the e-th empty cluster takes the point that is e-th farthest from its centre, of those whose cluster has
/// several. At the end means and inertia are computed in f64.
///
/// # Errors
///
/// What the backend returns.
pub fn kmeans<B: Backend>(backend: &B, points: &Array2<f32>, options: &KMeansOptions) -> Result<Clustering> {
    let mut order: Vec<usize> = (0..points.nrows()).collect();
    order.sort_by(|a, b| lexicographic(points.row(*a), points.row(*b)).then(a.cmp(b)));
    let sorted = points.select(Axis(0), &order);
    let wide = sorted.mapv(f64::from);
    let shift = wide.sum_axis(Axis(0)) / super::moments::number(wide.nrows().max(1));
    let device = backend.upload(&super::signal::narrow(&(&wide - &shift)))?;
    let mut best: Option<Clustering> = None;
    for restart in 0..options.restarts.max(1) {
        let mut generator = rng::stream(options.seed, &format!("kmeans/{restart}"));
        let seeds = plus_plus(&sorted, options.clusters, &mut generator);
        if seeds.is_empty() {
            break;
        }
        let found = lloyd(backend, (&wide, &shift), &device, &seeds, options.iterations)?;
        if best.as_ref().is_none_or(|best| found.inertia < best.inertia) {
            best = Some(found);
        }
    }
    let mut best = best.unwrap_or(Clustering {
        assignment: Vec::new(),
        centres: Array2::zeros((0, points.ncols())),
        inertia: 0.0,
        iterations: 0,
    });
    let mut assignment = vec![0; order.len()];
    for (place, point) in order.iter().enumerate() {
        if let Some(cluster) = best.assignment.get(place) {
            assignment[*point] = *cluster;
        }
    }
    best.assignment = assignment;
    Ok(numbered(best))
}

fn lexicographic(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> std::cmp::Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}

fn square_distance(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

/// Seeds: the first is a uniform point, each further one a point drawn with its squared distance to the nearest seed as
/// weight; where all distances are zero the lowest point that is none yet.
///
/// A point whose nearest seed is less than half as far as that seed is from the new one keeps it.
fn plus_plus(points: &Array2<f32>, clusters: usize, generator: &mut ChaCha8Rng) -> Vec<usize> {
    let n = points.nrows();
    let clusters = clusters.min(n);
    let mut seeds: Vec<usize> = Vec::with_capacity(clusters);
    // The squared distance to the nearest seed, and its number.
    let mut nearest = vec![(f64::INFINITY, 0); n];
    let least = 16_384 / points.ncols().max(1) + 1;
    while seeds.len() < clusters {
        let uniform: f64 = generator.random();
        let total: f64 = nearest.iter().map(|(distance, _)| distance).sum();
        let next = if seeds.is_empty() {
            let at = (0..n).position(|i| super::moments::number(i + 1) > uniform * super::moments::number(n));
            at.unwrap_or(n - 1)
        } else if total > 0.0 {
            let mut left = uniform * total;
            let drawn = nearest.iter().position(|(distance, _)| {
                left -= distance;
                left < 0.0
            });
            drawn.or_else(|| nearest.iter().rposition(|(distance, _)| *distance > 0.0)).unwrap_or(0)
        } else {
            (0..n).find(|i| !seeds.contains(i)).unwrap_or(0)
        };
        let (seed, number) = (points.row(next), seeds.len());
        let between = seeds.par_iter().with_min_len(least).map(|other| square_distance(points.row(*other), seed));
        let between: Vec<f64> = between.collect();
        nearest.par_iter_mut().enumerate().with_min_len(least).for_each(|(i, (distance, owner))| {
            let far = between.get(*owner).is_some_and(|between| between * (1.0 - 1e-9) >= 4.0 * *distance);
            if !far {
                let found = square_distance(points.row(i), seed);
                if found < *distance {
                    (*distance, *owner) = (found, number);
                }
            }
        });
        seeds.push(next);
    }
    seeds
}

/// Rounds of iterations from seeds; `points` and the `shift` that the device's copies of them are less.
fn lloyd<B: Backend>(
    backend: &B,
    (points, shift): (&Array2<f64>, &Array1<f64>),
    device: &B::Matrix,
    seeds: &[usize],
    iterations: usize,
) -> Result<Clustering> {
    let mut centres = backend.upload(&super::signal::narrow(&(points.select(Axis(0), seeds) - shift)))?;
    let (iterations, mut done) = (iterations.max(1), 0);
    loop {
        let round = ROUND.min(iterations - done);
        let found = backend.lloyd(device, &centres, round)?;
        let mut settled = None;
        for (at, moved) in found.moved.iter().enumerate() {
            if backend.download(moved)?.iter().all(|square| *square == 0.0) {
                settled = Some(at + 1);
                break;
            }
        }
        done += settled.unwrap_or(round);
        let filled = !backend.download_indices(&found.counts)?.contains(&0);
        let ends = done >= iterations;
        if filled && settled.is_none() && !ends {
            centres = found.centres;
            continue;
        }
        let labels = backend.download_indices(&found.labels)?;
        let mut assignment: Vec<usize> = labels.into_iter().map(|cluster| cluster as usize).collect();
        let before = gaps(points, &assignment, &means(points, &assignment, seeds.len()));
        fill(&mut assignment, &before, seeds.len());
        let means = means(points, &assignment, seeds.len());
        // Where all points lie on their centres, another cluster for one of them changes nothing.
        if filled || ends || before.iter().all(|gap| *gap == 0.0) {
            let inertia = gaps(points, &assignment, &means).iter().sum();
            return Ok(Clustering { inertia, assignment, centres: means, iterations: done });
        }
        centres = backend.upload(&super::signal::narrow(&(means - shift)))?;
    }
}

/// Squared distances of points to the centres of their clusters.
fn gaps(points: &Array2<f64>, assignment: &[usize], centres: &Array2<f64>) -> Vec<f64> {
    let gap = |(point, cluster): (ArrayView1<'_, f64>, &usize)| {
        point.iter().zip(centres.row(*cluster)).map(|(x, c)| (x - c) * (x - c)).sum()
    };
    points.rows().into_iter().zip(assignment).map(gap).collect()
}

/// Gives each empty cluster a far point of a cluster with several.
fn fill(assignment: &mut [usize], gaps: &[f64], clusters: usize) {
    let mut counts = vec![0_usize; clusters];
    assignment.iter().for_each(|cluster| counts[*cluster] += 1);
    if !counts.contains(&0) {
        return;
    }
    let mut far: Vec<usize> = (0..assignment.len()).collect();
    far.sort_by(|a, b| gaps[*b].total_cmp(&gaps[*a]).then(a.cmp(b)));
    let mut far = far.into_iter();
    for empty in 0..clusters {
        if counts[empty] > 0 {
            continue;
        }
        if let Some(point) = far.by_ref().find(|point| counts[assignment[*point]] > 1) {
            counts[assignment[point]] -= 1;
            assignment[point] = empty;
            counts[empty] = 1;
        }
    }
}

/// The means of clusters; zeros for one without points.
fn means(points: &Array2<f64>, assignment: &[usize], clusters: usize) -> Array2<f64> {
    let (mut centres, mut counts) = (Array2::<f64>::zeros((clusters, points.ncols())), vec![0_usize; clusters]);
    for (point, cluster) in points.rows().into_iter().zip(assignment) {
        counts[*cluster] += 1;
        centres.row_mut(*cluster).zip_mut_with(&point, |sum, value| *sum += value);
    }
    for (mut centre, count) in centres.rows_mut().into_iter().zip(&counts) {
        centre /= super::moments::number((*count).max(1));
    }
    centres
}

/// Clusters numbered by their lowest point; numbers without points go last.
fn numbered(found: Clustering) -> Clustering {
    let order = by_first_point(&found.assignment, found.centres.nrows());
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, old)| place[*old] = new);
    Clustering {
        assignment: found.assignment.iter().map(|cluster| place[*cluster]).collect(),
        centres: found.centres.select(Axis(0), &order),
        ..found
    }
}

/// Clusters in the order of their lowest points.
fn by_first_point(assignment: &[usize], clusters: usize) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(clusters);
    let mut seen = vec![false; clusters];
    for cluster in assignment.iter().copied().chain(0..clusters) {
        if !std::mem::replace(&mut seen[cluster], true) {
            order.push(cluster);
        }
    }
    order
}
