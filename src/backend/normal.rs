//! The standard normal distribution in f64.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Of the 16 nodes of Gauss and Legendre on `[-1, 1]` the positive ones, each with its weight.
pub(crate) const GAUSS_LEGENDRE_16: [(f64, f64); 8] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_8, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_87),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_09),
];

/// `phi(x) = exp(-x^2 / 2) / sqrt(2 pi)`.
pub(crate) fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// `Phi(x)`, the integral of [`density`] up to `x`, to a few units in the last place.
pub(crate) fn cdf(x: f64) -> f64 {
    if x < 0.0 { 0.5 * erfc(-x * FRAC_1_SQRT_2) } else { 1.0 - 0.5 * erfc(x * FRAC_1_SQRT_2) }
}

/// `erfc(x)` for `x >= 0`: by the series `erf(x) = 2 / sqrt(pi) exp(-x^2) sum_n 2^n x^(2 n + 1) / (2 n + 1)!!`, whose terms
/// are all positive, below 2.5, and by the continued fraction of Laplace beyond.
fn erfc(x: f64) -> f64 {
    if x < 2.5 {
        let (mut term, mut sum) = (x, x);
        let mut n = 1.0;
        while term > sum * 1e-17 {
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        return 1.0 - 2.0 / PI.sqrt() * (-x * x).exp() * sum;
    }
    // erfc(x) = exp(-x^2) / sqrt(pi) / (x + (1/2) / (x + (2/2) / (x + (3/2) / ...))), from the inside out.
    let tail = (1..=60).rev().fold(0.0, |tail, n| 0.5 * f64::from(n) / (x + tail));
    (-x * x).exp() / PI.sqrt() / (x + tail)
}

#[cfg(test)]
mod tests {
    use super::{cdf, erfc};

    #[test]
    fn values_are_those_of_scipy() {
        // scipy.special.erfc and ndtr.
        for (x, value) in
            [(0.5, 0.479_500_122_186_953_5), (2.4, 6.885_138_966_450_786e-4), (3.0, 2.209_049_699_858_544e-5)]
        {
            assert!((erfc(x) - value).abs() <= 2e-13 * value, "{x}: {}", erfc(x));
        }
        assert!(
            (cdf(-4.0) - 3.167_124_183_311_992e-5).abs() < 1e-17 && (cdf(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15
        );
        assert!((erfc(2.499_999_999) - erfc(2.5)).abs() < 1e-11);
    }
}
