//! Takes units out of a graph: which weights stay, and which constants that name sizes change.
//!
//! Sizes that operators compute from others are put right by [`super::repair`], once the smaller graph is there.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::classes::NONE;
use super::facet::Flow;
use super::graph::{Attribute, OperatorGraph, ValueId};
use super::numbers::{Numbers, Source, axis, slices};
use super::repair::whole_shape;
use super::walk::{Analysis, Granularity, Seeds, Value};
use crate::error::{Error, Result};

/// What stays along an axis of a constant, as one operator reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptAxis {
    pub(crate) operator: usize,
    pub(crate) input: usize,
    pub(crate) constant: ValueId,
    pub(crate) axis: usize,
    /// Groups of a convolution whose columns these are, each with as many of them.
    pub(crate) groups: usize,
    /// Places that stay, ascending.
    pub(crate) kept: Vec<usize>,
}

/// New integers for an input of an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resized {
    pub(crate) operator: usize,
    pub(crate) input: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<i64>,
}

/// What has to change when units go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edits {
    pub(crate) weights: Vec<KeptAxis>,
    pub(crate) sizes: Vec<Resized>,
    /// Attributes by operator and name; none where one goes.
    pub(crate) attributes: Vec<(usize, String, Option<Attribute>)>,
    /// The classes that are left, for [`super::check`].
    pub(crate) seeds: Seeds,
    /// Whether they are those of units, or of whole heads.
    pub(crate) granularity: Granularity,
    /// The shape of each value that has another one, for one sample.
    pub(crate) shapes: BTreeMap<ValueId, Vec<usize>>,
}

struct Cut<'a, 'g> {
    graph: &'g OperatorGraph,
    analysis: &'a Analysis<'g>,
    /// Shapes for two samples, to see what depends on their number.
    twice: Analysis<'g>,
    gone: &'a HashSet<u32>,
    after: HashMap<ValueId, Vec<usize>>,
    /// Single numbers of constants, by operator, input and place.
    numbers: BTreeMap<(usize, usize), BTreeMap<usize, i64>>,
    edits: Edits,
}

/// What changes in `graph` when the classes `gone` go.
///
/// # Errors
///
/// [`Error::Internal`] if what is left of a value has no shape, [`Error::Unsupported`] for a size that cannot be written.
pub(crate) fn cut(graph: &OperatorGraph, analysis: &Analysis<'_>, gone: &HashSet<u32>) -> Result<Edits> {
    let twice = Analysis::run(graph, 2, false, None)?;
    let edits = Edits { granularity: analysis.granularity(), ..Edits::default() };
    let mut cut = Cut { graph, analysis, twice, gone, after: HashMap::new(), numbers: BTreeMap::new(), edits };
    cut.shapes()?;
    cut.weights();
    for at in 0..graph.operators.len() {
        let done = cut.operator(at);
        done.map_err(|problem| {
            let operator = &graph.operators[at];
            Error::Unsupported { problem: format!("`{}` ({}): {problem}", operator.name, operator.kind) }
        })?;
    }
    cut.single_numbers();
    Ok(cut.edits)
}

type Done = std::result::Result<(), String>;

impl Cut<'_, '_> {
    fn stays(&self, label: u32) -> bool {
        !self.gone.contains(&self.analysis.classes.root(label))
    }

    fn shapes(&mut self) -> Result<()> {
        for (value, known) in self.analysis.values.iter().enumerate() {
            let Value::Flow(flow) = known else { continue };
            let shape = flow.shape_of(&|label| self.stays(label)).ok_or_else(|| Error::Internal {
                what: format!("what is left of `{}` has no shape", self.graph.values[value]),
            })?;
            if shape != flow.shape {
                self.edits.shapes.insert(value, shape.clone());
            }
            self.after.insert(value, shape);
        }
        Ok(())
    }

    /// The class that a label had, for the check of what is left. Where one head is left of several, its dimensions meet what
    /// stays the same within heads, and stays in any case.
    fn seed(&self, label: u32) -> u32 {
        let classes = &self.analysis.classes;
        let any = self.edits.granularity == Granularity::Heads && classes.reason(label).is_some();
        if any { NONE } else { classes.root(label) }
    }

    fn weights(&mut self) {
        for owner in &self.analysis.owners {
            let kept: Vec<usize> = (0..owner.labels.len()).filter(|at| self.stays(owner.labels[*at])).collect();
            let classes = kept.iter().map(|at| self.seed(owner.labels[*at])).collect();
            self.edits.seeds.insert((owner.operator, owner.input, owner.axis), classes);
            if kept.len() < owner.labels.len() {
                let (operator, input, constant) = (owner.operator, owner.input, owner.constant);
                let (axis, groups) = (owner.axis, owner.groups);
                self.edits.weights.push(KeptAxis { operator, input, constant, axis, groups, kept });
            }
        }
    }

    fn flow(&self, value: Option<ValueId>) -> Option<&Flow> {
        match &self.analysis.values[value?] {
            Value::Flow(flow) => Some(flow),
            _ => None,
        }
    }

    /// The shape that a value has after the cut.
    fn shape_after(&self, value: ValueId) -> Option<Vec<usize>> {
        self.after.get(&value).cloned().or_else(|| self.analysis.shape(value))
    }

    /// The numbers of an input, with their sources.
    fn given(&self, at: usize, input: usize) -> Option<Numbers> {
        match &self.analysis.values[self.graph.operators[at].input(input)?] {
            Value::Numbers(numbers) => Some(numbers.entering(at, input)),
            _ => None,
        }
    }

    fn operator(&mut self, at: usize) -> Done {
        let operator = &self.graph.operators[at];
        let changed = |value: &Option<ValueId>| value.is_some_and(|value| self.edits.shapes.contains_key(&value));
        let touched = operator.inputs.iter().chain(&operator.outputs).any(changed);
        match operator.kind.as_str() {
            _ if !touched => Ok(()),
            "Conv" | "ConvTranspose" => {
                self.groups(at);
                Ok(())
            }
            "Reshape" | "Expand" => self.resize(at, 1),
            "ConstantOfShape" => self.resize(at, 0),
            "Resize" | "Upsample" => self.resize(at, 3),
            "Slice" => self.slice(at),
            "Split" => self.split(at),
            "Gather" => self.gather(at),
            "Pad" => self.pad(at),
            _ => Ok(()),
        }
    }

    /// Sets an attribute, or takes it away.
    fn attribute(&mut self, at: usize, name: &str, value: Option<Attribute>) {
        self.edits.attributes.push((at, name.to_owned(), value));
    }

    /// A depthwise convolution has as many groups as channels.
    fn groups(&mut self, at: usize) {
        let operator = &self.graph.operators[at];
        let weights = operator.input(1).and_then(|value| self.graph.weights(value));
        let channels = |shape: Option<Vec<usize>>| shape.and_then(|shape| shape.get(1).copied()).map(signed);
        let before = channels(operator.input(0).and_then(|value| self.analysis.shape(value)));
        let after = channels(operator.input(0).and_then(|value| self.shape_after(value)));
        let groups = operator.int("group", 1);
        let single = weights.is_some_and(|weights| weights.dimensions().get(1) == Some(&1));
        if let (true, true, Some(after)) = (single && groups > 1, before == Some(groups), after) {
            self.attribute(at, "group", Some(Attribute::Int(after)));
        }
    }

    /// A shape as an input: entries that name what shrank are written anew.
    fn resize(&mut self, at: usize, input: usize) -> Done {
        let operator = &self.graph.operators[at];
        let Some(output) = operator.outputs.first().copied().flatten() else { return Ok(()) };
        let (Some(before), Some(after)) = (self.analysis.shape(output), self.shape_after(output)) else {
            return Ok(());
        };
        let kind = operator.kind.as_str();
        let Some(numbers) = self.given(at, input) else {
            // Old models have it as an attribute.
            if let Some(shape) = operator.ints("shape").filter(|_| kind == "Reshape") {
                let entry = |(axis, entry): (usize, &i64)| if *entry > 0 { signed(after[axis]) } else { *entry };
                let shape: Vec<i64> = shape.iter().enumerate().map(entry).collect();
                self.attribute(at, "shape", Some(Attribute::Ints(shape)));
            }
            return Ok(());
        };
        let entries = numbers.integers();
        let ahead = after.len() - entries.len();
        let (mut single, mut whole) = (Vec::new(), false);
        for (index, entry) in entries.iter().enumerate() {
            let axis = ahead + index;
            let open = match kind {
                "Reshape" => *entry <= 0,
                "Expand" => *entry == 1,
                _ => false,
            };
            if open {
                continue;
            }
            match numbers.source(index) {
                Source::Constant { .. } if before[axis] == after[axis] => {}
                Source::Constant { operator, input, index } => {
                    single.push((operator, input, index, signed(after[axis])))
                }
                Source::Axis { value, axis: of } => {
                    let length = self.shape_after(value).and_then(|shape| shape.get(of).copied());
                    whole |= length != Some(after[axis]);
                }
                Source::Computed | Source::Raw => whole = true,
            }
        }
        if !whole {
            for (operator, input, index, value) in single {
                self.numbers.entry((operator, input)).or_default().insert(index, value);
            }
            return Ok(());
        }
        let values = whole_shape(self.graph, (self.analysis, &self.twice), &self.edits, at)?;
        self.edits.sizes.push(Resized { operator: at, input, shape: vec![values.len()], values });
        Ok(())
    }

    fn slice(&mut self, at: usize) -> Done {
        let operator = &self.graph.operators[at];
        let Some(flow) = self.flow(operator.input(0)) else { return Ok(()) };
        let numbers: Vec<Option<Numbers>> = (0..operator.inputs.len()).map(|input| self.given(at, input)).collect();
        let inputs: Vec<Option<&Numbers>> = numbers.iter().map(Option::as_ref).collect();
        let Some(taken) = slices(operator, &inputs, &flow.shape) else { return Ok(()) };
        let given = |input: usize, name: &str| match inputs.get(input).copied().flatten() {
            Some(numbers) => numbers.integers(),
            None => operator.ints(name).map(<[i64]>::to_vec).unwrap_or_default(),
        };
        let (mut starts, mut ends) = (given(1, "starts"), given(2, "ends"));
        let mut moved = false;
        for (index, (axis, places)) in taken.iter().enumerate() {
            let stays = flow.stays_along(*axis, &|label| self.stays(label));
            if stays.iter().all(|stays| *stays) {
                continue;
            }
            let count = |end: usize| stays[..end].iter().filter(|stays| **stays).count();
            let (first, last) = (places.first().copied().unwrap_or(0), places.last().map_or(0, |last| last + 1));
            (starts[index], ends[index]) = (signed(count(first)), signed(count(last)));
            moved = true;
        }
        if !moved {
            return Ok(());
        }
        if operator.input(1).is_none() {
            self.attribute(at, "starts", Some(Attribute::Ints(starts)));
            self.attribute(at, "ends", Some(Attribute::Ints(ends)));
            return Ok(());
        }
        for (input, values) in [(1, starts), (2, ends)] {
            self.edits.sizes.push(Resized { operator: at, input, shape: vec![values.len()], values });
        }
        Ok(())
    }

    fn split(&mut self, at: usize) -> Done {
        let operator = &self.graph.operators[at];
        let Some(flow) = self.flow(operator.input(0)) else { return Ok(()) };
        let along = axis(operator.int("axis", 0), flow.shape.len()).unwrap_or(0);
        let length = |output: &Option<ValueId>| {
            output.and_then(|output| self.shape_after(output)).map(|shape| signed(shape[along]))
        };
        let sizes: Vec<i64> =
            operator.outputs.iter().map(length).collect::<Option<_>>().ok_or("has an output of unknown shape")?;
        let even = sizes.windows(2).all(|pair| pair[0] == pair[1]);
        if operator.input(1).is_some() {
            self.edits.sizes.push(Resized { operator: at, input: 1, shape: vec![sizes.len()], values: sizes });
        } else if operator.ints("split").is_some() || (self.graph.opset < 13 && !even) {
            self.attribute(at, "split", Some(Attribute::Ints(sizes)));
        } else if !even {
            self.attribute(at, "num_outputs", None);
            self.edits.sizes.push(Resized { operator: at, input: 1, shape: vec![sizes.len()], values: sizes });
        }
        Ok(())
    }

    fn gather(&mut self, at: usize) -> Done {
        let operator = &self.graph.operators[at];
        let (Some(flow), Some(indices)) = (self.flow(operator.input(0)), self.given(at, 1)) else { return Ok(()) };
        let along = axis(operator.int("axis", 0), flow.shape.len()).unwrap_or(0);
        let stays = flow.stays_along(along, &|label| self.stays(label));
        if stays.iter().all(|stays| *stays) {
            return Ok(());
        }
        let length = signed(stays.len());
        let places = indices
            .integers()
            .into_iter()
            .map(|at| usize::try_from(if at < 0 { at + length } else { at }).unwrap_or(0));
        let values: Vec<i64> = places
            .filter(|at| stays[*at])
            .map(|at| signed(stays[..at].iter().filter(|stays| **stays).count()))
            .collect();
        self.edits.sizes.push(Resized { operator: at, input: 1, shape: vec![values.len()], values });
        Ok(())
    }

    fn pad(&mut self, at: usize) -> Done {
        let operator = &self.graph.operators[at];
        let (Some(before), Some(after)) =
            (self.flow(operator.input(0)), self.flow(operator.outputs.first().copied().flatten()))
        else {
            return Ok(());
        };
        let rank = before.shape.len();
        let pads = self.given(at, 1).map(|numbers| numbers.integers());
        let mut pads = pads.or_else(|| operator.ints("pads").map(<[i64]>::to_vec)).unwrap_or_default();
        let axes: Vec<usize> = match self.given(at, 3) {
            Some(axes) => axes.integers().iter().filter_map(|at| axis(*at, rank)).collect(),
            None => (0..rank).collect(),
        };
        let mut moved = false;
        for (index, axis) in axes.iter().copied().enumerate() {
            let stays = after.stays_along(axis, &|label| self.stays(label));
            let count = |side: i64, behind: bool| {
                let side = usize::try_from(side).unwrap_or(0).min(stays.len());
                let part = if behind { &stays[stays.len() - side..] } else { &stays[..side] };
                signed(part.iter().filter(|stays| **stays).count())
            };
            let (front, back) = (count(pads[index], false), count(pads[axes.len() + index], true));
            moved |= front != pads[index] || back != pads[axes.len() + index];
            (pads[index], pads[axes.len() + index]) = (front, back);
        }
        if !moved {
            return Ok(());
        }
        if operator.input(1).is_some() {
            self.edits.sizes.push(Resized { operator: at, input: 1, shape: vec![pads.len()], values: pads });
        } else {
            self.attribute(at, "pads", Some(Attribute::Ints(pads)));
        }
        Ok(())
    }

    /// Writes the constants of which single numbers change.
    fn single_numbers(&mut self) {
        for ((operator, input), changes) in std::mem::take(&mut self.numbers) {
            let Some(numbers) = self.given(operator, input) else { continue };
            let mut values = numbers.integers();
            for (index, value) in changes {
                values[index] = value;
            }
            let shape = numbers.shape().to_vec();
            self.edits.sizes.push(Resized { operator, input, shape, values });
        }
    }
}

pub(super) fn signed(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
