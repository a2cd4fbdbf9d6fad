//! Trees of clusters by Ward's or average linkage, and cuts through them.

use kodama::{Method, linkage};
use ndarray::Array2;

/// How far apart two clusters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Linkage {
    /// By how much the squared distances to the means grow where they join, in the scale of a distance (Ward, 1963).
    Ward,
    /// The mean distance between a point of one and a point of the other.
    Average,
}

/// A tree of clusters over points.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    points: usize,
    /// The two clusters of each merge and the distance at which they join, ascending. Cluster `points + i` is the one
    /// that merge `i` makes.
    merges: Vec<(usize, usize, f64)>,
}

impl Tree {
    /// The tree over the rows of `points`.
    pub(super) fn new(points: &Array2<f64>, by: Linkage) -> Self {
        let n = points.nrows();
        let mut distances = Vec::with_capacity(n * n.saturating_sub(1) / 2);
        for i in 0..n {
            for j in i + 1..n {
                let square: f64 = points.row(i).iter().zip(points.row(j)).map(|(a, b)| (a - b) * (a - b)).sum();
                distances.push(square.sqrt());
            }
        }
        let method = match by {
            Linkage::Ward => Method::Ward,
            Linkage::Average => Method::Average,
        };
        let tree = linkage(&mut distances, n, method);
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

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{Linkage, Tree};

    #[test]
    fn distances_by_hand() {
        // 0 and 1 join first. 4 is 4 and 3 away from them: 3.5 on average; by Ward sqrt(2 * 2 * 1 / 3) 3.5.
        let points = array![[0.0], [4.0], [1.0]];
        for (by, want) in [(Linkage::Average, 3.5), (Linkage::Ward, (4.0_f64 / 3.0).sqrt() * 3.5)] {
            let tree = Tree::new(&points, by);
            let found: Vec<f64> = tree.distances().collect();
            assert!((found[0] - 1.0).abs() < 1e-12 && (found[1] - want).abs() < 1e-12, "{by:?}: {found:?}");
            assert_eq!(tree.cut_into(2), [0, 1, 0]);
        }
    }

    #[test]
    fn the_two_linkages_differ_where_sizes_do() {
        // Ward joins the small clusters before the large one takes either; the mean distance does not look at sizes.
        let points = array![[0.0], [0.1], [0.2], [0.3], [2.0], [4.1]];
        assert_eq!(Tree::new(&points, Linkage::Average).cut_into(2), [0, 0, 0, 0, 0, 1]);
        assert_eq!(Tree::new(&points, Linkage::Ward).cut_into(2), [0, 0, 0, 0, 1, 1]);
    }
}
