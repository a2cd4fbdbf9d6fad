//! Every command block of the README runs, and the tables it shows are what the program prints.

use std::path::Path;
use std::process::Command;

/// The console blocks of the README, as lines.
fn blocks() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut blocks = Vec::new();
    let mut block: Option<Vec<String>> = None;
    for line in text.lines() {
        match (&mut block, line) {
            (None, "```console") => block = Some(Vec::new()),
            (Some(_), "```") => blocks.extend(block.take()),
            (Some(lines), line) => lines.push(line.to_owned()),
            _ => {}
        }
    }
    blocks
}

/// Takes out what changes from machine to machine: seconds, memory and the processor.
fn stable(line: &str) -> Option<String> {
    let changing = [" s, ", "peak memory", " on "];
    (!changing.iter().any(|mark| line.contains(mark))).then(|| line.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn every_command_block_runs_and_prints_what_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut run, mut shown) = (0, 0);
    for block in blocks() {
        let mut stdout = String::new();
        for line in &block {
            let Some(command) = line.strip_prefix("$ ") else {
                let Some(line) = stable(line) else { continue };
                shown += 1;
                let found = stdout.lines().filter_map(stable).any(|printed| printed == line);
                assert!(found, "the README shows `{line}`, the program prints\n{stdout}");
                continue;
            };
            // The tests themselves cannot run inside a test.
            if command.starts_with("./tests/run") {
                continue;
            }
            let command = command.strip_prefix("cargo run --release -- ").or_else(|| command.strip_prefix("tropix "));
            let Some(command) = command else { panic!("a block may only run tropix: {line}") };
            let arguments = command.split_whitespace().map(|word| {
                if word.starts_with("assets/") { root.join(word).display().to_string() } else { word.to_owned() }
            });
            let output = Command::new(env!("CARGO_BIN_EXE_tropix"))
                .args(arguments)
                .current_dir(folder.path())
                .env("TROPIX_QUIET", "true")
                .env("TROPIX_CACHE", "")
                .output()
                .unwrap();
            assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
            stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            run += 1;
        }
    }
    assert!(run >= 5 && shown >= 8, "{run} commands, {shown} lines: the README has to be found and read");
}
