//! Samples and labels from the usual files, as rows that a backend can upload.
//!
//! `x = (scale * raw - mean) / std`, per channel. Each of the three is what the user says, else what the network says,
//! else the default: 1/255 for bytes of images, and nothing for everything else. Bytes are those of images in whatever file
//! they are, if they are called `images`, or `x` where a sample has two or three axes. An array called `features` holds
//! activations of a network's inner layer, so the network's own normalisation is not for it.

mod cifar;
mod extent;
mod foreign;
mod idx;
mod labels;
mod moments;
mod npy;
mod npz;
mod rows;
mod tensors;

use std::path::{Path, PathBuf};

use rand::RngExt;

use super::Normalize;
use crate::backend::RowSource;
use crate::error::{Error, Result};
use crate::rng;
use rows::{Kind, Raw};

pub use moments::load_moments;
pub use rows::{First, Inputs};

/// What to do to raw values.
#[derive(Debug, Clone, Default)]
pub struct DataOptions {
    /// The user's factor.
    pub scale: Option<f64>,
    /// The user's means, one or one per channel; empty for none given.
    pub mean: Vec<f64>,
    /// The user's standard deviations, one or one per channel; empty for none given.
    pub std: Vec<f64>,
    /// What the network says of its input.
    pub network: Option<Normalize>,
}

/// Samples, with labels if the file has them. A clone shares the raw values.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// `n x d`: one row per sample, scaled as it is read.
    pub inputs: Inputs,
    /// The class of each sample.
    pub labels: Option<Vec<u32>>,
    /// Shape of one sample.
    pub sample: Vec<usize>,
    /// What was applied to the raw values, for the report.
    pub applied: String,
    /// What looks odd about the values, such as a range that does not fit the scale.
    pub warnings: Vec<String>,
    /// Every file that was read.
    pub paths: Vec<PathBuf>,
}

/// Names of the samples; the first that is there is taken.
const SAMPLES: [&str; 4] = ["images", "features", "points", "x"];
/// Names of the labels.
const LABELS: [&str; 2] = ["labels", "y"];

/// What a reader finds: raw samples and labels.
struct Found {
    /// One row per sample.
    samples: Array,
    labels: Option<Array>,
    paths: Vec<PathBuf>,
}

/// A tensor of a file.
struct Array {
    name: String,
    shape: Vec<usize>,
    raw: Raw,
}

impl Array {
    /// Bytes, as IDX and CIFAR files hold them.
    fn of_bytes(name: &str, shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), shape, raw: Raw { kind: Kind::U8, bytes: rows::Bytes::Owned(bytes) } }
    }

    /// Whether the values are bytes of images, to be scaled by 1/255.
    fn holds_pixels(&self) -> bool {
        let image = self.name == "images" || self.name == "x" && matches!(self.shape.len(), 3 | 4);
        self.raw.kind == Kind::U8 && image
    }
}

/// Says which names were looked for, and which there are.
fn no_samples<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    format!("no samples: expected one of {}; there is {there}", SAMPLES.map(|name| format!("`{name}`")).join(", "))
}

/// Reads a data set: a safetensors file or an `.npz` with `images`, `features`, `points` or `x` and `labels` or `y` (class
/// numbers, or one-hot rows); `mnist:FOLDER`, `cifar10:FOLDER` or `cifar100:FOLDER` for the test part, with `:train`
/// appended for the other.
///
/// # Errors
///
/// [`Error::InputMissing`], [`Error::Format`], [`Error::NonFinite`], [`Error::Data`], [`Error::Argument`],
/// [`Error::Io`].
pub fn load(spec: &str, options: &DataOptions) -> Result<Dataset> {
    let found = match spec.split_once(':') {
        Some(("mnist", folder)) => idx::load(part(folder))?,
        Some(("cifar10", folder)) => cifar::load(part(folder), cifar::TEN)?,
        Some(("cifar100", folder)) => cifar::load(part(folder), cifar::HUNDRED)?,
        _ if let Some(problem) = foreign::problem(Path::new(spec)) => {
            return Err(Error::Format { file: PathBuf::from(spec), problem: problem.to_owned() });
        }
        _ if Path::new(spec).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npz")) => {
            npz::load(Path::new(spec))?
        }
        _ => tensors::load(Path::new(spec))?,
    };
    let Found { samples, labels, paths } = found;
    let file = paths.first().cloned().unwrap_or_default();
    let labelled = labels.as_ref().map(labels::labels).transpose();
    let labels = labelled.map_err(|problem| {
        // Of two files the labels are in the second.
        let file = paths.last().filter(|_| paths.len() == 2).unwrap_or(&file).clone();
        Error::Format { file, problem }
    })?;
    let pixels = samples.holds_pixels();
    let Array { name, shape, raw } = samples;
    let (&samples, sample) = shape.split_first().ok_or_else(|| {
        let problem = format!("`{name}` is a single value, expected one row per sample");
        Error::Format { file: file.clone(), problem }
    })?;
    if samples == 0 || sample.contains(&0) {
        return Err(Error::Data { problem: format!("{}: `{name}` is empty (shape {shape:?})", file.display()) });
    }
    if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != samples) {
        let problem = format!("`{name}` has {samples} samples, `labels` has {}", labels.len());
        return Err(Error::Format { file, problem });
    }
    let (normalize, applied) = choose(options, &name, pixels);
    let inputs = Inputs::new(raw, samples, sample, &normalize)?;
    if let Some((index, count)) = inputs.non_finite()? {
        return Err(Error::NonFinite { file, tensor: name, index, count });
    }
    let odd = || extent::warning(&name, sample, inputs.range(), &normalize);
    let warning = if options.scale.is_some() { None } else { odd() };
    let warnings = warning.iter().map(|warning| format!("{}: {warning}", file.display())).collect();
    Ok(Dataset { inputs, labels, sample: sample.to_vec(), applied, warnings, paths })
}

impl Dataset {
    /// Checks that samples have `inputs` values and that labels are below `classes`.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] with the values that do not fit.
    pub fn check_against(&self, inputs: usize, classes: usize) -> Result<()> {
        let width = self.inputs.shape()[1];
        if width != inputs {
            let problem = format!("a sample has shape {:?} ({width} values), the network takes {inputs}", self.sample);
            return Err(Error::Data { problem });
        }
        let labels = self.labels.as_deref().unwrap_or_default();
        let outside = |label: &u32| usize::try_from(*label).map_or(true, |label| label >= classes);
        if let Some(first) = labels.iter().position(outside) {
            let count = labels.iter().filter(|label| outside(label)).count();
            let label = labels.get(first).copied().unwrap_or_default();
            let problem = format!("{count} labels are not below {classes}, the first is {label} at sample {first}");
            return Err(Error::Data { problem });
        }
        Ok(())
    }
}

impl Dataset {
    /// Labelled vectors that were made, one in each row; `applied` says how.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for another number of labels.
    pub fn of_points(points: &ndarray::Array2<f32>, labels: Vec<u32>, applied: String) -> Result<Self> {
        let (samples, width) = points.dim();
        if labels.len() != samples {
            return Err(Error::Data { problem: format!("{samples} points, {} labels", labels.len()) });
        }
        let bytes = points.iter().flat_map(|value| value.to_le_bytes()).collect();
        let raw = Raw { kind: Kind::F32, bytes: rows::Bytes::Owned(bytes) };
        let none = Normalize { scale: 1.0, mean: Vec::new(), std: Vec::new() };
        let inputs = Inputs::new(raw, samples, &[width], &none)?;
        let (labels, sample) = (Some(labels), vec![width]);
        Ok(Self { inputs, labels, sample, applied, warnings: Vec::new(), paths: Vec::new() })
    }

    /// Two parts without a common sample, the second with the nearest number to `share` of the samples, chosen by the
    /// stream `held-out` of the seed; both keep the order of the file.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if a part would be empty.
    pub fn split(&self, share: f64, seed: u64) -> Result<[Self; 2]> {
        let count = self.inputs.shape()[0];
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of samples, which is far below 2^53"
        )]
        let held_out = (share.clamp(0.0, 1.0) * count as f64).round() as usize;
        if held_out == 0 || held_out >= count {
            let problem =
                format!("{held_out} of {count} samples held out leave nothing to measure, or nothing to train on");
            return Err(Error::Data { problem });
        }
        let mut order: Vec<usize> = (0..count).collect();
        shuffle(&mut order, &mut rng::stream(seed, "held-out"));
        let mut rest = order.split_off(held_out);
        order.sort_unstable();
        rest.sort_unstable();
        let part = |rows: &[usize], what: &str| Self {
            inputs: self.inputs.pick(rows),
            labels: self.labels.as_ref().map(|labels| rows.iter().map(|row| labels[*row]).collect()),
            sample: self.sample.clone(),
            applied: format!("{}; {} of {count} samples, {what}", self.applied, rows.len()),
            warnings: self.warnings.clone(),
            paths: self.paths.clone(),
        };
        Ok([part(&rest, "trained on"), part(&order, "held out from training")])
    }
}

/// A random order of items, each as likely (Fisher and Yates).
pub(crate) fn shuffle<T>(items: &mut [T], stream: &mut impl RngExt) {
    for last in (1..items.len()).rev() {
        items.swap(last, stream.random_range(0..=last));
    }
}

/// The folder, and whether the training part is asked for.
fn part(folder: &str) -> (&Path, bool) {
    match folder.strip_suffix(":train") {
        Some(folder) => (Path::new(folder), true),
        None => (Path::new(folder.strip_suffix(":test").unwrap_or(folder)), false),
    }
}

/// What is applied, and in words who says so.
fn choose(options: &DataOptions, name: &str, pixels: bool) -> (Normalize, String) {
    let network = options.network.as_ref().filter(|_| name != "features");
    let (scale, source) = match (options.scale, network) {
        (Some(scale), _) => (scale, "given"),
        (None, Some(network)) => (network.scale, "of the network"),
        (None, None) if pixels => (1.0 / 255.0, "for bytes of images"),
        (None, None) => (1.0, ""),
    };
    let list = |given: &Vec<f64>, network: Option<&Vec<f64>>| match network {
        _ if !given.is_empty() => (given.clone(), "given"),
        Some(network) => (network.clone(), "of the network"),
        None => (Vec::new(), ""),
    };
    let (mean, mean_source) = list(&options.mean, network.map(|network| &network.mean));
    let (std, std_source) = list(&options.std, network.map(|network| &network.std));
    let mut words = Vec::new();
    #[expect(clippy::float_cmp, reason = "exactly one means that nothing is done")]
    if scale != 1.0 {
        words.push(format!("scale {scale} ({source})"));
    }
    if !mean.is_empty() {
        words.push(format!("mean {mean:?} ({mean_source})"));
    }
    if !std.is_empty() {
        words.push(format!("std {std:?} ({std_source})"));
    }
    let applied = if words.is_empty() { "values as they are".to_owned() } else { words.join(", ") };
    (Normalize { scale, mean, std }, applied)
}
