//! Where outputs go: nothing but a file is ever replaced, and names tell the format.

use std::fs;
use std::path::Path;

use crate::program::{files, model, tropix};

/// Runs that write one file each, whose name replaces `OUT`.
fn writers() -> [(String, &'static str); 9] {
    let model = model();
    [
        (format!("prune {model} -o OUT --rate 0.5 --device cpu"), "safetensors"),
        (format!("convert {model} -o OUT"), "onnx"),
        ("random-model 4,3,2 -o OUT".to_owned(), "safetensors"),
        (format!("inspect {model} --emit-arch OUT"), "toml"),
        ("polynomial x+y+1 --svg OUT".to_owned(), "svg"),
        ("zonotope [[1,0],[1,1]] --svg OUT --device cpu".to_owned(), "svg"),
        ("hausdorff [[1,0],[1,1]] [[1,0],[2,1]] --svg OUT --device cpu".to_owned(), "svg"),
        (format!("inspect {model} --profile OUT"), "json"),
        (format!("inspect {model} --report OUT"), "html"),
    ]
}

#[test]
fn names_that_promise_another_format_exit_2_and_name_the_formats() {
    let folder = tempfile::tempdir().unwrap();
    for (run, ending) in writers() {
        for name in ["a.png", "a.pt", "a", ".svg"] {
            let ran = tropix(folder.path(), &run.replace("OUT", name)).expect(2, &[name, ending]);
            assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        }
        tropix(folder.path(), &run.replace("OUT", "-")).expect(73, &["standard output"]);
    }
    let sweep = format!("sweep {} --csv curves.svg", model());
    tropix(folder.path(), &sweep).expect(2, &["`--csv`", "curves.svg"]);
    assert!(files(folder.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn devices_behind_links_are_written_into_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let link = |name: &str, target: &str| std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    let is_link = |name: &str| fs::symlink_metadata(folder.path().join(name)).unwrap().is_symlink();
    for (at, (run, ending)) in writers().into_iter().enumerate() {
        let (null, full) = (format!("null{at}.{ending}"), format!("full{at}.{ending}"));
        link(&null, "/dev/null");
        link(&full, "/dev/full");
        for force in ["", " --force"] {
            tropix(folder.path(), &(run.replace("OUT", &null) + force)).expect(0, &[]);
        }
        tropix(folder.path(), &(run.replace("OUT", &full) + " --force")).expect(74, &[&full, "space"]);
        assert!(is_link(&null) && is_link(&full), "{run}");
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
    assert_eq!(files(folder.path()).len(), 18, "nothing else is left");
}

#[cfg(unix)]
#[test]
fn a_device_by_its_own_name_is_written_into_whatever_its_ending() {
    let folder = tempfile::tempdir().unwrap();
    // A device of its own where the user may make one: the tests of a broken program should not cost the system's.
    let made = std::process::Command::new("mknod").args(["null", "c", "1", "3"]).current_dir(folder.path()).output();
    if !made.is_ok_and(|made| made.status.success()) {
        return;
    }
    for (run, _) in writers() {
        tropix(folder.path(), &(run.replace("OUT", "null") + " --force")).expect(0, &[]);
        assert!(!fs::metadata(folder.path().join("null")).unwrap().is_file(), "{run}");
    }
    assert_eq!(files(folder.path()), ["null"]);
}

#[cfg(unix)]
#[test]
fn a_pipe_gets_the_bytes_that_a_file_would() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg("pipe").current_dir(folder.path()).status().unwrap();
    assert!(made.success());
    let pipe = folder.path().join("pipe");
    let reader = std::thread::spawn(move || fs::read(pipe).unwrap());
    tropix(folder.path(), "random-model 4,3,2 -o pipe").expect(0, &[]);
    tropix(folder.path(), "random-model 4,3,2 -o a.safetensors").expect(0, &[]);
    assert!(reader.join().unwrap() == fs::read(folder.path().join("a.safetensors")).unwrap());
}

#[cfg(unix)]
#[test]
fn a_linked_file_is_replaced_behind_its_link() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("store")).unwrap();
    fs::write(folder.path().join("store/a.safetensors"), "old").unwrap();
    std::os::unix::fs::symlink("store/a.safetensors", folder.path().join("a.safetensors")).unwrap();
    tropix(folder.path(), "random-model 4,3,2 -o a.safetensors").expect(73, &["exists"]);
    tropix(folder.path(), "random-model 4,3,2 -o a.safetensors --force").expect(0, &[]);
    assert!(fs::symlink_metadata(folder.path().join("a.safetensors")).unwrap().is_symlink());
    assert!(fs::read(folder.path().join("store/a.safetensors")).unwrap().len() > 100);
    assert_eq!(files(&folder.path().join("store")), ["a.safetensors"]);
}

#[cfg(unix)]
#[test]
fn a_full_standard_output_exits_74_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in ["inspect", "inspect --json"] {
        let full = fs::OpenOptions::new().write(true).open(Path::new("/dev/full")).unwrap();
        let mut command = crate::program::program();
        command.current_dir(folder.path()).args(arguments.split(' ')).arg(model()).stdout(full);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{stderr}");
        assert!(stderr.contains("standard output: No space"), "{stderr}");
        assert_eq!(stderr.matches("No space").count(), 1, "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn what_the_command_prints_to_is_no_output() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("own.safetensors");
    let mut command = crate::program::program();
    command.current_dir(folder.path()).args(["random-model", "4,3,2", "-o", "own.safetensors", "--force"]);
    let output = command.stdout(fs::File::create(&own).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(73), "{}", String::from_utf8_lossy(&output.stderr));
}
