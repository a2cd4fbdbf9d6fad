//! Functions built on the exponential in f32, written so that loops over them run in vectors.

/// `exp(x)`, cut to -87..88.5, within two units in the last place: `2^n exp(r)` with `|r| <= ln(2) / 2`, the second factor by
/// its Taylor series to the seventh power.
#[inline(always)]
pub(super) fn exponential(x: f32) -> f32 {
    /// Added to a number it leaves the nearest integer in the last bits.
    const INTEGER: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.5);
    let shifted = x * std::f32::consts::LOG2_E + INTEGER;
    let n = shifted - INTEGER;
    // ln(2) in two parts, so that the difference keeps its digits.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let series = 1.0 / 120.0 + r * (1.0 / 720.0 + r * (1.0 / 5_040.0));
    let series = 1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * series))));
    let power = f32::from_bits(shifted.to_bits().wrapping_sub(INTEGER.to_bits()).wrapping_add(127) << 23);
    series * power
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

/// `tanh(x)`: by `exp(2 |x|)`, and its series near zero, where that would lose digits.
#[inline(always)]
pub(super) fn hyperbolic_tangent(x: f32) -> f32 {
    let s = x * x;
    let series = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2_835.0)))));
    let far = (1.0 - 2.0 / (1.0 + exponential(2.0 * x.abs()))).copysign(x);
    if x.abs() < 0.3 { series } else { far }
}

/// The error function: an odd over an even polynomial on -4..4, beyond which f32 rounds it to one. The same minimax form as in
/// `shaders/elementwise.wgsl`.
#[inline(always)]
pub(super) fn error_function(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let s = x * x;
    let p = [2.770_681_4e-8, -2.101_024e-6, -5.692_506_4e-5, -7.349_906_3e-4, -2.954_6e-3, -1.609_603_3e-2];
    let q = [-2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_474e-2];
    let p = p.into_iter().fold(-2.726_142_3e-10, |sum, next| sum * s + next);
    let q = q.into_iter().fold(-1.456_607_2e-5, |sum, next| sum * s + next);
    x * p / q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_f64() {
        let close = |name: &str, x: f32, found: f32, want: f64| {
            // An exponential doubles the rounding of its argument again and again.
            let units = (4.0 + f64::from(x.abs())) * f64::from(f32::EPSILON);
            assert!((f64::from(found) - want).abs() <= units * want.abs(), "{name}({x}): {found} and {want}");
        };
        for step in -8_000..=8_000_i16 {
            let x = f32::from(step) / 100.0;
            let wide = f64::from(x);
            close("exp", x, exponential(x), wide.exp());
            close("sigmoid", x, sigmoid(x), 1.0 / (1.0 + (-wide).exp()));
            close("tanh", x, hyperbolic_tangent(x), wide.tanh());
            close("erf", x, error_function(x), libm::erf(wide));
        }
    }
}
