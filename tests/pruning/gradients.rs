//! Gradients by all parameters of graphs beside torch (`assets/golden/gradients.py`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::Array2;
use safetensors::SafeTensors;
use tropix::backend::{Backend, Cpu, Gpu, GpuOptions, Reference};
use tropix::network::format;
use tropix::train::graph_loss_and_gradients;

struct Golden {
    inputs: Array2<f32>,
    labels: Vec<u32>,
    loss: f64,
    gradients: BTreeMap<String, Vec<f32>>,
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/golden/gradients")).join(name)
}

fn golden(name: &str) -> Golden {
    let bytes = std::fs::read(file(&format!("{name}.safetensors"))).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| -> Vec<[u8; 4]> {
        tensors.tensor(name).unwrap().data().chunks(4).map(|word| word.try_into().unwrap()).collect()
    };
    let floats = |name: &str| words(name).into_iter().map(f32::from_le_bytes).collect::<Vec<f32>>();
    let labels: Vec<u32> = words("labels").into_iter().map(u32::from_le_bytes).collect();
    let values = floats("inputs");
    let gradients = tensors.names().into_iter().filter_map(|key| key.strip_prefix("gradient."));
    Golden {
        inputs: Array2::from_shape_vec((labels.len(), values.len() / labels.len()), values).unwrap(),
        labels,
        loss: f64::from(floats("loss")[0]),
        gradients: gradients.map(|name| (name.to_owned(), floats(&format!("gradient.{name}")))).collect(),
    }
}

/// The largest difference from torch, by the largest slope of each tensor; every tensor has to be there.
fn off(backend: &impl Backend, name: &str, labels: impl Fn(u32) -> u32) -> f64 {
    let golden = golden(name);
    let model = format::load(&file(&format!("{name}.onnx")), None).unwrap();
    let labels: Vec<u32> = golden.labels.iter().map(|label| labels(*label)).collect();
    let source = model.onnx.unwrap();
    let (loss, found) = graph_loss_and_gradients(backend, &source, &golden.inputs, &labels).unwrap();
    assert_eq!(
        found.len(),
        golden.gradients.len(),
        "{name}: {:?}",
        found.iter().map(|one| &one.name).collect::<Vec<_>>()
    );
    let mut most = (loss - golden.loss).abs() / golden.loss;
    for gradient in found {
        let wanted = &golden.gradients[&gradient.name];
        assert_eq!(wanted.len(), gradient.values.len(), "{}", gradient.name);
        let largest = wanted.iter().fold(1e-6_f64, |most, slope| most.max(f64::from(slope.abs())));
        for (found, wanted) in gradient.values.iter().zip(wanted) {
            most = most.max((found - f64::from(*wanted)).abs() / largest);
        }
    }
    most
}

fn are_those_of_torch(backend: &impl Backend, tolerance: f64) {
    for name in ["convolutions", "attention", "tied"] {
        let difference = off(backend, name, |label| label);
        assert!(difference <= tolerance, "{name}: {difference}");
        // Seen to fail: other labels.
        assert!(off(backend, name, |label| (label + 1) % 3) > 1e-2, "{name}");
    }
}

#[test]
fn gradients_of_graphs_are_those_of_torch_on_the_reference() {
    are_those_of_torch(&Reference::new(), 1e-6);
}

#[test]
fn gradients_of_graphs_are_those_of_torch_on_the_host() {
    are_those_of_torch(&Cpu::new(), 2e-5);
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn gradients_of_graphs_are_those_of_torch_on_an_adapter() {
    let gpu = Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap();
    are_those_of_torch(&gpu, 5e-5);
}
