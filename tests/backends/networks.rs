//! Whole networks on every backend against onnxruntime, whose outputs are golden files, and against `rten`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use serde_json::Value;
use tropix::Error;
use tropix::backend::Backend;
use tropix::network::{Classifier, DeviceNetwork, Network, Op, Runtime, format};

use crate::harness::{down, on_every_backend};

on_every_backend!(computes_what_onnxruntime_computes);

/// The folders of golden graphs: as they were made, and pruned by tropix.
const FOLDERS: [&str; 2] = ["assets/golden/onnx", "assets/golden/onnx/pruned"];

struct Case {
    path: PathBuf,
    inputs: Array2<f32>,
    outputs: Array2<f64>,
}

fn cases(folder: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let all: BTreeMap<String, Value> =
        serde_json::from_str(&fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
    let matrix = |values: &Value, rows: usize| {
        let values: Vec<f64> = values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        Array2::from_shape_vec((rows, values.len() / rows), values).unwrap()
    };
    let case = |(name, case): (String, Value)| {
        let rows = usize::try_from(case["rows"].as_u64().unwrap()).unwrap();
        #[expect(clippy::cast_possible_truncation, reason = "written from f32")]
        let inputs = matrix(&case["input"], rows).mapv(|value| value as f32);
        Case { path: folder.join(format!("{name}.onnx")), inputs, outputs: matrix(&case["output"], rows) }
    };
    all.into_iter().map(case).collect()
}

/// What the last node makes of logits: backends leave a softmax at the end out.
fn at_the_end(network: &Network, mut logits: Array2<f64>) -> Array2<f64> {
    let Some(Op::Softmax { log, .. }) = network.nodes.last().map(|node| node.op.clone()) else { return logits };
    for mut row in logits.rows_mut() {
        let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = row.iter().map(|value| (value - most).exp()).sum::<f64>().ln() + most;
        row.mapv_inplace(|value| if log { value - sum } else { (value - sum).exp() });
    }
    logits
}

fn deviation(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max)
}

fn computes_what_onnxruntime_computes<B: Backend>(backend: &B) {
    for folder in FOLDERS {
        let mut computed = 0;
        for Case { path, inputs, outputs } in cases(folder) {
            let model = format::load(&path, None).unwrap();
            let device = match DeviceNetwork::upload(backend, &model.network) {
                Ok(device) => device,
                Err(Error::Unsupported { .. }) => continue,
                Err(error) => panic!("{}: {error}", path.display()),
            };
            let logits = device.logits(backend, &backend.upload(&inputs).unwrap()).unwrap();
            let found = at_the_end(&model.network, down(backend, &logits));
            assert!(deviation(&found, &outputs) < 1e-4, "{}: {found}, expected {outputs}", path.display());
            let (values, width) =
                Runtime::new(&model.network, model.onnx.as_deref()).unwrap().outputs(&inputs).unwrap();
            let run = Array2::from_shape_vec((values.len() / width, width), values).unwrap().mapv(f64::from);
            assert!(deviation(&found, &run) < 1e-4, "{}: {found}, `rten` {run}", path.display());
            // The comparison sees one wrong output.
            let mut wrong = outputs;
            wrong[[0, 0]] += 1e-3 * (1.0 + wrong[[0, 0]].abs());
            assert!(deviation(&found, &wrong) > 1e-4);
            computed += 1;
        }
        assert!(computed >= 7, "{folder}: {computed} graphs");
    }
}
