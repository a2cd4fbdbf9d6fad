//! Where inputs come from when there are no data.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::normal::normal;
use super::{Arrangement, field, leaves};
use crate::backend::RowSource;
use crate::error::{Error, Result};
use crate::network::{Network, Node, Normalize, Op};
use crate::rng;

/// Standard deviation of the noise on images, in units of the network's input.
const NOISE: f32 = 0.1;

/// What synthetic inputs look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prior {
    /// Half dead leaves, half sparse shapes, normalised as the network wants its images, plus `0.1 N(0, 1)`. The default
    /// for images that enter convolutions.
    Leaves,
    /// The same with a quarter of smooth Gaussian fields, in normalised units: gains up to a point on colour images and
    /// loses as much on others.
    Natural,
    /// Smooth Gaussian fields alone, images without edges.
    Fields,
    /// Independent normal inputs with the means and deviations of [`Arrangement`]. The default for inputs that enter
    /// linear layers as they are, images too.
    Arrangement,
    /// `N(0, 1)` in every input. The default for all other inputs that are no images.
    Gaussian,
    /// Half `N(0, 1)`, half leaves.
    Mixed,
}

impl Prior {
    /// All priors.
    pub const ALL: [Self; 6] =
        [Self::Leaves, Self::Natural, Self::Fields, Self::Arrangement, Self::Gaussian, Self::Mixed];

    /// The name on the command line and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leaves => "leaves",
            Self::Natural => "natural",
            Self::Fields => "fields",
            Self::Arrangement => "arrangement",
            Self::Gaussian => "gaussian",
            Self::Mixed => "mixed",
        }
    }

    /// The prior for the inputs of a network.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        match image_shape(network) {
            _ if Arrangement::is_of(network) => Self::Arrangement,
            Some(_) => Self::Leaves,
            None => Self::Gaussian,
        }
    }
}

/// The image that an input of a network is: `channels x height x width`, or the other way round, `height x width`, or the
/// square of a vector.
fn image_shape(network: &Network) -> Option<[usize; 3]> {
    match *network.input.as_slice() {
        [height, width, channels] if has_channels_last(network) => Some([channels, height, width]),
        [channels, height, width] => Some([channels, height, width]),
        [height, width] => Some([1, height, width]),
        // 8 x 8 digits are the smallest images that people classify.
        [length] if length >= 64 && length.isqrt().pow(2) == length => Some([1, length.isqrt(), length.isqrt()]),
        _ => None,
    }
}

/// Whether the network itself brings the channels of its images to the front.
fn has_channels_last(network: &Network) -> bool {
    let mut readers = network.consumers(Network::INPUT).peekable();
    let turns = |node: &Node| matches!(&node.op, Op::Transpose { order } if *order == [2, 0, 1]);
    network.input.len() == 3 && readers.peek().is_some() && readers.all(turns)
}

/// Synthetic inputs, each from a random stream of its own, so that any of them can be read at any time.
#[derive(Debug, Clone)]
pub struct SyntheticInputs {
    prior: Prior,
    seed: u64,
    count: usize,
    length: usize,
    image: [usize; 3],
    /// Whether the channels of a pixel lie side by side.
    channels_last: bool,
    /// Mean and standard deviation of each channel.
    channels: Vec<[f32; 2]>,
    /// Mean and standard deviation of each input, for [`Prior::Arrangement`].
    inputs: Vec<[f32; 2]>,
}

impl SyntheticInputs {
    /// `count` inputs for a network.
    ///
    /// Images have pixels in 0..=1 before they are normalised. Where the network does not say how, the mean is taken
    /// as 0.5 and the standard deviation as 0.25, which gives inputs of about unit variance.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for images where the shape of the input is not one of an image, or not known at all.
    pub fn new(network: &Network, prior: Prior, count: usize, seed: u64) -> Result<Self> {
        let input = &network.input;
        let length = input.iter().product();
        if input.is_empty() || length == 0 {
            let problem = "synthetic inputs need the shape of the network's input".to_owned();
            return Err(Error::Unsupported { problem });
        }
        let image = match (image_shape(network), prior) {
            (Some(image), _) => image,
            (None, Prior::Gaussian | Prior::Arrangement) => [1, 1, length],
            (None, _) => {
                let problem = format!("an input of shape {input:?} is no image for the prior `{}`", prior.name());
                return Err(Error::Unsupported { problem });
            }
        };
        let channels = normalisation(network.normalize.as_ref(), image[0]);
        let inputs = if prior == Prior::Arrangement { arranged(network)? } else { Vec::new() };
        Ok(Self { prior, seed, count, length, image, channels_last: has_channels_last(network), channels, inputs })
    }

    /// Between what the pixels of each channel lie, for images that are drawn; `None` for other inputs.
    pub(super) fn bounds(&self) -> Option<PixelBounds> {
        if matches!(self.prior, Prior::Gaussian | Prior::Arrangement) {
            return None;
        }
        let ends = self.channels.iter().map(|[mean, std]| [-mean / std, (1.0 - mean) / std]).collect();
        let share = if self.channels_last { 1 } else { self.image[1] * self.image[2] };
        Some(PixelBounds { ends, share })
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    fn fill(&self, index: usize, out: &mut [f32]) {
        let random = &mut rng::stream(self.seed, &format!("synthetic/{}/{index}", self.prior.name()));
        let leaves_number = match self.prior {
            Prior::Arrangement => {
                let inputs = out.iter_mut().zip(&self.inputs);
                return inputs.for_each(|(value, [mean, deviation])| *value = mean + deviation * normal(random));
            }
            Prior::Gaussian => None,
            Prior::Leaves => Some(index),
            Prior::Fields => return self.field(random, out),
            Prior::Natural if index % 4 == 3 => return self.field(random, out),
            Prior::Natural => Some(index - index / 4),
            Prior::Mixed if index.is_multiple_of(2) => None,
            Prior::Mixed => Some(index / 2),
        };
        let Some(number) = leaves_number else {
            return out.iter_mut().for_each(|value| *value = normal(random));
        };
        leaves::image(random, !number.is_multiple_of(2), self.image, out);
        let plane = self.image[1] * self.image[2];
        for (out, [mean, std]) in out.chunks_exact_mut(plane).zip(&self.channels) {
            out.iter_mut().for_each(|value| *value = (*value - mean) / std + NOISE * normal(random));
        }
    }

    fn field(&self, random: &mut ChaCha8Rng, out: &mut [f32]) {
        field::image(random, self.image, out);
        out.iter_mut().for_each(|value| *value += NOISE * normal(random));
    }

    /// A number below `bound` for the row `name` of the seed's streams.
    pub(crate) fn distinct(seed: u64, name: &str, bound: usize, count: usize) -> Vec<usize> {
        let random = &mut rng::stream(seed, name);
        let mut all: Vec<usize> = (0..bound).collect();
        // The first steps of a shuffle choose without repetition.
        for at in 0..count.min(bound) {
            let other = random.random_range(at..bound);
            all.swap(at, other);
        }
        all.truncate(count);
        all.sort_unstable();
        all
    }
}

/// What pixels can be.
pub(super) struct PixelBounds {
    /// The least and the largest value of each channel.
    pub(super) ends: Vec<[f32; 2]>,
    /// Pixels of a channel that lie side by side.
    pub(super) share: usize,
}

/// Mean and standard deviation of each input by the hyperplanes of the layers that read them.
#[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
fn arranged(network: &Network) -> Result<Vec<[f32; 2]>> {
    let none = || Error::Unsupported {
        problem: "no linear layer reads the input as it is, for the prior `arrangement`".to_owned(),
    };
    let Arrangement { mean, deviation } = Arrangement::read_by(network, Network::INPUT)?.ok_or_else(none)?;
    Ok(mean.iter().zip(&deviation).map(|(mean, deviation)| [*mean as f32, *deviation as f32]).collect())
}

#[expect(clippy::cast_possible_truncation, reason = "inputs are f32")]
fn normalisation(normalize: Option<&Normalize>, channels: usize) -> Vec<[f32; 2]> {
    let Some(normalize) = normalize else { return vec![[0.5, 0.25]; channels] };
    let value = |values: &[f64], channel: usize, default: f64| -> f32 {
        values.get(channel).or(values.first()).copied().unwrap_or(default) as f32
    };
    (0..channels).map(|channel| [value(&normalize.mean, channel, 0.0), value(&normalize.std, channel, 1.0)]).collect()
}

impl RowSource for SyntheticInputs {
    fn shape(&self) -> [usize; 2] {
        [self.count, self.length]
    }

    fn read_rows(&self, first: usize, out: &mut [f32]) -> Result<()> {
        for (offset, out) in out.chunks_exact_mut(self.length).enumerate() {
            self.fill(first + offset, out);
            if self.channels_last {
                let (planes, [channels, height, width]) = (out.to_vec(), self.image);
                for (at, value) in out.iter_mut().enumerate() {
                    *value = planes[at % channels * height * width + at / channels];
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;
    use crate::network::Origin;

    #[test]
    fn images_with_their_channels_last_are_the_same_images() {
        let images = |input: [usize; 3], op: Op| {
            let nodes = vec![Node { name: "first".to_owned(), op, inputs: vec![Network::INPUT.to_owned()] }];
            let input = input.to_vec();
            let network = Network { nodes, input, normalize: None, extra: Vec::new(), origin: Origin::Onnx };
            let inputs = SyntheticInputs::new(&network, Prior::of(&network), 2, 5).unwrap();
            let mut values = vec![0.0; 2 * 3 * 8 * 10];
            inputs.read_rows(0, &mut values).unwrap();
            values
        };
        let first = images([3, 8, 10], Op::Identity);
        let last = images([8, 10, 3], Op::Transpose { order: vec![2, 0, 1] });
        for (at, value) in last.iter().enumerate() {
            let (image, at) = (at / 240, at % 240);
            assert!(value.to_bits() == first[image * 240 + at % 3 * 80 + at / 3].to_bits());
        }
        assert_ne!(first, last);
    }
}
