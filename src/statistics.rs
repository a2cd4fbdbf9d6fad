//! What chance may have added: intervals of shares, and a test of signs.

use serde::Serialize;

/// A number of samples among others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// Their share.
    pub share: f64,
    /// Wilson's 95 % interval of it (*Probable inference*, 1927).
    pub interval: [f64; 2],
}

/// The two-sided 95 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

impl Share {
    /// The share of the samples for which something is true.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "numbers of samples")]
    pub fn of(samples: impl Iterator<Item = bool>) -> Self {
        let (count, of) = samples.fold((0, 0), |(count, of), holds| (count + usize::from(holds), of + 1));
        let n = of as f64;
        if of == 0 {
            return Self { count, of, share: 0.0, interval: [0.0, 1.0] };
        }
        let share = count as f64 / n;
        let centre = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
        let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        Self { count, of, share, interval: [(centre - half).max(0.0), (centre + half).min(1.0)] }
    }
}

/// The two-sided exact sign test: how likely chance alone divides `a + b` signs at least as unevenly.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "numbers of samples")]
pub fn sign_test(a: usize, b: usize) -> f64 {
    let n = a + b;
    // Terms of the binomial distribution by their logarithms, which do not underflow.
    let (mut term, mut tail) = (-(n as f64) * std::f64::consts::LN_2, 0.0);
    for k in 0..=a.min(b) {
        tail += term.exp();
        term += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_by_hand() {
        for (a, b, p) in [(0, 0, 1.0), (1, 1, 1.0), (0, 5, 0.0625), (1, 7, 18.0 / 256.0), (10, 0, 2.0 / 1024.0)] {
            assert!((sign_test(a, b) - p).abs() < 1e-12, "{a} {b}: {}", sign_test(a, b));
        }
    }

    #[test]
    fn intervals_are_those_of_a_table() {
        // 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I, method 3); 0 of 20: 0 to 0.1611; 15 of 148: 0.0624 to 0.1605.
        for (count, of, low, high) in [(81, 263, 0.2553, 0.3662), (0, 20, 0.0, 0.1611), (15, 148, 0.0624, 0.1605)] {
            let share = Share::of((0..of).map(|at| at < count));
            assert!((share.interval[0] - low).abs() < 6e-5 && (share.interval[1] - high).abs() < 6e-5, "{share:?}");
        }
        assert_eq!(Share::of(std::iter::empty()).interval, [0.0, 1.0]);
    }
}
