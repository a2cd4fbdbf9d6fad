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
  { name = "act", op = "prelu", start = 0.25, modes = ["x", "y z"] },
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
        ["f:flatten(input)", "a:linear(f)", "act:prelu(a)", "d:identity(act)", "skip:add(d,a)", "b:linear(skip)"];
    assert_eq!(sketch(network), expected);
    assert_eq!(network.origin, Origin::Arch);
    assert_eq!(network.normalize.as_ref().unwrap().mean, [0.25]);
    let Op::Carried { attributes, .. } = &network.nodes[2].op else { panic!("{:?}", network.nodes[2]) };
    assert_eq!(attributes["start"].as_float(), Some(0.25));
    // The head stops at what tropix does not compute.
    assert_eq!(Head::of(network).unwrap().layers.len(), 1);
}

const CONVOLUTIONAL: &str = r#"
version = 1
input = [3, 9, 8]
layer = [
  { name = "c1", op = "conv2d", weight = "c1.weight", bias = "c1.bias", stride = [2, 1], padding = [1, 2, 0, 2] },
  { name = "n1", op = "batchnorm", weight = "n1.weight", bias = "n1.bias", running_mean = "n1.mean", running_var = "n1.var", epsilon = 1e-3 },
  { name = "r1", op = "leaky_relu", negative_slope = 0.125 },
  { name = "p1", op = "maxpool", size = 2, ceil = true },
  { name = "c2", op = "conv2d", weight = "c2.weight", padding = 1, groups = 2, dilation = 1 },
  { name = "r2", op = "relu", inputs = ["c2"] },
  { name = "sum", op = "add", inputs = ["r2", "p1"] },
  { name = "both", op = "concat", inputs = ["sum", "r2"], axis = 1 },
  { name = "p2", op = "avgpool", size = [1, 3], stride = 1, padding = [0, 1], count_include_pad = true },
  { name = "nhwc", op = "transpose", axes = [0, 2, 3, 1] },
  { name = "f", op = "flatten", start_dim = 1 },
  { name = "fc", op = "linear", weight = "fc.weight" },
  { name = "probabilities", op = "softmax" },
]
"#;

/// The tensors of [`CONVOLUTIONAL`].
fn convolutional() -> Vec<Entry<'static>> {
    vec![
        tensor("c1.weight", &[4, 3, 3, 5]),
        tensor("c1.bias", &[4]),
        tensor("n1.weight", &[4]),
        tensor("n1.bias", &[4]),
        tensor("n1.mean", &[4]),
        tensor("n1.var", &[4]),
        tensor("c2.weight", &[4, 2, 3, 3]),
        tensor("fc.weight", &[5, 64]),
        tensor("five", &[5]),
        tensor("matrix", &[2, 3]),
    ]
}

#[test]
fn convolutions_pools_and_sums_are_a_computed_graph() {
    let network = with_arch(&convolutional(), CONVOLUTIONAL).unwrap().network;
    let shapes: Vec<Vec<usize>> = network.shapes().unwrap().into_iter().map(Option::unwrap).collect();
    let expected: [&[usize]; 13] = [
        &[4, 4, 8],
        &[4, 4, 8],
        &[4, 4, 8],
        &[4, 2, 4],
        &[4, 2, 4],
        &[4, 2, 4],
        &[4, 2, 4],
        &[8, 2, 4],
        &[8, 2, 4],
        &[2, 4, 8],
        &[64],
        &[5],
        &[5],
    ];
    assert_eq!(shapes, expected);
    assert!(network.nodes.iter().all(|node| !matches!(node.op, Op::Carried { .. })));
    let Op::Conv { window, groups, .. } = &network.nodes[0].op else { panic!("{:?}", network.nodes[0]) };
    assert_eq!((window.stride, window.padding, *groups), ([2, 1], [1, 2, 0, 2], 1));
    let head = Head::of(&network).unwrap();
    assert_eq!((head.layers.len(), head.whole, head.inputs()), (1, false, 64));
    // What is emitted is read back as the same graph.
    let emitted = format::emit_arch(&network);
    let again = with_arch(&convolutional(), &emitted).unwrap().network;
    assert_eq!(sketch(&again), sketch(&network));
    assert_eq!(format::emit_arch(&again), emitted);
}

#[test]
fn faults_of_a_convolutional_architecture_are_named() {
    let cases = [
        ("padding = [1, 2, 0, 2]", "padding = [1, 2, 0]", "`padding` is [1, 2, 0]"),
        ("stride = [2, 1]", "stride = 0", "`stride` is [0, 0]"),
        ("stride = [2, 1]", "stride = -1", "`stride` is -1"),
        ("stride = [2, 1]", "strides = 1", "`conv2d` has no attribute `strides`"),
        ("epsilon = 1e-3", "epsilon = -1", "`epsilon`"),
        ("running_var = \"n1.var\", ", "", "`batchnorm` needs a `running_var`"),
        ("running_var = \"n1.var\"", "running_var = \"five\"", "`n1` needs [4]"),
        ("groups = 2", "groups = 3", "`groups` is [3]"),
        ("groups = 2", "groups = 1", "`c1` gives 4, `c2` takes 2"),
        ("[\"r2\", \"p1\"]", "[\"r2\", \"c1\"]", "`sum` adds [4, 2, 4] of `c2` and [4, 4, 8] of `c1`"),
        ("inputs = [\"c2\"]", "inputs = [\"c2\", \"c1\"]", "`relu` reads exactly one input, not 2"),
        ("axis = 1", "axis = 0", "`axis` is [0]"),
        ("axis = 1", "axis = 9", "along axis 8"),
        ("size = [1, 3]", "size = [9, 3]", "a window of 9 x 3 does not fit [2, 4]"),
        ("padding = [0, 1], count", "padding = [0, 3], count", "leaves windows of [1, 3] empty"),
        (", count_include_pad = true", "", "needs `count_include_pad`"),
        ("axes = [0, 2, 3, 1]", "axes = [1, 2, 3, 0]", "leaves the batch"),
        ("axes = [0, 2, 3, 1]", "axes = [0, 2, 1]", "`nhwc` orders 2 axes"),
        ("negative_slope = 0.125", "negative_slope = 2", "`negative_slope` is 2"),
        ("input = [3, 9, 8]", "input = [3, 72]", "takes an image of three axes, not [3, 72]"),
        ("weight = \"c2.weight\"", "weight = \"matrix\"", "`conv2d` takes four axes"),
    ];
    for (from, to, part) in cases {
        assert!(CONVOLUTIONAL.contains(from), "{from}");
        let text = with_arch(&convolutional(), &CONVOLUTIONAL.replace(from, to)).expect_err(to).to_string();
        assert!(text.contains(part), "{from} -> {to}: {text}");
    }
}

#[test]
fn a_convolution_without_its_geometry_is_carried() {
    let arch = CONVOLUTIONAL.replace(", stride = [2, 1], padding = [1, 2, 0, 2]", "").replace(", epsilon = 1e-3", "");
    let network = with_arch(&convolutional(), &arch).unwrap().network;
    let carried = |node: &&tropix::network::Node| matches!(node.op, Op::Carried { .. });
    assert_eq!(network.nodes.iter().filter(carried).map(|node| node.name.as_str()).collect::<Vec<_>>(), ["c1", "n1"]);
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
        (
            "weight of one axis",
            layer("{ name = \"a\", op = \"linear\", weight = \"fc1.bias\" }"),
            "`linear` takes two axes",
        ),
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
