//! The architecture: which layers there are, in which order, and which tensors they use. As JSON it travels inside the
//! model file (`tropix.arch`), as TOML it is written by hand.

mod fields;
mod functions;
mod ops;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::store::Store;
use crate::error::{Error, Result};
use crate::nesting;
use crate::network::{Network, Node, Normalize, Origin};

/// The version of the grammar that this program reads and writes.
const VERSION: u32 = 1;

/// An architecture as it stands in a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arch {
    pub(super) version: u32,
    /// Shape of one input without the batch axis; empty if unknown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) input: Vec<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) normalize: Option<Normalize>,
    pub(super) layer: Vec<Layer>,
    /// Where it stands, for messages.
    #[serde(skip)]
    file: PathBuf,
}

/// One layer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) op: String,
    /// Names of the layers it reads; the layer before it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inputs: Option<Vec<String>>,
    /// Tensor names and whatever else belongs to the operation.
    #[serde(flatten)]
    pub(super) attributes: Table,
}

impl Layer {
    /// A layer that reads the one before it.
    pub(super) fn new(name: String, op: &str) -> Self {
        Self { name, op: op.to_owned(), inputs: None, attributes: Table::new() }
    }
}

impl Arch {
    pub(super) fn new(input: Vec<usize>, layer: Vec<Layer>, file: &Path) -> Self {
        Self { version: VERSION, input, normalize: None, layer, file: file.to_owned() }
    }

    /// Reads the TOML form.
    pub(super) fn from_toml(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::InputMissing { file: path.to_owned() },
            std::io::ErrorKind::InvalidData => {
                Error::Format { file: path.to_owned(), problem: "is not a text file".to_owned() }
            }
            _ => Error::Io { file: path.to_owned(), source },
        })?;
        nesting::check(text.as_bytes(), nesting::DEEPEST)
            .map_err(|problem| Error::Format { file: path.to_owned(), problem })?;
        let arch: Self = toml::from_str(&text)
            .map_err(|error| Error::Format { file: path.to_owned(), problem: error.to_string().trim().to_owned() })?;
        arch.checked(path)
    }

    /// Reads the JSON form that stands in the metadata of `file`.
    pub(super) fn from_json(text: &str, file: &Path) -> Result<Self> {
        let refused =
            |problem: String| Error::Format { file: file.to_owned(), problem: format!("`tropix.arch`: {problem}") };
        nesting::check(text.as_bytes(), nesting::DEEPEST).map_err(refused)?;
        serde_json::from_str::<Self>(text).map_err(|error| refused(error.to_string()))?.checked(file)
    }

    fn checked(self, file: &Path) -> Result<Self> {
        let refused = |problem: String| Error::Format { file: file.to_owned(), problem };
        if self.version != VERSION {
            return Err(refused(format!("architecture version {}, this program reads {VERSION}", self.version)));
        }
        if self.layer.is_empty() {
            return Err(refused("architecture without layers".to_owned()));
        }
        if let Some(axis) = self.input.iter().find(|axis| **axis == 0) {
            return Err(refused(format!("`input` {:?} has an axis of length {axis}", self.input)));
        }
        if self.input.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis)).is_none() {
            return Err(refused(format!("the product of `input` {:?} overflows", self.input)));
        }
        Ok(Self { file: file.to_owned(), ..self })
    }

    /// Builds the graph, taking tensors from `store`.
    pub(super) fn build(self, store: &mut Store, origin: Origin) -> Result<Network> {
        let mut nodes: Vec<Node> = Vec::with_capacity(self.layer.len());
        for mut layer in self.layer {
            let before = nodes.last().map_or(Network::INPUT, |node| node.name.as_str());
            let inputs = layer.inputs.take().unwrap_or_else(|| vec![before.to_owned()]);
            let name = layer.name.clone();
            let op = ops::op(layer, &self.file, store)?;
            nodes.push(Node { name, op, inputs });
        }
        let extra = store.take_rest();
        let network = Network { nodes, input: self.input, normalize: self.normalize, extra, origin };
        network.shapes().map_err(|breaks| Error::Chain { file: store.file().to_owned(), breaks })?;
        Ok(network)
    }

    /// The architecture of a network.
    pub(super) fn of(network: &Network) -> Self {
        let mut before = Network::INPUT;
        let mut layers = Vec::with_capacity(network.nodes.len());
        for node in &network.nodes {
            let mut layer = Layer::new(node.name.clone(), node.op.name());
            if !matches!(node.inputs.as_slice(), [only] if only == before) {
                layer.inputs = Some(node.inputs.clone());
            }
            layer.attributes = ops::attributes(&node.op);
            layers.push(layer);
            before = &node.name;
        }
        Self { normalize: network.normalize.clone(), ..Self::new(network.input.clone(), layers, Path::new("")) }
    }

    /// The JSON form.
    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Internal { what: format!("architecture: {error}") })
    }

    /// The TOML form, one line per layer.
    pub(super) fn to_toml(&self) -> String {
        let mut text = format!("version = {}\n", self.version);
        if !self.input.is_empty() {
            text += &format!("input = {:?}\n", self.input);
        }
        if let Some(Normalize { scale, mean, std }) = &self.normalize {
            text += &format!("normalize = {{ scale = {scale:?}, mean = {mean:?}, std = {std:?} }}\n");
        }
        text += "layer = [\n";
        for layer in &self.layer {
            let mut fields = vec![("name", Value::from(layer.name.as_str())), ("op", Value::from(layer.op.as_str()))];
            if let Some(inputs) = &layer.inputs {
                fields.push(("inputs", inputs.iter().map(String::as_str).collect::<Vec<_>>().into()));
            }
            fields.extend(layer.attributes.iter().map(|(key, value)| (key.as_str(), value.clone())));
            // A table of one entry prints as `{ key = value }`, with the quotes that key and value need.
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(key, value)| Value::from(Table::from_iter([(key.to_owned(), value)])).to_string())
                .map(|table| table.trim_start_matches("{ ").trim_end_matches(" }").to_owned())
                .collect();
            text += &format!("  {{ {} }},\n", fields.join(", "));
        }
        text + "]\n"
    }
}
