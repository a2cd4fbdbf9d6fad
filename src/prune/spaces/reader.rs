//! What a sum over units reads at some of its places, as rows.

use crate::error::{Error, Result};
use crate::network::spaces::{Attribute, Operator};

/// How an operator reads a value.
#[derive(Debug, Clone)]
pub(super) enum Reads {
    /// Each place of the value, its last axis: `columns` values.
    Last,
    /// Windows over an image of any number of axes.
    Windows { kernel: Vec<usize>, strides: Vec<usize>, dilations: Vec<usize>, pads: Vec<usize> },
}

impl Reads {
    /// How an operator reads, by its attributes and the shape of its weights; nothing for other padding than a given one.
    pub(super) fn of(operator: &Operator, weights: &[usize]) -> Option<Self> {
        match operator.kind.as_str() {
            "Gemm" if operator.int("transA", 0) == 0 => Some(Self::Last),
            "MatMul" => Some(Self::Last),
            "Conv" => {
                let kernel = weights.get(2..)?.to_vec();
                let given = |name: &str, default: usize, count: usize| match operator.attributes.get(name) {
                    Some(Attribute::Ints(values)) if values.len() == count => {
                        values.iter().map(|value| usize::try_from(*value).ok()).collect::<Option<Vec<usize>>>()
                    }
                    _ => Some(vec![default; count]),
                };
                let auto = operator.text("auto_pad").unwrap_or("NOTSET");
                if !matches!(auto, "NOTSET" | "VALID") {
                    return None;
                }
                let (strides, dilations) = (given("strides", 1, kernel.len())?, given("dilations", 1, kernel.len())?);
                let pads = given("pads", 0, 2 * kernel.len())?;
                Some(Self::Windows { kernel, strides, dilations, pads })
            }
            _ => None,
        }
    }

    /// Places of one sample.
    pub(super) fn places(&self, shape: &[usize]) -> usize {
        match self {
            Self::Last => shape[1..shape.len().max(2) - 1].iter().product(),
            Self::Windows { .. } => self.grid(shape).iter().product(),
        }
    }

    /// Whether values of two shapes have other places: other axes than the one that is summed over differ.
    pub(super) fn apart(&self, a: &[usize], b: &[usize]) -> bool {
        let summed = match self {
            Self::Last => a.len().saturating_sub(1),
            Self::Windows { .. } => 1,
        };
        a.iter().zip(b).enumerate().any(|(axis, (a, b))| axis != summed && a != b)
    }

    fn grid(&self, shape: &[usize]) -> Vec<usize> {
        let Self::Windows { kernel, strides, dilations, pads } = self else { return Vec::new() };
        let along = |at: usize| {
            let span = dilations[at] * (kernel[at] - 1) + 1;
            let room =
                (shape.get(2 + at).copied().unwrap_or(1) + pads[at] + pads[at + kernel.len()]).saturating_sub(span);
            room / strides[at] + 1
        };
        (0..kernel.len()).map(along).collect()
    }

    /// Columns for each entry of the axis that is summed over.
    pub(super) fn entries(&self) -> usize {
        match self {
            Self::Last => 1,
            Self::Windows { kernel, .. } => kernel.iter().product(),
        }
    }

    /// Writes into `out` what is read at `place` of `sample`: for each of `channels` its entries side by side.
    pub(super) fn row(
        &self,
        (shape, values): (&[usize], &[f32]),
        (sample, place): (usize, usize),
        channels: &[usize],
        out: &mut [f32],
    ) -> Result<()> {
        let each: usize = shape[1..].iter().product();
        let lost = || Error::Internal { what: format!("no place {place} in a value of shape {shape:?}") };
        let own = values.get(sample * each..(sample + 1) * each).ok_or_else(lost)?;
        match self {
            Self::Last => {
                let width = shape.last().copied().unwrap_or(1);
                let row = own.get(place * width..(place + 1) * width).ok_or_else(lost)?;
                out.iter_mut().zip(channels).for_each(|(out, channel)| *out = row[*channel]);
            }
            Self::Windows { kernel, strides, dilations, pads } => {
                let (grid, image) = (self.grid(shape), &shape[2..]);
                let plane: usize = image.iter().product();
                let entries = self.entries();
                let mut at = vec![0; grid.len()];
                let mut rest = place;
                for axis in (0..grid.len()).rev() {
                    at[axis] = rest % grid[axis];
                    rest /= grid[axis];
                }
                for entry in 0..entries {
                    let (mut offset, mut inside, mut rest) = (0, true, entry);
                    let mut step = 1;
                    for axis in (0..kernel.len()).rev() {
                        let along = at[axis] * strides[axis] + rest % kernel[axis] * dilations[axis];
                        rest /= kernel[axis];
                        inside &= along >= pads[axis] && along - pads[axis] < image[axis];
                        offset += along.saturating_sub(pads[axis]) * step;
                        step *= image[axis];
                    }
                    for (number, channel) in channels.iter().enumerate() {
                        out[number * entries + entry] = if inside { own[channel * plane + offset] } else { 0.0 };
                    }
                }
            }
        }
        Ok(())
    }
}

/// A sum that reads units of a space.
pub(super) struct ReaderOf<'s> {
    pub(super) operator: usize,
    /// The class of its first unit.
    pub(super) class: u32,
    pub(super) reads: Reads,
    /// The value that it reads.
    pub(super) value: String,
    /// For each unit the entries of the summed axis.
    pub(super) places: Vec<&'s [usize]>,
    /// Rows of the weights that are still there.
    pub(super) rows: Vec<usize>,
    /// Axis of the outputs, and the one that is summed over.
    pub(super) given: usize,
    pub(super) summed: usize,
}

impl ReaderOf<'_> {
    /// Columns per unit.
    pub(super) fn block(&self) -> usize {
        self.places.first().map_or(0, |places| places.len()) * self.reads.entries()
    }

    /// The entry of the summed axis and the one of the kernel of each column of some units.
    pub(super) fn entries_of(&self, units: &[usize]) -> impl Iterator<Item = (usize, usize)> {
        let entries = self.reads.entries();
        let channels = units.iter().flat_map(|unit| self.places[*unit].iter().copied());
        channels.flat_map(move |channel| (0..entries).map(move |entry| (channel, entry)))
    }

    /// The place of a weight by its row and its entry, in weights of a shape.
    pub(super) fn index(&self, shape: &[usize]) -> impl Fn(usize, (usize, usize)) -> usize + use<> {
        let entries: usize = shape[2..].iter().product();
        let (given, width) = (self.given, shape[1]);
        move |row, (channel, entry)| {
            let (first, second) = if given == 0 { (row, channel) } else { (channel, row) };
            (first * width + second) * entries + entry
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    #[test]
    fn windows_by_hand() {
        // A 3 x 3 image, windows of 2 x 2 with a padding of one in front: the first place sees one corner.
        let reads =
            Reads::Windows { kernel: vec![2, 2], strides: vec![2, 2], dilations: vec![1, 1], pads: vec![1, 1, 0, 0] };
        let shape = [1, 1, 3, 3];
        let values: Vec<f32> = (1_u8..=9).map(f32::from).collect();
        assert_eq!(reads.places(&shape), 4);
        let row = |place| {
            let mut out = [0.0; 4];
            reads.row((&shape, &values), (0, place), &[0], &mut out).unwrap();
            out
        };
        assert_eq!(row(0), [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(row(3), [5.0, 6.0, 8.0, 9.0]);
    }
}
