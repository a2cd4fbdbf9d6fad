//! The attributes of one layer of an architecture, taken one by one.

use std::path::Path;

use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::network::Tensor;
use crate::network::format::store::Store;

/// Attributes that are still to be read.
pub(super) struct Fields<'a> {
    layer: &'a str,
    op: &'a str,
    file: &'a Path,
    left: Table,
}

impl<'a> Fields<'a> {
    pub(super) fn new(layer: &'a str, op: &'a str, file: &'a Path, attributes: Table) -> Self {
        Self { layer, op, file, left: attributes }
    }

    pub(super) fn layer(&self) -> &'a str {
        self.layer
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.left.contains_key(key)
    }

    pub(super) fn refused<T>(&self, problem: &str) -> Result<T> {
        let problem = format!("layer `{}`: {problem}", self.layer);
        Err(Error::Format { file: self.file.to_owned(), problem })
    }

    /// The name of the tensor under `key`.
    pub(super) fn name(&mut self, key: &str) -> Result<Option<String>> {
        match self.left.remove(key) {
            None => Ok(None),
            Some(Value::String(name)) => Ok(Some(name)),
            Some(other) => self.refused(&format!("`{key}` is {other}, expected the name of a tensor")),
        }
    }

    /// The weights that `key` names, with so many axes.
    pub(super) fn weight(&mut self, key: &str, axes: usize, store: &mut Store) -> Result<Tensor> {
        let Some(name) = self.name(key)? else {
            return self.refused(&format!("`{}` needs a `{key}`", self.op));
        };
        let tensor = store.take_weight(&name, self.layer)?;
        if tensor.dimensions().len() == axes {
            return Ok(tensor);
        }
        let (op, shape) = (self.op, tensor.dimensions());
        let axes = ["no", "one", "two", "three", "four"].get(axes).copied().unwrap_or("other");
        self.refused(&format!("tensor `{name}` has shape {shape:?}; `{op}` takes {axes} axes for its `{key}`"))
    }

    /// The tensor of one value per output that `key` names.
    pub(super) fn vector(&mut self, key: &str, length: usize, store: &mut Store) -> Result<Option<Tensor>> {
        let Some(name) = self.name(key)? else { return Ok(None) };
        let tensor = store.take_weight(&name, self.layer)?;
        if tensor.dimensions() == [length] {
            return Ok(Some(tensor));
        }
        let (layer, shape) = (self.layer, tensor.dimensions());
        self.refused(&format!("tensor `{name}` has shape {shape:?}, `{layer}` needs [{length}]"))
    }

    /// The counts under `key`: one number or a list.
    pub(super) fn counts(&mut self, key: &str) -> Result<Option<Vec<usize>>> {
        let Some(value) = self.left.remove(key) else { return Ok(None) };
        let count = |value: &Value| value.as_integer().and_then(|number| usize::try_from(number).ok());
        let counts = match &value {
            Value::Array(values) => values.iter().map(count).collect(),
            other => count(other).map(|count| vec![count]),
        };
        match counts {
            Some(counts) => Ok(Some(counts)),
            None => self.refused(&format!("`{key}` is {value}, expected counts")),
        }
    }

    /// Height and width under `key`: a list of two, or one number for both.
    pub(super) fn pair(&mut self, key: &str) -> Result<Option<[usize; 2]>> {
        match self.counts(key)?.as_deref() {
            None => Ok(None),
            Some(&[both]) => Ok(Some([both; 2])),
            Some(&[height, width]) => Ok(Some([height, width])),
            Some(other) => self.refused(&format!("`{key}` is {other:?}, expected one number or height and width")),
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Result<Option<f64>> {
        let Some(value) = self.left.remove(key) else { return Ok(None) };
        #[expect(clippy::cast_precision_loss, reason = "a small integer written for a number")]
        match value.as_float().or_else(|| value.as_integer().map(|integer| integer as f64)) {
            Some(number) => Ok(Some(number)),
            None => self.refused(&format!("`{key}` is {value}, expected a number")),
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>> {
        let Some(value) = self.left.remove(key) else { return Ok(None) };
        match value.as_bool() {
            Some(flag) => Ok(Some(flag)),
            None => self.refused(&format!("`{key}` is {value}, expected true or false")),
        }
    }

    /// Everything that is left.
    pub(super) fn rest(self) -> Table {
        self.left
    }

    /// Refuses every key that is not among `known`.
    pub(super) fn allow(&self, known: &[&str]) -> Result<()> {
        match self.left.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => self.refused(&format!("`{}` has no attribute `{key}`", self.op)),
        }
    }
}
