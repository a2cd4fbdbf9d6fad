//! Backends, data and shapes of the tests.

use std::sync::OnceLock;

use ndarray::Array2;
use proptest::prelude::Just;
use proptest::prop_oneof;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use rand::RngExt;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions, Reference, Variant};

/// Makes one test of a generic function for each backend and configuration.
macro_rules! on_every_backend {
    ($($check:ident),* $(,)?) => { $(
        mod $check {
            use crate::harness;
            #[test]
            fn reference() { super::$check(harness::reference()) }
            harness::on_fast_backends!($check);
        }
    )* };
}

/// Makes one test of a generic function for each backend but the reference, with which these compare.
macro_rules! against_the_reference {
    ($($check:ident),* $(,)?) => { $(
        mod $check {
            use crate::harness;
            harness::on_fast_backends!($check);
        }
    )* };
}

macro_rules! on_fast_backends {
    ($check:ident) => {
        #[test]
        fn cpu() {
            super::$check(harness::cpu())
        }
        #[test]
        #[cfg_attr(no_adapter, ignore = "needs an adapter")]
        fn gpu() {
            super::$check(harness::gpu())
        }
        #[test]
        #[cfg_attr(no_adapter, ignore = "needs an adapter")]
        fn gpu_with_small_bindings() {
            super::$check(harness::gpu_with_small_bindings())
        }
        #[test]
        #[cfg_attr(no_adapter, ignore = "needs an adapter")]
        fn gpu_with_checks() {
            super::$check(harness::gpu_with_checks())
        }
        #[test]
        #[cfg_attr(no_adapter, ignore = "needs an adapter")]
        fn gpu_as_in_hardware() {
            super::$check(harness::gpu_as_in_hardware())
        }
        #[test]
        #[cfg_attr(no_adapter, ignore = "needs an adapter")]
        fn gpu_as_in_hardware_with_checks() {
            super::$check(harness::gpu_as_in_hardware_with_checks())
        }
        #[test]
        #[cfg_attr(no_adapter, ignore = "needs an adapter")]
        fn gpu_with_direct_loads() {
            super::$check(harness::gpu_with_direct_loads())
        }
        #[test]
        #[cfg_attr(no_adapter, ignore = "needs an adapter")]
        fn gpu_without_subgroups() {
            super::$check(harness::gpu_without_subgroups())
        }
    };
}

pub(crate) use {against_the_reference, on_every_backend, on_fast_backends};

pub(crate) fn reference() -> &'static Reference {
    static BACKEND: OnceLock<Reference> = OnceLock::new();
    BACKEND.get_or_init(Reference::new)
}

pub(crate) fn cpu() -> &'static Cpu {
    static BACKEND: OnceLock<Cpu> = OnceLock::new();
    BACKEND.get_or_init(Cpu::new)
}

/// The best adapter as it is.
pub(crate) fn gpu() -> &'static Gpu {
    static BACKEND: OnceLock<Gpu> = OnceLock::new();
    BACKEND.get_or_init(|| open(GpuOptions::default()))
}

/// An adapter whose bindings hold 4 KiB, so that small matrices span many blocks.
pub(crate) fn gpu_with_small_bindings() -> &'static Gpu {
    static BACKEND: OnceLock<Gpu> = OnceLock::new();
    BACKEND.get_or_init(|| open(GpuOptions { max_binding: Some(4096), ..GpuOptions::default() }))
}

/// An adapter with the run-time checks of wgpu in every shader.
pub(crate) fn gpu_with_checks() -> &'static Gpu {
    static BACKEND: OnceLock<Gpu> = OnceLock::new();
    BACKEND.get_or_init(|| open(GpuOptions { checked: true, ..GpuOptions::default() }))
}

/// The contraction over workgroup memory, with bindings of 4 KiB.
pub(crate) fn gpu_as_in_hardware() -> &'static Gpu {
    static BACKEND: OnceLock<Gpu> = OnceLock::new();
    let variant = Some(Variant::Workgroup);
    BACKEND.get_or_init(|| open(GpuOptions { variant, max_binding: Some(4096), ..GpuOptions::default() }))
}

/// The contraction over workgroup memory with the tiles of adapters whose subgroups have 64 lanes, and the run-time checks
/// of wgpu.
pub(crate) fn gpu_as_in_hardware_with_checks() -> &'static Gpu {
    static BACKEND: OnceLock<Gpu> = OnceLock::new();
    let variant = Some(Variant::Workgroup);
    BACKEND.get_or_init(|| open(GpuOptions { variant, checked: true, wave64: true, ..GpuOptions::default() }))
}

/// The contraction for few rows, which hardware also runs.
pub(crate) fn gpu_with_direct_loads() -> &'static Gpu {
    static BACKEND: OnceLock<Gpu> = OnceLock::new();
    BACKEND.get_or_init(|| open(GpuOptions { variant: Some(Variant::Direct), ..GpuOptions::default() }))
}

/// An adapter as if it had no subgroups.
pub(crate) fn gpu_without_subgroups() -> &'static Gpu {
    static BACKEND: OnceLock<Gpu> = OnceLock::new();
    BACKEND.get_or_init(|| open(GpuOptions { no_subgroups: true, ..GpuOptions::default() }))
}

/// An adapter whose contractions store their operands in f16.
pub(crate) fn gpu_in_half(variant: Option<Variant>, max_binding: Option<u64>) -> Gpu {
    open(GpuOptions { half: true, variant, max_binding, ..GpuOptions::default() })
}

fn open(options: GpuOptions) -> Gpu {
    Gpu::new(&GpuOptions { allow_software: true, ..options }).unwrap_or_else(|error| {
        panic!(
            "{error}\nThese tests need a GPU or a software adapter: install mesa-vulkan-drivers, \
             or build with RUSTFLAGS=\"--cfg no_adapter\" to leave them out."
        )
    })
}

/// A shape with the seed of its data.
pub(crate) type Case<const N: usize> = ([usize; N], u64);

/// Runs `check` on shapes drawn from nothing, one, small, odd and large sizes, the same ones in every run.
pub(crate) fn for_shapes<const N: usize>(least: [usize; N], check: impl Fn(Case<N>)) {
    let size = prop_oneof![Just(0_usize), Just(1), 2..20_usize, 20..70_usize, 120..140_usize];
    let sizes = proptest::collection::vec(size, N);
    let config = Config { cases: 20, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() };
    let outcome = TestRunner::new(config).run(&(sizes, 0..u64::MAX), |(sizes, seed)| {
        check((std::array::from_fn(|at| sizes[at].max(least[at])), seed));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// Uniform values in -1..1.
pub(crate) fn random(shape: [usize; 2], seed: u64, name: &str) -> Array2<f32> {
    let mut generator = tropix::rng::stream(seed, name);
    Array2::from_shape_simple_fn((shape[0], shape[1]), || generator.random_range(-1.0..1.0))
}

/// A matrix from its rows.
pub(crate) fn rows<const N: usize>(rows: &[[f32; N]]) -> Array2<f32> {
    Array2::from_shape_fn((rows.len(), N), |(i, j)| rows[i][j])
}

/// The same in f64, as the reference holds it.
pub(crate) fn wide(matrix: &Array2<f32>) -> Array2<f64> {
    matrix.mapv(f64::from)
}

/// Absolute values in f64: the sizes of terms.
pub(crate) fn sizes(matrix: &Array2<f32>) -> Array2<f64> {
    matrix.mapv(|value| f64::from(value.abs()))
}

/// Downloads a matrix.
pub(crate) fn down<B: Backend>(backend: &B, matrix: &B::Matrix) -> Array2<f64> {
    let values = backend.download(matrix).expect("download");
    assert_eq!(backend.shape(matrix), [values.nrows(), values.ncols()], "the shape is that of the values");
    values
}
