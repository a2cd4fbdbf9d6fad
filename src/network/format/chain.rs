//! The guess: when a file holds only weights, their names and shapes may allow exactly one chain of layers. The order in
//! the file is not the order of the network, so names are sorted as people number them, and every output has to feed
//! the next input. Anything else is refused, with the list of places where it breaks.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::arch::{Arch, Layer};
use super::store::{Store, require_float};
use crate::error::Result;
use crate::network::graph::mismatch;
use crate::network::{Network, Tensor};

/// The tensors of one layer, by the part of their name after the last dot.
type Group<'a> = BTreeMap<&'a str, &'a Tensor>;

const PARTS: [&str; 5] = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];

/// What the chain gives so far.
#[derive(Clone, Copy)]
enum Flow {
    Input,
    Channels(usize),
    Length(usize),
}

/// A chain under construction.
struct Chain {
    layers: Vec<Layer>,
    lines: Vec<String>,
    breaks: Vec<String>,
    flow: Flow,
    /// The layer that gives `flow`.
    giver: String,
    input: Vec<usize>,
}

/// The guessed layers.
pub(super) struct Guess {
    pub(super) arch: Arch,
    /// The chain line by line.
    pub(super) lines: Vec<String>,
    /// Where it breaks; the guess holds only if this is empty.
    pub(super) breaks: Vec<String>,
}

/// Guesses the chain of layers.
pub(super) fn guess(store: &Store) -> Result<Guess> {
    let mut groups: BTreeMap<&str, Group<'_>> = BTreeMap::new();
    for tensor in store.tensors() {
        let (layer, part) = tensor.name().rsplit_once('.').unwrap_or(("", tensor.name()));
        if PARTS.contains(&part) {
            groups.entry(layer).or_default().insert(part, tensor);
        }
    }
    let mut names: Vec<&str> = groups.keys().copied().collect();
    // Convolutions come first, whatever they are called: `features.0` before `classifier.0`.
    names.sort_by(|a, b| is_linear_part(a, &groups).cmp(&is_linear_part(b, &groups)).then_with(|| natural(a, b)));
    let mut chain = Chain {
        layers: Vec::new(),
        lines: Vec::new(),
        breaks: Vec::new(),
        flow: Flow::Input,
        giver: Network::INPUT.to_owned(),
        input: Vec::new(),
    };
    for name in names {
        if let Some(weight) = groups[name].get("weight") {
            require_float(store.file(), weight)?;
        }
        chain.push(name, &groups[name]);
    }
    if !matches!(chain.flow, Flow::Length(_)) {
        chain.breaks.push("no linear layer at the end: expected a tensor `NAME.weight` of two axes".to_owned());
    }
    Ok(Guess { arch: Arch::new(chain.input, chain.layers, store.file()), lines: chain.lines, breaks: chain.breaks })
}

/// Whether a layer belongs to the linear end: it is no convolution, nor a batch norm in a folder without linear layers.
fn is_linear_part(name: &str, groups: &BTreeMap<&str, Group<'_>>) -> bool {
    let axes = |group: &Group<'_>| group.get("weight").map_or(0, |weight| weight.dimensions().len());
    let folder = |name: &str| name.rsplit_once('.').map(|(folder, _)| folder.to_owned());
    match groups.get(name) {
        Some(group) if axes(group) == 4 => false,
        Some(group) if group.contains_key("running_mean") => {
            groups.iter().any(|(other, group)| axes(group) == 2 && folder(other) == folder(name))
        }
        _ => true,
    }
}

impl Chain {
    fn push(&mut self, name: &str, group: &Group<'_>) {
        let Some(weight) = group.get("weight") else {
            let parts: Vec<String> = group.values().map(|tensor| format!("`{}`", tensor.name())).collect();
            self.breaks.push(format!("{} without a weight", parts.join(", ")));
            return;
        };
        let label = match name {
            "" => "layer".to_owned(),
            Network::INPUT => format!("{name}.layer"),
            _ => name.to_owned(),
        };
        match *weight.dimensions() {
            [outputs, inputs] => self.linear(&label, outputs, inputs),
            [outputs, inputs, _, _] => self.convolution(&label, outputs, inputs),
            [width] if group.contains_key("running_mean") => self.norm(&label, width),
            _ => {
                let shape = weight.dimensions();
                self.breaks.push(format!(
                    "`{}` has shape {shape:?}: neither linear, convolution nor batch norm",
                    weight.name()
                ));
                return;
            }
        }
        if let Some(layer) = self.layers.last_mut() {
            let tensors = group.iter().map(|(part, tensor)| ((*part).to_owned(), tensor.name().into()));
            layer.attributes.extend(tensors);
        }
        self.giver = label;
    }

    fn linear(&mut self, label: &str, outputs: usize, inputs: usize) {
        match self.flow {
            Flow::Input => self.input = vec![inputs],
            Flow::Channels(channels) => {
                self.unknown();
                self.add("flatten", "flatten");
                if !inputs.is_multiple_of(channels) {
                    self.breaks.push(format!("`{}` gives {channels} channels, `{label}` takes {inputs}", self.giver));
                }
            }
            Flow::Length(given) => {
                self.add(&format!("{}.relu", self.giver), "relu");
                self.lines.push("relu (assumed)".to_owned());
                if given != inputs {
                    self.breaks.push(mismatch(&self.giver, given, label, inputs));
                }
            }
        }
        self.add(label, "linear");
        self.lines.push(format!("{label}: linear {inputs} -> {outputs}"));
        self.flow = Flow::Length(outputs);
    }

    fn convolution(&mut self, label: &str, outputs: usize, inputs: usize) {
        match self.flow {
            Flow::Input => {}
            Flow::Channels(given) => {
                self.unknown();
                if given != inputs {
                    self.breaks.push(mismatch(&self.giver, given, label, inputs));
                }
            }
            Flow::Length(_) => self.breaks.push(format!("convolution `{label}` after linear `{}`", self.giver)),
        }
        self.add(label, "conv2d");
        self.lines.push(format!("{label}: conv2d {inputs} -> {outputs} channels, carried as it is"));
        self.flow = Flow::Channels(outputs);
    }

    fn norm(&mut self, label: &str, width: usize) {
        match self.flow {
            Flow::Input => self.breaks.push(format!("batch norm `{label}` before any layer that it could follow")),
            _ if self.layers.last().is_some_and(|layer| layer.op == "batchnorm") => {
                self.breaks.push(format!("batch norm `{label}` after batch norm `{}`", self.giver));
            }
            Flow::Channels(given) | Flow::Length(given) if given != width => {
                self.breaks.push(mismatch(&self.giver, given, label, width));
            }
            Flow::Channels(_) | Flow::Length(_) => {}
        }
        self.add(label, "batchnorm");
        self.lines.push(format!("{label}: batchnorm of {width}, carried as it is"));
    }

    /// Activation and pooling behind a convolution leave no weights, so the graph says that something is there.
    fn unknown(&mut self) {
        self.add(&format!("{}.then", self.giver), "unknown");
        self.lines.push("activation and pooling unknown, carried as they are".to_owned());
    }

    fn add(&mut self, name: &str, op: &str) {
        self.layers.push(Layer::new(name.to_owned(), op));
    }
}

/// Compares names with runs of digits as numbers: `fc2` comes before `fc10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (Some(&x), Some(&y)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len());
        };
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (left, right) = (number(&mut a), number(&mut b));
            left.len().cmp(&right.len()).then(left.cmp(right))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            x.cmp(&y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Cuts a run of digits from the front and returns it without leading zeros.
fn number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_number_them() {
        let mut names = ["fc10", "fc2", "fc", "features.10", "features.9", "fc02", "classifier.0"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["classifier.0", "fc", "fc2", "fc02", "fc10", "features.9", "features.10"]);
    }
}
