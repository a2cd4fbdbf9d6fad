//! Points of any scale and place as points in f32 about the origin, for a device that only chooses candidates.

use ndarray::{ArrayView2, CowArray, Ix2};
use rayon::prelude::*;

use super::points::Coordinate;
use crate::number::{scaled, unit_exponent};

/// Two samples in f32 and what rounding did to them.
pub(super) struct Narrow<'a> {
    pub(super) x: CowArray<'a, f32, Ix2>,
    pub(super) y: CowArray<'a, f32, Ix2>,
    /// How far the difference of two points may have moved, in the scale of these samples.
    pub(super) shift: f64,
}

/// What a device may take for zero, and the rounding of numbers below the normal range.
const TINY: f64 = 1.175_494_350_822_287_5e-38;

impl<'a> Narrow<'a> {
    /// Both samples, moved by the same vector and scaled by the same power of two. Numbers that f32 holds stay as they
    /// are, unless their squares leave its range; `largest`: the largest size of an entry.
    pub(super) fn of<T: Coordinate>(x: ArrayView2<'a, T>, y: ArrayView2<'a, T>, largest: f64) -> Self {
        if let (Some(x), Some(y)) = (T::in_f32(x), T::in_f32(y)) {
            // Squares of f32 leave its range beyond 1e19, and lose digits below 1e-19.
            if largest == 0.0 || (1e-12..=1e15).contains(&largest) {
                return Self { x, y, shift: 0.0 };
            }
        }
        let (middle, radii) = extent(x, y);
        let size = radii.iter().copied().fold(0.0, f64::max);
        let power = if size > 0.0 { unit_exponent(size) } else { 0 };
        // Moving rounds to 2^-53, and f32 to 2^-24 of what is left, or to what it holds least.
        let error = |radius: &f64| scaled(*radius, power) * 2.0_f64.powi(-24) * 1.001 + TINY;
        let shift = 2.001 * radii.iter().map(|radius| error(radius).powi(2)).sum::<f64>().sqrt();
        let narrow = |points: ArrayView2<'a, T>| {
            #[expect(clippy::cast_possible_truncation, reason = "rounds to the nearest f32")]
            let entry = |(value, middle): (&T, &f64)| scaled((*value).into() - middle, power) as f32;
            let mut out = ndarray::Array2::zeros(points.dim());
            if let Some(values) = out.as_slice_mut() {
                let rows = values.par_chunks_mut(points.ncols().max(1)).with_min_len(512).enumerate();
                rows.for_each(|(i, to)| {
                    to.iter_mut().zip(points.row(i).iter().zip(&middle)).for_each(|(to, pair)| *to = entry(pair));
                });
            }
            CowArray::from(out)
        };
        Self { x: narrow(x), y: narrow(y), shift }
    }
}

/// The middle of the box that holds all points, and half its width, in every coordinate.
fn extent<T: Coordinate>(x: ArrayView2<'_, T>, y: ArrayView2<'_, T>) -> (Vec<f64>, Vec<f64>) {
    let bounds = |k: usize| {
        let values = x.column(k).into_iter().chain(y.column(k)).map(|value| (*value).into());
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value: f64| [low.min(value), high.max(value)])
    };
    let bounds: Vec<[f64; 2]> = (0..x.ncols()).into_par_iter().map(bounds).collect();
    // Halves first: their sum stays finite.
    let middle: Vec<f64> = bounds.iter().map(|[low, high]| low / 2.0 + high / 2.0).collect();
    let radii = bounds.iter().zip(&middle).map(|([low, high], middle)| (high - middle).max(middle - low)).collect();
    (middle, radii)
}
