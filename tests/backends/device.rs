//! `self_test`: what `doctor` asks a device.

use tropix::backend::{Backend, self_test};

use crate::harness::on_every_backend;

on_every_backend!(every_operation_passes);

fn every_operation_passes<B: Backend>(backend: &B) {
    let tests = self_test(backend).unwrap();
    assert_eq!(tests.len(), 14);
    for test in tests {
        assert!(test.ok, "{test:?}");
    }
}
