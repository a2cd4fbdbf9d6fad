//! A quick check of a device: every operation on small seeded data against [`Reference`].

use ndarray::Array2;
use rand::RngExt;
use serde::Serialize;

use super::{
    Activation, Adam, Backend, Combination, Cutoff, Function, HalfStep, Pooling, Reduction, Reference, RowNorm,
    Transpose, Window,
};
use crate::error::Result;

/// Rows, columns and inner length: odd, so that every tile has an edge, and past one tile of every kernel.
const SHAPE: [usize; 3] = [37, 67, 131];

/// How one operation compares with the reference.
#[derive(Debug, Clone, Serialize)]
pub struct SelfTest {
    /// Name of the operation.
    pub operation: &'static str,
    /// Largest difference from the reference, over the largest absolute value of the result.
    pub deviation: f64,
    /// What rounding explains: `gamma_n` of the longest sum, with the growth that the data allow.
    pub tolerance: f64,
    /// Whether the deviation is within the tolerance.
    pub ok: bool,
}

/// The results of one run, in the order of [`OPERATIONS`].
type Results = Vec<Array2<f64>>;

/// Operations with the number of roundings in one entry of their results.
///
/// Entries of the data are at most 1 in size, so that sums of absolute terms exceed the largest result by less than
/// the square root of their length; row updates divide by differences, which costs two more digits.
const OPERATIONS: [(&str, usize); 33] = [
    ("affine", 132 * 12),
    ("matmul", 132 * 12),
    ("max_plus_matmul", 2),
    ("nearest", 133),
    ("cluster_means", 37 + 4),
    ("tropical_eval", 132 * 12),
    ("generators", 1),
    ("support_function", 200 * 12),
    ("class_supports", 200 * 12),
    ("activation_patterns", 0),
    ("row_scores", 300),
    ("row_update", 300 * 100),
    ("path_norms", 140),
    ("relu_covariance", 200),
    ("threshold_mask", 0),
    ("classify", 0),
    ("unfold", 0),
    ("convolution", 132 * 12),
    ("pooling", 12),
    ("pooling_gradient", 24),
    ("weighted_sum", 3),
    ("elementwise", 16),
    ("elementwise_gradient", 16),
    ("combine", 1),
    ("reduce_rows", 132),
    ("normalize_rows", (132 + 48) * 24),
    ("batched_matmul", 132 * 12),
    ("reshape", 0),
    ("gather", 0),
    ("concatenate", 0),
    ("ball_step", 2 * 131 + 24),
    ("cross_entropy", 163 * 12),
    ("adam_step", 200),
];

/// Runs every operation on small seeded data and compares it with [`Reference`].
///
/// # Errors
///
/// Whatever keeps an operation from running; a result that deviates is not an error but a [`SelfTest`] that is not `ok`.
pub fn self_test<B: Backend>(backend: &B) -> Result<Vec<SelfTest>> {
    let (got, want) = (run(backend)?, run(&Reference::new())?);
    let pairs = got.iter().zip(&want);
    Ok(OPERATIONS.iter().zip(pairs).map(|(operation, (got, want))| compare(*operation, got, want)).collect())
}

fn compare((operation, roundings): (&'static str, usize), got: &Array2<f64>, want: &Array2<f64>) -> SelfTest {
    let size = want.iter().fold(f64::MIN_POSITIVE, |size, value| size.max(value.abs()));
    let differences = got.iter().zip(want).map(|(got, want)| (got - want).abs() / size);
    // NaN is larger than everything: it must not pass.
    let deviation = differences.fold(0.0, |a: f64, b| if b > a || b.is_nan() { b } else { a });
    let nu = roundings as f64 * f64::from(f32::EPSILON) / 2.0;
    let tolerance = nu / (1.0 - nu);
    let ok = got.dim() == want.dim() && deviation <= tolerance;
    SelfTest { operation, deviation, tolerance, ok }
}

fn run<B: Backend>(backend: &B) -> Result<Results> {
    let [n, m, d] = SHAPE;
    let data = |name: &str, rows: usize, columns: usize| {
        let mut generator = crate::rng::stream(0, name);
        let values = Array2::from_shape_simple_fn((rows, columns), || generator.random_range(-1.0_f32..1.0));
        backend.upload(&values)
    };
    let positive = |name: &str, rows: usize, columns: usize| {
        let mut generator = crate::rng::stream(0, name);
        let values = Array2::from_shape_simple_fn((rows, columns), || generator.random_range(0.25_f32..1.0));
        backend.upload(&values)
    };
    let (x, w, b) = (data("x", n, d)?, data("w", m, d)?, data("b", 1, m)?);
    let (classes, norms, squares) = (positive("classes", 10, m)?, positive("norms", 1, m)?, positive("squares", 1, d)?);
    let layer = backend.affine(&x, &w, Some(&b), Activation::Relu)?;
    let product = backend.matmul(&w, Transpose::Yes, &classes, Transpose::Yes)?;
    let longest = backend.max_plus_matmul(&x, &data("v", d, m)?)?;
    let nearest = backend.nearest(&x, &w)?;
    let thirds: Vec<u32> = (0..3).cycle().take(n).collect();
    let means = backend.cluster_means(&x, &backend.upload_indices(&thirds)?, &w)?;
    let maxima = backend.tropical_eval(&x, &w, &b)?;
    let generators = backend.generators(&classes, &w, Some(&b))?;
    let support = backend.support_function(&w, None, &x)?;
    let supports = backend.class_supports(&classes, &w, &x)?;
    // Every generator is a coordinate, so that a rounding cannot change a sign.
    let unit = backend.upload(&Array2::from_shape_fn((m, d), |(i, j)| if i == j { 1.0_f32 } else { 0.0 }))?;
    let patterns = backend.download_indices(&backend.activation_patterns(&unit, None, &x)?)?;
    let scores = backend.row_scores(&w, Some(&b), &classes)?;
    let update = backend.row_update(&norms, &classes, 0.05, HalfStep::Rows, 4)?;
    let path = backend.path_norms(&w, &squares, Some(&b), Transpose::No)?;
    let gram = backend.matmul(&w, Transpose::No, &w, Transpose::Yes)?;
    let rectified = backend.relu_covariance(&b, &gram)?;
    let kept = backend.threshold_mask(&w, &w, Cutoff { score: 0.5, index: 0 })?;
    let labels: Vec<u32> = (0..).take(n).collect();
    // The logits are the data themselves, so that a rounding cannot change a class.
    let classified = backend.classify(&x, Some(&backend.upload_indices(&labels)?))?;
    let ranks = backend.download_indices(&classified.rank)?;
    let window = Window { stride: [2, 1], padding: [2, 1, 0, 2], ..Window::new([5, 11, 9], [4, 3]) };
    let (images, kernels) = (data("images", n, window.length())?, data("kernels", 10, 5 * window.entries())?);
    let windows = backend.unfold(&images, &window, None)?;
    let convolved =
        backend.convolution(&images, &kernels, Some(&data("shift", 1, 10)?), &window, 1, Activation::Relu)?;
    let pooled = backend.pooling(&images, &window, Pooling::Average)?;
    let passed = backend.pooling_gradient(&images, &pooled, &pooled, &window, Pooling::Average)?;
    let sum = backend.weighted_sum(&x, Some(&data("y", n, d)?), [0.5, -2.0], Activation::Relu)?;
    let bent = backend.elementwise(&x, Function::Gelu)?;
    let bent_back = backend.elementwise_gradient(&x, &data("y", n, d)?, Function::Gelu)?;
    let gated = backend.combine(&images, &data("gates", n, 5)?, Combination::Multiply, 99)?;
    let means_of_rows = backend.reduce_rows(&x, Reduction::Mean)?;
    let weighed = backend.normalize_rows(&x, RowNorm::Standard { epsilon: 1e-5 })?;
    let products = backend.batched_matmul(&x, &data("factors", n * d, 7)?, n)?;
    let apart = backend.reshape(data("images", n, window.length())?, 5)?;
    let moved: Vec<u32> = (0..40).map(|j| j * 7 % 50).collect();
    // Copies of the data themselves, which nothing rounds.
    let gathered = backend.gather(&x, &backend.upload_indices(&moved)?)?;
    let joined = backend.concatenate(&[&x, &images])?;
    let stepped = backend.ball_step(&x, &data("y", n, d)?, 0.5, 6.0)?;
    let entropy = backend.cross_entropy(&x, &backend.upload_indices(&labels)?)?;
    let adam = Adam { rate: 0.1, decays: [0.9, 0.999], epsilon: 1e-3, step: 3 };
    let moments = [&data("mean", n, d)?, &positive("square", n, d)?];
    let tuned = backend.adam_step(&x, &data("y", n, d)?, moments, adam)?;
    Ok(vec![
        backend.download(&layer)?,
        backend.download(&product)?,
        backend.download(&longest)?,
        backend.download(&nearest.values)?,
        backend.download(&means.centres)?,
        backend.download(&maxima.values)?,
        backend.download(&generators)?,
        backend.download(&support)?,
        backend.download(&supports)?,
        column(&patterns),
        backend.download(&scores.rows)?,
        backend.download(&update.elements)?,
        backend.download(&path)?,
        backend.download(&rectified.covariance)?,
        backend.download(&kept)?,
        column(&ranks),
        backend.download(&windows)?,
        backend.download(&convolved)?,
        backend.download(&pooled)?,
        backend.download(&passed)?,
        backend.download(&sum)?,
        backend.download(&bent)?,
        backend.download(&bent_back)?,
        backend.download(&gated)?,
        backend.download(&means_of_rows)?,
        backend.download(&weighed)?,
        backend.download(&products)?,
        backend.download(&apart)?,
        backend.download(&gathered)?,
        backend.download(&joined)?,
        backend.download(&stepped)?,
        backend.download(&entropy.gradient)?,
        backend.download(&tuned.weights)?,
    ])
}

fn column(values: &[u32]) -> Array2<f64> {
    Array2::from_shape_fn((values.len(), 1), |(i, _)| values.get(i).copied().map_or(f64::NAN, f64::from))
}
