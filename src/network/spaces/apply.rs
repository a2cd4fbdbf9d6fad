//! Carries out the edits of a cut on a graph.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::cut::{Edits, KeptAxis, Resized};
use super::graph::{Constant, OperatorGraph, ValueId};
use super::numbers::{Numbers, exact};
use crate::error::{Error, Result};
use crate::network::Tensor;

/// The axes of a constant that become shorter, for one reader.
type Cuts = Vec<(usize, usize, Vec<usize>)>;

impl OperatorGraph {
    /// The graph with smaller weights, other sizes and attributes. A constant that all its readers cut alike keeps its name.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] for edits of another graph.
    pub(crate) fn edited(&self, edits: &Edits) -> Result<Self> {
        let mut graph = self.clone();
        let mut names: HashSet<String> = graph.values.iter().cloned().collect();
        graph.cut_weights(&edits.weights, &mut names)?;
        for resized in &edits.sizes {
            graph.resize(resized, &mut names)?;
        }
        for (operator, name, attribute) in &edits.attributes {
            let attributes = &mut graph.operators[*operator].attributes;
            match attribute {
                None => drop(attributes.remove(name)),
                Some(attribute) => drop(attributes.insert(name.clone(), attribute.clone())),
            }
        }
        Ok(graph)
    }

    /// Gives an operator new integers.
    fn resize(&mut self, resized: &Resized, names: &mut HashSet<String>) -> Result<()> {
        let name = fresh(names, &format!("{}.sizes.{}", self.operators[resized.operator].name, resized.input));
        let values = resized.values.iter().map(|value| exact(*value)).collect();
        let numbers = Numbers::constant(resized.shape.clone(), values, false);
        let numbers = numbers.ok_or_else(|| Error::Internal { what: format!("`{name}` has another shape") })?;
        let id = self.added(name, Constant::Numbers(numbers));
        self.connect(resized.operator, resized.input, id);
        Ok(())
    }

    /// Gives an operator new integers after all other edits.
    pub(super) fn resized(&mut self, resized: &Resized) -> Result<()> {
        let mut names: HashSet<String> = self.values.iter().cloned().collect();
        self.resize(resized, &mut names)
    }

    /// Gives an operator other floats, under a name of their own where others read those that it has.
    pub(crate) fn replace(&mut self, operator: usize, input: usize, tensor: Tensor) {
        let old = self.operators[operator].input(input);
        let readers = self.operators.iter().flat_map(|operator| &operator.inputs);
        let alone = old.is_some() && readers.filter(|input| **input == old).count() == 1;
        match old.filter(|_| alone) {
            Some(old) => drop(self.constants.insert(old, Constant::Weights(tensor))),
            None => {
                let mut names: HashSet<String> = self.values.iter().cloned().collect();
                let name = match old {
                    Some(_) => format!("{}.{}", tensor.name(), self.operators[operator].name),
                    None => tensor.name().to_owned(),
                };
                let name = fresh(&mut names, &name);
                let id = self.added(name.clone(), Constant::Weights(tensor.named(name)));
                self.connect(operator, input, id);
            }
        }
    }

    fn connect(&mut self, operator: usize, input: usize, value: ValueId) {
        let inputs = &mut self.operators[operator].inputs;
        inputs.resize(inputs.len().max(input + 1), None);
        inputs[input] = Some(value);
    }

    fn added(&mut self, name: String, constant: Constant) -> ValueId {
        self.values.push(name);
        self.constants.insert(self.values.len() - 1, constant);
        self.values.len() - 1
    }

    fn cut_weights(&mut self, weights: &[KeptAxis], names: &mut HashSet<String>) -> Result<()> {
        let mut cuts: BTreeMap<ValueId, BTreeMap<(usize, usize), Cuts>> = BTreeMap::new();
        for axis in weights {
            let constant = self.operators.get(axis.operator).and_then(|operator| operator.input(axis.input));
            let constant = constant.ok_or_else(|| Error::Internal { what: "a cut of a missing input".to_owned() })?;
            let uses = cuts.entry(constant).or_default().entry((axis.operator, axis.input)).or_default();
            uses.push((axis.axis, axis.groups, axis.kept.clone()));
        }
        for (constant, uses) in cuts {
            let tensor = match self.constants.get(&constant) {
                Some(Constant::Weights(tensor)) => tensor.clone(),
                _ => return Err(Error::Internal { what: format!("`{}` holds no floats", self.values[constant]) }),
            };
            let readers = self.operators.iter().flat_map(|operator| &operator.inputs);
            let readers = readers.filter(|input| **input == Some(constant)).count();
            let mut made: HashMap<&Cuts, ValueId> = HashMap::new();
            let alike = uses.values().all(|cuts| Some(cuts) == uses.values().next()) && uses.len() == readers;
            for ((operator, input), cuts) in &uses {
                let id = match made.get(cuts) {
                    Some(id) => *id,
                    None => {
                        let name = if alike {
                            tensor.name().to_owned()
                        } else {
                            fresh(names, &format!("{}.{}", tensor.name(), self.operators[*operator].name))
                        };
                        let smaller = Constant::Weights(smaller(&tensor, cuts, name.clone())?);
                        let id = if alike {
                            self.constants.insert(constant, smaller);
                            constant
                        } else {
                            self.added(name, smaller)
                        };
                        made.insert(cuts, id);
                        id
                    }
                };
                self.operators[*operator].inputs[*input] = Some(id);
            }
        }
        Ok(())
    }
}

/// A name that no value has yet.
fn fresh(names: &mut HashSet<String>, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while !names.insert(name.clone()) {
        name.push('_');
    }
    name
}

/// What stays of a tensor.
pub(super) fn smaller(tensor: &Tensor, cuts: &Cuts, name: String) -> Result<Tensor> {
    let (mut shape, mut values) = (tensor.dimensions().to_vec(), tensor.to_vec());
    tensor.release();
    // The rows of a grouped convolution are cut first: its groups of columns are by the rows that stay.
    for (axis, _, kept) in cuts.iter().filter(|(_, groups, _)| *groups == 1) {
        values = taken(&values, &shape, *axis, kept);
        shape[*axis] = kept.len();
    }
    for (axis, groups, kept) in cuts.iter().filter(|(_, groups, _)| *groups > 1) {
        let each = shape[*axis];
        let rows = shape[0] / groups;
        let row = values.len() / shape[0].max(1);
        let mut all = Vec::new();
        let less = kept.len() / groups;
        for group in 0..*groups {
            let own = kept.iter().filter(|at| **at / each == group).map(|at| at % each);
            let own: Vec<usize> = own.collect();
            if own.len() != less {
                return Err(Error::Internal { what: format!("groups of `{}` lose different numbers", tensor.name()) });
            }
            let first = group * rows * row;
            let mut part = shape.clone();
            part[0] = rows;
            all.extend(taken(&values[first..first + rows * row], &part, *axis, &own));
        }
        values = all;
        shape[*axis] = less;
    }
    Tensor::owned(&name, tensor.element(), shape, values)
}

fn taken(values: &[f32], shape: &[usize], axis: usize, kept: &[usize]) -> Vec<f32> {
    let before: usize = shape[..axis].iter().product();
    let (length, after): (usize, usize) = (shape[axis], shape[axis + 1..].iter().product());
    let mut out = Vec::with_capacity(before * kept.len() * after);
    for block in 0..before {
        for at in kept {
            let first = (block * length + at) * after;
            out.extend_from_slice(&values[first..first + after]);
        }
    }
    out
}
