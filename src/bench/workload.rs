//! The workloads: what each computes, from which operands, and the value by which another program checks it.

use std::time::Instant;

use ndarray::Array2;
use serde::Serialize;

use super::curve;
use super::data::array;
use super::geometry;
use super::kmeans;
use crate::backend::{Activation, Backend, Cutoff, HalfStep, Transpose};
use crate::error::{Error, Result};

/// What the rate of a workload counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Multiplications and additions of the inner products; folds are not counted.
    #[serde(rename = "GFLOP/s")]
    Flops,
    /// Additions and maxima of max-plus products.
    #[serde(rename = "Gop/s")]
    AddMax,
    /// Bytes that have to be read or written once.
    #[serde(rename = "GB/s")]
    Bytes,
}

impl Unit {
    /// The name of the rate, in billions a second.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flops => "GFLOP/s",
            Self::AddMax => "Gop/s",
            Self::Bytes => "GB/s",
        }
    }
}

/// What a workload computes; the comment of each variant names the entries of its shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `[n, d, m]`: `max(X W^T + b, 0)`. Checked by the mean.
    Affine,
    /// `[n, d, m]`: `A^T B` with `A` of `d` rows. Checked by the mean.
    MatmulTransposed,
    /// `[n, d, m]`: the max-plus product `A (x) B`. Checked by the mean.
    MaxPlusMatmul,
    /// `[n, d, m]`: nearest of m points for n points. Checked by the mean of `value + argument / m`.
    Nearest,
    /// `[n, d, m]`: support functions of m generators weighted for ten classes. Checked by the mean.
    ClassSupports,
    /// `[n, d, m]`: activation patterns of m generators. Checked by the mean of the words over `m`.
    ActivationPatterns,
    /// `[p, n, 1]`: squared path norms forward. Checked by the mean.
    PathNorms,
    /// `[p, n, 1]`: squared path norms backward. Checked by the mean.
    PathNormsBackward,
    /// `[p, n, 1]`: weights below a cut-off of 0 in scores set to zero. Checked by the mean.
    ThresholdMask,
    /// `[n, d, m]`: values and arguments of a tropical polynomial. Checked by the mean of `value + argument / m`.
    TropicalEval,
    /// `[n, d, m]`: the support function of one zonotope with m generators. Checked by the mean.
    SupportFunction,
    /// `[n, d, m]`: `max |h_1(u) - h_2(u)|` over n directions, two zonotopes of m generators each. Checked by itself.
    SupportDifference,
    /// `[p, n, k]`: norms and row scores. Checked by the mean of the row scores.
    RowScores,
    /// `[p, n, k]`: scores, then rows and elements updated once at lambda 20. Checked by the mean of the elements.
    ScoresAndUpdate,
    /// `[n, d, m]`: directed Hausdorff distance of n points to m independent ones, all normal; the rate counts all pairs,
    /// as brute force would compute them. Checked by itself.
    HausdorffIndependent,
    /// `[n, d, m]`: the same for points that are near copies of some of the m, `n <= m`. Checked by itself.
    HausdorffNear,
    /// `[p, d, 1]`: all vertices of a zonotope, on the host whatever the device; the rate counts the sign vectors of all
    /// (d - 1)-subsets, in the plane what is read and written. Checked by the mean length of the vertices.
    ZonotopeVertices,
    /// `[n, d, k]`: one iteration of k-means, which computes every pair, on n clustered points from k of them. Checked by the
    /// mean squared distance to the new centres.
    KMeansOnce,
    /// `[n, d, k]`: ten iterations of the same; the rate counts all pairs in each. Checked likewise.
    KMeans,
    /// `[samples, widths...]`: a pruning curve by magnitude over all layers at the rates 0, 0.02, ... 0.98. Checked by
    /// the mean agreement with the whole network.
    Curve,
}

/// A row of the bench.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Short name.
    pub id: &'static str,
    /// What it is, for tables.
    pub title: &'static str,
    /// What it computes.
    pub operation: Operation,
    /// Sizes as [`Operation`] names them; quick runs and the crossover divide the first.
    pub shape: &'static [usize],
}

/// The workloads of `tropix bench`. A new one is a row here, and an [`Operation`] where none fits.
pub const WORKLOADS: &[Workload] = &[
    row("W1a", "tropical polynomial", Operation::TropicalEval, &[65_536, 64, 4096]),
    row("W1b", "tropical polynomial, plane", Operation::TropicalEval, &[1_000_000, 2, 512]),
    row("W2a", "max-plus product", Operation::MaxPlusMatmul, &[1024, 1024, 1024]),
    row("W2b", "max-plus product", Operation::MaxPlusMatmul, &[2048, 2048, 2048]),
    row("W3a", "Hausdorff, independent", Operation::HausdorffIndependent, &[20_000, 3, 20_000]),
    row("W3b", "Hausdorff, independent", Operation::HausdorffIndependent, &[20_000, 16, 20_000]),
    row("W3c", "Hausdorff, independent", Operation::HausdorffIndependent, &[20_000, 256, 20_000]),
    row("W3d", "Hausdorff, near copies", Operation::HausdorffNear, &[20_000, 3, 20_000]),
    row("W3e", "Hausdorff, near copies", Operation::HausdorffNear, &[20_000, 16, 20_000]),
    row("W3f", "Hausdorff, near copies", Operation::HausdorffNear, &[5000, 256, 5000]),
    row("W4", "support difference", Operation::SupportDifference, &[100_000, 64, 2048]),
    row("W5", "scores and update", Operation::ScoresAndUpdate, &[4096, 25_088, 1000]),
    row("W6a", "k-means, one iteration", Operation::KMeansOnce, &[4096, 4096, 1024]),
    row("W6b", "k-means, ten iterations", Operation::KMeans, &[4096, 4096, 1024]),
    row("W7a", "zonotope vertices", Operation::ZonotopeVertices, &[12, 3, 1]),
    row("W7b", "zonotope vertices", Operation::ZonotopeVertices, &[20, 3, 1]),
    row("W7c", "zonotope vertices", Operation::ZonotopeVertices, &[16, 4, 1]),
    row("W7d", "zonotope vertices", Operation::ZonotopeVertices, &[10, 6, 1]),
    row("W7e", "zonotope vertices, plane", Operation::ZonotopeVertices, &[200, 2, 1]),
    row("W7f", "zonotope vertices, plane", Operation::ZonotopeVertices, &[1_000_000, 2, 1]),
    row("W8a", "pruning curve", Operation::Curve, &[10_000, 512, 512, 10]),
    row("W8b", "pruning curve, two hidden", Operation::Curve, &[10_000, 784, 512, 512, 10]),
];

const fn row(id: &'static str, title: &'static str, operation: Operation, shape: &'static [usize]) -> Workload {
    Workload { id, title, operation, shape }
}

/// Results on the host.
#[derive(Debug, Default)]
pub struct Results {
    /// Matrices.
    pub matrices: Vec<Array2<f64>>,
    /// Lists of indices.
    pub indices: Vec<Vec<u32>>,
    /// Iterations that changed something, and the one that found nothing to change, of a method that iterates.
    pub iterations: Option<usize>,
}

impl Results {
    pub(super) fn of(matrix: Array2<f64>) -> Self {
        Self { matrices: vec![matrix], ..Self::default() }
    }

    /// Bytes that came from the device, four for each entry.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let entries: usize = self.matrices.iter().map(Array2::len).chain(self.indices.iter().map(Vec::len)).sum();
        4 * entries
    }
}

/// Copies results to the host.
pub type Download<'a> = Box<dyn FnOnce() -> Result<Results> + 'a>;

/// A workload with its operands on a device.
pub struct Prepared<'a> {
    /// Seconds and bytes of the upload.
    pub upload: (f64, usize),
    /// Operations or bytes of one run.
    pub work: f64,
    /// Which of the two.
    pub unit: Unit,
    /// Starts the work and returns what fetches its results.
    pub run: Box<dyn Fn() -> Result<Download<'a>> + 'a>,
    /// The check value of results.
    pub check: Box<dyn Fn(&Results) -> f64 + 'a>,
}

/// The penalty of the update, in units of generator norms: it shrinks every row and leaves every row.
const LAMBDA: f32 = 20.0;

impl Workload {
    /// The shape with its first size divided, at least 1.
    #[must_use]
    pub fn scaled(&self, divisor: usize) -> Vec<usize> {
        let mut shape = self.shape.to_vec();
        if let Some(first) = shape.first_mut() {
            *first = first.div_ceil(divisor.max(1));
        }
        shape
    }
}

impl Operation {
    /// Generates operands of a shape, copies them to the device and gets ready to run.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for a shape with another number of sizes; what the backend returns.
    pub fn prepare<'a, B: Backend>(self, backend: &'a B, shape: &[usize], seed: u64) -> Result<Prepared<'a>> {
        if self == Self::Curve {
            return curve::prepare(backend, shape, seed);
        }
        let &[n, d, m] = shape else {
            let problem = format!("{shape:?}: expected three sizes");
            return Err(Error::Argument { argument: "shape", problem });
        };
        match self {
            Self::HausdorffIndependent => return geometry::hausdorff(backend, [n, d, m], false, seed),
            Self::HausdorffNear => return geometry::hausdorff(backend, [n, d, m], true, seed),
            Self::KMeansOnce => return kmeans::prepare(backend, [n, d, m], 1, seed),
            Self::KMeans => return kmeans::prepare(backend, [n, d, m], 10, seed),
            Self::ZonotopeVertices => return geometry::vertices([n, d], seed),
            _ => {}
        }
        let (shapes, work, unit) = self.operands([n, d, m]);
        let mut operands = Vec::with_capacity(shapes.len());
        let mut upload = (0.0, 0);
        for (operand, shape) in (1..).zip(&shapes) {
            let values = match operand {
                // The targets of the update: the sizes of the coefficients.
                4 => array(seed, 3, *shape)?.mapv_into(f32::abs),
                _ => array(seed, operand, *shape)?,
            };
            let start = Instant::now();
            operands.push(backend.upload(&values)?);
            drained(backend)?;
            upload.0 += start.elapsed().as_secs_f64();
            upload.1 += 4 * values.len();
        }
        let run = move || self.start(backend, &operands);
        let check = move |results: &Results| {
            let values = results.matrices.first().map_or(0.0, mean);
            let arguments: f64 = results.indices.iter().flatten().map(|argument| f64::from(*argument)).sum();
            values + arguments / (n as f64 * m as f64)
        };
        Ok(Prepared { upload, work, unit, run: Box::new(run), check: Box::new(check) })
    }

    /// Shapes of the operands in order, and what one run counts.
    pub(super) fn operands(self, [n, d, m]: [usize; 3]) -> (Vec<[usize; 2]>, f64, Unit) {
        let size = |factors: [usize; 3]| factors.into_iter().map(|factor| factor as f64).product::<f64>();
        let flops = 2.0 * size([n, d, m]);
        match self {
            Self::Affine | Self::TropicalEval => (vec![[n, d], [m, d], [1, m]], flops, Unit::Flops),
            Self::MatmulTransposed => (vec![[d, n], [d, m]], flops, Unit::Flops),
            Self::MaxPlusMatmul => (vec![[n, d], [d, m]], flops, Unit::AddMax),
            // A difference, its square and their sum.
            Self::Nearest => (vec![[n, d], [m, d]], 1.5 * flops, Unit::Flops),
            Self::ClassSupports => (vec![[n, d], [m, d], [10, m]], flops + 2.0 * size([n, 10, m]), Unit::Flops),
            Self::ActivationPatterns => (vec![[n, d], [m, d], [1, m]], flops, Unit::Flops),
            Self::PathNorms => (vec![[n, d], [1, d]], 4.0 * size([n, d, 1]), Unit::Bytes),
            Self::PathNormsBackward => (vec![[n, d], [1, n]], 4.0 * size([n, d, 1]), Unit::Bytes),
            Self::ThresholdMask => (vec![[n, d], [n, d]], 12.0 * size([n, d, 1]), Unit::Bytes),
            Self::SupportFunction => (vec![[n, d], [m, d]], flops, Unit::Flops),
            Self::SupportDifference => (vec![[n, d], [m, d], [m, d]], 2.0 * flops, Unit::Flops),
            Self::RowScores => (vec![[n, d], [1, n], [m, n]], 4.0 * (size([n, d, 1]) + size([m, n, 1])), Unit::Bytes),
            // The coefficients are read for the scores and as targets of the update, which writes as many elements.
            _ => (vec![[n, d], [1, n], [m, n], [m, n]], 4.0 * (size([n, d, 1]) + 3.0 * size([m, n, 1])), Unit::Bytes),
        }
    }

    /// Starts the work on operands of those shapes.
    pub(super) fn start<'a, B: Backend>(self, backend: &'a B, operands: &[B::Matrix]) -> Result<Download<'a>> {
        let result = match (self, operands) {
            (Self::Affine, [x, weights, bias]) => backend.affine(x, weights, Some(bias), Activation::Relu)?,
            (Self::MatmulTransposed, [a, b]) => backend.matmul(a, Transpose::Yes, b, Transpose::No)?,
            (Self::SupportFunction, [directions, generators]) => {
                backend.support_function(generators, None, directions)?
            }
            (Self::TropicalEval, [points, exponents, coefficients]) => {
                let maxima = backend.tropical_eval(points, exponents, coefficients)?;
                return Ok(Box::new(move || {
                    let mut results = Results::of(backend.download(&maxima.values)?);
                    results.indices.push(backend.download_indices(&maxima.arguments)?);
                    Ok(results)
                }));
            }
            (Self::SupportDifference, [directions, first, second]) => {
                // The answer is one number, so that fetching and comparing the two lists belongs to the work.
                let first = backend.support_function(first, None, directions)?;
                let second = backend.support_function(second, None, directions)?;
                let (first, second) = (backend.download(&first)?, backend.download(&second)?);
                let largest = first.iter().zip(&second).fold(0.0, |max: f64, (a, b)| max.max((a - b).abs()));
                return Ok(Box::new(move || Ok(Results::of(Array2::from_elem((1, 1), largest)))));
            }
            (Self::MaxPlusMatmul, [a, b]) => backend.max_plus_matmul(a, b)?,
            (Self::ClassSupports, [directions, generators, weights]) => {
                backend.class_supports(weights, generators, directions)?
            }
            (Self::PathNorms, [weights, squares]) => backend.path_norms(weights, squares, None, Transpose::No)?,
            (Self::PathNormsBackward, [weights, squares]) => {
                backend.path_norms(weights, squares, None, Transpose::Yes)?
            }
            (Self::ThresholdMask, [weights, scores]) => {
                backend.threshold_mask(weights, scores, Cutoff { score: 0.0, index: 0 })?
            }
            (Self::Nearest, [x, y]) => {
                let minima = backend.nearest(x, y)?;
                return Ok(Box::new(move || {
                    let mut results = Results::of(backend.download(&minima.values)?);
                    results.indices.push(backend.download_indices(&minima.arguments)?);
                    Ok(results)
                }));
            }
            (Self::ActivationPatterns, [directions, generators, constants]) => {
                let patterns = backend.activation_patterns(generators, Some(constants), directions)?;
                return Ok(Box::new(move || {
                    Ok(Results { indices: vec![backend.download_indices(&patterns)?], ..Results::default() })
                }));
            }
            (Self::RowScores, [rows, constants, coefficients]) => {
                backend.row_scores(rows, Some(constants), coefficients)?.rows
            }
            (Self::ScoresAndUpdate, [rows, constants, coefficients, targets]) => {
                let scores = backend.row_scores(rows, Some(constants), coefficients)?;
                backend.row_update(&scores.norms, targets, LAMBDA, HalfStep::Rows, 2)?.elements
            }
            _ => return Err(Error::Internal { what: format!("{self:?} has other operands") }),
        };
        Ok(Box::new(move || Ok(Results::of(backend.download(&result)?))))
    }
}

/// Waits until the device has done what it was asked for: a queue runs in order, so that a copy after the work ends
/// after it.
pub(super) fn drained<B: Backend>(backend: &B) -> Result<()> {
    let one = backend.upload(&Array2::<f32>::zeros((1, 1)))?;
    backend.download(&one).map(drop)
}

pub(super) fn mean(values: &Array2<f64>) -> f64 {
    values.sum() / values.len().max(1) as f64
}
