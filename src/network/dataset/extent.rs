//! Raw values that do not fit what is done to them: bytes that are not scaled, and values of 0 to 1 that are scaled again.

use crate::network::Normalize;

/// The raw values of a data set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Whether all are whole numbers.
    pub(super) whole: bool,
}

impl Extent {
    pub(super) const EMPTY: Self = Self { low: f64::INFINITY, high: f64::NEG_INFINITY, whole: true };

    pub(super) fn with(self, value: f64) -> Self {
        Self { low: self.low.min(value), high: self.high.max(value), whole: self.whole && value.fract() == 0.0 }
    }

    pub(super) fn join(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high), whole: self.whole && other.whole }
    }
}

/// Half of what bytes reach: images that are not scaled have values beyond it, others do not.
const HALF: f64 = 128.0;
const BYTE: f64 = 255.0;

/// What is odd about the values of `name`, whose `sample` has this shape, if they are normalised so and nobody asked for
/// the scale. What other layers gave (`features`) and coordinates (`points`) may have any range.
pub(super) fn warning(name: &str, sample: &[usize], range: Extent, normalize: &Normalize) -> Option<String> {
    let Extent { low, high, whole } = range;
    let Normalize { scale, mean, std } = normalize;
    if matches!(name, "features" | "points") || high <= low {
        return None;
    }
    let image = name == "images" || matches!(sample.len(), 2 | 3);
    // Means of the images that a network was trained on tell their range.
    let to_one = !mean.is_empty() && mean.iter().all(|mean| (0.0..=1.0).contains(mean)) && !std.is_empty();
    let to_bytes = mean.iter().any(|mean| *mean > 1.0);
    let (least, most) = (low * scale, high * scale);
    if least >= 0.0 && (HALF..=BYTE).contains(&most) && (image || whole || to_one) && !to_bytes {
        return Some(format!(
            "`{name}` lies between {low} and {high} and is not scaled: a network that was trained on values of 0 to 1 needs \
             `--scale {}`, one that was trained on bytes `--scale 1`",
            1.0 / BYTE
        ));
    }
    if *scale > 0.0 && *scale <= 1.0 / HALF && (low < 0.0 || high <= 1.0) {
        return Some(format!(
            "`{name}` lies between {low} and {high} and is scaled by {scale} as bytes are: `--scale 1` takes values that \
             were scaled before"
        ));
    }
    if to_one && least < -0.5 {
        return Some(format!(
            "`{name}` lies between {low} and {high}, the network subtracts the mean {mean:?} of values of 0 to 1: `--mean 0 \
             --std 1` takes values that were normalised before"
        ));
    }
    None
}
