//! Texts with brackets within brackets end at once, whatever parser they are for.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::program::{asset, data, tropix};

/// A `NumPy` archive with one array `x` of four numbers, whose header holds `description`.
fn archive(description: &str) -> Vec<u8> {
    let header = format!("{{'descr': {description}, 'fortran_order': False, 'shape': (4, 1)}}\n");
    let mut array = b"\x93NUMPY\x02\x00".to_vec();
    array.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
    array.extend(header.as_bytes());
    array.extend([0; 16]);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("x.npy", options).unwrap();
    archive.write_all(&array).unwrap();
    archive.finish().unwrap().into_inner()
}

#[test]
fn deeply_nested_texts_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    let model = asset("models/mlp-digits.safetensors");
    let deep = |open: &str, n: usize| open.repeat(n);
    write("arch.toml", format!("version = 1\ninput = {}", deep("[", 200_000)).as_bytes());
    write("tables.toml", format!("version = 1\ninput = {}", deep("{a=", 200_000)).as_bytes());
    write("points.json", deep("[", 200_000).as_bytes());
    write("index.safetensors.index.json", deep("{\"a\":", 200_000).as_bytes());
    let header = format!("{{\"__metadata__\":{}", deep("[", 1000));
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    write("header.safetensors", &file);
    // Time for these doubled with every bracket.
    write("lists.npz", &archive(&format!("{}1{}", deep("[", 24), deep("]", 24))));
    write("maps.npz", &archive(&format!("{}1{}", deep("{1:", 24), deep("}", 24))));
    let start = Instant::now();
    for (arguments, code, parts) in [
        (format!("inspect {model} --arch arch.toml"), 65, ["arch.toml", "line 2: more than 64 brackets"]),
        (format!("inspect {model} --arch tables.toml"), 65, ["tables.toml", "more than 64 brackets"]),
        ("hausdorff points.json points.json".to_owned(), 65, ["points.json", "more than 64 brackets"]),
        (format!("zonotope {}", deep("[", 1000)), 2, ["`zonotope`", "more than 64 brackets"]),
        (format!("polynomial {}", deep("(", 1000)), 2, ["column 202", "more than 200 open"]),
        ("inspect index.safetensors.index.json".to_owned(), 65, ["index.json", "more than 64 brackets"]),
        ("inspect header.safetensors".to_owned(), 65, ["header.safetensors", "more than 64 brackets"]),
        (
            format!("evaluate {model} --data lists.npz"),
            65,
            ["lists.npz: array `x`: its elements are records", "not numbers"],
        ),
        (format!("evaluate {model} --data maps.npz"), 65, ["maps.npz: array `x`", "error"]),
    ] {
        tropix(folder.path(), &format!("{arguments} --device cpu")).expect(code, &parts);
    }
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

/// What is nested as far as real files are is read as before.
#[test]
fn ordinary_nesting_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.npz"), archive("'<f4'")).unwrap();
    // Four samples of one number do not fit; the header was read.
    let model = asset("models/mlp-mnist.safetensors");
    let run = tropix(folder.path(), &format!("evaluate {model} --data x.npz --device cpu"));
    assert!(!run.stderr.contains("brackets"), "{}", run.stderr);
    tropix(folder.path(), &format!("evaluate {model} --data {} --device cpu", data())).expect(0, &[]);
}
