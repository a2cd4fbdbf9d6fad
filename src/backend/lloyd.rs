//! Lloyd's method as a sequence of operations.

use super::{Backend, check};
use crate::error::Result;

/// Where some iterations of Lloyd's method lead, see [`Backend::lloyd`].
#[derive(Debug)]
pub struct Lloyd<M, I> {
    /// `n`: the cluster of each point in the last iteration.
    pub labels: I,
    /// `k x d`: the means of these clusters; of a cluster without points, what was its centre before.
    pub centres: M,
    /// `k`: points of each cluster.
    pub counts: I,
    /// `1 x k` for each iteration: squared distances by which the centres moved. Clusters are stable from the first
    /// iteration on that moves none; a backend that looks ends there.
    pub moved: Vec<M>,
}

/// [`Backend::lloyd`] as its contract says it.
pub(super) fn plain<B: Backend + ?Sized>(
    backend: &B,
    points: &B::Matrix,
    centres: &B::Matrix,
    iterations: usize,
) -> Result<Lloyd<B::Matrix, B::Indices>> {
    check::lloyd(backend.shape(points), backend.shape(centres), iterations)?;
    // The means of clusters of one point are the points themselves.
    let each: Vec<u32> = (0..).take(backend.shape(centres)[0]).collect();
    let mut labels = backend.upload_indices(&each)?;
    let mut means = backend.cluster_means(centres, &labels, centres)?;
    let mut moved = Vec::with_capacity(iterations);
    for _ in 0..iterations {
        labels = backend.tropical_eval(points, &means.centres, &means.offsets)?.arguments;
        means = backend.cluster_means(points, &labels, &means.centres)?;
        moved.push(means.moved);
    }
    Ok(Lloyd { labels, centres: means.centres, counts: means.counts, moved })
}
