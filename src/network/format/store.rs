//! The tensors of a model file while its graph is built: each is used once, what nobody uses is kept.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::network::Tensor;

/// Names shown when one is missing.
const NEAREST: usize = 3;

/// Tensors by name.
pub(super) struct Store {
    file: PathBuf,
    tensors: Vec<Tensor>,
    index: HashMap<String, usize>,
    /// The layer that uses each tensor.
    users: Vec<Option<String>>,
    /// What the user should know of the tensors.
    pub(super) warnings: Vec<String>,
}

impl Store {
    /// Collects the tensors of `file`, whose names are unique.
    pub(super) fn new(file: &Path, tensors: Vec<Tensor>) -> Self {
        let index = tensors.iter().enumerate().map(|(i, tensor)| (tensor.name().to_owned(), i)).collect();
        let users = vec![None; tensors.len()];
        Self { file: file.to_owned(), tensors, index, users, warnings: Vec::new() }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// The tensor called `name`, for `layer`.
    pub(super) fn take(&mut self, name: &str, layer: &str) -> Result<Tensor> {
        let Some(&at) = self.index.get(name) else {
            return Err(missing(&self.file, name, self.tensors.iter().map(Tensor::name)));
        };
        if let Some(user) = self.users[at].replace(layer.to_owned()) {
            let problem =
                format!("tensor `{name}` is used by `{user}` and by `{layer}`; shared tensors are not supported");
            return Err(Error::Format { file: self.file.clone(), problem });
        }
        Ok(self.tensors[at].clone())
    }

    /// The tensor called `name`, which has to be of finite floats.
    pub(super) fn take_weight(&mut self, name: &str, layer: &str) -> Result<Tensor> {
        let tensor = self.take(name, layer)?;
        require_float(&self.file, &tensor)?;
        if tensor.element().bits() > 32 {
            self.warnings.push(format!("tensor `{name}` is {}: computed in f32", tensor.element().name()));
        }
        if let Some((index, count)) = tensor.non_finite() {
            return Err(Error::NonFinite { file: self.file.clone(), tensor: name.to_owned(), index, count });
        }
        Ok(tensor)
    }

    /// What no layer has taken.
    pub(super) fn take_rest(&mut self) -> Vec<Tensor> {
        let unused = self.tensors.iter().zip(&self.users).filter(|(_, user)| user.is_none());
        unused.map(|(tensor, _)| tensor.clone()).collect()
    }
}

/// Refuses weights that tropix does not compute with.
pub(super) fn require_float(file: &Path, tensor: &Tensor) -> Result<()> {
    if tensor.is_empty() {
        let problem = format!("tensor `{}` is empty (shape {:?})", tensor.name(), tensor.dimensions());
        return Err(Error::Format { file: file.to_owned(), problem });
    }
    if tensor.element().is_float() {
        return Ok(());
    }
    let (name, element) = (tensor.name(), tensor.element().name());
    let problem = format!("tensor `{name}` has element type {element}; weights are F32, F16, BF16 or F64");
    Err(Error::Format { file: file.to_owned(), problem })
}

/// The error for a tensor that is not there, with the names most like it.
pub(super) fn missing<'a>(file: &Path, name: &str, names: impl Iterator<Item = &'a str>) -> Error {
    let mut nearest: Vec<(usize, &str)> = names.map(|other| (distance(name, other), other)).collect();
    nearest.sort_unstable();
    let nearest = nearest.into_iter().take(NEAREST).map(|(_, other)| format!("`{other}`")).collect();
    Error::TensorMissing { file: file.to_owned(), name: name.to_owned(), nearest }
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
