//! Planes in the space of inputs.

use ndarray::{Array1, Array2, Axis};
use rand::RngExt;

use crate::backend::RowSource;
use crate::error::{Error, Result};
use crate::geometry::clip::Point;
use crate::rng;

/// A plane with an orthonormal basis, so that distances in it are distances in the space.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// The point with coordinates `(0, 0)`.
    pub origin: Vec<f64>,
    /// Two orthonormal directions.
    pub axes: [Vec<f64>; 2],
}

/// Samples that principal axes are computed from at most.
const MOST_SAMPLES: usize = 10_000;

/// Dimension of the subspace that is iterated: the error falls by the ratio of the next spread to the second.
const SUBSPACE: usize = 10;

/// Iterations of the subspace at most.
const MOST_ITERATIONS: usize = 1000;

impl Plane {
    /// The plane of a network with two inputs.
    #[must_use]
    pub fn whole() -> Self {
        Self { origin: vec![0.0; 2], axes: [vec![1.0, 0.0], vec![0.0, 1.0]] }
    }

    /// The plane through three points: the first is the origin, the first axis points to the second.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for points of different lengths, or on a line.
    pub fn through(points: [&[f64]; 3]) -> Result<Self> {
        let [a, b, c] = points;
        if a.len() != b.len() || a.len() != c.len() {
            return Err(Error::Data { problem: "three points of different lengths".to_owned() });
        }
        let minus = |p: &[f64]| -> Array1<f64> { p.iter().zip(a).map(|(x, o)| x - o).collect() };
        let (b, c) = (minus(b), minus(c));
        let size = b.dot(&b).sqrt().max(c.dot(&c).sqrt());
        let first = &b / b.dot(&b).sqrt();
        let second = &c - &(&first * first.dot(&c));
        let rest = second.dot(&second).sqrt();
        // Equal points make NaN of the first comparison, which is not above.
        if !(b.dot(&b).sqrt() > 1e-9 * size && rest > 1e-9 * size) {
            return Err(Error::Data { problem: "the three points lie on a line and span no plane".to_owned() });
        }
        Ok(Self { origin: a.to_vec(), axes: [first.to_vec(), (second / rest).to_vec()] })
    }

    /// The plane through the mean along the two directions in which the first 10,000 samples spread most, the leading
    /// eigenvectors of their covariance: subspace iteration with Rayleigh and Ritz, to a residual of 1e-10 of the
    /// spread. Each direction has its largest entry positive.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for samples that do not spread in two directions, and what the source returns.
    pub fn principal(inputs: &dyn RowSource) -> Result<Self> {
        let [count, n] = inputs.shape();
        let count = count.min(MOST_SAMPLES);
        let mut values = vec![0.0_f32; count * n];
        inputs.read_rows(0, &mut values)?;
        let flat = || Error::Data { problem: "the samples do not spread in two directions".to_owned() };
        let samples = Array2::from_shape_vec((count, n), values).map_err(|_| flat())?.mapv(f64::from);
        let mean = samples.mean_axis(Axis(0)).ok_or_else(flat)?;
        let centred = samples - &mean;
        let mut stream = rng::stream(0, "principal axes");
        let start = Array2::from_shape_simple_fn((n, n.min(SUBSPACE)), || stream.random_range(-1.0..1.0));
        let (mut basis, mut spreads) = (orthonormal(start), vec![0.0; n.min(SUBSPACE)]);
        for _ in 0..MOST_ITERATIONS {
            let image = centred.t().dot(&centred.dot(&basis));
            let (turn, values) = eigenvectors(&basis.t().dot(&image));
            let (ritz, image) = (basis.dot(&turn), image.dot(&turn));
            let residual = |k: usize| {
                let rest = &image.column(k) - &(&ritz.column(k) * values[k]);
                rest.dot(&rest).sqrt()
            };
            let done = (0..values.len().min(2)).all(|k| residual(k) <= 1e-10 * values[0]);
            spreads = values;
            basis = if done { ritz } else { orthonormal(image) };
            if done {
                break;
            }
        }
        if spreads.len() < 2 || spreads[1].is_nan() || spreads[1] <= 1e-12 * spreads[0] || spreads[0] <= 0.0 {
            return Err(flat());
        }
        let axis = |k: usize| {
            let column = basis.column(k);
            let largest = column.iter().fold(0.0_f64, |most, x| if x.abs() > most.abs() { *x } else { most });
            column.iter().map(|x| x * largest.signum()).collect()
        };
        Ok(Self { origin: mean.to_vec(), axes: [axis(0), axis(1)] })
    }

    /// Coordinates of the point of the plane that is nearest to `x`.
    #[must_use]
    pub fn coordinates(&self, x: &[f64]) -> Point {
        self.axes
            .each_ref()
            .map(|axis| axis.iter().zip(x.iter().zip(&self.origin)).map(|(a, (x, o))| a * (x - o)).sum())
    }
}

/// The columns of a matrix made orthonormal, by Gram and Schmidt, twice over; columns of zeros stay.
fn orthonormal(mut columns: Array2<f64>) -> Array2<f64> {
    for k in 0..columns.ncols() {
        for _ in 0..2 {
            for earlier in 0..k {
                let other = columns.column(earlier).to_owned();
                let along = other.dot(&columns.column(k));
                columns.column_mut(k).scaled_add(-along, &other);
            }
        }
        let length = columns.column(k).dot(&columns.column(k)).sqrt();
        if length > 0.0 {
            columns.column_mut(k).mapv_inplace(|x| x / length);
        }
    }
    columns
}

/// Eigenvectors of a symmetric matrix as columns and eigenvalues, largest first.
fn eigenvectors(matrix: &Array2<f64>) -> (Array2<f64>, Vec<f64>) {
    let size = matrix.nrows();
    let found =
        nalgebra::DMatrix::from_fn(size, size, |i, j| 0.5 * (matrix[[i, j]] + matrix[[j, i]])).symmetric_eigen();
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|a, b| found.eigenvalues[*b].total_cmp(&found.eigenvalues[*a]));
    let vectors = Array2::from_shape_fn((size, size), |(i, k)| found.eigenvectors[(i, order[k])]);
    (vectors, order.iter().map(|k| found.eigenvalues[*k]).collect())
}
