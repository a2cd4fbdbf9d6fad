//! The program on a graphics adapter: the same decisions and curves as on the host.

use crate::program::{asset, data, model, tropix};

/// The adapter of the tests: the first that there is.
pub(crate) fn adapter() -> String {
    let Some(adapter) = tropix::backend::adapters().into_iter().next() else {
        panic!("no graphics adapter; on Debian `apt-get install mesa-vulkan-drivers` gives a software one");
    };
    // The option takes a part of the name, and arguments are split at spaces here.
    adapter.name.split_whitespace().next().unwrap().to_owned()
}

#[test]
#[cfg_attr(no_adapter, ignore = "built for machines without a graphics adapter")]
fn prune_decides_as_the_reference_and_writes_what_the_host_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (model, data) = (model(), data());
    let prune = |device: &str, output: &str| {
        let arguments = format!("prune {model} -o {output} --rate 0.9 --data {data} --device {device} --verify --json");
        tropix(folder.path(), &arguments).expect(0, &[]).json()
    };
    let (gpu, cpu) = (prune(&format!("gpu:{}", adapter()), "gpu.safetensors"), prune("cpu", "cpu.safetensors"));
    assert_eq!(gpu["device"]["kind"], "gpu");
    assert_eq!(gpu["verification"]["ok"], true, "{}", gpu["verification"]);
    assert_eq!(gpu["accuracy"]["top1"], cpu["accuracy"]["top1"]);
    if gpu["verification"]["masks"]["differing"] == 0 {
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
        assert!(read("gpu.safetensors") == read("cpu.safetensors"));
    }
}

#[test]
#[cfg_attr(no_adapter, ignore = "built for machines without a graphics adapter")]
fn curves_agree_with_the_host_to_one_thousandth() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = |device: &str| {
        let (model, data) = (asset("models/mlp-digits.safetensors"), asset("data/digits/digits-test500.safetensors"));
        let arguments =
            format!("sweep {model} --data {data} --scale 0.0625 --rates 0:0.98:0.14 --device {device} --json");
        tropix(folder.path(), &arguments).expect(0, &[]).json()
    };
    let (gpu, cpu) = (sweep(&format!("gpu:{}", adapter())), sweep("cpu"));
    for (a, b) in gpu["curves"].as_array().unwrap().iter().zip(cpu["curves"].as_array().unwrap()) {
        for (a, b) in a["points"].as_array().unwrap().iter().zip(b["points"].as_array().unwrap()) {
            let gap = (a["top1"].as_f64().unwrap() - b["top1"].as_f64().unwrap()).abs();
            // One sample of 500 is two thousandths: none may change.
            assert!(gap <= 1e-3, "{a} {b}");
        }
    }
}

#[test]
#[cfg_attr(no_adapter, ignore = "built for machines without a graphics adapter")]
fn a_software_adapter_is_named_as_such_and_never_taken_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let adapters = tropix::backend::adapters();
    if adapters.iter().any(|adapter| !adapter.software) {
        return;
    }
    let arguments = format!("prune {} -o out.safetensors --rate 0.5", model());
    let auto = tropix(folder.path(), &format!("{arguments} --json")).expect(0, &["CPU"]).json();
    assert_eq!(auto["device"]["kind"], "cpu");
    tropix(folder.path(), &format!("{arguments} --device gpu --force")).expect(69, &[]);
    let named = tropix(folder.path(), &format!("{arguments} --device gpu:{} --force --json", adapter()));
    let named = named.expect(0, &["software adapter"]).json();
    assert_eq!(named["device"]["software"], true);
}
