//! Files that are not what they claim: refused with the name of file and tensor, at once, without the memory they claim.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tropix::Error;
use tropix::network::format;

use crate::files::{Entry, f32s, folder, load, put, ramp, refusal, safetensors, small, with_header};

/// A whole header for tensors `a` and `b` of four floats with these fields.
fn pair(a: &str, b: &str, data: usize) -> Vec<u8> {
    with_header(&format!("{{\"a.weight\":{{{a}}},\"b.weight\":{{{b}}}}}"), &vec![0; data])
}

fn entry(shape: &str, first: u64, end: u64) -> String {
    format!("\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[{first},{end}]")
}

#[test]
fn every_malformed_file_is_refused_by_name_and_in_milliseconds() {
    let sound = safetensors("", &small([]));
    let cut = sound.len() - 5;
    let not_a_number = |value: f32| {
        let mut values = ramp(6);
        values[4] = value;
        let entries: [Entry<'_>; 1] = [("fc.weight", "F32", &[2, 3], f32s(&values))];
        safetensors("", &entries)
    };
    let float = "\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]";
    #[rustfmt::skip]
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("truncated", sound[..cut].to_vec(), &["`fc1.bias`", "truncated", "68", "63"]),
        ("trailing bytes", [sound.clone(), vec![0; 3]].concat(), &["3 bytes after the last tensor"]),
        ("header of 2^63 bytes", [&(1_u64 << 63).to_le_bytes()[..], b"{}"].concat(), &["9223372036854775808"]),
        ("header of 200 MB", [&200_000_000_u64.to_le_bytes()[..], b"{}"].concat(), &["200000000"]),
        ("header longer than the file", [&500_u64.to_le_bytes()[..], b"{}"].concat(), &["truncated", "500", "2 follow"]),
        ("3-byte file", vec![1, 2, 3], &["3 bytes are too few"]),
        ("empty file", vec![], &["is empty"]),
        ("hole", pair(&entry("[4]", 0, 16), &entry("[4]", 20, 36), 36), &["`b.weight`", "hole of 4 bytes"]),
        ("overlap", pair(&entry("[4]", 0, 16), &entry("[4]", 12, 28), 28), &["`b.weight`", "overlaps", "12", "16"]),
        ("reversed offsets", pair(&entry("[4]", 16, 0), &entry("[4]", 0, 16), 16), &["`a.weight`", "[16, 0]", "reversed"]),
        ("shape overflow", pair(&entry("[4294967296,4294967296]", 0, 16), &entry("[4]", 16, 32), 32),
            &["`a.weight`", "overflows"]),
        ("an axis beyond 64 bits", pair(&entry("[99999999999999999999]", 0, 16), &entry("[4]", 16, 32), 32), &["`a.weight`"]),
        ("a negative axis", pair(&entry("[-4]", 0, 16), &entry("[4]", 16, 32), 32), &["`a.weight`"]),
        ("shape not matching bytes", pair(&entry("[5]", 0, 16), &entry("[4]", 16, 32), 32),
            &["`a.weight`", "[5]", "20", "16"]),
        ("huge shape", pair(&entry("[1000000000000]", 0, 4_000_000_000_000), &entry("[4]", 0, 16), 16),
            &["`a.weight`", "overlaps"]),
        ("huge shape alone", with_header(&format!("{{\"a\":{{{}}}}}", entry("[1000000000000]", 0, 4_000_000_000_000)), &[0; 16]),
            &["`a`", "truncated", "4000000000000"]),
        ("unknown dtype", with_header("{\"a.weight\":{\"dtype\":\"F31\",\"shape\":[4],\"data_offsets\":[0,16]}}", &[0; 16]),
            &["`a.weight`", "`F31`"]),
        ("not JSON", with_header("tensors!", &[0; 16]), &["header", "line 1"]),
        ("not UTF-8", [&8_u64.to_le_bytes()[..], &[0xff; 8]].concat(), &["UTF-8"]),
        ("JSON of another kind", with_header("[1,2,3]", &[]), &["a JSON object of tensors"]),
        ("missing field", with_header("{\"a\":{\"dtype\":\"F32\",\"shape\":[4]}}", &[0; 16]), &["`a`", "data_offsets"]),
        ("NaN", not_a_number(f32::NAN), &["`fc.weight`", "1 values", "index 4"]),
        ("infinity", not_a_number(f32::NEG_INFINITY), &["`fc.weight`", "index 4"]),
        ("empty weights", pair(&entry("[4]", 0, 16), &entry("[0,4]", 16, 16), 16), &["`b.weight`", "is empty", "[0, 4]"]),
        ("duplicate keys", with_header(&format!("{{\"a\":{{{float}}},\"a\":{{{float}}}}}"), &[0; 16]), &["`a` occurs twice"]),
        ("duplicate field", with_header(&format!("{{\"a\":{{{float},\"dtype\":\"F32\"}}}}"), &[0; 16]), &["`a`", "duplicate"]),
        ("duplicate metadata", safetensors("{\"k\":\"1\",\"k\":\"2\"}", &small([])), &["__metadata__", "`k`"]),
        ("no tensors", with_header("{}", &[]), &["no linear layer"]),
        ("integer weights", safetensors("", &[("fc.weight", "I8", &[2, 2], vec![1; 4])]), &["`fc.weight`", "I8"]),
        ("8-bit float weights", safetensors("", &[("fc.weight", "F8_E4M3", &[2, 2], vec![1; 4])]), &["`fc.weight`", "F8_E4M3"]),
    ];
    for (case, bytes, parts) in cases {
        let folder = folder();
        let path = put(&folder, "model.safetensors", bytes);
        let start = Instant::now();
        let error = load(&path).expect_err(case);
        let taken = start.elapsed();
        let text = error.to_string();
        assert!(taken < Duration::from_millis(200), "{case}: {taken:?}");
        for part in parts.iter().chain(&["model.safetensors"]) {
            assert!(text.contains(part), "{case}: no {part:?} in {text:?}");
        }
        assert!(
            matches!(error, Error::Format { .. } | Error::NonFinite { .. } | Error::Chain { .. }),
            "{case}: {error:?}"
        );
        exits_65(&path, parts, case);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{case}");
    }
}

/// The program refuses the file with the same words and writes nothing.
fn exits_65(path: &Path, parts: &[&str], case: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tropix"));
    let folder = path.parent().unwrap();
    command.args(["prune", "model.safetensors", "-o", "out.safetensors", "--rate", "0.5", "--device", "cpu"]);
    let output = command.env("TROPIX_CACHE", "").current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{case}: {said}");
    assert!(parts.iter().all(|part| said.contains(part)), "{case}: {said}");
}

#[test]
fn the_sound_file_of_these_tests_is_accepted() {
    let folder = folder();
    let model = load(&put(&folder, "model.safetensors", safetensors("{\"k\":\"v\"}", &small([])))).unwrap();
    assert_eq!(model.network.nodes.len(), 3);
    assert_eq!(model.metadata["k"], "v");
}

#[test]
fn a_missing_tensor_comes_with_the_nearest_names() {
    let folder = folder();
    let model = put(&folder, "model.safetensors", safetensors("", &small([])));
    let text = "version = 1\nlayer = [{ name = \"a\", op = \"linear\", weight = \"fc1.weigth\" }]";
    let arch = put(&folder, "arch.toml", text);
    let error = format::load(&model, Some(&arch)).unwrap_err();
    let Error::TensorMissing { name, nearest, .. } = &error else { panic!("{error:?}") };
    assert_eq!(name, "fc1.weigth");
    assert_eq!(nearest[0], "`fc1.weight`");
    assert!(error.to_string().contains("model.safetensors"));
}

#[test]
fn values_that_are_not_finite_are_counted_from_the_first() {
    let mut values = ramp(200_000);
    for at in [70_001, 70_002, 199_999] {
        values[at] = f32::INFINITY;
    }
    let text = refusal(safetensors("", &[("fc.weight", "F32", &[2, 100_000], f32s(&values))]));
    assert!(text.contains("3 values") && text.contains("index 70001"), "{text}");
}

#[test]
fn a_double_beyond_single_precision_is_not_finite() {
    let bytes = [1.0_f64, 1e300].iter().flat_map(|value| value.to_le_bytes()).collect();
    let text = refusal(safetensors("", &[("fc.weight", "F64", &[1, 2], bytes)]));
    assert!(text.contains("`fc.weight`") && text.contains("index 1"), "{text}");
}

#[test]
fn an_input_that_is_not_there_or_is_a_folder_is_named() {
    let folder = folder();
    let absent = load(&folder.path().join("no.safetensors")).unwrap_err();
    assert!(matches!(&absent, Error::InputMissing { file } if file.ends_with("no.safetensors")), "{absent:?}");
    let error = load(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is a folder"), "{error}");
}

#[test]
fn pickles_are_not_opened_but_explained() {
    let folder = folder();
    for name in ["model.pt", "model.PTH", "pytorch_model.bin"] {
        let text = load(&put(&folder, name, b"PK\x03\x04")).unwrap_err().to_string();
        assert!(text.contains(name) && text.contains("pickle"), "{text}");
        assert_eq!(text.lines().skip(1).count(), 3, "{text}");
        assert!(text.contains("weights_only=True"), "{text}");
    }
    let text = load(&put(&folder, "model.onnx", b"\x08")).unwrap_err().to_string();
    assert!(text.contains("is no ONNX model, or truncated"), "{text}");
    assert!(matches!(load(&folder.path().join("no.pt")), Err(Error::InputMissing { .. })));
}
