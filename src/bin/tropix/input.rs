//! Reads models and data, and says what was understood.

use std::path::PathBuf;

use ndarray::Array2;
use tropix::Result;
use tropix::backend::{Backend, RowSource};
use tropix::network::dataset::{self, DataOptions, Dataset};
use tropix::network::format::{self, InputShape, ModelFile};
use tropix::network::{Head, Network, Node, Normalize, Op, head_features, head_for};
use tropix::prune::Data;
use tropix::prune::synth::GreyLevel;
use tropix::report::Declined;

use crate::args::{DataArgs, Globals, ModelArgs};
use crate::output;

pub(crate) fn model(globals: &Globals, args: &ModelArgs) -> Result<ModelFile> {
    shaped(globals, args, &[])
}

/// The name of a model, for titles.
pub(crate) fn stem(args: &ModelArgs) -> String {
    args.model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Reads a model of which some lengths are given.
pub(crate) fn shaped(globals: &Globals, args: &ModelArgs, shapes: &[InputShape]) -> Result<ModelFile> {
    globals.session.check()?;
    let model = match &globals.session.shared {
        Some(shared) => shared.model(&args.model, args.arch.as_deref(), shapes)?,
        None => format::load_shaped(&args.model, args.arch.as_deref(), shapes)?,
    };
    globals.run.note(&model.paths);
    if !model.chain.is_empty() {
        output::note(globals, &format!("layers guessed from names and shapes:\n  {}", model.chain.join("\n  ")));
    }
    for warning in &model.warnings {
        output::note(globals, &format!("warning: {warning}"));
    }
    Ok(model)
}

/// The network with what is said of its data, where it does not say itself how images are normalised: synthetic images
/// have to be alike. Where nothing is said, its first convolution tells, and the second part is what to say of it.
pub(crate) fn normalised(model: &ModelFile, args: &DataArgs) -> Result<(Network, Option<String>)> {
    let (mut network, mut note) = (said(&model.network, args), None);
    if network.normalize.is_none()
        && network.input.len() == 3
        && let Some(grey) = GreyLevel::of_model(model)?
    {
        network.normalize = grey.normalisation();
        let how = network.normalize.as_ref().map_or("standardised", |_| "pixels from 0 to 1 as they are");
        note = Some(format!(
            "synthetic images: {how}, by the first layer (grey level {:.3}); --mean and --std say otherwise",
            grey.level
        ));
    }
    Ok((network, note))
}

/// The network with what the arguments say of its data.
pub(crate) fn said(network: &Network, args: &DataArgs) -> Network {
    let mut network = network.clone();
    let said = args.scale.is_some() || !args.mean.is_empty() || !args.std.is_empty();
    if network.normalize.is_none() && network.input.len() == 3 && said {
        let (scale, mean, std) = (args.scale.unwrap_or(1.0), args.mean.clone(), args.std.clone());
        network.normalize = Some(Normalize { scale, mean, std });
    }
    network
}

/// The files of a model and its data, none of which may be written over.
pub(crate) fn paths(model: &ModelFile, data: Option<&Dataset>) -> Vec<PathBuf> {
    model.paths.iter().chain(data.iter().flat_map(|data| &data.paths)).cloned().collect()
}

/// Reads a data set, normalised as the arguments say or else as `network` does.
pub(crate) fn read(globals: &Globals, args: &DataArgs, network: Option<Normalize>) -> Result<Option<Dataset>> {
    let Some(spec) = &args.data else { return Ok(None) };
    let options = DataOptions { scale: args.scale, mean: args.mean.clone(), std: args.std.clone(), network };
    let data = dataset(globals, spec, &options)?;
    globals.run.note(&data.paths);
    Ok(Some(data))
}

/// What to do where there are no data.
pub(crate) fn missing(why: &str) -> String {
    format!("{why}: give a .safetensors or .npz file, mnist:DIR, cifar10:DIR or cifar100:DIR")
}

/// Reads a data set, once for all jobs of a batch.
pub(crate) fn dataset(globals: &Globals, spec: &str, options: &DataOptions) -> Result<Dataset> {
    globals.session.check()?;
    match &globals.session.shared {
        Some(shared) => shared.data(spec, options),
        None => dataset::load(spec, options),
    }
}

/// Says what is odd about the data that a command works on.
pub(crate) fn warned(globals: &Globals, data: Dataset) -> Dataset {
    for warning in &data.warnings {
        output::note(globals, &format!("warning: {warning}"));
    }
    data
}

/// Warnings of a model and of its data.
pub(crate) fn warnings<'a>(model: &ModelFile, data: impl IntoIterator<Item = &'a Dataset>) -> Vec<String> {
    let mut all = model.warnings.clone();
    for warning in data.into_iter().flat_map(|data| &data.warnings) {
        // Two parts of one file are odd in one way.
        if !all.contains(warning) {
            all.push(warning.clone());
        }
    }
    all
}

/// Data that fit the head of a network.
pub(crate) fn data(globals: &Globals, args: &DataArgs, network: &Network, head: &Head) -> Result<Option<Dataset>> {
    // Normalisation belongs to the input of the whole network, not to features for its head.
    let normalize = network.normalize.clone().filter(|_| head.whole);
    let Some(data) = read(globals, args, normalize)? else { return Ok(None) };
    data.check_against(head.inputs(), head.classes())?;
    Ok(Some(warned(globals, data)))
}

/// Data that fit a network: the whole of it, or its head where they are features for that.
pub(crate) fn data_for(globals: &Globals, args: &DataArgs, network: &Network) -> Result<Option<Dataset>> {
    let Some(found) = read(globals, args, network.normalize.clone())? else { return Ok(None) };
    match head_for(network, found.inputs.shape()[1]) {
        Some(head) => data(globals, args, network, &head),
        None => {
            let lengths = network.output_lengths().unwrap_or_default();
            let classes = lengths.last().copied().flatten().unwrap_or(usize::MAX);
            found.check_against(network.input.iter().product(), classes)?;
            Ok(Some(warned(globals, found)))
        }
    }
}

/// What the layers before the head make of data that are inputs of the whole network; nothing for other data.
pub(crate) fn features<B: Backend>(backend: &B, model: &ModelFile, data: &Dataset) -> Result<Option<Array2<f32>>> {
    if head_for(&model.network, data.inputs.shape()[1]).is_some() {
        return Ok(None);
    }
    let head = Head::of(&model.network)?;
    head_features(backend, &model.network, model.onnx.as_deref(), &head, &data.inputs).map(Some)
}

/// Data for the head: their features where there are any, and the labels.
pub(crate) fn for_head<'a>(data: &'a Dataset, features: Option<&'a Array2<f32>>) -> Data<'a> {
    features.map_or_else(|| borrowed(data), |features| Data { inputs: features, labels: data.labels.as_deref() })
}

pub(crate) fn borrowed(data: &Dataset) -> Data<'_> {
    Data { inputs: &data.inputs, labels: data.labels.as_deref() }
}

/// Why a linear layer is not part of the head: the first node after it that a head cannot pass.
fn not_in_head(network: &Network, name: &str) -> String {
    let after = network.nodes.iter().skip_while(|node| node.name != name).skip(1);
    let passed = |op: &Op| {
        matches!(
            op,
            Op::Linear { .. } | Op::Relu | Op::Flatten | Op::Reshape { .. } | Op::Identity | Op::Softmax { .. }
        )
    };
    let blocks = |node: &&Node| !passed(&node.op) || node.inputs.len() > 1;
    match after.into_iter().find(blocks) {
        Some(node) => format!("`{}` ({}) lies between it and the output", node.name, node.op.name()),
        None => "not in the chain of linear layers, each followed by ReLU, that ends at the output".to_owned(),
    }
}

/// The nodes with weights that the head does not hold, and why they are not pruned.
pub(crate) fn declined(network: &Network, head: &Head) -> Vec<Declined> {
    let in_head = |name: &str| head.layers.iter().any(|layer| layer.name == name);
    let nodes = network.nodes.iter().filter(|node| !in_head(&node.name));
    nodes
        .filter_map(|node| {
            let reason = match &node.op {
                Op::Linear { .. } => not_in_head(network, &node.name),
                Op::Carried { op, tensors, .. } if !tensors.is_empty() => match op.as_str() {
                    "conv2d" => "carried verbatim: its stride and padding are not given".to_owned(),
                    "batchnorm" => "carried verbatim: its `epsilon` is not given".to_owned(),
                    _ => "carried verbatim: tropix does not compute it".to_owned(),
                },
                Op::Conv { .. } | Op::BatchNorm { .. } => "this method prunes linear layers at the output".to_owned(),
                _ => return None,
            };
            Some(Declined { name: node.name.clone(), op: node.op.name().to_owned(), reason })
        })
        .collect()
}
