//! Inputs of a head that no data are given for.

use crate::backend::RowSource;
use crate::error::{Error, Result};
use crate::network::{Head, Network};
use crate::prune::structured;
use crate::prune::synth::{self, SyntheticInputs};

/// Inputs for each one of the widest layer, and their least and largest number.
const FOR_EACH: usize = 10;
const COUNTS: [usize; 2] = [4096, 16_384];

/// Bytes of the inputs of the widest layer, where their number is not given.
const BYTES: usize = 1 << 29;

/// Draws from a prior for the inputs of a head: `count` of them, or ten for each input of its widest layer. A prior of samples
/// is one of the inputs of the whole network.
///
/// # Errors
///
/// [`Error::Unsupported`] for samples where the head does not begin at the network's input; as
/// [`SyntheticInputs::new`] and for moments of another width.
pub fn head_inputs(
    network: &Network,
    head: &Head,
    prior: &structured::Prior,
    sampled: Option<synth::Prior>,
    (count, seed): (Option<usize>, u64),
) -> Result<Box<dyn RowSource>> {
    let widest = head.layers.iter().map(|layer| layer.weight.matrix_shape()[1]).max().unwrap_or(1).max(1);
    let most = (BYTES / (4 * widest)).max(1);
    let count = count.unwrap_or_else(|| (FOR_EACH * widest).clamp(COUNTS[0], COUNTS[1]).min(most));
    match sampled {
        Some(sampled) if head.whole => Ok(Box::new(SyntheticInputs::new(network, sampled, count, seed)?)),
        Some(sampled) => {
            let problem = format!(
                "the prior `{}` is of the network's inputs, the linear layers at the output begin behind others",
                sampled.name()
            );
            Err(Error::Unsupported { problem })
        }
        None => {
            let moments = prior.moments(network, head.input(network)?, head.inputs())?;
            Ok(Box::new(moments.draws(count, seed, "sparse")?))
        }
    }
}
