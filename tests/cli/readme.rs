//! Every command block of the README and of the pages in `assets` runs through bash as it is printed, and prints what it shows.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::program::program;

/// Stands in a block for lines that are left out.
const CUT: &str = "...";

/// By how many points an accuracy may differ from the printed one: kernels of another processor round otherwise, and a fit passes
/// that on.
const POINTS: f64 = 0.6;

/// By what share any other number with decimals may differ, for the same reason.
const SHARE: f64 = 1e-3;

/// The console blocks of a page, as lines.
fn blocks(page: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(page).unwrap();
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
    let changing = [" s, ", " s; ", "peak memory", " on "];
    (!changing.iter().any(|mark| line.contains(mark))).then(|| line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a printed line is the shown one, shares in per cent within [`POINTS`], other numbers with decimals within [`SHARE`].
fn same(shown: &str, printed: &str) -> bool {
    let [shown, printed] = [shown, printed].map(|line| line.split(' ').collect::<Vec<_>>());
    let near = |at: usize| match (shown[at].parse::<f64>(), printed[at].parse::<f64>()) {
        (Ok(a), Ok(b)) if shown.get(at + 1) == Some(&"%") => (a - b).abs() <= POINTS,
        (Ok(a), Ok(b)) => shown[at].contains('.') && (a - b).abs() <= SHARE * a.abs(),
        _ => false,
    };
    shown.len() == printed.len() && (0..shown.len()).all(|at| shown[at] == printed[at] || near(at))
}

/// What is wrong with the lines shown under a command: they are those that it prints, all of them but where [`CUT`] stands.
fn fault(shown: &[String], printed: &str) -> Option<String> {
    let printed: Vec<String> = printed.lines().filter_map(stable).collect();
    let (mut at, mut cut) = (0, false);
    for line in shown {
        if line.trim() == CUT {
            cut = true;
            continue;
        }
        let Some(wanted) = stable(line) else { continue };
        let found = printed[at..].iter().position(|line| same(&wanted, line));
        match found {
            Some(0) => at += 1,
            Some(further) if cut => at += further + 1,
            Some(_) => return Some(format!("lines before `{line}` are left out without `{CUT}`")),
            None => return Some(format!("`{line}` is not printed")),
        }
        cut = false;
    }
    let left = printed[at..].iter().any(|line| !line.is_empty());
    (left && !cut).then(|| format!("lines at the end are left out without `{CUT}`"))
}

/// Runs the blocks of a page in a folder with `assets` and `tropix` in it; returns how many commands there were.
fn run(page: &Path) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_tropix"), programs.join("tropix")).unwrap();
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets"), folder.path().join("assets")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    // The environment of the program that tests run, for what bash runs.
    let settings: Vec<_> =
        program().get_envs().map(|(key, value)| (key.to_owned(), value.map(ToOwned::to_owned))).collect();
    let mut count = 0;
    for block in blocks(page) {
        let mut lines = block.iter().peekable();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("$ ") else { panic!("{}: `{line}` has no command", page.display()) };
            let mut shown = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                shown.push(line.clone());
            }
            let mut bash = Command::new("bash");
            bash.args(["-euo", "pipefail", "-c", command]).current_dir(folder.path());
            for (key, value) in &settings {
                match value {
                    Some(value) => bash.env(key, value),
                    None => bash.env_remove(key),
                };
            }
            let output = bash.env("PATH", &path).env("TROPIX_DEVICE", "cpu").output().unwrap();
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
            if let Some(fault) = fault(&shown, &stdout) {
                panic!("{}: {line}\n{fault}\n{stdout}", page.display());
            }
            count += 1;
        }
    }
    count
}

#[test]
fn every_command_block_of_the_readme_runs_and_prints_what_it_shows() {
    let count = run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    assert!(count >= 10, "{count} commands: the README has to be found and read");
}

#[test]
fn every_command_block_of_the_pages_runs_and_prints_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    for page in ["architecture", "certificates", "files", "geometry", "lottery", "methods", "training"] {
        let count = run(&root.join(format!("{page}.md")));
        assert!(count >= 2, "{page}: {count} commands");
    }
}

#[test]
fn lines_that_are_not_printed_or_left_out_in_silence_are_found() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let printed = "head\n a  98.00 %\nb 1,024\nc 0.2867 12\nload 0.1 s, end 0.2 s\nend\n";
    assert_eq!(fault(&shown("...\na 97.60 %\n...\nc 0.2866 12\n..."), printed), None);
    assert_eq!(fault(&shown("head\na 98.00 %\nb 1,024\nc 0.2867 12\nend"), printed), None);
    for wrong in [
        "a 98.00 %\n...",
        "...\na 98.00 %",
        "...\na 97.00 %\n...",
        "...\nb 1,025\n...",
        "...\nc 0.2877 12\n...",
        "...\nc 0.2867 13\n...",
        "...\nend\nhead",
        "",
    ] {
        assert!(fault(&shown(wrong), printed).is_some(), "{wrong}");
    }
}

#[test]
fn what_pages_link_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("assets")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|end| end == "md"));
    for page in pages.chain(["README.md", "CONTRIBUTING.md"].map(|name| root.join(name))) {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let found = file.is_empty() || file.contains("://") || page.parent().unwrap().join(file).exists();
            assert!(found, "{} links to {link}", page.display());
        }
    }
}
