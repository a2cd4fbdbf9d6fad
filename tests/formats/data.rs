//! Data sets: what is read, how it is scaled, what is refused.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use half::f16;
use tempfile::TempDir;
use tropix::backend::RowSource;
use tropix::network::Normalize;
use tropix::network::dataset::{self, DataOptions, Dataset};
use tropix::{Error, Result};

use crate::files::{Entry, f32s, folder, put, safetensors};
use crate::npz::{npy, npz};

pub(crate) fn load(path: &Path) -> Result<Dataset> {
    dataset::load(&path.to_string_lossy(), &DataOptions::default())
}

pub(crate) fn values(data: &Dataset) -> Vec<f32> {
    let [samples, width] = data.inputs.shape();
    let mut out = vec![0.0; samples * width];
    data.inputs.read_rows(0, &mut out).unwrap();
    // The same, row by row.
    let mut row = vec![0.0; width];
    for (i, expected) in out.chunks(width).enumerate() {
        data.inputs.read_rows(i, &mut row).unwrap();
        assert_eq!(row, expected);
    }
    out
}

fn bytes(count: u8) -> Vec<u8> {
    (0..count).collect()
}

#[test]
fn every_element_type_gives_the_same_samples_and_labels() {
    let integers = [3_i32, 0, 7, 1];
    let floats = [3.0_f32, 0.0, 7.0, 1.0];
    let kinds: [(&str, Vec<u8>); 6] = [
        ("U8", vec![3, 0, 7, 1]),
        ("I32", integers.iter().flat_map(|v| v.to_le_bytes()).collect()),
        ("I64", integers.iter().flat_map(|v| i64::from(*v).to_le_bytes()).collect()),
        ("F16", floats.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
        ("F32", f32s(&floats)),
        ("F64", floats.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect()),
    ];
    for (kind, raw) in kinds {
        for name in ["features", "points", "x"] {
            let folder = folder();
            let half = raw.len() / 2;
            let entries: [Entry<'_>; 2] =
                [(name, kind, &[2, 2], raw.clone()), ("labels", kind, &[2], raw[..half].to_vec())];
            let data = load(&put(&folder, "data.safetensors", safetensors("", &entries))).unwrap();
            assert_eq!(values(&data), floats, "{kind} {name}");
            assert_eq!(data.labels, Some(vec![3, 0]));
            assert_eq!((data.applied.as_str(), data.sample.as_slice()), ("values as they are", &[2_usize][..]));
        }
    }
}

#[test]
fn bytes_of_images_are_scaled_unless_network_or_user_say_otherwise() {
    let folder = folder();
    let entries: [Entry<'_>; 1] = [("images", "U8", &[1, 2, 1, 2], vec![0, 51, 102, 255])];
    let path = put(&folder, "data.safetensors", safetensors("", &entries));
    let network = Normalize { scale: 0.5, mean: vec![1.0, 2.0], std: vec![] };
    let cases: [(&str, DataOptions, [f64; 4], &str); 5] = [
        ("default", DataOptions::default(), [0.0, 0.2, 0.4, 1.0], "for bytes of images"),
        (
            "network",
            DataOptions { network: Some(network.clone()), ..DataOptions::default() },
            [-1.0, 24.5, 49.0, 125.5],
            "mean [1.0, 2.0] (of the network)",
        ),
        (
            "user before network, each for itself",
            DataOptions { scale: Some(1.0), std: vec![2.0], network: Some(network), ..DataOptions::default() },
            [-0.5, 25.0, 50.0, 126.5],
            "std [2.0] (given)",
        ),
        (
            "user's mean keeps the default scale",
            DataOptions { mean: vec![0.2], ..DataOptions::default() },
            [-0.2, 0.0, 0.2, 0.8],
            "mean [0.2] (given)",
        ),
        (
            "user's scale",
            DataOptions { scale: Some(0.0625), ..DataOptions::default() },
            [0.0, 3.1875, 6.375, 15.9375],
            "0.0625",
        ),
    ];
    for (case, options, expected, words) in cases {
        let data = dataset::load(&path.to_string_lossy(), &options).unwrap();
        for (value, expected) in values(&data).iter().zip(expected) {
            assert!((f64::from(*value) - expected).abs() < 1e-6, "{case}: {value} for {expected}");
        }
        assert!(data.applied.contains(words), "{case}: {}", data.applied);
    }
}

#[test]
fn long_rows_of_bytes_take_the_table_and_agree_with_short_ones() {
    let folder = folder();
    let raw: Vec<u8> = (0..1200).map(|i| u8::try_from(i * 7 % 256).unwrap()).collect();
    let entries: [Entry<'_>; 1] = [("images", "U8", &[1, 3, 20, 20], raw.clone())];
    let options = DataOptions { mean: vec![0.5, 0.25, 0.125], std: vec![2.0], ..DataOptions::default() };
    let long = put(&folder, "long.safetensors", safetensors("", &entries));
    let long = values(&dataset::load(&long.to_string_lossy(), &options).unwrap());
    for (at, (value, byte)) in long.iter().zip(&raw).enumerate() {
        let mean = [0.5, 0.25, 0.125][at / 400];
        let expected = (f64::from(*byte) / 255.0 - mean) / 2.0;
        assert!((f64::from(*value) - expected).abs() < 1e-7, "{at}: {value} for {expected}");
    }
}

#[test]
fn features_are_not_normalised_for_the_network() {
    let folder = folder();
    let path = put(&folder, "data.safetensors", safetensors("", &[("features", "F32", &[1, 2], f32s(&[1.0, 2.0]))]));
    let network = Some(Normalize { scale: 0.5, mean: vec![], std: vec![] });
    let data = dataset::load(&path.to_string_lossy(), &DataOptions { network, ..DataOptions::default() }).unwrap();
    assert_eq!(values(&data), [1.0, 2.0]);
    assert_eq!(data.labels, None);
}

fn idx(magic: u32, axes: &[u32], data: &[u8]) -> Vec<u8> {
    let words: Vec<u8> = std::iter::once(&magic).chain(axes).flat_map(|word| word.to_be_bytes()).collect();
    [words, data.to_vec()].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn mnist(folder: &TempDir, images: &[u8], labels: &[u8]) -> Result<Dataset> {
    put(folder, "t10k-images-idx3-ubyte", images);
    put(folder, "t10k-labels-idx1-ubyte.gz", gzip(labels));
    dataset::load(&format!("mnist:{}", folder.path().display()), &DataOptions::default())
}

#[test]
fn mnist_is_read_plain_and_compressed() {
    let folder = folder();
    let (images, labels) = (idx(0x803, &[2, 2, 3], &bytes(12)), idx(0x801, &[2], &[9, 4]));
    let data = mnist(&folder, &images, &labels).unwrap();
    assert_eq!(data.sample, [1, 2, 3]);
    assert_eq!(data.labels, Some(vec![9, 4]));
    assert_eq!(data.paths.len(), 2);
    let expected: Vec<f32> = (0_u8..12).map(|v| f32::from(v) / 255.0).collect();
    assert_eq!(values(&data), expected);
    put(&folder, "train-images.idx3-ubyte", idx(0x803, &[1, 2, 3], &bytes(6)));
    put(&folder, "train-labels.idx1-ubyte", idx(0x801, &[1], &[7]));
    let spec = format!("mnist:{}:train", folder.path().display());
    assert_eq!(dataset::load(&spec, &DataOptions::default()).unwrap().labels, Some(vec![7]));
}

#[test]
fn damaged_idx_files_are_named_with_their_values() {
    let (images, labels) = (idx(0x803, &[2, 2, 3], &bytes(12)), idx(0x801, &[2], &[9, 4]));
    let cases: [(&str, Vec<u8>, Vec<u8>, &str); 8] = [
        ("truncated", images[..20].to_vec(), labels.clone(), "needs 12 bytes, there are 4"),
        ("truncated header", images[..9].to_vec(), labels.clone(), "truncated"),
        ("wrong magic", idx(0x801, &[2], &[1, 2]), labels.clone(), "0x00000801, expected 0x00000803"),
        ("trailing", [images.clone(), vec![0]].concat(), labels.clone(), "bytes follow the 12"),
        ("overflow", idx(0x803, &[u32::MAX; 3], &[]), labels.clone(), "overflows"),
        ("no images", idx(0x803, &[0, 2, 2], &[]), idx(0x801, &[0], &[]), "is empty"),
        ("huge claim", idx(0x803, &[u32::MAX, 28, 28], &[1]), labels, "there are 1"),
        ("labels of another count", images, idx(0x801, &[3], &[1, 2, 3]), "3 labels"),
    ];
    for (case, images, labels, part) in cases {
        let text = mnist(&folder(), &images, &labels).expect_err(case).to_string();
        assert!(text.contains(part) && text.contains("t10k"), "{case}: {text}");
    }
    let folder = folder();
    put(&folder, "t10k-images-idx3-ubyte", idx(0x803, &[1, 1, 1], &[0]));
    let spec = format!("mnist:{}", folder.path().display());
    let error = dataset::load(&spec, &DataOptions::default()).unwrap_err();
    assert!(matches!(error, Error::InputMissing { .. }), "{error:?}");
    put(&folder, "t10k-labels-idx1-ubyte.gz", b"not gzip at all");
    let text = dataset::load(&spec, &DataOptions::default()).unwrap_err().to_string();
    assert!(text.contains("gzip"), "{text}");
}

#[test]
fn cifar_records_are_split_into_labels_and_channels() {
    for (name, file, labels, class) in [("cifar10", "test_batch.bin", 1_usize, 9_u8), ("cifar100", "test.bin", 2, 99)] {
        let folder = folder();
        let record = |class: u8, pixel: u8| [vec![0; labels - 1], vec![class], vec![pixel; 3072]].concat();
        let whole = [record(class, 255), record(0, 51)].concat();
        let path = put(&folder, file, &whole);
        let spec = format!("{name}:{}", folder.path().display());
        let data = dataset::load(&spec, &DataOptions::default()).unwrap();
        assert_eq!(
            (data.labels.as_deref(), data.sample.as_slice()),
            (Some(&[u32::from(class), 0][..]), &[3, 32, 32][..])
        );
        let values = values(&data);
        assert_eq!((values[0], values[3071]), (1.0, 1.0));
        assert!((values[3072] - 0.2).abs() < 1e-7);
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let text = dataset::load(&spec, &DataOptions::default()).unwrap_err().to_string();
        assert!(text.contains(file) && text.contains("truncated"), "{text}");
        std::fs::write(&path, record(class + 1, 0)).unwrap();
        let text = dataset::load(&spec, &DataOptions::default()).unwrap_err().to_string();
        assert!(text.contains(&format!("label {} of record 0", class + 1)), "{text}");
    }
}

#[test]
fn one_hot_labels_are_classes_in_every_file() {
    for kind in ["U8", "I64", "F32", "BOOL"] {
        let bits = [0_u8, 0, 1, 1, 0, 0];
        let (descr, raw): (&str, Vec<u8>) = match kind {
            "I64" => ("<i8", bits.iter().flat_map(|v| i64::from(*v).to_le_bytes()).collect()),
            "F32" => ("<f4", bits.iter().flat_map(|v| f32::from(*v).to_le_bytes()).collect()),
            "U8" => ("|u1", bits.to_vec()),
            _ => ("|b1", bits.to_vec()),
        };
        let folder = folder();
        let entries: [Entry<'_>; 2] =
            [("x", "F32", &[2, 1], f32s(&[1.0, 2.0])), ("labels", kind, &[2, 3], raw.clone())];
        let data = load(&put(&folder, "data.safetensors", safetensors("", &entries))).unwrap();
        assert_eq!(data.labels, Some(vec![2, 0]), "{kind}");
        let arrays = [("x", npy("<f4", false, "2, 1", &f32s(&[1.0, 2.0]))), ("y", npy(descr, false, "2, 3", &raw))];
        assert_eq!(load(&npz(&folder, &arrays)).unwrap().labels, Some(vec![2, 0]), "{kind}");
    }
    let folder = folder();
    let arrays =
        [("x", npy("<f4", false, "2, 1", &f32s(&[1.0, 2.0]))), ("y", npy("|u1", false, "2, 2", &[0, 1, 1, 1]))];
    let text = load(&npz(&folder, &arrays)).unwrap_err().to_string();
    assert!(text.contains("`y` has shape [2, 2]") && text.contains("row 1 is none"), "{text}");
}

#[test]
fn bytes_of_images_mean_the_same_in_every_file() {
    // A pattern that all formats can hold: one sample, as CIFAR and IDX shape it.
    let expected = |raw: &[u8]| -> Vec<f32> { raw.iter().map(|v| f32::from(*v) / 255.0).collect() };
    let raw: Vec<u8> = (0..3072_u32).map(|i| u8::try_from(i * 7 % 256).unwrap()).collect();
    let close = |data: &Dataset, raw: &[u8], case: &str| {
        for (value, expected) in values(data).iter().zip(expected(raw)) {
            assert!((value - expected).abs() < 1e-6, "{case}: {value} for {expected}");
        }
        assert!(data.applied.contains("for bytes of images"), "{case}: {}", data.applied);
        assert!(data.warnings.is_empty(), "{case}: {:?}", data.warnings);
    };
    for name in ["images", "x"] {
        let folder = folder();
        let entries: [Entry<'_>; 1] = [(name, "U8", &[1, 3, 32, 32], raw.clone())];
        let data = load(&put(&folder, "data.safetensors", safetensors("", &entries))).unwrap();
        close(&data, &raw, name);
        close(&load(&npz(&folder, &[(name, npy("|u1", false, "1, 3, 32, 32", &raw))])).unwrap(), &raw, name);
        close(&load(&npz(&folder, &[(name, npy("|u1", false, "3, 32, 32", &raw))])).unwrap(), &raw, name);
    }
    let folder = folder();
    put(&folder, "test_batch.bin", [vec![3], raw.clone()].concat());
    let spec = format!("cifar10:{}", folder.path().display());
    close(&dataset::load(&spec, &DataOptions::default()).unwrap(), &raw, "cifar10");
    close(&mnist(&folder, &idx(0x803, &[3, 32, 32], &raw), &idx(0x801, &[3], &[0, 1, 2])).unwrap(), &raw, "mnist");
    // Bytes that are not in the shape of images and not called so are numbers.
    let vector = npz(&folder, &[("x", npy("|u1", false, "2, 3", &[1, 2, 3, 4, 5, 6]))]);
    assert_eq!(values(&load(&vector).unwrap()), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn a_range_that_does_not_fit_the_scale_warns() {
    let to_one = Normalize { scale: 1.0, mean: vec![0.5], std: vec![0.25] };
    let to_bytes = Normalize { scale: 1.0, mean: vec![123.0], std: vec![58.0] };
    let of_bytes = Normalize { scale: 1.0 / 255.0, mean: vec![0.5], std: vec![0.25] };
    let (bytes, ones, signed) = ([0.0, 17.5, 200.0, 255.0], [0.0, 0.25, 0.5, 1.0], [-2.0, -0.5, 0.5, 2.5]);
    type Case<'a> = (&'a str, &'a str, [f32; 4], Option<&'a Normalize>, Option<f64>, Option<&'a str>);
    let cases: [Case<'_>; 13] = [
        ("floats of bytes", "images", bytes, None, None, Some("`--scale 0.00392156862745098`")),
        ("floats of bytes as vectors", "x", [0.0, 17.0, 200.0, 255.0], None, None, Some("not scaled")),
        ("the network expects 0 to 1", "x", bytes, Some(&to_one), None, Some("not scaled")),
        ("the network expects bytes", "images", bytes, Some(&to_bytes), None, None),
        ("the network scales", "images", bytes, Some(&of_bytes), None, None),
        ("scaled twice", "images", ones, Some(&of_bytes), None, Some("`--scale 1`")),
        ("normalised twice", "images", signed, Some(&to_one), None, Some("`--mean 0 --std 1`")),
        ("0 to 1", "images", ones, None, None, None),
        ("0 to 1, normalised", "images", ones, Some(&to_one), None, None),
        ("numbers of any kind", "x", [0.0, 17.5, 1900.0, 255.0], None, None, None),
        ("the user says so", "images", bytes, None, Some(1.0), None),
        ("features", "features", bytes, None, None, None),
        ("points", "points", bytes, None, None, None),
    ];
    for (case, name, raw, network, scale, expected) in cases {
        let folder = folder();
        let shape: &[usize] = if name == "images" { &[1, 1, 2, 2] } else { &[2, 2] };
        let entries: [Entry<'_>; 1] = [(name, "F32", shape, f32s(&raw))];
        let path = put(&folder, "data.safetensors", safetensors("", &entries));
        let options = DataOptions { network: network.cloned(), scale, ..DataOptions::default() };
        let data = dataset::load(&path.to_string_lossy(), &options).unwrap();
        match expected {
            None => assert!(data.warnings.is_empty(), "{case}: {:?}", data.warnings),
            Some(words) => {
                assert_eq!(data.warnings.len(), 1, "{case}");
                let warning = &data.warnings[0];
                assert!(warning.contains(words) && warning.contains("data.safetensors"), "{case}: {warning}");
            }
        }
    }
}

#[test]
fn data_that_contradict_themselves_are_refused() {
    let points = |values: &[f32]| -> Entry<'static> { ("points", "F32", &[2, 1], f32s(values)) };
    let label = |bytes: Vec<u8>, shape: &'static [usize]| -> Entry<'static> { ("labels", "F32", shape, bytes) };
    let cases: [(&str, Vec<Entry<'_>>, &str); 7] = [
        ("counts", vec![points(&[1.0, 2.0]), label(f32s(&[0.0; 3]), &[3])], "2 samples, `labels` has 3"),
        ("a fraction", vec![points(&[1.0, 2.0]), label(f32s(&[0.0, 0.5]), &[2])], "label 0.5 at sample 1"),
        ("negative", vec![points(&[1.0, 2.0]), label(f32s(&[-1.0, 0.0]), &[2])], "label -1 at sample 0"),
        ("one-hot", vec![points(&[1.0, 2.0]), label(f32s(&[0.0; 4]), &[2, 2])], "`labels` has shape [2, 2]"),
        ("NaN", vec![points(&[1.0, f32::NAN])], "`points` has 1 values that are not finite, the first at index 1"),
        ("no samples", vec![label(f32s(&[0.0]), &[1])], "there is `labels`"),
        ("empty batch", vec![("points", "F32", &[0, 2], vec![])], "is empty"),
    ];
    for (case, entries, part) in cases {
        let folder = folder();
        let text = load(&put(&folder, "data.safetensors", safetensors("", &entries))).expect_err(case).to_string();
        assert!(text.contains(part) && text.contains("data.safetensors"), "{case}: {text}");
    }
}

#[test]
fn data_that_do_not_fit_the_network_are_refused_before_any_work() {
    let folder = folder();
    let entries: [Entry<'_>; 2] = [("points", "U8", &[3, 2], bytes(6)), ("labels", "U8", &[3], vec![1, 4, 5])];
    let data = load(&put(&folder, "data.safetensors", safetensors("", &entries))).unwrap();
    data.check_against(2, 6).unwrap();
    let wrong_width = data.check_against(784, 6).unwrap_err().to_string();
    assert!(wrong_width.contains("2 values") && wrong_width.contains("784"), "{wrong_width}");
    let wrong_label = data.check_against(2, 4).unwrap_err().to_string();
    assert!(wrong_label.contains("2 labels are not below 4, the first is 4 at sample 1"), "{wrong_label}");
}

#[test]
fn senseless_options_are_refused() {
    let folder = folder();
    let path = put(&folder, "data.safetensors", safetensors("", &[("points", "U8", &[3, 2], bytes(6))]));
    let options = [
        DataOptions { scale: Some(0.0), ..DataOptions::default() },
        DataOptions { scale: Some(f64::NAN), ..DataOptions::default() },
        DataOptions { std: vec![0.0], ..DataOptions::default() },
        DataOptions { mean: vec![1.0, 2.0, 3.0], ..DataOptions::default() },
    ];
    for options in options {
        let error = dataset::load(&path.to_string_lossy(), &options).unwrap_err();
        assert!(matches!(error, Error::Argument { .. } | Error::Data { .. }), "{error:?}");
    }
}

#[test]
fn the_data_and_models_of_the_assets_fit_each_other() {
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let pairs = [
        ("mlp-mnist", "mnist/mnist-test2000", [784, 10]),
        ("mlp-digits", "digits/digits-test500", [64, 10]),
        ("toy-moons-bias-2-40-2", "toys/toy-moons", [2, 2]),
    ];
    for (model, data, [inputs, classes]) in pairs {
        let model = crate::files::load(&assets.join(format!("models/{model}.safetensors"))).unwrap();
        let head = tropix::network::Head::of(&model.network).unwrap();
        assert_eq!((head.whole, head.inputs(), head.classes()), (true, inputs, classes));
        let data = load(&assets.join(format!("data/{data}.safetensors"))).unwrap();
        data.check_against(inputs, classes).unwrap();
    }
}
