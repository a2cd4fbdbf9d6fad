//! What stops a run, and what is left then.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{inputs, plan, results};
use crate::program::{asset, data, files, model, program, tropix};

/// Jobs that together take a second or so, each writing a file of a megabyte.
const WRITING: &str = "
[defaults]
device = \"cpu\"
[[job]]
command = \"random-model\"
widths = [256, 512, 256]
output = \"random.safetensors\"
matrix.seed = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]
";

/// A job that takes many seconds and looks between its steps whether it is to stop.
fn long_job(folder: &Path) -> String {
    for (name, path) in [("model.safetensors", model()), ("data.safetensors", data())] {
        fs::copy(path, folder.join(name)).unwrap();
    }
    "[[job]]\ncommand = \"sweep\"\nmodel = \"model.safetensors\"\ndata = \"data.safetensors\"\ndevice = \"reference\"\n\
     methods = [\"random\"]\nrates = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]\nseeds = 1000\n"
        .to_owned()
}

fn start(folder: &Path, arguments: &str) -> Child {
    let mut command = program();
    command.current_dir(folder).args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(status.success());
}

/// Waits until something holds.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_killed_run_is_resumed_to_the_results_of_an_undisturbed_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("jobs.toml"), WRITING).unwrap();
    tropix(folder.path(), "batch run jobs.toml -o whole").expect(0, &[]);
    let whole = results(&folder.path().join("whole"));
    let runs: u64 = std::env::var("TROPIX_TEST_KILLS").map_or(8, |runs| runs.parse().unwrap());
    let mut cut = 0;
    for run in 0..runs {
        let out = format!("out{run}");
        let mut child = start(folder.path(), &format!("batch run jobs.toml -o {out}"));
        // Moments from the first milliseconds to the end of the run.
        sleep(Duration::from_millis(5 + (run * 7919) % 350));
        child.kill().unwrap();
        child.wait().unwrap();
        let out = folder.path().join(out);
        if out.is_dir() {
            for (name, content) in results_of_whole_reports(&out) {
                assert_eq!(whole.get(&name), Some(&content), "{name} was there before its job was done");
            }
        }
        let report = tropix(folder.path(), &format!("batch run jobs.toml -o {} --resume --json", out.display()));
        let kept = report.expect(0, &[]).json()["kept"].as_u64().unwrap();
        cut += u64::from((1..24).contains(&kept));
        assert_eq!(results(&out), whole);
        assert!(!files(&out).iter().any(|name| name.starts_with(".tmp")));
        fs::remove_dir_all(&out).unwrap();
    }
    assert!(cut * 4 >= runs, "only {cut} of {runs} runs were killed in mid-work: the moments are badly chosen");
}

/// What the folders of jobs with a report hold.
fn results_of_whole_reports(out: &Path) -> Vec<(String, String)> {
    let with_report = |name: &String| {
        let job = name.split('/').next().unwrap();
        out.join(job).join("report.json").exists()
    };
    results(out).into_iter().filter(|(name, _)| with_report(name)).collect()
}

#[test]
fn a_signal_ends_the_run_with_75_and_a_second_one_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = long_job(folder.path()) + "[[job]]\ncommand = \"inspect\"\nmodel = \"model.safetensors\"\n";
    fs::write(folder.path().join("jobs.toml"), text).unwrap();
    let ids = plan(folder.path(), "jobs.toml");
    for (signals, name) in [(1, "TERM"), (1, "INT"), (2, "TERM")] {
        let grace = if signals == 1 { "30" } else { "1000" };
        let mut child = start(folder.path(), &format!("batch run jobs.toml -o out -j 2 --resume --grace {grace}"));
        let journal = folder.path().join("out/journal.jsonl");
        let running = || {
            fs::read_to_string(&journal).is_ok_and(|text| {
                text.contains("job done")
                    && text.matches("run ended").count() + 1 == text.matches("run started").count()
            })
        };
        until("the jobs run", running);
        for _ in 0..signals {
            sleep(Duration::from_millis(50));
            signal(&child, name);
        }
        let mut code = None;
        until("the run ends", || {
            code = child.try_wait().unwrap();
            code.is_some()
        });
        assert_eq!(code.unwrap().code(), Some(75));
        tropix(folder.path(), "batch status out").expect(75, &["1 jobs are left"]);
        if signals == 1 {
            let left = files(&folder.path().join("out").join(&ids[0].0));
            assert!(!left.iter().any(|name| name.starts_with(".tmp")), "{left:?}");
            assert!(fs::read_to_string(&journal).unwrap().contains("job stopped"));
            // The next round begins anew.
            fs::remove_dir_all(folder.path().join("out")).unwrap();
        }
    }
}

#[test]
fn two_runs_do_not_work_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("jobs.toml"), long_job(folder.path())).unwrap();
    let mut child = start(folder.path(), "batch run jobs.toml -o out");
    let journal = folder.path().join("out/journal.jsonl");
    until("the job runs", || fs::read_to_string(&journal).is_ok_and(|text| text.contains("job started")));
    tropix(folder.path(), "batch run jobs.toml -o out --resume").expect(75, &[".lock", "another run"]);
    tropix(folder.path(), "batch run jobs.toml -o out --resume --shard 0/2").expect(75, &[".lock"]);
    // A lock ends with its process, however it ends.
    child.kill().unwrap();
    child.wait().unwrap();
    tropix(folder.path(), "batch run jobs.toml -o out --resume --timeout 0.2").expect(1, &["--timeout"]);
}

#[test]
fn a_job_that_takes_too_long_fails_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    // One that looks whether it is to stop, and one that does not: its vertices are enumerated in one go.
    let generators: Vec<String> =
        (0..200).map(|i| format!("{},{},{},{}\n", i % 17, i % 13 - 6, i % 7, i * i % 23)).collect();
    fs::write(folder.path().join("generators.csv"), generators.concat()).unwrap();
    let text = long_job(folder.path())
        + "[[job]]\ncommand = \"zonotope\"\nsource = \"generators.csv\"\ndevice = \"cpu\"\nmax-memory = 20000\n\
           [[job]]\ncommand = \"inspect\"\nmodel = \"model.safetensors\"\n";
    fs::write(folder.path().join("jobs.toml"), text).unwrap();
    let began = Instant::now();
    let run = "batch run jobs.toml -o out --keep-going --timeout 0.5 --grace 0.5 -j 1 --json";
    let report = tropix(folder.path(), run).expect(1, &["2 jobs failed", "0.5 s"]).json();
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(report["done"], 1);
    assert!(report["failed"].as_array().unwrap().iter().all(|failed| failed["kind"] == "timeout"));
    let left = folder.path().join("out").join(&plan(folder.path(), "jobs.toml")[0].0);
    assert_eq!(files(&left), ["error.json"]);
}

#[test]
fn a_journal_that_was_cut_and_a_report_that_cannot_be_written_are_survived() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let text = "[[job]]\ncommand = \"inspect\"\nmatrix.model = [\"net.safetensors\", \"other.safetensors\"]\n";
    fs::write(folder.path().join("jobs.toml"), text).unwrap();
    let ids = plan(folder.path(), "jobs.toml");
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("journal.jsonl"), "{\"unix_seconds\": 1.0, \"eve").unwrap();
    // A file where the folder of a job belongs.
    fs::write(out.join(&ids[0].0), "").unwrap();
    tropix(folder.path(), "batch run jobs.toml -o out").expect(73, &[&ids[0].0]);
    tropix(folder.path(), "batch run jobs.toml -o out --resume --keep-going").expect(1, &["is no folder"]);
    fs::remove_file(out.join(&ids[0].0)).unwrap();
    tropix(folder.path(), "batch run jobs.toml -o out --resume").expect(0, &[]);
    let journal = fs::read_to_string(out.join("journal.jsonl")).unwrap();
    let whole = |line: &str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert_eq!(journal.lines().filter(|line| !whole(line)).count(), 1, "{journal}");
    // An input that changes under the run is found out.
    let changed = asset("models/mlp-digits.safetensors");
    fs::copy(changed, folder.path().join("net.safetensors")).unwrap();
    tropix(folder.path(), "batch run jobs.toml -o out --shard 0/2 --resume").expect(73, &["plan.jsonl", "changed"]);
}

#[test]
fn a_disk_without_room_fails_jobs_with_74_and_leaves_no_half_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("jobs.toml"), WRITING).unwrap();
    // Files of at most 300 blocks, where each job writes a megabyte.
    let limited = format!(
        "trap '' XFSZ; ulimit -f 300; exec '{}' batch run jobs.toml -o out --keep-going --json",
        env!("CARGO_BIN_EXE_tropix")
    );
    let output = Command::new("sh").args(["-c", &limited]).current_dir(folder.path()).env("TROPIX_CACHE", "").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let failed = report["failed"].as_array().unwrap();
    assert!(failed.len() == 24 && failed.iter().all(|failed| failed["code"] == 74), "{report}");
    for (id, _) in plan(folder.path(), "jobs.toml") {
        assert_eq!(files(&folder.path().join("out").join(id)), ["error.json"]);
    }
    tropix(folder.path(), "batch run jobs.toml -o out --resume").expect(0, &[]);
    tropix(folder.path(), "batch run jobs.toml -o whole").expect(0, &[]);
    assert_eq!(results(&folder.path().join("out")), results(&folder.path().join("whole")));
    tropix(folder.path(), "batch run jobs.toml -o /proc/out").expect(74, &["/proc/out"]);
}
