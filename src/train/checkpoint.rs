//! The state of training between two epochs, in a file: what is resumed ends with the same bits as what was not interrupted.

use std::path::PathBuf;

use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::fit::{Epoch, Task};
use super::options::TrainOptions;
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::format::{Numbers, State};
use crate::network::spaces::OperatorGraph;

/// Where the state of training is kept, and whether to begin with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The file, a safetensors file; it is written beside its name and renamed.
    pub file: PathBuf,
    /// Epochs from one writing to the next; the last epoch is always written.
    pub every: usize,
    /// Goes on with what the file holds, if it is there.
    pub resume: bool,
}

/// What training is, so that no state is gone on with as another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// SHA-256 of the names, shapes and numbers of all tensors before training.
    network: String,
    /// SHA-256 of the samples and what they are trained to.
    data: String,
    /// [`TrainOptions`] as JSON.
    options: String,
}

/// What the loop has between two epochs, beside what is on the device.
pub(super) struct Loop {
    pub(super) epochs: Vec<Epoch>,
    pub(super) before: f64,
    /// Accuracy of the best state.
    pub(super) best: f64,
    pub(super) chosen: usize,
    /// Steps done.
    pub(super) step: u32,
    pub(super) order: Vec<u32>,
    pub(super) stream: ChaCha8Rng,
    /// Numbers of the best state.
    pub(super) good: Vec<Vec<f32>>,
}

#[derive(Serialize, Deserialize)]
struct About {
    version: u32,
    #[serde(flatten)]
    identity: Identity,
    step: u32,
    chosen: usize,
    /// Of the stream of random numbers; beyond what JSON's numbers hold.
    word: String,
}

impl Identity {
    /// Of a task and its options.
    pub(super) fn of(task: &Task<'_>, options: &TrainOptions) -> Result<Self> {
        let json = serde_json::to_string(options).map_err(|error| Error::Internal { what: error.to_string() })?;
        let mut data = Sha256::new();
        for (rows, labels) in [(task.training.inputs, task.goal.labels()), (task.held_out.inputs, task.held_out.labels)]
        {
            digest_rows(&mut data, rows)?;
            labels.unwrap_or_default().iter().for_each(|label| data.update(label.to_le_bytes()));
        }
        if let Some(logits) = task.goal.teacher() {
            digest_rows(&mut data, logits)?;
        }
        Ok(Self { network: digest(task.graph), data: hex(data), options: json })
    }

    /// Fails where this is not the training that a file came from.
    fn check(&self, other: &Self) -> std::result::Result<(), String> {
        if self.network != other.network {
            return Err("the state is one of another network, or of other first weights".to_owned());
        }
        if self.data != other.data {
            return Err("the state is one of other samples".to_owned());
        }
        if self.options == other.options {
            return Ok(());
        }
        Err(format!("the state is one of other options: {} there, {} here", other.options, self.options))
    }
}

impl Checkpoint {
    /// Whether to write after an epoch.
    pub(super) fn due(&self, epoch: usize, last: bool) -> bool {
        last || epoch.is_multiple_of(self.every.max(1))
    }

    /// Writes the state; `device` has the weights and what the optimiser remembers.
    pub(super) fn save(&self, identity: &Identity, at: &Loop, device: Vec<(String, Array2<f32>)>) -> Result<()> {
        let about = About {
            version: 1,
            identity: identity.clone(),
            step: at.step,
            chosen: at.chosen,
            word: at.stream.get_word_pos().to_string(),
        };
        let about = serde_json::to_string(&about).map_err(|error| Error::Internal { what: error.to_string() })?;
        let mut state = State { about, ..State::default() };
        let mut put = |name: String, shape: Vec<usize>, numbers| state.arrays.insert(name, (shape, numbers));
        for (name, matrix) in device {
            put(name, matrix.shape().to_vec(), Numbers::Single(matrix.into_iter().collect()));
        }
        for (place, numbers) in at.good.iter().enumerate() {
            put(format!("best/{place}"), vec![numbers.len()], Numbers::Single(numbers.clone()));
        }
        let history = at.epochs.iter().flat_map(|epoch| [epoch.rate, epoch.loss, epoch.held_out]).collect();
        put("history".to_owned(), vec![at.epochs.len(), 3], Numbers::Double(history));
        put("accuracy".to_owned(), vec![2], Numbers::Double(vec![at.before, at.best]));
        put("order".to_owned(), vec![at.order.len()], Numbers::Index(at.order.clone()));
        state.save(&self.file)
    }

    /// What the file holds, if it is to be gone on with and there is one, and how to find matrices of the device in it.
    pub(super) fn load(&self, identity: &Identity, mut stream: ChaCha8Rng) -> Result<Option<(Loop, Matrices)>> {
        if !self.resume || !self.file.exists() {
            return Ok(None);
        }
        let fault = |problem: String| Error::Format { file: self.file.clone(), problem };
        let mut state = State::load(&self.file)?;
        let about: About = serde_json::from_str(&state.about).map_err(|error| fault(error.to_string()))?;
        if about.version != 1 {
            return Err(fault(format!("a state of version {}, not 1", about.version)));
        }
        identity.check(&about.identity).map_err(fault)?;
        let missing = |name: &str| fault(format!("tensor `{name}` is not there, or not of its type"));
        let mut doubles = |name: &str| match state.arrays.remove(name) {
            Some((_, Numbers::Double(values))) => Ok(values),
            _ => Err(missing(name)),
        };
        let [history, accuracy] = [doubles("history")?, doubles("accuracy")?];
        let Some((_, Numbers::Index(order))) = state.arrays.remove("order") else { return Err(missing("order")) };
        let [before, best] = accuracy[..] else { return Err(missing("accuracy")) };
        let epochs = history.as_chunks::<3>().0.iter().zip(1..);
        let epochs = epochs.map(|(&[rate, loss, held_out], epoch)| Epoch { epoch, rate, loss, held_out }).collect();
        let good = (0..).map_while(|place| match state.arrays.remove(&format!("best/{place}")) {
            Some((_, Numbers::Single(values))) => Some(values),
            _ => None,
        });
        let good = good.collect();
        stream.set_word_pos(about.word.parse().map_err(|_| fault(format!("`word` is {}", about.word)))?);
        let (step, chosen) = (about.step, about.chosen);
        let at = Loop { epochs, before, best, chosen, step, order, stream, good };
        Ok(Some((at, Matrices { file: self.file.clone(), state })))
    }
}

/// The matrices of a file.
pub(super) struct Matrices {
    file: PathBuf,
    state: State,
}

impl Matrices {
    /// Takes a matrix, which has a shape, to a device.
    pub(super) fn upload<B: Backend>(&mut self, backend: &B, name: &str, shape: [usize; 2]) -> Result<B::Matrix> {
        let found = match self.state.arrays.remove(name) {
            Some((there, Numbers::Single(values))) if there == shape => Array2::from_shape_vec(shape, values).ok(),
            _ => None,
        };
        let problem = || format!("tensor `{name}` of {} x {} is not there", shape[0], shape[1]);
        let found = found.ok_or_else(|| Error::Format { file: self.file.clone(), problem: problem() })?;
        backend.upload(&found)
    }
}

fn digest(graph: &OperatorGraph) -> String {
    let mut hash = Sha256::new();
    for (value, name) in graph.values.iter().enumerate() {
        let Some(tensor) = graph.weights(value) else { continue };
        hash.update(format!("{name} {:?} {:?}\n", tensor.element(), tensor.dimensions()));
        tensor.to_vec().iter().for_each(|number| hash.update(number.to_le_bytes()));
    }
    graph.operators.iter().for_each(|operator| hash.update(format!("{} {:?}\n", operator.kind, operator.inputs)));
    hex(hash)
}

/// Shape and values of rows, read a few at a time.
fn digest_rows(hash: &mut Sha256, rows: &dyn RowSource) -> Result<()> {
    let [count, width] = rows.shape();
    hash.update(format!("{count} x {width}\n"));
    let step = ((1 << 20) / width.max(1)).max(1);
    for first in (0..count).step_by(step) {
        let mut values = vec![0.0_f32; step.min(count - first) * width];
        rows.read_rows(first, &mut values)?;
        hash.update(bytemuck::cast_slice::<f32, u8>(&values));
    }
    Ok(())
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
