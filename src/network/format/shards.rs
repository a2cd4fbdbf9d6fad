//! Which files a model consists of: one, or the shards that a `model.safetensors.index.json` names.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::header::{self, Strings};
use super::store::missing;
use crate::error::{Error, Result};
use crate::nesting;
use crate::network::Tensor;
use crate::network::mapping::Mapping;

/// How the name of an index ends.
pub(super) const INDEX: &str = ".safetensors.index.json";

/// One file of tensors.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Names of its tensors.
    pub tensors: Vec<String>,
    /// Its `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

/// How the tensors are spread over files.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The shards in the order of their file names; one for a model in one file.
    pub shards: Vec<Shard>,
    /// `metadata` of the index, for a model in shards.
    pub index: Option<BTreeMap<String, serde_json::Value>>,
}

impl Layout {
    /// One file that holds nothing yet.
    pub(super) fn single() -> Self {
        Self { shards: vec![Shard { tensors: Vec::new(), metadata: BTreeMap::new() }], index: None }
    }
}

/// The text of an index.
#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    metadata: BTreeMap<String, serde_json::Value>,
    weight_map: Strings,
}

/// The text of an index to write.
#[derive(Serialize)]
struct IndexText<'a> {
    metadata: &'a BTreeMap<String, serde_json::Value>,
    weight_map: BTreeMap<&'a str, &'a str>,
}

/// What was read: tensors, their layout, every file, and warnings.
pub(super) struct Read {
    pub(super) tensors: Vec<Tensor>,
    pub(super) layout: Layout,
    pub(super) paths: Vec<PathBuf>,
    pub(super) warnings: Vec<String>,
}

/// Whether `path` is named as an index.
pub(super) fn is_index(path: &Path) -> bool {
    path.to_string_lossy().ends_with(INDEX)
}

/// Reads one file.
pub(super) fn single(path: &Path) -> Result<Read> {
    let file = header::open(path)?;
    let layout = Layout { shards: vec![shard(&file)], index: None };
    Ok(Read { tensors: file.tensors, layout, paths: vec![path.to_owned()], warnings: Vec::new() })
}

/// Reads an index and its shards.
pub(super) fn sharded(path: &Path) -> Result<Read> {
    let refused = |problem: String| Error::Format { file: path.to_owned(), problem };
    let text = Mapping::open(path)?;
    nesting::check(&text, nesting::DEEPEST).map_err(|problem| refused(format!("index: {problem}")))?;
    let index: Index = serde_json::from_slice(&text).map_err(|error| refused(format!("index: {error}")))?;
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &index.weight_map.0 {
        wanted.entry(file).or_default().push(tensor);
    }
    if wanted.is_empty() {
        return Err(refused("the index names no tensor".to_owned()));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let (mut tensors, mut shards, mut paths) = (Vec::new(), Vec::new(), vec![path.to_owned()]);
    let (mut warnings, mut seen) = (Vec::new(), HashSet::new());
    for (name, listed) in wanted {
        if name.contains(['/', '\\', ':']) || !name.ends_with(".safetensors") {
            let tensor = listed.first().copied().unwrap_or_default();
            let rule = "a shard is a plain file name in the folder of the index that ends in `.safetensors`";
            return Err(refused(format!("tensor `{tensor}` is said to be in `{name}`; {rule}")));
        }
        let file_path = folder.join(name);
        let file = header::open(&file_path)?;
        let held: HashSet<&str> = file.tensors.iter().map(Tensor::name).collect();
        if let Some(absent) = listed.iter().find(|tensor| !held.contains(*tensor)) {
            return Err(missing(&file_path, absent, held.into_iter()));
        }
        for tensor in &file.tensors {
            if !seen.insert(tensor.name().to_owned()) {
                return Err(refused(format!("tensor `{}` is in more than one shard", tensor.name())));
            }
            if index.weight_map.0.get(tensor.name()).is_none_or(|file| file != name) {
                warnings.push(format!("tensor `{}` of `{name}` is not in the index", tensor.name()));
            }
        }
        shards.push(shard(&file));
        tensors.extend(file.tensors);
        paths.push(file_path);
    }
    Ok(Read { tensors, layout: Layout { shards, index: Some(index.metadata) }, paths, warnings })
}

fn shard(file: &header::File) -> Shard {
    let tensors = file.tensors.iter().map(|tensor| tensor.name().to_owned()).collect();
    Shard { tensors, metadata: file.metadata.clone() }
}

/// The files that a model of `count` shards is written to, the index last.
pub(super) fn outputs(output: &Path, layout: &Layout) -> Result<Vec<PathBuf>> {
    if layout.index.is_none() {
        return Ok(vec![output.to_owned()]);
    }
    let name = output.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(stem) = name.strip_suffix(INDEX).filter(|stem| !stem.is_empty()) else {
        let problem = format!("a model in shards is written as an index and its shards: name it `NAME{INDEX}`");
        return Err(Error::Argument { argument: "output", problem });
    };
    let count = layout.shards.len();
    let shard = |number: usize| output.with_file_name(format!("{stem}-{number:05}-of-{count:05}.safetensors"));
    Ok((1..=count).map(shard).chain([output.to_owned()]).collect())
}

/// The text of an index for tensors in files.
pub(super) fn index_text(
    metadata: &BTreeMap<String, serde_json::Value>,
    weight_map: BTreeMap<&str, &str>,
) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(&IndexText { metadata, weight_map })?;
    text.push(b'\n');
    Ok(text)
}
