//! All shaders as the host composes them, for those who look at them without an adapter.

use super::grid::Grid;
use super::kernel::Constants;
use super::tile::{self, Tile};
use super::{
    activation_patterns, adam_step, affine, ball_step, batched_matmul, class_supports, classify, cluster_means,
    combine, concatenate, convolution, cross_entropy, elementwise, elementwise_gradient, gather, generators, matmul,
    max_plus_matmul, nearest, normalize_rows, pack, path_norms, pooling, pooling_gradient, reduce_rows,
    relu_covariance, row_scores, row_update, support_function, threshold_mask, tropical_eval, unfold, weighted_sum,
};

/// The composed WGSL modules with the sizes of tiles that the host appends: `(stem, variant, text)`.
///
/// A test validates them without an adapter, and `benches/kernel-isa` compiles them for hardware.
#[doc(hidden)]
#[must_use]
pub fn shader_modules() -> Vec<(&'static str, &'static str, String)> {
    let panels = |half| {
        let mut constants = Constants { consts: vec![("WIDTH", 16)], ..Constants::default() };
        constants.store_packed(half);
        constants
    };
    let rows = Constants::default();
    let reductions = [false, true].map(|subgroups| Grid::new(64).reduction(subgroups));
    let [by_memory, by_subgroups] = &reductions;
    let contractions = [
        affine::SOURCE,
        matmul::SOURCE,
        max_plus_matmul::SOURCE,
        nearest::SOURCE,
        tropical_eval::SOURCE,
        support_function::SOURCE,
        class_supports::SOURCE,
        activation_patterns::SOURCE,
        convolution::SOURCE,
    ];
    let others = [
        (pack::SOURCE, &panels(false)),
        (pack::SOURCE, &panels(true)),
        (generators::SOURCE, &rows),
        (cluster_means::SUMS, &rows),
        (relu_covariance::MEANS, &rows),
        (row_scores::NORMS, by_memory),
        (row_scores::NORMS, by_subgroups),
        (row_update::SUMS, by_memory),
        (path_norms::FORWARD, by_memory),
        (path_norms::FORWARD, by_subgroups),
        (threshold_mask::ROWS, &rows),
        (ball_step::SOURCE, &rows),
        (cross_entropy::SOURCE, &rows),
        (adam_step::SOURCE, &rows),
        (classify::SOURCE, &rows),
        (unfold::SOURCE, &rows),
        (convolution::GROUPED, &rows),
        (pooling::SOURCE, &rows),
        (pooling_gradient::SOURCE, &rows),
        (weighted_sum::SOURCE, &rows),
        (elementwise::SOURCE, &rows),
        (elementwise_gradient::SOURCE, &rows),
        (combine::SOURCE, &rows),
        (reduce_rows::SOURCE, &rows),
        (normalize_rows::SOURCE, &rows),
        (batched_matmul::SOURCE, &rows),
        (batched_matmul::DIRECT, &rows),
        (gather::SOURCE, &rows),
        (concatenate::SOURCE, &rows),
    ];
    contractions
        .iter()
        .flat_map(|source| {
            let shared = ["affine", "matmul"].contains(&source.stem);
            tile::samples().map(move |(name, tile)| {
                let constants = Tile { shared, ..tile }.constants();
                (source.stem, name, source.module(&constants))
            })
        })
        .chain(others.map(|(source, constants)| (source.stem, "", source.module(constants))))
        .chain(tropical_eval::samples().map(|(name, narrow)| {
            (tropical_eval::NARROW.stem, name, tropical_eval::NARROW.module(&narrow.constants()))
        }))
        .collect()
}
