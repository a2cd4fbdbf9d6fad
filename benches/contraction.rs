//! The contraction on the first adapter, software or not: `cargo bench --bench contraction [-- <part of its name>]`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its table and stops at the first error")]

use std::time::Instant;

use ndarray::Array2;
use rand::RngExt;
use tropix::backend::{Activation, Backend, Gpu, GpuOptions, Transpose};

fn random(rows: usize, columns: usize) -> Array2<f32> {
    let mut generator = tropix::rng::stream(0, "bench");
    Array2::from_shape_simple_fn((rows, columns), || generator.random_range(-1.0..1.0))
}

/// Prints the best of several runs, after one that compiles and packs.
fn measure(gpu: &Gpu, name: &str, operations: f64, work: impl Fn()) {
    let mut best = f64::INFINITY;
    for run in 0..6 {
        let start = Instant::now();
        work();
        gpu.finish().unwrap();
        let seconds = start.elapsed().as_secs_f64();
        if run == 0 {
            print!("{name:<34} first {:7.1} ms", seconds * 1e3);
        } else {
            best = best.min(seconds);
        }
    }
    println!("   best {:8.2} ms   {:7.2} Gop/s", best * 1e3, operations / best / 1e9);
}

fn main() {
    let adapter = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let start = Instant::now();
    let gpu = Gpu::new(&GpuOptions { adapter, allow_software: true, ..GpuOptions::default() }).unwrap();
    println!("{:?}, opened in {:.0} ms", gpu.device(), start.elapsed().as_secs_f64() * 1e3);
    let upload = |rows, columns| gpu.upload(&random(rows, columns)).unwrap();

    let (a, b) = (upload(1024, 1024), upload(1024, 1024));
    let cube = 2.0 * 1024.0_f64.powi(3);
    measure(&gpu, "matmul 1024^3", cube, || {
        gpu.matmul(&a, Transpose::No, &b, Transpose::Yes).unwrap();
    });
    let bias = upload(1, 1024);
    measure(&gpu, "affine 1024^3", cube, || {
        gpu.affine(&a, &b, Some(&bias), Activation::Relu).unwrap();
    });
    for (points, d, monomials) in [(65_536, 64, 4096), (1_000_000, 2, 512)] {
        let (x, e, c) = (upload(points, d), upload(monomials, d), upload(1, monomials));
        let operations = 2.0 * points as f64 * d as f64 * monomials as f64;
        measure(&gpu, &format!("tropical_eval {points} x {d} x {monomials}"), operations, || {
            gpu.tropical_eval(&x, &e, &c).unwrap();
        });
    }
    let (generators, directions) = (upload(2048, 64), upload(20_000, 64));
    measure(&gpu, "support_function 20000 x 64 x 2048", 2.0 * 2e4 * 64.0 * 2048.0, || {
        gpu.support_function(&generators, None, &directions).unwrap();
    });
    let (x, w) = (upload(10_000, 512), upload(10, 512));
    measure(&gpu, "affine 10000 x 512 x 10", 2.0 * 1e4 * 512.0 * 10.0, || {
        gpu.affine(&x, &w, None, Activation::Identity).unwrap();
    });
}
