//! Every operation on every backend against the f64 reference.
//!
//! Named cases are small enough to check by hand and also run on the reference. Properties draw shapes (empty, one, odd,
//! past the artificial limit of one configuration) and compare within the rounding bound of the data.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first error")]

mod harness;
mod tolerance;

mod activation_patterns;
mod adam_step;
mod affine;
mod ball_step;
mod batched_matmul;
mod class_supports;
mod classify;
mod cluster_means;
mod combine;
mod concatenate;
mod convolution;
mod cross_entropy;
mod elementwise;
mod elementwise_gradient;
mod gather;
mod generators;
mod matmul;
mod max_plus_matmul;
mod nearest;
mod normalize_rows;
mod path_norms;
mod pooling;
mod pooling_gradient;
mod reduce_rows;
mod relu_covariance;
mod reshape;
mod row_scores;
mod row_update;
mod support_function;
mod threshold_mask;
mod tropical_eval;
mod unfold;
mod weighted_sum;

mod classify_at;
mod device;
mod half;
mod images;
mod limits;
mod lloyd;
mod networks;
