//! Means of clusters, summed in f64 over the members in ascending order.

use rayon::prelude::*;

use super::matrix::HostMatrix;
use crate::backend::{ClusterMeans, check, vectorised};
use crate::error::Result;

/// Columns whose sums stay in the L1 cache.
const TILE: usize = 512;

pub(super) fn cluster_means(
    points: &HostMatrix,
    labels: &[u32],
    previous: &HostMatrix,
) -> Result<ClusterMeans<HostMatrix, Vec<u32>>> {
    let [k, d] = check::cluster_means(points.shape(), labels.len(), previous.shape())?;
    let members = Members::of(labels, k);
    let mut centres = HostMatrix::unwritten("cluster_means", [k, d])?;
    centres.values_mut().par_chunks_mut(d.max(1)).enumerate().for_each(|(cluster, out)| {
        mean(points, members.of_cluster(cluster), previous.row(cluster), out);
    });
    let sizes = |cluster: usize| Sizes::of(previous.row(cluster), centres.row(cluster));
    let sizes: Vec<Sizes> = (0..k).into_par_iter().map(sizes).collect();
    #[expect(clippy::cast_possible_truncation, reason = "results are f32")]
    let vector = |of: fn(&Sizes) -> f64| HostMatrix::row_vector(sizes.iter().map(|sizes| of(sizes) as f32).collect());
    let (moved, offsets) = (vector(|sizes| sizes.moved), vector(|sizes| -0.5 * sizes.square));
    Ok(ClusterMeans { counts: members.counts(), centres, moved, offsets })
}

/// The points of each cluster, ascending.
pub(super) struct Members {
    order: Vec<u32>,
    /// Where each cluster starts in the order, and where the last one ends.
    starts: Vec<usize>,
}

impl Members {
    /// Sorts points by their labels; labels that are no cluster's are left out.
    pub(super) fn of(labels: &[u32], clusters: usize) -> Self {
        let mut starts = vec![0; clusters + 1];
        for label in labels {
            if let Some(next) = starts.get_mut(*label as usize + 1) {
                *next += 1;
            }
        }
        for cluster in 0..clusters {
            starts[cluster + 1] += starts[cluster];
        }
        let (mut places, mut order) = (starts.clone(), vec![0; starts[clusters]]);
        for (point, label) in (0..).zip(labels) {
            if let Some(place) = places.get_mut(*label as usize).filter(|_| (*label as usize) < clusters) {
                order[*place] = point;
                *place += 1;
            }
        }
        Self { order, starts }
    }

    pub(super) fn of_cluster(&self, cluster: usize) -> &[u32] {
        &self.order[self.starts[cluster]..self.starts[cluster + 1]]
    }

    #[expect(clippy::cast_possible_truncation, reason = "there are no more points than labels, which fit")]
    pub(super) fn counts(&self) -> Vec<u32> {
        self.starts.windows(2).map(|ends| (ends[1] - ends[0]) as u32).collect()
    }
}

/// The mean of some points, or what was before where there is none.
pub(super) fn mean(points: &HostMatrix, members: &[u32], previous: &[f32], out: &mut [f32]) {
    if members.is_empty() {
        out.copy_from_slice(previous);
        return;
    }
    let count = members.len() as f64;
    out.par_chunks_mut(TILE).enumerate().for_each(|(tile, out)| {
        let first = tile * TILE;
        let mut sums = [0.0_f64; TILE];
        let sums = &mut sums[..out.len()];
        vectorised(
            #[inline(always)]
            || {
                for member in members {
                    let row = &points.row(*member as usize)[first..first + sums.len()];
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum += f64::from(*value);
                    }
                }
                for (out, sum) in out.iter_mut().zip(&*sums) {
                    #[expect(clippy::cast_possible_truncation, reason = "results are f32")]
                    let rounded = (sum / count) as f32;
                    *out = rounded;
                }
            },
        );
    });
}

/// How far a centre moved, and how long it is.
pub(super) struct Sizes {
    /// `|c - p|^2`.
    pub(super) moved: f64,
    /// `|c|^2`.
    pub(super) square: f64,
}

impl Sizes {
    pub(super) fn of(previous: &[f32], centre: &[f32]) -> Self {
        vectorised(
            #[inline(always)]
            || {
                let (mut moved, mut square) = ([0.0; 16], [0.0; 16]);
                let (before, before_tail) = previous.as_chunks::<16>();
                let (now, now_tail) = centre.as_chunks::<16>();
                for (before, now) in before.iter().zip(now) {
                    for lane in 0..16 {
                        let (p, c) = (f64::from(before[lane]), f64::from(now[lane]));
                        moved[lane] += (c - p) * (c - p);
                        square[lane] += c * c;
                    }
                }
                for (lane, (p, c)) in before_tail.iter().zip(now_tail).enumerate() {
                    let (p, c) = (f64::from(*p), f64::from(*c));
                    moved[lane] += (c - p) * (c - p);
                    square[lane] += c * c;
                }
                Self { moved: moved.iter().sum(), square: square.iter().sum() }
            },
        )
    }
}
