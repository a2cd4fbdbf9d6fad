//! Standard normal numbers.

use std::f32::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One number from `N(0, 1)` (Box and Muller, 1958).
pub(crate) fn normal(random: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.random_range(0.0_f32..1.0)).ln()).sqrt();
    radius * (TAU * random.random_range(0.0_f32..1.0)).cos()
}
