//! Networks written in a line.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::network::{Element, Network, Node, Op, Origin, Tensor, Window};

/// A chain of layers: `784-512-10`, or for images `1x28x28-6c5-p2-16c5-p2-120-84-10`.
///
/// The first part is the shape of a sample. A number is a linear layer of so many outputs, `NcK` a convolution of `N` channels by
/// kernels of `K x K` (`NcKpP` with `P` pixels of zeros around the image), `pK` the maxima of windows of `K x K`. ReLU stands
/// between layers with weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    text: String,
    input: Vec<usize>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Linear(usize),
    Convolution { channels: usize, kernel: usize, padding: usize },
    Pool(usize),
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut parts = text.split('-');
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| (1..=1 << 24).contains(number));
        let wrong = |part: &str, expected: &str| format!("`{part}` in `{text}`: expected {expected}");
        let first = parts.next().unwrap_or_default();
        let input: Option<Vec<usize>> = first.split('x').map(number).collect();
        let input = input.filter(|input| matches!(input.len(), 1 | 3));
        let input = input.ok_or_else(|| wrong(first, "a number of inputs, or channels x height x width"))?;
        let parse = |part: &str| {
            if let Some(size) = part.strip_prefix('p') {
                return number(size).map(Part::Pool);
            }
            let Some((channels, kernel)) = part.split_once('c') else { return number(part).map(Part::Linear) };
            let (kernel, padding) = match kernel.split_once('p') {
                Some((kernel, padding)) => (kernel, padding.parse().ok().filter(|padding| *padding < 1 << 12)?),
                None => (kernel, 0),
            };
            Some(Part::Convolution { channels: number(channels)?, kernel: number(kernel)?, padding })
        };
        let expected = "a width, as `16c5` a convolution, or as `p2` a pooling";
        let parts = parts.map(|part| parse(part).ok_or_else(|| wrong(part, expected)));
        let parts = parts.collect::<std::result::Result<Vec<_>, _>>()?;
        match parts.last() {
            Some(Part::Linear(_)) => Ok(Self { text: text.to_owned(), input, parts }),
            _ => Err(format!("`{text}`: expected a number of classes at the end, as in 2-40-2")),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Layout {
    /// The network, with zeros as weights.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] where a window does not fit its image, an image is wanted and there is none, or a layer has more than
    /// 2^31 weights.
    pub fn network(&self) -> Result<Network> {
        let wrong =
            |problem: String| Error::Argument { argument: "MODEL", problem: format!("`{}`: {problem}", self.text) };
        let mut nodes: Vec<Node> = Vec::new();
        let mut shape = self.input.clone();
        let mut push = |op: Op| {
            let inputs = vec![nodes.last().map_or(Network::INPUT, |node| &node.name).to_owned()];
            let name = nodes.len().to_string();
            nodes.push(Node { name, op, inputs });
            nodes.len()
        };
        let weights = |at: usize, shape: Vec<usize>| -> Result<[Tensor; 2]> {
            let count = shape.iter().try_fold(1_usize, |product, axis| product.checked_mul(*axis));
            let count = count.filter(|count| *count <= 1 << 31);
            let count = count.ok_or_else(|| wrong(format!("a layer of {shape:?} weights is too large")))?;
            let biases = vec![0.0; shape[0]];
            let bias = Tensor::owned(&format!("{at}.bias"), Element::F32, vec![shape[0]], biases)?;
            Ok([Tensor::owned(&format!("{at}.weight"), Element::F32, shape, vec![0.0; count])?, bias])
        };
        let mut count = 0;
        let last = self.parts.len() - 1;
        for (at, part) in self.parts.iter().enumerate() {
            let image = || match *shape.as_slice() {
                [channels, height, width] => Ok([channels, height, width]),
                _ => Err(wrong("there is no image for a window any more".to_owned())),
            };
            let unfit = || wrong(format!("a window of part {} does not fit {shape:?}", at + 2));
            match *part {
                Part::Linear(outputs) => {
                    if shape.len() == 3 {
                        count = push(Op::Flatten);
                    }
                    let [weight, bias] = weights(count, vec![outputs, shape.iter().product()])?;
                    count = push(Op::Linear { weight, bias: Some(bias) });
                    shape = vec![outputs];
                }
                Part::Convolution { channels, kernel, padding } => {
                    let [own, height, width] = image()?;
                    let window = Window { padding: [padding; 4], ..Window::dense([kernel; 2]) };
                    let [height, width] = window.places([height, width], false).ok_or_else(unfit)?;
                    let [weight, bias] = weights(count, vec![channels, own, kernel, kernel])?;
                    count = push(Op::Conv { weight, bias: Some(bias), window, groups: 1 });
                    shape = vec![channels, height, width];
                }
                Part::Pool(size) => {
                    let [channels, height, width] = image()?;
                    let window = Window { stride: [size; 2], ..Window::dense([size; 2]) };
                    let [height, width] = window.places([height, width], false).ok_or_else(unfit)?;
                    count = push(Op::MaxPool { window, ceil: false });
                    shape = vec![channels, height, width];
                }
            }
            if at < last && !matches!(part, Part::Pool(_)) {
                count = push(Op::Relu);
            }
        }
        let input = self.input.clone();
        Ok(Network { nodes, input, normalize: None, extra: Vec::new(), origin: Origin::Header })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn lenet_has_its_parameters() {
        let layout: Layout = "1x28x28-6c5p2-p2-16c5-p2-120-84-10".parse().unwrap();
        let network = layout.network().unwrap();
        // LeNet-5 with images of 28 x 28: 61,706 parameters.
        assert_eq!(network.tensors().map(Tensor::len).sum::<usize>(), 61_706);
        assert_eq!(network.shapes().unwrap().last().unwrap().as_deref(), Some([10].as_slice()));
        let kinds: Vec<&str> = network.nodes.iter().map(|node| node.op.name()).collect();
        let expected = "conv2d relu maxpool conv2d relu maxpool flatten linear relu linear relu linear";
        assert_eq!(kinds.join(" "), expected);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_part() {
        for (text, said) in [
            ("", "expected a number of inputs"),
            ("2", "number of classes at the end"),
            ("2-p2", "number of classes at the end"),
            ("2-0-2", "`0` in"),
            ("2x3-4", "`2x3` in"),
            ("1x8x8-4c-2", "`4c` in"),
            ("2--2", "`` in"),
        ] {
            let problem = text.parse::<Layout>().unwrap_err();
            assert!(problem.contains(said), "{text}: {problem}");
        }
        for text in ["10-4c3-2", "1x4x4-3c5-2", "1x4x4-p8-2", "1x8x8-20-p2-2", "16000000-16000000-2"] {
            assert!(matches!(text.parse::<Layout>().unwrap().network(), Err(Error::Argument { .. })), "{text}");
        }
    }
}
