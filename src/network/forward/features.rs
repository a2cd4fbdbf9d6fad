//! What a network gives to its head: computed once, while only the head changes.

use ndarray::{Array2, s};

use super::{DeviceNetwork, Samples, Slice};
use crate::backend::{Backend, RowSource};
use crate::error::{Error, Result};
use crate::network::format::OnnxSource;
use crate::network::{Head, Network, Runtime};

/// The inputs of the head for each row of `inputs`: `n x d`, its columns in the order in which the head takes them.
///
/// The backend computes them. A network with an operation that backends do not have runs through `rten` on the CPU, from the
/// model `source` where tropix only carries the operation.
///
/// # Errors
///
/// [`Error::Unsupported`] with the node that neither computes, [`Error::Data`] for rows of another length, what the
/// backend returns.
pub fn head_features<B: Backend>(
    backend: &B,
    network: &Network,
    source: Option<&OnnxSource>,
    head: &Head,
    inputs: &dyn RowSource,
) -> Result<Array2<f32>> {
    let node = head.input(network)?;
    let [count, width] = inputs.shape();
    let takes: usize = network.input.iter().product();
    if width != takes {
        return Err(Error::Data { problem: format!("a sample has {width} values, the network takes {takes}") });
    }
    let device = match DeviceNetwork::upload(backend, network) {
        Ok(device) => device,
        Err(Error::Unsupported { problem }) => {
            let runtime = Runtime::new(network, source).map_err(|_| Error::Unsupported { problem })?;
            let (values, length) = runtime.values(inputs, node)?;
            let features = Array2::from_shape_vec((count, length), values);
            return features.map_err(|error| Error::Internal { what: error.to_string() });
        }
        Err(error) => return Err(error),
    };
    let mut features = Array2::zeros((count, head.inputs()));
    let step = Samples::step(backend, device.widest);
    for first in (0..count).step_by(step) {
        let rows = step.min(count - first);
        let batch = backend.upload(&Slice { source: inputs, first, rows })?;
        let found = device.node(backend, &batch, node)?;
        if found.ncols() != features.ncols() {
            let problem = format!("the head takes {} values, `{node}` gives {}", features.ncols(), found.ncols());
            return Err(Error::Data { problem });
        }
        #[expect(clippy::cast_possible_truncation, reason = "fast backends hold f32; the reference is rounded to it")]
        features.slice_mut(s![first..first + rows, ..]).assign(&found.mapv(|value| value as f32));
    }
    Ok(features)
}
