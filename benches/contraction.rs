//! Times the contraction and its folds on [`Cpu`] and on the first adapter, software or not: median and spread of at least
//! five runs after a warm-up; for the host beside the peak measured between the runs: of FMAs in registers, of add and max
//! for max-plus, of a parallel read for passes over memory.
//!
//! `cargo bench --bench contraction [-- --quick] [-- --cpu] [-- NAME]`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::cast_precision_loss, reason = "counts of operations")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use ndarray::Array2;
use pulp::{Arch, Simd, WithSimd};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use tropix::Result;
use tropix::backend::{Activation, Backend, Cpu, Cutoff, Gpu, GpuOptions, Transpose};

/// What a case computes; sizes are rows x inner x columns.
#[derive(Clone, Copy)]
enum Operation {
    Affine,
    MatmulTransposed,
    MaxPlusMatmul,
    Nearest,
    TropicalEval,
    SupportFunction,
    /// For ten classes.
    ClassSupports,
    ActivationPatterns,
    RowScores,
    PathNorms(Transpose),
    ThresholdMask,
}

/// What bounds an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    Fma,
    AddMax,
    Memory,
}

impl Operation {
    fn bound(self) -> Bound {
        match self {
            Self::RowScores | Self::PathNorms(_) | Self::ThresholdMask => Bound::Memory,
            Self::MaxPlusMatmul => Bound::AddMax,
            _ => Bound::Fma,
        }
    }

    /// Operations, or bytes read and written where memory is the bound.
    fn amount(self, [n, d, m]: [f64; 3]) -> f64 {
        match self {
            Self::RowScores => 4.0 * (n * d + m * n),
            Self::PathNorms(_) => 4.0 * n * d,
            // Weights and scores are one matrix here: one is read, one written.
            Self::ThresholdMask => 8.0 * n * d,
            Self::ClassSupports => 2.0 * n * (d + 10.0) * m,
            Self::Nearest => 3.0 * n * d * m,
            _ => 2.0 * n * d * m,
        }
    }
}

const CASES: &[(&str, Operation, [usize; 3])] = &[
    ("affine, mnist layer", Operation::Affine, [2000, 784, 512]),
    ("affine, hidden layer", Operation::Affine, [10_000, 512, 512]),
    ("affine, logits", Operation::Affine, [10_000, 512, 10]),
    ("affine, one sample", Operation::Affine, [1, 784, 512]),
    ("affine, odd", Operation::Affine, [1001, 333, 777]),
    ("affine, cube", Operation::Affine, [1024, 1024, 1024]),
    ("affine, vgg head", Operation::Affine, [512, 25088, 1024]),
    ("matmul, A^T B", Operation::MatmulTransposed, [1024, 1024, 1024]),
    ("max-plus, W2", Operation::MaxPlusMatmul, [1024, 1024, 1024]),
    ("max-plus, W2 large", Operation::MaxPlusMatmul, [2048, 2048, 2048]),
    ("nearest, d = 3", Operation::Nearest, [20_000, 3, 20_000]),
    ("nearest, d = 256", Operation::Nearest, [5000, 256, 5000]),
    ("tropical_eval, W1a", Operation::TropicalEval, [65_536, 64, 4096]),
    ("tropical_eval, W1b", Operation::TropicalEval, [1_000_000, 2, 512]),
    ("tropical_eval, d = 8", Operation::TropicalEval, [65_536, 8, 1024]),
    ("support_function, W4", Operation::SupportFunction, [100_000, 64, 2048]),
    ("support_function, one", Operation::SupportFunction, [1, 64, 100_000]),
    ("class_supports, 10", Operation::ClassSupports, [20_000, 64, 2048]),
    ("activation_patterns", Operation::ActivationPatterns, [20_000, 64, 2048]),
    ("affine, head, one", Operation::Affine, [1, 25088, 4096]),
    ("affine, head, 64", Operation::Affine, [64, 25088, 4096]),
    ("row_scores, W5", Operation::RowScores, [4096, 25088, 1000]),
    ("path_norms, W5", Operation::PathNorms(Transpose::No), [4096, 25088, 0]),
    ("path_norms, W5 back", Operation::PathNorms(Transpose::Yes), [4096, 25088, 0]),
    ("threshold_mask, head", Operation::ThresholdMask, [4096, 25088, 0]),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let wanted = |name: &str| {
        let mut names = arguments.iter().filter(|argument| !argument.starts_with("--")).peekable();
        names.peek().is_none() || names.any(|part| name.contains(part.as_str()))
    };
    let cpu = Cpu::new();
    let host_only = arguments.iter().any(|argument| argument == "--cpu");
    let gpu =
        (!host_only).then(|| Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).ok()).flatten();
    let device = cpu.device();
    println!("cpu: {}, {}, {} threads", device.name, device.backend, rayon::current_num_threads());
    match gpu.as_ref().map(Backend::device) {
        Some(device) if device.software => println!("gpu: {}, a SOFTWARE adapter on the same processor", device.name),
        Some(device) => println!("gpu: {}, {}", device.name, device.backend),
        None => println!("gpu: none"),
    }
    println!(
        "{:<24} {:>22} {:>12} {:>8} {:>10} {:>7} {:>12} {:>8} {:>10} {:>8}",
        "case", "n x d x m", "cpu ms", "spread", "G/s", "peak", "gpu ms", "spread", "G/s", "gpu/cpu"
    );
    for (name, operation, [n, d, m]) in CASES.iter().filter(|case| wanted(case.0)) {
        let n = if quick { n.div_ceil(8) } else { *n };
        let runs = if quick { 5 } else { 11 };
        let operations = operation.amount([n as f64, *d as f64, *m as f64]);
        let host = case(&cpu, *operation, [n, *d, *m], runs)?;
        let size = format!("{n} x {d} x {m}");
        print!(
            "{name:<24} {size:>22} {} {:>6.1}%",
            host.columns(operations),
            100.0 * operations / host.median / host.peak
        );
        match &gpu {
            Some(gpu) => {
                let device = case(gpu, *operation, [n, *d, *m], runs)?;
                println!(" {} {:>8.2}", device.columns(operations), device.median / host.median);
            }
            None => println!(),
        }
    }
    Ok(())
}

/// Seconds of one case, and the peak of the host beside it.
struct Timed {
    median: f64,
    spread: f64,
    peak: f64,
}

impl Timed {
    fn columns(&self, operations: f64) -> String {
        let rate = operations / self.median / 1e9;
        format!("{:>12.3} {:>7.0}% {rate:>10.1}", self.median * 1e3, 100.0 * self.spread)
    }
}

fn case<B: Backend>(backend: &B, operation: Operation, [n, d, m]: [usize; 3], runs: usize) -> Result<Timed> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut matrix = |rows: usize, columns: usize| {
        let values = Array2::from_shape_simple_fn((rows, columns), || random.random::<f32>() - 0.5);
        backend.upload(&values)
    };
    let (x, y, row, one) = (matrix(n, d)?, matrix(m, d)?, matrix(1, m)?, matrix(1, 1)?);
    let (x_row, x_column) = (matrix(1, d)?, matrix(1, n)?);
    let (left, right, classes) = match operation {
        Operation::MatmulTransposed | Operation::MaxPlusMatmul => (matrix(d, n)?, matrix(d, m)?, matrix(0, 0)?),
        Operation::RowScores => (matrix(0, 0)?, matrix(0, 0)?, matrix(m, n)?),
        Operation::ClassSupports => (matrix(0, 0)?, matrix(0, 0)?, matrix(10, m)?),
        _ => (matrix(0, 0)?, matrix(0, 0)?, matrix(0, 0)?),
    };
    let run = || -> Result<()> {
        match operation {
            Operation::Affine => drop(black_box(backend.affine(&x, &y, Some(&row), Activation::Relu)?)),
            Operation::MatmulTransposed => {
                drop(black_box(backend.matmul(&left, Transpose::Yes, &right, Transpose::No)?));
            }
            Operation::MaxPlusMatmul => drop(black_box(backend.max_plus_matmul(&x, &right)?)),
            Operation::Nearest => drop(black_box(backend.nearest(&x, &y)?)),
            Operation::TropicalEval => drop(black_box(backend.tropical_eval(&x, &y, &row)?)),
            Operation::SupportFunction => drop(black_box(backend.support_function(&y, None, &x)?)),
            Operation::ClassSupports => drop(black_box(backend.class_supports(&classes, &y, &x)?)),
            Operation::ActivationPatterns => drop(black_box(backend.activation_patterns(&y, Some(&row), &x)?)),
            Operation::RowScores => drop(black_box(backend.row_scores(&x, None, &classes)?)),
            Operation::PathNorms(Transpose::No) => {
                drop(black_box(backend.path_norms(&x, &x_row, None, Transpose::No)?));
            }
            Operation::PathNorms(Transpose::Yes) => {
                drop(black_box(backend.path_norms(&x, &x_column, None, Transpose::Yes)?));
            }
            Operation::ThresholdMask => {
                drop(black_box(backend.threshold_mask(&x, &x, Cutoff { score: 0.0, index: 0 })?));
            }
        }
        Ok(())
    };
    // A queue runs in order: what comes back after the work waits for it.
    let wait = || backend.download(&one).map(drop);
    run()?;
    wait()?;
    let start = Instant::now();
    run()?;
    wait()?;
    // Short operations repeat until a run takes long enough to time.
    let repeats = (Duration::from_millis(20).div_duration_f64(start.elapsed())).ceil().clamp(1.0, 1e5);
    let (mut times, mut peaks) = (Vec::new(), Vec::new());
    let memory = vec![1.0_f32; if operation.bound() == Bound::Memory { 64 << 20 } else { 0 }];
    for _ in 0..runs {
        peaks.push(match operation.bound() {
            Bound::Fma => peak(Peak::Fma),
            Bound::AddMax => peak(Peak::AddMax),
            Bound::Memory => bandwidth(&memory),
        });
        let start = Instant::now();
        let mut left = repeats;
        while left > 0.0 {
            run()?;
            left -= 1.0;
        }
        wait()?;
        times.push(start.elapsed().as_secs_f64() / repeats);
    }
    times.sort_by(f64::total_cmp);
    peaks.sort_by(f64::total_cmp);
    let median = times[runs / 2];
    Ok(Timed { median, spread: (times[runs - 1] - times[0]) / median, peak: peaks[runs / 2] })
}

/// Operations per second of all threads, in registers alone.
fn peak(kind: Peak) -> f64 {
    let start = Instant::now();
    let operations: f64 = rayon::broadcast(|_| Arch::new().dispatch(kind)).into_iter().sum();
    operations / start.elapsed().as_secs_f64()
}

/// Bytes per second of a parallel read that adds up what it reads.
fn bandwidth(values: &[f32]) -> f64 {
    let start = Instant::now();
    let sum: f32 = values.par_chunks(1 << 20).map(|part| Arch::new().dispatch(Read(part))).sum();
    black_box(sum);
    size_of_val(values) as f64 / start.elapsed().as_secs_f64()
}

struct Read<'a>(&'a [f32]);

impl WithSimd for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(0.0); 8];
        let (blocks, _) = S::as_simd_f32s(self.0).0.as_chunks::<8>();
        for block in blocks {
            for (sum, values) in sums.iter_mut().zip(block) {
                *sum = simd.add_f32s(*sum, *values);
            }
        }
        sums.into_iter().map(|sum| simd.reduce_sum_f32s(sum)).sum()
    }
}

#[derive(Clone, Copy)]
enum Peak {
    Fma,
    AddMax,
}

impl WithSimd for Peak {
    type Output = f64;

    #[inline(always)]
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
