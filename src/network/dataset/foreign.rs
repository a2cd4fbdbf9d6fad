//! Files of other kinds: what they are, and the way out.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::npy;

/// How a file begins, and what it is.
const MAGIC: [(&[u8], &str); 9] = [
    (npy::MAGIC, NPY),
    (b"PK\x03\x04", "is a zip archive; if `numpy.savez` wrote it, name it `NAME.npz`"),
    (b"\x80\x02", PICKLE),
    (b"\x89PNG", IMAGE),
    (b"\xff\xd8\xff", IMAGE),
    (b"\x89HDF", "is HDF5; write its arrays with `numpy.savez(\"data.npz\", x=.., y=..)`"),
    (b"PAR1", "is Parquet; write its columns with `numpy.savez(\"data.npz\", x=.., y=..)`"),
    (b"\x00\x00\x08", "is an IDX file; name its folder, which holds images and labels, as `mnist:DIR`"),
    (b"\x1f\x8b", "is compressed with gzip; unpack it, or name the folder of IDX files as `mnist:DIR`"),
];

const NPY: &str = "is one NumPy array; data are samples with their labels: write both as `x` and `y` of an .npz with \
                   `numpy.savez(\"data.npz\", x=samples, y=labels)`";
const PICKLE: &str = "is a pickle, which can run programs when it is opened, so tropix does not; write its arrays with \
                      `numpy.savez(\"data.npz\", x=.., y=..)`";
const IMAGE: &str = "is one image; data are arrays of samples, as `numpy.savez(\"data.npz\", x=.., y=..)` writes them";

/// What a file is that holds no data in a format of [`super::load`], if it can be told.
pub(super) fn problem(path: &Path) -> Option<&'static str> {
    if path.is_dir() {
        return Some("is a folder; `mnist:DIR`, `cifar10:DIR` and `cifar100:DIR` read the files in one");
    }
    let mut head = Vec::new();
    File::open(path).ok()?.take(9).read_to_end(&mut head).ok()?;
    // After the length of its header a safetensors file goes on like this, whatever the length is.
    if head.get(8) == Some(&b'{') {
        return None;
    }
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("npz") => return None,
        Some("pt" | "pth" | "pkl" | "pickle") => return Some(PICKLE),
        Some("onnx") => return Some("is a model; data are a file of their own"),
        Some("csv" | "tsv" | "txt") => {
            return Some(
                "is a table of text; write it with `numpy.savez(\"data.npz\", x=numpy.loadtxt(..), y=labels)`",
            );
        }
        _ => {}
    }
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, problem)| *problem)
}
