//! Seeded data from an integer hash that any language computes alike.

use ndarray::Array2;
use rayon::prelude::*;

use crate::backend::RowSource;
use crate::error::{Error, Result};

/// Entry `index` of operand number `operand`, uniform on the multiples of `2^-23` in `[-1, 1)`.
///
/// The finaliser of `SplitMix64` on `((256 seed + operand) 2^40 + index + 1) 0x9e3779b97f4a7c15` modulo `2^64`; its upper
/// 24 bits over `2^23`, minus 1, which is exact in f32 (Steele, Lea, Flood, *Fast splittable pseudorandom number
/// generators*, OOPSLA 2014).
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
pub fn value(seed: u64, operand: u64, index: u64) -> f32 {
    let counter = (seed.wrapping_mul(256).wrapping_add(operand) << 40).wrapping_add(index).wrapping_add(1);
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 40) as f32 / 8_388_608.0 - 1.0
}

/// An operand of [`value`]s in row-major order.
///
/// # Errors
///
/// [`Error::Argument`] where the number of entries overflows.
pub fn array(seed: u64, operand: u64, [rows, columns]: [usize; 2]) -> Result<Array2<f32>> {
    const CHUNK: usize = 1 << 16;
    let problem = || Error::Argument { argument: "shape", problem: format!("{rows} x {columns} is too large") };
    let mut values = vec![0.0; rows.checked_mul(columns).ok_or_else(problem)?];
    values.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
        for (slot, index) in values.iter_mut().zip((chunk * CHUNK) as u64..) {
            *slot = value(seed, operand, index);
        }
    });
    Array2::from_shape_vec((rows, columns), values).map_err(|error| Error::Internal { what: error.to_string() })
}

/// An operand of [`value`]s that is never in memory: its rows are computed as they are read.
pub(super) struct Streamed {
    pub(super) seed: u64,
    pub(super) operand: u64,
    pub(super) shape: [usize; 2],
}

impl RowSource for Streamed {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        for (slot, index) in out.iter_mut().zip((first * self.shape[1]) as u64..) {
            *slot = value(self.seed, self.operand, index);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first entries of two operands, computed by `benches/peers/data.py`.
    #[test]
    fn values_are_those_of_the_peers() {
        let first: Vec<f32> = (0..3).map(|index| value(0, 1, index)).collect();
        let other: Vec<f32> = (0..3).map(|index| value(7, 2, 1_000_000 + index)).collect();
        assert_eq!(first, [-0.803_006_4, -0.909_206_87, -0.503_376_96]);
        assert_eq!(other, [0.721_574_3, 0.966_321, 0.102_801_68]);
    }

    #[test]
    fn streamed_rows_are_those_of_the_array() -> Result<()> {
        let (shape, mut rows) = ([5, 3], vec![0.0; 6]);
        Streamed { seed: 1, operand: 2, shape }.read_rows(2, &mut rows)?;
        assert_eq!(array(1, 2, shape)?.as_slice().and_then(|all| all.get(6..12)), Some(rows.as_slice()));
        Ok(())
    }

    #[test]
    fn values_fill_the_interval_evenly() {
        let (mut sum, mut squares) = (0.0, 0.0);
        for index in 0..100_000 {
            let value = f64::from(value(3, 4, index));
            assert!((-1.0..1.0).contains(&value));
            (sum, squares) = (sum + value, squares + value * value);
        }
        // Five standard deviations of the mean and of the mean square.
        assert!((sum / 1e5).abs() < 5.0 * (1.0 / 3e5_f64).sqrt(), "{sum}");
        assert!((squares / 1e5 - 1.0 / 3.0).abs() < 5.0 * (4.0 / 45e5_f64).sqrt(), "{squares}");
    }
}
