//! The host path: rayon over tiles, SIMD chosen at run time, one contraction.

mod activation_patterns;
mod adam_step;
mod affine;
mod ball_step;
mod batched_matmul;
mod buffers;
mod class_supports;
mod classify;
mod classify_at;
mod cluster_means;
mod column_sums;
mod combine;
mod concatenate;
mod contraction;
mod convolution;
mod cross_entropy;
mod direct;
mod elementwise;
mod elementwise_gradient;
mod exponential;
mod gather;
mod generators;
mod lloyd;
mod matmul;
mod matrix;
mod max_plus_matmul;
mod narrow;
mod nearest;
mod nested;
mod normalize_rows;
mod operand;
mod patches;
mod path_norms;
mod phases;
mod pooling;
mod pooling_gradient;
mod reduce_rows;
mod relu_covariance;
mod row_scores;
mod row_update;
mod stencil;
mod support_function;
#[cfg(test)]
mod tests;
mod threshold_mask;
mod transpose;
mod tropical_eval;
mod unfold;
mod weighted_sum;

use std::fs;

use ndarray::Array2;
use pulp::Arch;

use super::{
    Activation, Adam, AdamState, Backend, Classified, ClusterMeans, Combination, CrossEntropy, Cutoff, Device,
    DeviceKind, Function, HalfStep, Lloyd, Maxima, Minima, Pooling, Reduction, ReluMoments, RowNorm, RowScores,
    RowSource, RowUpdate, ScoredLayer, Transpose, Window, check,
};
use crate::error::Result;

pub use matrix::HostMatrix;

/// The host processor, in f32. Threads are those of rayon's current pool; results do not depend on their number.
///
/// Up to 512 MiB of dropped matrices stay reserved for later ones, see [`Backend::trim`].
#[derive(Debug)]
pub struct Cpu {
    device: Device,
}

impl Cpu {
    /// Makes the host backend.
    #[must_use]
    pub fn new() -> Self {
        let name = processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let device = Device { kind: DeviceKind::Cpu, name, backend: simd_level().to_owned(), software: false };
        Self { device }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self::new()
    }
}

/// The model name where the system tells it without a privilege.
fn processor() -> Option<String> {
    let information = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = information.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The instruction set that pulp dispatches to.
fn simd_level() -> &'static str {
    match Arch::new() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V4(_) => "AVX-512",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "NEON",
        _ => "portable",
    }
}

impl Backend for Cpu {
    type Matrix = HostMatrix;
    type Indices = Vec<u32>;

    fn device(&self) -> &Device {
        &self.device
    }

    fn upload(&self, source: &dyn RowSource) -> Result<HostMatrix> {
        HostMatrix::upload(source)
    }

    fn download(&self, matrix: &HostMatrix) -> Result<Array2<f64>> {
        matrix.download()
    }

    fn upload_indices(&self, indices: &[u32]) -> Result<Vec<u32>> {
        Ok(indices.to_vec())
    }

    fn download_indices(&self, indices: &Vec<u32>) -> Result<Vec<u32>> {
        Ok(indices.clone())
    }

    fn shape(&self, matrix: &HostMatrix) -> [usize; 2] {
        matrix.shape()
    }

    fn trim(&self) {
        buffers::trim();
    }

    fn affine(
        &self,
        x: &HostMatrix,
        weights: &HostMatrix,
        bias: Option<&HostMatrix>,
        activation: Activation,
    ) -> Result<HostMatrix> {
        affine::affine(x, weights, bias, activation)
    }

    fn matmul(
        &self,
        a: &HostMatrix,
        transpose_a: Transpose,
        b: &HostMatrix,
        transpose_b: Transpose,
    ) -> Result<HostMatrix> {
        matmul::matmul(a, transpose_a, b, transpose_b)
    }

    fn max_plus_matmul(&self, a: &HostMatrix, b: &HostMatrix) -> Result<HostMatrix> {
        max_plus_matmul::max_plus_matmul(a, b)
    }

    fn nearest(&self, x: &HostMatrix, y: &HostMatrix) -> Result<Minima<HostMatrix, Vec<u32>>> {
        nearest::nearest(x, y)
    }

    fn cluster_means(
        &self,
        points: &HostMatrix,
        labels: &Vec<u32>,
        previous: &HostMatrix,
    ) -> Result<ClusterMeans<HostMatrix, Vec<u32>>> {
        cluster_means::cluster_means(points, labels, previous)
    }

    fn lloyd(
        &self,
        points: &HostMatrix,
        centres: &HostMatrix,
        iterations: usize,
    ) -> Result<Lloyd<HostMatrix, Vec<u32>>> {
        lloyd::lloyd(self, points, centres, iterations)
    }

    fn tropical_eval(
        &self,
        points: &HostMatrix,
        exponents: &HostMatrix,
        coefficients: &HostMatrix,
    ) -> Result<Maxima<HostMatrix, Vec<u32>>> {
        tropical_eval::tropical_eval(points, exponents, coefficients)
    }

    fn generators(
        &self,
        weights: &HostMatrix,
        rows: &HostMatrix,
        constants: Option<&HostMatrix>,
    ) -> Result<HostMatrix> {
        generators::generators(weights, rows, constants)
    }

    fn support_function(
        &self,
        generators: &HostMatrix,
        shift: Option<&HostMatrix>,
        directions: &HostMatrix,
    ) -> Result<HostMatrix> {
        support_function::support_function(generators, shift, directions)
    }

    fn class_supports(
        &self,
        weights: &HostMatrix,
        generators: &HostMatrix,
        directions: &HostMatrix,
    ) -> Result<HostMatrix> {
        class_supports::class_supports(weights, generators, directions)
    }

    fn activation_patterns(
        &self,
        generators: &HostMatrix,
        constants: Option<&HostMatrix>,
        directions: &HostMatrix,
    ) -> Result<Vec<u32>> {
        activation_patterns::activation_patterns(generators, constants, directions)
    }

    fn row_scores(
        &self,
        rows: &HostMatrix,
        constants: Option<&HostMatrix>,
        coefficients: &HostMatrix,
    ) -> Result<RowScores<HostMatrix>> {
        row_scores::row_scores(rows, constants, coefficients)
    }

    fn row_update(
        &self,
        norms: &HostMatrix,
        targets: &HostMatrix,
        lambda: f32,
        first: HalfStep,
        half_steps: usize,
    ) -> Result<RowUpdate<HostMatrix>> {
        row_update::row_update(norms, targets, lambda, first, half_steps)
    }

    fn path_norms(
        &self,
        weights: &HostMatrix,
        squares: &HostMatrix,
        bias: Option<&HostMatrix>,
        direction: Transpose,
    ) -> Result<HostMatrix> {
        path_norms::path_norms(weights, squares, bias, direction)
    }

    fn relu_covariance(&self, mean: &HostMatrix, covariance: &HostMatrix) -> Result<ReluMoments<HostMatrix>> {
        relu_covariance::relu_covariance(mean, covariance)
    }

    fn threshold_mask(&self, weights: &HostMatrix, scores: &HostMatrix, cutoff: Cutoff) -> Result<HostMatrix> {
        threshold_mask::threshold_mask(weights, scores, cutoff)
    }

    fn ball_step(&self, x: &HostMatrix, gradient: &HostMatrix, step: f32, radius: f32) -> Result<HostMatrix> {
        ball_step::ball_step(x, gradient, step, radius)
    }

    fn cross_entropy(&self, logits: &HostMatrix, labels: &Vec<u32>) -> Result<CrossEntropy<HostMatrix>> {
        cross_entropy::cross_entropy(logits, labels)
    }

    fn adam_step(
        &self,
        weights: &HostMatrix,
        gradient: &HostMatrix,
        moments: [&HostMatrix; 2],
        adam: Adam,
    ) -> Result<AdamState<HostMatrix>> {
        adam_step::adam_step(weights, gradient, moments, adam)
    }

    fn classify(&self, logits: &HostMatrix, labels: Option<&Vec<u32>>) -> Result<Classified<Vec<u32>>> {
        classify::classify(logits, labels.map(Vec::as_slice))
    }

    fn unfold(&self, images: &HostMatrix, window: &Window, positions: Option<&Vec<u32>>) -> Result<HostMatrix> {
        unfold::unfold(images, window, positions.map(Vec::as_slice))
    }

    fn convolution(
        &self,
        images: &HostMatrix,
        weights: &HostMatrix,
        bias: Option<&HostMatrix>,
        window: &Window,
        groups: usize,
        activation: Activation,
    ) -> Result<HostMatrix> {
        convolution::convolution(images, weights, bias, window, groups, activation)
    }

    fn pooling(&self, images: &HostMatrix, window: &Window, pooling: Pooling) -> Result<HostMatrix> {
        pooling::pooling(images, window, pooling)
    }

    fn pooling_gradient(
        &self,
        images: &HostMatrix,
        pooled: &HostMatrix,
        gradient: &HostMatrix,
        window: &Window,
        pooling: Pooling,
    ) -> Result<HostMatrix> {
        pooling_gradient::pooling_gradient(images, pooled, gradient, window, pooling)
    }

    fn weighted_sum(
        &self,
        a: &HostMatrix,
        b: Option<&HostMatrix>,
        factors: [f32; 2],
        activation: Activation,
    ) -> Result<HostMatrix> {
        weighted_sum::weighted_sum(a, b, factors, activation)
    }

    fn elementwise(&self, x: &HostMatrix, function: Function) -> Result<HostMatrix> {
        elementwise::elementwise(x, function)
    }

    fn elementwise_gradient(&self, x: &HostMatrix, gradient: &HostMatrix, function: Function) -> Result<HostMatrix> {
        elementwise_gradient::elementwise_gradient(x, gradient, function)
    }

    fn combine(&self, a: &HostMatrix, b: &HostMatrix, how: Combination, share: usize) -> Result<HostMatrix> {
        combine::combine(a, b, how, share)
    }

    fn reduce_rows(&self, x: &HostMatrix, reduction: Reduction) -> Result<HostMatrix> {
        reduce_rows::reduce_rows(x, reduction)
    }

    fn normalize_rows(&self, x: &HostMatrix, norm: RowNorm) -> Result<HostMatrix> {
        normalize_rows::normalize_rows(x, norm)
    }

    fn batched_matmul(&self, a: &HostMatrix, b: &HostMatrix, groups: usize) -> Result<HostMatrix> {
        batched_matmul::batched_matmul(a, b, groups)
    }

    fn reshape(&self, x: HostMatrix, columns: usize) -> Result<HostMatrix> {
        let shape = check::reshape(x.shape(), columns)?;
        Ok(x.reshaped(shape))
    }

    fn gather(&self, x: &HostMatrix, index: &Vec<u32>) -> Result<HostMatrix> {
        gather::gather(x, index)
    }

    fn concatenate(&self, parts: &[&HostMatrix]) -> Result<HostMatrix> {
        concatenate::concatenate(parts)
    }

    fn classify_at(
        &self,
        batches: &[(HostMatrix, Option<Vec<u32>>)],
        layers: &[ScoredLayer<'_, HostMatrix>],
        cutoffs: &[Vec<Cutoff>],
    ) -> Result<Vec<Vec<Classified<Vec<u32>>>>> {
        classify_at::classify_at(self, batches, layers, cutoffs)
    }
}
