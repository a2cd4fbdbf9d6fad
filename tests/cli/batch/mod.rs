//! `tropix batch`.

mod faults;
mod manifests;
mod merges;
mod runs;
mod shards;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::program::{tropix, write_model};

/// A small network, another one, and points: what jobs read.
pub(crate) fn inputs(folder: &Path) {
    let ramp = |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<f32>>();
    for (name, step) in [("net.safetensors", 0.37), ("other.safetensors", 0.41)] {
        write_model(
            &folder.join(name),
            &[
                ("a.weight", &[6, 3], ramp(18, step)),
                ("b.weight", &[5, 6], ramp(30, step)),
                ("c.weight", &[2, 5], ramp(10, step)),
            ],
        );
    }
    write_model(&folder.join("data.safetensors"), &[("x", &[20, 3], ramp(60, 0.7))]);
    let labels = (0..20).map(|sample| f32::from(sample % 2 == 0)).collect();
    let labelled: [(_, &[usize], _); 2] = [("x", &[20, 3], ramp(60, 0.7)), ("labels", &[20], labels)];
    write_model(&folder.join("labelled.safetensors"), &labelled);
    fs::write(folder.join("points.csv"), "0,0\n1,0\n0,1\n").unwrap();
}

/// Twelve jobs that take milliseconds each.
pub(crate) const SWEEP: &str = "
[defaults]
device = \"cpu\"
model = \"net.safetensors\"
output = \"small.safetensors\"
[[job]]
command = \"prune\"
matrix = { method = [\"l1\", \"greedy-gaussian\"], keep = [0.25, 0.5, 0.75], seed = [1, 2] }
";

/// The jobs of a plan: id and everything else.
pub(crate) fn plan(folder: &Path, manifest: &str) -> Vec<(String, Value)> {
    let printed = tropix(folder, &format!("batch plan {manifest} --jsonl")).expect(0, &[]).stdout;
    let job = |line: &str| {
        let mut job: Value = serde_json::from_str(line).unwrap();
        let id = job.as_object_mut().unwrap().remove("id").unwrap();
        (id.as_str().unwrap().to_owned(), job)
    };
    printed.lines().map(job).collect()
}

/// A report without what changes from run to run, and without the name of the folder.
pub(crate) fn result(path: &Path) -> Value {
    let mut report: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let map = report.as_object_mut().unwrap();
    for part in ["timing", "memory", "run", "files", "output"] {
        map.remove(part);
    }
    if let Some(model) = map.get_mut("model").and_then(Value::as_object_mut) {
        model.remove("output");
    }
    report
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything that jobs have left, by path: reports without what changes, the hashes of files.
pub(crate) fn results(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for job in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in fs::read_dir(&job).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.strip_prefix(folder).unwrap().display().to_string();
            let content = match file.file_name().unwrap().to_str().unwrap() {
                "report.json" => result(&file).to_string(),
                _ => sha256(&fs::read(&file).unwrap()),
            };
            found.insert(name, content);
        }
    }
    found
}
