//! `--report`: results as pages for a browser.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::batch::inputs;
use crate::program::{asset, files, program, tropix, write_model};

/// Elements that load or run something.
const ACTIVE: [&str; 12] =
    ["script", "link", "base", "iframe", "object", "embed", "img", "image", "form", "audio", "video", "use"];

/// The name of space for pictures, which no browser opens.
const SVG: &str = "http://www.w3.org/2000/svg";

/// What is wrong with text between tags or quotes: an ampersand that begins no escape.
fn loose(text: &str) -> Option<String> {
    let escapes = ["amp;", "lt;", "gt;", "quot;"];
    let mut parts = text.split('&').skip(1);
    parts
        .find(|rest| !escapes.iter().any(|escape| rest.starts_with(escape)))
        .map(|rest| format!("loose & before {rest}"))
}

/// What is wrong with the attributes of a tag.
fn attributes(tag: &str, ids: &mut BTreeSet<String>) -> Option<String> {
    let mut rest = tag.trim_start_matches(|c: char| c.is_ascii_alphanumeric()).trim_end_matches('/').trim();
    let mut seen = BTreeSet::new();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once("=\"") else { return Some(format!("`{rest}` has no value")) };
        let Some((value, after)) = after.split_once('"') else { return Some(format!("`{name}` is not closed")) };
        let name = name.trim();
        if name.contains([' ', '"', '\'', '<', '&']) || !seen.insert(name.to_owned()) {
            return Some(format!("attribute `{name}` twice or of no name"));
        }
        if name.starts_with("on") || (value.contains("//") && (name != "xmlns" || value != SVG)) {
            return Some(format!("`{name}` is {value}"));
        }
        if ["href", "src", "xlink:href", "srcset"].contains(&name) && !value.starts_with('#') {
            return Some(format!("`{name}` leads out of the page"));
        }
        if name == "id" && !ids.insert(value.to_owned()) {
            return Some(format!("two elements have the id {value}"));
        }
        if let Some(fault) = loose(value) {
            return Some(fault);
        }
        rest = after.trim_start();
    }
    None
}

/// What is wrong with a page: each element is closed where it ends, ids are there once, nothing is loaded and nothing runs.
fn fault(page: &str) -> Option<String> {
    let Some(mut rest) = page.strip_prefix("<!DOCTYPE html>\n") else { return Some("no doctype".to_owned()) };
    let (mut open, mut ids) = (Vec::new(), BTreeSet::new());
    while let Some((text, after)) = rest.split_once('<') {
        if text.contains('>') {
            return Some(format!("loose > in {text}"));
        }
        if let Some(fault) = loose(text) {
            return Some(fault);
        }
        let Some((tag, after)) = after.split_once('>') else { return Some("a tag is not closed".to_owned()) };
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name.to_owned()) {
                return Some(format!("`{name}` ends where another element is open"));
            }
            continue;
        }
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        if name.is_empty() || ACTIVE.contains(&name.as_str()) {
            return Some(format!("<{tag}>"));
        }
        if let Some(fault) = attributes(tag, &mut ids) {
            return Some(format!("<{tag}>: {fault}"));
        }
        if name == "style" {
            let Some((style, after)) = rest.split_once("</style>") else {
                return Some("a style that never ends".to_owned());
            };
            if ["url(", "@import", "//", "<"].iter().any(|outside| style.contains(outside)) {
                return Some("a style that loads something".to_owned());
            }
            rest = after;
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    (!open.is_empty()).then(|| format!("{open:?} are left open"))
}

fn plain(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The report that a page ends with.
fn report_of(page: &str) -> Value {
    let (_, rest) = page.split_once("<pre>").unwrap();
    serde_json::from_str(&plain(rest.split_once("</pre>").unwrap().0)).unwrap()
}

/// What a page says before its JSON, where lines may end anywhere.
fn said(page: &str) -> String {
    page.split_once("<details>").unwrap().0.replace('\u{a0}', " ")
}

/// Reads a page and fails if it is none.
#[track_caller]
fn read(file: &Path) -> String {
    let page = fs::read_to_string(file).unwrap();
    assert_eq!(fault(&page), None, "{}", file.display());
    assert_eq!(page.matches("<h1>").count(), 1);
    page
}

/// How a number of a report stands on a page.
#[derive(Clone, Copy)]
enum Form {
    /// In per cent with two decimals.
    Percent,
    /// Without its unit.
    Points,
    /// Thousands apart.
    Grouped,
    Plain,
}

fn shown(value: &Value, form: Form) -> String {
    match form {
        Form::Percent => format!("{:.2} %", 100.0 * value.as_f64().unwrap()),
        Form::Points => format!(">{:.2}<", 100.0 * value.as_f64().unwrap()),
        Form::Grouped => {
            let digits = value.as_u64().unwrap().to_string();
            let from_right = digits.chars().rev().collect::<Vec<_>>();
            let groups: Vec<String> = from_right.chunks(3).map(|three| three.iter().rev().collect()).collect();
            groups.into_iter().rev().collect::<Vec<_>>().join(",")
        }
        Form::Plain => value.as_str().map_or_else(|| value.to_string(), escaped),
    }
}

/// Runs of every command that writes pages, and what of their reports stands there.
fn runs() -> Vec<(String, Vec<(&'static str, Form)>)> {
    use Form::{Grouped, Percent, Plain, Points};
    let (moons, points) = (asset("models/toy-moons-bias-2-40-2.safetensors"), asset("data/toys/toy-moons.safetensors"));
    let mobile = asset("models/mobile-mnist.onnx");
    let net = "net.safetensors";
    vec![
        (
            format!("prune {net} --keep 0.5 --data labelled.safetensors --dry-run"),
            vec![
                ("/parameters/before", Grouped),
                ("/parameters/after", Grouped),
                ("/accuracy/top1/0", Percent),
                ("/accuracy/top1/1", Percent),
                ("/accuracy/agreement", Percent),
                ("/layers/1/name", Plain),
                ("/method", Plain),
                ("/seed", Plain),
                ("/version", Plain),
                ("/device/name", Plain),
            ],
        ),
        (
            format!("prune {net} --rate 0.5 --data labelled.safetensors -o sparse.safetensors --verify"),
            vec![
                ("/weights/before", Grouped),
                ("/weights/after", Grouped),
                ("/accuracy/top1/1", Percent),
                ("/files/0", Plain),
            ],
        ),
        (
            format!("prune {mobile} --keep 0.5 --method l1 -o small.onnx"),
            vec![
                ("/parameters/before", Grouped),
                ("/parameters/after", Grouped),
                ("/spaces/11/name", Plain),
                ("/frozen/0/reason", Plain),
            ],
        ),
        (
            format!("sweep {net} --rates 0.5,0.9 --methods lamp,random --data labelled.safetensors"),
            vec![("/curves/0/points/0/top1", Points), ("/curves/1/auc", Points), ("/accuracy/top1/0", Percent)],
        ),
        (
            format!("sweep {net} --keep 0.5,0.25 --methods l1,path-l2 --refits none --data labelled.safetensors"),
            vec![
                ("/parameters", Grouped),
                ("/runs/0/parameters", Grouped),
                ("/runs/2/parameters", Grouped),
                ("/runs/0/file_bytes", Grouped),
            ],
        ),
        (
            format!("compare {net} other.safetensors --data labelled.safetensors --runs 1"),
            vec![
                ("/comparison/top1/0", Percent),
                ("/comparison/agreement", Percent),
                ("/file_bytes/after", Plain),
                ("/parameters/after", Plain),
            ],
        ),
        (
            format!("evaluate {net} --against other.safetensors --data labelled.safetensors --verify"),
            vec![("/accuracy/top1/1", Percent), ("/accuracy/agreement", Percent), ("/model/input", Plain)],
        ),
        (
            format!("certify {net} other.safetensors --data labelled.safetensors --bounds half --starts 3 --layer"),
            vec![
                ("/certificate/layers/0/name", Plain),
                ("/model/compressed", Plain),
                ("/certificate/outputs/0/bound", Plain),
            ],
        ),
        (
            format!("boundary {moons} --data {points}"),
            vec![
                ("/shares/0/share", Percent),
                ("/polytope/vertices", Plain),
                ("/polytope/patterns", Plain),
                ("/polytope/mixed_edges", Plain),
            ],
        ),
        (format!("boundary {net} --data data.safetensors --grid 20"), vec![("/shares/0/share", Percent)]),
        (
            format!("inspect {net}"),
            vec![("/blocks/0/producer", Plain), ("/blocks/0/units", Plain), ("/layers/2/name", Plain)],
        ),
        (
            format!("inspect {mobile}"),
            vec![("/spaces/0/writers/1", Plain), ("/spaces/11/units", Plain), ("/frozen/0/name", Plain)],
        ),
    ]
}

#[test]
fn pages_are_well_formed_and_hold_the_report() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    for (line, numbers) in runs() {
        let ran =
            tropix(folder.path(), &format!("{line} --device cpu --json --report page.html --force")).expect(0, &[]);
        let page = read(&folder.path().join("page.html"));
        let report = ran.json();
        assert_eq!(report_of(&page), report, "{line}");
        let text = said(&page);
        assert!(text.contains(&format!("<p class=\"command\">tropix {}</p>", report["command"].as_str().unwrap())));
        for (pointer, form) in numbers {
            let value = report.pointer(pointer).unwrap_or_else(|| panic!("{line}: {pointer} is not in {report}"));
            let wanted = shown(value, form);
            assert!(text.contains(&wanted), "{line}: {pointer} = {wanted} is not in {text}");
        }
        for (name, _) in report["timing"].as_object().into_iter().flatten() {
            assert!(text.contains(&format!("<th scope=\"row\">{name}</th>")), "{line}: {name}");
        }
        for warning in report["warnings"].as_array().unwrap() {
            let words = warning.as_str().unwrap().split('`').next().unwrap();
            assert!(text.contains(&escaped(words.get(1..).unwrap_or_default())), "{line}: {warning}");
        }
        let pictures = ["boundary", "sweep"].iter().any(|name| line.starts_with(name)) || line.contains(".onnx");
        assert_eq!(text.contains("<figure"), pictures, "{line}");
    }
}

#[test]
fn spaces_have_the_numbers_of_the_picture() {
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "prune {} --keep 0.5 --method l1 --dry-run --json --report page.html",
        asset("models/mobile-mnist.onnx")
    );
    let report = tropix(folder.path(), &line).expect(0, &[]).json();
    let page = read(&folder.path().join("page.html"));
    for (at, space) in report["spaces"].as_array().unwrap().iter().enumerate() {
        let name = space["name"].as_str().unwrap();
        let row = format!("<th scope=\"row\">{}</th><td>{}</td>", at + 1, escaped(name));
        assert!(page.contains(&row), "{row}");
        // The legend shows the end of a long name.
        let end: String = name.chars().skip(name.chars().count().saturating_sub(20)).collect();
        let legend = format!(">{}: {} units", at + 1, space["before"]);
        assert!(page.lines().any(|line| line.contains(&legend) && line.contains(&escaped(&end))), "{legend}");
    }
}

/// A name that would run, end a tag or an attribute, and be an escape.
const NAME: &str = "<script>alert(1)</script>&amp;\"'`x";

#[test]
fn names_from_files_are_text() {
    let folder = tempfile::tempdir().unwrap();
    let ramp = |n: usize| (0..n).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<f32>>();
    let names = ["1", "2", "3"].map(|number| format!("{NAME}{number}.weight"));
    let tensors: [(&str, &[usize], Vec<f32>); 3] =
        [(&names[0], &[6, 3], ramp(18)), (&names[1], &[5, 6], ramp(30)), (&names[2], &[2, 5], ramp(10))];
    write_model(&folder.path().join("a&<b>.safetensors"), &tensors);
    let data: [(&str, &[usize], Vec<f32>); 1] = [("x", &[20, 3], ramp(60))];
    write_model(&folder.path().join("data.safetensors"), &data);
    tropix(folder.path(), "convert a&<b>.safetensors -o a&<b>.onnx").expect(0, &[]);
    for line in [
        "prune a&<b>.safetensors --keep 0.5 --method l1 --dry-run",
        "prune a&<b>.safetensors --rate 0.5 --dry-run",
        "prune a&<b>.onnx --keep 0.5 --method l1 --no-trunk --dry-run",
        "inspect a&<b>.safetensors",
        "inspect a&<b>.onnx",
        "certify a&<b>.safetensors a&<b>.onnx --radius 1 --bounds half --starts 1",
    ] {
        tropix(folder.path(), &format!("{line} --device cpu --report page.html --force")).expect(0, &[]);
        let page = read(&folder.path().join("page.html"));
        assert!(!page.contains("<script") && !page.contains("<b>"), "{line}");
        let text = said(&page);
        assert!(text.contains("a&amp;&lt;b&gt;"), "{line}");
        assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&quot;'"), "{line}: {text}");
    }
    // What a shell would read as something else stands between quotes.
    let page = fs::read_to_string(folder.path().join("page.html")).unwrap();
    assert!(page.contains("<span>'a&amp;&lt;b&gt;.onnx'</span>"), "{page}");
}

#[test]
fn a_page_is_written_over_nothing_that_should_stay() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    let keep = "prune net.safetensors --keep 0.5 --device cpu";
    let ran = tropix(folder.path(), &format!("{keep} -o a.safetensors --report page.html")).expect(0, &[]);
    assert!(ran.stdout.contains("wrote a.safetensors\nwrote page.html\n"), "{}", ran.stdout);
    let before = fs::read(folder.path().join("page.html")).unwrap();

    // What is there is refused before any work, with `--force` replaced, and never an input.
    tropix(folder.path(), &format!("{keep} -o b.safetensors --report page.html")).expect(73, &["page.html", "--force"]);
    assert!(!folder.path().join("b.safetensors").exists());
    assert!(fs::read(folder.path().join("page.html")).unwrap() == before);
    tropix(folder.path(), &format!("{keep} --dry-run --seed 1 --report page.html --force")).expect(0, &[]);
    assert!(fs::read(folder.path().join("page.html")).unwrap() != before);
    for input in ["net.safetensors", "data.safetensors"] {
        let link = folder.path().join("input.html");
        std::os::unix::fs::symlink(input, &link).unwrap();
        let line = format!("{keep} --dry-run --data data.safetensors --report input.html --force");
        tropix(folder.path(), &line).expect(73, &["input.html", "is an input"]);
        fs::remove_file(link).unwrap();
    }
    std::os::unix::fs::symlink("labelled.safetensors", folder.path().join("calibration.html")).unwrap();
    let line = format!("{keep} --dry-run --calib labelled.safetensors --report calibration.html --force");
    tropix(folder.path(), &line).expect(73, &["calibration.html", "is an input"]);
    fs::remove_file(folder.path().join("calibration.html")).unwrap();

    // A run that fails leaves none.
    tropix(folder.path(), "evaluate net.safetensors --report none.html").expect(2, &["--data"]);
    tropix(folder.path(), &format!("{keep} --dry-run --report page.pdf")).expect(2, &["`--report`", ".html"]);
    let names = ["a", "data", "labelled", "net", "other"].map(|name| format!("{name}.safetensors"));
    let left = [&names[..], &["page.html".to_owned(), "points.csv".to_owned()]].concat();
    let mut left: Vec<String> = left.into_iter().collect();
    left.sort();
    assert_eq!(files(folder.path()), left);
}

#[test]
fn a_command_line_on_a_page_gives_the_run_again() {
    let folder = tempfile::tempdir().unwrap();
    inputs(folder.path());
    fs::rename(folder.path().join("net.safetensors"), folder.path().join("a net's.safetensors")).unwrap();
    let mut command = program();
    let words = [
        "prune",
        "a net's.safetensors",
        "--keep",
        "0.5",
        "--dry-run",
        "--device=cpu",
        "--report",
        "page.html",
        "--force",
    ];
    assert!(command.current_dir(folder.path()).args(words).output().unwrap().status.success());
    let page = read(&folder.path().join("page.html"));
    let line = page.split_once("<code class=\"words\">").unwrap().1.split_once("</code>").unwrap().0;
    let line = plain(&line.replace("<span>", "").replace("</span>", ""));
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", &format!("tropix() {{ '{}' \"$@\"; }}; {line}", env!("CARGO_BIN_EXE_tropix"))]);
    let output = bash.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&output.stderr));
    let without = |page: &str| {
        let mut report = report_of(page);
        let fields = report.as_object_mut().unwrap();
        for name in ["timing", "memory", "run"] {
            fields.remove(name);
        }
        report
    };
    assert_eq!(without(&page), without(&read(&folder.path().join("page.html"))));
}

#[test]
fn pages_that_are_broken_or_load_something_are_found() {
    let whole = "<!DOCTYPE html>\n<html lang=\"en\">\n<style>p{color:red}</style><p id=\"a\">1 &lt; 2</p>\n<meta charset=\"utf-8\"/></html>\n";
    assert_eq!(fault(whole), None);
    for (from, to) in [
        ("</p>", ""),
        ("</html>", ""),
        ("<p id", "<i><p id"),
        ("\"utf-8\"", "utf-8"),
        ("&lt;", "<"),
        ("&lt;", ">"),
        ("&lt;", "&nbsp;"),
        ("charset", "id=\"a\" charset"),
        ("id=\"a\"", "id=\"a\" id=\"b\""),
        ("id=\"a\"", "onclick=\"a\""),
        ("id=\"a\"", "title=\"http://a.b\""),
        ("id=\"a\"", "src=\"a.png\""),
        ("id=\"a\"", "title=\"a & b\""),
        ("color:red", "background:url(a.png)"),
        ("1 ", "<script>1</script>"),
        ("<!DOCTYPE html>", ""),
    ] {
        assert!(fault(&whole.replacen(from, to, 1)).is_some(), "{from} as {to}");
    }
}
