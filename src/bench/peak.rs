//! What the host can do at most: multiplications with addition and sums with maxima in registers, and reads from main memory.

use std::hint::black_box;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Floating-point operations per second of all threads, fused multiply-adds in registers alone.
#[must_use]
pub fn fma_peak() -> f64 {
    let start = Instant::now();
    let operations: f64 = rayon::broadcast(|_| Arch::new().dispatch(Chains::Fma)).into_iter().sum();
    operations / start.elapsed().as_secs_f64()
}

/// Additions and maxima per second of all threads, in registers alone: the bound of max-plus products, for which there
/// is no fused instruction.
#[must_use]
pub fn add_max_peak() -> f64 {
    let start = Instant::now();
    let operations: f64 = rayon::broadcast(|_| Arch::new().dispatch(Chains::AddMax)).into_iter().sum();
    operations / start.elapsed().as_secs_f64()
}

enum Chains {
    Fma,
    AddMax,
}

impl WithSimd for Chains {
    type Output = f64;

    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "a count of operations far below 2^53")]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        const STEPS: usize = 1_000_000;
        // Twelve chains cover the latency of two units of four cycles and fit every register file.
        let mut chains = [simd.splat_f32s(black_box(1.0)); 12];
        let (x, y) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(0.25)));
        match self {
            Self::Fma => {
                for _ in 0..STEPS {
                    for chain in &mut chains {
                        *chain = simd.mul_add_e_f32s(*chain, x, y);
                    }
                }
            }
            Self::AddMax => {
                for _ in 0..STEPS {
                    for chain in &mut chains {
                        *chain = simd.max_f32s(simd.add_f32s(*chain, x), y);
                    }
                }
            }
        }
        black_box(chains);
        (2 * STEPS * chains.len() * S::F32_LANES) as f64
    }
}

/// Bytes per second of all threads that read `memory`, which has to exceed the caches to say anything of main memory.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a count of bytes far below 2^53")]
pub fn read_peak(memory: &[f32]) -> f64 {
    // One part per thread: each walks memory in order, as the folds do.
    let part = memory.len().div_ceil(rayon::current_num_threads()).max(1);
    let start = Instant::now();
    let sums: f32 = memory.par_chunks(part).map(|part| Arch::new().dispatch(Sum(part))).sum();
    black_box(sums);
    size_of_val(memory) as f64 / start.elapsed().as_secs_f64()
}

struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (vectors, tail) = S::as_simd_f32s(self.0);
        let mut sums = [simd.splat_f32s(0.0); 8];
        let mut blocks = vectors.chunks_exact(sums.len());
        for block in &mut blocks {
            for (sum, vector) in sums.iter_mut().zip(block) {
                *sum = simd.add_f32s(*sum, *vector);
            }
        }
        for vector in blocks.remainder() {
            sums[0] = simd.add_f32s(sums[0], *vector);
        }
        sums.iter().map(|sum| simd.reduce_sum_f32s(*sum)).sum::<f32>() + tail.iter().sum::<f32>()
    }
}
