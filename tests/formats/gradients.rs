//! Reverse passes over graphs of operators: differences in f64 are the witness of the reference, the reference that of the others.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions, Reference};
use tropix::network::format::OnnxSource;
use tropix::network::{Classifier, Program, Reverse};

use crate::files::load;

const SAMPLES: usize = 3;

/// Small graphs of single operators, and two whole networks.
fn graphs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let folder = fs::read_dir(root.join("golden/onnx/programs")).unwrap();
    let mut graphs: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    graphs.retain(|path| path.extension().is_some_and(|end| end == "onnx"));
    graphs.extend(["models/vit-mnist.onnx", "models/mobile-mnist.onnx"].map(|name| root.join(name)));
    graphs.sort();
    graphs
}

fn source(path: &Path) -> Arc<OnnxSource> {
    load(path).unwrap().onnx.unwrap()
}

/// Numbers in -1..1, of which f32 holds all digits.
fn numbers(rows: usize, columns: usize, random: &mut ChaCha8Rng) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, columns), || random.random_range(-1.0_f32..1.0))
}

fn gradient<B: Backend>(backend: &B, source: &OnnxSource, inputs: B::Matrix, by: B::Matrix) -> Array2<f64> {
    let reverse = Reverse::new(backend, Program::new(backend, source).unwrap()).unwrap();
    let mut trace = reverse.trace(backend, inputs).unwrap();
    assert_eq!(trace.samples(), SAMPLES);
    assert_eq!(backend.shape(trace.logits(backend, reverse.program()).unwrap()), backend.shape(&by));
    backend.download(&reverse.input_gradient(backend, trace, by).unwrap()).unwrap()
}

/// Inputs, slopes of the outputs and the gradient in f64.
fn case(source: &OnnxSource, random: &mut ChaCha8Rng) -> (Array2<f32>, Array2<f32>, Array2<f64>) {
    let reference = Reference::new();
    let program = Program::new(&reference, source).unwrap();
    // Most operators are smooth there; those of logarithms and roots need inputs above zero.
    let inputs = numbers(SAMPLES, program.inputs, random).mapv(|x| 1.5 + x);
    let outputs = program.logits(&reference, &inputs.mapv(f64::from)).unwrap().ncols();
    let slopes = numbers(SAMPLES, outputs, random);
    let wide = gradient(&reference, source, inputs.mapv(f64::from), slopes.mapv(f64::from));
    (inputs, slopes, wide)
}

#[test]
fn gradients_are_limits_of_differences() {
    let (reference, by) = (Reference::new(), 1e-6);
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (at, path) in graphs().iter().enumerate() {
        let random = &mut ChaCha8Rng::seed_from_u64(at as u64);
        let source = source(path);
        let (inputs, slopes, gradient) = case(&source, random);
        let program = Program::new(&reference, &source).unwrap();
        let direction = numbers(SAMPLES, inputs.ncols(), random).mapv(f64::from);
        let value = |step: f64| {
            let inputs = inputs.mapv(f64::from) + step * &direction;
            (program.logits(&reference, &inputs).unwrap() * slopes.mapv(f64::from)).sum()
        };
        let want = (value(by) - value(-by)) / (2.0 * by);
        let off = |gradient: &Array2<f64>| {
            let terms = gradient * &direction;
            (terms.sum() - want).abs() > 1e-6 * (1.0 + terms.mapv(f64::abs).sum())
        };
        if off(&gradient) {
            wrong.push(format!("{}: {} in place of {want}", path.display(), (&gradient * &direction).sum()));
        }
        // The comparison sees gradients that are a little off.
        seen += usize::from(off(&(1.001 * &gradient)) || off(&(&gradient + 0.001)));
    }
    assert!(seen + 2 > graphs().len(), "{seen}");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), graphs().len(), wrong.join("\n"));
    assert!(graphs().len() > 200);
}

fn like_the_reference<B: Backend>(backend: &B) {
    let mut wrong = Vec::new();
    for (at, path) in graphs().iter().enumerate() {
        let source = source(path);
        let (inputs, slopes, want) = case(&source, &mut ChaCha8Rng::seed_from_u64(at as u64));
        let found = gradient(backend, &source, backend.upload(&inputs).unwrap(), backend.upload(&slopes).unwrap());
        let size = want.iter().fold(1.0_f64, |most, value| most.max(value.abs()));
        let apart = |(found, want): (&f64, &f64)| found.is_nan() || (found - want).abs() > 2e-5 * size;
        if let Some((found, want)) = found.iter().zip(&want).find(|pair| apart(*pair)) {
            wrong.push(format!("{}: {found} in place of {want}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn gradients_on_the_cpu_are_those_of_the_reference() {
    like_the_reference(&Cpu::new());
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn gradients_on_an_adapter_are_those_of_the_reference() {
    like_the_reference(&Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap());
}
