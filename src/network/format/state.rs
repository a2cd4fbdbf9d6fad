//! The state of a computation that goes on later: named arrays and a text about them, as a safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::write::Pending;
use crate::error::{Error, Result};

/// Where the text stands in the metadata of the file.
const ABOUT: &str = "tropix.state";

/// Numbers of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Numbers {
    Single(Vec<f32>),
    Double(Vec<f64>),
    Index(Vec<u32>),
}

/// Arrays by name, each with its shape, and a text about them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct State {
    pub(crate) arrays: BTreeMap<String, (Vec<usize>, Numbers)>,
    pub(crate) about: String,
}

impl Numbers {
    fn bytes(&self) -> (Dtype, Vec<u8>) {
        match self {
            Self::Single(values) => (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::Double(values) => (Dtype::F64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::Index(values) => (Dtype::U32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        }
    }

    fn of(kind: Dtype, bytes: &[u8]) -> Option<Self> {
        let (singles, doubles) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
        match kind {
            Dtype::F32 => Some(Self::Single(singles.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())),
            Dtype::F64 => Some(Self::Double(doubles.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())),
            Dtype::U32 => Some(Self::Index(singles.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect())),
            _ => None,
        }
    }
}

impl State {
    /// Writes the file beside its name and renames it, so that the one before stays whole until this one is.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let bytes: Vec<_> = self.arrays.iter().map(|(name, (shape, numbers))| (name, shape, numbers.bytes())).collect();
        let views = bytes.iter().map(|(name, shape, (kind, bytes))| {
            let view = TensorView::new(*kind, (*shape).clone(), bytes);
            view.map(|view| (*name, view)).map_err(|error| Error::Internal { what: error.to_string() })
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        let metadata = HashMap::from([(ABOUT.to_owned(), self.about.clone())]);
        let file = safetensors::serialize(views, Some(metadata));
        let file = file.map_err(|error| Error::Internal { what: error.to_string() })?;
        Pending::write(path, |out| out.write_all(&file))?.publish(true)
    }

    /// Reads what [`save`](Self::save) has written.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let fault = |problem: String| Error::Format { file: path.to_owned(), problem };
        let bytes = std::fs::read(path).map_err(|source| Error::Io { file: path.to_owned(), source })?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| fault(error.to_string()))?;
        let about = header.metadata().as_ref().and_then(|all| all.get(ABOUT)).cloned();
        let about = about.ok_or_else(|| fault(format!("no `{ABOUT}` in its metadata: not a state of tropix")))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| fault(error.to_string()))?;
        let arrays = file.iter().map(|(name, view)| {
            let numbers = Numbers::of(view.dtype(), view.data());
            let numbers = numbers.ok_or_else(|| fault(format!("tensor `{name}` has type {:?}", view.dtype())))?;
            Ok((name.to_owned(), (view.shape().to_vec(), numbers)))
        });
        Ok(Self { arrays: arrays.collect::<Result<_>>()?, about })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn states_are_read_as_they_were_written_and_nothing_else_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let arrays = [
            ("singles", (vec![1, 2], Numbers::Single(vec![1.5, -0.0]))),
            ("doubles", (vec![1], Numbers::Double(vec![0.1 + 0.2]))),
            ("order", (vec![3], Numbers::Index(vec![2, 0, u32::MAX]))),
        ];
        let arrays = arrays.into_iter().map(|(name, array)| (name.to_owned(), array)).collect();
        let state = State { arrays, about: "{\"a\":1}".to_owned() };
        for _ in 0..2 {
            state.save(&path).unwrap();
            assert_eq!(State::load(&path).unwrap(), state);
        }
        std::fs::write(&path, &std::fs::read(&path).unwrap()[..40]).unwrap();
        assert!(matches!(State::load(&path), Err(Error::Format { .. })));
        super::super::save_samples(&path, &ndarray::arr2(&[[1.0]]).view(), None, &[1], "", true).unwrap();
        assert!(State::load(&path).unwrap_err().to_string().contains("not a state"));
    }
}
