//! A quick certificate of two whole networks, where they differ in their heads only.

use serde::Serialize;

use super::depth::head_bound;
use super::layer::{Bound, BoundOptions};
use crate::error::Result;
use crate::network::{Head, Network, Op, same_before_head};

/// What is proved of the difference of two networks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum NetworkBound {
    /// No output differs by more than `error` on any input of the first linear layer up to `radius`.
    Certified {
        /// Norm of the inputs of the network, or of the features that enter its linear layers.
        radius: f64,
        /// The largest bound of an output.
        error: f64,
        /// The output that has it.
        output: usize,
    },
    /// Nothing is proved.
    NotCertified {
        /// Why.
        reason: String,
    },
}

/// The heads of two networks, if a certificate of them is one of the networks: they begin at the input, or behind layers
/// that are the same in both, and have one depth, input and output. Otherwise why not.
///
/// # Errors
///
/// What reading the layers returns.
pub fn comparable_heads(original: &Network, other: &Network) -> Result<std::result::Result<[Head; 2], String>> {
    let (Ok(mine), Ok(theirs)) = (Head::of(original), Head::of(other)) else {
        return Ok(Err("certificates are of linear layers with ReLU at the output".to_owned()));
    };
    let from_input = mine.whole && theirs.whole;
    if !from_input && !same_before_head([original, other], [&mine, &theirs])? {
        return Ok(Err("the layers before the linear ones differ, certificates are of linear layers".to_owned()));
    }
    let [layers, others] = [&mine, &theirs].map(|head| head.layers.len());
    if layers != others {
        return Ok(Err(format!("one network has {layers} linear layers, the other {others}")));
    }
    let ends = |head: &Head| [head.inputs(), head.classes()];
    if ends(&mine) != ends(&theirs) {
        let ([inputs, classes], [other_inputs, others]) = (ends(&mine), ends(&theirs));
        return Ok(Err(format!(
            "the linear layers of one take {inputs} values and give {classes}, those of the other {other_inputs} and {others}"
        )));
    }
    Ok(Ok([mine, theirs]))
}

/// Bounds how far the outputs of two networks are apart, by half bounds and few steps of alpha-CROWN: of networks of linear
/// layers from their input on, and of others where the layers before are the same in both.
///
/// `radius` gives the largest norm of what enters the head of the original; it is asked only where it is needed.
///
/// # Errors
///
/// What `radius` returns.
pub fn network_bound(
    original: &Network,
    other: &Network,
    radius: impl FnOnce(&Head) -> Result<f64>,
) -> Result<NetworkBound> {
    let not = |reason: &str| Ok(NetworkBound::NotCertified { reason: reason.to_owned() });
    let ends = |network: &Network| matches!(network.nodes.last().map(|node| &node.op), Some(Op::Softmax { .. }));
    if ends(original) || ends(other) {
        return not("the outputs are probabilities, the certificate is of what enters their softmax");
    }
    let [mine, theirs] = match comparable_heads(original, other)? {
        Ok(heads) => heads,
        Err(reason) => return Ok(NetworkBound::NotCertified { reason }),
    };
    let radius = radius(&mine)?;
    let options = BoundOptions { bounds: vec![Bound::Crown, Bound::Half], crown_steps: 12, ..BoundOptions::default() };
    let errors = head_bound(&mine, &theirs, radius, None, &options)?.errors(radius);
    let worst = errors.into_iter().enumerate().fold((0, 0.0), |worst: (usize, f64), (at, error)| {
        if error > worst.1 || error.is_nan() { (at, error) } else { worst }
    });
    match worst {
        (output, error) if error.is_finite() => Ok(NetworkBound::Certified { radius, error, output }),
        _ => not("the bound overflows f64"),
    }
}
