//! The readers, each with inputs that are right.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use tropix::batch::Manifest;
use tropix::geometry::text::{parse_json, parse_rows, points_of, zonotope_of};
use tropix::network::dataset::{DataOptions, load as load_data, load_moments};
use tropix::network::format::{emit_arch, load};

/// A reader.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) seeds: Vec<Vec<u8>>,
    /// Whether it takes an input; it may write into the folder.
    pub(crate) read: fn(&Path, &[u8]) -> bool,
}

fn asset(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(path)).unwrap()
}

fn file(folder: &Path, name: &str, input: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, input).unwrap();
    path
}

fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

pub(crate) fn targets() -> Vec<Target> {
    let toy = asset("models/toy-moons-bias-2-40-2.safetensors");
    let onnx = |name: &&str| asset(&format!("golden/onnx/{name}.onnx"));
    vec![
        Target {
            name: "safetensors",
            seeds: vec![toy.clone(), safetensors(&[("x.weight", &[2, 3]), ("x.bias", &[2]), ("y.weight", &[2, 2])])],
            read: |folder, input| load(&file(folder, "m.safetensors", input), None).is_ok(),
        },
        Target {
            name: "index",
            seeds: vec![
                br#"{"metadata":{"total_size":40},"weight_map":{"x.weight":"a.safetensors","x.bias":"a.safetensors","y.weight":"b.safetensors"}}"#.to_vec(),
            ],
            read: |folder, input| {
                file(folder, "a.safetensors", &safetensors(&[("x.weight", &[2, 3]), ("x.bias", &[2])]));
                file(folder, "b.safetensors", &safetensors(&[("y.weight", &[2, 2])]));
                load(&file(folder, "m.safetensors.index.json", input), None).is_ok()
            },
        },
        Target { name: "architecture", seeds: architectures(), read: |folder, input| {
            let plain = [("x.weight", &[2, 3][..]), ("x.bias", &[2]), ("y.weight", &[2, 2])];
            let model = file(folder, "plain.safetensors", &safetensors(&plain));
            load(&model, Some(&file(folder, "arch.toml", input))).is_ok()
        } },
        Target {
            name: "onnx",
            seeds: [
                "residual", "computed-shape", "duplicates-nchw", "matmul", "operators/pad_average_pool_ceil-22",
                "operators/batch_norm-11", "operators/softmax_inside-11", "operators/shape_slice_step-11",
                "operators/gate-11", "operators/gemm_factors-11", "operators/reduce_mean-22", "operators/concat-11",
                "spaces/taken", "spaces/quantized",
            ].iter().map(onnx).collect(),
            read: |folder, input| load(&file(folder, "m.onnx", input), None).is_ok(),
        },
        Target { name: "data", seeds: vec![safetensors(&[("x", &[4, 3])])], read: |folder, input| {
            load_data(&file(folder, "d.safetensors", input).display().to_string(), &DataOptions::default()).is_ok()
        } },
        Target { name: "moments", seeds: vec![safetensors(&[("mean", &[2]), ("covariance", &[2, 2])])], read: |folder, input| {
            load_moments(&file(folder, "moments.safetensors", input)).is_ok()
        } },
        Target { name: "npz", seeds: vec![npz(false), npz(true)], read: |folder, input| {
            load_data(&file(folder, "d.npz", input).display().to_string(), &DataOptions::default()).is_ok()
        } },
        Target { name: "idx", seeds: vec![idx()], read: |folder, input| {
            let mnist = folder.join("mnist");
            fs::create_dir_all(&mnist).unwrap();
            file(&mnist, "t10k-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2, 3, 4]);
            file(&mnist, "t10k-images-idx3-ubyte", input);
            load_data(&format!("mnist:{}", mnist.display()), &DataOptions::default()).is_ok()
        } },
        Target { name: "idx.gz", seeds: vec![zipped(&idx())], read: |folder, input| {
            let mnist = folder.join("zipped");
            fs::create_dir_all(&mnist).unwrap();
            file(&mnist, "t10k-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2, 3, 4]);
            file(&mnist, "t10k-images-idx3-ubyte.gz", input);
            load_data(&format!("mnist:{}", mnist.display()), &DataOptions::default()).is_ok()
        } },
        Target { name: "cifar", seeds: vec![[vec![7; 3073], vec![1; 3073]].concat()], read: |folder, input| {
            let cifar = folder.join("cifar");
            fs::create_dir_all(&cifar).unwrap();
            file(&cifar, "test_batch.bin", input);
            load_data(&format!("cifar10:{}", cifar.display()), &DataOptions::default()).is_ok()
        } },
        Target { name: "manifest.toml", seeds: vec![
            asset("jobs/digits.toml"),
            b"[defaults.prune]\nkeep = 0.5\n[[job]]\ncommand = \"prune\"\nlayer = [\"a=1\", \"b=2\"]\nmatrix = { seed = [1, 2], rate = [0.5] }\n".to_vec(),
        ], read: |folder, input| Manifest::read(&file(folder, "jobs.toml", input), 1_000).is_ok() },
        Target { name: "manifest.jsonl", seeds: vec![
            b"{\"command\":\"prune\",\"keep\":0.5,\"layer\":[\"a=1\",2]}\n{\"command\":\"doctor\",\"name\":\"x\",\"strict\":true}\n".to_vec(),
        ], read: |folder, input| Manifest::read(&file(folder, "jobs.jsonl", input), 1_000).is_ok() },
        Target { name: "polynomial", seeds: ["1x^2+2xy+0", "max(2*x+1, x+y+2, 0)", "(x+1)^3/(y+2)", "-max(-1, min(x, 2*y)) + 0.5"]
            .iter().map(|text| text.as_bytes().to_vec()).collect(),
            read: |_, input| tropix::tropical::parse(&text(input), None, None).is_ok() },
        Target { name: "csv", seeds: vec![b"# points\n0,0\n1.5,-2e3\n\n3;4\n".to_vec(), b"1 2 3\n4\t5 6\n".to_vec(), b"0,1\n2,3\n".to_vec()], read: |_, input| {
            parse_rows(&text(input)).is_ok_and(|rows| zonotope_of(&rows).is_ok() | points_of(&rows).is_ok())
        } },
        Target { name: "zonotope.json", seeds: vec![b"[[1,0],[0.5,2]]".to_vec(), b"{\"shift\":[0,1],\"generators\":[[1,2],[3,4]]}".to_vec()],
            read: |_, input| parse_json(&text(input)).is_ok() },
    ]
}

/// A file of F32 tensors.
fn safetensors(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let values =
        |shape: &[usize]| (0..shape.iter().product()).flat_map(|i: usize| (i as f32 * 0.5).to_le_bytes()).collect();
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, shape)| values(shape)).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (*name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

fn architectures() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let model = file(
        folder.path(),
        "m.safetensors",
        &safetensors(&[("x.weight", &[2, 3]), ("x.bias", &[2]), ("y.weight", &[2, 2])]),
    );
    vec![
        emit_arch(&load(&model, None).unwrap().network).into_bytes(),
        b"version = 1\ninput = [3]\nnormalize = { scale = 0.5, mean = [0.1], std = [2.0] }\nlayer = [\n  { name = \"x\", op = \"linear\", weight = \"x.weight\", bias = \"x.bias\" },\n  { name = \"r\", op = \"relu\", inputs = [\"x\"] },\n  { name = \"y\", op = \"linear\", weight = \"y.weight\" },\n]\n".to_vec(),
    ]
}

fn idx() -> Vec<u8> {
    [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2][..], &[9; 12]].concat()
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn npz(deflated: bool) -> Vec<u8> {
    let array = |descr: &str, shape: &str, bytes: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        let length = u16::try_from(header.len()).unwrap().to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), bytes].concat()
    };
    let method = if deflated { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, array) in [("x.npy", array("<f4", "(2, 3)", &[0; 24])), ("y.npy", array("|u1", "(2,)", &[0, 1]))] {
        archive.start_file(name, options).unwrap();
        archive.write_all(&array).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
