//! Graphs of operators on backends: `assets/golden/onnx/programs` holds graphs and what onnxruntime computed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use ndarray::Array2;
use serde::Deserialize;
use tropix::Error;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions, Reference};
use tropix::network::{Classifier, Program};

use crate::files::load;

/// Samples of a case.
const SAMPLES: usize = 2;

#[derive(Deserialize)]
struct Case {
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}

/// The folder of graphs: another one for runs at length, see `assets/golden/onnx/programs.py`.
fn graphs() -> PathBuf {
    env::var_os("TROPIX_PROGRAMS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/onnx/programs"), PathBuf::from)
}

/// Runs all graphs and returns what is wrong, and how many were computed.
fn run<B: Backend>(backend: &B, cases: &BTreeMap<String, Case>) -> (Vec<String>, usize) {
    let (mut wrong, mut computed) = (Vec::new(), 0);
    for (name, case) in cases {
        let model = load(&graphs().join(format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        let source = model.onnx.unwrap_or_else(|| panic!("{name} has no graph"));
        let program = match Program::new(backend, &source) {
            Ok(program) => program,
            Err(Error::Unsupported { problem }) => {
                wrong.push(format!("{name}: {problem}"));
                continue;
            }
            Err(error) => panic!("{name}: {error}"),
        };
        let rows = |values: &[f32]| Array2::from_shape_vec((SAMPLES, values.len() / SAMPLES), values.to_vec()).unwrap();
        let inputs = backend.upload(&rows(&case.inputs)).unwrap();
        let found = program.logits(backend, &inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (found, want) = (backend.download(&found).unwrap(), rows(&case.outputs).mapv(f64::from));
        computed += 1;
        if found.dim() != want.dim() {
            wrong.push(format!("{name}: {:?} in place of {:?}", found.dim(), want.dim()));
            continue;
        }
        let largest = want.iter().fold(1.0_f64, |most, value| most.max(value.abs()));
        let apart = |(found, want): (&f64, &f64)| found.is_nan() || (found - want).abs() > 1e-5 * largest;
        if let Some((found, want)) = found.iter().zip(&want).find(|pair| apart(*pair)) {
            wrong.push(format!("{name}: {found} in place of {want}"));
        }
    }
    (wrong, computed)
}

fn all<B: Backend>(backend: &B) {
    let text = fs::read_to_string(graphs().join("expected.json")).unwrap();
    let mut cases: BTreeMap<String, Case> = serde_json::from_str(&text).unwrap();
    let (wrong, computed) = run(backend, &cases);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(computed, cases.len());
    assert!(computed >= 200);
    // The comparison sees one value that is off.
    let (name, mut case) = cases.pop_first().unwrap();
    case.outputs[0] += 1e-3 * (1.0 + case.outputs[0].abs());
    assert_eq!(run(backend, &BTreeMap::from([(name, case)])).0.len(), 1);
}

#[test]
fn the_reference_computes_what_onnxruntime_computes() {
    all(&Reference::new());
}

#[test]
fn the_cpu_computes_what_onnxruntime_computes() {
    all(&Cpu::new());
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn an_adapter_computes_what_onnxruntime_computes() {
    let options = GpuOptions { allow_software: true, ..GpuOptions::default() };
    all(&Gpu::new(&options).unwrap());
    // With blocks so small that values span several.
    all(&Gpu::new(&GpuOptions { max_binding: Some(4096), ..options }).unwrap());
}
