//! What a squared distance in f32 leaves open.

/// Bounds of exact squared distances from those that a device computes in f32 of rounded points.
///
/// A device's square `q` of rounded points lies within `slack q + floor` of theirs; rounding moved the difference of two
/// points by at most `shift`, so that the exact distance lies within `shift` of that of the rounded points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Margin {
    slack: f64,
    floor: f64,
    shift: f64,
}

/// Roundings of the bounds themselves, which are computed in f64.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

impl Margin {
    /// The margin of points of a dimension whose differences were moved by at most `shift`.
    pub(super) fn new(dimension: usize, shift: f64) -> Self {
        Self {
            // gamma_(d + 2), twice over.
            slack: 2.0 * (dimension + 4) as f64 * 2.0_f64.powi(-24),
            // A device may take a square below the normal range of f32 for zero.
            floor: (dimension + 1) as f64 * 2.0_f64.powi(-125),
            shift,
        }
    }

    /// The exact square is at least this.
    pub(super) fn least(&self, square: f64) -> f64 {
        let least = (square - self.floor).max(0.0) * (1.0 - self.slack);
        if self.shift == 0.0 { least } else { (least.sqrt() - self.shift).max(0.0).powi(2) * (1.0 - ROUNDING) }
    }

    /// The exact square is at most this, which is above zero.
    pub(super) fn most(&self, square: f64) -> f64 {
        let most = (square + self.floor) * (1.0 + self.slack);
        if self.shift == 0.0 { most } else { (most.sqrt() + self.shift).powi(2) * (1.0 + ROUNDING) }
    }

    /// Squares of a device below this are exact squares below `threshold`; zero where none is known to be.
    pub(super) fn limit(&self, threshold: f64) -> f64 {
        let distance = (threshold.sqrt() * (1.0 - ROUNDING) - self.shift).max(0.0);
        (distance.powi(2) * (1.0 - self.slack) - 2.0 * self.floor).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_below_the_limit_are_below_the_threshold() {
        for shift in [0.0, 1e-7, 0.1] {
            let margin = Margin::new(5, shift);
            for threshold in [0.0, 1e-30, 1e-6, 0.02, 1.0, 3.7] {
                let limit = margin.limit(threshold);
                assert!(limit == 0.0 || margin.most(limit) <= threshold, "{shift} {threshold}");
                assert!(margin.least(threshold) <= threshold && threshold < margin.most(threshold));
            }
        }
    }
}
