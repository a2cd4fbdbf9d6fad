//! What is read comes back: element types, metadata, shards, tensors that nobody uses.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use tropix::Error;
use tropix::network::format::{self, ModelFile};
use tropix::network::{ApplyOptions, Element, Head, LayerPlan, Mask, Network, Op, Plan, Tensor, apply};

use crate::files::{Entry, f32s, folder, load, put, ramp, safetensors, small};

fn save(model: &ModelFile, network: &Network, output: &Path) -> format::Saved {
    format::save(model, network, output, false, &BTreeMap::new()).unwrap()
}

/// The network with `weight` of its first linear layer replaced by what `change` makes of it.
fn changed(network: &Network, change: impl Fn(&Tensor) -> Tensor) -> Network {
    let mut network = network.clone();
    for node in &mut network.nodes {
        if let Op::Linear { weight, .. } = &mut node.op {
            *weight = change(weight);
            break;
        }
    }
    network
}

/// Name, element type, shape and bytes of each tensor, read by the `safetensors` crate.
fn contents(path: &Path) -> BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    tensors
        .into_iter()
        .map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect()
}

#[test]
fn a_model_saved_unchanged_keeps_every_tensor_and_the_metadata() {
    let folder = folder();
    let extra: [Entry<'_>; 3] = [
        ("position_ids", "I64", &[3], 7_i64.to_le_bytes().repeat(3)),
        ("mask", "BOOL", &[5], vec![1, 0, 1, 1, 0]),
        ("packed", "F4", &[2, 3], vec![0x12, 0x34, 0x56]),
    ];
    let input = put(&folder, "in.safetensors", safetensors("{\"author\":\"me \\\"and\\\" you\"}", &small(extra)));
    let model = load(&input).unwrap();
    let extra: Vec<&str> = model.network.extra.iter().map(Tensor::name).collect();
    assert_eq!(extra, ["position_ids", "mask", "packed"]);
    let output = folder.path().join("out.safetensors");
    let saved = save(&model, &model.network, &output);
    assert_eq!(contents(&output), contents(&input));
    assert_eq!(saved.bytes, std::fs::metadata(&output).unwrap().len());
    let again = load(&output).unwrap();
    assert_eq!(again.metadata["author"], "me \"and\" you");
    assert!(again.metadata["tropix.arch"].contains("fc1.weight"));
    // The comparison sees one changed byte.
    let twin = changed(&model.network, |weight| {
        let mut values = weight.to_vec();
        values[0] += 1.0;
        Tensor::owned(weight.name(), weight.element(), weight.dimensions().to_vec(), values).unwrap()
    });
    let other = folder.path().join("other.safetensors");
    save(&model, &twin, &other);
    assert_ne!(contents(&other), contents(&input));
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    let folder = folder();
    let model = load(&put(&folder, "in.safetensors", safetensors("{\"b\":\"1\",\"a\":\"2\"}", &small([])))).unwrap();
    let metadata = BTreeMap::from([("tropix.method".to_owned(), "tropical".to_owned())]);
    let bytes = |name: &str| {
        let path = folder.path().join(name);
        format::save(&model, &model.network, &path, false, &metadata).unwrap();
        std::fs::read(path).unwrap()
    };
    let first = bytes("a.safetensors");
    assert_eq!(first, bytes("b.safetensors"));
    // And what was written is a fixed point: loaded and saved again, nothing moves.
    let again = load(&folder.path().join("a.safetensors")).unwrap();
    assert_eq!(again.metadata["tropix.method"], "tropical");
    let path = folder.path().join("c.safetensors");
    save(&again, &again.network, &path);
    assert_eq!(first, std::fs::read(path).unwrap());
}

#[test]
fn narrow_floats_are_computed_in_f32_and_written_back_as_they_came() {
    let values = ramp(4);
    let half: Vec<u8> = values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
    let brain: Vec<u8> = values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
    let double: Vec<u8> = values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    let kinds = [("F16", Element::F16, half), ("BF16", Element::Bf16, brain), ("F64", Element::F64, double)];
    for (name, element, bytes) in kinds {
        let folder = folder();
        let input = put(&folder, "in.safetensors", safetensors("", &[("fc.weight", name, &[2, 2], bytes)]));
        let model = load(&input).unwrap();
        let weight = model.network.tensors().next().unwrap();
        assert_eq!((weight.element(), weight.to_vec()), (element, values.clone()));
        assert_eq!(model.warnings.len(), usize::from(name == "F64"), "{:?}", model.warnings);
        let rewritten = changed(&model.network, |weight| {
            Tensor::owned(weight.name(), weight.element(), vec![2, 2], weight.to_vec()).unwrap()
        });
        let output = folder.path().join("out.safetensors");
        save(&model, &rewritten, &output);
        assert_eq!(contents(&output), contents(&input), "{name}");
    }
}

#[test]
fn a_mask_writes_zeros_and_leaves_the_rest_bit_for_bit() {
    let folder = folder();
    let values: Vec<u8> = ramp(70).iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
    let model =
        load(&put(&folder, "in.safetensors", safetensors("", &[("fc.weight", "F16", &[7, 10], values.clone())])));
    let model = model.unwrap();
    let masked = without(&model.network, &[(0, 3), (6, 6)]);
    let output = folder.path().join("out.safetensors");
    save(&model, &masked, &output);
    let mut expected = values;
    for at in [3, 66] {
        expected[2 * at..2 * at + 2].fill(0);
    }
    assert_eq!(contents(&output)["fc.weight"].2, expected);
}

/// The network without some elements of its one layer.
fn without(network: &Network, elements: &[(usize, usize)]) -> Network {
    let head = Head::of(network).unwrap();
    let [rows, columns] = head.layers[0].weight.matrix_shape();
    let mut keep = Mask::full(rows, columns);
    for (i, j) in elements {
        assert!(keep.remove(*i, *j));
    }
    let layer = LayerPlan { name: head.layers[0].name.clone(), keep, removed_rows: Vec::new(), rewrites: Vec::new() };
    apply(network, &head, &Plan { layers: vec![layer] }, ApplyOptions::default()).unwrap().network
}

#[test]
fn a_new_value_beyond_half_precision_is_refused() {
    let folder = folder();
    let model = load(&put(&folder, "in.safetensors", safetensors("", &[("fc.weight", "F16", &[1, 1], vec![0, 60])])));
    let model = model.unwrap();
    let large =
        changed(&model.network, |_| Tensor::owned("fc.weight", Element::F16, vec![1, 1], vec![70_000.0]).unwrap());
    let output = folder.path().join("out.safetensors");
    let error = format::save(&model, &large, &output, false, &BTreeMap::new()).unwrap_err();
    assert!(matches!(&error, Error::Overflow { layer, .. } if layer == "fc.weight"), "{error:?}");
    assert!(!output.exists());
}

/// A model in two shards; returns the path of its index.
fn sharded(folder: &tempfile::TempDir, map: &str) -> std::path::PathBuf {
    let ids: Entry<'_> = ("ids", "U8", &[3], vec![1, 2, 3]);
    let entries = small([ids]);
    let (first, second) = entries.split_at(2);
    put(folder, "model-1.safetensors", safetensors("{\"format\":\"pt\"}", first));
    put(folder, "model-2.safetensors", safetensors("{\"format\":\"pt\"}", second));
    let index = format!("{{\"metadata\":{{\"total_size\":87,\"note\":\"kept\"}},\"weight_map\":{{{map}}}}}");
    put(folder, "model.safetensors.index.json", index)
}

const MAP: &str = "\"fc1.weight\":\"model-2.safetensors\",\"fc1.bias\":\"model-2.safetensors\",\
    \"ids\":\"model-2.safetensors\",\"fc2.weight\":\"model-1.safetensors\",\"fc2.bias\":\"model-1.safetensors\"";

#[test]
fn shards_stay_shards() {
    let folder = folder();
    let index = sharded(&folder, MAP);
    let model = load(&index).unwrap();
    assert_eq!(model.paths.len(), 3);
    assert_eq!(model.warnings, Vec::<String>::new());
    let output = folder.path().join("small.safetensors.index.json");
    let saved = save(&model, &model.network, &output);
    let names: Vec<String> =
        saved.paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let expected =
        ["small-00001-of-00002.safetensors", "small-00002-of-00002.safetensors", "small.safetensors.index.json"];
    assert_eq!(names, expected);
    for (old, new) in ["model-1.safetensors", "model-2.safetensors"].iter().zip(&expected) {
        assert_eq!(contents(&folder.path().join(old)), contents(&folder.path().join(new)));
    }
    let text: serde_json::Value = serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap();
    assert_eq!(text["metadata"]["total_size"], 6 * 4 + 2 * 4 + 6 * 4 + 3 * 4 + 3);
    assert_eq!(text["metadata"]["note"], "kept");
    assert_eq!(text["weight_map"]["fc1.bias"], "small-00002-of-00002.safetensors");
    let again = load(&output).unwrap();
    assert_eq!(again.network.origin, tropix::network::Origin::Header);
    assert_eq!(again.network.nodes.len(), 3);
    let error = format::save(&model, &model.network, &folder.path().join("x.safetensors"), false, &BTreeMap::new());
    assert!(matches!(error, Err(Error::Argument { argument: "output", .. })), "{error:?}");
}

#[test]
fn an_index_that_lies_is_refused() {
    let cases = [
        ("outside the folder", MAP.replacen("model-2", "../model-2", 1), "plain file name"),
        ("an absolute path", MAP.replacen("model-2", "/model-2", 1), "plain file name"),
        ("a tensor of another shard", MAP.replacen("fc1.bias\":\"model-2", "fc1.bias\":\"model-1", 1), "`fc1.bias`"),
        ("a tensor that is nowhere", format!("{MAP},\"fc3.bias\":\"model-1.safetensors\""), "`fc3.bias` not found"),
        ("a shard that is nowhere", format!("{MAP},\"fc3.bias\":\"model-3.safetensors\""), "no such file"),
        ("a key twice", format!("{MAP},\"fc1.bias\":\"model-1.safetensors\""), "duplicate key `fc1.bias`"),
        ("nothing", String::new(), "names no tensor"),
    ];
    for (case, map, part) in cases {
        let folder = folder();
        let text = load(&sharded(&folder, &map)).expect_err(case).to_string();
        assert!(text.contains(part), "{case}: {text}");
    }
    let folder = folder();
    sharded(&folder, MAP);
    put(&folder, "model-1.safetensors", safetensors("", &small([])));
    let text = load(&folder.path().join("model.safetensors.index.json")).unwrap_err().to_string();
    assert!(text.contains("more than one shard"), "{text}");
}

#[test]
fn a_large_model_passes_through_in_pieces() {
    let folder = folder();
    let values = f32s(&ramp(65_535).repeat(3));
    let input = put(&folder, "in.safetensors", safetensors("", &[("fc.weight", "F32", &[3, 65_535], values)]));
    let model = load(&input).unwrap();
    let masked = without(&model.network, &[]);
    let output = folder.path().join("out.safetensors");
    save(&model, &masked, &output);
    assert_eq!(contents(&output), contents(&input));
}
