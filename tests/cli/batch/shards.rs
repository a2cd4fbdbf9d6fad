//! Several processes on one plan.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::{SWEEP, inputs, plan, results};
use crate::program::{files, program, tropix};

#[test]
fn shards_part_the_plan_and_run_side_by_side_to_the_same_results() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), SWEEP).unwrap();
    let whole = plan(folder.path(), "jobs.toml");
    let parts: Vec<_> = (0..5).flat_map(|k| plan(folder.path(), &format!("jobs.toml --shard {k}/5"))).collect();
    let ids = |jobs: &[(String, serde_json::Value)]| jobs.iter().map(|(id, _)| id.clone()).collect::<BTreeSet<_>>();
    assert_eq!((parts.len(), ids(&parts)), (whole.len(), ids(&whole)));
    for wrong in ["5/5", "1", "-1/2", "0/0"] {
        tropix(folder.path(), &format!("batch plan jobs.toml --shard={wrong}")).expect(2, &["--shard"]);
    }

    tropix(folder.path(), "batch run jobs.toml -o alone").expect(0, &[]);
    // What GNU parallel does: `parallel tropix batch run jobs.toml -o out --shard {}/5 ::: 0 1 2 3 4`.
    let start = |k: usize| {
        let arguments = format!("batch run jobs.toml -o out --shard {k}/5");
        program().current_dir(folder.path()).args(arguments.split(' ')).spawn().unwrap()
    };
    let running: Vec<_> = (0..5).map(start).collect();
    for mut process in running {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(results(&folder.path().join("out")), results(&folder.path().join("alone")));
    let [one, other] = ["alone", "out"].map(|out| tropix(folder.path(), &format!("batch merge {out}")).expect(0, &[]));
    assert_eq!(one.stdout, other.stdout);
    // Nothing is left to do for a run of the whole.
    let again = tropix(folder.path(), "batch run jobs.toml -o out --resume --json").expect(0, &[]).json();
    assert_eq!(again["kept"], 12);
}

#[test]
fn slurm_numbers_tasks_from_any_first_one_on() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), SWEEP).unwrap();
    let wanted = plan(folder.path(), "jobs.toml --shard 2/3");
    let of = |variables: &[(&str, &str)]| {
        let mut command = program();
        command.current_dir(folder.path()).args("batch plan jobs.toml --jsonl".split(' '));
        command.envs(variables.iter().map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), *value)));
        command.output().unwrap()
    };
    for variables in [
        &[("ID", "2"), ("COUNT", "3"), ("MIN", "0")][..],
        &[("ID", "3"), ("COUNT", "3"), ("MIN", "1")],
        &[("ID", "20"), ("COUNT", "3"), ("MIN", "10"), ("STEP", "5")],
    ] {
        let printed = String::from_utf8(of(variables).stdout).unwrap();
        assert_eq!(printed.lines().count(), wanted.len());
        assert!(wanted.iter().all(|(id, _)| printed.contains(id.as_str())), "{variables:?}");
    }
    assert_eq!(of(&[("ID", "9"), ("COUNT", "3"), ("MIN", "1")]).status.code(), Some(2));
}

/// A stand-in for Slurm: runs the tasks of an array one after the other, and a dependent job after them.
const SBATCH: &str = r#"#!/bin/sh
set -eu
last=
for word in "$@"; do
    case "$word" in
        --array=0-*) last=${word#--array=0-} ;;
        --dependency=afterok:*) [ "${word#--dependency=afterok:}" = 7 ] ;;
    esac
done
cat > job.sh
if [ -n "$last" ]; then
    for task in $(seq 0 "$last"); do
        SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=$((last + 1)) sh job.sh >> task.log 2>&1
    done
else
    sh job.sh >> merge.log 2>&1
fi
echo "7;cluster"
"#;

#[cfg(unix)]
#[test]
fn the_script_for_slurm_runs_all_shards_and_then_the_merge() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::write(folder.path().join("jobs.toml"), SWEEP).unwrap();
    let arguments = "batch slurm jobs.toml -o out --shards 3 --sbatch=--time=0:10:00 --run=--keep-going";
    let script = tropix(folder.path(), arguments).expect(0, &[]).stdout;
    assert!(script.contains("--array=0-2") && script.contains("--time=0:10:00") && script.contains("--keep-going"));
    let tools = folder.path().join("tools");
    fs::create_dir(&tools).unwrap();
    fs::write(tools.join("sbatch"), SBATCH).unwrap();
    fs::set_permissions(tools.join("sbatch"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("submit.sh"), script).unwrap();
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .arg("submit.sh")
        .current_dir(folder.path())
        .env("PATH", path)
        .env("TROPIX_CACHE", "")
        .output();
    let output = output.unwrap();
    let log = fs::read_to_string(folder.path().join("task.log")).unwrap_or_default();
    assert!(output.status.success(), "{}{log}", String::from_utf8_lossy(&output.stderr));
    let out = files(&folder.path().join("out"));
    for name in ["journal-0-of-3.jsonl", "journal-1-of-3.jsonl", "journal-2-of-3.jsonl", "table.csv"] {
        assert!(out.iter().any(|file| file == name), "{name} in {out:?}");
    }
    let table = fs::read_to_string(folder.path().join("out/table.csv")).unwrap();
    assert_eq!(table.lines().count(), 13);
}
