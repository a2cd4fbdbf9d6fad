//! Trees of clusters by Ward's linkage, and cuts through them.

use kodama::{Method, linkage};
use ndarray::Array2;

/// A tree of clusters over points.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    points: usize,
    /// The two clusters of each merge and the distance at which they join, ascending. Cluster `points + i` is the one
    /// that merge `i` makes.
    merges: Vec<(usize, usize, f64)>,
}

impl Tree {
    /// The tree of Ward's method over the rows of `points`.
    pub(super) fn ward(points: &Array2<f64>) -> Self {
        let n = points.nrows();
        let mut distances = Vec::with_capacity(n * n.saturating_sub(1) / 2);
        for i in 0..n {
            for j in i + 1..n {
                let square: f64 = points.row(i).iter().zip(points.row(j)).map(|(a, b)| (a - b) * (a - b)).sum();
                distances.push(square.sqrt());
            }
        }
        let tree = linkage(&mut distances, n, Method::Ward);
        let merges = tree.steps().iter().map(|step| (step.cluster1, step.cluster2, step.dissimilarity)).collect();
        Self { points: n, merges }
    }

    /// The distance of each merge, ascending.
    pub(super) fn distances(&self) -> impl Iterator<Item = f64> {
        self.merges.iter().map(|merge| merge.2)
    }

    /// `clusters` clusters.
    pub(super) fn cut_into(&self, clusters: usize) -> Vec<usize> {
        self.after(self.points.saturating_sub(clusters.max(1)))
    }

    fn after(&self, merges: usize) -> Vec<usize> {
        let mut parent: Vec<usize> = (0..self.points + merges).collect();
        for (at, (a, b, _)) in self.merges[..merges].iter().enumerate() {
            parent[*a] = self.points + at;
            parent[*b] = self.points + at;
        }
        let root = |mut at: usize| {
            while parent[at] != at {
                at = parent[at];
            }
            at
        };
        let mut names: Vec<usize> = Vec::new();
        (0..self.points)
            .map(|point| {
                let root = root(point);
                names.iter().position(|name| *name == root).unwrap_or_else(|| {
                    names.push(root);
                    names.len() - 1
                })
            })
            .collect()
    }
}
