//! Numbers in f64: powers of two that scale them, and the forms in which they are shown.

/// `value * 2^exponent`, also where the power alone is beyond f64; exact short of overflow and underflow.
#[must_use]
pub(crate) fn scaled(value: f64, exponent: i32) -> f64 {
    let first = exponent / 2;
    value * 2.0_f64.powi(first) * 2.0_f64.powi(exponent - first)
}

/// The exponent of the power of two that brings a positive number to order one.
#[must_use]
pub(crate) fn unit_exponent(value: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "between -1024 and 1075")]
    let exponent = -(value.log2().floor() as i32);
    exponent
}

/// The shortest form that reads back as the same number: decimal from 1e-4 to 1e16, scientific beyond.
///
/// ```
/// use tropix::number::shortest;
/// assert_eq!([0.1, -2.0, 1e300, 5e-324, -0.0].map(shortest), ["0.1", "-2", "1e300", "5e-324", "0"]);
/// ```
#[must_use]
pub fn shortest(value: f64) -> String {
    // Adding zero makes minus zero plain.
    let text = format!("{:?}", value + 0.0);
    text.strip_suffix(".0").map_or(text.clone(), ToOwned::to_owned)
}

/// A measured number with so many decimals; in scientific form, with as many digits after the point, where that would
/// print more than 17 digits, or fewer than three that are not zero.
///
/// ```
/// use tropix::number::fixed;
/// assert_eq!([1.5, 0.0, 2e300, 1.25e-200].map(|v| fixed(v, 6)), ["1.500000", "0.000000", "2.000000e300", "1.250000e-200"]);
/// ```
#[must_use]
pub fn fixed(value: f64, places: usize) -> String {
    let value = value + 0.0;
    let least = 100.0 / 10.0_f64.powi(i32::try_from(places).unwrap_or(i32::MAX));
    let size = value.abs();
    if size == 0.0 || (least..1e17).contains(&size) || !size.is_finite() {
        // Seventeen digits are all that f64 has.
        let before = if size >= 10.0 { size.log10().floor() + 1.0 } else { 1.0 };
        let shown = (0..=places).rev().find(|places| before + *places as f64 <= 17.0).unwrap_or(0);
        return format!("{value:.shown$}");
    }
    format!("{value:.places$e}")
}

/// [`fixed`] without zeros at the end.
#[must_use]
pub fn trimmed(value: f64, places: usize) -> String {
    let text = fixed(value, places);
    let (digits, power) = text.split_at(text.find('e').unwrap_or(text.len()));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{digits}{power}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_short_and_none_hides_a_number() {
        for value in [1.0, -0.125, 1e17, 1e-5, 123_456_789.125, 1.5e308, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2] {
            assert_eq!(shortest(value).parse::<f64>(), Ok(value));
            assert!(shortest(value).len() <= 24);
            for places in [3, 6, 9] {
                let read: f64 = fixed(value, places).parse().unwrap_or(f64::NAN);
                assert!((read / value - 1.0).abs() < 1e-2 && fixed(value, places).len() <= 26, "{value} {places}");
                assert_eq!(trimmed(value, places).parse(), Ok(read));
            }
        }
        assert_eq!([1.0, 0.25, 3e20, 0.0, -0.0].map(|v| trimmed(v, 6)), ["1", "0.25", "3e20", "0", "0"]);
    }

    #[test]
    fn powers_of_two_beyond_f64_scale_numbers_to_order_one() {
        for value in [5e-324, 1e-200, 1.0, 1e300] {
            let unit = scaled(value, unit_exponent(value));
            assert!((0.5..=2.0).contains(&unit), "{value} {unit}");
            assert_eq!(scaled(unit, -unit_exponent(value)), value);
        }
    }
}
