//! Measurements and traces from outside: what reports hold, not how fast anything is.

use std::fs;

use serde_json::Value;

use crate::program::{files, model, tropix};

/// The first adapter there is, software or not, by a word of its name.
fn adapter() -> String {
    let adapters = tropix::backend::adapters();
    let name = adapters.first().and_then(|adapter| adapter.name.split_whitespace().next());
    assert!(
        name.is_some(),
        "no graphics adapter; on Debian `apt-get install mesa-vulkan-drivers` gives a software one"
    );
    name.unwrap().to_owned()
}

fn ids(report: &Value) -> Vec<&str> {
    report["workloads"].as_array().unwrap().iter().map(|workload| workload["id"].as_str().unwrap()).collect()
}

#[test]
fn bench_of_the_host_reports_times_rates_peaks_and_checks() {
    let folder = tempfile::tempdir().unwrap();
    let run = |seed: u8| {
        let arguments = format!("bench --quick --device cpu --workload W1b,w5 --json --seed {seed}");
        tropix(folder.path(), &arguments).expect(0, &[]).json()
    };
    let report = run(0);
    assert_eq!((&report["schema"], &report["command"]), (&"tropix.report/1".into(), &"bench".into()));
    assert_eq!(ids(&report), ["W1b", "W5"]);
    assert_eq!(report["workloads"][0]["shape"], serde_json::json!([62500, 2, 512]));
    for workload in report["workloads"].as_array().unwrap() {
        let cpu = &workload["cpu"];
        assert!(cpu["median_s"].as_f64().unwrap() > 0.0 && cpu["spread"].as_f64().unwrap() >= 0.0);
        assert_eq!(cpu["runs"], 5);
        let rate = workload["work"].as_f64().unwrap() / cpu["median_s"].as_f64().unwrap() / 1e9;
        assert!((cpu["rate"].as_f64().unwrap() / rate - 1.0).abs() < 1e-9);
        assert!(cpu["peak_share"].as_f64().unwrap() > 0.0);
        assert!(workload["check"].is_number() && workload["gpu"].is_null() && workload["crossover"].is_null());
        assert!(workload["transfers"]["upload"]["bytes"].as_u64().unwrap() > 0);
    }
    let checks = |report: &Value| [0, 1].map(|at| report["workloads"][at]["check"].as_f64().unwrap());
    // The same seed gives the same data and, on the host, the same bits; `benches/peers` finds these values too.
    let again = run(0);
    assert_eq!(checks(&report), checks(&again));
    assert!(checks(&report).iter().zip([2.072_166, 0.454_549_3]).all(|(found, known)| (found - known).abs() < 2e-6));
    assert_ne!(checks(&report), checks(&run(1)));
}

#[test]
#[cfg_attr(no_adapter, ignore = "built for machines without a graphics adapter")]
fn bench_of_an_adapter_finds_the_same_values_and_names_software() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = format!("bench --quick --workload W1b --device gpu:{}", adapter());
    let ran = tropix(folder.path(), &format!("{arguments} --json")).expect(0, &[]);
    let report = ran.json();
    let workload = &report["workloads"][0];
    assert_eq!(workload["checks_equal"], true, "{workload}");
    assert!(workload["gpu"]["median_s"].as_f64().unwrap() > 0.0);
    assert!(workload["crossover"]["points"].as_array().unwrap().iter().any(|point| point[0] == 62500));
    assert!(workload["transfers"]["download"]["bytes"].as_u64().unwrap() == 8 * 62500);
    assert_eq!(report["device"], report["gpu"]);
    if report["gpu"]["software"] == true {
        assert!(ran.stderr.contains("SOFTWARE"), "{}", ran.stderr);
        let table = tropix(folder.path(), &arguments).expect(0, &[]).stdout;
        assert!(table.contains("GPU (SOFTWARE)") && table.contains("SOFTWARE adapter"), "{table}");
    }
}

#[test]
fn bench_refuses_workloads_that_do_not_exist_and_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    tropix(folder.path(), "bench --workload W99 --device cpu").expect(2, &["W99", "W1a"]);
    tropix(folder.path(), "bench --workload W1b --device reference").expect(2, &["reference"]);
}

#[test]
fn scaling_fits_exponents_of_time_and_memory() {
    let folder = tempfile::tempdir().unwrap();
    let report = tropix(folder.path(), "bench --scaling --quick --device cpu --runs 1 --json").expect(0, &[]).json();
    let growth = report["scaling"].as_array().unwrap();
    assert_eq!(growth.len(), 9);
    for growth in growth {
        assert_eq!(growth["points"].as_array().unwrap().len(), 3);
        assert!(growth["time_exponent"].is_number(), "{growth}");
    }
    // Times belong to a quiet machine; memory does not depend on one. No product of points and monomials is stored.
    let monomials = &growth[2];
    assert_eq!((&monomials["operation"], &monomials["dimension"]), (&"tropical_eval".into(), &"monomials".into()));
    if cfg!(target_os = "linux") {
        let exponents: Vec<f64> = growth.iter().map(|g| g["memory_exponent"].as_f64().unwrap()).collect();
        assert!(exponents.iter().all(|exponent| *exponent < 1.2), "{exponents:?}");
        assert!(exponents[2] < 0.5, "{monomials}");
    }
}

#[test]
fn a_profile_is_a_trace_of_the_phases() {
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        format!("prune {} -o small.safetensors --rate 0.5 --device cpu --profile trace.json --json", model());
    let report = tropix(folder.path(), &arguments).expect(0, &[]).json();
    let trace: Value = serde_json::from_slice(&fs::read(folder.path().join("trace.json")).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let phases: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
    for name in report["timing"].as_object().unwrap().keys() {
        let of_phase: Vec<&&Value> = phases.iter().filter(|event| event["name"] == name.as_str()).collect();
        let total: f64 = of_phase.iter().map(|event| event["dur"].as_f64().unwrap() / 1e6).sum();
        assert!((total - report["timing"][name].as_f64().unwrap()).abs() < 1e-9, "{name}: {total}");
    }
    let end = |event: &Value| event["ts"].as_f64().unwrap() + event["dur"].as_f64().unwrap();
    assert!(phases.windows(2).all(|pair| end(pair[0]) <= pair[1]["ts"].as_f64().unwrap() + 1e-3));
    assert_eq!(trace["otherData"]["command"], "prune");
}

#[test]
fn a_profile_never_replaces_a_file_of_the_command() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(model(), folder.path().join("model.safetensors")).unwrap();
    let inspect = "inspect model.safetensors --profile";
    tropix(folder.path(), &format!("{inspect} model.safetensors --force")).expect(73, &["model.safetensors"]);
    tropix(folder.path(), &format!("{inspect} trace.json")).expect(0, &[]);
    tropix(folder.path(), &format!("{inspect} trace.json")).expect(73, &["trace.json"]);
    tropix(folder.path(), &format!("{inspect} trace.json --force")).expect(0, &[]);
    // A command that fails leaves the phases it came through.
    tropix(folder.path(), "evaluate model.safetensors --device cpu --profile failed.json").expect(2, &["data"]);
    assert_eq!(files(folder.path()), ["failed.json", "model.safetensors", "trace.json"]);
    let trace = fs::read_to_string(folder.path().join("failed.json")).unwrap();
    assert!(trace.contains("\"load\""), "{trace}");
}

#[test]
#[cfg_attr(no_adapter, ignore = "built for machines without a graphics adapter")]
fn tuning_tries_every_variant_and_keeps_the_fastest_for_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &str| {
        let mut command = crate::program::program();
        command.env("TROPIX_CACHE", folder.path()).args(arguments.split_whitespace());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let tuned = run(&format!("bench --tune --runs 1 --json --device gpu:{}", adapter()));
    assert_eq!(tuned["tried"].as_array().unwrap().len(), 12);
    // The winner has the smallest product of medians; a variant that the adapter lacks has none.
    let product = |variant: &str, many: bool| {
        let tried = tuned["tried"].as_array().unwrap().iter();
        let of = tried.filter(|t| t["variant"] == variant && (t["shape"][0].as_u64() >= Some(32)) == many);
        of.map(|t| t["median_s"].as_f64().unwrap_or(f64::INFINITY)).product::<f64>()
    };
    for (class, many) in [("many_rows", true), ("few_rows", false)] {
        let best = product(tuned["tuning"][class].as_str().unwrap(), many);
        assert!(["workgroup", "direct", "broadcast"].iter().all(|other| best <= product(other, many)), "{tuned}");
    }
    let doctor = run(&format!("doctor --json --device gpu:{}", adapter()));
    assert_eq!(doctor["tests"][0]["tuning"], tuned["tuning"]);
}

#[test]
fn tuning_needs_an_adapter() {
    let folder = tempfile::tempdir().unwrap();
    tropix(folder.path(), "bench --tune --device cpu").expect(2, &["adapter"]);
}
