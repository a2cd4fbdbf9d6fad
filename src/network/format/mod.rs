//! Model files in and out. Only this folder knows the names of tensors and the layout of files; ONNX has a folder of its
//! own.
//!
//! ```text
//! header (checks) -> shards (which files) -> arch, or chain (the guess) -> Network
//! Network -> arch (JSON in the metadata) -> header -> write (beside, then rename)
//! ```

mod arch;
mod chain;
pub(crate) mod header;
mod onnx;
mod samples;
mod shards;
mod state;
mod store;
mod write;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::spaces::OperatorGraph;
use super::{Element, Network, Op, Origin, Tensor};
use crate::error::{Error, Result};
use arch::Arch;
use chain::Guess;
use onnx::Beside;
use store::Store;
use write::{Pending, Sink};

pub use onnx::Source as OnnxSource;
pub(crate) use onnx::operator_graph;
pub(super) use onnx::{Names, encode_onnx, encode_operators};
pub use samples::save_samples;
pub use shards::{Layout, Shard};
pub(crate) use state::{Numbers, State};
pub use write::check_output;

/// The entry of a file's metadata that holds the architecture.
const ARCH: &str = "tropix.arch";

/// A model as it was read.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// The network.
    pub network: Network,
    /// Every file that was read: the model or index first, then shards and the architecture.
    pub paths: Vec<PathBuf>,
    /// `__metadata__` of the file, or what the index holds as strings.
    pub metadata: BTreeMap<String, String>,
    /// Which tensors are in which file.
    pub layout: Layout,
    /// What the user should know, such as a loss of precision.
    pub warnings: Vec<String>,
    /// The guessed chain, line by line; empty if the order was given.
    pub chain: Vec<String>,
    /// The ONNX model that was read, to be rewritten.
    pub onnx: Option<Arc<OnnxSource>>,
    /// Whether one file is to be written, even if this one came with data beside it or in shards.
    pub single_file: bool,
}

impl ModelFile {
    /// A network made in memory, to be written as one file.
    #[must_use]
    pub fn new(network: Network) -> Self {
        Self {
            network,
            paths: Vec::new(),
            metadata: BTreeMap::new(),
            layout: Layout::single(),
            warnings: Vec::new(),
            chain: Vec::new(),
            onnx: None,
            single_file: false,
        }
    }
}

/// What [`save`] has written.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Every file, the index last.
    pub paths: Vec<PathBuf>,
    /// Their bytes in all.
    pub bytes: u64,
}

/// Reads a model.
///
/// An ONNX file holds its graph. Otherwise the order of layers comes from `tropix.arch` in the metadata, else from the file `arch`, else from names and shapes.
///
/// # Errors
///
/// [`Error::InputMissing`], [`Error::Format`], [`Error::TensorMissing`], [`Error::NonFinite`], [`Error::Chain`],
/// [`Error::Io`]; each names the file, and the tensor where there is one.
pub fn load(path: &Path, arch: Option<&Path>) -> Result<ModelFile> {
    load_as(path, arch, None, &[])
}

/// The lengths of an input's axes behind the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputShape {
    /// The name of the input, where a model has several.
    pub name: Option<String>,
    /// The lengths.
    pub axes: Vec<usize>,
}

/// [`load`], with lengths for axes that an ONNX model leaves open. They stay open in what is written of it.
///
/// # Errors
///
/// As [`load`]; [`Error::Format`] for an input that there is not, or another length than the model declares.
pub fn load_shaped(path: &Path, arch: Option<&Path>, shapes: &[InputShape]) -> Result<ModelFile> {
    load_as(path, arch, None, shapes)
}

/// [`load`], with the name of the output that holds the scores of classes, where an ONNX model has several.
///
/// # Errors
///
/// As [`load`]; [`Error::Format`] with the names of the outputs if none is called `scores`.
pub fn load_scores(path: &Path, arch: Option<&Path>, scores: Option<&str>) -> Result<ModelFile> {
    load_as(path, arch, scores, &[])
}

fn load_as(path: &Path, arch: Option<&Path>, scores: Option<&str>, shapes: &[InputShape]) -> Result<ModelFile> {
    refuse_other_formats(path)?;
    if onnx::is_onnx(path) {
        return load_onnx(path, arch, scores, shapes);
    }
    if !shapes.is_empty() {
        let problem = "is no ONNX model: its inputs have the lengths that its architecture says".to_owned();
        return Err(Error::Format { file: path.to_owned(), problem });
    }
    if let Some(name) = scores {
        let problem = format!("is no ONNX model, whose outputs have names; `{name}` cannot be chosen");
        return Err(Error::Format { file: path.to_owned(), problem });
    }
    let read = if shards::is_index(path) { shards::sharded(path)? } else { shards::single(path)? };
    let (mut paths, mut warnings) = (read.paths, read.warnings);
    let metadata = metadata(&read.layout);
    let embedded = metadata.get(ARCH).map(|text| Arch::from_json(text, path)).transpose()?;
    let given = arch.map(Arch::from_toml).transpose()?;
    paths.extend(arch.map(Path::to_owned));
    let mut store = Store::new(path, read.tensors);
    let (arch, origin, chain) = match (embedded, given) {
        (Some(embedded), given) => {
            if given.is_some() {
                warnings.push(format!("{}: holds its own architecture, `--arch` is not used", path.display()));
            }
            (embedded, Origin::Header, Vec::new())
        }
        (None, Some(given)) => (given, Origin::Arch, Vec::new()),
        (None, None) => {
            let Guess { arch, lines, mut breaks } = chain::guess(&store)?;
            if !breaks.is_empty() {
                breaks.push("the order of layers cannot be guessed; describe it with `--arch`".to_owned());
                return Err(Error::Chain { file: path.to_owned(), breaks });
            }
            (arch, Origin::Guessed, lines)
        }
    };
    let network = arch.build(&mut store, origin)?;
    warnings.append(&mut store.warnings);
    let layout = read.layout;
    Ok(ModelFile { network, paths, metadata, layout, warnings, chain, onnx: None, single_file: false })
}

fn load_onnx(path: &Path, arch: Option<&Path>, scores: Option<&str>, shapes: &[InputShape]) -> Result<ModelFile> {
    let onnx::Read { source, network, paths, metadata, mut warnings } = onnx::read(path, scores, shapes)?;
    if arch.is_some() {
        warnings.push(format!("{}: holds its own graph, `--arch` is not used", path.display()));
    }
    let layout = Layout::single();
    let (chain, onnx) = (Vec::new(), Some(source));
    Ok(ModelFile { network, paths, metadata, layout, warnings, chain, onnx, single_file: false })
}

/// Writes a text file beside and renames it; an existing file is replaced, so call [`check_output`] before.
///
/// # Errors
///
/// [`Error::Io`].
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    write_bytes(path, text.as_bytes())
}

/// The same for any bytes.
///
/// # Errors
///
/// [`Error::Io`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    Pending::write(path, |out| out.write_all(bytes))?.publish(true)
}

/// The files that [`save`] would write for `output`, the index last.
///
/// # Errors
///
/// [`Error::Argument`] if the model is in shards and `output` is not named as an index.
pub fn outputs(model: &ModelFile, output: &Path) -> Result<Vec<PathBuf>> {
    if onnx::is_onnx(output) {
        let bytes = model.network.tensors().map(|tensor| tensor.byte_len() as u64).sum();
        return Ok(onnx::outputs(beside(model), bytes, output));
    }
    shards::outputs(output, &layout(model))
}

/// Where the data of an ONNX model go.
fn beside(model: &ModelFile) -> Beside {
    match &model.onnx {
        _ if model.single_file => Beside::Never,
        Some(source) if source.is_external() => Beside::Always,
        _ => Beside::IfLarge,
    }
}

/// Which tensors go to which file: one of its own for each shard, or one for all.
fn layout(model: &ModelFile) -> Cow<'_, Layout> {
    if model.single_file && model.layout.index.is_some() {
        let mut layout = Layout::single();
        if let Some(shard) = layout.shards.first_mut() {
            shard.metadata.clone_from(&model.metadata);
        }
        return Cow::Owned(layout);
    }
    Cow::Borrowed(&model.layout)
}

/// Writes `network` in the layout of `model`, with its architecture and `extra_metadata` in the metadata.
///
/// The name of `output` chooses the format: `NAME.onnx` is ONNX, everything else safetensors. An ONNX model that was read is
/// rewritten, keeping its names and versions; from other formats a new one is made.
///
/// Tensors go out one by one; there is never a second copy of the weights. The same network gives the same bytes. Files
/// are written beside and renamed when all of them are complete.
///
/// # Errors
///
/// [`Error::OutputRefused`], [`Error::Io`], [`Error::Overflow`] if a new value does not fit the element type of its
/// tensor, [`Error::Argument`] as [`outputs`].
pub fn save(
    model: &ModelFile,
    network: &Network,
    output: &Path,
    force: bool,
    extra_metadata: &BTreeMap<String, String>,
) -> Result<Saved> {
    for path in outputs(model, output)? {
        check_output(&path, &model.paths, force)?;
    }
    publish(write(model, network, output, extra_metadata, Sink::Disk)?, force)
}

/// Writes an ONNX model with a smaller graph of its operators; `changed` are the values that have another shape. Otherwise as
/// [`save`].
pub(crate) fn save_operators(
    model: &ModelFile,
    (graph, changed): (&OperatorGraph, &HashSet<&str>),
    output: &Path,
    force: bool,
    extra_metadata: &BTreeMap<String, String>,
) -> Result<Saved> {
    let Some(source) = model.onnx.as_deref().filter(|_| onnx::is_onnx(output)) else {
        let problem = "a graph of operators can only be written as ONNX; name the output `NAME.onnx`".to_owned();
        return Err(Error::Unsupported { problem });
    };
    for path in outputs(model, output)? {
        check_output(&path, &model.paths, force)?;
    }
    publish(onnx::write_operators(source, (graph, changed), beside(model), output, extra_metadata, Sink::Disk)?, force)
}

/// The bytes of the files that [`save`] would write.
///
/// # Errors
///
/// As [`save`], but for what concerns the disk.
pub fn written_bytes(
    model: &ModelFile,
    network: &Network,
    output: &Path,
    extra_metadata: &BTreeMap<String, String>,
) -> Result<u64> {
    Ok(write(model, network, output, extra_metadata, Sink::Count)?.iter().map(Pending::bytes).sum())
}

/// The files of a model, complete, but without their names.
fn write(
    model: &ModelFile,
    network: &Network,
    output: &Path,
    extra_metadata: &BTreeMap<String, String>,
    sink: Sink,
) -> Result<Vec<Pending>> {
    let paths = outputs(model, output)?;
    if onnx::is_onnx(output) {
        network.tensors().try_for_each(fits)?;
        return onnx::write(model.onnx.as_deref(), beside(model), network, output, extra_metadata, sink);
    }
    describable(network)?;
    let network = &distinct(network);
    let mut tensors: Vec<&Tensor> = network.tensors().collect();
    // Wide elements first, so that each begins at a multiple of its size; then by name.
    tensors.sort_by(|a, b| b.element().bits().cmp(&a.element().bits()).then_with(|| a.name().cmp(b.name())));
    tensors.iter().try_for_each(|tensor| fits(tensor))?;
    let layout = layout(model);
    let homes: HashMap<&str, usize> = layout.shards.iter().enumerate().flat_map(homes).collect();
    let last = layout.shards.len().saturating_sub(1);
    let mut shared = extra_metadata.clone();
    shared.insert(ARCH.to_owned(), Arch::of(network).to_json()?);

    let internal = |error: serde_json::Error| Error::Internal { what: format!("header: {error}") };
    let (mut pending, mut weight_map, mut total) = (Vec::with_capacity(paths.len()), BTreeMap::new(), 0);
    for (number, (shard, path)) in layout.shards.iter().zip(&paths).enumerate() {
        let here = |tensor: &&&Tensor| homes.get(tensor.name()).copied().unwrap_or(last) == number;
        let held: Vec<&Tensor> = tensors.iter().filter(here).copied().collect();
        let mut metadata = shard.metadata.clone();
        metadata.remove(ARCH);
        if layout.index.is_none() {
            metadata.append(&mut shared);
        }
        let head = header::encode(&held, &metadata).map_err(internal)?;
        pending.push(sink.write(path, |out| {
            out.write_all(&head)?;
            held.iter().try_for_each(|tensor| tensor.write(out))
        })?);
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        weight_map.extend(held.iter().map(|tensor| (tensor.name(), file)));
        total += held.iter().map(|tensor| tensor.byte_len()).sum::<usize>();
    }
    if let Some(index) = &layout.index {
        let mut metadata = index.clone();
        metadata.extend(shared.into_iter().map(|(key, value)| (key, value.into())));
        metadata.insert("total_size".to_owned(), total.into());
        let text = shards::index_text(&metadata, weight_map).map_err(internal)?;
        pending.push(sink.write(output, |out| out.write_all(&text))?);
    }
    Ok(pending)
}

/// Gives complete files their names.
fn publish(pending: Vec<Pending>, force: bool) -> Result<Saved> {
    let (mut paths, mut bytes) = (Vec::with_capacity(pending.len()), 0);
    for file in pending {
        paths.push(file.path().to_owned());
        bytes += file.bytes();
        file.publish(force)?;
    }
    Ok(Saved { paths, bytes })
}

/// Checks that an architecture can describe a network: no operation was left to ONNX.
fn describable(network: &Network) -> Result<()> {
    for node in &network.nodes {
        if let (Op::Carried { op, .. }, Origin::Onnx) = (&node.op, network.origin) {
            let problem = format!("`{}` ({op}) can only be written as ONNX; name the output `NAME.onnx`", node.name);
            return Err(Error::Unsupported { problem });
        }
    }
    Ok(())
}

/// The same network, where a tensor that several nodes use is one for each: the first keeps its name.
pub(crate) fn distinct(network: &Network) -> Network {
    let mut network = network.clone();
    let mut taken: HashSet<String> = network.tensors().map(|tensor| tensor.name().to_owned()).collect();
    let mut used: HashSet<String> = network.extra.iter().map(|tensor| tensor.name().to_owned()).collect();
    for node in &mut network.nodes {
        // Attributes of what is carried along name its tensors; no two nodes of an architecture share one.
        if matches!(node.op, Op::Carried { .. }) {
            continue;
        }
        for tensor in node.op.tensors_mut() {
            if used.insert(tensor.name().to_owned()) {
                continue;
            }
            let mut name = format!("{}.{}", tensor.name(), node.name);
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            used.insert(name.clone());
            *tensor = tensor.clone().named(name);
        }
    }
    network
}

/// The architecture of a network as a TOML file to edit and to give as `--arch`.
#[must_use]
pub fn emit_arch(network: &Network) -> String {
    Arch::of(network).to_toml()
}

/// What can be guessed of a model whose layers do not chain: an architecture file to mend, with the breaks as comments.
///
/// # Errors
///
/// As [`load`], but for [`Error::Chain`].
pub fn template(path: &Path) -> Result<String> {
    refuse_other_formats(path)?;
    let read = if shards::is_index(path) { shards::sharded(path)? } else { shards::single(path)? };
    let Guess { arch, breaks, .. } = chain::guess(&Store::new(path, read.tensors))?;
    let comments: String = breaks.iter().map(|problem| format!("# {problem}\n")).collect();
    Ok(comments + &arch.to_toml())
}

fn homes((number, shard): (usize, &Shard)) -> impl Iterator<Item = (&str, usize)> {
    shard.tensors.iter().map(move |name| (name.as_str(), number))
}

/// What the file, or the index, or the shards of an index say as strings.
fn metadata(layout: &Layout) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for shard in layout.shards.iter().rev() {
        all.extend(shard.metadata.clone());
    }
    for (key, value) in layout.index.iter().flatten() {
        if let Some(text) = value.as_str() {
            all.insert(key.clone(), text.to_owned());
        }
    }
    all
}

/// Checks that narrow elements can hold new values.
fn fits(tensor: &Tensor) -> Result<()> {
    let overflow = || Error::Overflow { what: "a new value", layer: tensor.name().to_owned() };
    let largest = match tensor.element() {
        Element::F16 => half::f16::MAX.to_f32(),
        Element::Bf16 => half::bf16::MAX.to_f32(),
        Element::F32 | Element::F64 => f32::MAX,
        Element::Opaque { .. } => return Ok(()),
    };
    if tensor.owned_values().is_some_and(|values| values.iter().any(|value| value.abs() > largest || value.is_nan())) {
        return Err(overflow());
    }
    Ok(())
}

/// Names the way out for files of other programs.
fn refuse_other_formats(path: &Path) -> Result<()> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let problem = match extension.to_ascii_lowercase().as_str() {
        "pt" | "pth" | "bin" | "ckpt" => format!(
            "is a pickle, which can run programs when it is opened, so tropix does not; convert it with\n\
             import torch; from safetensors.torch import save_file\n\
             state = torch.load(\"{name}\", map_location=\"cpu\", weights_only=True)\n\
             save_file({{key: value.contiguous() for key, value in state.items()}}, \"{}\")",
            Path::new(name).with_extension("safetensors").display()
        ),
        _ => return Ok(()),
    };
    if !path.exists() {
        return Err(Error::InputMissing { file: path.to_owned() });
    }
    Err(Error::Format { file: path.to_owned(), problem })
}
