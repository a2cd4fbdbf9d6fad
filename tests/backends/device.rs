//! `self_test`: what `doctor` asks a device.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use tropix::backend::{Activation, Backend, DeviceTrace, Gpu, GpuOptions, Tuning, Variant, self_test};

use crate::harness::{on_every_backend, random};

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
    // `classify_at` and `lloyd` are composed of operations that the self-test runs one by one, as networks are.
    let others =
        ["main", "harness", "tolerance", "device", "limits", "images", "classify_at", "half", "lloyd", "networks"];
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

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn a_trace_holds_every_kernel_at_its_time() {
    let (trace, begun) = (DeviceTrace::default(), Instant::now());
    let options = GpuOptions { allow_software: true, trace: Some(trace.clone()), ..GpuOptions::default() };
    let gpu = Gpu::new(&options).unwrap();
    let (x, w) = (gpu.upload(&random([64, 32], 0, "x")).unwrap(), gpu.upload(&random([16, 32], 0, "w")).unwrap());
    // More than a set of queries holds.
    for _ in 0..2100 {
        gpu.affine(&x, &w, None, Activation::Identity).unwrap();
    }
    assert!(trace.spans().is_empty(), "timestamps stay on the device while it works");
    drop(gpu);
    let spans = trace.spans();
    assert_eq!(spans.iter().filter(|span| span.kernel == "affine").count(), 2100);
    assert!(spans.iter().any(|span| span.kernel == "pack"));
    // The two clocks agree to about a tenth of a millisecond.
    let slack = Duration::from_millis(50);
    assert!(spans.iter().all(|span| span.start + slack > begun && span.start + span.duration < Instant::now() + slack));
    assert!(spans.windows(2).all(|pair| pair[0].start <= pair[1].start), "one queue runs kernels in order");
    assert!(spans.iter().any(|span| span.duration > Duration::ZERO));
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn start_up_counts_pipelines() {
    let gpu = Gpu::new(&GpuOptions { allow_software: true, ..GpuOptions::default() }).unwrap();
    let before = gpu.start_up();
    assert!(before.adapter_s > 0.0 && before.device_s > 0.0 && before.pipelines == 0 && !before.warm, "{before:?}");
    let x = gpu.upload(&random([8, 8], 0, "x")).unwrap();
    gpu.affine(&x, &x, None, Activation::Relu).unwrap();
    let after = gpu.start_up();
    assert!(after.pipelines >= 2 && after.pipelines_s > 0.0, "{after:?}");
}
