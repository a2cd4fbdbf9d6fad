//! k-means with k-means++ seeds and restarts.

use ndarray::{Array2, ArrayView1, Axis};
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

/// Clusters the rows of `points`.
///
/// Points are taken in lexicographic order, so that the clusters do not depend on their order. Seeds are drawn by
/// k-means++ (Arthur and Vassilvitskii, 2007); then points go to the nearest centre
/// ([`Backend::nearest`]: the lowest of equal ones) and centres to the means, summed in f64 in that order, until no point
/// changes. The e-th empty cluster takes the point that is e-th farthest from its centre.
///
/// # Errors
///
/// What the backend returns.
pub fn kmeans<B: Backend>(backend: &B, points: &Array2<f32>, options: &KMeansOptions) -> Result<Clustering> {
    let mut order: Vec<usize> = (0..points.nrows()).collect();
    order.sort_by(|a, b| lexicographic(points.row(*a), points.row(*b)).then(a.cmp(b)));
    let sorted = points.select(Axis(0), &order);
    let device = backend.upload(&sorted)?;
    let mut best: Option<Clustering> = None;
    for restart in 0..options.restarts.max(1) {
        let mut generator = rng::stream(options.seed, &format!("kmeans/{restart}"));
        let seeds = plus_plus(&sorted, options.clusters, &mut generator);
        let found = lloyd(backend, &sorted, &device, &seeds, options.iterations)?;
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
        assignment[*point] = best.assignment[place];
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
fn plus_plus(points: &Array2<f32>, clusters: usize, generator: &mut ChaCha8Rng) -> Vec<usize> {
    let n = points.nrows();
    let clusters = clusters.min(n);
    let mut seeds = Vec::with_capacity(clusters);
    let mut distances = vec![f64::INFINITY; n];
    while seeds.len() < clusters {
        let uniform: f64 = generator.random();
        let total: f64 = distances.iter().sum();
        let next = if seeds.is_empty() {
            let at = (0..n).position(|i| super::moments::number(i + 1) > uniform * super::moments::number(n));
            at.unwrap_or(n - 1)
        } else if total > 0.0 {
            let mut left = uniform * total;
            let drawn = distances.iter().position(|distance| {
                left -= distance;
                left < 0.0
            });
            drawn.or_else(|| distances.iter().rposition(|distance| *distance > 0.0)).unwrap_or(0)
        } else {
            (0..n).find(|i| !seeds.contains(i)).unwrap_or(0)
        };
        seeds.push(next);
        let seed = points.row(next);
        let each = distances.par_iter_mut().enumerate().with_min_len(16_384 / points.ncols().max(1) + 1);
        each.for_each(|(i, distance)| *distance = distance.min(square_distance(points.row(i), seed)));
    }
    seeds
}

fn lloyd<B: Backend>(
    backend: &B,
    points: &Array2<f32>,
    device: &B::Matrix,
    seeds: &[usize],
    iterations: usize,
) -> Result<Clustering> {
    let mut centres = points.select(Axis(0), seeds).mapv(f64::from);
    let mut assignment: Vec<usize> = Vec::new();
    let mut done = 0;
    for _ in 0..iterations.max(1) {
        done += 1;
        let nearest = backend.nearest(device, &backend.upload(&super::signal::narrow(&centres))?)?;
        let found: Vec<usize> =
            backend.download_indices(&nearest.arguments)?.into_iter().map(|cluster| cluster as usize).collect();
        if found == assignment {
            break;
        }
        assignment = found;
        let distances: Vec<f64> = backend.download(&nearest.values)?.into_iter().collect();
        centres = means(points, &mut assignment, &distances, seeds.len());
    }
    let inertia = points.rows().into_iter().zip(&assignment).map(|(point, cluster)| {
        point.iter().zip(centres.row(*cluster)).map(|(x, c)| (f64::from(*x) - c).powi(2)).sum::<f64>()
    });
    Ok(Clustering { inertia: inertia.sum(), assignment, centres, iterations: done })
}

/// The means of the clusters, after each empty one has taken a far point of a cluster with several.
fn means(points: &Array2<f32>, assignment: &mut [usize], distances: &[f64], clusters: usize) -> Array2<f64> {
    let mut counts = vec![0_usize; clusters];
    assignment.iter().for_each(|cluster| counts[*cluster] += 1);
    if counts.contains(&0) {
        let mut far: Vec<usize> = (0..assignment.len()).collect();
        far.sort_by(|a, b| distances[*b].total_cmp(&distances[*a]).then(a.cmp(b)));
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
    let mut centres = Array2::<f64>::zeros((clusters, points.ncols()));
    for (point, cluster) in points.rows().into_iter().zip(assignment.iter()) {
        centres.row_mut(*cluster).iter_mut().zip(point).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    for (mut centre, count) in centres.rows_mut().into_iter().zip(&counts) {
        let count = super::moments::number((*count).max(1));
        centre.iter_mut().for_each(|sum| *sum /= count);
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
