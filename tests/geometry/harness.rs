//! Backends, random data and golden files of the tests.

use std::path::Path;
use std::sync::OnceLock;

use ndarray::{Array1, Array2};
use rand::RngExt;
use serde::Deserialize;
use tropix::backend::{Cpu, Gpu, GpuOptions, Reference};
use tropix::geometry::Zonotope;

/// Makes one test of a generic function for each backend.
macro_rules! on_every_backend {
    ($($check:ident),* $(,)?) => { $(
        mod $check {
            use crate::harness;
            #[test]
            fn reference() {
                super::$check(harness::reference())
            }
            #[test]
            fn cpu() {
                super::$check(harness::cpu())
            }
            #[test]
            #[cfg_attr(no_adapter, ignore = "needs an adapter")]
            fn gpu() {
                super::$check(harness::gpu())
            }
        }
    )* };
}

pub(crate) use on_every_backend;

pub(crate) fn reference() -> &'static Reference {
    static BACKEND: OnceLock<Reference> = OnceLock::new();
    BACKEND.get_or_init(Reference::new)
}

pub(crate) fn cpu() -> &'static Cpu {
    static BACKEND: OnceLock<Cpu> = OnceLock::new();
    BACKEND.get_or_init(Cpu::new)
}

pub(crate) fn gpu() -> &'static Gpu {
    static BACKEND: OnceLock<Gpu> = OnceLock::new();
    BACKEND.get_or_init(|| {
        Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap_or_else(|error| {
            panic!(
                "{error}\nThese tests need a GPU or a software adapter: install mesa-vulkan-drivers, \
                 or build with RUSTFLAGS=\"--cfg no_adapter\" to leave them out."
            )
        })
    })
}

/// Uniform values in -1..1 that f32 holds exactly.
pub(crate) fn random([rows, columns]: [usize; 2], seed: u64, name: &str) -> Array2<f64> {
    let mut stream = tropix::rng::stream(seed, name);
    Array2::from_shape_simple_fn((rows, columns), || f64::from(stream.random_range(-1.0_f32..1.0)))
}

/// Integers from `low` to `high`.
pub(crate) fn integers(shape: [usize; 2], low: i32, high: i32, seed: u64, name: &str) -> Array2<f64> {
    let mut stream = tropix::rng::stream(seed, name);
    Array2::from_shape_simple_fn((shape[0], shape[1]), || f64::from(stream.random_range(low..=high)))
}

/// Values from an independent program.
pub(crate) fn golden<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A vector of random values.
pub(crate) fn random_vector(length: usize, seed: u64, name: &str) -> Array1<f64> {
    random([1, length], seed, name).row(0).to_owned()
}

/// A zonotope with random generators and shift.
pub(crate) fn random_zonotope(generators: usize, dimension: usize, seed: u64) -> Zonotope {
    let shift = random_vector(dimension, seed, "shift");
    Zonotope::new(random([generators, dimension], seed, "generators"), Some(shift)).unwrap()
}

/// What a backend uploads; the values are exact in f32.
pub(crate) fn narrow(matrix: &Array2<f64>) -> Array2<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "the values are exact in f32")]
    matrix.mapv(|value| value as f32)
}

#[track_caller]
pub(crate) fn assert_near(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{got} is not {want}");
}
