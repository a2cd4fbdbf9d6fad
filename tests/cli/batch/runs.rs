//! Runs of whole manifests.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{SWEEP, inputs, plan, result, results};
use crate::program::{asset, files, program, tropix};

/// A job of every command, without a device of its own.
const ALL: &str = "
[defaults]
device = \"cpu\"
[[job]]
command = \"inspect\"
model = \"net.safetensors\"
emit-arch = \"arch.toml\"
[[job]]
command = \"prune\"
model = \"net.safetensors\"
output = \"small.onnx\"
data = \"data.safetensors\"
layer = [\"a=0.5\", \"b=2n\"]
[[job]]
command = \"prune\"
model = \"net.safetensors\"
rate = 0.5
dry-run = true
[[job]]
command = \"sweep\"
model = \"net.safetensors\"
data = \"data.safetensors\"
rates = [0.25, 0.5]
methods = [\"lamp\", \"class-blind\"]
csv = \"curves.csv\"
svg = \"curves.svg\"
[[job]]
command = \"evaluate\"
model = \"net.safetensors\"
data = \"data.safetensors\"
against = \"other.safetensors\"
verify = true
[[job]]
command = \"zonotope\"
source = \"[[1,0],[1,1]]\"
support = [\"1,0\", \"-1,2\"]
[[job]]
command = \"hausdorff\"
a = \"zonotope:points.csv\"
b = \"[[1,0],[0.5,2]]\"
[[job]]
command = \"compare\"
a = \"net.safetensors\"
b = \"other.safetensors\"
data = \"data.safetensors\"
runs = 1
[[job]]
command = \"convert\"
model = \"net.safetensors\"
output = \"net.onnx\"
[[job]]
command = \"certify\"
model = \"net.safetensors\"
compressed = \"other.safetensors\"
radius = 1
[[job]]
command = \"train\"
layout = \"2-4-2\"
toy = \"moons\"
epochs = 2
output = \"trained.safetensors\"
save-points = \"points.safetensors\"
[[job]]
command = \"lottery\"
toy = \"moons\"
rates = [0.5]
seeds = 1
epochs = 2
svg = \"tickets.svg\"
[[job]]
command = \"random-model\"
widths = [3, 4, 2]
output = \"random.safetensors\"
[[job]]
command = \"polynomial\"
expression = [\"-1+x\", \"1x+2y+0\"]
[[job]]
command = \"boundary\"
model = \"net.safetensors\"
data = \"data.safetensors\"
svg = \"boundary.svg\"
report = \"boundary.html\"
[[job]]
command = \"attack\"
model = \"net.safetensors\"
data = \"labelled.safetensors\"
box = \"-10,10\"
method = \"pgd\"
epsilon = 0.1
samples = 4
[[job]]
command = \"methods\"
[[job]]
command = \"doctor\"
[[job]]
command = \"bench\"
workload = \"W1a\"
quick = true
runs = 1
";

/// The command line that does alone what a job does, but for files that are written.
fn alone(job: &Value) -> Vec<String> {
    let texts = |value: &Value| -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        value.as_array().map_or_else(|| vec![text(value)], |values| values.iter().map(text).collect())
    };
    let positional = ["model", "source", "a", "b", "compressed", "widths", "expression"];
    let command = job["command"].as_str().unwrap();
    let mut words = vec![command.to_owned(), "--json".to_owned()];
    for (key, value) in job.as_object().unwrap().iter().filter(|(key, _)| *key != "command" && *key != "name") {
        if !positional.contains(&key.as_str()) {
            let flag = texts(value) == ["true"];
            let of = |text: String| if flag { format!("--{key}") } else { format!("--{key}={text}") };
            words.extend(if key == "rates" {
                vec![of(texts(value).join(","))]
            } else {
                texts(value).into_iter().map(of).collect()
            });
        }
    }
    words.push("--".to_owned());
    words.extend(positional.iter().filter_map(|key| job.get(*key)).flat_map(texts));
    words
}

#[test]
fn every_command_can_be_a_job_and_reports_what_it_reports_alone() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), ALL).unwrap();
    tropix(folder.path(), "batch run jobs.toml -o out --keep-going").expect(0, &[]);
    let jobs = plan(folder.path(), "jobs.toml");
    let help = tropix(folder.path(), "--help").stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 12, "{help}");
    for command in commands.iter().filter(|command| !["batch", "help"].contains(*command)) {
        assert!(jobs.iter().any(|(_, job)| job["command"] == *command), "`{command}` is missing here");
    }
    for (id, job) in jobs {
        let mut found = result(&folder.path().join("out").join(&id).join("report.json"));
        assert_eq!(found["job"]["id"], id.as_str());
        found.as_object_mut().unwrap().remove("job");
        // Those that measure time report nothing else.
        if ["bench", "compare", "doctor"].contains(&job["command"].as_str().unwrap()) {
            continue;
        }
        let scratch = folder.path().join("alone");
        let _ = fs::remove_dir_all(&scratch);
        fs::create_dir(&scratch).unwrap();
        let words = alone(&job);
        let output = program().current_dir(folder.path()).args(outputs_into(&words, "alone")).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        fs::write(scratch.join("report.json"), &output.stdout).unwrap();
        let mut wanted = result(&scratch.join("report.json"));
        for report in [&mut found, &mut wanted] {
            for key in ["output", "outputs", "layer_timing", "attack_timing"] {
                report.as_object_mut().unwrap().remove(key);
            }
            seconds(report);
        }
        assert_eq!(found, wanted, "{words:?}");
        for name in files(&scratch).iter().filter(|name| *name != "report.json") {
            let of = |folder: &Path| fs::read(folder.join(name)).unwrap();
            let [own, job] = [of(&scratch), of(&folder.path().join("out").join(&id))];
            // Pages tell seconds and the words of the command line.
            assert!(name.ends_with(".html") && !job.is_empty() || own == job, "{words:?}: {name}");
        }
    }
}

/// Takes out times that stand among results.
fn seconds(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| key != "seconds");
            map.values_mut().for_each(seconds);
        }
        Value::Array(values) => values.iter_mut().for_each(seconds),
        _ => {}
    }
}

/// The same words, with outputs in a folder.
fn outputs_into(words: &[String], folder: &str) -> Vec<String> {
    let outputs = ["--output=", "--csv=", "--svg=", "--report=", "--emit-arch="];
    let word = |word: &String| {
        let option = outputs.iter().find(|option| word.starts_with(**option));
        option.map_or_else(|| word.clone(), |option| format!("{option}{folder}/{}", &word[option.len()..]))
    };
    words.iter().map(word).collect()
}

#[test]
fn jobs_of_a_run_read_each_model_and_data_set_once_and_share_the_device() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(
        folder.path().join("jobs.toml"),
        format!("{SWEEP}data = \"data.safetensors\"\n[[job]]\ncommand = \"inspect\"\noutput = false\nmatrix.model = [\"net.safetensors\", \"other.safetensors\"]\n"),
    )
    .unwrap();
    let run = tropix(folder.path(), "batch run jobs.toml -o out -v --log-format json").expect(0, &[]);
    let logged = |what: &str| {
        let line = |line: &&str| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["fields"]["message"].as_str().is_some_and(|message| message.starts_with(what))
        };
        run.stderr.lines().filter(line).count()
    };
    assert_eq!((logged("read net.safetensors"), logged("read other.safetensors")), (1, 1), "{}", run.stderr);
    // Once to know its files, once more as the network normalises it.
    assert!(logged("read data.safetensors") <= 2, "{}", run.stderr);
    assert_eq!(logged("started"), 1, "{}", run.stderr);
    assert_eq!(logged("14 of 14 done"), 1, "{}", run.stderr);
}

#[test]
fn what_is_done_stays_and_anything_else_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), SWEEP).unwrap();
    let run = |options: &str| tropix(folder.path(), &format!("batch run jobs.toml -o out --json {options}"));
    let counts = |options: &str| {
        let report = run(options).expect(0, &[]).json();
        ["done", "kept", "left"].map(|key| report[key].as_u64().unwrap())
    };
    assert_eq!(counts(""), [12, 0, 0]);
    let out = folder.path().join("out");
    let (first, ids) = (results(&out), plan(folder.path(), "jobs.toml"));
    run("").expect(73, &["--resume"]);
    assert_eq!(counts("--resume"), [0, 12, 0]);
    let of = |at: usize, name: &str| out.join(&ids[at].0).join(name);
    // A report of another job, half a report, none, an output that is gone, one that was cut.
    fs::copy(of(0, "report.json"), of(1, "report.json")).unwrap();
    let half = fs::read(of(2, "report.json")).unwrap();
    fs::write(of(2, "report.json"), &half[..half.len() / 2]).unwrap();
    fs::remove_file(of(3, "report.json")).unwrap();
    fs::write(of(3, ".tmpXYZ.tmp"), "half").unwrap();
    fs::remove_file(of(4, "small.safetensors")).unwrap();
    fs::write(of(5, "small.safetensors"), "cut").unwrap();
    fs::write(out.join(".tmpABC.tmp"), "half").unwrap();
    tropix(folder.path(), "batch status out").expect(75, &["5 jobs are left"]);
    assert_eq!(counts("--resume"), [5, 7, 0]);
    assert_eq!(results(&out), first);
    assert!(!files(&out).iter().any(|name| name.starts_with(".tmp")));
    tropix(folder.path(), "batch status out").expect(0, &[]);
    assert_eq!(counts("--force"), [12, 0, 0]);
    assert_eq!(results(&out), first);

    // A manifest that has grown goes on in its folder.
    fs::write(folder.path().join("jobs.toml"), SWEEP.replace("[1, 2]", "[1, 2, 3]")).unwrap();
    run("").expect(73, &["plan.jsonl", "--force"]);
    assert_eq!(counts("--resume"), [6, 12, 0]);
}

#[test]
fn a_failed_job_ends_the_run_unless_it_keeps_going() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("bad.safetensors"), "no model").unwrap();
    let text = "[[job]]\ncommand = \"inspect\"\nmatrix.model = [\"net.safetensors\", \"bad.safetensors\", \"other.safetensors\"]\n";
    fs::write(folder.path().join("jobs.toml"), text).unwrap();
    let run = |options: &str| tropix(folder.path(), &format!("batch run jobs.toml -j 1 --json -o {options}"));
    let report = run("first").expect(1, &["1 jobs failed", "bad.safetensors"]);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!((&report["done"], &report["left"], &report["failed"][0]["code"]), (&1.into(), &1.into(), &65.into()));
    let going = run("going --keep-going").expect(1, &["1 jobs failed"]).json();
    assert_eq!((&going["done"], &going["left"]), (&2.into(), &0.into()));
    let status = tropix(folder.path(), "batch status going").expect(1, &["1 jobs failed"]).stdout;
    assert!(status.contains("bad.safetensors") && status.contains("2 done, 1 failed, 0 left"), "{status}");
    let ids = plan(folder.path(), "jobs.toml");
    assert_eq!(files(&folder.path().join("going").join(&ids[1].0)), ["error.json"]);

    // A failed job is tried again, and its error goes.
    fs::copy(folder.path().join("other.safetensors"), folder.path().join("bad.safetensors")).unwrap();
    let again = run("going --resume --keep-going").expect(0, &[]).json();
    assert_eq!((&again["done"], &again["kept"]), (&1.into(), &2.into()));
    assert_eq!(files(&folder.path().join("going").join(&plan(folder.path(), "jobs.toml")[1].0)), ["report.json"]);
}

#[test]
fn the_environment_is_that_of_the_run_and_not_of_its_jobs() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), SWEEP.replace("seed = [1, 2]", "min-keep = [1]")).unwrap();
    tropix(folder.path(), "batch run jobs.toml -o out").expect(0, &[]);
    let set = program()
        .current_dir(folder.path())
        .args("batch run jobs.toml -o set".split(' '))
        .envs([("TROPIX_SEED", "7"), ("TROPIX_VERIFY", "1"), ("TROPIX_JSON", "1")])
        .output()
        .unwrap();
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    assert_eq!(results(&folder.path().join("out")), results(&folder.path().join("set")));
    tropix(folder.path(), "batch run jobs.toml -o no --seed 3").expect(2, &["--seed", "manifest"]);
}

#[test]
fn the_example_manifest_plans_and_every_job_of_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let run = format!("batch run {} --allow-outside -o out --json", asset("jobs/digits.toml"));
    let report = tropix(folder.path(), &run).expect(0, &[]).json();
    assert_eq!(report["done"], 10);
    let table = tropix(folder.path(), "batch merge out --json").expect(0, &[]).json();
    assert_eq!(table["rows"].as_array().unwrap().len(), 10);
}
