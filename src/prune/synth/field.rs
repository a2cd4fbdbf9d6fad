//! Gaussian fields with the covariance `exp(-distance / range)` between pixels: images without edges.
//!
//! A field is a sum of cosines whose frequencies have the spectral density of the covariance, in two dimensions the
//! bivariate Cauchy density: `g / (range |z|)` for `g ~ N(0, I)`, `z ~ N(0, 1)`.

use std::f32::consts::TAU;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::normal::normal;

/// Cosines of one field.
const WAVES: usize = 128;

/// Correlation of the channels of an image.
const CHANNELS: f32 = 0.9;

/// Fills an image of `channels x height x width` values with unit variance and zero mean.
#[expect(clippy::cast_precision_loss, reason = "pixels of an image")]
pub(super) fn image(random: &mut ChaCha8Rng, [channels, height, width]: [usize; 3], out: &mut [f32]) {
    let range = ((height * width) as f32).sqrt() / 5.0;
    let plane = height * width;
    let mut shared = vec![0.0; plane];
    if channels > 1 {
        field(random, range, [height, width], CHANNELS.sqrt(), &mut shared);
    }
    for out in out.chunks_exact_mut(plane.max(1)) {
        out.copy_from_slice(&shared);
        field(random, range, [height, width], if channels > 1 { (1.0 - CHANNELS).sqrt() } else { 1.0 }, out);
    }
}

/// Adds `size` times a field of unit variance.
#[expect(clippy::cast_precision_loss, reason = "pixels of an image")]
fn field(random: &mut ChaCha8Rng, range: f32, [height, width]: [usize; 2], size: f32, out: &mut [f32]) {
    let amplitude = size * (2.0 / WAVES as f32).sqrt();
    for _ in 0..WAVES {
        let scale = 1.0 / (range * normal(random).abs().max(1e-6));
        let [down, right] = [scale * normal(random), scale * normal(random)];
        let phase = random.random_range(0.0..TAU);
        // cos(a + b) = cos a cos b - sin a sin b, with one angle for each row and one for each column.
        let columns: Vec<(f32, f32)> = (0..width).map(|x| (right * x as f32).sin_cos()).collect();
        for (y, out) in out.chunks_exact_mut(width.max(1)).enumerate().take(height) {
            let (sin, cos) = (down * y as f32 + phase).sin_cos();
            let (sin, cos) = (amplitude * sin, amplitude * cos);
            out.iter_mut().zip(&columns).for_each(|(value, (s, c))| *value += cos * c - sin * s);
        }
    }
}
