//! One table of many reports.

use std::fs;

use serde_json::Value;

use super::{SWEEP, inputs, plan};
use crate::program::tropix;

#[test]
fn tables_hold_the_options_that_differ_and_results_with_all_digits() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), format!("{SWEEP}data = \"data.safetensors\"\nname = \"a|<b>,\\\"c\"\n"))
        .unwrap();
    tropix(folder.path(), "batch run jobs.toml -o out").expect(0, &[]);
    let table = tropix(folder.path(), "batch merge out --json").expect(0, &[]).json();
    let columns: Vec<&str> = table["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(columns[..4], ["job", "keep", "method", "seed"]);
    assert!(columns.contains(&"accuracy.agreement") && columns.contains(&"parameters.after"), "{columns:?}");
    assert_eq!(table["common"]["model"], "net.safetensors");
    assert_eq!(table["common"]["parameters.before"], 58);
    let ids = plan(folder.path(), "jobs.toml");
    for (row, (id, job)) in table["rows"].as_array().unwrap().iter().zip(&ids) {
        assert_eq!(row["job"], id.as_str());
        assert_eq!(row["method"], job["method"]);
        assert_eq!(row["keep"].as_f64().unwrap().to_string(), job["keep"].as_str().unwrap());
        let report: Value =
            serde_json::from_slice(&fs::read(folder.path().join(format!("out/{id}/report.json"))).unwrap()).unwrap();
        assert_eq!(row["accuracy.agreement"], report["accuracy"]["agreement"]);
        assert_eq!(row["parameters.after"], report["parameters"]["after"]);
    }
    let csv =
        tropix(folder.path(), "batch merge out --format csv --columns accuracy,timing.load").expect(0, &[]).stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), &lines[0][..20]), (13, "job,keep,method,seed"));
    assert!(lines[0].contains(",accuracy.n,") && lines[0].ends_with("timing.load"), "{}", lines[0]);
    assert!(lines[1].starts_with(&format!("{},0.25,l1,1,", ids[0].0)) && lines[1].contains(",20,"), "{}", lines[1]);
    for (name, parts) in [
        ("table.md", ["| job | keep | method | seed |", "a\\|<b>"]),
        ("table.html", ["<th>job</th><th>keep</th>", "a|&lt;b&gt;,&quot;c"]),
        ("table.csv", ["job,keep,method,seed", "l1"]),
        ("table.json", ["\"tropix.merge/1\"", "a|<b>,\\\"c"]),
    ] {
        tropix(folder.path(), &format!("batch merge out -o {name}")).expect(0, &[]);
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        tropix(folder.path(), &format!("batch merge out -o {name}")).expect(73, &[name, "--force"]);
    }
    tropix(folder.path(), "batch merge out -o table.xlsx").expect(2, &["xlsx", ".csv"]);
}

#[test]
fn every_job_has_to_be_there_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), SWEEP).unwrap();
    let run = |k: usize| {
        tropix(folder.path(), &format!("batch run jobs.toml -o out{k} --shard {k}/3")).expect(0, &[]);
    };
    (0..3).for_each(run);
    tropix(folder.path(), "batch merge out0 out1").expect(1, &["4 of 12 jobs have no report"]);
    let part = tropix(folder.path(), "batch merge out0 out1 --partial --json").expect(0, &[]).json();
    assert_eq!((part["rows"].as_array().unwrap().len(), part["missing"].as_array().unwrap().len()), (8, 4));
    let all = tropix(folder.path(), "batch merge out2 out0 out1 --json").expect(0, &[]).json();
    assert_eq!(all["rows"].as_array().unwrap().len(), 12);
    let twice = &plan(folder.path(), "jobs.toml")[0].0;
    fs::create_dir(folder.path().join("out2").join(twice)).unwrap();
    for name in ["report.json", "small.safetensors"] {
        let of = |out: &str| folder.path().join(out).join(twice).join(name);
        fs::copy(of("out0"), of("out2")).unwrap();
    }
    tropix(folder.path(), "batch merge out0 out1 out2").expect(65, &[twice, "out0"]);
    fs::write(folder.path().join("jobs.toml"), SWEEP.replace("0.25, ", "")).unwrap();
    tropix(folder.path(), "batch run jobs.toml -o other").expect(0, &[]);
    tropix(folder.path(), "batch merge out0 other").expect(65, &["another plan"]);
    tropix(folder.path(), "batch merge none").expect(66, &["none"]);
}
