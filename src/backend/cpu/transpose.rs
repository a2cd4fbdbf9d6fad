//! Square blocks transposed in registers, the core of packing: as many rows as a vector has lanes.
//!
//! A block of `2 s` rows and columns is transposed when its quadrants of `s` are, and the two off the diagonal change
//! places: one rotation and one selection for each row and each `s`.

use pulp::Simd;

use super::contraction::Lanes;

/// Writes the block of `rows` that begins at `first`, transposed, to lines of `out` that are `stride` apart. Rows that are
/// missing are empty here and zero there.
#[inline(always)]
pub(super) fn transpose<S: Simd>(simd: S, rows: &[&[f32]; 16], first: usize, out: &mut [f32], stride: usize) {
    let lanes = S::F32_LANES;
    let mut block = [simd.splat_f32s(0.0); 16];
    for (block, row) in block.iter_mut().zip(rows).take(lanes) {
        if let Some(row) = row.get(first..first + lanes) {
            *block = S::as_simd_f32s(row).0[0];
        }
    }
    if lanes > 8 {
        exchange::<S, 8>(simd, &mut block);
    }
    if lanes > 4 {
        exchange::<S, 4>(simd, &mut block);
    }
    if lanes > 2 {
        exchange::<S, 2>(simd, &mut block);
    }
    if lanes > 1 {
        exchange::<S, 1>(simd, &mut block);
    }
    for (k, block) in block.iter().enumerate().take(lanes) {
        S::as_mut_simd_f32s(&mut out[k * stride..][..lanes]).0[0] = *block;
    }
}

/// Exchanges the quadrants of size `STEP` off the diagonal.
#[inline(always)]
fn exchange<S: Simd, const STEP: usize>(simd: S, block: &mut [S::f32s; 16]) {
    // Ones in the lanes whose number has the bit of the step.
    let bits: Lanes<f32> = LANE.map(|lane| if lane & STEP == 0 { 0.0 } else { 1.0 });
    let upper = simd.greater_than_f32s(S::as_simd_f32s(&bits).0[0], simd.splat_f32s(0.0));
    for r in 0..S::F32_LANES {
        if r & STEP == 0 {
            let (a, b) = (block[r], block[r + STEP]);
            block[r] = simd.select_f32s(upper, simd.rotate_right_f32s(b, STEP), a);
            block[r + STEP] = simd.select_f32s(upper, b, simd.rotate_left_f32s(a, STEP));
        }
    }
}

const LANE: [usize; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

#[cfg(test)]
mod tests {
    use std::array::from_fn;

    use pulp::{Arch, Scalar, Simd, WithSimd};

    use super::transpose;

    struct Block;

    impl WithSimd for Block {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            let lanes = S::F32_LANES;
            let values: Vec<f32> = (0_u16..16 * 20).map(f32::from).collect();
            let mut out = vec![-1.0; 16 * 20];
            // The last row is missing.
            let rows = from_fn(|r| if r + 1 < lanes.max(2) { &values[20 * r..][..20] } else { &[] });
            transpose(simd, &rows, 3, &mut out, 20);
            for k in 0..lanes {
                for r in 0..20 {
                    let missing = if r < lanes { 0.0 } else { -1.0 };
                    let want = if r + 1 < lanes.max(2) { values[20 * r + 3 + k] } else { missing };
                    assert_eq!(out[20 * k + r], want, "{lanes} lanes, row {r}, entry {k}");
                }
            }
        }
    }

    #[test]
    fn blocks_of_every_width_are_transposed() {
        Arch::new().dispatch(Block);
        Arch::Scalar.dispatch(Block);
        Simd::vectorize(Scalar::new(), Block);
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            Simd::vectorize(simd, Block);
        }
    }
}
