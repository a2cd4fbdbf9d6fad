//! What a manifest says, and what is wrong with it.

use std::collections::BTreeSet;
use std::fs;

use super::{SWEEP, inputs, plan};
use crate::program::{files, tropix};

#[test]
fn ids_depend_on_command_options_and_inputs_and_on_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "a.toml",
        "[[job]]\ncommand = \"prune\"\nmodel = \"net.safetensors\"\nkeep = 0.5\nround-to = 2\ndry-run = true\n",
    );
    write(
        "b.toml",
        "[defaults]\nround_to = 7\nstrict = true\n[defaults.prune]\nround_to = 0x2\n[[job]]\nstrict = false\n\
         dry-run = true\nname = \"half\"\nmodel = \"net.safetensors\"\ncommand = \"prune\"\nmatrix.keep = [5e-1]\n",
    );
    write(
        "c.jsonl",
        "\n{\"keep\": \"0.5\", \"dry-run\": true, \"round_to\": 2, \"model\": [\"net.safetensors\"], \"command\": \"prune\"}\n",
    );
    let ids: Vec<String> = ["a.toml", "b.toml", "c.jsonl"].map(|name| plan(folder.path(), name)[0].0.clone()).into();
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 20), "{ids:?}");

    // A plan is a manifest with the same jobs.
    let printed = tropix(folder.path(), "batch plan a.toml --jsonl").expect(0, &[]).stdout;
    write("d.jsonl", &printed);
    assert_eq!(plan(folder.path(), "d.jsonl"), plan(folder.path(), "a.toml"));

    // Another value, another input: another job. The plan from before says so.
    write("e.jsonl", &printed.replace("0.5", "0.25"));
    tropix(folder.path(), "batch plan e.jsonl").expect(78, &["e.jsonl:1:", "`id`", &ids[0]]);
    fs::copy(folder.path().join("other.safetensors"), folder.path().join("net.safetensors")).unwrap();
    assert_ne!(plan(folder.path(), "a.toml")[0].0, ids[0]);
    tropix(folder.path(), "batch plan d.jsonl").expect(78, &["d.jsonl:1:", "`id`", &ids[0], "changed"]);
}

#[test]
fn matrices_are_multiplied_out() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), SWEEP).unwrap();
    let jobs = plan(folder.path(), "jobs.toml");
    let ids: BTreeSet<&String> = jobs.iter().map(|(id, _)| id).collect();
    assert_eq!((jobs.len(), ids.len()), (12, 12));
    let of = |at: usize| ["keep", "method", "seed"].map(|key| jobs[at].1[key].as_str().unwrap().to_owned());
    assert_eq!(of(0), ["0.25", "l1", "1"]);
    assert_eq!(of(1), ["0.25", "l1", "2"]);
    assert_eq!(of(11), ["0.75", "greedy-gaussian", "2"]);
    tropix(folder.path(), "batch plan jobs.toml --max-jobs 11").expect(78, &["jobs.toml:6:", "11 jobs"]);
}

#[test]
fn a_bad_manifest_exits_78_with_file_line_key_and_value() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::create_dir(folder.path().join("sub")).unwrap();
    let before = files(folder.path());
    let job = "[[job]]\ncommand = \"prune\"\nmodel = \"net.safetensors\"\n";
    let prune = |rest: &str| format!("{job}{rest}\n");
    let toml: &[(String, &[&str])] = &[
        (String::new(), &["holds no job"]),
        ("a = [".to_owned(), &["jobs.toml:1:"]),
        ("job = 3\n".to_owned(), &["jobs.toml:1:", "`job`"]),
        ("[job]\ncommand = \"doctor\"\n".to_owned(), &["jobs.toml:1:", "`[[job]]`"]),
        ("version = 2\n".to_owned(), &["jobs.toml:1:", "`version` = 2"]),
        ("[default]\n".to_owned(), &["jobs.toml:1:", "`default`", "`defaults`"]),
        (
            format!("[defaults.prnue]\nkeep = 0.5\n{job}dry-run = true\nkeep = 1\n"),
            &["jobs.toml:1:", "`defaults.prnue`"],
        ),
        ("[[job]]\nmodel = \"net.safetensors\"\n".to_owned(), &["jobs.toml:1:", "`command`"]),
        ("[[job]]\ncommand = \"prnue\"\n".to_owned(), &["jobs.toml:1:", "prnue", "prune"]),
        ("[[job]]\ncommand = \"batch\"\n".to_owned(), &["jobs.toml:1:", "batch"]),
        ("[[job]]\ncommand = 3.5\nname = []\n".to_owned(), &["jobs.toml:3:", "`name`", "a list"]),
        (prune("kep = 0.5"), &["jobs.toml:4:", "`kep` = 0.5", "did you mean `ke"]),
        (prune("dry-run = true\nkeep = 1.5"), &["jobs.toml:5:", "1.5", "keep"]),
        (prune("dry-run = true\nkeep = true"), &["jobs.toml:5:", "true", "keep"]),
        (prune("dry-run = 3\nkeep = 1"), &["jobs.toml:4:", "`dry-run` = 3"]),
        (prune("dry-run = true\nkeep = nan"), &["jobs.toml:5:", "`keep`", "finite"]),
        (prune("dry-run = true\nkeep = []"), &["jobs.toml:5:", "`keep`", "empty"]),
        (prune("dry-run = true\nkeep = 2026-11-29"), &["jobs.toml:5:", "`keep`", "date"]),
        (prune("dry-run = true\nkeep = { a = 1 }"), &["jobs.toml:5:", "`keep`", "a table"]),
        (prune("dry-run = true\nkeep = 0.5\nthreads = 2"), &["jobs.toml:6:", "`threads` = 2", "batch run"]),
        (prune("dry-run = true\nkeep = 0.5\nepochs = 2"), &["jobs.toml:1:", "epochs", "no effect"]),
        (prune("keep = 0.5"), &["jobs.toml:1:", "--output"]),
        (prune("dry-run = true\nkeep = 0.5\ndry_run = true"), &["jobs.toml:6:", "`dry-run`", "`dry_run`"]),
        (prune("dry-run = true\nmatrix = 3"), &["jobs.toml:5:", "`matrix`"]),
        (prune("dry-run = true\nmatrix = { keep = 0.5 }"), &["jobs.toml:5:", "`keep`", "a list"]),
        (prune("dry-run = true\nmatrix = { keep = [] }"), &["jobs.toml:5:", "`keep`", "empty"]),
        (prune("dry-run = true\nkeep = 1\nmatrix = { keep = [0.5] }"), &["jobs.toml:6:", "`keep`"]),
        (prune("dry-run = true\nmatrix = { command = [\"prune\"] }"), &["jobs.toml:5:", "`command`"]),
        (prune("dry-run = true\nmatrix = { keep = [0.5, 0.50] }"), &["jobs.toml:1:", "the same", "keep=0.5"]),
        (prune("keep = 0.5\noutput = \"../a.safetensors\""), &["jobs.toml:5:", "`output` = ../a.safetensors"]),
        (prune("keep = 0.5\noutput = \"/a.safetensors\""), &["jobs.toml:5:", "`output` = /a.safetensors"]),
        (prune("keep = 0.5\noutput = \"report.json\""), &["jobs.toml:5:", "`output` = report.json"]),
        (prune("keep = 0.5\noutput = \"a.txt\""), &["jobs.toml:1:", "a.txt"]),
        (
            "[[job]]\ncommand = \"inspect\"\nmodel = \"../net.safetensors\"\n".to_owned(),
            &["jobs.toml:3:", "`model` = ../net.safetensors", "--allow-outside"],
        ),
        (
            "[[job]]\ncommand = \"inspect\"\nmodel = \"/etc/passwd\"\n".to_owned(),
            &["jobs.toml:3:", "`model` = /etc/passwd", "--allow-outside"],
        ),
        (format!("x = {}{}", "[".repeat(99), "]".repeat(99)), &["jobs.toml:1:", "brackets"]),
    ];
    for (text, parts) in toml {
        fs::write(folder.path().join("jobs.toml"), text).unwrap();
        tropix(folder.path(), "batch run jobs.toml -o out").expect(78, &[&["jobs.toml"], *parts].concat());
    }
    let jsonl: &[(&str, &[&str])] = &[
        ("{\"command\": \"doctor\"}\n[1]\n", &["jobs.jsonl:2:", "a list"]),
        ("{\"command\": \"doctor\"\n", &["jobs.jsonl:1:"]),
        ("\n{\"command\": \"doctor\", \"command\": \"bench\"}\n", &["jobs.jsonl:2:", "duplicate", "`command`"]),
        ("{\"command\": \"doctor\", \"seed\": null}\n", &["jobs.jsonl:1:", "`seed`", "null"]),
        ("{\"command\": \"doctor\", \"seed\": \"a\\u0000b\"}\n", &["jobs.jsonl:1:", "`seed`", "zero byte"]),
        ("{\"command\": \"doctor\", \"matrix\": {\"seed\": [1]}}\n", &["jobs.jsonl:1:", "`matrix`"]),
        ("{\"command\": \"doctor\", \"id\": \"0123\"}\n", &["jobs.jsonl:1:", "`id` = 0123"]),
    ];
    for (text, parts) in jsonl {
        fs::write(folder.path().join("jobs.jsonl"), text).unwrap();
        tropix(folder.path(), "batch run jobs.jsonl -o out").expect(78, parts);
    }
    for name in ["jobs.toml", "jobs.jsonl"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_eq!(files(folder.path()), before, "nothing is written before the manifest is understood");
    tropix(folder.path(), "batch plan none.toml").expect(66, &["none.toml"]);
    tropix(folder.path(), "batch plan net.safetensors").expect(78, &["net.safetensors"]);
}

#[test]
fn missing_inputs_exit_66_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[job]]\ncommand = \"inspect\"\nmodel = \"none.safetensors\"\n";
    fs::write(folder.path().join("jobs.toml"), text).unwrap();
    tropix(folder.path(), "batch run jobs.toml -o out").expect(66, &["none.safetensors"]);
    assert_eq!(files(folder.path()), ["jobs.toml"]);
}

#[cfg(unix)]
#[test]
fn a_link_does_not_lead_out_of_the_folder_of_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let inner = folder.path().join("jobs");
    fs::create_dir(&inner).unwrap();
    std::os::unix::fs::symlink("../net.safetensors", inner.join("net.safetensors")).unwrap();
    fs::write(inner.join("jobs.toml"), "[[job]]\ncommand = \"inspect\"\nmodel = \"net.safetensors\"\n").unwrap();
    tropix(folder.path(), "batch plan jobs/jobs.toml").expect(78, &["jobs/jobs.toml:3:", "net.safetensors"]);
    tropix(folder.path(), "batch plan jobs/jobs.toml --allow-outside").expect(0, &[]);
}
