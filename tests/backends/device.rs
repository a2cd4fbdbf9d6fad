//! `self_test`: what `doctor` asks a device.

use std::collections::BTreeSet;
use std::path::Path;

use tropix::backend::{Backend, Gpu, GpuOptions, Tuning, Variant, self_test};

use crate::harness::on_every_backend;

on_every_backend!(every_operation_passes);

fn every_operation_passes<B: Backend>(backend: &B) {
    let tests = self_test(backend).unwrap();
    for test in &tests {
        assert!(test.ok, "{test:?}");
    }
    let tested: BTreeSet<String> = tests.iter().map(|test| test.operation.to_owned()).collect();
    assert_eq!(tested, operations(), "the operations of the self-test and those with a test of their own");
}

/// The stems of the files of this test that are named after an operation.
fn operations() -> BTreeSet<String> {
    // `classify_at` is composed of operations that the self-test runs one by one.
    let others = ["main", "harness", "tolerance", "device", "limits", "images", "classify_at"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/backends");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let stems = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
    stems.filter(|stem| !others.contains(&stem.as_str())).collect()
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn what_was_tuned_is_read_again_and_a_damaged_file_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let options = GpuOptions { allow_software: true, cache: Some(folder.path().to_owned()), ..GpuOptions::default() };
    let fresh = Gpu::new(&options).unwrap();
    assert_eq!(fresh.tuning(), None);
    let tuning = Tuning { many_rows: Variant::Direct, few_rows: Variant::Workgroup };
    tuning.save(folder.path(), fresh.adapter()).unwrap();
    let tuned = Gpu::new(&options).unwrap();
    assert_eq!(tuned.tuning(), Some(tuning));
    // Another variant for the same shape: the same values within the bounds of the self-test.
    assert!(self_test(&tuned).unwrap().iter().all(|test| test.ok));
    std::fs::write(folder.path().join("tuning.json"), "{\"x\": 1").unwrap();
    assert_eq!(Gpu::new(&options).unwrap().tuning(), None);
}
