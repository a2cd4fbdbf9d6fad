//! The affine hull of points: an origin and an orthonormal basis.

use ndarray::{Array2, ArrayView1};

/// An affine subspace of `R^d` of dimension `rank`, with coordinates in it.
#[derive(Debug, Clone)]
pub struct AffineFrame {
    /// A point of the subspace.
    pub origin: Vec<f64>,
    /// `rank` orthonormal directions. The unit vectors where the rank is the dimension of the space.
    pub basis: Vec<Vec<f64>>,
    /// `rank + 1` of the points, affinely independent; empty without points.
    pub support: Vec<usize>,
    /// Whether the subspace is the whole space, so that coordinates are the points themselves.
    pub whole: bool,
}

impl AffineFrame {
    /// The affine hull of the rows of `points`, by Gram and Schmidt with the farthest point next.
    ///
    /// A direction counts where some point lies farther than `tolerance` times the largest distance from the first
    /// support point. Deterministic: of equal distances the lowest row is taken.
    #[must_use]
    pub fn of(points: &Array2<f64>, tolerance: f64) -> Self {
        let dimension = points.ncols();
        if points.nrows() == 0 {
            return Self { origin: vec![0.0; dimension], basis: Vec::new(), support: Vec::new(), whole: false };
        }
        // The lexicographically least point is a vertex of the hull.
        let least = |a: &usize, b: &usize| {
            points.row(*a).iter().zip(points.row(*b)).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne())
        };
        let first = (0..points.nrows()).min_by(|a, b| least(a, b).unwrap_or(std::cmp::Ordering::Equal)).unwrap_or(0);
        let origin = points.row(first).to_vec();
        let mut residuals: Vec<Vec<f64>> =
            points.rows().into_iter().map(|row| row.iter().zip(&origin).map(|(x, o)| x - o).collect()).collect();
        let (mut basis, mut support): (Vec<Vec<f64>>, _) = (Vec::new(), vec![first]);
        let mut scale = None;
        while basis.len() < dimension {
            let Some((at, length)) = farthest(&residuals) else { break };
            let scale = *scale.get_or_insert(length);
            if length <= tolerance * scale || length == 0.0 {
                break;
            }
            let mut direction: Vec<f64> = residuals[at].iter().map(|x| x / length).collect();
            // Once more against the earlier directions: residuals of long projections are not orthogonal to the last
            // bit.
            for earlier in &basis {
                let along = dot(earlier, &direction);
                direction.iter_mut().zip(earlier).for_each(|(x, e)| *x -= along * e);
            }
            let norm = dot(&direction, &direction).sqrt();
            direction.iter_mut().for_each(|x| *x /= norm);
            for residual in &mut residuals {
                let along = dot(residual, &direction);
                residual.iter_mut().zip(&direction).for_each(|(x, d)| *x -= along * d);
            }
            basis.push(direction);
            support.push(at);
        }
        let whole = basis.len() == dimension;
        if whole {
            basis = (0..dimension).map(|i| (0..dimension).map(|j| f64::from(u8::from(i == j))).collect()).collect();
            return Self { origin: vec![0.0; dimension], basis, support, whole };
        }
        Self { origin, basis, support, whole }
    }

    /// Dimension of the subspace.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.basis.len()
    }

    /// Coordinates of points, one row each; exactly the points where the subspace is the whole space.
    #[must_use]
    pub fn coordinates(&self, points: &Array2<f64>) -> Array2<f64> {
        if self.whole {
            return points.clone();
        }
        Array2::from_shape_fn((points.nrows(), self.rank()), |(i, k)| self.coordinate(points.row(i), k))
    }

    fn coordinate(&self, point: ArrayView1<'_, f64>, k: usize) -> f64 {
        point.iter().zip(&self.origin).zip(&self.basis[k]).map(|((x, o), b)| (x - o) * b).sum()
    }

    /// A direction of the subspace in the coordinates of the space.
    #[must_use]
    pub fn lift_direction(&self, coordinates: &[f64]) -> Vec<f64> {
        let dimension = self.origin.len();
        (0..dimension).map(|j| coordinates.iter().zip(&self.basis).map(|(c, b)| c * b[j]).sum()).collect()
    }
}

fn farthest(residuals: &[Vec<f64>]) -> Option<(usize, f64)> {
    let lengths = residuals.iter().map(|r| dot(r, r).sqrt()).enumerate();
    lengths.fold(None, |best, (i, length)| match best {
        Some((_, most)) if length <= most => best,
        _ => Some((i, length)),
    })
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
