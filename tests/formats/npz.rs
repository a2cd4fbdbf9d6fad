//! Archives of arrays: what `numpy.savez` writes.

use std::io::Write;

use half::f16;
use ndarray::{Array1, Array2};
use ndarray_npy::NpzWriter;
use tempfile::TempDir;

use crate::data::{load, values};
use crate::files::{f32s, folder, put};

#[test]
fn npz_archives_are_read_plain_and_compressed() {
    let x = Array2::from_shape_vec((2, 3), vec![1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let y = Array1::from_vec(vec![1_i64, 0]);
    for compressed in [false, true] {
        let folder = folder();
        let path = folder.path().join("data.npz");
        let file = std::fs::File::create(&path).unwrap();
        let mut archive = if compressed { NpzWriter::new_with_options(file, deflated()) } else { NpzWriter::new(file) };
        // Fortran order as well: the values come out in the order of the rows.
        let turned = x.t().to_owned();
        archive.add_array("x", &turned.t()).unwrap();
        archive.add_array("y", &y).unwrap();
        archive.finish().unwrap();
        let data = load(&path).unwrap();
        assert_eq!(values(&data), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(data.labels, Some(vec![1, 0]));
    }
    let folder = folder();
    let text = load(&put(&folder, "data.npz", b"PK junk")).unwrap_err().to_string();
    assert!(text.contains("not a readable .npz"), "{text}");
    let path = folder.path().join("other.npz");
    let mut archive = NpzWriter::new(std::fs::File::create(&path).unwrap());
    archive.add_array("z", &y).unwrap();
    archive.finish().unwrap();
    let text = load(&path).unwrap_err().to_string();
    assert!(text.contains("expected one of `images`, `features`, `points`, `x`; there is `z`"), "{text}");
}

/// An array as `numpy.save` writes it.
pub(crate) fn npy(descr: &str, fortran: bool, shape: &str, elements: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), elements].concat()
}

pub(crate) fn npz(folder: &TempDir, arrays: &[(&str, Vec<u8>)]) -> std::path::PathBuf {
    let path = folder.path().join("data.npz");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), deflated()).unwrap();
        archive.write_all(array).unwrap();
    }
    archive.finish().unwrap();
    path
}

#[test]
fn npz_takes_the_names_and_element_types_that_safetensors_takes_and_big_endian_ones() {
    let floats = [3.0_f32, 0.0, 7.0, 1.0];
    let whole = [3_i16, 0, 7, 1];
    let cases: [(&str, Vec<u8>); 7] = [
        ("<f4", f32s(&floats)),
        (">f4", floats.iter().flat_map(|v| v.to_be_bytes()).collect()),
        (">f8", floats.iter().flat_map(|v| f64::from(*v).to_be_bytes()).collect()),
        (">f2", floats.iter().flat_map(|v| f16::from_f32(*v).to_be_bytes()).collect()),
        (">i2", whole.iter().flat_map(|v| v.to_be_bytes()).collect()),
        (">i8", whole.iter().flat_map(|v| i64::from(*v).to_be_bytes()).collect()),
        ("|u1", vec![3, 0, 7, 1]),
    ];
    for (descr, raw) in cases {
        for samples in ["features", "points", "x"] {
            for labels in ["labels", "y"] {
                let half = raw.len() / 2;
                let arrays =
                    [(samples, npy(descr, false, "2, 2", &raw)), (labels, npy(descr, false, "2,", &raw[..half]))];
                let data = load(&npz(&folder(), &arrays)).unwrap();
                assert_eq!((values(&data).as_slice(), data.labels), (&floats[..], Some(vec![3, 0])), "{descr}");
                assert_eq!(data.applied, "values as they are");
            }
        }
    }
    let turned = npy("<f4", true, "2, 3", &f32s(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    assert_eq!(values(&load(&npz(&folder(), &[("x", turned)])).unwrap()), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let bools = [("x", npy("|b1", false, "2, 2", &[0, 1, 1, 0])), ("y", npy("|b1", false, "2,", &[1, 0]))];
    let data = load(&npz(&folder(), &bools)).unwrap();
    assert_eq!((values(&data), data.labels), (vec![0.0, 1.0, 1.0, 0.0], Some(vec![1, 0])));
}

#[test]
fn damaged_npz_arrays_are_named_with_their_values() {
    let long = "(".repeat(100_000);
    let cases = [
        ("records", npy("", false, "2,", &[]).iter().map(|b| if *b == b'\'' { b'[' } else { *b }).collect(), "descr"),
        ("text", npy("<U3", false, "2,", &[]), "`<U3`"),
        ("truncated", npy("<f4", false, "2, 3", &[0; 8]), "needs 24 bytes, there are 8"),
        ("trailing", npy("<f4", false, "1, 1", &[0; 8]), "bytes follow the 4"),
        ("huge claim", npy("<f4", false, "1000000000000, 9", &[0; 8]), "there are 8"),
        ("overflow", npy("<f8", false, "9999999999999999999, 9", &[]), "shape"),
        ("nested", npy("<f8", false, &long[..60_000], &[]), "shape"),
        ("cut", npy("<f8", false, "2,", &[])[..20].to_vec(), "truncated"),
    ];
    for (case, array, part) in cases {
        let text = load(&npz(&folder(), &[("x", array)])).expect_err(case).to_string();
        assert!(text.contains(part) && text.contains("array `x`"), "{case}: {text}");
    }
}

fn deflated() -> zip::write::SimpleFileOptions {
    zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated)
}
