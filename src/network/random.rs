//! Classifiers with random weights, for measurements of time and memory.

use std::f32::consts::TAU;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::element::Element;
use super::graph::{Network, Node, Op, Origin};
use super::tensor::{DerivedRows, Tensor};
use crate::error::{Error, Result};
use crate::rng;

/// Normal weights of variance `2 / inputs`, each row at its own place in a stream, so that no layer is ever in memory.
struct NormalRows {
    shape: [usize; 2],
    generator: ChaCha8Rng,
}

impl DerivedRows for NormalRows {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    #[expect(clippy::cast_precision_loss, reason = "24 bits fit, and a width is far below 2^24")]
    fn fill(&self, i: usize, out: &mut [f32]) {
        let mut generator = self.generator.clone();
        let pairs = self.shape[1].div_ceil(2);
        generator.set_word_pos(i as u128 * pairs as u128 * 2);
        let scale = (2.0 / self.shape[1].max(1) as f32).sqrt();
        let mut uniform = || ((generator.next_u32() >> 8) as f32 + 0.5) / 16_777_216.0;
        for pair in out.chunks_mut(2) {
            // Box and Muller: two independent normal values from two uniform ones.
            let (radius, angle) = ((-2.0 * uniform().ln()).sqrt() * scale, TAU * uniform());
            for (value, part) in pair.iter_mut().zip([angle.cos(), angle.sin()]) {
                *value = radius * part;
            }
        }
    }

    fn release(&self) {}
}

/// A chain of linear layers with ReLU between: He-normal weights from the streams `random-model/<layer>` of the seed,
/// biases 0.01.
///
/// # Errors
///
/// [`Error::Argument`] for fewer than two widths or a width of 0.
pub fn random_network(widths: &[usize], seed: u64) -> Result<Network> {
    if widths.len() < 2 || widths.contains(&0) {
        let problem = format!("{widths:?}: expected at least two widths above 0");
        return Err(Error::Argument { argument: "widths", problem });
    }
    let mut nodes: Vec<Node> = Vec::new();
    for (layer, pair) in widths.windows(2).enumerate() {
        let name = format!("classifier.{}", 2 * layer);
        let before = nodes.last().map_or(Network::INPUT, |node| &node.name).to_owned();
        let rows =
            NormalRows { shape: [pair[1], pair[0]], generator: rng::stream(seed, &format!("random-model/{layer}")) };
        let weight = Tensor::derived(&format!("{name}.weight"), Element::F32, Arc::new(rows));
        let bias = Tensor::owned(&format!("{name}.bias"), Element::F32, vec![pair[1]], vec![0.01; pair[1]])?;
        nodes.push(Node { name: name.clone(), op: Op::Linear { weight, bias: Some(bias) }, inputs: vec![before] });
        if layer + 2 < widths.len() {
            nodes.push(Node { name: format!("classifier.{}", 2 * layer + 1), op: Op::Relu, inputs: vec![name] });
        }
    }
    Ok(Network { nodes, input: vec![widths[0]], normalize: None, extra: Vec::new(), origin: Origin::Header })
}
