//! Images of opaque leaves and of sparse shapes: edges, occlusion and flat regions without any data.
//!
//! Half of the images are *dead leaves*: discs, ellipses and turned rectangles of all sizes, each hiding what lies below
//! it (Lee, Mumford, Huang, *Occlusion models for natural images*, 2001). The other half are *sparse shapes*: a few
//! antialiased bars and elliptic rings on an even background, as in drawings and digits.

use std::f32::consts::PI;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::normal::normal;

/// Fills an image of `channels x height x width` pixels in 0..=1.
pub(super) fn image(random: &mut ChaCha8Rng, sparse: bool, [channels, height, width]: [usize; 3], out: &mut [f32]) {
    let mut canvas = Canvas { channels, height, width, out };
    if sparse {
        shapes(random, &mut canvas)
    } else {
        leaves(random, &mut canvas)
    }
    canvas.out.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
}

struct Canvas<'a> {
    channels: usize,
    height: usize,
    width: usize,
    out: &'a mut [f32],
}

/// A point relative to the centre of a shape, along its axes.
type Local = [f32; 2];

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixels of an image, clamped to its edges"
)]
impl Canvas<'_> {
    /// The side of a square of the same area.
    fn side(&self) -> f32 {
        ((self.height * self.width) as f32).sqrt()
    }

    /// A point of the canvas.
    fn point(&self, random: &mut ChaCha8Rng) -> [f32; 2] {
        [random.random_range(0.0..1.0) * self.height as f32, random.random_range(0.0..1.0) * self.width as f32]
    }

    /// Lays `colour` over the pixels within `reach` of `centre` to the share that `cover` gives.
    fn paint(&mut self, centre: [f32; 2], angle: f32, reach: f32, colour: &[f32], cover: impl Fn(Local) -> f32) {
        let (sin, cos) = angle.sin_cos();
        let range = |centre: f32, length: usize| {
            let start = (centre - reach).floor().clamp(0.0, length as f32) as usize;
            start..(centre + reach).ceil().clamp(0.0, length as f32) as usize
        };
        let plane = self.height * self.width;
        for y in range(centre[0], self.height) {
            for x in range(centre[1], self.width) {
                let (down, right) = (y as f32 + 0.5 - centre[0], x as f32 + 0.5 - centre[1]);
                let share = cover([cos * right + sin * down, cos * down - sin * right]);
                if share > 0.0 {
                    for (channel, colour) in colour.iter().enumerate() {
                        let pixel = &mut self.out[channel * plane + y * self.width + x];
                        *pixel += share * (colour - *pixel);
                    }
                }
            }
        }
    }
}

/// A grey level, or one for each channel off it by `N(0, 0.15)`.
fn around(random: &mut ChaCha8Rng, grey: f32, channels: usize) -> Vec<f32> {
    if channels == 1 {
        return vec![grey];
    }
    (0..channels).map(|_| (grey + 0.15 * normal(random)).clamp(0.0, 1.0)).collect()
}

fn colour(random: &mut ChaCha8Rng, channels: usize) -> Vec<f32> {
    let grey = random.random_range(0.0..1.0);
    around(random, grey, channels)
}

fn background(canvas: &mut Canvas<'_>, colour: &[f32]) {
    let plane = canvas.height * canvas.width;
    canvas.out.chunks_exact_mut(plane).zip(colour).for_each(|(pixels, colour)| pixels.fill(*colour));
}

/// Between 8 and 39 leaves of radius `0.04 side / sqrt(u)`, `u` uniform in 0.01..1, and aspect `exp(N(0, 0.5))`.
fn leaves(random: &mut ChaCha8Rng, canvas: &mut Canvas<'_>) {
    let ground = colour(random, canvas.channels);
    background(canvas, &ground);
    for _ in 0..random.random_range(8..40) {
        let radius = 0.04 * canvas.side() / random.random_range(0.01_f32..1.0).sqrt();
        let aspect = (0.5 * normal(random)).exp();
        let axes = [radius * aspect.sqrt(), radius / aspect.sqrt()];
        let (centre, angle) = (canvas.point(random), random.random_range(0.0..PI));
        let (colour, round) = (colour(random, canvas.channels), random.random_bool(0.5));
        let reach = axes[0].hypot(axes[1]) + 1.0;
        canvas.paint(centre, angle, reach, &colour, |[u, v]| {
            let (u, v) = (u / axes[0], v / axes[1]);
            let inside = if round { u * u + v * v <= 1.0 } else { u.abs().max(v.abs()) <= 1.0 };
            if inside { 1.0 } else { 0.0 }
        });
    }
}

/// `floor(exp(u))` bars and rings, `u` uniform in 0..ln 12, of brightness 0.3..1, on black where there is one channel.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number between 1 and 12")]
fn shapes(random: &mut ChaCha8Rng, canvas: &mut Canvas<'_>) {
    let ground = if canvas.channels == 1 { vec![0.0] } else { colour(random, canvas.channels) };
    background(canvas, &ground);
    let count = random.random_range(0.0..12.0_f32.ln()).exp().floor() as usize;
    let side = canvas.side();
    for _ in 0..count.max(1) {
        let brightness = random.random_range(0.3..1.0);
        let colour = around(random, brightness, canvas.channels);
        let (centre, angle) = (canvas.point(random), random.random_range(0.0..PI));
        let [length, thickness] = [random.random_range(0.1..0.35) * side, random.random_range(0.03..0.12) * side];
        if random.random_bool(0.5) {
            canvas.paint(centre, angle, length + thickness + 1.0, &colour, |[u, v]| {
                let beyond = (u.abs() - length).max(0.0);
                (thickness + 0.5 - v.hypot(beyond)).clamp(0.0, 1.0)
            });
        } else {
            let axes = [length, length * random.random_range(0.4..1.0)];
            canvas.paint(centre, angle, length + thickness + 1.0, &colour, |[u, v]| {
                // To first order the distance from the ellipse is the level over its gradient.
                let level = (u / axes[0]).hypot(v / axes[1]);
                let gradient = (u / (axes[0] * axes[0])).hypot(v / (axes[1] * axes[1])) / level.max(1e-6);
                let distance = (level - 1.0).abs() / gradient.max(1.0 / side);
                (thickness + 0.5 - distance).clamp(0.0, 1.0)
            });
        }
    }
}
