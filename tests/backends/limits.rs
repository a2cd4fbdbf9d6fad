//! What lies past the limits of an adapter, and what a device says of itself.

#![cfg_attr(no_adapter, allow(dead_code, reason = "the tests are ignored"))]

use ndarray::Array2;
use tropix::Error;
use tropix::backend::{Activation, Backend, Cutoff, DeviceKind, Gpu, GpuOptions, adapters};

use crate::harness::{down, gpu, gpu_with_small_bindings, random};

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn more_than_65535_workgroups_fold_into_a_grid() {
    let gpu = gpu();
    let rows = 65_536 * 64 + 77;
    let w = Array2::from_shape_fn((rows, 1), |(i, _)| if i % 2 == 0 { 1.0_f32 } else { 2.0 });
    let up = gpu.upload(&w).unwrap();
    let kept = gpu.threshold_mask(&up, &up, Cutoff { score: 2.0, index: 0 }).unwrap();
    let kept = down(gpu, &kept);
    assert!(kept.iter().enumerate().all(|(i, value)| *value == if i % 2 == 0 { 0.0 } else { 2.0 }));
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn transfers_span_chunks() {
    let gpu = gpu();
    let w = random([1100, 3001], 0, "w");
    let back = down(gpu, &gpu.upload(&w).unwrap());
    assert!(back.iter().zip(&w).all(|(back, value)| *back == f64::from(*value)));
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn a_row_beyond_the_binding_is_refused() {
    let gpu = gpu_with_small_bindings();
    assert!(matches!(gpu.upload(&random([2, 1025], 0, "")), Err(Error::TooLarge { bytes: 4100, limit: 4096, .. })));
    assert!(gpu.upload(&random([2, 1024], 0, "")).is_ok());
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn the_same_work_gives_the_same_bytes() {
    let gpu = gpu();
    let (x, w) = (gpu.upload(&random([70, 300], 1, "x")).unwrap(), gpu.upload(&random([50, 300], 1, "w")).unwrap());
    let run = || down(gpu, &gpu.affine(&x, &w, None, Activation::Identity).unwrap());
    let first = run();
    assert_eq!(first, run());
}

#[test]
#[cfg_attr(no_adapter, ignore = "needs an adapter")]
fn the_device_is_one_of_the_adapters_and_says_if_it_is_software() {
    let device = gpu().device();
    assert_eq!(device.kind, DeviceKind::Gpu);
    let listed = adapters();
    let same = listed.iter().find(|adapter| adapter.name == device.name).expect("the adapter is listed");
    assert_eq!(same.software, device.software);
    // Software is taken only if it is allowed or named.
    if listed.iter().all(|adapter| adapter.software) {
        assert!(matches!(Gpu::new(&GpuOptions::default()), Err(Error::NoAdapter { .. })));
    }
    let part = device.name.split(' ').next().unwrap_or_default().to_uppercase();
    assert!(Gpu::new(&GpuOptions { adapter: Some(part), ..GpuOptions::default() }).is_ok());
}

#[test]
fn an_unknown_adapter_is_an_error_that_lists_the_others() {
    let refusal = Gpu::new(&GpuOptions { adapter: Some("no such adapter".to_owned()), ..GpuOptions::default() });
    let Err(Error::NoAdapter { wanted, available }) = refusal else { panic!("expected a refusal") };
    assert_eq!(wanted, "no such adapter");
    assert_eq!(available.len(), adapters().len());
}
