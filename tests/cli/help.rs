//! Help, manual pages, completions and the list of methods.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{asset, files, program, tropix, write_model};

/// Lines and columns of a screen.
const SCREEN: (usize, usize) = (42, 100);

/// Headings in the order in which they stand.
const HEADINGS: [&str; 13] = [
    "Commands",
    "Arguments",
    "Target",
    "Method",
    "Data",
    "Inputs without data",
    "Fine-tuning",
    "Certificate",
    "Method `tropical`",
    "Run",
    "Output",
    "Global",
    "Examples",
];

/// What runs a command line in a folder of its own.
fn help(words: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    tropix(folder.path(), words).expect(0, &[]).stdout
}

/// The commands, the parts of `batch`, and those that are not listed.
fn commands() -> Vec<String> {
    let listed = |help: &str| -> Vec<String> {
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        lines
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .map(str::to_owned)
            .collect()
    };
    let parts = listed(&help("batch --help")).into_iter().map(|part| format!("batch {part}"));
    let unlisted = ["completions", "man"].map(str::to_owned);
    listed(&help("--help")).into_iter().chain(parts).chain(unlisted).collect()
}

#[test]
fn every_option_stands_under_a_heading_and_headings_come_in_one_order() {
    for command in commands() {
        let text = help(&format!("{command} --help"));
        let found: Vec<usize> = text
            .lines()
            .filter(|line| !line.starts_with(' ') && line.ends_with(':'))
            .map(|line| {
                let heading = line.trim_end_matches(':');
                HEADINGS.iter().position(|known| *known == heading).unwrap_or_else(|| panic!("{command}: {line}"))
            })
            .collect();
        assert!(found.is_sorted(), "{command}: {found:?}\n{text}");
        assert!(found.contains(&11), "{command}: no global options");
    }
}

#[test]
fn short_help_fits_on_a_screen_and_long_help_holds_all_of_it_with_examples() {
    let options = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| line.trim_start().starts_with('-'));
        lines
            .filter_map(|line| line.trim_start().split("  ").next())
            .flat_map(|line| line.split([' ', ',', '=', '[']).filter(|word| word.starts_with("--")).map(str::to_owned))
            .collect()
    };
    for command in commands() {
        let (short, long) = (help(&format!("{command} -h")), help(&format!("{command} --help")));
        assert!(short.lines().count() <= SCREEN.0, "{command}: {} lines\n{short}", short.lines().count());
        let wide = short.lines().find(|line| line.chars().count() > SCREEN.1);
        assert_eq!(wide, None, "{command}");
        assert!(options(&short).is_subset(&options(&long)), "{command}");
        let part = command.starts_with("batch ");
        assert!(part || long.contains("\n    tropix ") || long.contains("\n  tropix "), "{command} has no example");
    }
    let all = options(&help("prune --help"));
    assert!(all.len() > 60 && options(&help("prune -h")).len() < all.len() / 2);
}

/// The files that examples name.
fn examples_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |from: &str, to: &str| fs::copy(asset(from), folder.path().join(to)).unwrap();
    put("models/mlp-digits.safetensors", "model.safetensors");
    put("models/toy-moons-bias-2-40-2.safetensors", "plane.safetensors");
    for (name, rows) in [("points-a.csv", "0,0\n1,1\n"), ("points-b.csv", "0,1\n")] {
        fs::write(folder.path().join(name), rows).unwrap();
    }
    for (samples, name) in [(200_usize, "test.npz"), (100, "train.npz")] {
        let pixel = |at: usize| f32::from(u8::try_from(at * 7 % 17).unwrap()) / 16.0;
        let images =
            ndarray::Array2::from_shape_fn((samples, 64), |(row, column)| pixel(row * 31 + column * (row % 5 + 1)));
        let labels = ndarray::Array1::from_iter((0..samples).map(|row| i64::try_from(row % 10).unwrap()));
        let mut file = ndarray_npy::NpzWriter::new(fs::File::create(folder.path().join(name)).unwrap());
        file.add_array("x", &images).unwrap();
        file.add_array("y", &labels).unwrap();
        file.finish().unwrap();
    }
    let manifest = "[[job]]\ncommand = \"evaluate\"\nmodel = \"model.safetensors\"\ndata = \"test.npz\"\n";
    fs::write(folder.path().join("jobs.toml"), manifest).unwrap();
    tropix(folder.path(), "convert model.safetensors -o model.onnx").expect(0, &[]);
    tropix(folder.path(), "prune model.safetensors -o small.safetensors --keep 0.5 --device cpu").expect(0, &[]);
    tropix(folder.path(), "convert small.safetensors -o small.onnx").expect(0, &[]);
    folder
}

#[test]
fn examples_run_as_they_stand() {
    let folder = examples_folder();
    let programs = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tropix"), programs.path().join("tropix")).unwrap();
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut count = 0;
    for command in commands().iter().filter(|command| !command.starts_with("batch ")) {
        let text = help(&format!("{command} --help"));
        for line in text.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with("tropix "))
        {
            // Kernels are tuned for minutes, and on an adapter; completions go into folders of the reader's own.
            if line.contains("--tune") || line.contains("> ~/") {
                continue;
            }
            let mut bash = Command::new("bash");
            bash.envs(program().get_envs().filter_map(|(key, value)| Some((key, value?))));
            bash.args(["-euo", "pipefail", "-c", line]).current_dir(folder.path());
            let output = bash.env("PATH", &path).env("TROPIX_DEVICE", "cpu").output().unwrap();
            assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
            count += 1;
        }
    }
    assert!(count > 25, "{count} examples");
}

#[test]
fn methods_are_listed_with_what_they_need_and_every_name_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let report = tropix(folder.path(), "methods --json").expect(0, &[]).json();
    assert_eq!(report["schema"], "tropix.report/1");
    let methods = report["methods"].as_array().unwrap();
    assert!(methods.len() > 30);
    let text = tropix(folder.path(), "methods").expect(0, &[]).stdout;
    for method in methods {
        let name = method["name"].as_str().unwrap();
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        assert!(line.chars().count() <= 160, "{line}");
        for key in ["does", "when", "source"] {
            assert!(!method[key].as_str().unwrap().is_empty(), "{name}: {key}");
        }
        // A method that takes samples says so where there are none, every other one prunes.
        let target = if method["structured"] == Value::Bool(true) { "--keep 0.5" } else { "--rate 0.5" };
        let (model, needed) = (asset("models/mlp-digits.safetensors"), method["samples"] == "required");
        let ran = tropix(folder.path(), &format!("prune {model} --dry-run {target} --method {name} --device cpu"));
        match (needed, method["scope"].as_str().unwrap()) {
            (true, _) => drop(ran.expect(2, &["calib"])),
            (_, "graph") => drop(ran.expect(2, &["ONNX"])),
            // That of one output fits no classifier of ten.
            _ if name == "misiakos-zonotope" => assert_ne!(ran.code, 0),
            _ => drop(ran.expect(0, &[])),
        }
    }
}

#[test]
fn a_certificate_is_given_by_the_methods_that_promise_one() {
    let folder = tempfile::tempdir().unwrap();
    let model = asset("models/toy-moons-bias-2-40-2.safetensors");
    let report = tropix(folder.path(), "methods --json").expect(0, &[]).json();
    for method in report["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        if method["samples"] == "required" || method["scope"] == "graph" || name == "misiakos-zonotope" {
            continue;
        }
        let target = if method["structured"] == Value::Bool(true) { "--keep 0.5" } else { "--rate 0.5" };
        let line = format!("prune {model} --dry-run {target} --method {name} --radius 1 --device cpu --json");
        let ran = tropix(folder.path(), &line).expect(0, &[]).json();
        assert_eq!(ran["certificate"].is_object(), method["certificate"] == Value::Bool(true), "{name}");
    }
}

#[test]
fn completions_and_manual_pages_name_commands_options_and_methods() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = tropix(folder.path(), &format!("completions {shell}")).expect(0, &[]).stdout;
        // Scripts of the other two shells hold no values.
        let words = ["prune", "couple-trunk", "greedy-gaussian"];
        for word in &words[..if ["bash", "fish", "zsh"].contains(&shell) { 3 } else { 2 }] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    tropix(folder.path(), "completions bash --json").expect(2, &["--json", "has no effect"]);
    tropix(folder.path(), "completions tcsh").expect(2, &["tcsh", "bash"]);
    let ran = Command::new("bash").args(["-n", "-c"]).arg(help("completions bash")).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    let report = tropix(folder.path(), "man pages --json").expect(0, &[]).json();
    let names = files(&folder.path().join("pages"));
    assert_eq!(report["files"].as_array().unwrap().len(), names.len());
    for command in commands() {
        let name = format!("tropix-{}.1", command.replace(' ', "-"));
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let page = fs::read_to_string(folder.path().join("pages/tropix-prune.1")).unwrap();
    assert!(page.contains("target\\-params") && page.contains("FINE-TUNING"), "{page}");
    tropix(folder.path(), "man pages").expect(73, &["tropix.1", "--force"]);
    tropix(folder.path(), "man pages --force").expect(0, &[]);
    fs::write(folder.path().join("file"), "").unwrap();
    assert_ne!(tropix(folder.path(), "man file").code, 0);
}

#[test]
fn the_version_is_that_of_the_package_and_perhaps_a_commit() {
    let text = help("--version");
    let rest = text.strip_prefix(concat!("tropix ", env!("CARGO_PKG_VERSION"))).unwrap().trim();
    let hex = |commit: &str| commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    assert!(rest.is_empty() || commit.is_some_and(|commit| hex(commit.trim_end_matches(", modified"))), "{text}");
    assert_eq!(help("-V"), text);
    assert_eq!(help("prune -V").trim_start_matches("tropix-prune"), text.trim_start_matches("tropix"));
}

#[test]
fn a_model_of_one_output_takes_the_method_that_is_made_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let weights = |count: u8| (0..count).map(|at| f32::from(at % 5) - 2.0).collect::<Vec<f32>>();
    let tensors: [(&str, &[usize], Vec<f32>); 2] =
        [("a.weight", &[6, 3], weights(18)), ("b.weight", &[1, 6], weights(6))];
    write_model(&folder.path().join("one.safetensors"), &tensors);
    let line = "prune one.safetensors --dry-run --keep 0.5 --method misiakos-zonotope --device cpu";
    tropix(Path::new(folder.path()), line).expect(0, &[]);
}
