//! Zonotopes of any size, brought to order one by a power of two: no square or product of theirs overflows or vanishes.

use super::zonotope::Zonotope;
use crate::error::{Error, Result};
use crate::number::{scaled, unit_exponent};

/// Sizes of entries that are left as they are.
const ORDINARY: std::ops::RangeInclusive<f64> = 1e-40..=1e40;

/// What the smallest entry may be scaled down to.
const LEAST: f64 = 1e-290;

/// The exponent of the power of two that brings the largest entry to order one, or as near to it as the smallest allows;
/// 0 where it is of an ordinary size.
pub(crate) fn to_unit<'a>(zonotopes: impl Iterator<Item = &'a Zonotope>) -> i32 {
    let entries = zonotopes.flat_map(|zonotope| zonotope.generators.iter().chain(&zonotope.shift));
    let sizes = entries.map(|entry| entry.abs()).filter(|size| *size > 0.0);
    let [least, most] = sizes.fold([f64::INFINITY, 0.0_f64], |[least, most], size| [least.min(size), most.max(size)]);
    if most == 0.0 || ORDINARY.contains(&most) {
        return 0;
    }
    let exponent = unit_exponent(most);
    if exponent > 0 { exponent } else { exponent.max((unit_exponent(least) - unit_exponent(LEAST)).min(0)) }
}

impl Zonotope {
    /// The zonotope times `2^exponent`.
    pub(crate) fn times_power_of_two(&self, exponent: i32) -> Self {
        let times = |entry: f64| scaled(entry, exponent);
        Self { shift: self.shift.mapv(times), generators: self.generators.mapv(times) }
    }
}

/// `value * 2^exponent` of a measure.
///
/// # Errors
///
/// [`Error::OutOfRange`] where f64 does not hold it, or holds zero only.
pub(crate) fn measure(what: &str, value: f64, exponent: i32) -> Result<f64> {
    let result = scaled(value, exponent.clamp(-2000, 2000));
    if result.is_finite() && (result != 0.0 || value == 0.0) {
        return Ok(result);
    }
    Err(Error::OutOfRange { what: what.to_owned() })
}

/// Coordinates times `2^exponent`, which may vanish beside others.
///
/// # Errors
///
/// [`Error::OutOfRange`] where f64 does not hold one.
pub(crate) fn coordinates(what: &str, values: &mut [f64], exponent: i32) -> Result<()> {
    for value in values {
        *value = scaled(*value, exponent.clamp(-2000, 2000));
        if !value.is_finite() {
            return Err(Error::OutOfRange { what: what.to_owned() });
        }
    }
    Ok(())
}
