//! Any wgpu adapter. Only this module says `wgpu`.
//!
//! A matrix is a list of row blocks that each fit into one binding, an operation a loop over the blocks of its operands;
//! see [`Matrix`]. Work is submitted as it is found and nothing waits for it but a download.

mod activation_patterns;
mod adam_step;
mod adapter;
mod affine;
mod ball_step;
mod batched_matmul;
mod cache;
mod class_supports;
mod classify;
mod cluster_means;
mod combine;
mod concatenate;
mod context;
mod contraction;
mod convolution;
mod cross_entropy;
mod elementwise;
mod elementwise_gradient;
mod gather;
mod generators;
mod grid;
mod kernel;
mod launch;
mod matmul;
mod matrix;
mod max_plus_matmul;
mod modules;
mod nearest;
mod normalize_rows;
mod pack;
mod path_norms;
mod pool;
mod pooling;
mod pooling_gradient;
mod reduce_rows;
mod relu_covariance;
mod row_scores;
mod row_update;
mod shares;
mod support_function;
mod threshold_mask;
mod tile;
mod trace;
mod transfer;
mod tropical_eval;
mod tuning;
mod unfold;
mod weighted_sum;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ndarray::Array2;
use serde::Serialize;

use super::{
    Activation, Adam, AdamState, Backend, Classified, ClusterMeans, Combination, CrossEntropy, Cutoff, Device,
    DeviceKind, Function, HalfStep, Maxima, Minima, Pooling, Reduction, ReluMoments, RowNorm, RowScores, RowSource,
    RowUpdate, Transpose, Window,
};
use crate::error::{Error, Result};
use context::Context;

pub use adapter::{AdapterSummary, adapters};
pub use cache::cache_folder;
use matrix::{Indices, Matrix};
pub use modules::shader_modules;
pub use tile::Variant;
pub use trace::{DeviceSpan, DeviceTrace};
pub use tuning::Tuning;

/// Which adapter to take, and how to use it.
#[derive(Debug, Clone, Default)]
pub struct GpuOptions {
    /// Part of the adapter's name, in any case; the best adapter in hardware if absent.
    pub adapter: Option<String>,
    /// Whether an adapter that is not named may be a software rasteriser.
    pub allow_software: bool,
    /// Bytes of the largest binding, if below the adapter's own limit. Tests use it to cut small matrices.
    pub max_binding: Option<u64>,
    /// Whether all shaders run with the bounds checks and loop bounds of wgpu.
    pub checked: bool,
    /// The variant of the contraction, if not the one that suits adapter and shape. Tests use it to run them all.
    pub variant: Option<Variant>,
    /// Whether kernels do without subgroups, as on an adapter that has none.
    pub no_subgroups: bool,
    /// Whether tiles are those for subgroups of 64 lanes and no fewer, on an adapter that has others. Tests use it.
    pub wave64: bool,
    /// Whether contractions store their operands in f16, which takes half the memory and bandwidth; sums stay in f32. The
    /// adapter needs `shader-f16`.
    ///
    /// Each entry is rounded with a relative error of `2^-10` at most, an absolute one of `2^-24` at most below `2^-14`,
    /// and saturates at 65,504: for entries within these limits and `u = 2^-10` a sum of products is off by at most
    /// `(2 u + u^2) sum_k |x_k y_k|` besides what f32 rounds.
    pub half: bool,
    /// Collects when the adapter runs which kernel, where it has timestamps.
    pub trace: Option<DeviceTrace>,
    /// The folder in which compiled pipelines and what was tuned stay between runs, such as [`cache_folder`] names; none if absent.
    pub cache: Option<PathBuf>,
}

/// Operations on a wgpu adapter, in f32.
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    adapter: AdapterSummary,
    context: Context,
    start: [Duration; 2],
}

impl fmt::Display for StartUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { adapter_s, device_s, pipelines, pipelines_s, warm } = self;
        let cache = if *warm { "with those of an earlier run" } else { "none kept from an earlier run" };
        write!(
            f,
            "found in {adapter_s:.3} s, opened in {device_s:.3} s, {pipelines} pipelines compiled in {pipelines_s:.3} s ({cache})"
        )
    }
}

/// What it took to get an adapter ready.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StartUp {
    /// Seconds to load the drivers and find the adapter.
    pub adapter_s: f64,
    /// Seconds to open it.
    pub device_s: f64,
    /// Pipelines that were compiled so far, each when it was first used.
    pub pipelines: usize,
    /// Seconds that this took.
    pub pipelines_s: f64,
    /// Whether pipelines of an earlier run were there to be used.
    pub warm: bool,
}

impl Gpu {
    /// Opens an adapter.
    ///
    /// # Errors
    ///
    /// [`Error::NoAdapter`] lists what there is; [`Error::DeviceLost`] says why a driver refuses.
    pub fn new(options: &GpuOptions) -> Result<Self> {
        let begun = Instant::now();
        let adapter = adapter::choose(options)?;
        let chosen = begun.elapsed();
        let summary = AdapterSummary::new(&adapter);
        let context = Context::new(&adapter, options)?;
        let device = Device {
            kind: DeviceKind::Gpu,
            name: summary.name.clone(),
            backend: summary.backend.clone(),
            software: summary.software,
        };
        Ok(Self { device, adapter: summary, context, start: [chosen, begun.elapsed().saturating_sub(chosen)] })
    }

    /// The adapter and its limits.
    #[must_use]
    pub fn adapter(&self) -> &AdapterSummary {
        &self.adapter
    }

    /// The variants that were measured fastest on this adapter, if they were measured.
    #[must_use]
    pub fn tuning(&self) -> Option<Tuning> {
        self.context.variants.tuning()
    }

    /// What it took to get ready, up to now.
    #[must_use]
    pub fn start_up(&self) -> StartUp {
        let (pipelines, time) = *context::lock(&self.context.compiled);
        let [adapter, device] = self.start.map(|time| time.as_secs_f64());
        let warm = self.context.pipelines.as_ref().is_some_and(|pipelines| pipelines.warm);
        StartUp { adapter_s: adapter, device_s: device, pipelines, pipelines_s: time.as_secs_f64(), warm }
    }

    /// Waits until the device has done everything that was asked of it: the end of a measured interval.
    pub fn finish(&self) -> Result<()> {
        self.context.wait(None)
    }
}

impl Backend for Gpu {
    type Matrix = Matrix;
    type Indices = Indices;

    fn device(&self) -> &Device {
        &self.device
    }

    fn upload(&self, source: &dyn RowSource) -> Result<Matrix> {
        transfer::upload(&self.context, source)
    }

    fn download(&self, matrix: &Matrix) -> Result<Array2<f64>> {
        let mut values = Vec::with_capacity(matrix.blocks.rows * matrix.blocks.columns);
        transfer::download(&self.context, &matrix.blocks, |bytes| {
            values.extend(bytemuck::pod_collect_to_vec::<u8, f32>(bytes).into_iter().map(f64::from));
        })?;
        Array2::from_shape_vec(matrix.shape(), values).map_err(|error| Error::Internal { what: error.to_string() })
    }

    fn upload_indices(&self, indices: &[u32]) -> Result<Indices> {
        transfer::upload_indices(&self.context, indices)
    }

    fn download_indices(&self, indices: &Indices) -> Result<Vec<u32>> {
        let mut values = Vec::with_capacity(indices.blocks.rows * indices.blocks.columns);
        transfer::download(&self.context, &indices.blocks, |bytes| {
            values.extend(bytemuck::pod_collect_to_vec::<u8, u32>(bytes));
        })?;
        Ok(values)
    }

    fn shape(&self, matrix: &Matrix) -> [usize; 2] {
        matrix.shape()
    }

    fn trim(&self) {
        self.context.pool.trim();
    }

    fn affine(&self, x: &Matrix, weights: &Matrix, bias: Option<&Matrix>, activation: Activation) -> Result<Matrix> {
        affine::affine(&self.context, x, weights, bias, activation)
    }

    fn matmul(&self, a: &Matrix, transpose_a: Transpose, b: &Matrix, transpose_b: Transpose) -> Result<Matrix> {
        matmul::matmul(&self.context, a, transpose_a, b, transpose_b)
    }

    fn max_plus_matmul(&self, a: &Matrix, b: &Matrix) -> Result<Matrix> {
        max_plus_matmul::max_plus_matmul(&self.context, a, b)
    }

    fn nearest(&self, x: &Matrix, y: &Matrix) -> Result<Minima<Matrix, Indices>> {
        nearest::nearest(&self.context, x, y)
    }

    fn cluster_means(
        &self,
        points: &Matrix,
        labels: &Indices,
        previous: &Matrix,
    ) -> Result<ClusterMeans<Matrix, Indices>> {
        cluster_means::cluster_means(&self.context, points, labels, previous)
    }

    fn tropical_eval(
        &self,
        points: &Matrix,
        exponents: &Matrix,
        coefficients: &Matrix,
    ) -> Result<Maxima<Matrix, Indices>> {
        tropical_eval::tropical_eval(&self.context, points, exponents, coefficients)
    }

    fn generators(&self, weights: &Matrix, rows: &Matrix, constants: Option<&Matrix>) -> Result<Matrix> {
        generators::generators(&self.context, weights, rows, constants)
    }

    fn support_function(&self, generators: &Matrix, shift: Option<&Matrix>, directions: &Matrix) -> Result<Matrix> {
        support_function::support_function(&self.context, generators, shift, directions)
    }

    fn class_supports(&self, weights: &Matrix, generators: &Matrix, directions: &Matrix) -> Result<Matrix> {
        class_supports::class_supports(&self.context, weights, generators, directions)
    }

    fn activation_patterns(
        &self,
        generators: &Matrix,
        constants: Option<&Matrix>,
        directions: &Matrix,
    ) -> Result<Indices> {
        activation_patterns::activation_patterns(&self.context, generators, constants, directions)
    }

    fn row_scores(
        &self,
        rows: &Matrix,
        constants: Option<&Matrix>,
        coefficients: &Matrix,
    ) -> Result<RowScores<Matrix>> {
        row_scores::row_scores(&self.context, rows, constants, coefficients)
    }

    fn row_update(
        &self,
        norms: &Matrix,
        targets: &Matrix,
        lambda: f32,
        first: HalfStep,
        half_steps: usize,
    ) -> Result<RowUpdate<Matrix>> {
        row_update::row_update(&self.context, norms, targets, lambda, first, half_steps)
    }

    fn path_norms(
        &self,
        weights: &Matrix,
        squares: &Matrix,
        bias: Option<&Matrix>,
        direction: Transpose,
    ) -> Result<Matrix> {
        path_norms::path_norms(&self.context, weights, squares, bias, direction)
    }

    fn relu_covariance(&self, mean: &Matrix, covariance: &Matrix) -> Result<ReluMoments<Matrix>> {
        relu_covariance::relu_covariance(&self.context, mean, covariance)
    }

    fn threshold_mask(&self, weights: &Matrix, scores: &Matrix, cutoff: Cutoff) -> Result<Matrix> {
        threshold_mask::threshold_mask(&self.context, weights, scores, cutoff)
    }

    fn ball_step(&self, x: &Matrix, gradient: &Matrix, step: f32, radius: f32) -> Result<Matrix> {
        ball_step::ball_step(&self.context, x, gradient, step, radius)
    }

    fn cross_entropy(&self, logits: &Matrix, labels: &Indices) -> Result<CrossEntropy<Matrix>> {
        cross_entropy::cross_entropy(&self.context, logits, labels)
    }

    fn adam_step(
        &self,
        weights: &Matrix,
        gradient: &Matrix,
        moments: [&Matrix; 2],
        adam: Adam,
    ) -> Result<AdamState<Matrix>> {
        adam_step::adam_step(&self.context, weights, gradient, moments, adam)
    }

    fn classify(&self, logits: &Matrix, labels: Option<&Indices>) -> Result<Classified<Indices>> {
        classify::classify(&self.context, logits, labels)
    }

    fn unfold(&self, images: &Matrix, window: &Window, positions: Option<&Indices>) -> Result<Matrix> {
        unfold::unfold(&self.context, images, window, positions)
    }

    fn convolution(
        &self,
        images: &Matrix,
        weights: &Matrix,
        bias: Option<&Matrix>,
        window: &Window,
        groups: usize,
        activation: Activation,
    ) -> Result<Matrix> {
        convolution::convolution(&self.context, images, weights, bias, window, groups, activation)
    }

    fn pooling(&self, images: &Matrix, window: &Window, pooling: Pooling) -> Result<Matrix> {
        pooling::pooling(&self.context, images, window, pooling)
    }

    fn pooling_gradient(
        &self,
        images: &Matrix,
        pooled: &Matrix,
        gradient: &Matrix,
        window: &Window,
        pooling: Pooling,
    ) -> Result<Matrix> {
        pooling_gradient::pooling_gradient(&self.context, images, pooled, gradient, window, pooling)
    }

    fn weighted_sum(
        &self,
        a: &Matrix,
        b: Option<&Matrix>,
        factors: [f32; 2],
        activation: Activation,
    ) -> Result<Matrix> {
        weighted_sum::weighted_sum(&self.context, a, b, factors, activation)
    }

    fn elementwise(&self, x: &Matrix, function: Function) -> Result<Matrix> {
        elementwise::elementwise(&self.context, x, function)
    }

    fn elementwise_gradient(&self, x: &Matrix, gradient: &Matrix, function: Function) -> Result<Matrix> {
        elementwise_gradient::elementwise_gradient(&self.context, x, gradient, function)
    }

    fn combine(&self, a: &Matrix, b: &Matrix, how: Combination, share: usize) -> Result<Matrix> {
        combine::combine(&self.context, a, b, how, share)
    }

    fn reduce_rows(&self, x: &Matrix, reduction: Reduction) -> Result<Matrix> {
        reduce_rows::reduce_rows(&self.context, x, reduction)
    }

    fn normalize_rows(&self, x: &Matrix, norm: RowNorm) -> Result<Matrix> {
        normalize_rows::normalize_rows(&self.context, x, norm)
    }

    fn batched_matmul(&self, a: &Matrix, b: &Matrix, groups: usize) -> Result<Matrix> {
        batched_matmul::batched_matmul(&self.context, a, b, groups)
    }

    fn reshape(&self, x: Matrix, columns: usize) -> Result<Matrix> {
        x.reshaped(&self.context, columns)
    }

    fn gather(&self, x: &Matrix, index: &Indices) -> Result<Matrix> {
        gather::gather(&self.context, x, index)
    }

    fn concatenate(&self, parts: &[&Matrix]) -> Result<Matrix> {
        concatenate::concatenate(&self.context, parts)
    }
}
