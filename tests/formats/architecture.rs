//! Where the order of layers comes from: the header, a file, or a guess that has to hold.

use std::collections::BTreeMap;

use tropix::Error;
use tropix::network::format::{self, ModelFile};
use tropix::network::{Head, Network, Op, Origin};

use crate::files::{Entry, f32s, folder, load, put, ramp, safetensors, small};

/// An F32 tensor of small values.
fn tensor<'a>(name: &'a str, shape: &'a [usize]) -> Entry<'a> {
    (name, "F32", shape, f32s(&ramp(shape.iter().product())))
}

fn guess(entries: &[Entry<'_>]) -> tropix::Result<ModelFile> {
    let folder = folder();
    load(&put(&folder, "model.safetensors", safetensors("", entries)))
}

fn with_arch(entries: &[Entry<'_>], arch: &str) -> tropix::Result<ModelFile> {
    let folder = folder();
    let model = put(&folder, "model.safetensors", safetensors("", entries));
    format::load(&model, Some(&put(&folder, "arch.toml", arch)))
}

/// Each node as `name:op(inputs)`.
fn sketch(network: &Network) -> Vec<String> {
    let line = |node: &tropix::network::Node| format!("{}:{}({})", node.name, node.op.name(), node.inputs.join(","));
    network.nodes.iter().map(line).collect()
}

#[test]
fn a_chain_of_linear_layers_is_guessed_from_names_and_shapes() {
    let entries = [
        tensor("classifier.10.weight", &[2, 4]),
        tensor("classifier.2.weight", &[4, 3]),
        tensor("classifier.2.bias", &[4]),
        tensor("classifier.0.weight", &[3, 5]),
        tensor("scale", &[7]),
    ];
    let model = guess(&entries).unwrap();
    let expected = [
        "classifier.0:linear(input)",
        "classifier.0.relu:relu(classifier.0)",
        "classifier.2:linear(classifier.0.relu)",
        "classifier.2.relu:relu(classifier.2)",
        "classifier.10:linear(classifier.2.relu)",
    ];
    assert_eq!(sketch(&model.network), expected);
    assert_eq!((model.network.origin, model.network.input.as_slice()), (Origin::Guessed, &[5_usize][..]));
    assert_eq!(model.network.extra.len(), 1);
    assert_eq!(model.chain.len(), 5, "{:?}", model.chain);
    let head = Head::of(&model.network).unwrap();
    assert!(head.whole);
    assert_eq!(head.layers.iter().map(|layer| layer.relu).collect::<Vec<_>>(), [true, true, false]);
    assert!(head.layers[0].bias.is_none() && head.layers[1].bias.is_some());
}

#[test]
fn a_convolutional_prefix_is_carried_and_the_head_stands_alone() {
    let entries = [
        tensor("features.0.weight", &[4, 3, 3, 3]),
        tensor("features.0.bias", &[4]),
        tensor("features.1.weight", &[4]),
        tensor("features.1.bias", &[4]),
        tensor("features.1.running_mean", &[4]),
        tensor("features.1.running_var", &[4]),
        ("features.1.num_batches_tracked", "I64", &[], vec![9; 8]),
        tensor("features.3.weight", &[6, 4, 3, 3]),
        tensor("classifier.0.weight", &[5, 24]),
        tensor("classifier.2.weight", &[2, 5]),
    ];
    let model = guess(&entries).unwrap();
    let ops: Vec<&str> = model.network.nodes.iter().map(|node| node.op.name()).collect();
    assert_eq!(
        ops,
        ["conv2d", "batchnorm", "unknown", "conv2d", "unknown", "flatten", "linear", "relu", "linear"],
        "{:?}",
        model.chain
    );
    let head = Head::of(&model.network).unwrap();
    assert!(!head.whole);
    assert_eq!((head.inputs(), head.classes()), (24, 2));
    assert_eq!(model.network.extra.len(), 0);
    assert_eq!(model.network.tensors().count(), entries.len());
}

#[test]
fn a_chain_that_breaks_lists_every_place() {
    let entries = [
        tensor("fc1.weight", &[512, 2]),
        tensor("fc2.weight", &[3, 4096]),
        tensor("fc3.weight", &[2, 4]),
        tensor("norm.weight", &[2]),
        tensor("lone.bias", &[2]),
    ];
    let error = guess(&entries).unwrap_err();
    let Error::Chain { breaks, .. } = &error else { panic!("{error:?}") };
    let text = error.to_string();
    for part in [
        "`fc1` gives 512, `fc2` takes 4096 (= 512 x 8?)",
        "`fc2` gives 3, `fc3` takes 4",
        "`norm.weight` has shape [2]",
        "`lone.bias` without a weight",
        "--arch",
    ] {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
    assert_eq!(breaks.len(), 5);
}

#[test]
fn what_cannot_be_a_chain_is_refused() {
    let conv: Entry<'_> = tensor("conv.weight", &[4, 3, 3, 3]);
    let norm = |name| tensor(name, &[4]);
    let cases: [(&str, Vec<Entry<'_>>, &str); 5] = [
        ("flatten does not divide", vec![conv.clone(), tensor("fc.weight", &[2, 9])], "`conv` gives 4 channels"),
        (
            "convolution first, by any name",
            vec![tensor("a.weight", &[3, 2]), conv.clone()],
            "`conv` gives 4 channels, `a` takes 2",
        ),
        ("only convolutions", vec![conv], "no linear layer at the end"),
        (
            "order of batch norms unknown",
            vec![
                tensor("conv1.weight", &[4, 3, 3, 3]),
                tensor("conv2.weight", &[4, 4, 3, 3]),
                norm("bn1.weight"),
                norm("bn1.running_mean"),
                norm("bn2.weight"),
                norm("bn2.running_mean"),
                tensor("fc.weight", &[2, 4]),
            ],
            "batch norm `bn2` after batch norm `bn1`",
        ),
        (
            "batch norm first",
            vec![tensor("bn.weight", &[4]), tensor("bn.running_mean", &[4]), tensor("fc.weight", &[2, 4])],
            "batch norm `bn` before any layer",
        ),
    ];
    for (case, entries, part) in cases {
        let text = guess(&entries).expect_err(case).to_string();
        assert!(text.contains(part), "{case}: {text}");
    }
}

const ARCH: &str = r#"
version = 1
input = [1, 1, 2]
normalize = { scale = 0.5, mean = [0.25], std = [2.0] }
layer = [
  { name = "f", op = "flatten" },
  { name = "a", op = "linear", weight = "fc1.weight", bias = "fc1.bias" },
  { name = "act", op = "leaky_relu", negative_slope = 0.01, modes = ["x", "y z"] },
  { name = "d", op = "dropout", p = 0.5 },
  { name = "skip", op = "add", inputs = ["d", "a"] },
  { name = "b", op = "linear", weight = "fc2.weight", bias = "fc2.bias" },
]
"#;

#[test]
fn an_architecture_file_describes_what_cannot_be_guessed() {
    let model = with_arch(&small([]), ARCH).unwrap();
    let network = &model.network;
    let expected =
        ["f:flatten(input)", "a:linear(f)", "act:leaky_relu(a)", "d:identity(act)", "skip:add(d,a)", "b:linear(skip)"];
    assert_eq!(sketch(network), expected);
    assert_eq!(network.origin, Origin::Arch);
    assert_eq!(network.normalize.as_ref().unwrap().mean, [0.25]);
    let Op::Carried { attributes, .. } = &network.nodes[2].op else { panic!("{:?}", network.nodes[2]) };
    assert_eq!(attributes["negative_slope"].as_float(), Some(0.01));
    // The head stops at what tropix does not compute.
    assert_eq!(Head::of(network).unwrap().layers.len(), 1);
}

#[test]
fn an_architecture_survives_the_output_file_and_its_own_text() {
    let folder = folder();
    let input = put(&folder, "in.safetensors", safetensors("", &small([])));
    let model = format::load(&input, Some(&put(&folder, "arch.toml", ARCH))).unwrap();
    let output = folder.path().join("out.safetensors");
    format::save(&model, &model.network, &output, false, &BTreeMap::new()).unwrap();
    let again = load(&output).unwrap();
    assert_eq!(again.network.origin, Origin::Header);
    let emitted = format::emit_arch(&model.network);
    let reread = format::load(&input, Some(&put(&folder, "emitted.toml", &emitted))).unwrap();
    for other in [&again.network, &reread.network] {
        assert_eq!(sketch(other), sketch(&model.network));
        assert_eq!((&other.input, &other.normalize), (&model.network.input, &model.network.normalize));
        assert_eq!(format::emit_arch(other), emitted);
        let Op::Carried { attributes, .. } = &other.nodes[2].op else { panic!("{:?}", other.nodes[2]) };
        assert_eq!(attributes["modes"].as_array().unwrap()[1].as_str(), Some("y z"));
    }
    // What the file says of itself comes first, and the user learns that the argument was not used.
    let both = format::load(&output, Some(&put(&folder, "other.toml", ARCH))).unwrap();
    assert_eq!(both.network.origin, Origin::Header);
    assert_eq!(both.warnings.len(), 1);
}

#[test]
fn faults_of_an_architecture_are_named() {
    let layer = |text: &str| format!("version = 1\nlayer = [{text}]");
    let cases = [
        ("another version", "version = 2\nlayer = []".to_owned(), "version 2"),
        ("no layers", layer(""), "without layers"),
        ("unknown top key", "version = 1\nlayers = []".to_owned(), "layers"),
        ("misspelt key", layer("{ name = \"a\", op = \"linear\", wieght = \"fc1.weight\" }"), "no attribute `wieght`"),
        ("no weight", layer("{ name = \"a\", op = \"linear\" }"), "`linear` needs a `weight`"),
        ("weight of one axis", layer("{ name = \"a\", op = \"linear\", weight = \"fc1.bias\" }"), "takes two axes"),
        (
            "bias of another length",
            layer("{ name = \"a\", op = \"linear\", weight = \"fc1.weight\", bias = \"fc2.bias\" }"),
            "`fc2.bias` has shape [2], `a` needs [3]",
        ),
        (
            "unknown input",
            layer("{ name = \"a\", op = \"linear\", weight = \"fc1.weight\", inputs = [\"z\"] }"),
            "`a` reads `z`",
        ),
        ("a name twice", layer("{ name = \"a\", op = \"relu\" }, { name = \"a\", op = \"relu\" }"), "two nodes"),
        (
            "a tensor twice",
            layer(
                "{ name = \"a\", op = \"linear\", weight = \"fc1.weight\" }, { name = \"b\", op = \"linear\", weight = \"fc1.weight\" }",
            ),
            "used by `a` and by `b`",
        ),
        (
            "shapes that do not chain, through a relu",
            layer(
                "{ name = \"a\", op = \"linear\", weight = \"fc2.weight\" }, { name = \"r\", op = \"relu\" }, { name = \"b\", op = \"linear\", weight = \"fc2b.weight\" }",
            ),
            "`a` gives 2, `b` takes 6 (= 2 x 3?)",
        ),
        (
            "an input beyond all memory",
            format!("input = [{0}, {0}]\n{1}", 1_u64 << 40, layer("{ name = \"a\", op = \"relu\" }")),
            "overflows",
        ),
        ("an input without extent", format!("input = [0]\n{}", layer("{ name = \"a\", op = \"relu\" }")), "length 0"),
        ("not TOML", "version 1".to_owned(), "arch.toml"),
    ];
    for (case, arch, part) in cases {
        let text = with_arch(&small([tensor("fc2b.weight", &[1, 6])]), &arch).expect_err(case).to_string();
        assert!(text.contains(part), "{case}: {text}");
    }
}

#[test]
fn a_template_shows_the_breaks_and_is_a_start() {
    let folder = folder();
    let entries = [tensor("fc1.weight", &[3, 2]), tensor("fc2.weight", &[2, 6])];
    let path = put(&folder, "model.safetensors", safetensors("", &entries));
    let template = format::template(&path).unwrap();
    assert!(template.starts_with("# `fc1` gives 3, `fc2` takes 6 (= 3 x 2?)\n"), "{template}");
    let mended = template.replace("op = \"relu\"", "op = \"unfold\"");
    let model = format::load(&path, Some(&put(&folder, "arch.toml", mended))).unwrap();
    assert_eq!(model.network.nodes.len(), 3);
}
